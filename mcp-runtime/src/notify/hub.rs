//! Where the events of all instances arrive, and who waits for them here.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bus::{Event, EventBus};
use super::listener::Listener;
use crate::call::{AnswerOutcome, WeakContext};
use crate::endpoint::Watch;
use crate::tasks::timestamp::{from_millis, millis};

#[derive(Default)]
pub(crate) struct Hub {
    bus: RwLock<Option<Arc<dyn EventBus>>>,
    listeners: Mutex<Vec<Weak<Listener>>>,
    /// The calls that wait for an answer, by scope and id of the question, and what the call itself knows it by.
    questions: Mutex<Questions>,
    /// The tasks that run here.
    tasks: Mutex<HashMap<Box<str>, RunningTask>>,
    elsewhere: Mutex<HashMap<Box<str>, Told>>,
}

type Questions = HashMap<(Box<str>, Box<str>), (WeakContext, String)>;

/// How a task that runs here is reached.
#[derive(Clone, Debug)]
pub(crate) struct RunningTask {
    pub(crate) call: WeakContext,
    pub(crate) cancel: CancellationToken,
    /// Something was answered.
    pub(crate) answered: Arc<Notify>,
    /// The credential that lets it go on.
    pub(crate) vouched: watch::Sender<Arc<Watch>>,
}

/// That an owner of a task that runs elsewhere came by is told again after so long: a bus may drop events.
const AGAIN: Duration = Duration::from_secs(10);

/// So many tasks that run elsewhere are remembered for that.
const MOST_ELSEWHERE: usize = 1024;

/// What was told of a task that runs elsewhere, and when.
type Told = (Option<SystemTime>, Instant);

/// A question that waits for its answer, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Waiting {
    hub: Arc<Hub>,
    place: (Box<str>, Box<str>),
}

impl Hub {
    /// Brings its events to all instances by this bus.
    pub(crate) fn use_bus(&self, bus: Arc<dyn EventBus>) {
        *self.bus.write().unwrap_or_else(PoisonError::into_inner) = Some(bus);
    }

    /// Takes the events that the bus brings, if there is one.
    pub(crate) fn attach(self: &Arc<Self>) {
        let bus = self.bus.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(bus) = bus {
            let hub = Arc::downgrade(self);
            bus.attach(Box::new(move |event| {
                if let Some(hub) = hub.upgrade() {
                    hub.deliver(event);
                }
            }));
        }
    }

    pub(crate) fn publish(&self, event: Event) {
        let bus = self.bus.read().unwrap_or_else(PoisonError::into_inner).clone();
        match bus {
            Some(bus) => bus.publish(event),
            None => self.deliver(event),
        }
    }

    fn deliver(&self, event: Event) {
        match event {
            Event::Answered { scope, key, answer, is_error } => {
                if let Some(outcome) = AnswerOutcome::read(&answer, is_error) {
                    self.answer_here(&scope, &key, outcome);
                }
            }
            Event::TaskCancelled { id } => {
                self.cancel_task_here(&id);
            }
            Event::TaskVouched { id, until } => {
                let until = until.map(from_millis);
                if let Some(task) = self.task_here(&id).filter(|task| task.vouched.borrow().is_outlasted_by(until)) {
                    task.vouched.send_replace(Arc::new(Watch::lasting(until)));
                }
            }
            Event::TaskChanged { id, state } => {
                let state = state.into();
                self.listening().iter().for_each(|listener| listener.offer_task(&id, &state));
            }
            other => self.listening().iter().for_each(|listener| listener.offer(&other)),
        }
    }

    /// Those who listen now. They are woken outside of the lock: whoever wakes may come back here.
    fn listening(&self) -> Vec<Arc<Listener>> {
        self.lock_listeners().iter().filter_map(Weak::upgrade).collect()
    }

    fn lock_listeners(&self) -> MutexGuard<'_, Vec<Weak<Listener>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the listener hears of what happens.
    pub(crate) fn listen(&self, listener: &Arc<Listener>) {
        let mut listeners = self.lock_listeners();
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(Arc::downgrade(listener));
    }

    // ------------------------------------------------------------------------------------------ answers

    /// From now on an answer of this scope and id is the call's, for the question with its key.
    pub(crate) fn wait(self: &Arc<Self>, scope: &str, id: &str, call: WeakContext, key: &str) -> Waiting {
        let place = (Box::from(scope), Box::from(id));
        self.lock_questions().insert(place.clone(), (call, key.to_owned()));
        Waiting { hub: Arc::clone(self), place }
    }

    /// Hands an answer, JSON text of a result or of an error, to the call that waits for it, wherever it runs.
    pub(crate) fn answer(&self, scope: &str, id: &str, answer: &str, is_error: bool) {
        let outcome = AnswerOutcome::read(answer, is_error);
        if outcome.is_some_and(|outcome| self.answer_here(scope, id, outcome)) {
            return;
        }
        if self.bus.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            let (scope, key, answer) = (scope.to_owned(), id.to_owned(), answer.to_owned());
            self.publish(Event::Answered { scope, key, answer, is_error });
        }
    }

    fn answer_here(&self, scope: &str, id: &str, outcome: AnswerOutcome) -> bool {
        let waiting = self.lock_questions().get(&(Box::from(scope), Box::from(id))).cloned();
        let Some((call, key)) = waiting else { return false };
        let delivered = call.upgrade().is_some_and(|call| call.asking().deliver(&key, outcome));
        // What nobody waits for changes nothing that would have to be written down and told.
        if delivered && let Some(task) = self.task_here(scope) {
            task.answered.notify_one();
        }
        delivered
    }

    fn lock_questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ------------------------------------------------------------------------------------------ tasks

    pub(crate) fn task_runs(&self, id: &str, task: RunningTask) {
        self.lock_tasks().insert(id.into(), task);
    }

    pub(crate) fn task_ended(&self, id: &str) {
        self.lock_tasks().remove(id);
    }

    /// The task, if it runs here.
    pub(crate) fn task_here(&self, id: &str) -> Option<RunningTask> {
        self.lock_tasks().get(id).cloned()
    }

    /// Ends a task, wherever it runs.
    pub(crate) fn cancel_task(&self, id: &str) {
        if !self.cancel_task_here(id) && self.bus.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.publish(Event::TaskCancelled { id: id.to_owned() });
        }
    }

    fn cancel_task_here(&self, id: &str) -> bool {
        let running = self.task_here(id);
        running.is_some_and(|task| {
            task.cancel.cancel();
            true
        })
    }

    /// Tells the instance that runs this task that its owner came with a credential of this end.
    pub(crate) fn vouch_elsewhere(&self, id: &str, until: Option<SystemTime>) {
        if self.bus.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            return;
        }
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = |(told, at): &Told| *told == until && at.elapsed() < AGAIN;
        if elsewhere.get(id).is_some_and(is_told) {
            return;
        }
        if elsewhere.len() >= MOST_ELSEWHERE {
            elsewhere.retain(|_, (_, at)| at.elapsed() < AGAIN);
        }
        if elsewhere.len() < MOST_ELSEWHERE {
            elsewhere.insert(id.into(), (until, Instant::now()));
        }
        drop(elsewhere);
        self.publish(Event::TaskVouched { id: id.to_owned(), until: until.map(millis) });
    }

    fn lock_tasks(&self) -> MutexGuard<'_, HashMap<Box<str>, RunningTask>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.hub.lock_questions().remove(&self.place);
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("listeners", &self.lock_listeners().len()).finish_non_exhaustive()
    }
}

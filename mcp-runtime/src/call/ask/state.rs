//! What one call asked, was answered, and did in steps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use mcp_auth::digest;
use serde_json::value::RawValue;

use super::round::Round;
use super::{AskError, MAX_ROUNDS};

/// So many questions may be open at the same time.
const MOST_OPEN: usize = 32;

/// So many questions may a call have over all its rounds, and so many steps.
const MOST_EVER: usize = 256;

/// Names a question: what it is, what it says, and which of its like it is.
pub(crate) type Digest = [u8; 32];

/// How questions reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They do not, and why.
    Closed(&'static str),
    /// As the call's answer; the call is then made again.
    Rounds,
    /// By messages, while the function waits.
    Live,
}

/// How a question ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Result(Box<RawValue>),
    Error { code: i64, message: String },
}

impl Outcome {
    /// From what a client sent: JSON text of a result or of an error.
    pub(crate) fn read(text: &str, is_error: bool) -> Option<Self> {
        if !is_error {
            return RawValue::from_string(text.to_owned()).ok().map(Self::Result);
        }
        #[derive(serde::Deserialize)]
        struct Refused {
            #[serde(default)]
            code: i64,
            #[serde(default)]
            message: String,
        }
        // One that can not be read is still an end: whoever waits for it would wait in vain.
        let unreadable = |_| Refused { code: -32603, message: "its error can not be read".to_owned() };
        let Refused { code, message } = serde_json::from_str(text).unwrap_or_else(unreadable);
        Some(Self::Error { code, message: crate::excerpt::excerpt(&message, 200) })
    }
}

/// A question, as the client gets it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Names it among those of its call; never used for another one.
    pub(crate) key: String,
    pub(crate) digest: Digest,
    pub(crate) method: &'static str,
    /// JSON text of an object. Its members have an order, that of a form's fields.
    pub(crate) params: String,
}

/// What the driver shall do after a poll.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send this to the client, and go on.
    Question(Asked),
    /// Answer with these, and drop the function.
    Round(Vec<Asked>),
    /// Go on as a task.
    Task,
    /// Let go of the connection; the client comes back after so long.
    CloseStream(Duration),
}

#[derive(Debug)]
pub(crate) struct Asking {
    state: Mutex<State>,
    /// Did the call become a task?
    is_task: AtomicBool,
}

#[derive(Debug)]
struct State {
    way: Way,
    /// How large the state may become that travels with the client.
    limit: usize,
    /// The round before this one left these behind.
    round: Round,
    /// What was asked in this run, without its number among its like.
    seen: Vec<Digest>,
    open: Vec<Open>,
    steps_seen: Vec<String>,
    running_steps: usize,
    wants_task: bool,
    close_stream: Option<Duration>,
    /// Waits for the call to become a task.
    begins: Option<Waker>,
}

#[derive(Debug)]
struct Open {
    asked: Asked,
    /// Was it sent?
    told: bool,
    waker: Waker,
}

impl Asking {
    pub(crate) fn new(way: Way, round: Round, limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                way,
                limit,
                round,
                seen: Vec::new(),
                open: Vec::new(),
                steps_seen: Vec::new(),
                running_steps: 0,
                wants_task: false,
                close_stream: None,
                begins: None,
            }),
            is_task: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a question its number among its like.
    pub(super) fn register(&self, question: Digest) -> Result<Digest, AskError> {
        let mut state = self.lock();
        if state.seen.len() >= MOST_EVER {
            return Err(AskError::TooMany("a call asks at most 256 questions"));
        }
        let like = state.seen.iter().filter(|seen| **seen == question).count() as u64;
        state.seen.push(question);
        Ok(digest([question.as_slice(), &like.to_le_bytes()]))
    }

    /// What was answered to this question. It is asked for once where no further round will ask: answers can be large.
    pub(super) fn answer(&self, question: &Digest) -> Option<Outcome> {
        let mut state = self.lock();
        let answer = state.round.answer(question)?;
        if state.way == Way::Live {
            state.round.forget(question);
        }
        Some(answer)
    }

    /// Takes an answer that came before the question, if there is one of this key.
    pub(super) fn answer_early(&self, key: &str, question: &Digest) {
        let mut state = self.lock();
        if let Some(answer) = state.round.take_early(key) {
            state.round.answered(*question, Outcome::Result(answer));
        }
    }

    pub(super) fn way(&self) -> Way {
        self.lock().way
    }

    /// An answer that does not fit is none.
    pub(super) fn forget_answer(&self, question: &Digest) {
        self.lock().round.forget(question);
    }

    /// Asks, unless it is being asked already.
    pub(super) fn open(&self, asked: impl FnOnce() -> Asked, question: &Digest, waker: &Waker) -> Result<(), AskError> {
        let mut state = self.lock();
        if let Some(open) = state.open.iter_mut().find(|open| open.asked.digest == *question) {
            open.waker.clone_from(waker);
            return Ok(());
        }
        if state.open.len() >= MOST_OPEN {
            return Err(AskError::TooMany("at most 32 questions may be open at the same time"));
        }
        let mut asked = asked();
        asked.key = state.round.key_for(&asked.key, question);
        state.open.push(Open { asked, told: false, waker: waker.clone() });
        Ok(())
    }

    /// The function no longer waits for it.
    pub(super) fn withdraw(&self, question: &Digest) {
        self.lock().open.retain(|open| open.asked.digest != *question);
    }

    /// What the client answered, in a conversation that goes on; false where nothing of this key is asked.
    pub(crate) fn deliver(&self, key: &str, outcome: Outcome) -> bool {
        let mut state = self.lock();
        let Some(index) = state.open.iter().position(|open| open.asked.key == key && open.told) else { return false };
        let Open { asked, waker, .. } = state.open.remove(index);
        state.round.answered(asked.digest, outcome);
        drop(state);
        waker.wake();
        true
    }

    /// The questions that were sent and not answered.
    pub(crate) fn unanswered(&self) -> Vec<Asked> {
        self.lock().open.iter().filter(|open| open.told).map(|open| open.asked.clone()).collect()
    }

    /// What the last poll of the function, which did not end it, asks of the driver.
    pub(crate) fn next(&self) -> Option<Next> {
        let mut state = self.lock();
        if let Some(retry) = state.close_stream.take() {
            return Some(Next::CloseStream(retry));
        }
        match state.way {
            Way::Rounds if state.wants_task => Some(Next::Task),
            Way::Rounds if state.open.is_empty() || state.running_steps > 0 => None,
            Way::Rounds => {
                let asked: Vec<Asked> = state.open.drain(..).map(|open| open.asked).collect();
                state.round.asks(&asked);
                Some(Next::Round(asked))
            }
            Way::Live => {
                let open = state.open.iter_mut().find(|open| !open.told)?;
                open.told = true;
                Some(Next::Question(open.asked.clone()))
            }
            Way::Closed(_) => None,
        }
    }

    /// What the next round must know, as JSON text; an error that says so where it is too much.
    pub(crate) fn carried(&self) -> Result<String, String> {
        let state = self.lock();
        if state.round.count() > MAX_ROUNDS {
            return Err(format!("The call asked more than {MAX_ROUNDS} rounds of questions."));
        }
        let carried = state.round.carried();
        if carried.len() > state.limit {
            return Err(format!(
                "The answers and steps of this call have {} bytes, more than the {} that may travel with it.",
                carried.len(),
                state.limit
            ));
        }
        Ok(carried)
    }

    /// The same through all rounds of one call.
    pub(crate) fn call_key(&self) -> String {
        self.lock().round.call_key()
    }

    // ------------------------------------------------------------------------------------------ tasks and streams

    /// Asks the driver to go on as a task; true once it does.
    pub(crate) fn begin_task(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        if state.way != Way::Rounds {
            return true;
        }
        state.wants_task = true;
        state.begins = Some(waker.clone());
        false
    }

    /// From now on the call is a task, whose questions are answered while it runs.
    pub(crate) fn is_task_now(&self) {
        let mut state = self.lock();
        state.way = Way::Live;
        self.is_task.store(true, Ordering::Relaxed);
        state.wants_task = false;
        let waiting = state.begins.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub(crate) fn is_task(&self) -> bool {
        self.is_task.load(Ordering::Relaxed)
    }

    pub(crate) fn close_stream(&self, retry: Duration) {
        self.lock().close_stream = Some(retry);
    }

    // ------------------------------------------------------------------------------------------ steps

    /// Begins a step; gives its value if it was completed in an earlier round.
    pub(super) fn begin_step(&self, name: &str) -> Result<Option<Box<RawValue>>, String> {
        let mut state = self.lock();
        if state.steps_seen.iter().any(|seen| seen == name) {
            return Err(format!("the step `{name}` is there twice in one call: give each step a name of its own"));
        }
        if state.steps_seen.len() >= MOST_EVER {
            return Err(format!("a call has at most {MOST_EVER} steps"));
        }
        state.steps_seen.push(name.to_owned());
        let known = state.round.step(name);
        state.running_steps += usize::from(known.is_none());
        Ok(known)
    }

    /// A step ended, with the value that is to be remembered, or without one.
    pub(super) fn end_step(&self, name: &str, value: Option<Box<RawValue>>) -> Result<(), String> {
        let mut state = self.lock();
        state.running_steps -= 1;
        let Some(value) = value else { return Ok(()) };
        let bytes = value.get().len();
        state.round.completed(name, value);
        let (all, limit) = (state.round.size(), state.limit);
        if all > limit {
            return Err(format!(
                "the value of the step `{name}` has {bytes} bytes, and all that a call carries may have {limit}: keep less, or \
                 keep it in a store of yours under `ctx.call_key()`"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_later_rounds_only() {
        for (way, again) in [(Way::Live, false), (Way::Rounds, true)] {
            let asking = Asking::new(way, Round::default(), usize::MAX);
            let answered = || Outcome::read("{}", false).expect("an answer");
            asking.lock().round.answered([1; 32], answered());
            assert!(asking.answer(&[1; 32]).is_some());
            assert_eq!(asking.answer(&[1; 32]).is_some(), again, "{way:?}");
        }
    }

    #[test]
    fn a_call_asks_fifty_rounds_and_no_more() {
        let asking = Asking::new(Way::Rounds, Round::default(), usize::MAX);
        for _ in 0..MAX_ROUNDS {
            asking.lock().round.asks(&[]);
            assert!(asking.carried().is_ok());
        }
        asking.lock().round.asks(&[]);
        assert_eq!(asking.carried().expect_err("too many"), "The call asked more than 50 rounds of questions.");
    }
}

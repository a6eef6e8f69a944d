//! One client's ear: what it wants to hear of, and what it was not yet told.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use mcp_auth::Principal;

use super::bus::Event;

/// So many resources may wait to be told of. A listener that falls behind further loses its stream, or one that can not ask anew
/// hears of what it asked for in place of what is below it.
const MOST_PENDING: usize = 256;

/// So many bytes may the resources have together that one listener asks for.
pub(crate) const MOST_ASKED_BYTES: usize = 64 * 1024;

/// What a listener wants to hear of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interests {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    /// Of these, and of those below them.
    pub(crate) uris: Vec<String>,
    pub(crate) tasks: Vec<String>,
    /// Can it not ask anew, since it is a legacy session or pipe?
    pub(crate) lasts: bool,
}

impl Interests {
    /// What a legacy session or pipe hears of without asking: all lists, where the server tells of them.
    pub(crate) fn of_session(lists: bool) -> Self {
        Self { tools: lists, prompts: lists, resources: lists, lasts: true, ..Self::default() }
    }
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    ToolsChanged,
    PromptsChanged,
    ResourcesChanged,
    ResourceUpdated(String),
    /// The members of the task's JSON object.
    TaskChanged(Arc<str>),
    /// It fell too far behind: there is no telling what it missed.
    Lost,
}

#[derive(Debug, Default)]
pub(crate) struct Listener(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    interests: Interests,
    tools: Changed,
    prompts: Changed,
    resources: Changed,
    updated: Vec<String>,
    /// The latest state of each. It may have a whole result in it, and others listen as well.
    changed: Vec<(String, Arc<str>)>,
    /// Does what waits stand for what is below it as well?
    coarse: bool,
    lost: bool,
    waker: Option<Waker>,
}

/// That a list is another, for whom. One listener may be of a session, whose streams show different scopes.
#[derive(Debug, Default)]
struct Changed {
    for_all: bool,
    /// For those who were granted all scopes of one of these.
    for_some: Vec<Vec<String>>,
}

impl Changed {
    fn note(&mut self, scopes: &[String]) {
        if scopes.is_empty() {
            self.for_all = true;
        } else if !self.for_some.iter().any(|known| known == scopes) {
            self.for_some.push(scopes.to_vec());
        }
    }

    /// Is there anything for this one? From now on, no longer.
    fn take(&mut self, principal: Option<&Principal>) -> bool {
        let Self { for_all, for_some } = std::mem::take(self);
        let is_granted = |scopes: &Vec<String>| {
            principal.is_some_and(|principal| scopes.iter().all(|scope| principal.granted().grants(scope)))
        };
        for_all || for_some.iter().any(is_granted)
    }
}

impl Listener {
    pub(crate) fn new(interests: Interests) -> Self {
        Self(Mutex::new(State { interests, ..State::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a resource to what it wants to hear of; false if there is no room for another.
    pub(crate) fn subscribe(&self, uri: &str, most: usize) -> bool {
        let mut state = self.lock();
        if state.interests.uris.iter().any(|known| known == uri) {
            return true;
        }
        let bytes: usize = state.interests.uris.iter().map(String::len).sum();
        let has_room = state.interests.uris.len() < most && bytes + uri.len() <= MOST_ASKED_BYTES;
        if has_room {
            state.interests.uris.push(uri.to_owned());
        }
        has_room
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        let mut state = self.lock();
        state.interests.uris.retain(|known| known != uri);
        state.updated.retain(|updated| updated != uri);
    }

    pub(super) fn offer(&self, event: &Event) {
        self.note(|state| state.take_note(event));
    }

    /// That a task is in another state.
    pub(super) fn offer_task(&self, id: &str, state: &Arc<str>) {
        self.note(|own| own.task_changed(id, state));
    }

    fn note(&self, take: impl FnOnce(&mut State) -> bool) {
        let mut state = self.lock();
        if !take(&mut state) {
            return;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next thing to tell it, where this caller listens.
    pub(crate) async fn next(&self, principal: Option<&Principal>) -> Heard {
        poll_fn(|cx| self.poll_next(principal, cx.waker())).await
    }

    fn poll_next(&self, principal: Option<&Principal>, waker: &Waker) -> Poll<Heard> {
        let mut state = self.lock();
        match state.next(principal) {
            Some(heard) => Poll::Ready(heard),
            None => {
                let before = state.waker.replace(waker.clone());
                drop(state);
                // A session's stream and the one in its place may both ask for a moment: neither may sleep for good.
                if let Some(before) = before.filter(|before| !before.will_wake(waker)) {
                    before.wake();
                }
                Poll::Pending
            }
        }
    }
}

impl State {
    /// Is there something new to tell?
    fn take_note(&mut self, event: &Event) -> bool {
        match event {
            Event::ToolsChanged { scopes } if self.interests.tools => self.tools.note(scopes),
            Event::PromptsChanged { scopes } if self.interests.prompts => self.prompts.note(scopes),
            Event::ResourcesChanged { scopes } if self.interests.resources => self.resources.note(scopes),
            Event::ResourceUpdated { uri } => return self.updated(uri),
            _ => return false,
        }
        true
    }

    fn task_changed(&mut self, id: &str, state: &Arc<str>) -> bool {
        if !self.interests.tasks.iter().any(|own| own == id) {
            return false;
        }
        match self.changed.iter_mut().find(|(known, _)| known == id) {
            Some((_, latest)) => latest.clone_from(state),
            None => self.changed.push((id.to_owned(), Arc::clone(state))),
        }
        true
    }

    fn updated(&mut self, uri: &String) -> bool {
        let Some(of) = self.interests.uris.iter().find(|of| is_within(uri, of)) else { return false };
        if self.updated.contains(uri) || self.coarse && self.updated.contains(of) {
            return false;
        }
        if self.updated.len() < MOST_PENDING {
            self.updated.push(uri.clone());
        } else if self.interests.lasts {
            self.updated.clone_from(&self.interests.uris);
            self.coarse = true;
        } else {
            self.lost = true;
        }
        true
    }

    fn next(&mut self, principal: Option<&Principal>) -> Option<Heard> {
        if self.lost {
            return Some(Heard::Lost);
        }
        if self.tools.take(principal) {
            return Some(Heard::ToolsChanged);
        }
        if self.prompts.take(principal) {
            return Some(Heard::PromptsChanged);
        }
        if self.resources.take(principal) {
            return Some(Heard::ResourcesChanged);
        }
        if !self.updated.is_empty() {
            let next = self.updated.remove(0);
            self.coarse &= !self.updated.is_empty();
            return Some(Heard::ResourceUpdated(next));
        }
        (!self.changed.is_empty()).then(|| Heard::TaskChanged(self.changed.remove(0).1))
    }
}

/// Is `uri` the resource `of`, or below it?
fn is_within(uri: &str, of: &str) -> bool {
    uri.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || of.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn updated(uri: &str) -> Event {
        Event::ResourceUpdated { uri: uri.to_owned() }
    }

    const TOOLS: Event = Event::ToolsChanged { scopes: Vec::new() };
    const PROMPTS: Event = Event::PromptsChanged { scopes: Vec::new() };
    const RESOURCES: Event = Event::ResourcesChanged { scopes: Vec::new() };

    fn told(listener: &Listener) -> Vec<Heard> {
        let mut all = Vec::new();
        while let Poll::Ready(heard) = listener.poll_next(None, Waker::noop()) {
            let lost = heard == Heard::Lost;
            all.push(heard);
            if lost {
                break;
            }
        }
        all
    }

    #[test]
    fn what_a_listener_asks_for_has_few_bytes() {
        let listener = Listener::default();
        let uri = |number: usize| format!("a://{number}/{}", "x".repeat(MOST_ASKED_BYTES / 4));
        let taken: Vec<bool> = (0..5).map(|number| listener.subscribe(&uri(number), 256)).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        listener.unsubscribe(&uri(0));
        assert!(listener.subscribe(&uri(4), 256));
    }

    #[test]
    fn one_that_lasts_hears_of_the_whole_in_place_of_too_many_parts() {
        let interests = Interests { uris: vec!["a://x".into(), "b://y".into()], lasts: true, ..Interests::default() };
        let listener = Listener::new(interests);
        for part in 0..1000 {
            listener.offer(&updated(&format!("a://x/{part}")));
        }
        assert_eq!(told(&listener), [Heard::ResourceUpdated("a://x".into()), Heard::ResourceUpdated("b://y".into())]);
        listener.offer(&updated("a://x/1"));
        assert_eq!(told(&listener), [Heard::ResourceUpdated("a://x/1".into())]);
    }

    #[test]
    fn a_listener_hears_of_what_it_asked_for_once() {
        let interests = Interests { tools: true, uris: vec!["a://x".into()], tasks: vec!["t".into()], ..Interests::default() };
        let listener = Listener::new(interests);
        for event in [TOOLS, TOOLS, PROMPTS, RESOURCES] {
            listener.offer(&event);
        }
        for uri in ["a://x", "a://x", "a://x/y", "a://xy", "a://"] {
            listener.offer(&updated(uri));
        }
        for (id, state) in [("t", "1"), ("u", "2"), ("t", "3")] {
            listener.offer_task(id, &state.into());
        }
        let expected = [
            Heard::ToolsChanged,
            Heard::ResourceUpdated("a://x".into()),
            Heard::ResourceUpdated("a://x/y".into()),
            Heard::TaskChanged("3".into()),
        ];
        assert_eq!(told(&listener), expected);
        listener.unsubscribe("a://x");
        listener.offer(&updated("a://x"));
        assert_eq!(told(&listener), []);
    }

    #[test]
    fn what_is_hidden_is_told_to_those_who_may_see_it() {
        let listener = || Listener::new(Interests { tools: true, prompts: true, ..Interests::default() });
        let hidden = |scopes: &[&str]| Event::ToolsChanged { scopes: scopes.iter().map(ToString::to_string).collect() };
        let hears = |events: &[Event], principal: Option<&Principal>| {
            let listener = listener();
            events.iter().for_each(|event| listener.offer(event));
            listener.poll_next(principal, Waker::noop()).is_ready()
        };
        let [one, both] = [vec!["a"], vec!["a", "b"]].map(|scopes| Principal::user("u").scopes(scopes));
        for (events, of_nobody, of_one, of_both) in [
            (vec![hidden(&["a"])], false, true, true),
            (vec![hidden(&["a", "b"])], false, false, true),
            (vec![hidden(&["b"]), hidden(&["a"])], false, true, true),
            (vec![hidden(&["c"])], false, false, false),
            (vec![hidden(&["c"]), TOOLS], true, true, true),
        ] {
            let heard = [hears(&events, None), hears(&events, Some(&one)), hears(&events, Some(&both))];
            assert_eq!(heard, [of_nobody, of_one, of_both], "{events:?}");
        }
        // What was not for who listened then is not kept for who listens later in its place.
        let listener = listener();
        listener.offer(&hidden(&["b"]));
        assert!(listener.poll_next(Some(&one), Waker::noop()).is_pending());
        assert!(listener.poll_next(Some(&both), Waker::noop()).is_pending());
    }

    #[test]
    fn who_asks_in_anothers_place_wakes_it() {
        struct Woken(AtomicUsize);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let listener = Listener::new(Interests { tools: true, ..Interests::default() });
        let [first, second] = [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
        let [to_first, to_second] = [&first, &second].map(|woken| Waker::from(Arc::clone(woken)));
        assert!(listener.poll_next(None, &to_second).is_pending() && listener.poll_next(None, &to_second).is_pending());
        assert_eq!(second.0.load(Ordering::Relaxed), 0);
        // The one that is replaced asks once more; the one in its place must ask again, or it never hears anything.
        assert!(listener.poll_next(None, &to_first).is_pending());
        assert_eq!(second.0.load(Ordering::Relaxed), 1);
        assert!(listener.poll_next(None, &to_second).is_pending());
        listener.offer(&TOOLS);
        assert_eq!(second.0.load(Ordering::Relaxed), 2);
        assert_eq!(listener.poll_next(None, &to_second), Poll::Ready(Heard::ToolsChanged));
    }

    #[test]
    fn those_who_listen_to_a_task_share_its_state() {
        let interests = Interests { tasks: vec!["t".into()], ..Interests::default() };
        let (first, second) = (Listener::new(interests.clone()), Listener::new(interests));
        let state: Arc<str> = "1".into();
        [&first, &second].into_iter().for_each(|listener| listener.offer_task("t", &state));
        assert_eq!(Arc::strong_count(&state), 3);
        assert_eq!(told(&first), told(&second));
    }

    #[test]
    fn who_falls_too_far_behind_is_told_that_it_lost_something() {
        let listener = Listener::new(Interests { uris: vec!["a://".into()], ..Interests::default() });
        (0..MOST_PENDING + 1).for_each(|number| listener.offer(&updated(&format!("a://{number}"))));
        assert_eq!(told(&listener), [Heard::Lost]);
        assert!(listener.subscribe("b://", 2) && listener.subscribe("b://", 2) && !listener.subscribe("c://", 2));
    }
}

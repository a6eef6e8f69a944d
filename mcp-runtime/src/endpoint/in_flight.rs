//! Requests that their clients may cancel by naming their id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::session::SessionKey;

/// Within what an id is a client's own. Never the whole server: ids of different clients are the same all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Session(SessionKey),
    Pipe,
}

/// Each call is hashed twice, and these keys are random: a third of one tells it from all others.
impl Hash for Scope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self::Session(key) = self else { return };
        if let Some(random) = key.first_chunk() {
            state.write_u64(u64::from_ne_bytes(*random));
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<Key, Running>>);

/// Calls with one id, which a well-behaved client has one of.
#[derive(Debug)]
struct Running {
    cancelled: CancellationToken,
    count: usize,
}

/// The id as JSON text: `1` and `"1"` are two.
type Key = (Scope, Arc<str>);

/// A call's entry, for as long as the call runs.
#[derive(Debug)]
pub(crate) struct Registration {
    among: Arc<InFlight>,
    key: Key,
    pub(crate) cancelled: CancellationToken,
}

/// Resolves when the client has cancelled it; never where it has no entry.
pub(crate) async fn cancelled(registration: Option<&Registration>) {
    match registration {
        Some(registration) => registration.cancelled.cancelled().await,
        None => std::future::pending().await,
    }
}

impl InFlight {
    /// Clients that use an id twice at once are wrong, but each call still gets an answer of its own.
    pub(crate) fn register(self: &Arc<Self>, scope: Scope, id: Arc<str>) -> Registration {
        let key = (scope, id);
        let mut calls = self.lock();
        let running = calls.entry(key.clone()).or_insert_with(Running::none);
        if running.cancelled.is_cancelled() {
            // That was about those before this one.
            running.cancelled = CancellationToken::new();
        }
        running.count += 1;
        let cancelled = running.cancelled.clone();
        drop(calls);
        Registration { among: Arc::clone(self), key, cancelled }
    }

    /// Cancels what runs under this id; false if nothing does.
    pub(crate) fn cancel(&self, scope: Scope, id: &str) -> bool {
        let cancelled = self.lock().get(&(scope, Arc::from(id))).map(|running| running.cancelled.clone());
        cancelled.map(|cancelled| cancelled.cancel()).is_some()
    }

    /// Cancels all that runs within this scope.
    pub(crate) fn cancel_all(&self, scope: Scope) {
        let calls = self.lock();
        let of_scope = calls.iter().filter(|((within, _), _)| *within == scope);
        let cancelled: Vec<_> = of_scope.map(|(_, running)| running.cancelled.clone()).collect();
        drop(calls);
        cancelled.iter().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn none() -> Self {
        Self { cancelled: CancellationToken::new(), count: 0 }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut calls = self.among.lock();
        let Entry::Occupied(mut running) = calls.entry(self.key.clone()) else { return };
        running.get_mut().count -= 1;
        if running.get().count == 0 {
            running.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_cancelled_within_its_scope_and_forgotten_with_its_call() {
        let calls = Arc::new(InFlight::default());
        let (here, there) = (Scope::Session([1; 24]), Scope::Session([2; 24]));
        let (one, same, other) =
            (calls.register(here, "1".into()), calls.register(here, "1".into()), calls.register(there, "1".into()));
        let text = calls.register(here, "\"1\"".into());
        assert!(!calls.cancel(Scope::Pipe, "1") && !calls.cancel(here, "2"));
        assert!(calls.cancel(here, "1"));
        assert!(one.cancelled.is_cancelled() && same.cancelled.is_cancelled());
        assert!(!other.cancelled.is_cancelled() && !text.cancelled.is_cancelled());
        calls.cancel_all(there);
        assert!(other.cancelled.is_cancelled() && !text.cancelled.is_cancelled());
        drop(one);
        assert!(calls.cancel(here, "1"));
        let later = calls.register(here, "1".into());
        assert!(!later.cancelled.is_cancelled() && same.cancelled.is_cancelled());
        assert!(calls.cancel(here, "1") && later.cancelled.is_cancelled());
        drop((same, other, text, later));
        assert!(!calls.cancel(here, "1") && calls.lock().is_empty());
    }
}

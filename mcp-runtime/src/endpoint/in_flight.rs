//! Requests that their clients may cancel by naming their id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::session::SessionKey;

/// Within what an id is a client's own. Never the whole server: ids of different clients are the same all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Session(SessionKey),
    Pipe,
}

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    calls: Mutex<HashMap<Key, Vec<(u64, CancellationToken)>>>,
    next: AtomicU64,
}

/// The id as JSON text: `1` and `"1"` are two.
type Key = (Scope, Arc<str>);

/// A call's entry, for as long as the call runs.
#[derive(Debug)]
pub(crate) struct Registration {
    among: Arc<InFlight>,
    key: Key,
    number: u64,
    pub(crate) cancelled: CancellationToken,
}

impl InFlight {
    /// Clients that use an id twice at once are wrong, but each call still gets an entry and an answer of its own.
    pub(crate) fn register(self: &Arc<Self>, scope: Scope, id: Arc<str>) -> Registration {
        let key = (scope, id);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cancelled = CancellationToken::new();
        self.lock().entry(key.clone()).or_default().push((number, cancelled.clone()));
        Registration { among: Arc::clone(self), key, number, cancelled }
    }

    /// Cancels what runs under this id; false if nothing does.
    pub(crate) fn cancel(&self, scope: Scope, id: &str) -> bool {
        let calls = self.lock().get(&(scope, Arc::from(id))).cloned().unwrap_or_default();
        calls.iter().for_each(|(_, cancelled)| cancelled.cancel());
        !calls.is_empty()
    }

    /// Cancels all that runs within this scope.
    pub(crate) fn cancel_all(&self, scope: Scope) {
        let calls = self.lock();
        let of_scope = calls.iter().filter(|((within, _), _)| *within == scope).flat_map(|(_, calls)| calls);
        let cancelled: Vec<_> = of_scope.map(|(_, cancelled)| cancelled.clone()).collect();
        drop(calls);
        cancelled.iter().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<(u64, CancellationToken)>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut calls = self.among.lock();
        let Some(same) = calls.get_mut(&self.key) else { return };
        same.retain(|(number, _)| *number != self.number);
        if same.is_empty() {
            calls.remove(&self.key);
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
        drop((same, other, text));
        assert!(!calls.cancel(here, "1") && calls.lock().is_empty());
    }
}

//! What a tool wants to tell its client while it works.
//!
//! No channel: the driver of the call looks here after each poll, and leaves its waker for what spawned tasks add.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Is there anything? Lets a call that reports nothing pass without a lock.
    filled: AtomicBool,
    state: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    latest: Option<Progress>,
    reached: Option<f64>,
    waker: Option<Waker>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Progress {
    pub(crate) done: f64,
    pub(crate) total: Option<f64>,
    pub(crate) message: String,
}

impl Outbox {
    pub(crate) fn progress(&self, done: f64, total: Option<f64>, message: String) {
        let mut state = self.lock();
        // Progress must grow, and JSON has no infinities.
        if !done.is_finite() || state.reached.is_some_and(|reached| done <= reached) {
            return;
        }
        state.reached = Some(done);
        state.latest = Some(Progress { done, total: total.filter(|total| total.is_finite()), message });
        self.filled.store(true, Ordering::Release);
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }

    /// Takes what is there, or leaves the waker to be woken when something comes.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Progress> {
        let mut state = self.lock();
        if state.latest.is_none() && !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        self.filled.store(false, Ordering::Release);
        state.latest.take()
    }

    /// Takes what is there once the call has ended. What spawned tasks add later, nobody takes.
    pub(crate) fn take_last(&self) -> Option<Progress> {
        if self.filled.load(Ordering::Acquire) { self.lock().latest.take() } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_grows_and_a_slow_reader_gets_the_latest() {
        let outbox = Outbox::default();
        outbox.progress(0.0, None, "a".into());
        outbox.progress(2.0, Some(f64::INFINITY), "b".into());
        outbox.progress(1.0, None, "back".into());
        outbox.progress(f64::NAN, None, "nan".into());
        let taken = outbox.take(Waker::noop()).expect("one");
        assert_eq!(taken, Progress { done: 2.0, total: None, message: "b".into() });
        assert_eq!(outbox.take(Waker::noop()), None);
        assert_eq!(outbox.take_last(), None);
    }
}

//! What a tool wants to tell its client while it works.
//!
//! No channel: the driver of the call looks here after each poll, and leaves its waker for what spawned tasks add.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::LogMessage;

/// So many log messages wait for a client that reads slowly; then the oldest give way.
const MOST_LOGS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Is there anything? Lets a call that reports nothing pass without a lock.
    filled: AtomicBool,
    state: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    logs: VecDeque<LogMessage>,
    latest: Option<Progress>,
    reached: Option<f64>,
    /// Of the tool's last report.
    total: Option<f64>,
    waker: Option<Waker>,
}

/// One thing to tell the client.
#[derive(Debug, PartialEq)]
pub(crate) enum Report {
    Log(LogMessage),
    Progress(Progress),
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
        let total = total.filter(|total| total.is_finite());
        state.reached = Some(done);
        state.total = total;
        state.latest = Some(Progress { done, total, message });
        self.wake(state);
    }

    pub(crate) fn log(&self, message: LogMessage) {
        let mut state = self.lock();
        if state.logs.len() == MOST_LOGS {
            state.logs.pop_front();
        }
        state.logs.push_back(message);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, Pending>) {
        self.filled.store(true, Ordering::Release);
        if let Some(waker) = state.waker.take() {
            drop(state);
            waker.wake();
        }
    }

    /// A report that only says that the tool is still at work. It grows, as progress must, but by so little that the tool's own
    /// next report is larger.
    pub(crate) fn heartbeat(&self) -> Progress {
        const STEP: f64 = 1.0 / (1_u64 << 40) as f64;
        let mut state = self.lock();
        let done = state.reached.map_or(0.0, |reached| reached + reached.abs().max(1.0) * STEP);
        state.reached = Some(done);
        Progress { done, total: state.total, message: String::new() }
    }

    /// Takes what is there, or leaves the waker to be woken when something comes.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Report> {
        let mut state = self.lock();
        let report = state.next(true);
        if report.is_none() && !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        self.filled.store(!state.logs.is_empty() || state.latest.is_some(), Ordering::Release);
        report
    }

    /// Takes what is there once the call has ended, progress only if it is wanted. What spawned tasks add after the last was
    /// taken, nobody takes.
    pub(crate) fn take_last(&self, progress: bool) -> Option<Report> {
        if self.filled.load(Ordering::Acquire) { self.lock().next(progress) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn next(&mut self, progress: bool) -> Option<Report> {
        let log = self.logs.pop_front().map(Report::Log);
        log.or_else(|| self.latest.take_if(|_| progress).map(Report::Progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::LogLevel;

    #[test]
    fn of_a_flood_of_logs_the_latest_are_kept_in_order() {
        let outbox = Outbox::default();
        outbox.progress(1.0, None, String::new());
        for number in 0..100 {
            outbox.log(LogMessage { level: LogLevel::Info, data: number.into() });
        }
        let mut logs = Vec::new();
        while let Some(Report::Log(message)) = outbox.take_last(false) {
            logs.push(message.data.as_u64().expect("a number"));
        }
        assert_eq!(logs, (36..100).collect::<Vec<_>>());
        assert!(matches!(outbox.take_last(true), Some(Report::Progress(_))) && outbox.take_last(true).is_none());
    }

    #[test]
    fn a_heartbeat_grows_by_less_than_the_tool_will() {
        let outbox = Outbox::default();
        let (first, second) = (outbox.heartbeat(), outbox.heartbeat());
        assert!(first.done == 0.0 && second.done > first.done && second.done < 1e-9);
        for done in [1.0, 1e6] {
            outbox.progress(done, Some(2e6), String::new());
            assert!(matches!(outbox.take(Waker::noop()), Some(Report::Progress(Progress { done: sent, .. })) if sent == done));
            let beat = outbox.heartbeat();
            assert!(beat.done > done && beat.done < done + 1e-3 && beat.total == Some(2e6), "{beat:?}");
        }
    }

    #[test]
    fn progress_grows_and_a_slow_reader_gets_the_latest() {
        let outbox = Outbox::default();
        outbox.progress(0.0, None, "a".into());
        outbox.progress(2.0, Some(f64::INFINITY), "b".into());
        outbox.progress(1.0, None, "back".into());
        outbox.progress(f64::NAN, None, "nan".into());
        let taken = outbox.take(Waker::noop()).expect("one");
        assert_eq!(taken, Report::Progress(Progress { done: 2.0, total: None, message: "b".into() }));
        assert_eq!(outbox.take(Waker::noop()), None);
        assert_eq!(outbox.take_last(true), None);
    }
}

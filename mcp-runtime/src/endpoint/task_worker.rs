//! A task at work: its questions, progress and end, written down and told.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::tasks::shown;
use super::{Endpoint, Watch};
use crate::call::{Ended, Event, Failure, Progress, Report, Running};
use crate::notify::{RunningTask, Waiting};
use crate::protocol::{Era, questions};
use crate::tasks::{StoreError, TaskPayload, TaskRecord, TaskStatus};

/// So long an instance vouches for a task, and so often it says that it still does.
pub(super) const LEASE: Duration = Duration::from_secs(30);
const RENEW: Duration = Duration::from_secs(10);

/// Progress is told at most this often: each time is a write to the store.
const TOLD: Duration = Duration::from_millis(500);

/// So many characters of a progress message are told.
const MOST_WORDS: usize = 500;

/// What a client is told of a task that ended with its credential.
const CREDENTIAL_ENDED: &str =
    "The credential that let it run has ended. A task goes on if its owner comes with a newer one in time.";

/// What carries a task on to its end.
pub(super) struct Worker {
    endpoint: Arc<Endpoint>,
    record: TaskRecord,
    reach: RunningTask,
    waiting: Vec<Waiting>,
    /// When its state was last written down.
    told: Option<Instant>,
    /// Is there progress that was not?
    untold: bool,
}

impl Worker {
    pub(super) fn new(endpoint: Arc<Endpoint>, record: TaskRecord, reach: RunningTask) -> Self {
        Self { endpoint, record, reach, waiting: Vec::new(), told: None, untold: false }
    }

    pub(super) async fn work(mut self, mut running: Running) {
        let tool = running.context().tool_name();
        let abandoned = self.endpoint.tasks.abandoned.clone();
        let cancel = self.reach.cancel.clone();
        let answered = Arc::clone(&self.reach.answered);
        let mut vouched = self.reach.vouched.subscribe();
        let mut renew = tokio::time::interval_at(Instant::now() + RENEW, RENEW);
        loop {
            let due = self.told.map_or_else(Instant::now, |told| told + TOLD);
            let stored = tokio::select! {
                // The tool comes last: one that reports without a pause must not hold up what is to be done for it.
                biased;
                () = cancel.cancelled() => {
                    tracing::info!(target: "mcp_runtime::tool", tool, "task cancelled");
                    // Its record says so already: who cancelled it wrote it.
                    break;
                }
                () = is_vouched_for_no_longer(&mut vouched) => {
                    tracing::info!(target: "mcp_runtime::tool", tool, "task cancelled: the credential of its owner has ended");
                    drop(running);
                    self.record.status = TaskStatus::Cancelled;
                    self.record.status_message = Some(CREDENTIAL_ENDED.to_owned());
                    self.record.payload = TaskPayload::None;
                    return self.store_end().await;
                }
                () = abandoned.cancelled() => {
                    self.record.lease = self.record.created_at;
                    self.record.fail_if_abandoned(SystemTime::now());
                    self.store().await;
                    break;
                }
                _ = renew.tick() => {
                    if !self.renew().await {
                        tracing::info!(target: "mcp_runtime::tool", tool, "task dropped: it has ended elsewhere, or its time is over");
                        break;
                    }
                    continue;
                }
                () = answered.notified() => {
                    self.asks(&running);
                    self.store().await
                }
                () = tokio::time::sleep_until(due), if self.untold => {
                    self.asks(&running);
                    self.store().await
                }
                event = running.next() => match event {
                    Event::Done(ended) => {
                        self.end(ended);
                        self.store_end().await;
                        break;
                    }
                    Event::Question(asked) => {
                        let id = &self.record.id;
                        let call = running.context().downgrade();
                        self.waiting.push(self.endpoint.notifier.hub().wait(id, &asked.key, call, &asked.key));
                        self.asks(&running);
                        self.store().await
                    }
                    Event::Report(Report::Progress(progress)) => {
                        self.record.status_message = in_words(progress);
                        self.untold = true;
                        tokio::task::consume_budget().await;
                        continue;
                    }
                    // A task has no log of its own, is one already, and has no stream.
                    Event::Report(Report::Log(_)) | Event::Task | Event::Round(_) | Event::CloseStream(_) => continue,
                },
            };
            if stored == Stored::Ended {
                break;
            }
        }
        drop(running);
    }

    /// Whether it waits for answers now.
    fn asks(&mut self, running: &Running) {
        let open = running.context().asking().unanswered();
        if open.is_empty() {
            (self.record.status, self.record.payload) = (TaskStatus::Working, TaskPayload::None);
        } else {
            self.record.status = TaskStatus::InputRequired;
            self.record.payload = TaskPayload::Input(questions(&open));
        }
    }

    fn end(&mut self, ended: Ended) {
        self.record.status_message = None;
        let failure = match ended {
            Ended::Tool(result) => {
                self.record.status = TaskStatus::Completed;
                self.record.payload = TaskPayload::Completed(self.endpoint.renderer.tool_result_alone(Era::V2026_07_28, &result));
                return;
            }
            Ended::Failed(failure) => failure,
            // Only tools become tasks.
            _ => Failure::Masked,
        };
        match failure {
            Failure::Rpc { code, message } => {
                // A store has no bound for errors.
                let message = message.chars().take(MOST_WORDS).collect::<String>();
                self.record.status = TaskStatus::Failed;
                self.record.status_message = Some(message.clone());
                self.record.payload = TaskPayload::Failed { code: code.into(), message };
            }
            other => {
                let result = other.into_tool_result();
                self.record.status = TaskStatus::Completed;
                self.record.payload = TaskPayload::Completed(self.endpoint.renderer.tool_result_alone(Era::V2026_07_28, &result));
            }
        }
    }

    /// Writes down how it is, and tells those who listen.
    async fn store(&mut self) -> Stored {
        (self.untold, self.told) = (false, Some(Instant::now()));
        self.record.updated_at = SystemTime::now();
        let tool = self.record.tool.as_str();
        let mut stored = self.endpoint.tasks.store.update(&self.record).await;
        if let Err(StoreError::Full { limit }) = &stored {
            tracing::warn!(target: "mcp_runtime::tool", tool, limit, "there is no room for what a task has to say");
            let message = format!("There is no room for what this task has to say: the store has room for {limit}");
            self.record.status = TaskStatus::Failed;
            self.record.status_message = Some(message.clone());
            self.record.payload = TaskPayload::Failed { code: -32603, message };
            stored = self.endpoint.tasks.store.update(&self.record).await;
        }
        match stored {
            Ok(true) => {
                self.endpoint.task_changed(&self.record);
                if self.record.status.is_final() { Stored::Ended } else { Stored::GoesOn }
            }
            // It ended elsewhere, and whoever ended it told so.
            Ok(false) => Stored::Ended,
            Err(error) => {
                tracing::error!(target: "mcp_runtime::tool", tool, error = shown(&error), "the state of a task can not be written down");
                // What it does may still succeed.
                Stored::Failed
            }
        }
    }

    /// Writes down how it ended; where the store fails, again, for about a minute.
    async fn store_end(&mut self) {
        let abandoned = self.endpoint.tasks.abandoned.clone();
        let mut pause = Duration::from_millis(100);
        while self.store().await == Stored::Failed && pause < Duration::from_secs(60) {
            tokio::select! {
                () = abandoned.cancelled() => return,
                () = tokio::time::sleep(pause) => pause *= 2,
            }
        }
    }

    /// Says that it is still at work; false if it no longer needs to be.
    async fn renew(&mut self) -> bool {
        let store = &self.endpoint.tasks.store;
        self.record.lease = SystemTime::now() + LEASE;
        if let Err(error) = store.renew(std::slice::from_ref(&self.record.id), self.record.lease).await {
            let tool = self.record.tool.as_str();
            tracing::warn!(target: "mcp_runtime::tool", tool, error = shown(&error), "the lease of a task can not be renewed");
        }
        // Without a bus, nobody tells this instance that another cancelled it.
        match store.load(&self.record.id).await {
            Ok(record) => record.is_some_and(|record| !record.status.is_final()),
            Err(_) => true,
        }
    }
}

/// Resolves when the latest credential that its owner came with has ended.
async fn is_vouched_for_no_longer(vouched: &mut watch::Receiver<Arc<Watch>>) {
    loop {
        let watch = Arc::clone(&vouched.borrow_and_update());
        tokio::select! {
            biased;
            Ok(()) = vouched.changed() => {}
            () = watch.ended() => return,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.endpoint.notifier.hub().task_ended(&self.record.id);
    }
}

/// What became of an attempt to write down how a task is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    GoesOn,
    /// It has ended, here or elsewhere.
    Ended,
    /// The store does not answer.
    Failed,
}

/// Progress as a status message.
fn in_words(progress: Progress) -> Option<String> {
    let mut text = progress.message;
    if let Some((end, _)) = text.char_indices().nth(MOST_WORDS) {
        text.truncate(end);
    }
    if let Some(total) = progress.total {
        let _ = write!(text, "{}{} of {total}", if text.is_empty() { "" } else { ": " }, progress.done);
    }
    Some(text).filter(|text| !text.is_empty())
}

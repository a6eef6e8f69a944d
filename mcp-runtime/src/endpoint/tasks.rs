//! Calls that go on as tasks (MCP extension `io.modelcontextprotocol/tasks`): begun, asked after, answered, cancelled.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_auth::Principal;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Endpoint, Later, internal};
use crate::call::{Ended, Event, Failure, Report, Running, entries, random_name};
use crate::notify::{Event as Happened, RunningTask, Waiting};
use crate::owner;
use crate::protocol::{Era, Refusal, questions};
use crate::tasks::timestamp::rfc3339;
use crate::tasks::{StoreError, TaskPayload, TaskRecord, TaskStatus, TaskStore};

/// So long an instance vouches for a task, and so often it says that it still does.
const LEASE: Duration = Duration::from_secs(30);
const RENEW: Duration = Duration::from_secs(10);

/// Progress is told at most this often: each time is a write to the store.
const TOLD: Duration = Duration::from_millis(500);

/// The tasks of this instance, and where all of them are kept.
pub(crate) struct Tasks {
    pub(crate) store: Arc<dyn TaskStore>,
    /// How long a task is kept, from when it was made.
    pub(crate) ttl: Duration,
    pub(crate) poll_interval: Duration,
    /// How long one may run, unless its tool says otherwise.
    pub(crate) timeout: Duration,
    running: TaskTracker,
    /// Cancelled when the server waits for them no longer.
    abandoned: CancellationToken,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Tasks {
    pub(crate) fn new(store: Arc<dyn TaskStore>, ttl: Duration, poll_interval: Duration, timeout: Duration) -> Self {
        Self { store, ttl, poll_interval, timeout, running: TaskTracker::new(), abandoned: CancellationToken::new() }
    }

    /// Waits until the last of them has ended.
    pub(crate) async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Ends those that still run, as failed.
    pub(crate) fn abandon(&self) -> usize {
        let left = self.running.len();
        self.abandoned.cancel();
        left
    }
}

impl Endpoint {
    /// Makes a call a task, with its tool's own limit of time if it has one; gives the members of the task's JSON object, or what
    /// to tell the client.
    pub(super) async fn begin_task(
        self: &Arc<Self>,
        mut running: Running,
        owner: Option<&Principal>,
        timeout: Option<Duration>,
    ) -> Result<String, String> {
        let tasks = &self.tasks;
        let now = SystemTime::now();
        let tool = running.context().tool_name();
        let mut record = TaskRecord::new(random_name(), owner::sealed(owner).to_vec(), tool, now, tasks.ttl);
        record.poll_interval = tasks.poll_interval;
        record.lease = now + LEASE;
        match tasks.store.create(&record).await {
            Ok(()) => {}
            Err(StoreError::Full { limit }) => {
                return Err(format!("No further task can be begun: there is room for {limit}. Wait for one to end."));
            }
            Err(error) => {
                tracing::error!(target: "mcp_runtime::tool", tool, error = shown(&error), "a task can not be kept");
                return Err("The task could not be begun.".to_owned());
            }
        }
        running.become_task((timeout.unwrap_or(tasks.timeout)).min(tasks.ttl));
        let members = members(&record, None);
        let reach = RunningTask {
            call: running.context().downgrade(),
            cancel: CancellationToken::new(),
            answered: Arc::new(Notify::new()),
        };
        self.notifier.hub().task_runs(&record.id, reach.clone());
        let worker = Worker { endpoint: Arc::clone(self), record, reach, waiting: Vec::new(), told: None };
        tasks.running.spawn(worker.work(running));
        Ok(members)
    }

    /// The task of this id, if it is this caller's.
    async fn task(&self, id: &str, owner: Option<&Principal>) -> Result<TaskRecord, Refusal> {
        let unknown = || Refusal::params("Unknown task: it is not there, has expired, or is another caller's");
        let found = self.tasks.store.load(id).await.map_err(|error| {
            tracing::error!(target: "mcp_runtime::server", error = shown(&error), "the store of tasks does not answer");
            internal("The task can not be looked up now; try again in a moment")
        })?;
        // Somebody else's task looks like none.
        found.filter(|task| task.owner == owner::sealed(owner)).ok_or_else(unknown)
    }

    /// `tasks/get`.
    pub(super) fn get_task(self: &Arc<Self>, request: &str, id: String, owner: Option<Principal>) -> Later {
        let (endpoint, request) = (Arc::clone(self), request.to_owned());
        Later::new(async move {
            let record = endpoint.task(&id, owner.as_ref()).await.map_err(|refusal| refusal.with_id(Some(&request)))?;
            let members = members(&record, endpoint.notifier.hub().task_here(&id).as_ref());
            Ok(endpoint.renderer.members(&request, Era::V2026_07_28, &members))
        })
    }

    /// `tasks/update`: answers to the task's questions. What was not asked is ignored.
    pub(super) fn update_task(
        self: &Arc<Self>,
        request: &str,
        id: String,
        responses: Option<&str>,
        owner: Option<Principal>,
    ) -> Later {
        let (endpoint, request) = (Arc::clone(self), request.to_owned());
        let responses = entries(responses);
        Later::new(async move {
            let refused = |refusal: Refusal| refusal.with_id(Some(&request));
            endpoint.task(&id, owner.as_ref()).await.map_err(refused)?;
            let responses = responses
                .map_err(|_| Refusal::params("params.inputResponses must be an object: answers by the keys of inputRequests"))
                .map_err(refused)?;
            for (key, answer) in responses {
                endpoint.notifier.hub().answer(&id, &key, answer.get(), false);
            }
            Ok(endpoint.renderer.members(&request, Era::V2026_07_28, ""))
        })
    }

    /// `tasks/cancel`; of a task that has ended as well.
    pub(super) fn cancel_task(self: &Arc<Self>, request: &str, id: String, owner: Option<Principal>) -> Later {
        let (endpoint, request) = (Arc::clone(self), request.to_owned());
        Later::new(async move {
            let refused = |refusal: Refusal| refusal.with_id(Some(&request));
            let mut record = endpoint.task(&id, owner.as_ref()).await.map_err(refused)?;
            if !record.status.is_final() {
                record.status = TaskStatus::Cancelled;
                record.status_message = Some("The client cancelled it.".to_owned());
                record.payload = TaskPayload::None;
                record.updated_at = SystemTime::now();
                // Whoever is first ends it: where it ended by itself in between, it stays so.
                match endpoint.tasks.store.update(&record).await {
                    Ok(true) => endpoint.task_changed(&record),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(target: "mcp_runtime::server", error = shown(&error), "a task can not be cancelled");
                        return Err(refused(internal("The task can not be cancelled now; try again in a moment")));
                    }
                }
                endpoint.notifier.hub().cancel_task(&id);
            }
            Ok(endpoint.renderer.members(&request, Era::V2026_07_28, ""))
        })
    }

    /// Those of these tasks that the caller may hear of.
    pub(super) async fn tasks_of(&self, ids: &[String], owner: Option<&Principal>) -> Vec<String> {
        let mut theirs = Vec::new();
        for id in ids {
            if self.task(id, owner).await.is_ok() {
                theirs.push(id.clone());
            }
        }
        theirs
    }

    fn task_changed(&self, record: &TaskRecord) {
        let reach = self.notifier.hub().task_here(&record.id);
        let state = members(record, reach.as_ref());
        self.notifier.hub().publish(Happened::TaskChanged { id: record.id.clone(), state });
    }
}

/// What carries a task on to its end.
struct Worker {
    endpoint: Arc<Endpoint>,
    record: TaskRecord,
    reach: RunningTask,
    waiting: Vec<Waiting>,
    /// When progress was last told.
    told: Option<Instant>,
}

impl Worker {
    async fn work(mut self, mut running: Running) {
        let tool = running.context().tool_name();
        let abandoned = self.endpoint.tasks.abandoned.clone();
        let cancel = self.reach.cancel.clone();
        let answered = Arc::clone(&self.reach.answered);
        let mut renew = tokio::time::interval_at(Instant::now() + RENEW, RENEW);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    tracing::info!(target: "mcp_runtime::tool", tool, "task cancelled");
                    // Its record says so already: who cancelled it wrote it.
                    break;
                }
                () = abandoned.cancelled() => {
                    self.record.lease = self.record.created_at;
                    self.record.fail_if_abandoned(SystemTime::now());
                    self.store().await;
                    break;
                }
                event = running.next() => match event {
                    Event::Done(ended) => {
                        self.end(ended);
                        self.store().await;
                        break;
                    }
                    Event::Question(asked) => {
                        let id = &self.record.id;
                        let call = running.context().downgrade();
                        self.waiting.push(self.endpoint.notifier.hub().wait(id, &asked.key, call, &asked.key));
                        self.asks(&running);
                        if !self.store().await {
                            break;
                        }
                    }
                    Event::Report(Report::Progress(progress)) => {
                        let mut text = progress.message;
                        if let Some(total) = progress.total {
                            let _ = write!(text, "{}{} of {total}", if text.is_empty() { "" } else { ": " }, progress.done);
                        }
                        self.record.status_message = Some(text).filter(|text| !text.is_empty());
                        if self.told.is_none_or(|told| told.elapsed() >= TOLD) {
                            self.told = Some(Instant::now());
                            if !self.store().await {
                                break;
                            }
                        }
                    }
                    // A task has no log of its own, is one already, and has no stream.
                    Event::Report(Report::Log(_)) | Event::Task | Event::Round(_) | Event::CloseStream(_) => {}
                },
                () = answered.notified() => {
                    self.asks(&running);
                    if !self.store().await {
                        break;
                    }
                }
                _ = renew.tick() => {
                    let ids = [self.record.id.clone()];
                    self.record.lease = SystemTime::now() + LEASE;
                    if let Err(error) = self.endpoint.tasks.store.renew(&ids, self.record.lease).await {
                        tracing::warn!(target: "mcp_runtime::tool", tool, error = shown(&error), "the lease of a task can not be renewed");
                    }
                }
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
                self.record.payload = TaskPayload::Result(self.endpoint.renderer.tool_result_alone(Era::V2026_07_28, &result));
                return;
            }
            Ended::Failed(failure) => failure,
            // Only tools become tasks.
            _ => Failure::Masked,
        };
        match failure {
            Failure::Rpc { code, message } => {
                self.record.status = TaskStatus::Failed;
                self.record.status_message = Some(message.clone());
                self.record.payload = TaskPayload::Error { code: code.into(), message };
            }
            other => {
                let result = other.into_tool_result();
                self.record.status = TaskStatus::Completed;
                self.record.payload = TaskPayload::Result(self.endpoint.renderer.tool_result_alone(Era::V2026_07_28, &result));
            }
        }
    }

    /// Writes down how it is; false if it has ended elsewhere.
    async fn store(&mut self) -> bool {
        self.record.updated_at = SystemTime::now();
        let tool = self.record.tool.as_str();
        let stored = match self.endpoint.tasks.store.update(&self.record).await {
            Err(StoreError::Full { limit }) => {
                tracing::warn!(target: "mcp_runtime::tool", tool, limit, "there is no room for what a task has to say");
                let message = format!("There is no room for what this task has to say: the store has room for {limit}");
                self.record.status = TaskStatus::Failed;
                self.record.status_message = Some(message.clone());
                self.record.payload = TaskPayload::Error { code: -32603, message };
                self.endpoint.tasks.store.update(&self.record).await.map(|_| false)
            }
            other => other,
        };
        match stored {
            Ok(stands) => {
                self.endpoint.task_changed(&self.record);
                stands
            }
            Err(error) => {
                tracing::error!(target: "mcp_runtime::tool", tool, error = shown(&error), "the state of a task can not be written down");
                // What it does may still succeed; its end is tried again.
                true
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.endpoint.notifier.hub().task_ended(&self.record.id);
    }
}

/// A task as its client reads it: the members of a JSON object. One that runs here knows best what it asks.
fn members(record: &TaskRecord, here: Option<&RunningTask>) -> String {
    let mut members = format!(r#""taskId":{}"#, Value::from(record.id.as_str()));
    let mut status = record.status;
    let mut input = match &record.payload {
        TaskPayload::Input(requests) => Some(requests.clone()),
        _ => None,
    };
    if let Some(call) = here.filter(|_| !status.is_final()).and_then(|task| task.call.upgrade()) {
        let open = call.asking().unanswered();
        status = if open.is_empty() { TaskStatus::Working } else { TaskStatus::InputRequired };
        input = (!open.is_empty()).then(|| questions(&open));
    }
    let mut member = |name: &str, json: &str| {
        let _ = write!(members, r#","{name}":{json}"#);
    };
    member("status", &format!("\"{status}\""));
    if let Some(message) = &record.status_message {
        member("statusMessage", &Value::from(message.as_str()).to_string());
    }
    member("createdAt", &format!("\"{}\"", rfc3339(record.created_at)));
    member("lastUpdatedAt", &format!("\"{}\"", rfc3339(record.updated_at)));
    member("ttlMs", &record.ttl.as_millis().to_string());
    if !status.is_final() {
        member("pollIntervalMs", &record.poll_interval.as_millis().max(1).to_string());
    }
    match (&record.payload, input) {
        (_, Some(requests)) => member("inputRequests", &requests),
        (TaskPayload::Result(result), None) => member("result", result),
        (TaskPayload::Error { code, message }, None) => {
            member("error", &format!(r#"{{"code":{code},"message":{}}}"#, Value::from(message.as_str())));
        }
        _ => {}
    }
    members
}

/// With its cause, for the log.
fn shown(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(cause) => format!("{error}: {cause}"),
        other => other.to_string(),
    }
}

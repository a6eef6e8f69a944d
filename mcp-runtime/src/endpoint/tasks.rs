//! Calls that go on as tasks (MCP extension `io.modelcontextprotocol/tasks`): begun, asked after, answered, cancelled.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use mcp_auth::Principal;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::task_worker::{LEASE, Worker};
use super::watch::end_of;
use super::{Endpoint, Head, Later, Watch, internal};
use crate::call::{Running, entries};
use crate::names::random_name;
use crate::notify::{Event as Happened, RunningTask};
use crate::owner;
use crate::protocol::{Era, Refusal, questions};
use crate::tasks::timestamp::{duration_millis, rfc3339};
use crate::tasks::{StoreError, TaskPayload, TaskRecord, TaskStatus, TaskStore};

/// So long a server that stops waits for its store of tasks.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// So often the store is rid of what is past its time to live, so many times in a row at most: each removes a bounded number.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEPS: usize = 100;

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
    pub(super) abandoned: CancellationToken,
    /// Does somebody sweep the store?
    is_swept: AtomicBool,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Tasks {
    pub(crate) fn new(store: Arc<dyn TaskStore>, ttl: Duration, poll_interval: Duration, timeout: Duration) -> Self {
        Self {
            store,
            ttl,
            poll_interval,
            timeout,
            running: TaskTracker::new(),
            abandoned: CancellationToken::new(),
            is_swept: AtomicBool::new(false),
        }
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

    async fn sweep(&self) {
        for _ in 0..SWEEPS {
            match self.store.sweep(SystemTime::now()).await {
                Ok(0) => return,
                Ok(tasks) => tracing::debug!(target: "mcp_runtime::server", tasks, "tasks removed: their time is over"),
                Err(error) => {
                    return tracing::warn!(target: "mcp_runtime::server", error = shown(&error), "the store of tasks can not be swept");
                }
            }
        }
    }

    /// Abandons them when it is dropped.
    pub(crate) fn guard(&self) -> DropGuard {
        self.abandoned.clone().drop_guard()
    }

    /// Waits until those that were abandoned have said so, unless their store does not answer.
    pub(crate) async fn said_so(&self) {
        if tokio::time::timeout(LAST_WORDS, self.ended()).await.is_err() {
            let tasks = self.running.len();
            tracing::warn!(target: "mcp_runtime::server", tasks, "the store of tasks does not answer; their end is not written down");
        }
    }
}

impl Endpoint {
    /// From the first look at a task on, what is past its time to live does not stay in the store, although no further task
    /// comes.
    fn keep_swept(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if self.tasks.is_swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (endpoint, shutdown) = (Arc::downgrade(self), self.shutdown.clone());
        runtime.spawn(async move {
            let mut every = tokio::time::interval(SWEEP);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while shutdown.run_until_cancelled(every.tick()).await.is_some() {
                let Some(endpoint) = endpoint.upgrade() else { break };
                endpoint.tasks.sweep().await;
            }
        });
    }

    /// Makes a call a task, with its tool's own limit of time if it has one; gives the members of the task's JSON object, or what
    /// to tell the client.
    pub(super) async fn begin_task(
        self: &Arc<Self>,
        mut running: Running,
        head: &Head,
        timeout: Option<Duration>,
    ) -> Result<String, String> {
        self.keep_swept();
        let owner = head.principal.as_ref();
        let tasks = &self.tasks;
        let now = SystemTime::now();
        let tool = running.context().tool_name();
        let mut record = TaskRecord::new(random_name(), owner::sealed(owner).to_vec(), tool, now, tasks.ttl);
        record.poll_interval = tasks.poll_interval;
        record.lease = now + LEASE;
        match tasks.store.create(&record).await {
            Ok(()) => {}
            Err(StoreError::Full { limit }) => {
                return Err(format!(
                    "No further task can be begun: there is room for {limit}. Each is kept until its time is over, also when it has ended."
                ));
            }
            Err(error) => {
                tracing::error!(target: "mcp_runtime::tool", tool, error = shown(&error), "a task can not be kept");
                return Err("The task could not be begun.".to_owned());
            }
        }
        running.become_task(timeout.unwrap_or(tasks.timeout).min(tasks.ttl));
        let members = members(&record, None);
        let reach = RunningTask {
            call: running.context().downgrade(),
            cancel: CancellationToken::new(),
            answered: Arc::new(Notify::new()),
            vouched: watch::Sender::new(Arc::new(Watch::over_head(self, head))),
        };
        self.notifier.hub().task_runs(&record.id, reach.clone());
        let worker = Worker::new(Arc::clone(self), record, reach);
        tasks.running.spawn(worker.work(running));
        Ok(members)
    }

    /// The task of this id, if it is this caller's.
    async fn task(self: &Arc<Self>, id: &str, owner: Option<&Principal>) -> Result<TaskRecord, Refusal> {
        self.keep_swept();
        let unknown = || Refusal::params("Unknown task: it is not there, has expired, or is another caller's");
        let found = self.tasks.store.load(id).await.map_err(|error| {
            tracing::error!(target: "mcp_runtime::server", error = shown(&error), "the store of tasks does not answer");
            internal("The task can not be looked up now; try again in a moment")
        })?;
        // Somebody else's task looks like none.
        found.filter(|task| task.owner == owner::sealed(owner)).ok_or_else(unknown)
    }

    /// The owner of a task is here: it may go on for as long as what they came with lasts, if that is longer than before.
    fn vouch(&self, task: &TaskRecord, owner: Option<&Principal>, watch: impl FnOnce() -> Arc<Watch>) {
        // What anonymous callers begin, does not end with a credential.
        let Some(owner) = owner.filter(|_| !task.status.is_final()) else { return };
        let (hub, ends_at) = (self.notifier.hub(), end_of(owner));
        match hub.task_here(&task.id) {
            Some(here) if here.vouched.borrow().is_outlasted_by(ends_at) => drop(here.vouched.send_replace(watch())),
            Some(_) => {}
            None => hub.vouch_elsewhere(&task.id, ends_at),
        }
    }

    /// `tasks/get`.
    pub(super) fn get_task(self: &Arc<Self>, request: &str, id: String, head: Head) -> Later {
        let (endpoint, request) = (Arc::clone(self), request.to_owned());
        Later::new(async move {
            let owner = head.principal.as_ref();
            let record = endpoint.task(&id, owner).await.map_err(|refusal| refusal.with_id(Some(&request)))?;
            endpoint.vouch(&record, owner, || Arc::new(Watch::over_head(&endpoint, &head)));
            let members = members(&record, endpoint.notifier.hub().task_here(&id).as_ref());
            Ok(endpoint.renderer.members(&request, Era::V2026_07_28, &members))
        })
    }

    /// `tasks/update`: answers to the task's questions. What was not asked is ignored.
    pub(super) fn update_task(self: &Arc<Self>, request: &str, id: String, responses: Option<&str>, head: Head) -> Later {
        let (endpoint, request) = (Arc::clone(self), request.to_owned());
        let responses = entries(responses);
        Later::new(async move {
            let refused = |refusal: Refusal| refusal.with_id(Some(&request));
            let record = endpoint.task(&id, head.principal.as_ref()).await.map_err(refused)?;
            endpoint.vouch(&record, head.principal.as_ref(), || Arc::new(Watch::over_head(&endpoint, &head)));
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
    pub(super) async fn tasks_of(self: &Arc<Self>, ids: &[String], owner: Option<&Principal>, watch: &Arc<Watch>) -> Vec<String> {
        let mut theirs = Vec::new();
        for id in ids {
            if let Ok(task) = self.task(id, owner).await {
                self.vouch(&task, owner, || Arc::clone(watch));
                theirs.push(id.clone());
            }
        }
        theirs
    }

    pub(super) fn task_changed(&self, record: &TaskRecord) {
        let reach = self.notifier.hub().task_here(&record.id);
        let state = members(record, reach.as_ref());
        self.notifier.hub().publish(Happened::TaskChanged { id: record.id.clone(), state });
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
    member("ttlMs", &duration_millis(record.ttl).to_string());
    if !status.is_final() {
        member("pollIntervalMs", &record.poll_interval.as_millis().max(1).to_string());
    }
    match (&record.payload, input) {
        (_, Some(requests)) => member("inputRequests", &requests),
        (TaskPayload::Completed(result), None) => member("result", result),
        (TaskPayload::Failed { code, message }, None) => {
            member("error", &format!(r#"{{"code":{code},"message":{}}}"#, Value::from(message.as_str())));
        }
        _ => {}
    }
    members
}

/// With its cause, for the log.
pub(super) fn shown(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(cause) => format!("{error}: {cause}"),
        other => other.to_string(),
    }
}

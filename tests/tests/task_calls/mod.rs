//! Clients that take tasks, what they must find in every answer, and stores that fail when a test says so.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use mcp_runtime::notify::{Deliver, Event, EventBus};
use mcp_runtime::prelude::*;
use mcp_runtime::tasks::{MemoryTasks, StoreError, StoreFuture, TaskRecord, TaskStatus, TaskStore};
use mcp_runtime::testing::{Answer, Client};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tower::ServiceExt as _;

use crate::http_call::{CAPABILITIES_KEY, HttpCall};

pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";
pub(crate) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// No test takes so long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

// ---------------------------------------------------------------------------------------------- clients

/// What a client declares that takes tasks and can ask its user.
pub(crate) fn declared() -> Value {
    json!({ "elicitation": { "form": {} }, "extensions": { TASKS: {} } })
}

/// A client of this server that takes tasks.
pub(crate) fn client(server: &Server) -> Client {
    Client::new(server).capabilities(declared())
}

/// Calls a tool that becomes a task, and returns the task's id.
pub(crate) async fn begin(client: &Client, tool: &str, arguments: Value) -> String {
    let answer = client.call(tool, arguments).await;
    begun(answer.message())
}

/// The id in an answer that must be a `CreateTaskResult`.
pub(crate) fn begun(answer: &Value) -> String {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "task", "{answer}");
    assert_eq!(result["status"], "working", "{answer}");
    assert_members(result, &["resultType", "_meta"]);
    result["taskId"].as_str().expect("an id").to_owned()
}

/// What every task has, and nothing that it must not have.
fn assert_members(task: &Value, beside: &[&str]) {
    let object = task.as_object().unwrap_or_else(|| panic!("no task: {task}"));
    let by_status = match task["status"].as_str() {
        Some("working") => ["statusMessage", "pollIntervalMs"].as_slice(),
        Some("input_required") => &["statusMessage", "pollIntervalMs", "inputRequests"],
        Some("completed") => &["statusMessage", "result"],
        Some("failed") => &["statusMessage", "error"],
        Some("cancelled") => &["statusMessage"],
        _ => panic!("no status: {task}"),
    };
    let always = ["taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs"];
    for name in object.keys().map(String::as_str) {
        assert!(always.contains(&name) || by_status.contains(&name) || beside.contains(&name), "{name} in {task}");
    }
    for name in always.iter().chain(by_status).filter(|name| **name != "statusMessage") {
        assert!(object.contains_key(*name), "no {name} in {task}");
    }
    for name in ["createdAt", "lastUpdatedAt"] {
        let time = task[name].as_str().expect("a text");
        let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00T00:00:00.000Z", "{time}");
    }
    assert!(task["createdAt"].as_str() <= task["lastUpdatedAt"].as_str(), "{task}");
    assert!(task["ttlMs"].as_u64().is_some_and(|millis| millis > 0), "{task}");
    assert!(task["pollIntervalMs"].is_null() || task["pollIntervalMs"].as_u64().is_some_and(|millis| millis > 0), "{task}");
    assert!(task["taskId"].as_str().is_some_and(|id| id.len() >= 22), "128 bits at the least: {task}");
}

/// `tasks/get`, which must find it.
pub(crate) async fn get(client: &Client, id: &str) -> Value {
    let answer = client.request("tasks/get", json!({ "taskId": id })).await;
    task(answer.message(), id)
}

/// The task in an answer to `tasks/get`.
pub(crate) fn task(answer: &Value, id: &str) -> Value {
    let result = answer["result"].clone();
    assert_eq!(result["resultType"], "complete", "{answer}");
    assert_eq!(result["taskId"], id, "{answer}");
    assert_members(&result, &["resultType", "_meta"]);
    if result["status"] == "completed" {
        assert_eq!(result["result"]["resultType"], "complete", "{answer}");
    }
    result
}

/// The task, once it has this status.
pub(crate) async fn until(client: &Client, id: &str, status: &str) -> Value {
    let waiting = async {
        loop {
            let task = get(client, id).await;
            if task["status"] == status {
                return task;
            }
            let is_final = matches!(task["status"].as_str(), Some("completed" | "failed" | "cancelled"));
            assert!(!is_final, "it will never be {status}: {task}");
            tokio::task::yield_now().await;
        }
    };
    soon(status, waiting).await
}

/// The text that a completed task's tool answered.
pub(crate) fn text(task: &Value) -> &str {
    assert_eq!(task["status"], "completed", "{task}");
    task["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {task}"))
}

/// The keys of the questions that wait, sorted.
pub(crate) fn keys(task: &Value) -> Vec<String> {
    let questions = task["inputRequests"].as_object();
    questions.map(|questions| questions.keys().cloned().collect()).unwrap_or_default()
}

pub(crate) async fn update(client: &Client, id: &str, responses: Value) {
    let answer = client.request("tasks/update", json!({ "taskId": id, "inputResponses": responses })).await;
    assert_acknowledged(&answer);
}

pub(crate) async fn cancel(client: &Client, id: &str) {
    assert_acknowledged(&client.request("tasks/cancel", json!({ "taskId": id })).await);
}

/// Nothing is in an acknowledgement but what is in every result.
fn assert_acknowledged(answer: &Answer) {
    let names: Vec<&str> = answer.result().as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["_meta", "resultType"], "{}", answer.message());
    assert_eq!(answer.result()["resultType"], "complete");
}

pub(crate) fn accept(content: Value) -> Value {
    let mut answer = json!({ "action": "accept" });
    answer["content"] = content;
    answer
}

// ---------------------------------------------------------------------------------------------- over HTTP

/// A call of a tool by a client that takes tasks.
pub(crate) fn calling(tool: &str, arguments: Value) -> HttpCall {
    HttpCall::tool(tool, arguments).meta(CAPABILITIES_KEY, declared())
}

/// `tasks/get` and its like.
pub(crate) fn asking(method: &str, id: &str) -> HttpCall {
    HttpCall::new(method, json!({ "taskId": id })).meta(CAPABILITIES_KEY, declared()).header("mcp-name", id)
}

/// `subscriptions/listen` to tasks.
pub(crate) fn listening(ids: &[&str]) -> HttpCall {
    HttpCall::new("subscriptions/listen", json!({ "notifications": { "taskIds": ids } })).meta(CAPABILITIES_KEY, declared())
}

/// A stream of events, read message by message.
pub(crate) struct Events {
    body: Body,
    read: String,
}

impl Events {
    /// Listens to these tasks, and returns the stream with those that were acknowledged.
    pub(crate) async fn of(router: &Router, call: HttpCall) -> (Self, Vec<String>) {
        let response = router.clone().oneshot(call.request()).await.expect("routers do not fail");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Self { body: response.into_body(), read: String::new() };
        let first = events.next().await;
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        let ids = first["params"]["notifications"]["taskIds"].as_array().expect("a list").iter();
        let ids = ids.map(|id| id.as_str().expect("an id").to_owned()).collect();
        (events, ids)
    }

    pub(crate) async fn next(&mut self) -> Value {
        soon("an event", async {
            loop {
                if let Some((event, rest)) = self.read.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.read = rest;
                    if let Some(data) = event.strip_prefix("data: ") {
                        return serde_json::from_str(data).expect("JSON");
                    }
                    continue;
                }
                let frame = self.body.frame().await.expect("the stream goes on").expect("no error");
                self.read.push_str(std::str::from_utf8(&frame.into_data().expect("data")).expect("UTF-8"));
            }
        })
        .await
    }

    /// The task of the next notification, which is one of this subscription.
    pub(crate) async fn task(&mut self) -> Value {
        let event = self.next().await;
        assert_eq!(event["method"], "notifications/tasks", "{event}");
        assert_eq!(event["params"]["_meta"][SUBSCRIPTION], 7, "{event}");
        assert_members(&event["params"], &["_meta"]);
        event["params"].clone()
    }

    /// The next task of this status; those before it may be of others, unless they are final.
    pub(crate) async fn until(&mut self, status: &str) -> Value {
        loop {
            let task = self.task().await;
            if task["status"] == status {
                return task;
            }
            assert!(matches!(task["status"].as_str(), Some("working" | "input_required")), "{task}");
        }
    }
}

// ---------------------------------------------------------------------------------------------- tools

/// Opens when the test says so.
pub(crate) struct Gate(pub(crate) Semaphore);

impl Gate {
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(1);
    }

    pub(crate) async fn pass(&self) {
        self.0.acquire().await.expect("never closed").forget();
    }
}

/// What the tools of one test tell it.
#[derive(Clone)]
pub(crate) struct Report(mpsc::UnboundedSender<String>);

pub(crate) struct Reports(mpsc::UnboundedReceiver<String>);

impl Report {
    pub(crate) fn new() -> (Self, Reports) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Reports(receiver))
    }

    pub(crate) fn say(&self, what: &str) {
        // A test that is over does not listen any more.
        let _ = self.0.send(what.to_owned());
    }

    /// Tells when it is dropped.
    pub(crate) fn watch(&self) -> Watch {
        Watch(self.clone())
    }
}

impl Reports {
    pub(crate) async fn next(&mut self) -> String {
        soon("a report", self.0.recv()).await.expect("a report")
    }

    pub(crate) fn none(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

pub(crate) struct Watch(Report);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.say("dropped");
    }
}

// ---------------------------------------------------------------------------------------------- stores

/// A store that others look into too, and that fails or waits where a test says so.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tasks: MemoryTasks,
    create_fails: AtomicBool,
    load_fails: AtomicBool,
    update_fails: AtomicBool,
    sweeps: AtomicUsize,
    loads: AtomicUsize,
    /// What is to be written as completed waits for this.
    completing: Mutex<Option<Arc<Gate>>>,
    written: AtomicUsize,
}

impl Kept {
    pub(crate) fn of(tasks: MemoryTasks) -> Self {
        Self(Arc::new(Inner { tasks, ..Inner::default() }))
    }

    pub(crate) fn fails(&self, create: bool, load: bool, update: bool) {
        self.0.create_fails.store(create, Ordering::Relaxed);
        self.0.load_fails.store(load, Ordering::Relaxed);
        self.0.update_fails.store(update, Ordering::Relaxed);
    }

    pub(crate) fn holds_results_until(&self, gate: &Arc<Gate>) {
        *self.0.completing.lock().expect("not poisoned") = Some(Arc::clone(gate));
    }

    /// How often a task was looked for.
    pub(crate) fn loads(&self) -> usize {
        self.0.loads.load(Ordering::Relaxed)
    }

    /// How often it was swept.
    pub(crate) fn sweeps(&self) -> usize {
        self.0.sweeps.load(Ordering::Relaxed)
    }

    /// How often a task was written to.
    pub(crate) fn written(&self) -> usize {
        self.0.written.load(Ordering::Relaxed)
    }

    pub(crate) async fn record(&self, id: &str) -> Option<TaskRecord> {
        self.0.tasks.load(id).await.expect("a store")
    }
}

fn unless(fails: &AtomicBool) -> Result<(), StoreError> {
    if fails.load(Ordering::Relaxed) { Err(StoreError::Unavailable("tasks.db on /mnt/secret is gone".into())) } else { Ok(()) }
}

impl TaskStore for Kept {
    fn create<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            unless(&self.0.create_fails)?;
            self.0.tasks.create(task).await
        })
    }

    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<TaskRecord>> {
        Box::pin(async move {
            self.0.loads.fetch_add(1, Ordering::Relaxed);
            unless(&self.0.load_fails)?;
            self.0.tasks.load(id).await
        })
    }

    fn update<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let gate = self.0.completing.lock().expect("not poisoned").clone();
            if let Some(gate) = gate.filter(|_| task.status == TaskStatus::Completed) {
                gate.pass().await;
            }
            self.0.written.fetch_add(1, Ordering::Relaxed);
            unless(&self.0.update_fails)?;
            self.0.tasks.update(task).await
        })
    }

    fn renew<'a>(&'a self, ids: &'a [String], lease: SystemTime) -> StoreFuture<'a, ()> {
        self.0.tasks.renew(ids, lease)
    }

    fn sweep<'a>(&'a self, now: SystemTime) -> StoreFuture<'a, usize> {
        self.0.sweeps.fetch_add(1, Ordering::Relaxed);
        self.0.tasks.sweep(now)
    }
}

/// Several servers in one process.
#[derive(Clone, Default)]
pub(crate) struct Bus(Arc<Mutex<Vec<Deliver>>>);

impl EventBus for Bus {
    fn publish(&self, event: Event) {
        let text = serde_json::to_string(&event).expect("an event is JSON");
        for deliver in self.0.lock().expect("not poisoned").iter() {
            deliver(serde_json::from_str(&text).expect("it was an event"));
        }
    }

    fn attach(&self, deliver: Deliver) {
        self.0.lock().expect("not poisoned").push(deliver);
    }
}

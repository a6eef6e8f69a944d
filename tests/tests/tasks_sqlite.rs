//! Tasks in an `SQLite` file: what of them outlives the process that began them, and instances that share the file.

mod http_call;
mod task_calls;
mod written;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use http_call::{HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::tasks::{Bounds, SqliteTasks, TaskRecord, TaskStore};
use mcp_runtime::testing::Client;
use serde_json::{Value, json};
use task_calls::{
    Bus, Events, Gate, Report, accept, asking, begin, begun, calling, client, get, keys, listening, soon, task, text, until,
    update,
};
use tracing::level_filters::LevelFilter;
use written::Written;

/// A folder for a file of tasks, as long as the test runs.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mcp-tests-tasks-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    async fn open(&self) -> SqliteTasks {
        SqliteTasks::open(self.0.join("tasks.sqlite")).await.expect("a store")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A connection may still be closing its files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

// ---------------------------------------------------------------------------------------------- tools

/// Wait for the gate.
#[tool(task)]
async fn wait(gate: State<Gate>, report: State<Report>) -> String {
    let _watch = report.watch();
    report.say("began");
    gate.pass().await;
    "through".to_owned()
}

#[data]
struct Confirm {
    word: String,
}

/// Ask, and say it back.
#[tool(task)]
async fn ask(ctx: Context) -> Result<String, ToolError> {
    ctx.progress(1.0, 2.0, "asking");
    Ok(ctx.elicit::<Confirm>("Which word?").named("word").await?.accepted()?.word)
}

/// Fail with a code.
#[tool(task)]
async fn fail() -> Result<(), ToolError> {
    Err(ToolError::rpc(-31_999, "no flour"))
}

/// Write much.
#[tool(task)]
async fn write(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn server(store: SqliteTasks, gate: &Arc<Gate>, report: &Report) -> Server {
    let tools = [wait::tool(), ask::tool(), fail::tool(), write::tool()];
    Server::new("tasks", "0").only(tools).shared_state(Arc::clone(gate)).state(report.clone()).task_store(store)
}

fn ada() -> Principal {
    Principal::user("ada").issued_by("https://a.example")
}

async fn is_unknown(client: &Client, id: &str) -> bool {
    client.request("tasks/get", json!({ "taskId": id })).await.error_code() == Some(-32602)
}

// ---------------------------------------------------------------------------------------------- restarts

#[tokio::test]
async fn what_has_ended_is_there_after_a_restart() {
    let (folder, gate, (report, _reports)) = (Folder::new(), Gate::closed(), Report::new());
    let mut before = Vec::new();
    {
        let client = client(&server(folder.open().await, &gate, &report)).principal(ada());
        for (tool, arguments, status) in
            [("write", json!({ "bytes": 100_000 }), "completed"), ("fail", json!({}), "failed"), ("wait", json!({}), "cancelled")]
        {
            let id = begin(&client, tool, arguments).await;
            if status == "cancelled" {
                task_calls::cancel(&client, &id).await;
            }
            before.push(until(&client, &id, status).await);
        }
    }
    let anonymous = client(&server(folder.open().await, &gate, &report));
    let after = anonymous.clone().principal(ada());
    for task in before {
        let id = task["taskId"].as_str().expect("an id");
        assert_eq!(get(&after, id).await, task, "as it was");
        for stranger in [None, Some(Principal::user("ada")), Some(Principal::user("ada").issued_by("https://b.example"))] {
            let stranger = stranger.map_or(anonymous.clone(), |principal| anonymous.clone().principal(principal));
            assert!(is_unknown(&stranger, id).await);
        }
    }
}

#[test]
fn a_task_whose_process_died_has_failed() {
    let (folder, gate, (report, mut reports)) = (Folder::new(), Gate::closed(), Report::new());
    let first = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let id = first.block_on(async {
        let client = client(&server(folder.open().await, &gate, &report)).principal(ada());
        let id = begin(&client, "wait", json!({})).await;
        assert_eq!(reports.next().await, "began");
        id
    });
    // As when the process is killed: nobody says a last word.
    first.shutdown_timeout(Duration::ZERO);
    let second = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    second.block_on(async {
        let store = folder.open().await;
        let client = client(&server(store.clone(), &gate, &report)).principal(ada());
        assert_eq!(get(&client, &id).await["status"], "working", "for as long as its instance vouched for it");
        let vouched = store.load(&id).await.expect("a store").expect("a task");
        let left = vouched.lease.duration_since(SystemTime::now()).expect("it does");
        assert!(left <= Duration::from_secs(30), "{left:?}");
        // The same a little later.
        let id = "00000000000000000000000000000000";
        let mut dead = TaskRecord::new(id, vouched.owner, vouched.tool, vouched.created_at, vouched.ttl);
        dead.lease = SystemTime::now() - Duration::from_millis(1);
        store.create(&dead).await.expect("room");
        assert!(is_unknown(&client.clone().principal(Principal::user("bob")), id).await);
        let task = get(&client, id).await;
        assert_eq!(task["status"], "failed");
        assert_eq!(task["error"]["code"], -32603);
        let message = "The server that ran this task stopped before it ended; start it again";
        assert_eq!((&task["error"]["message"], &task["statusMessage"]), (&json!(message), &json!(message)));
        task_calls::cancel(&client, id).await;
        update(&client, id, json!({ "word": accept(json!({ "word": "x" })) })).await;
        assert_eq!(get(&client, id).await, task, "that is final");
    });
}

#[tokio::test]
async fn a_server_that_stops_writes_down_what_it_leaves() {
    let (folder, gate, (report, mut reports)) = (Folder::new(), Gate::closed(), Report::new());
    let server = |store| server(store, &gate, &report);
    let bound = server(folder.open().await).drain_timeout(Duration::from_millis(20)).bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (bound.address(), bound.handle());
    let run = tokio::spawn(bound.run());
    let id = begun(&exchange(address, calling("wait", json!({}))).await);
    assert_eq!(reports.next().await, "began");
    handle.shutdown();
    soon("the end", run).await.expect("no panic").expect("stopped");
    assert_eq!(reports.next().await, "dropped");
    // Not only when its lease is over.
    let task = get(&client(&server(folder.open().await)), &id).await;
    assert_eq!(task["status"], "failed");
    assert!(task["error"]["message"].as_str().is_some_and(|message| message.contains("start it again")), "{task}");
}

async fn exchange(address: std::net::SocketAddr, call: HttpCall) -> Value {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    connection.write_all(&call.header("connection", "close").wire()).await.expect("written");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    serde_json::from_str(answer.split_once("\r\n\r\n").expect("a head").1).expect("JSON")
}

// ---------------------------------------------------------------------------------------------- instances

#[tokio::test]
async fn instances_share_a_file_and_a_bus() {
    let (folder, gate, (report, mut reports)) = (Folder::new(), Gate::closed(), Report::new());
    let bus = Bus::default();
    let mut both = Vec::new();
    for store in [folder.open().await, folder.open().await] {
        both.push(router(server(store, &gate, &report).event_bus(bus.clone()).allow_anonymous()));
    }
    let (here, there) = (&both[0], &both[1]);
    let look = async |id: &str, status: &str| {
        soon(status, async {
            loop {
                let task = task(&asking("tasks/get", id).send(there).await.json(), id);
                if task["status"] == status {
                    return task;
                }
            }
        })
        .await
    };
    let id = begun(&calling("ask", json!({})).send(here).await.json());
    let at_once = asking("tasks/get", &id).send(there).await;
    task(&at_once.json(), &id);
    assert_eq!(keys(&look(&id, "input_required").await), ["word"]);
    let (mut events, ids) = Events::of(there, listening(&[&id])).await;
    assert_eq!(ids, [id.as_str()]);
    let answers = json!({ "other": {}, "word": accept(json!({ "word": "yeast" })) });
    let answering = asking("tasks/update", &id).edit(|message| message["params"]["inputResponses"] = answers);
    assert_eq!(answering.send(there).await.outcome(), (200, None));
    assert_eq!(text(&events.until("completed").await), "yeast");
    assert_eq!(text(&look(&id, "completed").await), "yeast");

    let id = begun(&calling("wait", json!({})).send(here).await.json());
    assert_eq!(reports.next().await, "began");
    assert_eq!(asking("tasks/cancel", &id).send(there).await.outcome(), (200, None));
    assert_eq!(reports.next().await, "dropped", "on the instance that runs it");
    for router in [here, there] {
        let task = task(&asking("tasks/get", &id).send(router).await.json(), &id);
        assert_eq!(task["status"], "cancelled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_end_here_and_a_cancellation_there_the_first_one_stands() {
    let (folder, gate, (report, _reports)) = (Folder::new(), Gate::closed(), Report::new());
    let here = client(&server(folder.open().await, &gate, &report));
    let there = client(&server(folder.open().await, &gate, &report));
    for _ in 0..12 {
        let id = begin(&here, "wait", json!({})).await;
        gate.open();
        task_calls::cancel(&there, &id).await;
        let first = get(&there, &id).await;
        assert!(matches!(first["status"].as_str(), Some("completed" | "cancelled")), "{first}");
        for _ in 0..3 {
            assert_eq!(get(&there, &id).await, first);
            assert_eq!(get(&here, &id).await, first);
        }
        let _ = gate.0.try_acquire().map(tokio::sync::SemaphorePermit::forget);
    }
}

#[tokio::test]
async fn a_full_file_says_so() {
    let (folder, gate, (report, _reports)) = (Folder::new(), Gate::closed(), Report::new());
    let store = folder.open().await.bounds(Bounds::FILE.max_tasks_of_one(2).max_bytes_of_one(1000));
    let client = client(&server(store, &gate, &report)).principal(ada());
    let id = begin(&client, "write", json!({ "bytes": 2000 })).await;
    let task = until(&client, &id, "failed").await;
    assert!(task["error"]["message"].as_str().is_some_and(|message| message.contains("room for 1000 bytes")), "{task}");
    begin(&client, "wait", json!({})).await;
    let full = client.call("wait", json!({})).await;
    assert!(full.is_error() && full.text().contains("room for 2 tasks of one caller"), "{}", full.message());
    begin(&client.clone().principal(Principal::user("bob")), "wait", json!({})).await;
}

// ---------------------------------------------------------------------------------------------- secrets

#[tokio::test]
async fn results_and_answers_stay_out_of_the_log() {
    const SECRET: &str = "xylophone-7731";
    // Of the whole process: the statements of SQLite are logged by threads of their own.
    let log = Written::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let (folder, gate, (report, _reports)) = (Folder::new(), Gate::closed(), Report::new());
    let store = folder.open().await;
    let client = client(&server(store.clone(), &gate, &report)).principal(ada());
    let id = begin(&client, "ask", json!({})).await;
    until(&client, &id, "input_required").await;
    update(&client, &id, json!({ "word": accept(json!({ "word": SECRET })) })).await;
    assert_eq!(text(&until(&client, &id, "completed").await), SECRET);
    let record = store.load(&id).await.expect("a store").expect("a task");
    let shown = format!("{store:?} {record:?} {:?} {client:?}", record.payload);
    assert!(shown.contains("bytes") && !shown.contains(SECRET), "{shown}");
    let text = log.text();
    assert!(text.contains("mcp_tasks"), "it has what SQLite did");
    assert!(!text.contains(SECRET), "{text}");
}

//! Tasks at work: what is heard of them meanwhile, what ends them, and stores that are full or fail.

mod http_call;
mod task_calls;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use http_call::{HttpCall, router};
use mcp_runtime::notify::Event;
use mcp_runtime::prelude::*;
use mcp_runtime::tasks::{Bounds, MemoryTasks, TaskPayload, TaskRecord, TaskStatus, TaskStore};
use serde_json::{Value, json};
use task_calls::{
    Bus, Events, Gate, Kept, Report, accept, asking, begin, begun, calling, cancel, client, get, keys, listening, soon, task,
    text, until, update,
};

const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";

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
    sure: bool,
}

/// Ask, and wait for the gate.
#[tool(task)]
async fn ask(ctx: Context, gate: State<Gate>) -> Result<String, ToolError> {
    let answer = ctx.elicit::<Confirm>("Sure?").named("sure").await?.accepted()?;
    gate.pass().await;
    Ok(answer.sure.to_string())
}

/// Report progress, each time the gate opens.
#[tool(task)]
async fn report_on(ctx: Context, gate: State<Gate>) -> &'static str {
    for done in 1..=3_u32 {
        gate.pass().await;
        ctx.log(LogLevel::Error, "a log message");
        ctx.progress(f64::from(done), 3.0, format!("baking {done}"));
    }
    gate.pass().await;
    "baked"
}

/// Write much.
#[tool(task)]
async fn write(bytes: usize) -> String {
    tokio::task::yield_now().await;
    "x".repeat(bytes)
}

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

fn server(tools: impl IntoIterator<Item = mcp_runtime::Tool>, gate: &Arc<Gate>, report: &Report) -> Server {
    Server::new("tasks", "0").only(tools).shared_state(Arc::clone(gate)).state(report.clone())
}

fn known(server: Server) -> Server {
    let tokens = StaticTokens::new().token(ADA, Principal::user("ada")).token(BOB, Principal::user("bob"));
    server.auth(Auth::chain().with(tokens))
}

/// The task, once it has this status.
async fn over_http(router: &Router, id: &str, status: &str) -> Value {
    soon(status, async {
        loop {
            let answer = asking("tasks/get", id).token(ADA).send(router).await;
            let task = task(&answer.json(), id);
            if task["status"] == status {
                return task;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

// ---------------------------------------------------------------------------------------------- what is heard of it

#[tokio::test]
async fn those_who_listen_hear_of_their_own_tasks() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let router = router(known(server([ask::tool(), wait::tool()], &gate, &report)));
    let id = begun(&calling("ask", json!({})).token(ADA).send(&router).await.json());
    let other = begun(&calling("wait", json!({})).token(ADA).send(&router).await.json());
    let foreign = begun(&calling("wait", json!({})).token(BOB).send(&router).await.json());
    over_http(&router, &id, "input_required").await;
    let (mut events, ids) = Events::of(&router, listening(&[&foreign, &id, "unknown", &id]).token(ADA)).await;
    assert!(ids.contains(&id) && !ids.contains(&foreign) && !ids.contains(&"unknown".to_owned()), "{ids:?}");
    // Of these it did not ask, or may not hear.
    asking("tasks/cancel", &other).token(ADA).send(&router).await;
    asking("tasks/cancel", &foreign).token(BOB).send(&router).await;
    let answers = json!({ "sure": accept(json!({ "sure": true })) });
    let answering = asking("tasks/update", &id).edit(|message| message["params"]["inputResponses"] = answers);
    answering.token(ADA).send(&router).await;
    let task = events.task().await;
    assert_eq!((&task["taskId"], &task["status"]), (&json!(id), &json!("working")));
    gate.open();
    let task = events.until("completed").await;
    assert_eq!(task["taskId"], id);
    let fetched = over_http(&router, &id, "completed").await;
    assert_eq!((&task["result"], &task["lastUpdatedAt"]), (&fetched["result"], &fetched["lastUpdatedAt"]), "all of it");
}

#[tokio::test]
async fn questions_are_pushed() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let router = router(server([ask::tool()], &gate, &report).allow_anonymous());
    let id = begun(&calling("ask", json!({})).send(&router).await.json());
    let (mut events, _) = Events::of(&router, listening(&[&id])).await;
    assert_eq!(keys(&events.until("input_required").await), ["sure"]);
    asking("tasks/cancel", &id).send(&router).await;
    events.until("cancelled").await;
}

#[tokio::test]
async fn nothing_is_heard_after_an_end() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let (store, written) = (Kept::default(), Gate::closed());
    store.holds_results_until(&written);
    let router = router(server([wait::tool()], &gate, &report).task_store(store.clone()).allow_anonymous());
    let id = begun(&calling("wait", json!({})).send(&router).await.json());
    let (mut events, _) = Events::of(&router, listening(&[&id])).await;
    gate.open();
    // The result is on its way to the store when the client cancels.
    soon("the store", async {
        while gate.0.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let before = store.written();
    assert_eq!(asking("tasks/cancel", &id).send(&router).await.outcome(), (200, None));
    events.until("cancelled").await;
    written.open();
    soon("the second end", async {
        while store.written() < before + 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    let next = tokio::time::timeout(Duration::from_millis(20), events.next()).await;
    assert!(next.is_err(), "after its end: {next:?}");
    assert_eq!(store.record(&id).await.map(|task| task.status), Some(TaskStatus::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn progress_is_the_tasks_status_in_words() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let server = server([report_on::tool()], &gate, &report).client_logging().task_store(store.clone()).allow_anonymous();
    let router = router(server);
    // With a token or without: what is said of a task is no notification that would need one.
    for call in [calling("report_on", json!({})), calling("report_on", json!({})).meta("progressToken", json!("t"))] {
        let level = json!("debug");
        let answer = call.meta("io.modelcontextprotocol/logLevel", level).send(&router).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "nothing but the task itself");
        let id = begun(&answer.json());
        let (mut events, _) = Events::of(&router, listening(&[&id])).await;
        gate.open();
        assert_eq!(events.task().await["statusMessage"], "baking 1: 1 of 3");
        gate.open();
        gate.open();
        // Two in a row are told as one.
        let told = tokio::time::Instant::now();
        assert_eq!(events.task().await["statusMessage"], "baking 3: 3 of 3");
        assert!(told.elapsed() < Duration::from_secs(5), "soon, though the tool says no more");
        let waiting = over_http(&router, &id, "working").await;
        assert_eq!(waiting["statusMessage"], "baking 3: 3 of 3");
        gate.open();
        let done = events.until("completed").await;
        assert_eq!((text(&done), done.get("statusMessage")), ("baked", None));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_does_not_wear_out_the_store() {
    /// Report as fast as can be.
    #[tool(task)]
    async fn flood(ctx: Context) {
        for done in 0..10_000_u32 {
            ctx.progress(f64::from(done), None, "x".repeat(10_000));
            tokio::task::yield_now().await;
        }
    }
    let store = Kept::default();
    let client = client(&Server::new("tasks", "0").only([flood::tool()]).task_store(store.clone()));
    let id = begin(&client, "flood", json!({})).await;
    soon("an end", async {
        loop {
            let task = get(&client, &id).await;
            let words = task["statusMessage"].as_str().map_or(0, |message| message.chars().count());
            assert!(words <= 1000, "{words} characters");
            if task["status"] == "completed" {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(store.written() < 10, "{} times", store.written());
}

// ---------------------------------------------------------------------------------------------- whose end it shares

#[tokio::test]
async fn a_task_outlives_the_connection_that_began_it() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let bound = server([wait::tool()], &gate, &report).bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (bound.address(), bound.handle());
    let run = tokio::spawn(bound.run());
    let exchange = async |call: HttpCall| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
        connection.write_all(&call.header("connection", "close").wire()).await.expect("written");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        serde_json::from_str::<Value>(body).expect("JSON")
    };
    let id = begun(&exchange(calling("wait", json!({}))).await);
    assert_eq!(reports.next().await, "began");
    // Its connection is closed.
    assert_eq!(task(&exchange(asking("tasks/get", &id)).await, &id)["status"], "working");
    assert!(reports.none(), "it goes on");
    gate.open();
    let done = soon("its end", async {
        loop {
            let task = task(&exchange(asking("tasks/get", &id)).await, &id);
            if task["status"] == "completed" {
                return task;
            }
        }
    });
    assert_eq!(text(&done.await), "through");
    handle.shutdown();
    run.await.expect("no panic").expect("stopped");
}

/// Runs a server with a task, tells it to stop, and returns what became of the task.
async fn stopped(drain: Duration, gate: &Arc<Gate>, while_it_stops: impl FnOnce()) -> TaskRecord {
    let (report, mut reports) = Report::new();
    let store = Kept::default();
    let server = server([wait::tool()], gate, &report).task_store(store.clone()).drain_timeout(drain);
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let (handle, router) = (bound.handle(), bound.address());
    let run = tokio::spawn(bound.run());
    let mut connection = tokio::net::TcpStream::connect(router).await.expect("a connection");
    let call = calling("wait", json!({})).header("connection", "close").wire();
    tokio::io::AsyncWriteExt::write_all(&mut connection, &call).await.expect("written");
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut connection, &mut answer).await.expect("an answer");
    let id = begun(&serde_json::from_str(answer.split_once("\r\n\r\n").expect("a head").1).expect("JSON"));
    assert_eq!(reports.next().await, "began");
    handle.shutdown();
    while_it_stops();
    soon("its end", run).await.expect("no panic").expect("stopped");
    assert_eq!(reports.next().await, "dropped", "by its end, or before it");
    store.record(&id).await.expect("a task")
}

#[tokio::test]
async fn a_server_that_stops_waits_for_its_tasks() {
    let gate = Gate::closed();
    let ended = stopped(Duration::from_secs(20), &gate, || gate.open()).await;
    assert_eq!(ended.status, TaskStatus::Completed);
}

#[tokio::test]
async fn a_task_that_the_server_can_not_wait_for_has_failed() {
    let ended = stopped(Duration::from_millis(20), &Gate::closed(), || {}).await;
    assert_eq!(ended.status, TaskStatus::Failed);
    let TaskPayload::Failed { code, message } = ended.payload else { panic!("{ended:?}") };
    assert!(code == -32603 && message.contains("stopped before it ended"), "{message}");
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_task_behind() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let bound = server([wait::tool()], &gate, &report).task_store(store.clone()).bind("127.0.0.1:0").await.expect("a free port");
    let address = bound.address();
    let run = tokio::spawn(bound.run());
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let call = calling("wait", json!({})).header("connection", "close").wire();
    tokio::io::AsyncWriteExt::write_all(&mut connection, &call).await.expect("written");
    assert_eq!(reports.next().await, "began");
    run.abort();
    assert_eq!(reports.next().await, "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_hold_up_the_end() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    store.holds_results_until(&Gate::closed());
    let server = server([wait::tool()], &gate, &report).task_store(store);
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (bound.address(), bound.handle());
    let run = tokio::spawn(bound.run());
    let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let call = calling("wait", json!({})).header("connection", "close").wire();
    tokio::io::AsyncWriteExt::write_all(&mut connection, &call).await.expect("written");
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut connection, &mut answer).await.expect("an answer");
    gate.open();
    assert_eq!((reports.next().await, reports.next().await), ("began".to_owned(), "dropped".to_owned()));
    handle.shutdown();
    tokio::time::timeout(Duration::from_secs(120), run).await.expect("an end").expect("no panic").expect("stopped");
}

#[tokio::test]
async fn a_place_is_taken_until_the_task_ends() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let client = client(&server([wait::tool(), echo::tool()], &gate, &report).max_concurrent_calls(1));
    for ends_by_itself in [true, false] {
        let id = begin(&client, "wait", json!({})).await;
        let busy = client.call("echo", json!({ "message": "hi" })).await;
        assert_eq!((busy.status(), busy.error_code()), (503, Some(-32603)));
        if ends_by_itself {
            gate.open();
            until(&client, &id, "completed").await;
        } else {
            cancel(&client, &id).await;
        }
        soon("a free place", async {
            while client.call("echo", json!({ "message": "hi" })).await.error_code().is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

// ---------------------------------------------------------------------------------------------- other instances

#[tokio::test(start_paused = true)]
async fn what_ended_elsewhere_is_noticed_without_a_bus() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let both = [(); 2].map(|()| client(&server([wait::tool()], &gate, &report).task_store(store.clone())));
    let id = begin(&both[0], "wait", json!({})).await;
    assert_eq!(reports.next().await, "began");
    assert_eq!(get(&both[1], &id).await["status"], "working");
    cancel(&both[1], &id).await;
    assert_eq!(reports.next().await, "dropped");
    assert_eq!(get(&both[0], &id).await["status"], "cancelled");
}

#[tokio::test]
async fn instances_with_a_bus_are_one() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let (store, bus) = (Kept::default(), Bus::default());
    let [here, there] = [(); 2].map(|()| {
        let server = server([ask::tool(), wait::tool()], &gate, &report).task_store(store.clone()).event_bus(bus.clone());
        router(server.allow_anonymous())
    });
    let id = begun(&calling("ask", json!({})).send(&here).await.json());
    over_http(&there, &id, "input_required").await;
    let (mut events, ids) = Events::of(&there, listening(&[&id])).await;
    assert_eq!(ids, [id.as_str()]);
    let answers = json!({ "sure": accept(json!({ "sure": true })) });
    asking("tasks/update", &id).edit(|message| message["params"]["inputResponses"] = answers).send(&there).await;
    events.until("working").await;
    gate.open();
    assert_eq!(text(&events.until("completed").await), "true");
    assert_eq!(text(&over_http(&there, &id, "completed").await), "true");
    let id = begun(&calling("wait", json!({})).send(&here).await.json());
    assert_eq!(reports.next().await, "began");
    asking("tasks/cancel", &id).send(&there).await;
    assert_eq!(reports.next().await, "dropped");
    over_http(&here, &id, "cancelled").await;
}

#[test]
fn what_a_bus_logs_has_no_results_and_no_answers() {
    let text = |event: Event| format!("{event:?}");
    let changed =
        text(serde_json::from_value(json!({ "event": "taskChanged", "id": "t-1", "state": "secret" })).expect("an event"));
    assert!(changed.contains("TaskChanged") && changed.contains("t-1") && !changed.contains("secret"), "{changed}");
    let answered = json!({ "event": "answered", "scope": "s-1", "key": "k-1", "answer": "\"secret\"", "is_error": false });
    let answered = text(serde_json::from_value(answered).expect("an event"));
    assert!(answered.contains("Answered") && answered.contains("k-1") && !answered.contains("secret"), "{answered}");
    // A session's scope is what its answers are let in by.
    assert!(!answered.contains("s-1"), "{answered}");
}

// ---------------------------------------------------------------------------------------------- stores

#[tokio::test]
async fn a_caller_has_room_for_so_many_tasks() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::of(MemoryTasks::new().bounds(Bounds::MEMORY.max_tasks_of_one(2)));
    let server = server([wait::tool(), echo::tool()], &gate, &report).task_store(store).max_concurrent_calls(3);
    let anonymous = client(&server);
    let ada = anonymous.clone().principal(Principal::user("ada"));
    let first = begin(&ada, "wait", json!({})).await;
    begin(&ada, "wait", json!({})).await;
    assert_eq!((reports.next().await, reports.next().await), ("began".to_owned(), "began".to_owned()));
    for _ in 0..5 {
        let full = ada.call("wait", json!({})).await;
        assert!(full.is_error() && full.text().contains("room for 2 tasks of one caller"), "{}", full.message());
        assert_eq!(full.result()["resultType"], "complete");
    }
    assert!(reports.none(), "it did not run");
    assert_eq!(ada.call("echo", json!({ "message": "hi" })).await.text(), "hi", "what was refused takes no place");
    begin(&anonymous, "wait", json!({})).await;
    assert_eq!(reports.next().await, "began", "others have room of their own");
    // One that ended is kept, and takes its room, until its time is over.
    cancel(&ada, &first).await;
    assert_eq!(reports.next().await, "dropped");
    assert!(ada.call("wait", json!({})).await.text().contains("until"), "it says how long");
}

#[tokio::test]
async fn a_result_that_has_no_room_fails_its_task() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let store = Kept::of(MemoryTasks::new().bounds(Bounds::MEMORY.max_bytes_of_one(1000)));
    let router = router(server([write::tool()], &gate, &report).task_store(store).allow_anonymous());
    let id = begun(&calling("write", json!({ "bytes": 2000 })).send(&router).await.json());
    let task = over_http(&router, &id, "failed").await;
    assert_eq!(task["error"]["code"], -32603);
    assert!(task["error"]["message"].as_str().is_some_and(|message| message.contains("room for 1000 bytes")), "{task}");
    let id = begun(&calling("write", json!({ "bytes": 2 })).send(&router).await.json());
    assert_eq!(text(&over_http(&router, &id, "completed").await), "xx");
}

#[tokio::test]
async fn a_store_that_fails_is_no_news_for_clients() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let router = router(server([wait::tool()], &gate, &report).task_store(store.clone()).allow_anonymous());
    store.fails(true, false, false);
    let answer = calling("wait", json!({})).send(&router).await;
    assert!(answer.is_tool_error() && answer.tool_text() == "The task could not be begun.", "{}", answer.shown());
    assert!(reports.none(), "what is not written down does not run");
    store.fails(false, false, false);
    let id = begun(&calling("wait", json!({})).send(&router).await.json());
    assert_eq!(reports.next().await, "began");
    store.fails(false, true, false);
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let answer = asking(method, &id).send(&router).await;
        assert_eq!(answer.outcome(), (503, Some(-32603)), "{}", answer.shown());
        assert!(answer.message().contains("try again") && !answer.shown().contains("secret"), "{}", answer.shown());
    }
    let (_, ids) = Events::of(&router, listening(&[&id])).await;
    assert!(ids.is_empty(), "nobody knows whose it is");
    store.fails(false, false, true);
    let answer = asking("tasks/cancel", &id).send(&router).await;
    assert_eq!(answer.outcome(), (503, Some(-32603)), "{}", answer.shown());
    assert!(reports.none(), "what could not be cancelled goes on");
    store.fails(false, false, false);
    assert_eq!(asking("tasks/cancel", &id).send(&router).await.outcome(), (200, None));
    assert_eq!(reports.next().await, "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_result_outlasts_a_store_that_fails_for_a_while() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let client = client(&server([wait::tool()], &gate, &report).task_store(store.clone()));
    let id = begin(&client, "wait", json!({})).await;
    assert_eq!(reports.next().await, "began");
    store.fails(false, false, true);
    gate.open();
    assert_eq!(reports.next().await, "dropped");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(get(&client, &id).await["status"], "working");
    store.fails(false, false, false);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(text(&get(&client, &id).await), "through");
    // One that never comes back is given up.
    let id = begin(&client, "wait", json!({})).await;
    store.fails(false, false, true);
    gate.open();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let tries = store.written();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(store.written(), tries);
    assert_eq!(get(&client, &id).await["status"], "working", "for as long as its lease says");
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_swept_out_from_time_to_time() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let server = server([wait::tool()], &gate, &report);
    let client = {
        let client = client(&server.task_store(store.clone()));
        assert_eq!(client.request("tasks/get", json!({ "taskId": "x" })).await.error_code(), Some(-32602));
        client
    };
    // Left behind by an earlier process: more than one sweep removes.
    let old = SystemTime::now() - Duration::from_secs(7200);
    for number in 0..2500 {
        // In memory each creation sweeps as well, so these end soon, not now.
        let ttl = Duration::from_secs(7200) + Duration::from_millis(400);
        let task = TaskRecord::new(format!("old-{number}"), vec![number as u8, (number >> 8) as u8], "wait", old, ttl);
        store.create(&task).await.expect("room");
    }
    while store.record("old-2499").await.is_some() {
        tokio::task::yield_now().await;
    }
    let before = store.sweeps();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let swept = store.sweeps() - before;
    assert!((3..=5).contains(&swept), "{swept} sweeps");
    assert_eq!(store.sweep(SystemTime::now()).await.expect("a store"), 0, "nothing is left");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!((10..=16).contains(&(store.sweeps() - before - swept)), "{}", store.sweeps());
    drop(client);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let sweeps = store.sweeps();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(store.sweeps(), sweeps, "a server that is gone sweeps no more");
}

// ---------------------------------------------------------------------------------------------- odd places

#[tokio::test]
async fn a_tool_that_comes_later_is_no_task_where_there_are_none() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let built = server([echo::tool()], &gate, &report).list_changes().allow_anonymous().build().expect("it builds");
    let router = built.router::<()>();
    built.handle().add_tool(write::tool()).expect("it fits");
    let answer = calling("write", json!({ "bytes": 2 })).send(&router).await;
    assert_eq!(answer.tool_text(), "xx", "a task that nobody can ask after would be lost: {}", answer.shown());
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_none() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let client = client(&server([ask::tool()], &gate, &report));
    let id = begin(&client, "ask", json!({})).await;
    until(&client, &id, "input_required").await;
    cancel(&client, &id).await;
    update(&client, &id, json!({ "sure": accept(json!({ "sure": true })) })).await;
    gate.open();
    assert_eq!(get(&client, &id).await["status"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_waits_for_costs_no_write() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let client = client(&server([ask::tool()], &gate, &report).task_store(store.clone()));
    let id = begin(&client, "ask", json!({})).await;
    until(&client, &id, "input_required").await;
    let yes = || json!({ "sure": accept(json!({ "sure": true })) });
    update(&client, &id, yes()).await;
    until(&client, &id, "working").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = store.written();
    for _ in 0..20 {
        update(&client, &id, yes()).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.written(), before);
    gate.open();
    until(&client, &id, "completed").await;
}

#[tokio::test]
async fn an_error_that_is_kept_is_short() {
    /// Quote what came.
    #[tool(task)]
    async fn quote() -> Result<(), ToolError> {
        Err(ToolError::rpc(-32000, "x".repeat(1_000_000)))
    }
    let client = client(&Server::new("tasks", "0").only([quote::tool()]));
    let id = begin(&client, "quote", json!({})).await;
    let task = until(&client, &id, "failed").await;
    assert_eq!(task["error"]["message"].as_str().map(str::len), Some(500));
    assert_eq!(task["statusMessage"], task["error"]["message"]);
}

#[tokio::test]
async fn who_has_no_place_to_listen_costs_the_store_nothing() {
    let (gate, (report, _reports)) = (Gate::closed(), Report::new());
    let store = Kept::default();
    let router = router(server([wait::tool()], &gate, &report).task_store(store.clone()).max_streams(1).allow_anonymous());
    let id = begun(&calling("wait", json!({})).send(&router).await.json());
    let _events = Events::of(&router, listening(&[&id])).await;
    let before = store.loads();
    let refused = listening(&[&*id; 200]).send(&router).await;
    assert_eq!((refused.status, store.loads()), (503, before), "{}", refused.shown());
}

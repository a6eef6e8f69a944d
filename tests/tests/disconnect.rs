//! How a call ends before its time: its client says so, or goes away, which means one thing to the newest revision and another to
//! the legacy ones.

mod http_call;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http_body_util::BodyExt as _;
use http_call::{Answer, HttpCall, open, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Handle, LegacyClients};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// No test takes so long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const NEWEST: Era = Era::V2025_11_25;

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

// ---------------------------------------------------------------------------------------------- tools

/// What the tools of one test tell it.
#[derive(Clone)]
struct Report(mpsc::UnboundedSender<String>);

impl Report {
    fn say(&self, what: &str) {
        // A test that is over does not listen any more.
        let _ = self.0.send(what.to_owned());
    }
}

/// Tells how a call ended: by itself, or by being dropped.
struct Call {
    report: Report,
    name: String,
    ended: bool,
}

impl Call {
    fn begin(report: &Report, name: &str) -> Self {
        report.say(&format!("{name} began"));
        Self { report: report.clone(), name: name.to_owned(), ended: false }
    }

    fn end(mut self) -> String {
        self.ended = true;
        self.name.clone()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.report.say(&format!("{} {}", self.name, if self.ended { "ended" } else { "was dropped" }));
    }
}

/// Opens when the test says so.
struct Gate(Semaphore);

/// Wait for the gate.
#[tool]
async fn wait(name: String, report: State<Report>, gate: State<Gate>) -> Result<String, ToolError> {
    let call = Call::begin(&report, &name);
    gate.0.0.acquire().await?.forget();
    Ok(call.end())
}

/// Report, wait for the gate, and report on.
#[tool]
async fn wait_and_report(name: String, ctx: Context, report: State<Report>, gate: State<Gate>) -> Result<String, ToolError> {
    let call = Call::begin(&report, &name);
    ctx.progress(1.0, None, "half");
    gate.0.0.acquire().await?.forget();
    for done in 2..100_u32 {
        ctx.progress(done.into(), None, "more");
        tokio::task::yield_now().await;
    }
    Ok(call.end())
}

/// Leave work behind that watches the call's token.
#[tool]
async fn wait_with_token(name: String, token: CancellationToken, report: State<Report>, gate: State<Gate>) -> String {
    let watching = (report.0.clone(), name.clone());
    tokio::spawn(async move {
        token.cancelled().await;
        watching.0.say(&format!("{} was cancelled", watching.1));
    });
    report.say(&format!("{name} began"));
    gate.0.0.acquire().await.expect("open").forget();
    name
}

/// Wait for the gate, and tell how it ends in both ways: by the future and by the token.
#[tool]
async fn wait_watched(name: String, ctx: Context, report: State<Report>, gate: State<Gate>) -> Result<String, ToolError> {
    let (token, watching) = (ctx.cancellation(), (report.0.clone(), name.clone()));
    tokio::spawn(async move {
        token.cancelled().await;
        watching.0.say(&format!("{} was cancelled", watching.1));
    });
    let call = Call::begin(&report, &name);
    gate.0.0.acquire().await?.forget();
    Ok(call.end())
}

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

struct Fixture {
    server: Server,
    gate: Arc<Gate>,
    reports: Reports,
}

struct Reports(mpsc::UnboundedReceiver<String>);

impl Reports {
    async fn expect(&mut self, what: &str) {
        assert_eq!(soon(what, self.0.recv()).await.as_deref(), Some(what));
    }

    fn none(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }

    /// The next ones, sorted.
    async fn next(&mut self, count: usize) -> Vec<String> {
        let mut next = Vec::new();
        while next.len() < count {
            next.extend(soon(&format!("{count} reports, after {next:?}"), self.0.recv()).await);
        }
        next.sort();
        next
    }
}

fn fixture() -> Fixture {
    let (sender, reports) = mpsc::unbounded_channel();
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let tools = [wait::tool(), wait_and_report::tool(), wait_with_token::tool(), wait_watched::tool(), echo::tool()];
    let server = Server::new("disconnect", "0").allow_anonymous().only(tools);
    let server = server.state(Report(sender)).shared_state(Arc::clone(&gate)).drain_timeout(Duration::from_secs(3600));
    Fixture { server, gate, reports: Reports(reports) }
}

impl Gate {
    fn open(&self) {
        self.0.add_permits(1);
    }
}

fn call(tool: &str, name: &str) -> HttpCall {
    HttpCall::tool(tool, json!({ "name": name })).meta("progressToken", json!("t"))
}

/// As a client of this revision sends it, in a session where it has one.
async fn ready(router: &Router, era: Era, call: HttpCall) -> HttpCall {
    if !era.is_legacy() {
        return call;
    }
    call.in_era(era).session(&open(router, HttpCall::initialize(era)).await)
}

/// A request that somebody waits for.
fn ask(router: &Router, call: HttpCall) -> JoinHandle<Answer> {
    let router = router.clone();
    tokio::spawn(async move { call.send(&router).await })
}

/// Its client goes away.
async fn leave(waiting: JoinHandle<Answer>) {
    waiting.abort();
    let _ = waiting.await;
}

/// Everything that can run now has run.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn answered(waiting: JoinHandle<Answer>) -> Answer {
    soon("an answer", waiting).await.expect("no panic")
}

/// `notifications/cancelled` as a legacy client sends it.
fn cancel(session: &str, id: impl Into<Value>) -> HttpCall {
    let params = json!({ "requestId": id.into(), "reason": "user pressed stop" });
    HttpCall::legacy(NEWEST, "notifications/cancelled", params).notification().session(session)
}

async fn accepted(router: &Router, notification: HttpCall) {
    let answer = notification.send(router).await;
    assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", answer.shown());
}

// ---------------------------------------------------------------------------------------------- cancelled by its client

#[tokio::test]
async fn a_cancelled_call_is_dropped_and_not_answered() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server);
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let waiting = ask(&router, call("wait", "call").in_era(era).session(&session));
        reports.expect("call began").await;
        accepted(&router, cancel(&session, 7).in_era(era).session(&session)).await;
        reports.expect("call was dropped").await;
        let answer = answered(waiting).await;
        // A stream on which nothing comes: an empty JSON body would be no JSON.
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{era:?}: {}", answer.shown());
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{era:?}");
    }
}

#[tokio::test]
async fn a_cancelled_stream_ends_without_an_answer() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server);
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let request = call("wait_and_report", "call").in_era(era).session(&session).request();
        let mut body = router.clone().oneshot(request).await.expect("routers do not fail").into_body();
        if era == NEWEST {
            let priming = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
            assert!(priming.starts_with(b"id: ") && priming.ends_with(b"\ndata: \n\n"), "{priming:?}");
        }
        let first = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
        assert!(first.starts_with(b"id: ") && String::from_utf8_lossy(&first).contains("\"half\""), "{era:?}");
        reports.expect("call began").await;
        accepted(&router, cancel(&session, 7)).await;
        reports.expect("call was dropped").await;
        let rest = soon("the end of the stream", body.collect()).await.expect("no error").to_bytes();
        assert!(rest.is_empty(), "{era:?}: {rest:?}");
    }
}

#[tokio::test]
async fn a_cancelled_call_tells_the_work_it_left_behind() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server);
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let waiting = ask(&router, call("wait_with_token", "call").in_era(NEWEST).session(&session));
    reports.expect("call began").await;
    accepted(&router, cancel(&session, 7)).await;
    reports.expect("call was cancelled").await;
    assert_eq!(answered(waiting).await.body.len(), 0);
}

#[tokio::test]
async fn a_cancelled_call_gives_its_place_back() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server.max_concurrent_calls(1));
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let waiting = ask(&router, call("wait", "call").in_era(NEWEST).session(&session));
    reports.expect("call began").await;
    let echo = || HttpCall::tool("echo", json!({ "message": "hi" })).in_era(NEWEST).session(&session);
    assert_eq!(echo().send(&router).await.outcome(), (200, Some(-32603)), "it is taken");
    accepted(&router, cancel(&session, 7)).await;
    answered(waiting).await;
    assert_eq!(echo().send(&router).await.tool_text(), "hi");
}

#[tokio::test]
async fn a_call_is_cancelled_by_its_own_id_in_its_own_session_alone() {
    let Fixture { server, gate, mut reports } = fixture();
    let auth = StaticTokens::new().token("ada-0123456789abcdefgh", Principal::user("ada"));
    let router = router(server.auth(Auth::chain().with(auth)));
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let other = open(&router, HttpCall::initialize(NEWEST)).await;
    let waiting = ask(&router, call("wait", "call").in_era(NEWEST).session(&session));
    reports.expect("call began").await;
    let raw = |params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#);
        cancel(&session, 0).body(body)
    };
    for (what, notification, status) in [
        ("another session", cancel(&other, 7), 202),
        ("no session", cancel(&other, 7).without_header("mcp-session-id"), 202),
        ("another type of id", cancel(&session, "7"), 202),
        ("another id", cancel(&session, 8), 202),
        ("an id that looks alike", raw(r#"{"requestId":7.0}"#), 202),
        ("no id", raw("{}"), 202),
        ("null", raw(r#"{"requestId":null}"#), 202),
        ("no params", raw("[7]"), 202),
        ("the newest revision", HttpCall::new("notifications/cancelled", json!({ "requestId": 7 })).notification(), 202),
        (
            "the newest revision with the session",
            HttpCall::new("notifications/cancelled", json!({ "requestId": 7 })).notification().session(&session),
            202,
        ),
        ("a forged session", cancel("forged", 7), 404),
        ("another caller", cancel(&session, 7).token("ada-0123456789abcdefgh"), 404),
    ] {
        let answer = notification.send(&router).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.shown());
    }
    // A request of that name is no notification.
    let request = cancel(&session, 7).edit(|message| message["id"] = json!(1)).send(&router).await;
    assert_eq!(request.outcome(), (200, Some(-32601)));
    tokio::task::yield_now().await;
    reports.none();
    gate.open();
    assert_eq!(answered(waiting).await.tool_text(), "call");
    reports.expect("call ended").await;
    // What has ended is cancelled in vain.
    accepted(&router, cancel(&session, 7)).await;
}

#[tokio::test]
async fn of_two_calls_in_a_session_the_named_one_is_cancelled() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let start = |name: &str, id: Value| {
        let call = call("wait", name).in_era(NEWEST).session(&session);
        ask(&router, call.edit(|message| message["id"] = id))
    };
    let text = start("text", json!("1"));
    reports.expect("text began").await;
    let number = start("number", json!(1));
    reports.expect("number began").await;
    accepted(&router, cancel(&session, "1")).await;
    reports.expect("text was dropped").await;
    assert_eq!(answered(text).await.body.len(), 0);
    gate.open();
    assert_eq!(answered(number).await.tool_text(), "number");
}

#[tokio::test]
async fn a_call_of_the_newest_revision_is_cancelled_by_no_message() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let waiting = ask(&router, call("wait", "call").session(&session));
    reports.expect("call began").await;
    let modern = HttpCall::new("notifications/cancelled", json!({ "requestId": 7 })).notification();
    for notification in [cancel(&session, 7), modern.clone(), modern.session(&session)] {
        accepted(&router, notification).await;
    }
    reports.none();
    gate.open();
    assert_eq!(answered(waiting).await.tool_text(), "call");
}

#[tokio::test]
async fn a_batch_is_answered_without_what_was_cancelled() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    let session = open(&router, HttpCall::initialize(Era::V2025_03_26)).await;
    let batch = |names: &[&str]| {
        let element = |name: &&str| {
            let call = call("wait", name).in_era(Era::V2025_03_26).edit(|message| message["id"] = json!(name));
            call.text()
        };
        let body = format!("[{}]", names.iter().map(element).collect::<Vec<_>>().join(","));
        ask(&router, call("wait", "").in_era(Era::V2025_03_26).session(&session).body(body))
    };
    let two = batch(&["one", "two"]);
    reports.expect("one began").await;
    reports.expect("two began").await;
    accepted(&router, cancel(&session, "one")).await;
    reports.expect("one was dropped").await;
    gate.open();
    reports.expect("two ended").await;
    let content = json!([{ "type": "text", "text": "two" }]);
    assert_eq!(answered(two).await.json(), json!([{ "jsonrpc": "2.0", "id": "two", "result": { "content": content } }]));

    let all = batch(&["one"]);
    reports.expect("one began").await;
    accepted(&router, cancel(&session, "one")).await;
    let answer = answered(all).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", answer.shown());
    reports.expect("one was dropped").await;
}

#[tokio::test]
async fn without_a_session_nothing_is_cancelled_by_a_message() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server.legacy_clients(LegacyClients::Sessionless));
    let waiting = ask(&router, call("wait", "call").in_era(NEWEST));
    reports.expect("call began").await;
    for notification in [cancel("", 7).without_header("mcp-session-id"), cancel("any", 7)] {
        accepted(&router, notification).await;
    }
    reports.none();
    gate.open();
    assert_eq!(answered(waiting).await.tool_text(), "call");
}

// ---------------------------------------------------------------------------------------------- its client is gone

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_ends_the_call_in_the_newest_revision_alone() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    for era in Era::ALL {
        for tool in ["wait", "wait_with_token"] {
            let waiting = ask(&router, ready(&router, era, call(tool, "call")).await);
            reports.expect("call began").await;
            leave(waiting).await;
            let end = if tool == "wait" { "was dropped" } else { "was cancelled" };
            if !era.is_legacy() {
                reports.expect(&format!("call {end}")).await;
                continue;
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            reports.none();
            gate.open();
            if tool == "wait" {
                reports.expect("call ended").await;
            } else {
                // The call ended as it should, and its token is nobody's any more.
                soon("the gate", async {
                    while gate.0.available_permits() > 0 {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                reports.none();
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_ends_the_call_in_the_newest_revision_alone() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    for era in Era::ALL {
        let request = ready(&router, era, call("wait_and_report", "call")).await.request();
        let response = router.clone().oneshot(request).await.expect("routers do not fail");
        assert_eq!(response.headers()["content-type"], "text/event-stream", "{era:?}");
        let mut body = response.into_body();
        body.frame().await.expect("a frame").expect("no error");
        reports.expect("call began").await;
        drop(body);
        if era.is_legacy() {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            reports.none();
            gate.open();
            reports.expect("call ended").await;
        } else {
            reports.expect("call was dropped").await;
        }
    }
}

#[tokio::test]
async fn a_batch_whose_client_leaves_goes_on() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    let era = Era::V2025_03_26;
    let body = format!("[{},{}]", call("wait", "one").in_era(era).text(), call("wait", "two").in_era(era).text());
    let waiting = ask(&router, ready(&router, era, call("wait", "")).await.body(body));
    reports.expect("one began").await;
    reports.expect("two began").await;
    leave(waiting).await;
    gate.open();
    gate.open();
    let ended = [soon("an end", reports.0.recv()).await, soon("an end", reports.0.recv()).await];
    for name in ["one ended", "two ended"] {
        assert!(ended.iter().flatten().any(|report| report == name), "{ended:?}");
    }
}

/// A batch of calls named `0`, `1`, and so on.
fn batch(tool: &str, calls: usize) -> HttpCall {
    let era = Era::V2025_03_26;
    let element = |id: usize| call(tool, &id.to_string()).in_era(era).edit(|message| message["id"] = json!(id)).text();
    call(tool, "").in_era(era).body(format!("[{}]", (0..calls).map(element).collect::<Vec<_>>().join(",")))
}

fn each(calls: std::ops::Range<usize>, what: &str) -> Vec<String> {
    let mut names: Vec<_> = calls.map(|name| format!("{name} {what}")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_batch_without_a_client_begins_what_it_had_not_begun_and_takes_one_place() {
    const CALLS: usize = 20;
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server.max_unattended_calls(1));
    let session = open(&router, HttpCall::initialize(Era::V2025_03_26)).await;
    for _ in 0..2 {
        let waiting = ask(&router, batch("wait", CALLS).session(&session));
        assert_eq!(reports.next(8).await, each(0..8, "began"));
        leave(waiting).await;
        settle().await;
        reports.none();
        // Which leaves none for another.
        let other =
            ask(&router, call("wait", "other").in_era(NEWEST).session(&open(&router, HttpCall::initialize(NEWEST)).await));
        reports.expect("other began").await;
        leave(other).await;
        reports.expect("other was dropped").await;
        gate.0.add_permits(CALLS);
        let told = reports.next(2 * CALLS - 8).await;
        let (began, ended): (Vec<_>, Vec<_>) = told.into_iter().partition(|report| report.ends_with("began"));
        assert_eq!((began, ended), (each(8..CALLS, "began"), each(0..CALLS, "ended")));
        // The second time it has the place again.
        settle().await;
        reports.none();
    }
}

#[tokio::test]
async fn a_batch_that_finds_no_place_ends_with_its_client_and_begins_nothing_more() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server.max_unattended_calls(0));
    let session = open(&router, HttpCall::initialize(Era::V2025_03_26)).await;
    let waiting = ask(&router, batch("wait", 20).session(&session));
    assert_eq!(reports.next(8).await, each(0..8, "began"));
    leave(waiting).await;
    assert_eq!(reports.next(8).await, each(0..8, "was dropped"));
    gate.open();
    settle().await;
    reports.none();
}

#[tokio::test]
async fn of_the_calls_without_a_client_so_many_go_on_and_the_next_ends_with_its_own() {
    for era in LEGACY {
        let Fixture { server, gate, mut reports } = fixture();
        let router = router(server.max_unattended_calls(2));
        let deserted = async |name: &str, reports: &mut Reports| {
            let waiting = ask(&router, ready(&router, era, call("wait_watched", name)).await);
            reports.expect(&format!("{name} began")).await;
            leave(waiting).await;
        };
        // The newest revision's take none of the places.
        let modern = ask(&router, call("wait", "modern"));
        reports.expect("modern began").await;
        leave(modern).await;
        reports.expect("modern was dropped").await;
        deserted("one", &mut reports).await;
        deserted("two", &mut reports).await;
        settle().await;
        reports.none();
        deserted("three", &mut reports).await;
        assert_eq!(reports.next(2).await, ["three was cancelled", "three was dropped"], "{era:?}");
        settle().await;
        reports.none();
        gate.open();
        reports.expect("one ended").await;
        settle().await;
        deserted("four", &mut reports).await;
        deserted("five", &mut reports).await;
        assert_eq!(reports.next(2).await, ["five was cancelled", "five was dropped"], "{era:?}");
        // A client that waits needs no place.
        let waiting = ask(&router, ready(&router, era, call("wait_watched", "six")).await);
        reports.expect("six began").await;
        gate.0.add_permits(3);
        assert_eq!(reports.next(3).await, ["four ended", "six ended", "two ended"], "{era:?}");
        assert_eq!(answered(waiting).await.status, 200);
    }
}

#[tokio::test]
async fn a_server_that_keeps_no_call_without_its_client_ends_each() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server.max_unattended_calls(0));
    for era in LEGACY {
        let waiting = ask(&router, ready(&router, era, call("wait_watched", "call")).await);
        reports.expect("call began").await;
        leave(waiting).await;
        assert_eq!(reports.next(2).await, ["call was cancelled", "call was dropped"], "{era:?}");
        let request = ready(&router, era, call("wait_and_report", "stream")).await.request();
        let mut body = router.clone().oneshot(request).await.expect("routers do not fail").into_body();
        body.frame().await.expect("a frame").expect("no error");
        reports.expect("stream began").await;
        drop(body);
        reports.expect("stream was dropped").await;
    }
}

#[tokio::test]
async fn a_call_without_a_client_keeps_its_place_until_it_ends() {
    for era in Era::ALL {
        let Fixture { server, gate, mut reports } = fixture();
        let router = router(server.max_concurrent_calls(1));
        let waiting = ask(&router, ready(&router, era, call("wait", "call")).await);
        reports.expect("call began").await;
        leave(waiting).await;
        let echo = async || HttpCall::tool("echo", json!({ "message": "hi" })).send(&router).await.outcome();
        if era.is_legacy() {
            assert_eq!(echo().await, (503, Some(-32603)), "{era:?}");
            gate.open();
            reports.expect("call ended").await;
            let free = async {
                while echo().await.0 == 503 {
                    tokio::task::yield_now().await;
                }
            };
            soon("a free place", free).await;
        } else {
            reports.expect("call was dropped").await;
        }
        assert_eq!(echo().await, (200, None), "{era:?}");
    }
}

#[tokio::test]
async fn a_call_without_a_client_can_still_be_cancelled() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server.max_concurrent_calls(1));
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let waiting = ask(&router, call("wait", "call").in_era(era).session(&session));
        reports.expect("call began").await;
        leave(waiting).await;
        reports.none();
        accepted(&router, cancel(&session, 7)).await;
        reports.expect("call was dropped").await;
        let echo = HttpCall::tool("echo", json!({ "message": "hi" }));
        let free = async {
            while echo.clone().send(&router).await.status == 503 {
                tokio::task::yield_now().await;
            }
        };
        soon("its place", free).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_client_has_no_more_time_than_others() {
    let Fixture { server, mut reports, .. } = fixture();
    let router = router(server.timeout(Duration::from_secs(5)));
    for era in LEGACY {
        let begin = tokio::time::Instant::now();
        let waiting = ask(&router, ready(&router, era, call("wait", "call")).await);
        reports.expect("call began").await;
        leave(waiting).await;
        reports.expect("call was dropped").await;
        assert_eq!(begin.elapsed().as_secs(), 5, "{era:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_deleted_ends_its_calls_and_no_others() {
    let Fixture { server, gate, mut reports } = fixture();
    let router = router(server);
    for era in LEGACY {
        let (session, other) = (open(&router, HttpCall::initialize(era)).await, open(&router, HttpCall::initialize(era)).await);
        let in_session = |session: &str, name: &str| call("wait", name).in_era(era).session(session);
        let waiting = ask(&router, in_session(&session, "call"));
        reports.expect("call began").await;
        let deserted = ask(&router, in_session(&session, "deserted").edit(|message| message["id"] = json!("7")));
        reports.expect("deserted began").await;
        leave(deserted).await;
        let others = ask(&router, in_session(&other, "other"));
        reports.expect("other began").await;
        // In vain, as nobody else's.
        let delete = |session: &str| in_session(session, "").http_method(http::Method::DELETE);
        assert_eq!(delete("forged").send(&router).await.status, 404, "{era:?}");
        assert_eq!(delete(&session).header("mcp-protocol-version", "2026-07-28").send(&router).await.status, 405);
        tokio::task::yield_now().await;
        reports.none();
        assert_eq!(delete(&session).send(&router).await.status, 204, "{era:?}");
        let mut dropped =
            [soon("an end", reports.0.recv()).await, soon("an end", reports.0.recv()).await].map(Option::unwrap_or_default);
        dropped.sort();
        assert_eq!(dropped, ["call was dropped", "deserted was dropped"], "{era:?}");
        assert_eq!(answered(waiting).await.body.len(), 0);
        gate.open();
        assert_eq!(answered(others).await.tool_text(), "other", "{era:?}");
        reports.expect("other ended").await;
    }
}

// ---------------------------------------------------------------------------------------------- over a socket

struct Running {
    address: SocketAddr,
    handle: Handle,
    run: JoinHandle<mcp_runtime::Result<()>>,
}

async fn serve(server: Server) -> Running {
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (bound.address(), bound.handle());
    Running { address, handle, run: tokio::spawn(bound.run()) }
}

impl Running {
    async fn open(&self, call: HttpCall) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(&call.wire()).await.expect("the server reads");
        stream
    }

    async fn ask(&self, call: HttpCall) -> String {
        let mut answer = String::new();
        let mut stream = self.open(call.header("connection", "close")).await;
        soon("an answer", stream.read_to_string(&mut answer)).await.expect("it can be read");
        answer
    }

    /// As a client of this revision sends it, in a session where it has one.
    async fn ready(&self, era: Era, call: HttpCall) -> HttpCall {
        if !era.is_legacy() {
            return call;
        }
        let opened = self.ask(HttpCall::initialize(era)).await;
        let session = opened.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        call.in_era(era).session(session.unwrap_or_else(|| panic!("no session in {opened}")))
    }

    async fn ended(self) {
        soon("the server's end", self.run).await.expect("no panic").expect("no error");
    }
}

async fn until(stream: &mut TcpStream, what: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(what) {
        let count = soon(what, stream.read_buf(&mut read)).await.expect("it can be read");
        assert_ne!(count, 0, "the connection ended before {what}: {}", String::from_utf8_lossy(&read));
    }
}

#[tokio::test]
async fn a_lost_connection_ends_the_call_in_the_newest_revision_alone() {
    let Fixture { server, gate, mut reports } = fixture();
    // A second connection is served once the first has ended.
    let server = serve(server.max_connections(1)).await;
    for era in Era::ALL {
        for tool in ["wait", "wait_and_report"] {
            let mut stream = server.open(server.ready(era, call(tool, "call")).await).await;
            reports.expect("call began").await;
            if tool == "wait_and_report" {
                until(&mut stream, "\"half\"").await;
            }
            drop(stream);
            let echo = HttpCall::tool("echo", json!({ "message": "hi" }));
            assert!(server.ask(echo).await.contains("\"hi\""), "{era:?}");
            if era.is_legacy() {
                reports.none();
                gate.open();
                reports.expect("call ended").await;
            } else {
                reports.expect("call was dropped").await;
            }
        }
    }
    server.handle.shutdown();
    server.ended().await;
}

/// Leaves a call without its client behind.
async fn deserted(server: &Running, era: Era, reports: &mut Reports) {
    let stream = server.open(server.ready(era, call("wait", "call")).await).await;
    reports.expect("call began").await;
    drop(stream);
    assert!(server.ask(HttpCall::tool("echo", json!({ "message": "hi" }))).await.contains("\"hi\""));
}

#[tokio::test]
async fn a_stopping_server_waits_for_calls_without_a_client() {
    for era in LEGACY {
        let Fixture { server, gate, mut reports } = fixture();
        let server = serve(server.max_connections(1)).await;
        deserted(&server, era, &mut reports).await;
        server.handle.shutdown();
        let closed = async {
            while TcpStream::connect(server.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        soon("a closed door", closed).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!server.run.is_finished(), "{era:?}: it waits for the call");
        reports.none();
        gate.open();
        reports.expect("call ended").await;
        server.ended().await;
    }
}

#[tokio::test]
async fn a_stopping_server_waits_no_longer_than_its_drain_timeout() {
    for era in LEGACY {
        let Fixture { server, mut reports, .. } = fixture();
        let server = serve(server.max_connections(1).drain_timeout(Duration::from_millis(50))).await;
        deserted(&server, era, &mut reports).await;
        server.handle.shutdown();
        reports.expect("call was dropped").await;
        server.ended().await;
    }
}

#[tokio::test]
async fn a_client_that_still_waits_when_the_drain_is_over_leaves_no_call_behind() {
    for era in Era::ALL {
        let Fixture { server, mut reports, .. } = fixture();
        let server = serve(server.drain_timeout(Duration::from_millis(50))).await;
        let mut stream = server.open(server.ready(era, call("wait", "call")).await).await;
        reports.expect("call began").await;
        server.handle.shutdown();
        reports.expect("call was dropped").await;
        let mut rest = Vec::new();
        soon("the connection's end", stream.read_to_end(&mut rest)).await.expect("it can be read");
        assert!(rest.is_empty(), "{era:?}");
        server.ended().await;
    }
}

#[tokio::test]
async fn a_server_whose_run_is_dropped_leaves_no_call_behind() {
    for era in Era::ALL {
        let Fixture { server, mut reports, .. } = fixture();
        let server = serve(server).await;
        let _stream = server.open(server.ready(era, call("wait", "call")).await).await;
        reports.expect("call began").await;
        server.run.abort();
        assert_eq!(soon(&format!("the end of the call, {era:?}"), reports.0.recv()).await.as_deref(), Some("call was dropped"));
    }
}

#[tokio::test]
async fn a_batch_without_a_client_ends_with_its_server() {
    for aborted in [false, true] {
        let Fixture { server, gate, mut reports } = fixture();
        let server = serve(server.max_connections(1).drain_timeout(Duration::from_millis(50))).await;
        let session = server.ready(Era::V2025_03_26, batch("wait", 20)).await;
        let stream = server.open(session).await;
        assert_eq!(reports.next(8).await, each(0..8, "began"));
        drop(stream);
        assert!(server.ask(HttpCall::tool("echo", json!({ "message": "hi" }))).await.contains("\"hi\""));
        reports.none();
        if aborted {
            server.run.abort();
            assert_eq!(reports.next(8).await, each(0..8, "was dropped"));
        } else {
            server.handle.shutdown();
            assert_eq!(reports.next(8).await, each(0..8, "was dropped"));
            server.ended().await;
        }
        gate.0.add_permits(20);
        settle().await;
        reports.none();
    }
}

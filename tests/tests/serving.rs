//! Over a real loopback socket: cancellation, streams, shutdown, limits, and life inside a host application.

mod http_call;

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http_call::{HttpCall, messages, router};
use mcp_runtime::Handle;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// No test takes so long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

// ---------------------------------------------------------------------------------------------- tools

/// What the tools of one test tell it.
struct Report(mpsc::UnboundedSender<&'static str>);

impl Report {
    fn say(&self, what: &'static str) {
        // A test that is over does not listen any more.
        let _ = self.0.send(what);
    }

    fn on_drop(&self) -> SayOnDrop {
        SayOnDrop(self.0.clone())
    }
}

/// Proves that a future was dropped.
struct SayOnDrop(mpsc::UnboundedSender<&'static str>);

impl Drop for SayOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

/// Opens when the test says so.
struct Gate(Semaphore);

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

/// Never end.
#[tool]
async fn hang(report: State<Report>) -> String {
    let _dropped = report.on_drop();
    report.say("started");
    pending().await
}

/// Report progress, then never end.
#[tool]
async fn hang_while_streaming(report: State<Report>, ctx: Context) -> String {
    let _dropped = report.on_drop();
    report.say("started");
    ctx.progress(1.0, 3.0, "scanning");
    pending().await
}

/// Leave work behind that watches the call's token.
#[tool]
async fn spawn_and_hang(report: State<Report>, token: CancellationToken) -> String {
    let sender = report.0.0.clone();
    tokio::spawn(async move {
        token.cancelled().await;
        let _ = sender.send("cancelled");
    });
    report.say("started");
    pending().await
}

/// Answer once the gate opens.
#[tool]
async fn wait_for_gate(message: String, report: State<Report>, gate: State<Gate>) -> Result<String, ToolError> {
    let _dropped = report.on_drop();
    report.say("started");
    gate.0.0.acquire().await?.forget();
    Ok(message)
}

/// Answer once the other caller is there as well.
#[tool]
async fn meet(message: String, barrier: State<Barrier>) -> String {
    barrier.wait().await;
    message
}

/// Report three steps and end.
#[tool]
async fn three_steps(ctx: Context) -> &'static str {
    for (done, message) in [(1.0, "scanning"), (2.0, ""), (3.0, "line\nbreak")] {
        ctx.progress(done, 3.0, message);
        tokio::task::yield_now().await;
    }
    "3 shards"
}

/// Report only in the last moment.
#[tool]
async fn last_moment(ctx: Context) -> &'static str {
    ctx.progress(1.0, None, "done");
    "done"
}

/// Panic, one way or another.
#[tool]
async fn panics(how: String) -> String {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("secret in a destructor");
        }
    }
    match how.as_str() {
        "late" => {
            tokio::task::yield_now().await;
            panic!("secret after a while");
        }
        "formatted" => panic!("secret {how}"),
        "value" => std::panic::panic_any(7),
        "destructor" => {
            let _bomb = Bomb;
            how
        }
        "spawned" => tokio::spawn(async { panic!("secret of a task") }).await.map(|()| how).expect("secret of a join"),
        _ => panic!("secret"),
    }
}

/// Panic off the async threads.
#[tool(blocking)]
fn panics_blocking() -> String {
    panic!("secret of a thread")
}

/// Panic before there is a future.
#[tool]
fn panics_at_once() -> String {
    panic!("secret at once")
}

/// Has less time than others.
#[tool(timeout = "40ms")]
async fn impatient(report: State<Report>) -> String {
    let _dropped = report.on_drop();
    pending().await
}

/// Who came in through the host's door.
#[tool]
fn visitor(visitor: Extension<Visitor>) -> String {
    visitor.0.0.clone()
}

#[derive(Clone)]
struct Visitor(String);

struct Fixture {
    server: Server,
    reports: mpsc::UnboundedReceiver<&'static str>,
}

fn fixture() -> Fixture {
    let (sender, reports) = mpsc::unbounded_channel();
    let tools = [
        echo::tool(),
        hang::tool(),
        hang_while_streaming::tool(),
        spawn_and_hang::tool(),
        wait_for_gate::tool(),
        meet::tool(),
        three_steps::tool(),
        last_moment::tool(),
        panics::tool(),
        panics_blocking::tool(),
        panics_at_once::tool(),
        impatient::tool(),
        visitor::tool(),
    ];
    let server = Server::new("serving", "0")
        .allow_anonymous()
        .only(tools)
        .state(Report(sender))
        .state(Gate(Semaphore::new(0)))
        .state(Barrier::new(2));
    Fixture { server, reports }
}

impl Fixture {
    fn with(mut self, change: impl FnOnce(Server) -> Server) -> Self {
        self.server = change(self.server);
        self
    }

    async fn serve(self) -> Running {
        let bound = self.server.bind("127.0.0.1:0").await.expect("a free port");
        let (address, handle) = (bound.address(), bound.handle());
        Running { address, handle, reports: self.reports, run: tokio::spawn(bound.run()) }
    }
}

struct Running {
    address: SocketAddr,
    handle: Handle,
    reports: mpsc::UnboundedReceiver<&'static str>,
    run: JoinHandle<mcp_runtime::Result<()>>,
}

impl Running {
    async fn open(&self, call: HttpCall) -> Connection {
        let mut connection = Connection(TcpStream::connect(self.address).await.expect("it listens"));
        connection.send(call).await;
        connection
    }

    async fn ask(&self, call: HttpCall) -> Wire {
        self.open(call.header("connection", "close")).await.rest().await
    }

    /// Asks as a client of this revision: a legacy one opens a session before.
    async fn ask_in(&self, era: Era, call: HttpCall) -> Wire {
        if !era.is_legacy() {
            return self.ask(call).await;
        }
        let opened = self.ask(HttpCall::initialize(era)).await;
        let session = opened.head.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        self.ask(call.in_era(era).session(session.unwrap_or_else(|| panic!("no session in {}", opened.head)))).await
    }

    async fn expect(&mut self, what: &'static str) {
        assert_eq!(soon(what, self.reports.recv()).await, Some(what));
    }

    async fn stop(self) {
        self.handle.shutdown();
        let ended = soon("the server's end", self.run).await;
        ended.expect("no panic").expect("no error");
    }
}

struct Connection(TcpStream);

/// An answer as it came over the socket.
struct Wire {
    head: String,
    body: Vec<u8>,
}

impl Connection {
    async fn send(&mut self, call: HttpCall) {
        self.0.write_all(&call.wire()).await.expect("the server reads");
    }

    /// Reads until this has come.
    async fn until(&mut self, what: &str) -> String {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(what) {
            let count = soon(what, self.0.read_buf(&mut read)).await.expect("it can be read");
            assert_ne!(count, 0, "the connection ended before {what}: {}", String::from_utf8_lossy(&read));
        }
        String::from_utf8(read).expect("UTF-8")
    }

    /// Reads to the end of the connection.
    async fn rest(mut self) -> Wire {
        let mut read = Vec::new();
        soon("the end of the answer", self.0.read_to_end(&mut read)).await.expect("it can be read");
        let text = String::from_utf8(read).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let body = if head.contains("transfer-encoding: chunked") { joined(body) } else { body.as_bytes().to_vec() };
        Wire { head: head.to_owned(), body }
    }
}

/// The contents of a chunked body.
fn joined(mut chunks: &str) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a hexadecimal number");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&rest.as_bytes()[..size]);
        chunks = &rest[size + 2..];
    }
}

impl Wire {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no head: {:?}", self.head))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn text(&self) -> String {
        self.json()["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {}", self.json())).to_owned()
    }
}

fn call(tool: &str) -> HttpCall {
    HttpCall::tool(tool, json!({}))
}

fn say(tool: &str, message: &str) -> HttpCall {
    HttpCall::tool(tool, json!({ "message": message }))
}

fn with_progress(call: HttpCall) -> HttpCall {
    call.meta("progressToken", json!("p-9"))
}

// ---------------------------------------------------------------------------------------------- cancellation

#[tokio::test]
async fn a_client_that_leaves_before_the_head_ends_the_call() {
    let mut server = fixture().serve().await;
    let connection = server.open(call("hang")).await;
    server.expect("started").await;
    drop(connection);
    server.expect("dropped").await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_ends_the_call() {
    let mut server = fixture().serve().await;
    let mut connection = server.open(with_progress(call("hang_while_streaming"))).await;
    server.expect("started").await;
    let begun = connection.until("scanning").await;
    assert!(begun.starts_with("HTTP/1.1 200 OK\r\n") && begun.contains("notifications/progress"), "{begun}");
    drop(connection);
    server.expect("dropped").await;
    server.stop().await;
}

#[tokio::test]
async fn work_that_outlives_the_call_is_told_by_the_token() {
    let mut server = fixture().serve().await;
    let connection = server.open(call("spawn_and_hang")).await;
    server.expect("started").await;
    drop(connection);
    server.expect("cancelled").await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_no_call_but_its_own() {
    let mut server = fixture().with(|server| server.shared_state(std::sync::Arc::new(Gate(Semaphore::new(0))))).serve().await;
    let staying = server.open(say("wait_for_gate", "still here").header("connection", "close")).await;
    server.expect("started").await;
    let leaving = server.open(call("hang")).await;
    server.expect("started").await;
    drop(leaving);
    server.expect("dropped").await;
    assert_eq!(server.ask(say("echo", "hi")).await.text(), "hi");
    assert!(server.reports.try_recv().is_err(), "the other call goes on");
    drop(staying);
    server.expect("dropped").await;
    server.stop().await;
}

// ---------------------------------------------------------------------------------------------- shutdown

fn gated() -> (Fixture, std::sync::Arc<Gate>) {
    let gate = std::sync::Arc::new(Gate(Semaphore::new(0)));
    (fixture().with(|server| server.shared_state(std::sync::Arc::clone(&gate))), gate)
}

/// Waits until nobody listens at this address any more.
async fn closed(address: SocketAddr) {
    soon("a closed door", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stopping_server_lets_a_running_call_end() {
    let (fixture, gate) = gated();
    let mut server = fixture.serve().await;
    let connection = server.open(say("wait_for_gate", "done in time")).await;
    server.expect("started").await;
    server.handle.shutdown();
    closed(server.address).await;
    assert!(!server.run.is_finished(), "it waits for the call");
    gate.0.add_permits(1);
    let answer = connection.rest().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "done in time"));
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_hangs_is_dropped_when_the_drain_is_over() {
    let mut server = fixture().with(|server| server.drain_timeout(Duration::from_millis(50))).serve().await;
    let connection = server.open(call("hang")).await;
    server.expect("started").await;
    server.handle.shutdown();
    server.expect("dropped").await;
    assert_eq!(connection.rest().await.head, "", "the connection is closed without an answer");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_hangs_is_dropped_when_the_drain_is_over() {
    let mut server = fixture().with(|server| server.drain_timeout(Duration::from_millis(50))).serve().await;
    let mut connection = server.open(with_progress(call("hang_while_streaming"))).await;
    server.expect("started").await;
    connection.until("scanning").await;
    server.handle.shutdown();
    server.expect("dropped").await;
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_a_stopping_server() {
    let server = fixture().with(|server| server.drain_timeout(Duration::from_secs(3600))).serve().await;
    let mut idle = server.open(say("echo", "hi")).await;
    idle.until("\"hi\"").await;
    let silent = TcpStream::connect(server.address).await.expect("it listens");
    assert_eq!(server.ask(say("echo", "ho")).await.text(), "ho", "the connections before were accepted");
    server.stop().await;
    drop((idle, silent));
}

#[tokio::test]
async fn a_server_whose_run_is_dropped_ends_its_calls() {
    let mut server = fixture().serve().await;
    let connection = server.open(call("hang")).await;
    server.expect("started").await;
    server.run.abort();
    server.expect("dropped").await;
    assert_eq!(connection.rest().await.head, "");
}

#[tokio::test]
async fn a_server_told_to_stop_before_it_runs_ends_at_once() {
    let bound = fixture().server.bind("127.0.0.1:0").await.expect("a free port");
    bound.handle().shutdown();
    soon("the server's end", bound.run()).await.expect("no error");
}

// ---------------------------------------------------------------------------------------------- connections

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = fixture().serve().await;
    let mut connection = Connection(TcpStream::connect(server.address).await.expect("it listens"));
    for message in ["first", "second", "third"] {
        connection.send(say("echo", message)).await;
        connection.until(&format!("\"{message}\"")).await;
    }
    // Two at once: the answers come in order.
    connection.send(say("echo", "fourth")).await;
    connection.send(say("echo", "fifth").header("connection", "close")).await;
    let both = connection.until("\"fifth\"").await;
    assert!(both.find("\"fourth\"") < both.find("\"fifth\""), "{both}");
    server.stop().await;
}

#[tokio::test]
async fn two_calls_with_one_id_get_their_own_answers() {
    let server = fixture().serve().await;
    let (one, two) = tokio::join!(server.ask(say("meet", "one")), server.ask(say("meet", "two")));
    assert_eq!((one.text(), two.text()), ("one".to_owned(), "two".to_owned()));
    assert_eq!((&one.json()["id"], &two.json()["id"]), (&json!(7), &json!(7)));
    server.stop().await;
}

#[tokio::test]
async fn two_streams_with_one_id_and_one_token_get_their_own_messages() {
    let mut server = fixture().serve().await;
    let mut hanging = server.open(with_progress(call("hang_while_streaming"))).await;
    server.expect("started").await;
    hanging.until("scanning").await;
    let whole = server.ask(with_progress(call("three_steps"))).await;
    assert_eq!(events(&whole).len(), 4);
    assert!(server.reports.try_recv().is_err(), "the first stream goes on");
    drop(hanging);
    server.expect("dropped").await;
    server.stop().await;
}

#[tokio::test]
async fn a_call_over_the_limit_is_told_to_come_again() {
    let mut server = fixture().with(|server| server.max_concurrent_calls(1)).serve().await;
    let connection = server.open(call("hang")).await;
    server.expect("started").await;
    let refused = server.ask(say("echo", "hi")).await;
    assert_eq!((refused.status(), &refused.json()["error"]["code"]), (503, &json!(-32603)));
    assert_eq!(server.ask(HttpCall::list()).await.status(), 200, "only calls are counted");
    drop(connection);
    server.expect("dropped").await;
    let again = soon("a free place", async {
        loop {
            let answer = server.ask(say("echo", "hi")).await;
            if answer.status() == 200 {
                return answer;
            }
        }
    });
    assert_eq!(again.await.text(), "hi");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_another_ends() {
    let mut server = fixture().with(|server| server.max_connections(1)).serve().await;
    let first = server.open(call("hang")).await;
    server.expect("started").await;
    let second = server.open(say("echo", "hi").header("connection", "close")).await;
    drop(first);
    server.expect("dropped").await;
    assert_eq!(second.rest().await.text(), "hi");
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let server = fixture().with(|server| server.client_timeout(Duration::from_millis(50))).serve().await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(b"POST /mcp HTTP/1.1\r\nhost: local").await.expect("the server reads");
    let answer = Connection(stream).rest().await;
    assert!(answer.head.is_empty() || answer.status() == 408, "{}", answer.head);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_on_the_wire() {
    let server = fixture().with(|server| server.client_timeout(Duration::from_millis(50))).serve().await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let answer = Connection(stream).rest().await;
    assert_eq!(answer.status(), 408);
    server.stop().await;
}

// ---------------------------------------------------------------------------------------------- streams

/// The messages of a stream.
fn events(answer: &Wire) -> Vec<Value> {
    messages(std::str::from_utf8(&answer.body).expect("UTF-8"))
}

#[tokio::test]
async fn a_call_with_progress_is_a_stream_that_ends_with_its_response() {
    let server = fixture().serve().await;
    let progress = |done: f64, message: Option<&str>| {
        let mut params = json!({ "progressToken": "p-9", "progress": done, "total": 3.0 });
        if let Some(message) = message {
            params["message"] = json!(message);
        }
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
    };
    for era in Era::ALL {
        let answer = server.ask_in(era, with_progress(call("three_steps"))).await;
        assert_eq!(answer.status(), 200, "{era:?}");
        for header in ["content-type: text/event-stream", "cache-control: no-cache", "x-accel-buffering: no"] {
            assert!(answer.head.lines().any(|line| line == header), "{header} not in {}", answer.head);
        }
        assert!(!answer.head.contains("mcp-session-id"), "{}", answer.head);
        let mut result = json!({ "content": [{ "type": "text", "text": "3 shards" }] });
        if !era.is_legacy() {
            result["resultType"] = json!("complete");
            result["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": { "name": "serving", "version": "0" } });
        }
        let response = json!({ "jsonrpc": "2.0", "id": 7, "result": result });
        let reports = [progress(1.0, Some("scanning")), progress(2.0, None), progress(3.0, Some("line\nbreak"))];
        assert_eq!(events(&answer), [reports.as_slice(), &[response]].concat(), "{era:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_progress_token_there_is_no_stream() {
    let server = fixture().serve().await;
    for era in Era::ALL {
        let answer = server.ask_in(era, call("three_steps")).await;
        assert!(answer.head.contains("content-type: application/json"), "{era:?}: {}", answer.head);
        assert_eq!(answer.text(), "3 shards", "{era:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_only_json_gets_json() {
    let server = fixture().serve().await;
    for era in Era::ALL {
        for accept in ["application/json", "application/*"] {
            let answer = server.ask_in(era, with_progress(call("three_steps")).header("accept", accept)).await;
            assert!(answer.head.contains("content-type: application/json"), "{accept}, {era:?}: {}", answer.head);
            assert_eq!(answer.text(), "3 shards");
        }
        for accept in ["*/*", "text/event-stream"] {
            let answer = server.ask_in(era, with_progress(call("three_steps")).header("accept", accept)).await;
            assert!(answer.head.contains("content-type: text/event-stream"), "{accept}, {era:?}: {}", answer.head);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_reports_only_at_its_end_is_no_stream() {
    let server = fixture().serve().await;
    for era in Era::ALL {
        let answer = server.ask_in(era, with_progress(call("last_moment"))).await;
        assert!(answer.head.contains("content-type: application/json"), "{era:?}: {}", answer.head);
        assert_eq!(answer.text(), "done", "{era:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn progress_tokens_come_back_as_they_were_written() {
    let server = fixture().serve().await;
    for token in [json!(9_007_199_254_740_993_u64), json!(-1), json!("é \"x\""), json!("")] {
        let answer = server.ask(call("three_steps").meta("progressToken", token.clone())).await;
        assert_eq!(events(&answer)[0]["params"]["progressToken"], token);
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    let router = router(fixture().server.heartbeat(None));
    let begin = tokio::time::Instant::now();
    let response = router.oneshot(with_progress(call("hang_while_streaming")).request()).await.expect("routers do not fail");
    let mut body = response.into_body();
    let mut next = async || body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert!(next().await.starts_with(b"data: "));
    assert_eq!((&*next().await, begin.elapsed().as_secs()), (b": keep-alive\n\n".as_slice(), 15));
    assert_eq!((&*next().await, begin.elapsed().as_secs()), (b": keep-alive\n\n".as_slice(), 30));
}

// ---------------------------------------------------------------------------------------------- failures

#[tokio::test]
async fn a_tool_that_panics_is_an_error_for_the_model_and_the_server_lives() {
    let server = fixture().serve().await;
    let mut calls: Vec<_> = ["early", "late", "formatted", "value", "destructor", "spawned"]
        .into_iter()
        .map(|how| HttpCall::tool("panics", json!({ "how": how })))
        .collect();
    calls.extend([call("panics_blocking"), call("panics_at_once")]);
    for call in calls {
        let body = call.text();
        for era in Era::ALL {
            let answer = server.ask_in(era, call.clone()).await;
            assert_eq!((answer.status(), &answer.json()["result"]["isError"]), (200, &json!(true)), "{era:?}: {body}");
            assert_eq!(answer.text(), "The tool failed. The cause is in the server's log.", "{era:?}: {body}");
        }
    }
    assert_eq!(server.ask(say("echo", "alive")).await.text(), "alive");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_too_long_is_stopped_and_says_so() {
    let Fixture { server, mut reports } = fixture();
    let server = router(server.timeout(Duration::from_secs(90)));
    for era in Era::ALL {
        let begin = tokio::time::Instant::now();
        let answer = call("hang").send_in(era, &server).await;
        assert!(answer.is_tool_error(), "{era:?}: {}", answer.shown());
        assert_eq!(answer.tool_text(), "The tool did not finish within its limit of 90s.");
        assert_eq!(begin.elapsed().as_secs(), 90);
        assert_eq!((reports.recv().await, reports.recv().await), (Some("started"), Some("dropped")));
        let answer = call("impatient").send_in(era, &server).await;
        assert_eq!(answer.tool_text(), "The tool did not finish within its limit of 40ms.", "{era:?}");
        assert_eq!(reports.recv().await, Some("dropped"));
        call("spawn_and_hang").send_in(era, &server).await;
        assert_eq!((reports.recv().await, reports.recv().await), (Some("started"), Some("cancelled")));
    }
}

#[tokio::test(start_paused = true)]
async fn progress_does_not_lengthen_a_call() {
    let Fixture { server, mut reports } = fixture();
    let server = router(server.timeout(Duration::from_secs(20)));
    for era in Era::ALL {
        let answer = with_progress(call("hang_while_streaming")).send_in(era, &server).await;
        let text = String::from_utf8(answer.body).expect("UTF-8");
        // A comment: older clients fail on an event without data.
        assert!(text.contains(": keep-alive\n\n"), "{era:?}: {text}");
        let last = text.trim_end().rsplit("\n\n").next().expect("an event");
        assert!(last.contains("did not finish within its limit of 20s") && last.contains("\"isError\":true"), "{era:?}: {last}");
        assert_eq!((reports.recv().await, reports.recv().await), (Some("started"), Some("dropped")));
    }
}

// ---------------------------------------------------------------------------------------------- inside a host application

#[derive(Clone)]
struct AppState {
    name: &'static str,
}

#[tokio::test]
async fn the_router_merges_into_an_application_of_another_state() {
    async fn home(axum::extract::State(app): axum::extract::State<AppState>) -> &'static str {
        app.name
    }
    async fn lost() -> (http::StatusCode, &'static str) {
        (http::StatusCode::IM_A_TEAPOT, "the host's own fallback")
    }
    async fn welcome(mut request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
        let name = request.headers().get("x-visitor").map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        request.extensions_mut().insert(Visitor(name.unwrap_or_default()));
        next.run(request).await
    }
    let mcp = fixture().server.path("/api/mcp").router::<AppState>().expect("it builds");
    let other =
        Server::new("other", "0").allow_anonymous().only([echo::tool()]).path("/other").router::<AppState>().expect("it builds");
    let app = Router::<AppState>::new()
        .route("/", get(home))
        .merge(mcp)
        .merge(other)
        .layer(axum::middleware::from_fn(welcome))
        .fallback(lost)
        .with_state(AppState { name: "the host's home" });

    let answer = say("echo", "hi").uri("/api/mcp").send(&app).await;
    assert_eq!(answer.tool_text(), "hi");
    assert_eq!(say("echo", "hi").uri("/other").send(&app).await.tool_text(), "hi");
    assert_eq!(call("visitor").uri("/api/mcp").header("x-visitor", "Ada").send(&app).await.tool_text(), "Ada");
    let home = HttpCall::list().http_method(http::Method::GET).uri("/").send(&app).await;
    assert_eq!((home.status, home.body.as_slice()), (200, b"the host's home".as_slice()));
    for path in ["/mcp", "/api", "/api/mcp/x", "/nothing"] {
        let lost = say("echo", "hi").uri(path).send(&app).await;
        assert_eq!((lost.status, lost.body.as_slice()), (418, b"the host's own fallback".as_slice()), "{path}");
    }
    let wrong_method = HttpCall::list().http_method(http::Method::GET).uri("/api/mcp").send(&app).await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, Some("POST")), "not the fallback's");
}

#[tokio::test]
async fn the_host_of_a_merged_router_guards_its_own_routes_itself() {
    let app = Router::new().route("/", get(async || "home")).merge(router(fixture().server));
    let foreign = |path: &str| HttpCall::list().http_method(http::Method::GET).uri(path).header("host", "shop.example");
    assert_eq!(foreign("/").send(&app).await.status, 200);
    assert_eq!(foreign("/mcp").send(&app).await.status, 403);
}

//! What clients and tools may not take too much of: time, places, memory; and what user code may not break.

mod every_era;
mod http_call;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use axum::body::Body;
use http_call::{HttpCall, router};
use mcp_runtime::LegacyClients;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tower::ServiceExt as _;

/// Report without an end.
#[tool(timeout = "100ms")]
async fn report_on(ctx: Context, ended: State<Notify>) {
    struct Ended(Arc<Notify>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let _ended = Ended(Arc::clone(&ended.0));
    for done in 0_u32.. {
        ctx.progress(f64::from(done), None, "x".repeat(100_000));
        tokio::task::yield_now().await;
    }
}

/// Say back what you are told.
#[tool]
fn echo(message: String) -> String {
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_holds_up_no_tool() {
    let ended = Arc::new(Notify::new());
    let server = Server::new("limits", "0").only([report_on::tool(), echo::tool()]).shared_state(Arc::clone(&ended));
    // Without sessions the requests of every revision stand alone.
    let server = server.legacy_clients(LegacyClients::Sessionless).max_concurrent_calls(1);
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let (address, handle) = (bound.address(), bound.handle());
    let run = tokio::spawn(bound.run());
    let connect = async |call: HttpCall| {
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("a connection");
        connection.write_all(&call.wire()).await.expect("written");
        connection
    };
    for era in Era::ALL {
        let endless = HttpCall::tool("report_on", json!({})).meta("progressToken", json!("t")).in_era(era);
        let lazy = connect(endless).await;
        let in_time = tokio::time::timeout(Duration::from_secs(20), ended.notified()).await;
        assert!(in_time.is_ok(), "the tool's time limit ends it: {era:?}");
        // Its place is free again, as soon as its task has ended, although its answer was not taken.
        let echo = HttpCall::tool("echo", json!({ "message": "hi" })).header("connection", "close").in_era(era);
        let served = async {
            loop {
                let mut answer = String::new();
                connect(echo.clone()).await.read_to_string(&mut answer).await.expect("an answer");
                if answer.contains("\"result\"") {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), served).await.is_ok(), "a free place: {era:?}");
        drop(lazy);
    }
    handle.shutdown();
    run.await.expect("no panic").expect("stopped");
}

/// Wait off the async threads.
#[tool(blocking, timeout = "100ms")]
fn block(gate: State<Mutex<mpsc::Receiver<()>>>) {
    let gate = gate.lock().expect("not poisoned");
    let _ = gate.recv();
}

#[tokio::test]
async fn blocking_work_keeps_its_place_after_it_was_given_up() {
    for era in Era::ALL {
        let (open, gate) = mpsc::channel();
        let server = Server::new("limits", "0").only([block::tool(), echo::tool()]).state(Mutex::new(gate));
        let client = Client::new(&server.max_concurrent_calls(1)).era(era);
        let given_up = client.call("block", json!({})).await;
        assert!(given_up.is_error() && given_up.text().contains("within its limit of 100ms"), "{}", given_up.text());
        let busy = client.call("echo", json!({ "message": "hi" })).await;
        // The legacy eras map no error of a method to a status.
        let status = if era.is_legacy() { 200 } else { 503 };
        assert_eq!((busy.status(), busy.error_code()), (status, Some(-32603)), "{era:?}");
        open.send(()).expect("it waits");
        while client.call("echo", json!({ "message": "hi" })).await.error_code().is_some() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_takes_no_more_calls_where_it_was_merged_too() {
    let built = Server::new("limits", "0").only([echo::tool()]).allow_anonymous().build().expect("it builds");
    let (router, handle) = (built.router::<()>(), built.handle());
    let call = || HttpCall::tool("echo", json!({ "message": "hi" }));
    for era in Era::ALL {
        assert_eq!(call().send_in(era, &router).await.tool_text(), "hi", "{era:?}");
    }
    handle.shutdown();
    for era in Era::ALL {
        let status = if era.is_legacy() { 200 } else { 503 };
        assert_eq!(call().send_in(era, &router).await.outcome(), (status, Some(-32603)), "{era:?}");
    }
}

#[tokio::test]
async fn large_bodies_share_a_bounded_room() {
    let server = Server::new("limits", "0").only([echo::tool()]).allow_anonymous();
    let router = router(server.max_body_bytes(128 * 1024).max_buffered_bytes(128 * 1024));
    // A body without an end, of a length that is not announced: room for the largest is taken.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    let endless = Body::new(Endless(receiver));
    let call = HttpCall::tool("echo", json!({ "message": "hi" }));
    let first = tokio::spawn(router.clone().oneshot(call.clone().request_with(endless)));
    sender.send(Ok("{".into())).await.expect("read");
    sender.send(Ok("}".into())).await.expect("read");
    let large = HttpCall::tool("echo", json!({ "message": "x".repeat(70_000) }));
    let refused = router.clone().oneshot(large.clone().request()).await.expect("infallible");
    assert_eq!(refused.status().as_u16(), 503);
    let small = router.clone().oneshot(call.request()).await.expect("infallible");
    assert_eq!(small.status().as_u16(), 200, "small bodies need no room");
    drop(sender);
    first.await.expect("no panic").expect("infallible");
    let answer = router.oneshot(large.request()).await.expect("infallible");
    assert_eq!(answer.status().as_u16(), 200);
}

struct Endless(tokio::sync::mpsc::Receiver<Result<bytes::Bytes, std::io::Error>>);

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| data.map(http_body::Frame::data)))
    }
}

/// An error whose text is a bug.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in Display")
    }
}

impl std::error::Error for Unspeakable {}

/// Fail with an error whose text is a bug.
#[tool]
fn unspeakable() -> Result<(), Unspeakable> {
    Err(Unspeakable)
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in the payload's destructor");
    }
}

/// Panic with something that panics when it is dropped.
#[tool]
fn throw_a_bomb() {
    std::panic::panic_any(Bomb);
}

/// Spawn, then panic.
#[tool]
async fn spawn_and_panic(token: CancellationToken, seen: State<Notify>) {
    let seen = Arc::clone(&seen.0);
    tokio::spawn(async move {
        token.cancelled().await;
        seen.notify_one();
    });
    panic!("after spawning");
}

#[tokio::test]
async fn a_panic_anywhere_in_user_code_is_an_answer() {
    let seen = Arc::new(Notify::new());
    let tools = [unspeakable::tool(), throw_a_bomb::tool(), spawn_and_panic::tool()];
    let client = Client::new(&Server::new("limits", "0").only(tools).shared_state(Arc::clone(&seen)));
    for tool in ["unspeakable", "throw_a_bomb", "spawn_and_panic"] {
        let answer = every_era::call(&client, tool, json!({})).await;
        assert_eq!(
            (answer.is_error(), answer.text().as_str()),
            (true, "The tool failed. The cause is in the server's log."),
            "{tool}"
        );
    }
    seen.notified().await;
}

trait Counter: Send + Sync {
    fn next(&self) -> usize;
}

impl Counter for AtomicUsize {
    fn next(&self) -> usize {
        self.fetch_add(1, Ordering::Relaxed)
    }
}

/// Count.
#[tool]
fn count(counter: State<dyn Counter>) -> usize {
    counter.next()
}

#[tokio::test]
async fn a_state_may_be_a_trait_object() {
    let server = Server::new("limits", "0").only([count::tool()]).shared_state::<dyn Counter>(Arc::new(AtomicUsize::new(41)));
    for ((era, client), expected) in every_era::clients(&server).zip(41..) {
        assert_eq!(client.call("count", json!({})).await.text(), expected.to_string(), "{era:?}");
    }
}

#[data]
#[serde(untagged)]
enum Target {
    ById { id: u64 },
    ByName { id: String, exact: Option<bool> },
}

#[data]
enum Level {
    /// One.
    A,
    /// Two.
    B,
    /// Three.
    C,
}

/// Take what must be checked with care.
#[tool]
fn careful(
    target: Option<Target>,
    levels: Option<Vec<Level>>,
    #[schemars(extend("exclusiveMinimum" = 5))] above: Option<u8>,
    #[schemars(required)] needed: Option<String>,
) -> String {
    let target = match target {
        Some(Target::ById { id }) => id.to_string(),
        Some(Target::ByName { id, exact }) => format!("{id} {exact:?}"),
        None => String::new(),
    };
    format!("{target} {} {above:?} {needed:?}", levels.map_or(0, |levels| levels.len()))
}

#[tokio::test]
async fn what_the_schema_says_is_enforced_to_the_letter() {
    let client = Client::new(&Server::new("limits", "0").only([careful::tool()]));
    let call = |mut arguments: Value| {
        let client = client.clone();
        async move {
            arguments["needed"] = "n".into();
            every_era::call(&client, "careful", arguments).await
        }
    };
    for (arguments, text) in [
        (json!({ "target": { "id": 1 } }), "1 0 None Some(\"n\")"),
        (json!({ "target": { "id": "x" } }), "x None 0 None Some(\"n\")"),
        (json!({ "above": 6 }), " 0 Some(6) Some(\"n\")"),
    ] {
        assert_eq!(call(arguments.clone()).await.text(), text, "{arguments}");
    }
    let many = call(json!({ "levels": vec!["C"; 50_000] })).await;
    assert_eq!(many.text(), " 50000 None Some(\"n\")");
    for (arguments, problem) in [
        (json!({ "above": 5 }), "above: expected an integer greater than 5 of at most 255, got 5"),
        (json!({ "levels": ["D"] }), "levels[0]: expected one of \"A\", \"B\", \"C\", got \"D\""),
        (json!({ "target": {} }), "target.id: required, but missing"),
    ] {
        let answer = call(arguments).await;
        assert!(answer.is_error() && answer.text().contains(problem), "{problem} not in {}", answer.text());
    }
    let answer = every_era::call(&client, "careful", json!({})).await;
    assert!(answer.text().contains("needed: required, but missing"), "{}", answer.text());
}

#[tokio::test]
async fn a_hundred_thousand_unknown_names_are_told_briefly() {
    let server = Server::new("limits", "0").only([careful::tool()]);
    let arguments: serde_json::Map<_, _> = (0..100_000).map(|index| (format!("neede{index}"), Value::Null)).collect();
    for (era, client) in every_era::clients(&server) {
        let started = std::time::Instant::now();
        let answer = client.call("careful", arguments.clone().into()).await;
        assert!(answer.is_error() && answer.text().ends_with("more"), "{era:?}: {}", answer.text());
        assert!(started.elapsed() < Duration::from_secs(5), "names are compared only for what is reported");
    }
}

/// A default that a client could not send.
#[tool]
fn unfitting(
    #[arg(default = 50)]
    #[schemars(range(max = 10))]
    limit: u8,
) -> u8 {
    limit
}

#[test]
fn a_default_must_fit_its_schema() {
    let error = Server::new("limits", "0").only([unfitting::tool()]).allow_anonymous().build().expect_err("must not build");
    assert!(
        error.to_string().contains("the default of its argument `limit: expected an integer from 0 to 10, got 50`"),
        "{error}"
    );
}

#[tokio::test]
async fn an_id_that_would_be_echoed_has_a_length() {
    let router = router(Server::new("limits", "0").only([echo::tool()]).allow_anonymous());
    let call = || HttpCall::tool("echo", json!({ "message": "hi" }));
    for era in Era::ALL {
        let long_id = call().edit(|message| message["id"] = "x".repeat(2000).into());
        assert_eq!(long_id.send_in(era, &router).await.outcome(), (400, Some(-32600)), "{era:?}");
        let long_token = call().meta("progressToken", json!("x".repeat(2000)));
        // What is wrong with a method's own parameters has no status in the legacy eras.
        let status = if era.is_legacy() { 200 } else { 400 };
        assert_eq!(long_token.send_in(era, &router).await.outcome(), (status, Some(-32602)), "{era:?}");
    }
}

//! How a batch of the first revision is carried out: what it may take of a server, and what it is told. Which messages may be in
//! one is in `legacy`, what becomes of one without its client in `disconnect`, what a huge one costs in `allocations`.

mod http_call;
mod written;

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use http_call::{Answer, HttpCall, open, router};
use mcp_runtime::LegacyClients;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use written::Written;

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const FIRST: Era = Era::V2025_03_26;

/// So many messages may be in a batch.
const MOST: usize = 50;
/// So many of its calls run at once.
const AT_ONCE: usize = 8;

/// No test takes so long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Everything that can run now has run.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Counts the calls that run, and lets them end.
struct Work {
    begun: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
    gate: Semaphore,
}

impl Work {
    fn new() -> Arc<Self> {
        let [begun, running, most] = [0; 3].map(AtomicUsize::new);
        Arc::new(Self { begun, running, most, gate: Semaphore::new(0) })
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    async fn has_begun(&self, calls: usize) {
        let begun = async {
            while self.begun() < calls {
                tokio::task::yield_now().await;
            }
        };
        soon(&format!("{calls} calls"), begun).await;
    }
}

/// Wait for the gate.
#[tool]
async fn toil(work: State<Work>) -> Result<(), ToolError> {
    work.begun.fetch_add(1, Ordering::Relaxed);
    let running = work.running.fetch_add(1, Ordering::Relaxed) + 1;
    work.most.fetch_max(running, Ordering::Relaxed);
    work.gate.acquire().await?.forget();
    work.running.fetch_sub(1, Ordering::Relaxed);
    Ok(())
}

/// Say a lot, at once.
#[tool]
fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Say a lot, later.
#[tool]
async fn long_later(bytes: usize) -> String {
    tokio::task::yield_now().await;
    "x".repeat(bytes)
}

/// Report, and go on.
#[tool]
async fn report(ctx: Context) -> &'static str {
    for done in 1..10_u32 {
        ctx.progress(done.into(), None, "on");
        tokio::task::yield_now().await;
    }
    "reported"
}

/// Say nothing for a minute.
#[tool]
async fn sleep() -> &'static str {
    tokio::time::sleep(Duration::from_secs(60)).await;
    "slept"
}

fn server() -> Server {
    let tools = [toil::tool(), long::tool(), long_later::tool(), report::tool(), sleep::tool()];
    Server::new("batches", "0").only(tools).shared_state(Work::new()).allow_anonymous()
}

#[expect(clippy::needless_pass_by_value, reason = "tests write it inline")]
fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "t" } });
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params }).to_string()
}

const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
const NOTIFICATION: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Bytes as a legacy client sends them, without a header that names a version or a session.
fn raw(body: impl Into<Vec<u8>>) -> HttpCall {
    HttpCall::legacy(FIRST, "ping", json!({})).body(body)
}

async fn batch(router: &Router, messages: impl IntoIterator<Item = String>) -> HttpCall {
    let body = format!("[{}]", messages.into_iter().collect::<Vec<_>>().join(","));
    raw(body).session(&open(router, HttpCall::initialize(FIRST)).await)
}

/// A request that somebody waits for.
fn ask(router: &Router, call: HttpCall) -> JoinHandle<Answer> {
    let router = router.clone();
    tokio::spawn(async move { call.send(&router).await })
}

fn array(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.shown());
    answer.json().as_array().unwrap_or_else(|| panic!("no array: {}", answer.shown())).clone()
}

/// What the server says on a pipe until these lines are carried out.
async fn piped(server: Server, lines: &[&str]) -> Vec<Value> {
    let output = Written::default();
    let served = server.serve_lines(Cursor::new(lines.join("\n").into_bytes()), output.clone());
    soon("the end of the input", served).await.expect("a good end");
    output.text().lines().map(|line| line.parse().expect("JSON on a line")).collect()
}

fn initialize(era: Era) -> String {
    HttpCall::initialize(era).text()
}

// ---------------------------------------------------------------------------------------------- what it may take

#[tokio::test]
async fn of_a_batch_eight_calls_run_at_once() {
    const CALLS: usize = 20;
    let work = Work::new();
    let router = router(server().shared_state(Arc::clone(&work)));
    let waiting = ask(&router, batch(&router, (0..CALLS).map(|id| call(id, "toil", json!({})))).await);
    for ended in 0..CALLS {
        let begun = (AT_ONCE + ended).min(CALLS);
        work.has_begun(begun).await;
        settle().await;
        assert_eq!(work.begun(), begun, "one begins where one ended: {ended} did");
        work.gate.add_permits(1);
    }
    let answers = array(&soon("the answers", waiting).await.expect("no panic"));
    assert_eq!((answers.len(), work.most.load(Ordering::Relaxed)), (CALLS, AT_ONCE));
}

#[tokio::test]
async fn the_answers_of_a_batch_end_where_they_are_too_long() {
    const RESULT: usize = 1000;
    const LIMIT: usize = 4 * RESULT;
    let router = router(server().max_result_bytes(RESULT));
    let list = |id: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }).to_string();
    // In lengths that differ, so that no limit is met by chance.
    let bytes = |id: &str| json!({ "bytes": 900 + id.len() });
    type Message<'a> = &'a dyn Fn(&str) -> String;
    for (what, message, at_once) in [
        ("tools that answer at once", &(|id: &str| call(id, "long", bytes(id))) as Message<'_>, AT_ONCE),
        ("tools that answer later", &|id: &str| call(id, "long_later", bytes(id)), AT_ONCE),
        ("results that were cut", &|id: &str| call(id, "long", json!({ "bytes": 1_000_000 })), AT_ONCE),
        ("lists", &list, 1),
    ] {
        let ids: Vec<_> = (0..MOST - 2).map(|index| format!("id {index} \"é\"")).collect();
        let messages = ids.iter().map(|id| message(id)).chain([NOTIFICATION.to_owned(), NOTIFICATION.to_owned()]);
        let answer = batch(&router, messages).await.send(&router).await;
        let answers = array(&answer);
        assert_eq!(answers.len(), ids.len(), "{what}: each request is answered, and no notification");
        let of = |id: &String| answers.iter().find(|answer| answer["id"] == **id).unwrap_or_else(|| panic!("{what}: no {id}"));
        let (kept, left_out): (Vec<_>, Vec<_>) = ids.iter().map(of).partition(|answer| answer.get("error").is_none());
        let text =
            format!("Left out: the answers of this batch are over its limit of {LIMIT} bytes; send this request again, alone");
        for (answer, id) in left_out.iter().zip(&ids[kept.len()..]) {
            let error = json!({ "code": -32603, "message": text });
            assert_eq!(**answer, json!({ "jsonrpc": "2.0", "id": id, "error": error }), "{what}: the last ones are left out");
        }
        let lengths: Vec<_> = kept.iter().map(|answer| answer.to_string().len()).collect();
        let (longest, together) = (lengths.iter().max().expect("some are kept"), lengths.iter().sum::<usize>());
        assert!(together > LIMIT, "{what}: {together} bytes would have had room for more");
        assert!(together <= LIMIT + at_once * longest, "{what}: {together} bytes");
        assert!(answer.body.len() <= together + left_out.len() * (text.len() + 100), "{what}: {} bytes", answer.body.len());
    }
    let three = batch(&router, (0..3).map(|id| call(id, "long", json!({ "bytes": 900 })))).await.send(&router).await;
    assert!(array(&three).iter().all(|answer| answer.get("error").is_none()), "{}", three.shown());
}

#[tokio::test]
async fn others_have_their_turn_while_a_batch_is_carried_out() {
    let router = router(server());
    let list = || json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    for (what, message) in [
        ("tools that answer at once", call(1, "long", json!({ "bytes": 10 }))),
        ("lists", list()),
        ("unknown tools", call(1, "ecko", json!({}))),
        ("no messages", "5".to_owned()),
    ] {
        let waiting = ask(&router, batch(&router, vec![message; MOST]).await);
        // On this one thread the batch begins, and goes on once it is asked again.
        tokio::task::yield_now().await;
        assert_eq!(raw(PING).send(&router).await.status, 200);
        assert!(!waiting.is_finished(), "{what}");
        assert_eq!(array(&soon(what, waiting).await.expect("no panic")).len(), MOST);
    }
}

#[tokio::test(start_paused = true)]
async fn progress_that_is_asked_for_in_a_batch_is_not_reported_and_keeps_no_answer() {
    let router = router(server().heartbeat(Duration::from_secs(1)));
    for accept in ["application/json, text/event-stream", "text/event-stream", "*/*"] {
        let messages = ["report", "sleep"].map(|tool| call(tool, tool, json!({})));
        let answer = batch(&router, messages).await.header("accept", accept).send(&router).await;
        let mut answers = array(&answer);
        answers.sort_by_key(|answer| answer["id"].to_string());
        let result = |id, text| {
            let content = json!([{ "type": "text", "text": text }]);
            json!({ "jsonrpc": "2.0", "id": id, "result": { "content": content } })
        };
        assert_eq!(answers, [result("report", "reported"), result("sleep", "slept")], "{accept}");
    }
}

// ---------------------------------------------------------------------------------------------- what it is told

#[tokio::test]
async fn a_batch_before_the_handshake_is_told_what_to_send_first() {
    const FIRST_OPEN: &str = "No session: send initialize first, then its Mcp-Session-Id with every request";
    const FOREIGN: &str = "Not a JSON-RPC request: batches are not part of this protocol version, send one message per request";
    let bodies = [format!("[{PING}]"), format!(" \r\n[{NOTIFICATION}]"), "[]".to_owned(), "[1,2]".to_owned()];
    let router = router(server());
    for (version, message) in [
        (None, FIRST_OPEN),
        (Some("2025-03-26"), FIRST_OPEN),
        (Some("2025-06-18"), FOREIGN),
        (Some("2025-11-25"), FOREIGN),
        (Some("2026-07-28"), FOREIGN),
    ] {
        for body in &bodies {
            let call = raw(body.as_str());
            let call = version.map_or(call.clone(), |version| call.header("mcp-protocol-version", version));
            let answer = call.send(&router).await;
            let error = json!({ "jsonrpc": "2.0", "error": { "code": -32600, "message": message } });
            assert_eq!((answer.status, answer.json()), (400, error), "{version:?}: {body}");
        }
    }
    for body in &bodies {
        let told = piped(server(), &[body.trim()]).await;
        assert_eq!((told.len(), &told[0]["error"]["code"], told[0].get("id")), (1, &json!(-32600), None), "{body}: {told:?}");
        let message = told[0]["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(message, "Send initialize first", "{body}");
    }
    let opened = piped(server(), &[&initialize(FIRST), &bodies[0]]).await;
    assert_eq!(opened[1], json!([{ "jsonrpc": "2.0", "id": 7, "result": {} }]));
}

#[tokio::test]
async fn what_is_no_request_costs_nothing_and_is_answered_beyond_the_budget() {
    let router = router(server().max_result_bytes(100));
    let long = |id: u32| call(id, "long", json!({ "bytes": 90 }));
    let odd = [r#"{"jsonrpc":"2.0","id":"x"}"#.to_owned(), "5".to_owned(), NOTIFICATION.to_owned(), long(99)];
    let call = batch(&router, (0..9).map(long).chain(odd)).await;
    let answers = array(&ask(&router, call).await.expect("an answer"));
    let codes = |id: Option<Value>| {
        answers
            .iter()
            .filter(|answer| answer.get("id") == id.as_ref())
            .map(|answer| answer["error"]["code"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (codes(Some(json!("x"))), codes(None), codes(Some(json!(99)))),
        (vec![json!(-32600)], vec![json!(-32600)], vec![json!(-32603)]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn what_begins_like_a_batch_and_is_no_json_is_told_so() {
    let deep = "[".repeat(100_000);
    let bodies =
        ["[", " \r\n\t[", "[1", "[1,]", "[,1]", "[{]", "[}", "[1 2]", "[nul]", "[\"", "[\"\\x\"]", "[] []", "[1],", &deep];
    let not_json = json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "The message is not valid JSON" } });
    for legacy in [LegacyClients::Sessions, LegacyClients::Sessionless, LegacyClients::Refused] {
        let router = router(server().legacy_clients(legacy));
        let mut calls = vec![raw(""), raw("").session("forged")];
        for era in Era::ALL {
            calls.push(raw("").header("mcp-protocol-version", era.version()));
        }
        if legacy == LegacyClients::Sessions {
            for era in LEGACY {
                let session = open(&router, HttpCall::initialize(era)).await;
                calls.extend([raw("").session(&session), HttpCall::new("ping", json!({})).in_era(era).session(&session)]);
            }
        }
        for body in bodies {
            for call in &calls {
                let answer = call.clone().body(body).send(&router).await;
                assert_eq!(
                    (answer.status, answer.json()),
                    (400, not_json.clone()),
                    "{legacy:?} {}: {call:?}",
                    &body[..4.min(body.len())]
                );
            }
        }
    }
    for body in bodies.map(str::trim).into_iter().filter(|body| !body.contains('\n')) {
        assert_eq!(piped(server(), &[body]).await, std::slice::from_ref(&not_json), "{body:.4}");
        for era in LEGACY {
            assert_eq!(piped(server(), &[&initialize(era), body]).await[1], not_json, "{body:.4} {era:?}");
        }
    }
}

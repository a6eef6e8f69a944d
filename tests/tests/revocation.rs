//! Streams and calls end with the credential that began them, also where it is taken away before its time.

mod event_stream;
mod http_call;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use event_stream::{Stream, get, settle};
use http_call::{HttpCall, open};
use mcp_runtime::Built;
use mcp_runtime::auth::{Place, Rejection, Verdict};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::json;

const HOLDS: u8 = 0;
const REVOKED: u8 = 1;
const SILENT: u8 = 2;
const ANOTHERS: u8 = 3;
const NARROWED: u8 = 4;

/// Say something.
#[tool]
fn say() -> &'static str {
    "said"
}

/// What the tools of one test are in the midst of.
#[derive(Default)]
struct AtWork(AtomicUsize);

struct Work(Arc<AtWork>);

impl Work {
    fn begin(at_work: &State<AtWork>) -> Self {
        at_work.0.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&at_work.0))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Report once, and work on.
#[tool]
async fn work(ctx: Context, at_work: State<AtWork>) {
    let _work = Work::begin(&at_work);
    ctx.progress(1.0, None, "on the way");
    std::future::pending::<()>().await;
}

/// Report without a pause.
#[tool]
async fn chatter(ctx: Context, at_work: State<AtWork>) {
    let _work = Work::begin(&at_work);
    for done in 1_u32.. {
        ctx.progress(done.into(), None, "on the way");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Ask, and wait for the answer.
#[tool]
async fn ask(ctx: Context, at_work: State<AtWork>) -> Result<usize, ToolError> {
    let _work = Work::begin(&at_work);
    Ok(ctx.roots().await?.len())
}

/// A server whose only token is judged as the number says.
fn server() -> (Built, Router, Arc<AtomicU8>) {
    server_with(Server::new("watched", "0").only([say::tool()]).list_changes())
}

fn server_with(server: Server) -> (Built, Router, Arc<AtomicU8>) {
    let state = Arc::new(AtomicU8::new(HOLDS));
    let judged = Arc::clone(&state);
    let auth = Auth::chain().with_fn(Place::AnyBearer, move |token| {
        let verdict = match judged.load(Ordering::SeqCst) {
            HOLDS => Verdict::Accepted(Principal::user(token).scopes(["notes"])),
            NARROWED => Verdict::Accepted(Principal::user(token).scopes(["notes:read"])),
            ANOTHERS => Verdict::Accepted(Principal::user("another")),
            SILENT => Verdict::Rejected(Rejection::unavailable("down", Duration::from_secs(1))),
            _ => Verdict::Rejected(Rejection::invalid_token("revoked")),
        };
        std::future::ready(verdict)
    });
    let built = server.auth(auth).build().expect("a server");
    let router = built.router();
    (built, router, state)
}

fn listen() -> HttpCall {
    HttpCall::new("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })).token("ada")
}

/// A stream of each era.
async fn streams(router: &Router) -> [Stream; 2] {
    let modern = Stream::open(router, listen()).await;
    let session = open(router, HttpCall::initialize(Era::V2025_11_25).token("ada")).await;
    let legacy = Stream::open(router, get(Era::V2025_11_25, &session).token("ada")).await;
    settle().await;
    [modern, legacy]
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_soon_after_its_credential_was_revoked() {
    let (_built, router, state) = server();
    for mut stream in streams(&router).await {
        state.store(HOLDS, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(120)).await;
        state.store(REVOKED, Ordering::SeqCst);
        let revoked = tokio::time::Instant::now();
        stream.rest().await;
        assert!(revoked.elapsed() <= Duration::from_secs(10), "{:?}", revoked.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_as_soon_when_it_is_busy() {
    let (built, router, state) = server();
    let mut stream = Stream::open(&router, listen()).await;
    state.store(REVOKED, Ordering::SeqCst);
    let notifier = built.notify().clone();
    let busy = tokio::spawn(async move {
        loop {
            notifier.tools_changed();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let revoked = tokio::time::Instant::now();
    stream.rest().await;
    busy.abort();
    assert!(revoked.elapsed() <= Duration::from_secs(10), "{:?}", revoked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_became_another_callers_opens_nothing_more() {
    let (_built, router, state) = server();
    let [mut modern, mut legacy] = streams(&router).await;
    state.store(ANOTHERS, Ordering::SeqCst);
    modern.rest().await;
    legacy.rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_lost_a_scope_opens_nothing_more() {
    let (_built, router, state) = server();
    let [mut modern, mut legacy] = streams(&router).await;
    state.store(NARROWED, Ordering::SeqCst);
    let ended = async { (modern.rest().await, legacy.rest().await) };
    assert!(tokio::time::timeout(Duration::from_secs(60), ended).await.is_ok(), "they go on");
}

#[tokio::test(start_paused = true)]
async fn one_silence_of_who_could_tell_ends_nothing_and_a_second_does() {
    let (built, router, state) = server();
    let mut stream = Stream::open(&router, listen()).await;
    stream.message().await;
    for _ in 0..3 {
        state.store(SILENT, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(10)).await;
        state.store(HOLDS, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    built.notify().tools_changed();
    assert_eq!(stream.message().await.1["method"], "notifications/tools/list_changed");
    state.store(SILENT, Ordering::SeqCst);
    let silent = tokio::time::Instant::now();
    stream.rest().await;
    assert!(silent.elapsed() <= Duration::from_secs(21), "{:?}", silent.elapsed());
}

/// What counts once is not presented a second time on the caller's behalf.
#[tokio::test(start_paused = true)]
async fn a_stream_of_a_single_use_credential_lasts_as_long_as_that_says() {
    let used = AtomicU8::new(0);
    let auth = Auth::chain().with_fn(Place::AnyBearer, move |token| {
        let verdict = match used.fetch_add(1, Ordering::SeqCst) {
            0 => Verdict::Accepted(Principal::user(token).for_one_request(Duration::from_secs(300))),
            _ => Verdict::Rejected(Rejection::invalid_token("used")),
        };
        std::future::ready(verdict)
    });
    let built = Server::new("once", "0").only([say::tool()]).list_changes().auth(auth).build().expect("a server");
    let router = built.router();
    let mut stream = Stream::open(&router, listen()).await;
    let opened = tokio::time::Instant::now();
    stream.rest().await;
    let lasted = opened.elapsed();
    assert!(lasted > Duration::from_secs(290) && lasted <= Duration::from_secs(301), "{lasted:?}");
}

/// A server with the tools that work, and what they are in the midst of.
fn workshop() -> (Built, Router, Arc<AtomicU8>, Arc<AtWork>) {
    let at_work = Arc::new(AtWork::default());
    let server =
        Server::new("watched", "0").only([work::tool(), chatter::tool(), ask::tool()]).shared_state(Arc::clone(&at_work));
    let (built, router, state) = server_with(server);
    (built, router, state, at_work)
}

fn call(tool: &str) -> HttpCall {
    HttpCall::tool(tool, json!({})).meta("progressToken", json!("t")).token("ada")
}

async fn session(router: &Router) -> String {
    let able = json!({ "roots": {} });
    let opening = HttpCall::initialize(Era::V2025_11_25).edit(|message| message["params"]["capabilities"] = able);
    open(router, opening.token("ada")).await
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_ends_soon_after_its_credential_was_revoked() {
    let (_built, router, state, at_work) = workshop();
    let session = session(&router).await;
    let in_session = |tool| call(tool).in_era(Era::V2025_11_25).session(&session);
    for begin in [call("work"), call("chatter"), in_session("work"), in_session("chatter"), in_session("ask")] {
        state.store(HOLDS, Ordering::SeqCst);
        let text = begin.text();
        let mut stream = Stream::open(&router, begin).await;
        // So long it goes on.
        assert!(tokio::time::timeout(Duration::from_secs(61), stream.rest()).await.is_err(), "{text}");
        assert_eq!(at_work.0.load(Ordering::SeqCst), 1);
        state.store(REVOKED, Ordering::SeqCst);
        let revoked = tokio::time::Instant::now();
        let last = stream.rest().await.pop().expect("a last event").json();
        assert!(revoked.elapsed() <= Duration::from_secs(10), "{:?}", revoked.elapsed());
        assert_eq!(last["error"]["code"], -32600, "{last}");
        assert!(last["error"]["message"].as_str().is_some_and(|text| text.contains("credential")), "{last}");
        assert_eq!((&last["id"], at_work.0.load(Ordering::SeqCst)), (&json!(7), 0), "the tool has ended");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_lost_its_client_ends_with_its_credential_as_well() {
    let (_built, router, state, at_work) = workshop();
    let session = session(&router).await;
    let begin = call("work").in_era(Era::V2025_11_25).session(&session);
    drop(Stream::open(&router, begin).await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(at_work.0.load(Ordering::SeqCst), 1, "without its client it goes on");
    state.store(REVOKED, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(at_work.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_ends_when_its_credential_expires() {
    let end = SystemTime::now() + Duration::from_secs(60);
    let auth = Auth::chain()
        .with_fn(Place::AnyBearer, move |token| std::future::ready(Verdict::Accepted(Principal::user(token).valid_until(end))));
    let at_work = Arc::new(AtWork::default());
    let server = Server::new("watched", "0").only([work::tool()]).shared_state(Arc::clone(&at_work)).auth(auth);
    let router = server.build().expect("a server").router();
    let mut stream = Stream::open(&router, call("work")).await;
    let opened = tokio::time::Instant::now();
    let last = stream.rest().await.pop().expect("a last event").json();
    assert_eq!(last["error"]["code"], -32600, "{last}");
    assert!(opened.elapsed() <= Duration::from_secs(61), "{:?}", opened.elapsed());
    assert_eq!(at_work.0.load(Ordering::SeqCst), 0);
}

/// An authenticator may look at all of the head, so it is shown all of it each time.
#[tokio::test(start_paused = true)]
async fn judged_again_a_request_still_has_its_path() {
    let auth = Auth::chain().with(|head: &http::request::Parts| {
        let judged = match head.uri.path() {
            "/mcp" => Verdict::Accepted(Principal::user("ada")),
            _ => Verdict::Rejected(Rejection::invalid_token("another_path")),
        };
        std::future::ready(judged)
    });
    let at_work = Arc::new(AtWork::default());
    let server = Server::new("watched", "0").only([work::tool()]).list_changes().shared_state(at_work).auth(auth);
    let router = server.build().expect("a server").router();
    for open in [call("work"), listen()] {
        let mut stream = Stream::open(&router, open.without_header("authorization")).await;
        assert!(tokio::time::timeout(Duration::from_secs(61), stream.rest()).await.is_err());
    }
}

#[test]
fn a_call_may_be_dropped_where_no_runtime_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (_built, router, _state, at_work) = workshop();
    let session = runtime.block_on(session(&router));
    let begin = call("work").in_era(Era::V2025_11_25).session(&session).header("accept", "application/json");
    let mut answer = Box::pin(tower::ServiceExt::oneshot(router, begin.request()));
    runtime.block_on(async { assert!(tokio::time::timeout(Duration::ZERO, &mut answer).await.is_err(), "it is at work") });
    assert_eq!(at_work.0.load(Ordering::SeqCst), 1);
    drop(answer);
    assert_eq!(at_work.0.load(Ordering::SeqCst), 0);
}

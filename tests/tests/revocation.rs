//! Streams end with the credential that opened them, also where it is taken away before its time.

mod event_stream;
mod http_call;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

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

/// A server whose only token is judged as the number says.
fn server() -> (Built, Router, Arc<AtomicU8>) {
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
    let built = Server::new("watched", "0").only([say::tool()]).list_changes().auth(auth).build().expect("a server");
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

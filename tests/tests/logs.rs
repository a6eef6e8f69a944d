//! What the log tells an operator, and what it never tells.

mod http_call;
mod written;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Method;
use http_call::{Answer, HttpCall, open, router};
use mcp_runtime::LegacyClients;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use written::Written;

const NEWEST: Era = Era::V2025_11_25;
const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];

const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";

/// Two keys, each in both ways to write it.
const KEY: [&str; 2] =
    ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];
const OTHER_KEY: [&str; 2] =
    ["ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=", "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"];

// ---------------------------------------------------------------------------------------------- the log

/// All that is logged on this thread while it lives, at every level: a line each, with its level first.
struct Log {
    written: Written,
    _guard: DefaultGuard,
}

impl Log {
    fn begin() -> Self {
        let written = Written::default();
        let lines = written.clone();
        let writer = move || lines.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).without_time().with_writer(writer);
        Self { written, _guard: tracing::subscriber::set_default(subscriber.finish()) }
    }

    fn text(&self) -> String {
        self.written.text()
    }

    /// The lines that say this.
    fn lines(&self, what: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(what)).map(|line| line.trim_start().to_owned()).collect()
    }

    /// The one line that says this, once it is there.
    async fn line(&self, what: &str) -> String {
        let there = async {
            while self.lines(what).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), there).await;
        let mut lines = self.lines(what);
        assert!(in_time.is_ok() && lines.len() == 1, "{what:?} is not there once, but in {lines:?} of:\n{}", self.text());
        lines.remove(0)
    }

    /// Nothing of these is in it, nor a part that would be of use.
    fn says_nothing_of(&self, secrets: &[&str]) {
        let text = self.text();
        assert!(!text.is_empty(), "it was written");
        for secret in secrets {
            let part =
                secret.as_bytes().windows(12).filter_map(|part| std::str::from_utf8(part).ok()).find(|part| text.contains(part));
            assert_eq!(part, None, "a part of {secret} is in:\n{text}");
        }
    }
}

// ---------------------------------------------------------------------------------------------- the server

#[derive(Default)]
struct Begun(Notify);

struct Gate(Semaphore);

/// Wait for the gate.
#[tool]
async fn wait(begun: State<Begun>, gate: State<Gate>) -> Result<(), ToolError> {
    begun.0.0.notify_one();
    gate.0.0.acquire().await?.forget();
    Ok(())
}

fn server() -> Server {
    let tokens = StaticTokens::new().token(ADA, Principal::user("ada")).token(BOB, Principal::user("bob"));
    let server = Server::new("logs", "0").only([wait::tool()]).state(Begun::default()).state(Gate(Semaphore::new(0)));
    server.auth(Auth::chain().with(tokens)).allow_anonymous()
}

fn call() -> HttpCall {
    HttpCall::tool("wait", json!({})).in_era(NEWEST)
}

fn ping(session: &str) -> HttpCall {
    HttpCall::legacy(NEWEST, "ping", json!({})).session(session)
}

/// The eight hex digits of the key that sealed it: four bytes, after one for the version.
fn key_id(session: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |character| ALPHABET.find(character).expect("base64url") as u64;
    // Eight characters are six bytes.
    let bytes = session.chars().take(8).fold(0, |bytes, character| bytes << 6 | digit(character));
    format!("{:08x}", bytes >> 8 & 0xffff_ffff)
}

// ---------------------------------------------------------------------------------------------- keys

const NO_KEY: &str = "no sealing key was given";
const KEYS: &str = "sessions, cursors and the state of calls are sealed with these keys";

#[tokio::test]
async fn a_server_without_a_key_says_so_and_louder_where_it_is_public() {
    for (what, server, level) in [
        ("local", server(), "INFO"),
        ("public", server().public_url("https://mcp.acme.test/mcp"), "WARN"),
        ("cursors alone", server().legacy_clients(LegacyClients::Refused).page_size(1), "INFO"),
    ] {
        let log = Log::begin();
        server.clone().build().expect("it builds");
        let line = log.line(NO_KEY).await;
        assert!(line.starts_with(&format!("{level} mcp_runtime::server: {NO_KEY}")), "{what}: {line}");
        assert!(line.contains(".sealing_keys(..)") && line.contains("MCP_SEALING_KEYS"), "{what}: {line}");
        assert_eq!(log.lines(KEYS), [""; 0], "{what}");
        drop(log);
        let log = Log::begin();
        server.bind("127.0.0.1:0").await.expect("a free port");
        assert!(log.line(NO_KEY).await.starts_with(level), "{what}");
    }
}

#[tokio::test]
async fn a_server_that_seals_nothing_says_nothing_of_keys() {
    for legacy in [LegacyClients::Sessionless, LegacyClients::Refused] {
        let log = Log::begin();
        server().legacy_clients(legacy).build().expect("it builds");
        assert_eq!(log.lines("seal"), [""; 0], "{legacy:?}");
    }
    let log = Log::begin();
    server().page_size(1).serve_lines(std::io::empty(), std::io::sink()).await.expect("a good end");
    let _ = Client::new(&server().page_size(1));
    assert_eq!(log.lines("server built").len(), 2);
    assert_eq!(log.lines("seal"), [""; 0], "one process, one conversation: nothing outlives it");
}

#[tokio::test]
async fn the_keys_are_named_by_what_their_sessions_begin_with_and_never_shown() {
    let first = |key: &str| router(server().sealing_keys([key]));
    let mut ids = Vec::new();
    for key in [KEY[0], OTHER_KEY[0]] {
        ids.push(key_id(&open(&first(key), HttpCall::initialize(NEWEST)).await));
    }
    assert_ne!(ids[0], ids[1]);
    for (keys, named) in [
        (vec![KEY[0]], ids[0].clone()),
        (vec![KEY[1]], ids[0].clone()),
        (vec![OTHER_KEY[0]], ids[1].clone()),
        (vec![KEY[0], OTHER_KEY[0]], format!("{}, {}", ids[0], ids[1])),
        (vec![OTHER_KEY[1], KEY[1]], format!("{}, {}", ids[1], ids[0])),
    ] {
        for url in ["https://mcp.acme.test/mcp", "http://localhost:8000/mcp"] {
            let log = Log::begin();
            let router = router(server().sealing_keys(&keys).public_url(url));
            let line = log.line(KEYS).await;
            assert!(line.starts_with(&format!("INFO mcp_runtime::server: {KEYS}")), "{line}");
            assert!(line.contains(&format!("keys=\"{named}\"")) && line.contains(url), "{named} in {line}");
            assert_eq!(log.lines(NO_KEY), [""; 0]);
            // It is the first one that seals.
            let session = open(&router, HttpCall::initialize(NEWEST).header("host", "localhost:8000")).await;
            assert_eq!(key_id(&session), named[..8]);
            log.says_nothing_of(&[KEY[0], KEY[1], OTHER_KEY[0], OTHER_KEY[1], &session]);
        }
    }
}

// ---------------------------------------------------------------------------------------------- sessions

#[tokio::test]
async fn why_a_session_was_not_found_only_the_log_says() {
    const NOT_FOUND: &str = "a session was not found";
    let here = router(server().sealing_keys([KEY[0]]).session_lifetime(Duration::from_secs(1)));
    let elsewhere = router(server().sealing_keys([OTHER_KEY[0]]));
    let adas = || HttpCall::initialize(NEWEST).token(ADA);
    let until_it_is_over = async |session: &str| {
        let over = async {
            while ping(session).token(ADA).send(&here).await.status != 404 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("a second is soon over");
    };
    let (expired, foreign) = (open(&here, adas()).await, open(&elsewhere, adas()).await);
    until_it_is_over(&expired).await;
    let (ended, owned) = (open(&here, adas()).await, open(&here, adas()).await);
    let delete = ping(&ended).token(ADA).http_method(Method::DELETE);
    assert_eq!(delete.send(&here).await.status, 204);
    let forged = owned.to_lowercase();
    const UNSEALED: &str = "no key here opens its id; do all instances have the same sealing keys and the same public URL?";
    for (session, token, reason) in [
        (&foreign, Some(ADA), UNSEALED),
        (&forged, Some(ADA), UNSEALED),
        (&owned, Some(BOB), "another caller opened it"),
        (&owned, None, "another caller opened it"),
        (&ended, Some(ADA), "its client ended it"),
        (&expired, Some(ADA), "it has expired"),
    ] {
        let by = |call: HttpCall| token.map_or(call.clone(), |token| call.token(token));
        let batch = ping(session).body(r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#);
        for call in [ping(session), batch, ping(session).http_method(Method::DELETE)] {
            let log = Log::begin();
            let answer = by(call).send(&here).await;
            assert_eq!((answer.status, &*answer.message()), (404, "Session not found; send initialize for a new one"));
            let line = log.line(NOT_FOUND).await;
            assert_eq!(line, format!("INFO mcp_runtime::server: {NOT_FOUND} reason={reason}"));
            log.says_nothing_of(&[session, KEY[0], KEY[1], OTHER_KEY[0], OTHER_KEY[1], ADA, BOB]);
        }
    }
}

// ---------------------------------------------------------------------------------------------- calls without a client

struct Deserted {
    log: Log,
    router: Router,
    begun: Arc<Begun>,
    gate: Arc<Gate>,
}

fn deserted(places: usize) -> Deserted {
    let (begun, gate) = (Arc::new(Begun::default()), Arc::new(Gate(Semaphore::new(0))));
    let log = Log::begin();
    let server = server().sealing_keys([KEY[0]]).max_unattended_calls(places);
    let router = router(server.shared_state(Arc::clone(&begun)).shared_state(Arc::clone(&gate)));
    Deserted { log, router, begun, gate }
}

impl Deserted {
    /// A client that asks, and leaves.
    async fn leave(&self, call: HttpCall) {
        let router = self.router.clone();
        let waiting: JoinHandle<Answer> = tokio::spawn(async move { call.send(&router).await });
        let begun = tokio::time::timeout(Duration::from_secs(20), self.begun.0.notified()).await;
        begun.expect("a call");
        waiting.abort();
        let _ = waiting.await;
    }

    async fn line(&self, level: &str, what: &str, tool: &str) {
        let line = self.log.line(what).await;
        assert_eq!(line, format!("{level} mcp_runtime::tool: {what} tool=\"{tool}\""));
    }
}

const GOES_ON: &str = "the client is gone; the call goes on";
const ENDED: &str = "call ended; its client had gone, nobody reads the answer";
const CANCELLED: &str = "call cancelled; its client had gone before";
const NO_PLACE: &str = "call cancelled: its client is gone, and too many others go on without theirs";
const BATCH_ENDED: &str = "batch ended; its client had gone, nobody reads the answers";

#[tokio::test]
async fn what_becomes_of_a_call_without_its_client_is_logged() {
    for era in LEGACY {
        let test = deserted(1);
        let session = open(&test.router, HttpCall::initialize(era)).await;
        let call = || call().in_era(era).session(&session);
        test.leave(call()).await;
        test.line("DEBUG", GOES_ON, "wait").await;
        test.leave(call()).await;
        test.line("WARN", NO_PLACE, "wait").await;
        assert_eq!(test.log.lines(ENDED), [""; 0]);
        test.gate.0.add_permits(1);
        test.line("INFO", ENDED, "wait").await;
        assert_eq!(test.log.lines(CANCELLED), [""; 0]);
        test.leave(call()).await;
        let cancel = HttpCall::legacy(era, "notifications/cancelled", json!({ "requestId": 7 })).notification();
        assert_eq!(cancel.session(&session).send(&test.router).await.status, 202);
        test.line("INFO", CANCELLED, "wait").await;
        test.line("INFO", ENDED, "wait").await;
        test.log.says_nothing_of(&[&session, KEY[0], KEY[1]]);
    }
}

#[tokio::test]
async fn a_batch_without_its_client_is_logged_as_one() {
    let test = deserted(1);
    let session = open(&test.router, HttpCall::initialize(Era::V2025_03_26)).await;
    let text = call().text();
    test.leave(call().session(&session).without_header("mcp-protocol-version").body(format!("[{text},{text}]"))).await;
    test.line("DEBUG", GOES_ON, "a batch").await;
    assert_eq!(test.log.lines(BATCH_ENDED), [""; 0]);
    test.gate.0.add_permits(2);
    let line = test.log.line(BATCH_ENDED).await;
    assert_eq!(line, format!("INFO mcp_runtime::tool: {BATCH_ENDED}"));
    assert_eq!(test.log.lines(ENDED), [""; 0]);
    test.log.says_nothing_of(&[&session, KEY[0], KEY[1]]);
}

#[tokio::test]
async fn a_call_whose_client_has_its_answer_is_not_logged_so() {
    let test = deserted(1);
    test.gate.0.add_permits(1);
    let session = open(&test.router, HttpCall::initialize(NEWEST)).await;
    assert_eq!(call().session(&session).send(&test.router).await.status, 200);
    let log = test.log.text();
    for line in ["gone", "cancelled"] {
        assert!(!log.contains(line), "{log}");
    }
    test.log.says_nothing_of(&[&session, KEY[0], KEY[1]]);
}

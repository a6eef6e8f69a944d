//! The sessions of legacy clients: whose they are, who can read and forge them, how they end, and what happens within one.

mod http_call;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Method;
use http_call::{Answer, HttpCall, messages, open, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use mcp_runtime::{Error, LegacyClients, Problem};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const NEWEST: Era = Era::V2025_11_25;

const ADA: &str = "ada-0123456789abcdefgh";
const ADA_READS: &str = "ada-reads-0123456789ab";
const BOB: &str = "bob-0123456789abcdefgh";

/// 32 bytes each, in the two ways to write them.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// Who calls.
#[tool]
fn who(caller: Option<Principal>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject().to_owned())
}

/// Only with a scope.
#[tool(scopes("write"))]
fn write() -> &'static str {
    "written"
}

/// What the client can do.
#[tool]
fn can(ctx: Context) -> bool {
    ctx.client_can(Capability::Sampling)
}

/// Two numbers by name.
#[tool]
fn pair() -> Json<Pair> {
    Json(Pair { first: 1, second: 2 })
}

#[data]
struct Pair {
    first: u8,
    second: u8,
}

/// Answer once all the others are there as well.
#[tool]
async fn meet(message: String, all: State<Barrier>) -> String {
    all.wait().await;
    message
}

/// Report, and answer once all the others have reported as well.
#[tool]
async fn meet_and_report(message: String, ctx: Context, all: State<Barrier>) -> String {
    ctx.progress(1.0, None, format!("{message} began"));
    tokio::task::yield_now().await;
    all.wait().await;
    message
}

/// Log a trifle and an error.
#[tool]
async fn chatter(ctx: Context) -> &'static str {
    ctx.log(LogLevel::Debug, "a trifle");
    ctx.log(LogLevel::Error, "an error");
    tokio::task::yield_now().await;
    "said"
}

fn bare() -> Server {
    let tools = [who::tool(), write::tool(), can::tool(), pair::tool(), chatter::tool(), meet::tool(), meet_and_report::tool()];
    let tokens = StaticTokens::new()
        .token(ADA, Principal::user("ada").scopes(["write"]))
        .token(ADA_READS, Principal::user("ada").scopes(["read"]))
        .token(BOB, Principal::user("bob").scopes(["write"]));
    Server::new("sessions", "0").only(tools).state(Barrier::new(2)).auth(Auth::chain().with(tokens))
}

fn server() -> Server {
    bare().allow_anonymous()
}

fn call(tool: &str) -> HttpCall {
    HttpCall::tool(tool, json!({})).in_era(NEWEST)
}

fn initialize() -> HttpCall {
    HttpCall::initialize(NEWEST)
}

fn delete() -> HttpCall {
    call("who").http_method(Method::DELETE)
}

const GONE: (u16, Option<i64>) = (404, Some(-32600));

// ---------------------------------------------------------------------------------------------- the id

#[tokio::test]
async fn a_session_id_is_short_visible_ascii_and_new_each_time() {
    let router = router(server());
    let mut seen = HashSet::new();
    for era in LEGACY {
        for token in [None, Some(ADA), Some(BOB), Some(ADA)] {
            let capabilities = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} });
            let opening = HttpCall::initialize(era).edit(|message| message["params"]["capabilities"] = capabilities);
            let id = open(&router, token.map_or(opening.clone(), |token| opening.token(token))).await;
            assert!((32..=512).contains(&id.len()) && id.bytes().all(|b| (0x21..=0x7e).contains(&b)), "{id}");
            assert!(seen.insert(id), "{era:?}: one id for two sessions");
        }
    }
}

#[tokio::test]
async fn only_the_answer_to_initialize_names_the_session() {
    let router = router(server());
    for era in Era::ALL {
        let answer = HttpCall::tool("who", json!({})).send_in(era, &router).await;
        assert_eq!((answer.tool_text().as_str(), answer.header("mcp-session-id")), ("nobody", None), "{era:?}");
    }
    let session = open(&router, initialize()).await;
    for call in [call("who"), HttpCall::legacy(NEWEST, "ping", json!({})), call("who").notification(), delete()] {
        assert_eq!(call.session(&session).send(&router).await.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn a_session_may_be_opened_while_another_is_named() {
    let router = router(server());
    let first = open(&router, initialize()).await;
    for stale in [first.as_str(), "another server's", ""] {
        let second = open(&router, initialize().session(stale)).await;
        assert_ne!(second, first);
        assert_eq!(call("who").session(&second).send(&router).await.tool_text(), "nobody", "{stale:?}");
    }
    assert_eq!(call("who").session(&first).send(&router).await.tool_text(), "nobody", "and the first goes on");
}

#[tokio::test]
async fn what_was_agreed_on_is_the_sessions_and_not_the_headers() {
    let router = router(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        for header in [None, Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25")] {
            let call = call("pair").session(&session).without_header("mcp-protocol-version");
            let call = header.map_or(call.clone(), |header| call.header("mcp-protocol-version", header));
            let result = call.send(&router).await.json()["result"].take();
            assert_eq!(result.get("structuredContent").is_some(), era >= Era::V2025_06_18, "{era:?} and {header:?}: {result}");
        }
    }
}

#[tokio::test]
async fn what_the_client_can_do_is_the_sessions() {
    let router = router(server());
    let able = initialize().edit(|message| message["params"]["capabilities"] = json!({ "sampling": {} }));
    let (able, unable) = (open(&router, able).await, open(&router, initialize()).await);
    for _ in 0..2 {
        assert_eq!(call("can").session(&able).send(&router).await.tool_text(), "true");
        assert_eq!(call("can").session(&unable).send(&router).await.tool_text(), "false");
    }
}

#[tokio::test]
async fn a_log_level_is_one_sessions_and_ends_with_it() {
    let router = router(server().client_logging());
    let set = |level: &str| HttpCall::legacy(NEWEST, "logging/setLevel", json!({ "level": level }));
    let told = async |session: &str| -> Vec<String> {
        let answer = call("chatter").session(session).header("accept", "text/event-stream").send(&router).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")), "{}", answer.shown());
        let messages = messages(std::str::from_utf8(&answer.body).expect("UTF-8")).into_iter();
        let logs = messages.filter(|message| message["method"] == "notifications/message");
        logs.map(|log| log["params"]["level"].as_str().expect("a level").to_owned()).collect()
    };
    let (much, little, nothing) =
        (open(&router, initialize()).await, open(&router, initialize()).await, open(&router, initialize()).await);
    assert_eq!(set("debug").session(&much).send(&router).await.outcome(), (200, None));
    assert_eq!(set("error").session(&little).send(&router).await.outcome(), (200, None));
    for _ in 0..2 {
        assert_eq!(told(&much).await, ["debug", "error"]);
        assert_eq!(told(&little).await, ["error"]);
        assert_eq!(told(&nothing).await, [""; 0]);
    }
    assert_eq!(set("emergency").session(&little).send(&router).await.outcome(), (200, None));
    assert_eq!((told(&much).await.len(), told(&little).await.len()), (2, 0), "the last word counts, in its own session");
    assert_eq!(delete().session(&much).send(&router).await.status, 204);
    for gone in [set("debug"), call("chatter")] {
        assert_eq!(gone.session(&much).send(&router).await.outcome(), GONE);
    }
    let next = open(&router, initialize().session(&much)).await;
    assert_eq!(told(&next).await, [""; 0], "the same client's next session begins anew");
    assert_eq!(told(&nothing).await, [""; 0]);
}

// ---------------------------------------------------------------------------------------------- wrong ids

/// Everything that a legacy client can send in a session, with what it is answered there.
fn requests() -> Vec<HttpCall> {
    vec![
        call("who"),
        HttpCall::legacy(NEWEST, "tools/list", json!({})),
        HttpCall::legacy(NEWEST, "ping", json!({})),
        HttpCall::legacy(NEWEST, "no/such/method", json!({})),
        HttpCall::legacy(NEWEST, "notifications/initialized", json!({})).notification(),
        HttpCall::legacy(NEWEST, "notifications/cancelled", json!({ "requestId": 7 })).notification(),
        call("who").body(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#),
        call("who").body(r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#),
        delete(),
    ]
}

async fn assert_gone(router: &Router, session: &str, change: impl Fn(HttpCall) -> HttpCall) {
    for call in requests() {
        let text = call.text();
        let answer = change(call.session(session)).send(router).await;
        assert_eq!(answer.outcome(), GONE, "{text} in {session}: {}", answer.shown());
        assert_eq!(answer.message(), "Session not found; send initialize for a new one");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_forged_session_is_not_found() {
    let router = router(server());
    let good = open(&router, initialize()).await;
    assert_eq!(call("who").session(&good).send(&router).await.tool_text(), "nobody");
    let flipped = |index: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let mut forged: Vec<String> = (0..good.len()).step_by(7).map(flipped).collect();
    forged.extend([
        String::new(),
        "1".to_owned(),
        "s-3b9f0e".to_owned(),
        good[1..].to_owned(),
        good[..good.len() - 4].to_owned(),
        format!("{good}AAAA"),
        format!("{good}="),
        good.to_lowercase(),
        format!("{good},{good}"),
        format!("\"{good}\""),
        "A".repeat(good.len()),
        "A".repeat(4096),
    ]);
    for forged in forged {
        assert_gone(&router, &forged, |call| call).await;
    }
    let answer = call("who").edit(|message| message["id"] = json!("my id")).session("forged").send(&router).await;
    assert_eq!(answer.json()["id"], "my id");
}

#[tokio::test]
async fn no_last_character_of_an_id_is_ignored() {
    let router = router(server());
    let good = open(&router, initialize()).await;
    // The last character of base64 may have bits that stand for nothing.
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=".chars() {
        let id = format!("{}{last}", &good[..good.len() - 1]);
        let answer = call("who").session(&id).send(&router).await;
        assert_eq!(answer.status, if id == good { 200 } else { 404 }, "{id}");
    }
}

#[tokio::test]
async fn a_request_names_one_session_in_plain_characters() {
    let router = router(server());
    let (one, two) = (open(&router, initialize()).await, open(&router, initialize()).await);
    for call in requests() {
        let both = call.clone().session(&one).another("mcp-session-id", &two).send(&router).await;
        assert_eq!(both.outcome(), (400, Some(-32600)), "{}", both.shown());
        let same = call.clone().session(&one).another("mcp-session-id", &one).send(&router).await;
        assert_eq!(same.outcome(), (400, Some(-32600)), "{}", same.shown());
        let bytes = call.header("mcp-session-id", b"\xff").send(&router).await;
        assert_eq!(bytes.outcome(), (400, Some(-32600)), "{}", bytes.shown());
    }
    let spaced = call("who").header("mcp-session-id", format!(" {one}\t")).send(&router).await;
    assert_eq!(spaced.status, 200, "white space around a header is none of it");
}

#[tokio::test]
async fn a_session_ends_with_its_lifetime() {
    let long = router(server().sealing_keys([KEY]));
    let short = router(server().sealing_keys([KEY]).session_lifetime(Duration::from_secs(1)));
    let (session, longer) = (open(&short, initialize()).await, open(&long, initialize()).await);
    let ended = async {
        while call("who").session(&session).send(&short).await.outcome() != GONE {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("a second is soon over");
    assert_gone(&short, &session, |call| call).await;
    assert_gone(&long, &session, |call| call).await;
    // A lifetime that was shortened since counts at once; the second may have begun later.
    let ended = async {
        while call("who").session(&longer).send(&short).await.outcome() != GONE {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("a second is soon over");
    assert_eq!(call("who").session(&longer).send(&long).await.status, 200);
    let other = open(&short, initialize()).await;
    assert_eq!(call("who").session(&other).send(&short).await.status, 200, "the next one lives");
}

// ---------------------------------------------------------------------------------------------- whose it is

#[tokio::test]
async fn a_session_is_found_by_its_owner_alone() {
    let router = router(server());
    let tokens = [None, Some(ADA), Some(BOB)];
    let by = |call: HttpCall, token: Option<&str>| token.map_or(call.clone(), |token| call.token(token));
    for owner in tokens {
        let session = open(&router, by(initialize(), owner)).await;
        for other in tokens.into_iter().filter(|other| *other != owner) {
            assert_gone(&router, &session, |call| by(call, other)).await;
        }
        // Nobody else's request, their DELETE among them, did it any harm.
        let name = owner.map_or("nobody", |token| &token[..3]);
        assert_eq!(by(call("who").session(&session), owner).send(&router).await.tool_text(), name);
    }
}

#[tokio::test]
async fn a_session_proves_nobodys_identity() {
    let router = router(bare());
    let session = open(&router, initialize().token(ADA)).await;
    for call in requests() {
        for wrong in [None, Some("Bearer wrong-wrong-wrong-wrong"), Some("Basic YTpi")] {
            let call = call.clone().session(&session);
            let answer = wrong.map_or(call.clone(), |wrong| call.header("authorization", wrong)).send(&router).await;
            assert_eq!(answer.status, 401, "{wrong:?}: {}", answer.shown());
            assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
        }
    }
    assert_eq!(call("who").session(&session).token(ADA).send(&router).await.tool_text(), "ada", "and its session lives on");
    assert_eq!(initialize().send(&router).await.status, 401);
}

#[tokio::test]
async fn a_session_keeps_no_rights_of_the_token_that_opened_it() {
    let router = router(server());
    let session = open(&router, initialize().token(ADA)).await;
    assert_eq!(call("write").session(&session).token(ADA).send(&router).await.tool_text(), "written");
    let less = call("write").session(&session).token(ADA_READS).send(&router).await;
    assert_eq!(less.status, 403, "the same caller, with fewer rights: {}", less.shown());
    assert_eq!(call("who").session(&session).token(ADA_READS).send(&router).await.tool_text(), "ada");
}

// ---------------------------------------------------------------------------------------------- its end

#[tokio::test]
async fn a_session_that_was_deleted_is_gone_for_everything() {
    let router = router(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let other = open(&router, HttpCall::initialize(era)).await;
        let deleted = delete().in_era(era).session(&session).send(&router).await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{era:?}");
        assert_eq!(deleted.header("content-type"), None);
        assert_gone(&router, &session, |call| call).await;
        assert_eq!(call("who").session(&other).send(&router).await.status, 200, "{era:?}: the other one lives");
    }
}

#[tokio::test]
async fn a_session_is_deleted_whatever_the_rest_of_the_request_says() {
    let router = router(server());
    for change in [
        |call: HttpCall| call.without_header("content-type").without_header("accept"),
        |call: HttpCall| call.without_header("mcp-protocol-version"),
        |call: HttpCall| call.header("mcp-protocol-version", "2025-03-26").header("content-type", "text/plain"),
        |call: HttpCall| call.body("no JSON").header("mcp-method", "tools/call"),
    ] {
        let session = open(&router, initialize()).await;
        assert_eq!(change(delete().session(&session)).send(&router).await.status, 204);
        assert_eq!(call("who").session(&session).send(&router).await.outcome(), GONE);
    }
}

#[tokio::test]
async fn what_names_no_session_of_its_own_deletes_none() {
    let router = router(server());
    let session = open(&router, initialize().token(ADA)).await;
    let named = || delete().session(&session);
    for (what, call, status) in [
        ("no session", delete().token(ADA), 400),
        ("the newest revision", named().token(ADA).header("mcp-protocol-version", "2026-07-28"), 405),
        ("the newest revision, and nobody", named().header("mcp-protocol-version", "2026-07-28"), 405),
        ("an unknown version", named().token(ADA).header("mcp-protocol-version", "2024-11-05"), 400),
        ("an unknown new version", named().token(ADA).header("mcp-protocol-version", "2027-01-01"), 400),
        ("a wrong token", named().token("wrong-wrong-wrong-wrong"), 401),
        ("nobody's", named(), 404),
        ("another caller's", named().token(BOB), 404),
        ("a foreign origin", named().token(ADA).header("origin", "https://evil.example"), 403),
        ("a foreign host", named().token(ADA).header("host", "evil.example"), 403),
    ] {
        let answer = call.send(&router).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.shown());
        let lives = self::call("who").session(&session).token(ADA).send(&router).await;
        assert_eq!(lives.status, 200, "{what}");
    }
    let modern = named().header("mcp-protocol-version", "2026-07-28").send(&router).await;
    assert_eq!(modern.header("allow"), Some("POST"));
    let unauthenticated = open(&self::router(bare()), initialize().token(ADA)).await;
    assert_eq!(delete().session(&unauthenticated).send(&self::router(bare())).await.status, 401, "auth comes first");
}

// ---------------------------------------------------------------------------------------------- keys

#[tokio::test]
async fn a_session_is_known_wherever_its_key_is() {
    let instances = [router(server().sealing_keys([KEY])), router(server().sealing_keys([KEY]))];
    for era in LEGACY {
        let opening = HttpCall::initialize(era).token(ADA);
        let opening = opening.edit(|message| message["params"]["capabilities"] = json!({ "sampling": {} }));
        let session = open(&instances[0], opening).await;
        // Round and round, as behind a balancer that knows nothing.
        for router in instances.iter().cycle().take(4) {
            let answer = call("can").in_era(era).session(&session).token(ADA).send(router).await;
            assert_eq!(answer.tool_text(), "true", "{era:?}");
            assert_gone(router, &session, |call| call.token(BOB)).await;
        }
    }
}

#[tokio::test]
async fn a_key_is_replaced_without_losing_a_session() {
    let old = router(server().sealing_keys([KEY]));
    let both = router(server().sealing_keys([OTHER_KEY, KEY]));
    let new = router(server().sealing_keys([OTHER_KEY]));
    let status = async |session: &str, router: &Router| call("who").session(session).send(router).await.status;
    let before = open(&old, initialize()).await;
    let after = open(&both, initialize()).await;
    for (session, router, expected) in [
        (&before, &old, 200),
        (&before, &both, 200),
        (&before, &new, 404),
        (&after, &old, 404),
        (&after, &both, 200),
        (&after, &new, 200),
    ] {
        assert_eq!(status(session, router).await, expected);
    }
}

#[tokio::test]
async fn a_session_of_another_key_or_resource_is_none() {
    let public = |url: &str| server().sealing_keys([KEY]).public_url(url);
    let host = |call: HttpCall| call.header("host", "mcp.acme.test");
    let here = router(public("https://mcp.acme.test/mcp"));
    let session = open(&here, host(initialize())).await;
    assert_eq!(host(call("who")).session(&session).send(&here).await.status, 200);
    for elsewhere in [
        public("https://mcp.acme.test/other"),
        public("https://mcp.acme.test/mcp/"),
        public("https://staging.acme.test/mcp").allow_host("mcp.acme.test"),
        public("https://mcp.acme.test/mcp").sealing_keys([OTHER_KEY]),
        server().sealing_keys([KEY]).allow_host("mcp.acme.test"),
    ] {
        assert_gone(&router(elsewhere), &session, host).await;
    }
    let without_key = [router(server()), router(server())];
    let session = open(&without_key[0], initialize()).await;
    assert_eq!(call("who").session(&session).send(&without_key[0]).await.status, 200);
    assert_gone(&without_key[1], &session, |call| call).await;
}

#[test]
fn keys_that_are_none_are_refused_without_being_shown() {
    const SHORT: &str = "c2VjcmV0c2VjcmV0c2VjcmV0";
    const WORDS: &str = "correct horse battery staple, not a key!";
    let long = "ab".repeat(65);
    let many: Vec<_> = (0..17).map(|index| format!("{index:02x}").repeat(32)).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (keys, why) in [
        (vec![], "there is no key"),
        (vec![""], "the 1st key has 0 bytes"),
        (vec![SHORT], "the 1st key has 18 bytes"),
        (vec![KEY, SHORT], "the 2nd key has 18 bytes"),
        (vec![WORDS], "the 1st key is neither base64 nor hex"),
        (vec![long.as_str()], "the 1st key has 65 bytes"),
        (vec![KEY, OTHER_KEY, KEY], "the 3rd key is the 1st once more"),
        (many, "there are more than 16 keys"),
    ] {
        let Err(Error::Config(problems)) = server().sealing_keys(&keys).build() else { panic!("it builds with {keys:?}") };
        assert!(matches!(problems[..], [Problem::SealingKeys { .. }]), "{problems:?}");
        let shown = format!("{problems:?} {}", problems[0]);
        assert!(problems[0].to_string().starts_with(&format!("sealing_keys: {why}")), "{}", problems[0]);
        for key in keys.iter().filter(|key| !key.is_empty()) {
            assert!(!shown.contains(*key) && !shown.contains(&key[..8]), "{shown}");
        }
    }
    let shown = format!("{:?}", server().sealing_keys([KEY, OTHER_KEY]));
    assert!(!shown.contains(&KEY[..8]) && !shown.contains(&OTHER_KEY[..8]), "{shown}");
    for lifetime in [Duration::ZERO, Duration::from_millis(999)] {
        let error = server().session_lifetime(lifetime).build().expect_err("no lifetime").to_string();
        assert!(error.contains("session_lifetime") && error.contains("at least a second"), "{error}");
    }
    assert!(server().session_lifetime(Duration::MAX).build().is_ok());
}

#[tokio::test]
async fn the_environment_has_the_keys_of_a_server_that_was_given_none() {
    const TEST: &str = "the_environment_has_the_keys_of_a_server_that_was_given_none";
    const NAME: &str = "MCP_SEALING_KEYS";
    // The environment belongs to all tests of a process, so this one runs itself in other processes.
    if std::env::var_os("RUN_BY_A_TEST").is_some() {
        match server().router::<()>() {
            Ok(router) => eprintln!("session={}", open(&router, initialize()).await),
            Err(error) => eprintln!("error={error}"),
        }
        return;
    }
    let run = |keys: &str| {
        let mut test = std::process::Command::new(std::env::current_exe().expect("this program"));
        let output = test.args(["--exact", TEST, "--nocapture"]).env(NAME, keys).env("RUN_BY_A_TEST", "1").output();
        String::from_utf8(output.expect("it runs").stderr).expect("UTF-8")
    };
    let told = run(&format!("{OTHER_KEY}, {KEY}"));
    let session = told.lines().find_map(|line| line.split_once("session=")).unwrap_or_else(|| panic!("no session in {told}")).1;
    let status = async |key: &str| call("who").session(session).send(&router(server().sealing_keys([key]))).await.status;
    assert_eq!((status(OTHER_KEY).await, status(KEY).await), (200, 404), "the first one seals");
    for (keys, why) in [
        ("", "there is no key"),
        ("c2VjcmV0c2VjcmV0c2VjcmV0", "the 1st key has 18 bytes"),
        ("correct horse battery staple, not a key!", "the 1st key is neither base64 nor hex"),
    ] {
        let told = run(keys);
        assert!(told.contains(&format!("MCP_SEALING_KEYS: {why}")), "{told}");
        assert!(keys.is_empty() || !told.contains(&keys[..8]), "{told}");
    }
}

#[tokio::test]
async fn keys_of_the_environment_are_read_where_something_is_sealed_and_keys_in_code_always() {
    const TEST: &str = "keys_of_the_environment_are_read_where_something_is_sealed_and_keys_in_code_always";
    const BAD: &str = "c2VjcmV0c2VjcmV0c2VjcmV0";
    // As above, in a process of its own.
    if std::env::var_os("RUN_BY_A_TEST").is_none() {
        let mut test = std::process::Command::new(std::env::current_exe().expect("this program"));
        let output = test.args(["--exact", TEST, "--nocapture"]).env("MCP_SEALING_KEYS", BAD).env("RUN_BY_A_TEST", "1").output();
        let output = output.expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let server = || Server::new("sessions", "0").only([who::tool()]).allow_anonymous();
    let sessionless = || server().legacy_clients(LegacyClients::Sessionless);
    let refused = || server().legacy_clients(LegacyClients::Refused);
    let http = |server: Server| server.build().map(drop);
    let pipe = async |server: Server| server.serve_lines(std::io::empty(), std::io::sink()).await;
    let environment = Some("MCP_SEALING_KEYS: the 1st key has 18 bytes");
    for (what, outcome, outcome_in_code, why) in [
        ("sessions", http(server()), http(server().sealing_keys([BAD])), environment),
        ("no sessions", http(sessionless()), http(sessionless().sealing_keys([BAD])), None),
        ("no legacy clients", http(refused()), http(refused().sealing_keys([BAD])), None),
        ("stdio", pipe(server()).await, pipe(server().sealing_keys([BAD])).await, None),
        ("stdio without legacy clients", pipe(refused()).await, pipe(refused().sealing_keys([BAD])).await, None),
        ("cursors", http(refused().page_size(1)), http(refused().page_size(1).sealing_keys([BAD])), environment),
        (
            "cursors over stdio",
            pipe(server().page_size(1)).await,
            pipe(server().page_size(1).sealing_keys([BAD])).await,
            environment,
        ),
    ] {
        let told = |outcome: Result<(), Error>| outcome.err().map(|error| error.to_string());
        let (of_environment, in_code) = (told(outcome), told(outcome_in_code).expect("bad keys"));
        assert_eq!(of_environment.is_some(), why.is_some(), "{what}: {of_environment:?}");
        assert!(of_environment.is_none_or(|told| told.contains(why.unwrap_or_default())), "{what}");
        assert!(in_code.contains("sealing_keys: the 1st key has 18 bytes"), "{what}: {in_code}");
        assert!(!in_code.contains("MCP_SEALING_KEYS") && !in_code.contains(BAD), "{what}: {in_code}");
    }
}

#[tokio::test]
async fn a_lifetime_without_end_is_no_overflow() {
    let router = router(server().session_lifetime(Duration::MAX));
    let session = open(&router, initialize()).await;
    assert_eq!(call("who").session(&session).send(&router).await.status, 200);
}

#[tokio::test]
async fn a_test_client_opens_real_sessions() {
    let server = server().sealing_keys([KEY]);
    let router = router(server.clone());
    for era in LEGACY {
        let client = Client::new(&server).era(era).principal(Principal::user("ada"));
        let session = client.open().expect("this server has sessions");
        assert_eq!(call("who").session(&session).token(ADA).send(&router).await.tool_text(), "ada", "{era:?}");
        assert_gone(&router, &session, |call| call.token(BOB)).await;
    }
}

// ---------------------------------------------------------------------------------------------- many at once

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_with_one_id_get_their_own_answers() {
    const CALLS: usize = 1000;
    for era in [NEWEST, Era::V2026_07_28] {
        let router = router(server().state(Barrier::new(CALLS)));
        // The newest revision has no sessions: there its calls have nothing in common but the id.
        let session: Option<Arc<str>> = if era.is_legacy() { Some(open(&router, initialize()).await.into()) } else { None };
        let mut calls = JoinSet::new();
        for number in 0..CALLS {
            let (router, session) = (router.clone(), session.clone());
            calls.spawn(async move {
                let message = format!("call {number}");
                let call = HttpCall::tool("meet", json!({ "message": message })).in_era(era);
                let call = session.map_or(call.clone(), |session| call.session(&session));
                let answer = call.send(&router).await.json();
                assert_eq!(answer["id"], 7, "{era:?}: {answer}");
                assert_eq!(answer["result"]["content"], json!([{ "type": "text", "text": message }]), "{era:?}: {answer}");
            });
        }
        let all = async { while calls.join_next().await.transpose().expect("the right answer").is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("none is lost");
    }
}

#[tokio::test]
async fn two_streams_of_one_session_with_one_id_and_one_token_get_their_own_messages() {
    let router = router(server());
    let session = open(&router, initialize()).await;
    let stream = async |message: &str| {
        let call = HttpCall::tool("meet_and_report", json!({ "message": message })).meta("progressToken", json!("t"));
        call.in_era(NEWEST).session(&session).send(&router).await
    };
    let streams = tokio::join!(stream("one"), stream("two"));
    for (answer, own, foreign) in [(streams.0, "one", "two"), (streams.1, "two", "one")] {
        let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{text}");
        assert!(text.contains(&format!("{own} began")) && text.contains(&format!("\"text\":\"{own}\"")), "{text}");
        assert!(!text.contains(foreign), "{text}");
    }
}

#[tokio::test]
async fn a_hundred_sessions_at_once_keep_apart() {
    let router = router(server());
    let mut clients = JoinSet::new();
    for number in 0..100 {
        let router = router.clone();
        clients.spawn(async move {
            let able = number % 2 == 0;
            let capabilities = if able { json!({ "sampling": {} }) } else { json!({}) };
            let opening = initialize().edit(|message| message["params"]["capabilities"] = capabilities);
            let session = open(&router, opening).await;
            let answer: Answer = call("can").session(&session).send(&router).await;
            assert_eq!(answer.tool_text(), able.to_string());
            assert_eq!(delete().session(&session).send(&router).await.status, 204);
            assert_eq!(call("can").session(&session).send(&router).await.outcome(), GONE);
        });
    }
    while clients.join_next().await.transpose().expect("the right answers").is_some() {}
}

#[tokio::test]
async fn what_a_stranger_is_told_says_nothing_of_the_session() {
    let router = router(server());
    let session = open(&router, initialize().token(ADA)).await;
    let body = |answer: Answer| -> Value { answer.json() };
    let foreign = body(call("who").session(&session).token(BOB).send(&router).await);
    let forged = body(call("who").session("forged").token(BOB).send(&router).await);
    delete().session(&session).token(ADA).send(&router).await;
    let ended = body(call("who").session(&session).token(ADA).send(&router).await);
    assert_eq!((&foreign, &foreign), (&forged, &ended));
}

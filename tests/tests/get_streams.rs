//! What a legacy session hears: over the stream that a GET opens, and over a pipe.

mod event_stream;
mod http_call;
mod pipe;

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use axum::Router;
use event_stream::{Stream, get, settle, status};
use http::Method;
use http_call::{Answer, HttpCall, open};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Built, LegacyClients, Notifier};
use pipe::{Conversation, converse, notification, request};
use serde_json::{Value, json};

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const NEWEST: Era = Era::V2025_11_25;

const ADA: &str = "ada-0123456789abcdefgh";
/// The same caller with less rights.
const ADA_READS: &str = "ada-reads-0123456789ab";
const BOB: &str = "bob-0123456789abcdefgh";
const BRIEF: &str = "brief-0123456789abcdef";

/// Say back what you are told.
#[tool]
fn echo(message: String) -> String {
    message
}

/// Another tool.
#[tool]
fn extra() -> &'static str {
    "extra"
}

/// Tell clients that a resource is another.
#[tool]
fn touch(uri: String, ctx: Context) -> &'static str {
    ctx.notify().resource_updated(uri);
    ctx.notify().tools_changed();
    ctx.progress(1.0, None, "told");
    "told"
}

/// A note.
#[resource("notes://{id}")]
fn note(id: String) -> String {
    id
}

/// For those who may read it.
#[resource("vault://gold", scopes("gold"))]
fn gold() -> &'static str {
    "gold"
}

fn bare() -> Server {
    let ada = || Principal::user("ada");
    let brief = Principal::user("brief").valid_until(SystemTime::now() + Duration::from_secs(60));
    let tokens = StaticTokens::new().token(ADA, ada().scopes(["gold"])).token(ADA_READS, ada());
    let tokens = tokens.token(BOB, Principal::user("bob")).token(BRIEF, brief);
    Server::new("get", "0")
        .auth(Auth::chain().with(tokens))
        .allow_anonymous()
        .only([echo::tool(), touch::tool()])
        .only_prompts([])
        .only_resources([note::resource(), gold::resource()])
}

fn server() -> Server {
    bare().list_changes().resource_updates()
}

fn built(server: Server) -> (Built, Router) {
    let built = server.build().expect("a server that builds");
    let router = built.router();
    (built, router)
}

fn changed(what: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": format!("notifications/{what}/list_changed") })
}

fn updated(uri: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } })
}

fn subscribe(era: Era, session: &str, uri: &str) -> HttpCall {
    HttpCall::legacy(era, "resources/subscribe", json!({ "uri": uri })).session(session)
}

fn unsubscribe(era: Era, session: &str, uri: &str) -> HttpCall {
    HttpCall::legacy(era, "resources/unsubscribe", json!({ "uri": uri })).session(session)
}

async fn done(call: HttpCall, router: &Router) {
    let answer = call.send(router).await;
    assert_eq!((answer.status, answer.json()["result"].clone()), (200, json!({})), "{}", answer.shown());
}

async fn ping(era: Era, session: &str, router: &Router) -> u16 {
    HttpCall::legacy(era, "ping", json!({})).session(session).send(router).await.status
}

async fn delete(era: Era, session: &str, router: &Router) -> u16 {
    get(era, session).http_method(Method::DELETE).send(router).await.status
}

// ---------------------------------------------------------------------------------------------- who may open one

#[tokio::test(start_paused = true)]
async fn a_get_opens_the_stream_of_a_session_of_its_caller() {
    let (_, router) = built(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era).token(ADA)).await;
        let ended = open(&router, HttpCall::initialize(era).token(ADA)).await;
        assert_eq!(get(era, &ended).token(ADA).http_method(Method::DELETE).send(&router).await.status, 204);
        let call = || get(era, &session).token(ADA);
        let refused: [(&str, HttpCall, u16); 12] = [
            ("no session", call().without_header("mcp-session-id"), 400),
            ("an ended session", get(era, &ended).token(ADA), 404),
            ("a forged session", get(era, "forged").token(ADA), 404),
            ("another caller's", get(era, &session).token(BOB), 404),
            ("nobody's", get(era, &session), 404),
            ("a wrong credential", get(era, &session).token("wrong"), 401),
            ("JSON alone", call().header("accept", "application/json"), 406),
            ("nothing of use", call().header("accept", "text/html, image/*"), 406),
            ("a foreign page", call().header("origin", "https://evil.example"), 403),
            ("the newest revision", call().header("mcp-protocol-version", "2026-07-28"), 405),
            ("an unknown revision", call().header("mcp-protocol-version", "1999-01-01"), 400),
            ("two sessions", call().another("mcp-session-id", &ended), 400),
        ];
        for (what, call, status) in refused {
            let answer = call.send(&router).await;
            assert_eq!(answer.status, status, "{era:?}, {what}: {}", answer.shown());
            assert_eq!(answer.header("content-type"), Some("application/json"), "{era:?}, {what}");
            assert!(answer.json().get("id").is_none(), "{era:?}, {what}");
        }
        for accept in ["text/event-stream", "application/json, text/event-stream", "*/*"] {
            let mut stream = Stream::open(&router, call().header("accept", accept)).await;
            assert!(stream.headers.get("mcp-session-id").is_none());
            stream.is_quiet().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_hear_a_get_is_not_allowed() {
    let allows = |answer: &Answer| answer.header("allow").map(str::to_owned);
    for (server, allowed) in [
        (bare(), "POST, DELETE"),
        (server().legacy_clients(LegacyClients::Sessionless), "POST"),
        (server().legacy_clients(LegacyClients::Refused), "POST"),
    ] {
        let (_, router) = built(server);
        let session = HttpCall::initialize(NEWEST).send(&router).await;
        let session = session.header("mcp-session-id").unwrap_or("none").to_owned();
        let refused = get(NEWEST, &session).send(&router).await;
        assert_eq!((refused.status, allows(&refused).as_deref()), (405, Some(allowed)), "{}", refused.shown());
    }
    let (_, router) = built(server());
    let refused = get(NEWEST, "x").header("mcp-protocol-version", "2026-07-28").send(&router).await;
    assert_eq!((refused.status, allows(&refused).as_deref()), (405, Some("POST")));
    let refused = get(NEWEST, "x").http_method(Method::PUT).send(&router).await;
    assert_eq!((refused.status, allows(&refused).as_deref()), (405, Some("POST, GET, DELETE")));
}

#[tokio::test(start_paused = true)]
async fn what_is_declared_is_what_can_be_heard() {
    let declared = async |server: Server| {
        let (_, router) = built(server);
        HttpCall::initialize(NEWEST).send(&router).await.json()["result"]["capabilities"].clone()
    };
    let quiet = declared(bare()).await;
    assert_eq!((&quiet["tools"], &quiet["resources"], quiet.get("prompts")), (&json!({}), &json!({}), None));
    let lists = declared(bare().list_changes()).await;
    let changes = json!({ "listChanged": true });
    assert_eq!((&lists["tools"], &lists["resources"], &lists["prompts"]), (&changes, &changes, &changes));
    let updates = declared(bare().resource_updates()).await;
    assert_eq!((&updates["tools"], &updates["resources"]), (&json!({}), &json!({ "subscribe": true })));
    let sessionless = declared(server().legacy_clients(LegacyClients::Sessionless)).await;
    assert_eq!((&sessionless["tools"], &sessionless["resources"]), (&json!({}), &json!({})));

    let (_, router) = built(bare().list_changes());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    assert_eq!(subscribe(NEWEST, &session, "notes://1").send(&router).await.outcome(), (200, Some(-32601)));
    let (_, router) = built(server().legacy_clients(LegacyClients::Sessionless));
    let sessionless = subscribe(NEWEST, "x", "notes://1").without_header("mcp-session-id").send(&router).await;
    assert_eq!(sessionless.outcome(), (200, Some(-32601)), "{}", sessionless.shown());
}

// ---------------------------------------------------------------------------------------------- what arrives

#[tokio::test(start_paused = true)]
async fn a_session_hears_of_lists_and_of_what_it_subscribed_to() {
    let (built, router) = built(server());
    let (notifier, handle) = (built.notify(), built.handle());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let mut stream = Stream::open(&router, get(era, &session)).await;
        let mut ids = HashSet::new();
        let mut expect = async |stream: &mut Stream, expected: Value| {
            let (id, message) = stream.numbered().await;
            assert_eq!(message, expected, "{era:?}");
            assert!(ids.insert(id.clone()), "{id} is there twice");
        };
        notifier.tools_changed();
        expect(&mut stream, changed("tools")).await;
        notifier.prompts_changed();
        expect(&mut stream, changed("prompts")).await;
        handle.add_tool(extra::tool()).expect("a good tool");
        expect(&mut stream, changed("tools")).await;
        handle.remove_tool("extra").expect("it was there");
        expect(&mut stream, changed("tools")).await;
        notifier.resources_changed();
        expect(&mut stream, changed("resources")).await;
        notifier.resource_updated("notes://1");
        stream.is_quiet().await;
        done(subscribe(era, &session, "notes://1"), &router).await;
        // Again, which changes nothing.
        done(subscribe(era, &session, "notes://1"), &router).await;
        for uri in ["notes://2", "notes://1", "notes://1/part"] {
            notifier.resource_updated(uri);
        }
        expect(&mut stream, updated("notes://1")).await;
        expect(&mut stream, updated("notes://1/part")).await;
        stream.is_quiet().await;
        done(unsubscribe(era, &session, "notes://1"), &router).await;
        done(unsubscribe(era, &session, "notes://never"), &router).await;
        notifier.resource_updated("notes://1");
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_no_call_is_on_the_stream_of_the_get_alone() {
    let (_, router) = built(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        done(subscribe(era, &session, "notes://1"), &router).await;
        let mut listens = Stream::open(&router, get(era, &session)).await;
        let call = HttpCall::tool("touch", json!({ "uri": "notes://1" })).meta("progressToken", json!("t")).in_era(era);
        let answer = call.session(&session).send(&router).await;
        let text = String::from_utf8(answer.body).expect("UTF-8");
        assert!(text.contains("told") && !text.contains("list_changed") && !text.contains("updated"), "{era:?}: {text}");
        let (_, first) = listens.numbered().await;
        let (_, second) = listens.numbered().await;
        assert!([&first, &second].contains(&&changed("tools")) && [&first, &second].contains(&&updated("notes://1")));
        listens.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_session_hears_what_is_its_own_once() {
    let (built, router) = built(server());
    let mut sessions = Vec::new();
    for id in 0..3 {
        let session = open(&router, HttpCall::initialize(NEWEST)).await;
        done(subscribe(NEWEST, &session, &format!("notes://{id}")), &router).await;
        let stream = Stream::open(&router, get(NEWEST, &session)).await;
        sessions.push((session, stream));
    }
    built.notify().resource_updated("notes://1");
    built.notify().resource_updated("notes://2");
    assert_eq!(sessions[1].1.numbered().await.1, updated("notes://1"));
    assert_eq!(sessions[2].1.numbered().await.1, updated("notes://2"));
    // The end of one subscription is not that of another session's.
    done(unsubscribe(NEWEST, &sessions[0].0, "notes://1"), &router).await;
    built.notify().resource_updated("notes://1");
    assert_eq!(sessions[1].1.numbered().await.1, updated("notes://1"));
    built.notify().tools_changed();
    for (_, stream) in &mut sessions {
        assert_eq!(stream.numbered().await.1, changed("tools"));
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_stream_takes_the_place_of_the_first() {
    let (built, router) = built(server().max_streams(1));
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let mut first = Stream::open(&router, get(NEWEST, &session)).await;
    built.notify().tools_changed();
    first.numbered().await;
    // There is one place, which is the session's own.
    let mut second = Stream::open(&router, get(NEWEST, &session)).await;
    built.notify().prompts_changed();
    first.ends().await;
    assert_eq!(second.numbered().await.1, changed("prompts"));
    second.is_quiet().await;
    drop(second);
    settle().await;
    // Said while nobody listened.
    for _ in 0..10 {
        built.notify().tools_changed();
    }
    let mut third = Stream::open(&router, get(NEWEST, &session)).await;
    assert_eq!(third.numbered().await.1, changed("tools"));
    third.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_streams_that_open_at_once_one_hears() {
    let (built, router) = built(server());
    for _ in 0..20 {
        let session = open(&router, HttpCall::initialize(NEWEST)).await;
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (router, session) = (router.clone(), session.clone());
            opening.spawn(async move { Stream::open(&router, get(NEWEST, &session)).await });
        }
        let streams = opening.join_all().await;
        built.notify().tools_changed();
        settle().await;
        assert_eq!(delete(NEWEST, &session, &router).await, 204);
        let mut heard = 0;
        for mut stream in streams {
            heard += stream.rest().await.len();
        }
        assert!(heard <= 1, "a message was sent {heard} times");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_carries_comments() {
    let (_, router) = built(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let mut stream = Stream::open(&router, get(era, &session)).await;
        let began = tokio::time::Instant::now();
        let event = stream.event().await.expect("an open stream");
        assert!(event.comment && event.data.is_none() && event.id.is_none(), "{era:?}: {event:?}");
        assert_eq!(began.elapsed().as_secs(), 15);
    }
}

// ---------------------------------------------------------------------------------------------- rights and caps

#[tokio::test(start_paused = true)]
async fn a_session_subscribes_to_what_its_caller_may_read() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let ask = |uri: &str, token: &str| subscribe(NEWEST, &session, uri).token(token);
    for (uri, token) in [("vault://silver", ADA_READS), ("vault://silver", ADA), ("", ADA), ("notes://..", ADA)] {
        let refused = ask(uri, token).send(&router).await;
        assert_eq!(refused.outcome(), (200, Some(-32002)), "{uri}: {}", refused.shown());
        assert_eq!(refused.json()["error"]["data"]["uri"], uri);
    }
    let listed = ask("vault://gold", ADA_READS).send(&router).await;
    assert_eq!(listed.status, 403, "as a read of it: {}", listed.shown());
    assert!(listed.header("www-authenticate").is_some_and(|challenge| challenge.contains(r#"scope="gold""#)));
    let odd = ask("", ADA).edit(|message| message["params"] = json!({ "uri": 5 })).send(&router).await;
    assert_eq!(odd.outcome(), (200, Some(-32602)));
    assert_eq!(ask("vault://gold", BOB).send(&router).await.status, 404, "another caller's session");
    done(ask("vault://gold", ADA), &router).await;
    // With less rights it hears less.
    let mut reads = Stream::open(&router, get(NEWEST, &session).token(ADA_READS)).await;
    built.notify().resource_updated("vault://gold");
    reads.is_quiet().await;
    let mut stream = Stream::open(&router, get(NEWEST, &session).token(ADA)).await;
    built.notify().resource_updated("vault://gold");
    assert_eq!(stream.numbered().await.1, updated("vault://gold"));
}

#[tokio::test(start_paused = true)]
async fn a_session_has_so_many_subscriptions() {
    let (_, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    for id in 0..256 {
        done(subscribe(NEWEST, &session, &format!("notes://{id}")), &router).await;
    }
    let refused = subscribe(NEWEST, &session, "notes://more").send(&router).await;
    assert_eq!(refused.outcome(), (200, Some(-32602)), "{}", refused.shown());
    done(subscribe(NEWEST, &session, "notes://5"), &router).await;
    done(unsubscribe(NEWEST, &session, "notes://7"), &router).await;
    done(subscribe(NEWEST, &session, "notes://more"), &router).await;
}

#[tokio::test(start_paused = true)]
async fn streams_have_places_and_give_them_back() {
    let (_, router) = built(server().max_streams(2));
    let first = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let second = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let third = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let open_first = Stream::open(&router, get(NEWEST, &first).token(ADA)).await;
    let _open_second = Stream::open(&router, get(NEWEST, &second).token(ADA)).await;
    assert_eq!(status(&router, get(NEWEST, &third).token(ADA)).await, 503);
    let listen = HttpCall::new("subscriptions/listen", json!({ "notifications": {} })).token(ADA);
    assert_eq!(status(&router, listen).await, 503);
    drop(open_first);
    settle().await;
    // The first session keeps what it heard of, until there is no other room.
    let _open_third = Stream::open(&router, get(NEWEST, &third).token(ADA)).await;
    assert_eq!(get(NEWEST, &first).token(ADA).send(&router).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_too_many_sessions_loses_the_one_it_used_least() {
    let (_, router) = built(server());
    let mut sessions = Vec::new();
    for _ in 0..64 {
        let session = open(&router, HttpCall::initialize(NEWEST).token(BOB)).await;
        done(subscribe(NEWEST, &session, "notes://1").token(BOB), &router).await;
        tokio::time::advance(Duration::from_millis(1)).await;
        sessions.push(session);
    }
    let others = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    done(subscribe(NEWEST, &others, "notes://1").token(ADA), &router).await;
    let used = |index: usize| HttpCall::legacy(NEWEST, "ping", json!({})).token(BOB).session(&sessions[index]);
    assert_eq!(used(0).send(&router).await.status, 200);
    tokio::time::advance(Duration::from_millis(1)).await;
    let more = open(&router, HttpCall::initialize(NEWEST).token(BOB)).await;
    done(subscribe(NEWEST, &more, "notes://1").token(BOB), &router).await;
    assert_eq!(used(1).send(&router).await.status, 404);
    for index in [0, 2, 63] {
        assert_eq!(used(index).send(&router).await.status, 200, "{index}");
    }
    assert_eq!(HttpCall::legacy(NEWEST, "ping", json!({})).token(ADA).session(&others).send(&router).await.status, 200);
}

// ---------------------------------------------------------------------------------------------- how it ends

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_ends_its_stream() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let other = open(&router, HttpCall::initialize(NEWEST)).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    let mut others = Stream::open(&router, get(NEWEST, &other)).await;
    assert_eq!(delete(NEWEST, &session, &router).await, 204);
    built.notify().tools_changed();
    stream.ends().await;
    assert_eq!(others.numbered().await.1, changed("tools"));
    for call in [get(NEWEST, &session), subscribe(NEWEST, &session, "notes://1"), unsubscribe(NEWEST, &session, "notes://1")] {
        assert_eq!(call.send(&router).await.status, 404);
    }
    assert_eq!(delete(NEWEST, &session, &router).await, 404);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_its_streams() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    built.notify().tools_changed();
    built.handle().shutdown();
    assert_eq!(stream.numbered().await.1, changed("tools"), "what was said before");
    stream.ends().await;
    assert_eq!(get(NEWEST, &session).send(&router).await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_credential_that_opened_it() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST).token(BRIEF)).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session).token(BRIEF)).await;
    built.notify().tools_changed();
    assert_eq!(stream.numbered().await.1, changed("tools"));
    tokio::time::advance(Duration::from_secs(61)).await;
    settle().await;
    built.notify().tools_changed();
    stream.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_session() {
    let (built, router) = built(server().session_lifetime(Duration::from_secs(600)));
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    built.notify().tools_changed();
    assert_eq!(stream.numbered().await.1, changed("tools"));
    tokio::time::advance(Duration::from_secs(601)).await;
    settle().await;
    built.notify().tools_changed();
    stream.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_holds_memory_and_is_not_used_ends() {
    let (_, router) = built(server().session_idle(Duration::from_secs(100)));
    let idle = open(&router, HttpCall::initialize(NEWEST)).await;
    let used = open(&router, HttpCall::initialize(NEWEST)).await;
    let empty = open(&router, HttpCall::initialize(NEWEST)).await;
    let streams = open(&router, HttpCall::initialize(NEWEST)).await;
    for session in [&idle, &used] {
        done(subscribe(NEWEST, session, "notes://1"), &router).await;
    }
    let mut stream = Stream::open(&router, get(NEWEST, &streams)).await;
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(60)).await;
        // Whatever it does, it is used.
        assert_eq!(ping(NEWEST, &used, &router).await, 200);
    }
    assert_eq!(ping(NEWEST, &idle, &router).await, 404);
    assert_eq!(subscribe(NEWEST, &idle, "notes://1").send(&router).await.status, 404);
    assert_eq!(ping(NEWEST, &empty, &router).await, 200, "it holds nothing");
    stream.is_quiet().await;
    // A session whose stream breaks is not idle yet.
    drop(stream);
    settle().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    done(subscribe(NEWEST, &empty, "notes://1"), &router).await;
    drop(Stream::open(&router, get(NEWEST, &streams)).await);
    settle().await;
    tokio::time::advance(Duration::from_secs(101)).await;
    let another = open(&router, HttpCall::initialize(NEWEST)).await;
    done(subscribe(NEWEST, &another, "notes://1"), &router).await;
    assert_eq!(get(NEWEST, &streams).send(&router).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_that_misses_too_much_hears_of_the_whole() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    done(subscribe(NEWEST, &session, "notes://1"), &router).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    settle().await;
    for part in 0..100_000 {
        built.notify().resource_updated(format!("notes://1/{part}"));
        if part % 1000 == 0 {
            settle().await;
        }
    }
    let mut heard = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_secs(1), stream.event()).await {
        heard.push(event.expect("an open stream").json());
    }
    assert!(heard.len() <= 20, "{} events wait for a client that does not read", heard.len());
    assert_eq!(heard.last(), Some(&updated("notes://1")), "in place of all that is below it");
    built.notify().resource_updated("notes://1/new");
    assert_eq!(stream.numbered().await.1, updated("notes://1/new"));
}

#[tokio::test(start_paused = true)]
async fn of_a_flood_about_one_resource_a_slow_client_reads_a_little() {
    let (built, router) = built(server());
    let session = open(&router, HttpCall::initialize(NEWEST)).await;
    done(subscribe(NEWEST, &session, "notes://1"), &router).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    for round in 0..1000 {
        for _ in 0..100 {
            built.notify().resource_updated("notes://1");
        }
        if round < 50 {
            settle().await;
        }
    }
    let mut count = 0;
    while tokio::time::timeout(Duration::from_secs(1), stream.event()).await.is_ok_and(|event| event.is_some()) {
        count += 1;
    }
    assert!((1..=20).contains(&count), "{count} events wait for a client that does not read");
}

// ---------------------------------------------------------------------------------------------- over a pipe

fn piped() -> (Notifier, Conversation) {
    let server = server().stdio_principal(Principal::user("ada").scopes(["gold"]));
    (server.notify(), converse(server))
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_legacy_client_hears_once_it_said_that_it_is_ready() {
    for era in LEGACY {
        let (notifier, mut pipe) = piped();
        // Before the handshake nobody is there to tell.
        pipe.say(notification("notifications/initialized", json!({})));
        notifier.tools_changed();
        pipe.open(era.version()).await;
        notifier.tools_changed();
        pipe.is_quiet().await;
        pipe.say(notification("notifications/initialized", json!({})));
        pipe.say(notification("notifications/initialized", json!({})));
        pipe.is_quiet().await;
        notifier.tools_changed();
        assert_eq!(pipe.hear().await, changed("tools"), "{era:?}");
        notifier.resource_updated("vault://gold");
        let subscribed = pipe.ask(request(1, "resources/subscribe", json!({ "uri": "vault://gold" }))).await;
        assert_eq!(subscribed["result"], json!({}));
        let refused = pipe.ask(request(2, "resources/subscribe", json!({ "uri": "vault://silver" }))).await;
        assert_eq!(refused["error"]["code"], -32002);
        notifier.resource_updated("vault://gold");
        assert_eq!(pipe.hear().await, updated("vault://gold"));
        let unsubscribed = pipe.ask(request(3, "resources/unsubscribe", json!({ "uri": "vault://gold" }))).await;
        assert_eq!(unsubscribed["result"], json!({}));
        notifier.resource_updated("vault://gold");
        pipe.is_quiet().await;
        assert_eq!(pipe.close().await, "", "{era:?}: everything came once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_client_that_is_ready_within_a_batch_hears() {
    for others in [json!([]), json!([request(1, "ping", json!({}))])] {
        let (notifier, mut pipe) = piped();
        pipe.open("2025-03-26").await;
        let mut batch = vec![notification("notifications/initialized", json!({}))];
        batch.extend(others.as_array().expect("an array").clone());
        pipe.say(batch.into());
        if others != json!([]) {
            assert_eq!(pipe.hear().await, json!([{ "jsonrpc": "2.0", "id": 1, "result": {} }]));
        }
        pipe.is_quiet().await;
        notifier.tools_changed();
        assert_eq!(pipe.hear().await, changed("tools"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_client_that_is_not_ready_can_not_subscribe() {
    let (_, mut pipe) = piped();
    pipe.open("2025-11-25").await;
    let refused = pipe.ask(request(1, "resources/subscribe", json!({ "uri": "notes://1" }))).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    pipe.say(notification("notifications/initialized", json!({})));
    let subscribed = pipe.ask(request(2, "resources/subscribe", json!({ "uri": "notes://1" }))).await;
    assert_eq!(subscribed["result"], json!({}));
}

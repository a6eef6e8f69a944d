//! What is signed or sealed for one purpose opens no other door, and what a person let a relay be ends with that person.

mod http_call;
mod round_trip;
#[path = "../../mcp-auth/tests/django/site.rs"]
mod site;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::ConnectInfo;
use http_call::{Answer, HttpCall, open, router, send};
use mcp_runtime::auth::{Caller, DjangoSession, KeyRing, MemoryReplays, ProxyToken, RelaySessions, Resource, Standing, sha256};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Map, Value, json};
use site::Site;

const URL: &str = "https://mcp.example.com/mcp";
const RELAY: &str = "x-mcp-proxy-session-token";
const SALT: &str = "mcp.proxy-session.v1";
const DJANGO_KEY: &str = "a key of at least thirty-two bytes";
const PROXY_KEY: &str = "the key of a proxy, of 32 bytes or more";
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
const SESSION: &str = "0123456789abcdefghijklmnopqrstuv";
const NEWEST: Era = Era::V2025_11_25;

/// Who calls.
#[tool]
fn whoami(caller: Principal) -> String {
    caller.subject().to_owned()
}

/// For those who may write.
#[tool(scopes("notes:write"))]
fn write() -> &'static str {
    "written"
}

#[data]
struct Name {
    name: String,
}

/// Ask for a name.
#[tool]
async fn ask(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.elicit::<Name>("Who?").named("who").await?.accepted()?.name)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A site where Alice, who is user 1, is logged in.
async fn site() -> Site {
    let site = Site::new().await;
    site.run(&format!("INSERT INTO auth_user (id, username, password, is_active) VALUES (1, 'alice', '{PASSWORD}', 1)")).await;
    let hash = site::session_auth_hash(PASSWORD, DJANGO_KEY);
    let backend = "django.contrib.auth.backends.ModelBackend";
    let facts = json!({ "_auth_user_id": "1", "_auth_user_backend": backend, "_auth_user_hash": hash });
    let data = site::dumps(&facts.to_string(), "django.contrib.sessions.SessionStore", DJANGO_KEY, now() - 9);
    let row = json!({ "session_key": SESSION, "session_data": data, "expire_date": "2099-01-01 00:00:00" });
    site.insert("django_session", row.as_object().expect("a row")).await;
    site
}

fn people(site: &Site) -> Auth {
    let session = DjangoSession::database(&site.url(), DJANGO_KEY).issuer("https://www.example.com").scopes(["notes:read"]);
    Auth::chain().with(session)
}

fn relay_sessions() -> RelaySessions {
    RelaySessions::new(KeyRing::parse([SEALING_KEY]).expect("a key"), Resource::new(URL).expect("a URL"))
}

fn proxies() -> ProxyToken {
    // What is tested here is signed before the server is there.
    ProxyToken::keys([("proxy-1", PROXY_KEY)]).any_peer().replay_store(MemoryReplays::since(UNIX_EPOCH))
}

fn served(auth: Auth, relay: RelaySessions) -> Router {
    let server = Server::new("relayed", "0").only([whoami::tool(), write::tool(), ask::tool()]).page_size(1);
    router(server.public_url(URL).sealing_keys([SEALING_KEY]).auth(auth).relay_sessions("/mcp-relay", relay))
}

/// With both forms, and everything sealed with one key.
fn both(site: &Site) -> (Router, RelaySessions) {
    let relay = relay_sessions().recheck_with(people(site));
    (served(people(site).with(proxies().relay(relay.clone())), relay.clone()), relay)
}

fn call(tool: &str) -> HttpCall {
    round_trip::tool(tool, json!({})).header("host", "mcp.example.com")
}

fn by_cookie(call: HttpCall) -> HttpCall {
    call.header("cookie", format!("sessionid={SESSION}")).header("origin", "https://mcp.example.com")
}

async fn obtained(router: &Router) -> String {
    let answer = send(router, by_cookie(call("whoami")).uri("/mcp-relay").request()).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn claims() -> Map<String, Value> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let jti = format!("jti-{}", COUNT.fetch_add(1, Ordering::SeqCst));
    let claims = json!({ "sub": "bob", "aud": URL, "prx": "proxy-1", "jti": jti });
    claims.as_object().expect("an object").clone()
}

fn signed(claims: Map<String, Value>, key: &str, at: u64) -> String {
    site::dumps(&Value::Object(claims).to_string(), SALT, key, at)
}

fn assertion() -> String {
    signed(claims(), PROXY_KEY, now())
}

async fn status(router: &Router, call: HttpCall) -> u16 {
    call.send(router).await.status
}

// ---------------------------------------------------------------------------------------------- one purpose each

/// Everything that this server seals or is signed for it, by what it is.
async fn all(router: &Router) -> Vec<(&'static str, String)> {
    let relay = obtained(router).await;
    let by_relay = |call: HttpCall| call.header(RELAY, &relay);
    let session = open(router, by_relay(HttpCall::initialize(NEWEST).header("host", "mcp.example.com"))).await;
    let page = by_relay(HttpCall::list().header("host", "mcp.example.com")).send(router).await.json();
    let cursor = page["result"]["nextCursor"].as_str().expect("a cursor").to_owned();
    let state = round_trip::state(&by_relay(call("ask")).send(router).await);
    vec![
        ("a relay session", relay),
        ("a session id", session),
        ("a cursor", cursor),
        ("a state", state),
        ("an assertion", assertion()),
    ]
}

#[tokio::test]
async fn what_is_for_one_purpose_is_for_no_other() {
    let site = site().await;
    let (router, _) = both(&site);
    let all = all(&router).await;
    let relay = &all[0].1;
    for (what, text) in &all {
        let bare = text.trim_start_matches("mcpr1.");
        for shown in [text.clone(), bare.to_owned(), format!("mcpr1.{bare}")] {
            // As a credential of another kind.
            assert_eq!(
                status(&router, call("whoami").token(&shown)).await,
                if shown.contains(':') { 400 } else { 401 },
                "{what}"
            );
            let as_cookie = by_cookie(call("whoami")).header("cookie", format!("sessionid={shown}"));
            assert_eq!(status(&router, as_cookie).await, 401, "{what} as a session's cookie");
            if (*what, shown.starts_with("mcpr1.")) != ("a relay session", true) && (*what, &shown) != ("an assertion", text) {
                assert_eq!(status(&router, call("whoami").header(RELAY, &shown)).await, 401, "{what} as what a relay shows");
            }
            // As a statement of another kind, by a caller who is let in.
            let by_relay = |call: HttpCall| call.header(RELAY, relay);
            if *what != "a session id" {
                let in_session = by_relay(call("whoami").in_era(NEWEST).session(&shown));
                assert_eq!(status(&router, in_session).await, 404, "{what} as a session id");
            }
            if *what != "a cursor" {
                let page = HttpCall::new("tools/list", json!({ "cursor": shown })).header("host", "mcp.example.com");
                assert_eq!(by_relay(page).send(&router).await.outcome(), (200, Some(-32602)), "{what} as a cursor");
            }
            if *what != "a state" {
                let answers = json!({ "who": round_trip::accept(json!({ "name": "Eve" })) });
                let next = by_relay(round_trip::again(&call("ask"), shown.clone(), answers));
                assert_eq!(next.send(&router).await.outcome().1, Some(-32602), "{what} as a state");
            }
        }
    }
    // Each is good for its own.
    for (what, text) in [&all[0], &all[4]] {
        assert_eq!(status(&router, call("whoami").header(RELAY, text)).await, 200, "{what}");
    }
}

#[tokio::test]
async fn what_is_off_takes_nothing() {
    let site = site().await;
    let (router, relay) = both(&site);
    let token = obtained(&router).await;
    let assertions_only = served(people(&site).with(proxies()), relay.clone());
    assert_eq!(status(&assertions_only, call("whoami").header(RELAY, &token)).await, 401);
    assert_eq!(status(&assertions_only, call("whoami").header(RELAY, assertion())).await, 200);
    let relays_only = served(people(&site).with(ProxyToken::relay_only(relay.clone())), relay);
    assert_eq!(status(&relays_only, call("whoami").header(RELAY, assertion())).await, 401);
    assert_eq!(status(&relays_only, call("whoami").header(RELAY, &token)).await, 200);
}

#[tokio::test]
async fn a_relay_lets_nobody_else_in_and_does_no_more_than_its_person() {
    let site = site().await;
    let (router, _) = both(&site);
    let token = obtained(&router).await;
    // Also where nothing of the request would have to be kept.
    let careless = relay_sessions().without_recheck();
    let careless = served(people(&site).with(proxies().relay(careless.clone())), careless);
    for router in [&router, &careless] {
        for shown in [obtained(router).await, assertion()] {
            let again = call("whoami").uri("/mcp-relay").header(RELAY, &shown).header("origin", "https://mcp.example.com");
            let answer = send(router, again.request()).await;
            assert_eq!(answer.status, 403, "none by a relay or a proxy: {}", answer.shown());
        }
    }
    for era in Era::ALL {
        assert_eq!(call("write").header(RELAY, &token).send_in(era, &router).await.status, 403, "{era:?}");
        assert_eq!(call("whoami").header(RELAY, &token).send_in(era, &router).await.tool_text(), "1", "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- its end

#[tokio::test]
async fn a_relay_ends_with_its_persons_session() {
    for end in [
        "DELETE FROM django_session",
        "UPDATE auth_user SET is_active = 0",
        "UPDATE auth_user SET password = 'pbkdf2_sha256$1000$salt$YW5vdGhlcg'",
        "DELETE FROM auth_user",
    ] {
        let site = site().await;
        let (router, _) = both(&site);
        let token = obtained(&router).await;
        for era in Era::ALL {
            assert_eq!(call("whoami").header(RELAY, &token).send_in(era, &router).await.tool_text(), "1");
        }
        site.run(end).await;
        for era in Era::ALL {
            assert_eq!(call("whoami").header(RELAY, &token).send_in(era, &router).await.status, 401, "{era:?}: {end}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_is_revoked_is_refused() {
    let site = site().await;
    let (router, relay) = both(&site);
    let (token, other) = (obtained(&router).await, obtained(&router).await);
    assert_eq!(status(&router, call("whoami").header(RELAY, &token)).await, 200);
    relay.revoke(&token, SystemTime::now()).await.expect("room");
    assert_eq!(status(&router, call("whoami").header(RELAY, &token)).await, 401);
    assert_eq!(status(&router, call("whoami").header(RELAY, &other)).await, 200, "and no other");
}

static ELAPSED: AtomicU64 = AtomicU64::new(0);

fn clock() -> SystemTime {
    SystemTime::now() + Duration::from_secs(ELAPSED.load(Ordering::SeqCst))
}

/// Whoever knows of users is asked at least twice a minute.
#[tokio::test]
async fn a_relay_ends_within_thirty_seconds_of_its_person() {
    let site = site().await;
    let is_active = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&is_active);
    let relay = relay_sessions().recheck(move |_: Caller| {
        let standing = if known.load(Ordering::SeqCst) { Standing::Good } else { Standing::Gone };
        std::future::ready(Ok(standing))
    });
    let router = served(people(&site).clock(clock).with(proxies().relay(relay.clone())), relay);
    let token = obtained(&router).await;
    let shown = || call("whoami").header(RELAY, &token);
    assert_eq!(status(&router, shown()).await, 200);
    is_active.store(false, Ordering::SeqCst);
    ELAPSED.fetch_add(31, Ordering::SeqCst);
    assert_eq!(status(&router, shown()).await, 401);
    is_active.store(true, Ordering::SeqCst);
    assert_eq!(status(&router, shown()).await, 200);
    ELAPSED.fetch_add(3600, Ordering::SeqCst);
    assert_eq!(status(&router, shown()).await, 401, "after an hour in any case");
}

// ---------------------------------------------------------------------------------------------- assertions

#[tokio::test]
async fn an_assertion_is_for_one_request_to_this_server_now() {
    let site = site().await;
    let (router, _) = both(&site);
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims.insert(name.to_owned(), value);
        signed(claims, PROXY_KEY, now())
    };
    let good = assertion();
    let answer: Answer = call("whoami").header(RELAY, &good).send(&router).await;
    assert_eq!(answer.tool_text(), "bob");
    let body = call("whoami").text();
    let digest = |text: &str| {
        use base64::Engine as _;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()))
    };
    assert_eq!(status(&router, call("whoami").header(RELAY, with("bdy", json!(digest(&body))))).await, 200);
    for (what, shown) in [
        ("used before", good),
        ("for another server", with("aud", json!("https://other.example.com/mcp"))),
        ("of another proxy", with("prx", json!("proxy-2"))),
        ("of nobody", with("sub", json!(""))),
        ("for another body", with("bdy", json!(digest(&format!("{body} "))))),
        ("with a condition that nobody knows", with("cnd", json!("x"))),
        ("by another key", signed(claims(), "another key of 32 bytes, or of some more", now())),
        ("by Django's key", signed(claims(), DJANGO_KEY, now())),
        ("a minute old", signed(claims(), PROXY_KEY, now() - 62)),
        ("of the future", signed(claims(), PROXY_KEY, now() + 30)),
        ("for another purpose", site::dumps(&Value::Object(claims()).to_string(), "django.core.signing", PROXY_KEY, now())),
    ] {
        assert_eq!(status(&router, call("whoami").header(RELAY, &shown)).await, 401, "{what}");
    }
}

#[tokio::test]
async fn an_assertion_comes_from_a_proxy() {
    let site = site().await;
    let proxies = || {
        let proxies = ProxyToken::keys([("proxy-1", PROXY_KEY)]).peers(["10.0.0.0/8"]);
        proxies.replay_store(MemoryReplays::since(UNIX_EPOCH))
    };
    let relay = relay_sessions().recheck_with(people(&site));
    let router = served(people(&site).with(proxies()), relay);
    let from = async |peer: Option<&str>| {
        let call =
            call("whoami").header(RELAY, assertion()).header("x-forwarded-for", "10.1.2.3").header("forwarded", "for=10.1.2.3");
        let mut request = call.request();
        if let Some(peer) = peer {
            let peer: SocketAddr = format!("{peer}:4711").parse().expect("an address");
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        send(&router, request).await.status
    };
    assert_eq!(from(Some("10.1.2.3")).await, 200);
    for stranger in [None, Some("192.0.2.1"), Some("127.0.0.1"), Some("[::1]"), Some("11.0.0.1")] {
        assert_eq!(from(stranger).await, 401, "{stranger:?}");
    }
}

//! Relay sessions: obtained by a person's session, used by a relay, and good for nothing else. And assertions for one body.

mod http_call;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use http::Method;
use http_call::{Answer, HttpCall, open, router, send};
use mcp_runtime::auth::{KeyRing, Place, ProxyToken, Rejection, RelaySessions, Resource, Scheme, Verdict, sha256};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::json;

const URL: &str = "https://mcp.example.com/mcp";
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const RELAY: &str = "x-mcp-proxy-session-token";

/// Who calls.
#[tool]
fn whoami(caller: Principal) -> String {
    format!("{} {:?}", caller.subject(), caller.scheme())
}

/// A site where `ada` is logged in, until she logs out.
fn site() -> (Router, Arc<AtomicBool>) {
    let logged_in = Arc::new(AtomicBool::new(true));
    let session = Arc::clone(&logged_in);
    let people = Auth::chain().with_fn(Place::Cookie("sid".into()), move |cookie| {
        let verdict = match (&*cookie, session.load(Ordering::SeqCst)) {
            ("ada", true) => Verdict::Accepted(Principal::user("ada").authenticated_by(Scheme::Session)),
            ("ada", false) => Verdict::NotMine,
            _ => Verdict::Rejected(Rejection::invalid_token("no_session")),
        };
        std::future::ready(verdict)
    });
    // The same keys as of all else that is sealed here.
    let keys = KeyRing::parse([KEY]).expect("a key");
    let relay = RelaySessions::new(keys, Resource::new(URL).expect("a URL")).recheck_with(people.clone());
    let server = Server::new("relayed", "0")
        .only([whoami::tool()])
        .public_url(URL)
        .sealing_keys([KEY])
        .auth(people.with(ProxyToken::relay_only(relay.clone())))
        .relay_sessions("/mcp-relay", relay);
    (router(server), logged_in)
}

fn request(path: &str) -> HttpCall {
    HttpCall::tool("whoami", json!({})).uri(path).header("host", "mcp.example.com")
}

fn by_cookie(call: HttpCall) -> HttpCall {
    call.header("cookie", "sid=ada").header("origin", "https://mcp.example.com")
}

async fn ask(site: &Router, call: HttpCall) -> Answer {
    send(site, call.request()).await
}

async fn obtained(site: &Router) -> String {
    let answer = ask(site, by_cookie(request("/mcp-relay"))).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.shown());
    let answer = answer.json();
    assert_eq!((&answer["header"], &answer["expires_in"]), (&json!(RELAY), &json!(3600)));
    answer["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_relay_acts_for_the_person_who_let_it() {
    let (site, logged_in) = site();
    let token = obtained(&site).await;
    assert!(token.starts_with("mcpr1."));
    for era in Era::ALL {
        let answer = request("/mcp").header(RELAY, &token).send_in(era, &site).await;
        assert_eq!(answer.tool_text(), "ada Proxy");
    }
    logged_in.store(false, Ordering::SeqCst);
    let answer = ask(&site, request("/mcp").header(RELAY, &token)).await;
    assert_eq!((answer.status, answer.json()), (401, json!({ "error": "unauthorized" })), "she logged out");
}

#[tokio::test]
async fn only_a_person_on_a_page_of_this_site_obtains_one() {
    let (site, _) = site();
    let token = obtained(&site).await;
    let path = "/mcp-relay";
    assert_eq!(ask(&site, request(path)).await.status, 401, "nobody");
    assert_eq!(ask(&site, request(path).header(RELAY, &token)).await.status, 403, "a relay lets nobody else");
    assert_eq!(ask(&site, by_cookie(request(path)).header("origin", "https://evil.example")).await.status, 403);
    assert_eq!(ask(&site, by_cookie(request(path)).without_header("origin")).await.status, 403);
    assert_eq!(ask(&site, by_cookie(request(path)).header("content-type", "text/plain")).await.status, 415);
    assert_eq!(ask(&site, by_cookie(request(path)).http_method(Method::GET)).await.status, 405);
    assert_eq!(ask(&site, by_cookie(request(path)).header("host", "evil.example")).await.status, 403);
}

#[tokio::test]
async fn what_is_sealed_for_one_purpose_opens_no_other_door() {
    let (site, _) = site();
    let token = obtained(&site).await;
    let relayed = request("/mcp").header(RELAY, &token);
    // As a session id, with and without what marks it.
    let initialize = HttpCall::initialize(Era::V2025_11_25).header("host", "mcp.example.com").header(RELAY, &token);
    let session = open(&site, initialize).await;
    for id in [&*token, token.trim_start_matches("mcpr1.")] {
        assert_eq!(relayed.clone().in_era(Era::V2025_11_25).session(id).send(&site).await.status, 404);
    }
    // A session id as what a relay shows.
    for shown in [session.clone(), format!("mcpr1.{session}")] {
        assert_eq!(ask(&site, request("/mcp").header(RELAY, &shown)).await.status, 401);
    }
    let (before, after) = token.split_at(40);
    let wrong = format!("{before}{}{}", if after.starts_with('A') { 'B' } else { 'A' }, &after[1..]);
    for shown in ["x", "", "mcpr1.", &wrong] {
        assert_eq!(ask(&site, request("/mcp").header(RELAY, shown)).await.status, 401, "{shown}");
    }
    // Nothing is read from the URL.
    let in_url = request(&format!("/mcp?mcp_proxy_session_token={token}&x-mcp-proxy-session-token={token}&access_token={token}"));
    assert_eq!(ask(&site, in_url).await.status, 401);
}

#[tokio::test]
async fn an_assertion_for_one_body_is_for_no_other() {
    let call = request("/mcp");
    let digest = sha256(call.text().as_bytes());
    let auth = Auth::chain().with_fn(Place::AnyBearer, move |name| {
        std::future::ready(Verdict::Accepted(Principal::user(name).with_body_digest(digest)))
    });
    let server = router(Server::new("exact", "0").only([whoami::tool()]).public_url(URL).auth(auth));
    assert_eq!(ask(&server, call.clone().token("ada")).await.tool_text(), "ada Application");
    let other = call.clone().edit(|message| message["id"] = json!(8)).token("ada");
    assert_eq!(ask(&server, other).await.status, 401);
    let spaced = call.clone().token("ada").body(format!("{} ", call.text()));
    assert_eq!(ask(&server, spaced).await.status, 401);
}

/// Of a DELETE no body is read: what was signed for a call must not end the session of the call.
#[tokio::test]
async fn an_assertion_for_a_body_is_for_no_request_without_one() {
    let call = request("/mcp");
    let digest = sha256(call.text().as_bytes());
    let auth = Auth::chain().with_fn(Place::AnyBearer, move |token| {
        let ada = Principal::user("ada");
        let ada = match &*token {
            "of-a-call" => ada.with_body_digest(digest),
            "of-nothing" => ada.with_body_digest(sha256(b"")),
            _ => ada,
        };
        std::future::ready(Verdict::Accepted(ada))
    });
    let server = router(Server::new("exact", "0").only([whoami::tool()]).list_changes().public_url(URL).auth(auth));
    let initialize = HttpCall::initialize(Era::V2025_11_25).header("host", "mcp.example.com").token("of-all");
    let session = open(&server, initialize).await;
    let in_session = |method| call.clone().in_era(Era::V2025_11_25).session(&session).http_method(method).body("");
    for method in [Method::GET, Method::DELETE] {
        let asked = tokio::time::timeout(Duration::from_secs(5), ask(&server, in_session(method).token("of-a-call")));
        assert_eq!(asked.await.expect("no stream is opened").status, 401);
    }
    assert_eq!(ask(&server, in_session(Method::DELETE).token("of-nothing")).await.status, 204);
}

#[test]
fn a_way_to_relay_sessions_has_a_place_of_its_own() {
    let built = |path: &str, auth: bool| {
        let keys = KeyRing::ephemeral().expect("randomness");
        let relay = RelaySessions::new(keys, Resource::new(URL).expect("a URL")).without_recheck();
        let server = Server::new("relayed", "0").only([whoami::tool()]).public_url(URL);
        let tokens = StaticTokens::new().token("ada-0123456789abcdef", Principal::user("ada"));
        let server = if auth { server.auth(Auth::chain().with(tokens)) } else { server.allow_anonymous() };
        server.relay_sessions(path, relay).build().map_err(|error| error.to_string())
    };
    assert!(built("/relay", true).is_ok());
    for (path, auth) in [("/mcp", true), ("relay", true), ("/{x}", true), ("/relay", false)] {
        let error = built(path, auth).expect_err(path);
        assert!(error.contains("relay_sessions"), "{error}");
    }
}

//! How often callers may call, and what they are told when it was too often; how many wrong credentials are looked at.

mod http_call;
mod pipe;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http_call::{Answer, HttpCall, open, router, send};
use mcp_runtime::auth::{Attempts, Peer};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Problem, RateLimit};
use serde_json::{Value, json};

const ALICE: &str = "alice-0123456789abcdef";
const BOB: &str = "bob-0123456789abcdef";

/// Refund an order.
#[tool]
fn refund(amount: u32) -> String {
    format!("refunded {amount}")
}

/// Look something up.
#[tool]
fn look_up() -> &'static str {
    "found"
}

/// For few.
#[tool(scopes("admin"))]
fn purge() -> &'static str {
    "purged"
}

/// Write a letter.
#[prompt]
fn letter(#[complete(["Ada", "Bob"])] to: String) -> String {
    format!("Dear {to}")
}

/// An order.
#[resource("orders://{id}", name = "order")]
fn order(id: u32) -> String {
    format!("order {id}")
}

fn shop() -> Server {
    let tokens = StaticTokens::new().token(ALICE, Principal::user("alice")).token(BOB, Principal::user("bob"));
    Server::new("shop", "0")
        .only([refund::tool(), look_up::tool(), purge::tool()])
        .only_prompts([letter::prompt()])
        .only_resources([order::resource()])
        .auth(Auth::chain().with(tokens))
        .allow_anonymous()
}

fn refunds() -> HttpCall {
    HttpCall::tool("refund", json!({ "amount": 1 }))
}

fn letters() -> HttpCall {
    let call = HttpCall::new("prompts/get", json!({ "name": "letter", "arguments": { "to": "Ada" } }));
    call.header("mcp-name", "letter")
}

fn orders() -> HttpCall {
    HttpCall::new("resources/read", json!({ "uri": "orders://7" })).header("mcp-name", "orders://7")
}

fn completions() -> HttpCall {
    let argument = json!({ "name": "to", "value": "A" });
    HttpCall::new("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "letter" }, "argument": argument }))
}

async fn pass(duration: Duration) {
    tokio::time::advance(duration).await;
}

fn assert_served(answer: &Answer) {
    let body = answer.json();
    assert!(answer.status == 200 && body["result"].is_object() && body["result"]["isError"] != true, "{}", answer.shown());
}

/// Where there is a result that can say so, it is one; elsewhere an error, which clients of each era read in their own way.
fn assert_refused(era: Era, answer: &Answer, message: &str, seconds: u64) {
    let status = if era.is_legacy() { 200 } else { 429 };
    assert_eq!(answer.outcome(), (status, Some(-32603)), "{era:?} {}", answer.shown());
    assert_eq!(answer.message(), message, "{era:?}");
    let error = &answer.json()["error"];
    assert_eq!((&error["data"], &answer.json()["id"]), (&json!({ "retryAfterSeconds": seconds }), &json!(7)), "{era:?}");
    let expected = (status == 429).then(|| seconds.to_string());
    assert_eq!(answer.header("retry-after").map(str::to_owned), expected, "{era:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{era:?}");
}

// ---------------------------------------------------------------------------------------------- what is limited

#[tokio::test(start_paused = true)]
async fn a_tool_called_too_often_says_when_to_try_again() {
    for era in Era::ALL {
        let server = router(shop().rate_limit_of("refund", RateLimit::per_minute(5)));
        let call = async |token: &str| refunds().token(token).send_in(era, &server).await;
        for _ in 0..5 {
            assert_eq!(call(ALICE).await.tool_text(), "refunded 1", "{era:?}");
        }
        let refused = call(ALICE).await;
        assert!(refused.is_tool_error(), "{era:?} {}", refused.shown());
        assert_eq!(refused.tool_text(), "Too many calls of refund: try again in 12 seconds.", "{era:?}");
        assert_eq!(call(BOB).await.tool_text(), "refunded 1", "{era:?}: somebody else");
        assert_served(&HttpCall::tool("look_up", json!({})).token(ALICE).send_in(era, &server).await);
        pass(Duration::from_secs(11)).await;
        assert_eq!(call(ALICE).await.tool_text(), "Too many calls of refund: try again in 1 second.", "{era:?}");
        pass(Duration::from_secs(1)).await;
        assert_eq!(call(ALICE).await.tool_text(), "refunded 1", "{era:?}");
        assert!(call(ALICE).await.is_tool_error(), "{era:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn prompts_and_resources_are_limited_by_name_and_by_uri() {
    for era in Era::ALL {
        let limit = RateLimit::per_hour(60).burst(1);
        let server = shop().rate_limit_of("letter", limit).rate_limit_of("orders://{id}", limit);
        let server = router(server);
        for (call, message) in [
            (letters(), "Too many calls of letter: try again in 60 seconds."),
            (orders(), "Too many calls of order: try again in 60 seconds."),
        ] {
            assert_served(&call.clone().token(ALICE).send_in(era, &server).await);
            assert_refused(era, &call.clone().token(ALICE).send_in(era, &server).await, message, 60);
            assert_served(&call.token(BOB).send_in(era, &server).await);
        }
        let completed = completions().token(ALICE).send_in(era, &server).await;
        assert_served(&completed);
        let by_name = router(shop().rate_limit_of("order", limit));
        assert_served(&orders().send_in(era, &by_name).await);
        assert_refused(era, &orders().send_in(era, &by_name).await, "Too many calls of order: try again in 60 seconds.", 60);
    }
}

#[tokio::test(start_paused = true)]
async fn all_calls_of_a_caller_are_counted_together() {
    for era in Era::ALL {
        let server = router(shop().rate_limit(RateLimit::per_minute(60).burst(5)));
        let look_up = || HttpCall::tool("look_up", json!({}));
        for call in [refunds(), look_up(), letters(), orders(), completions()] {
            assert_served(&call.token(ALICE).send_in(era, &server).await);
        }
        for call in [letters(), orders(), completions()] {
            assert_refused(era, &call.token(ALICE).send_in(era, &server).await, "Too many calls: try again in 1 second.", 1);
        }
        let refused = refunds().token(ALICE).send_in(era, &server).await;
        assert_eq!(refused.tool_text(), "Too many calls: try again in 1 second.", "{era:?}");
        assert_served(&look_up().token(BOB).send_in(era, &server).await);
        // What costs nothing is not counted, nor refused.
        for _ in 0..10 {
            assert_served(&HttpCall::list().token(ALICE).send_in(era, &server).await);
        }
        pass(Duration::from_secs(1)).await;
        assert_served(&look_up().token(ALICE).send_in(era, &server).await);
    }
}

#[tokio::test(start_paused = true)]
async fn rights_come_before_and_arguments_after() {
    for era in Era::ALL {
        let limit = RateLimit::per_minute(1);
        let server =
            router(shop().rate_limit(RateLimit::per_minute(2)).rate_limit_of("refund", limit).rate_limit_of("purge", limit));
        for _ in 0..5 {
            let forbidden = HttpCall::tool("purge", json!({})).token(ALICE).send_in(era, &server).await;
            assert_eq!(forbidden.status, 403, "{era:?}: not 429, and not counted");
        }
        let wrong = || HttpCall::tool("refund", json!({ "amount": "much" })).token(ALICE);
        assert!(wrong().send_in(era, &server).await.tool_text().contains("amount"), "{era:?}");
        let refused = wrong().send_in(era, &server).await.tool_text();
        assert_eq!(refused, "Too many calls of refund: try again in 60 seconds.", "{era:?}: a wrong call is a call");
    }
}

#[tokio::test]
async fn the_calls_of_a_batch_are_calls() {
    let server = router(shop().rate_limit_of("refund", RateLimit::per_hour(1)));
    let era = Era::V2025_03_26;
    let session = open(&server, HttpCall::initialize(era)).await;
    let message = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "refund", "arguments": { "amount": id } } });
    let batch = json!([message(1), message(2)]).to_string();
    let answers = refunds().in_era(era).session(&session).body(batch).send(&server).await.json();
    let text = |id: u32| {
        let answer = answers.as_array().expect("answers").iter().find(|answer| answer["id"] == id).expect("an answer");
        answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
    };
    assert_eq!(text(1), "refunded 1");
    assert!(text(2).starts_with("Too many calls of refund: try again in"), "{}", text(2));
}

#[tokio::test]
async fn over_a_pipe_it_is_an_error_that_says_when() {
    let limit = RateLimit::per_hour(1);
    let mut pipe = pipe::converse(
        shop().stdio_principal(Principal::user("me")).rate_limit_of("letter", limit).rate_limit_of("refund", limit),
    );
    pipe.open("2025-11-25").await;
    let get = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "prompts/get", "params": { "name": "letter", "arguments": { "to": "Ada" } } });
    assert!(pipe.ask(get(1)).await["result"].is_object());
    let refused = pipe.ask(get(2)).await;
    let seconds = refused["error"]["data"]["retryAfterSeconds"].as_u64().expect("a number");
    assert!((3590..=3600).contains(&seconds), "{refused}");
    assert_eq!(refused["error"]["message"], format!("Too many calls of letter: try again in {seconds} seconds."));
    let call = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "refund", "arguments": { "amount": 1 } } });
    assert_ne!(pipe.ask(call(3)).await["result"]["isError"], true);
    assert_eq!(pipe.ask(call(4)).await["result"]["isError"], true);
}

// ---------------------------------------------------------------------------------------------- whose calls

async fn refund_from(server: &Router, peer: Option<&str>, by_application: bool) -> bool {
    let mut request = refunds().request();
    if let Some(peer) = peer {
        let peer: SocketAddr = peer.parse().expect("an address");
        if by_application {
            request.extensions_mut().insert(ConnectInfo(peer));
        } else {
            request.extensions_mut().insert(Peer(peer));
        }
    }
    !send(server, request).await.is_tool_error()
}

#[tokio::test]
async fn anonymous_callers_are_told_apart_by_network() {
    for by_application in [true, false] {
        // An application's word counts also where nobody has credentials.
        let anonymous = Server::new("shop", "0").only([refund::tool()]).only_prompts([]).only_resources([]).allow_anonymous();
        let server = router(anonymous.rate_limit_of("refund", RateLimit::per_hour(1)));
        let mut served = Vec::new();
        for peer in ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"] {
            served.push(refund_from(&server, Some(peer), by_application).await);
        }
        assert_eq!(served, [true, false, true, true, false, true]);
        assert!(refund_from(&server, None, by_application).await, "those of unknown networks are another caller");
        assert!(!refund_from(&server, None, by_application).await, "and but one");
    }
}

// ---------------------------------------------------------------------------------------------- mistakes

fn problems(server: Server) -> Vec<Problem> {
    match server.build() {
        Err(mcp_runtime::Error::Config(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_can_not_be_limited() {
    let limit = RateLimit::per_minute(1);
    let found = problems(shop().rate_limit_of("refnd", limit).rate_limit_of("weather", limit));
    let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "`.rate_limit_of(\"refnd\", ..)` names no tool, prompt or resource of this server; did you mean `refund`?",
            "`.rate_limit_of(\"weather\", ..)` names no tool, prompt or resource of this server",
        ]
    );
    // What is linked may be offered later, where that is meant.
    let one = || shop().only([look_up::tool()]).rate_limit_of("refund", limit);
    assert_eq!(problems(one()).len(), 1);
    assert!(one().list_changes().build().is_ok());
}

#[test]
fn a_limit_allows_something() {
    let found = problems(shop().rate_limit(RateLimit::per_minute(0)).rate_limit_of("refund", RateLimit::per_minute(1).burst(0)));
    let settings: Vec<_> =
        found.iter().map(|problem| if let Problem::Setting { setting, .. } = problem { setting } else { "" }).collect();
    assert_eq!(settings, ["rate_limit", "rate_limit_of"], "{found:?}");
}

#[tokio::test]
async fn a_limit_outlives_what_it_limits() {
    let built = shop().list_changes().rate_limit_of("refund", RateLimit::per_hour(1)).build().expect("it builds");
    let (server, handle) = (built.router::<()>(), built.handle());
    assert_served(&refunds().token(ALICE).send(&server).await);
    handle.remove_tool("refund").expect("it can go");
    handle.add_tool(refund::tool()).expect("it can come back");
    assert!(refunds().token(ALICE).send(&server).await.is_tool_error());
}

// ---------------------------------------------------------------------------------------------- wrong credentials

#[tokio::test]
async fn a_wrong_token_is_looked_at_so_many_times() {
    let tokens = || StaticTokens::new().token(ALICE, Principal::user("alice"));
    let few = Attempts::default().of_one_credential(RateLimit::per_hour(2).burst(2));
    let server = router(shop().auth(Auth::chain().with(tokens()).attempts(few)));
    let wrong = || refunds().token("wrong-0123456789abcdef");
    for era in [Era::V2026_07_28, Era::V2025_11_25] {
        // A legacy client is refused when it opens its session.
        assert_eq!(wrong().in_era(era).send(&server).await.status, 401, "{era:?}");
    }
    for era in Era::ALL {
        let answer = wrong().in_era(era).send(&server).await;
        assert_eq!(answer.status, 429, "{era:?} {}", answer.shown());
        let seconds: u64 = answer.header("retry-after").expect("when to try again").parse().expect("a number");
        assert!((1790..=1800).contains(&seconds), "{seconds}");
        let body: Value = answer.json();
        assert_eq!(body["error"], "too_many_requests", "{era:?}");
        assert_eq!(answer.header("www-authenticate"), None, "another credential would not be asked for");
    }
    assert_served(&refunds().token(ALICE).send(&server).await);
    assert_served(&refunds().send(&server).await);
}

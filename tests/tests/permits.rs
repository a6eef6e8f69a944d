//! Scopes that depend on the arguments.

mod http_call;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_call::{Answer, HttpCall, router};
use mcp_runtime::Requested;
use mcp_runtime::auth::RateLimit;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};

const SMALL: &str = "small-0123456789abcdef";
const NONE: &str = "none-0123456789abcdef";
const LARGE: &str = "large-0123456789abcdef";

/// Refund some money.
#[tool(scopes("refund"))]
fn refund(cents: u64) -> String {
    format!("{cents} cents")
}

/// Anything at all.
#[tool]
fn raw(Args(all): Args<serde_json::Map<String, Value>>) -> String {
    all["cents"].to_string()
}

/// A letter to somebody.
#[prompt]
fn letter(to: String) -> String {
    format!("Dear {to}")
}

/// An account.
#[resource("accounts://{owner}")]
fn account(owner: String) -> String {
    owner
}

fn large(asked: &Requested<'_>) -> Option<&'static str> {
    (asked.argument("cents").as_u64() > Some(100)).then_some("refund-large")
}

fn server() -> axum::Router {
    let tokens = StaticTokens::new()
        .token(NONE, Principal::user("none"))
        .token(SMALL, Principal::user("small").scopes(["refund"]))
        .token(LARGE, Principal::user("large").scopes(["refund", "refund-large", "letters", "all-accounts"]));
    let own = |asked: &Requested<'_>| {
        let is_own = asked.caller().is_some_and(|caller| asked.argument("owner") == caller.subject());
        (!is_own).then_some("all-accounts")
    };
    let server = Server::new("shop", "0")
        .only([refund::tool(), raw::tool()])
        .only_prompts([letter::prompt()])
        .only_resources([account::resource()])
        .auth(Auth::chain().with(tokens))
        .scopes_by("refund", large)
        .scopes_by("raw", large)
        .scopes_by("letter", |asked| (asked.argument("to") == "all").then_some("letters"))
        .scopes_by("account", own);
    router(server)
}

async fn each(call: HttpCall, check: impl Fn(&Answer)) {
    let server = server();
    for era in Era::ALL {
        check(&call.clone().send_in(era, &server).await);
    }
}

fn challenged(answer: &Answer, scopes: &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert_eq!(answer.status, 403, "{}", answer.shown());
    assert!(challenge.contains("insufficient_scope") && challenge.contains(&format!(r#"scope="{scopes}""#)), "{challenge}");
}

#[tokio::test]
async fn the_arguments_decide_which_scopes_a_tool_needs() {
    let call = |token, cents: u64| HttpCall::tool("refund", json!({ "cents": cents })).token(token);
    each(call(SMALL, 100), |answer| assert_eq!(answer.tool_text(), "100 cents")).await;
    each(call(SMALL, 101), |answer| challenged(answer, "refund refund-large")).await;
    each(call(LARGE, 101), |answer| assert_eq!(answer.tool_text(), "101 cents")).await;
    // Who lacks those that it needs in any case is asked for all at once.
    each(call(NONE, 101), |answer| challenged(answer, "refund refund-large")).await;
    each(call(NONE, 100), |answer| challenged(answer, "refund")).await;
    // Wrong arguments are the schema's matter.
    each(HttpCall::tool("refund", json!({ "cents": "many" })).token(SMALL), |answer| assert!(answer.is_tool_error())).await;
}

#[tokio::test]
async fn prompts_and_resources_are_asked_about_their_arguments() {
    let letter = |token, to: &str| {
        HttpCall::new("prompts/get", json!({ "name": "letter", "arguments": { "to": to } }))
            .header("mcp-name", "letter")
            .token(token)
    };
    each(letter(SMALL, "ada"), |answer| assert_eq!(answer.status, 200, "{}", answer.shown())).await;
    each(letter(SMALL, "all"), |answer| challenged(answer, "letters")).await;
    each(letter(LARGE, "all"), |answer| assert_eq!(answer.status, 200)).await;
    let account = |token, owner: &str| {
        let uri = format!("accounts://{owner}");
        HttpCall::new("resources/read", json!({ "uri": uri })).header("mcp-name", uri).token(token)
    };
    each(account(SMALL, "small"), |answer| assert_eq!(answer.status, 200, "{}", answer.shown())).await;
    each(account(SMALL, "large"), |answer| challenged(answer, "all-accounts")).await;
    each(account(LARGE, "small"), |answer| assert_eq!(answer.status, 200)).await;
}

/// What an application decides by arguments costs it something.
#[tokio::test]
async fn who_lacks_a_scope_is_counted_before_the_arguments_are_looked_at() {
    let looked = Arc::new(AtomicUsize::new(0));
    let looks = Arc::clone(&looked);
    let server = Server::new("shop", "0")
        .only([refund::tool()])
        .auth(StaticTokens::new().token(NONE, Principal::user("none")))
        .rate_limit_of("refund", RateLimit::per_minute(3))
        .scopes_by("refund", move |asked| {
            looks.fetch_add(1, Ordering::SeqCst);
            large(asked)
        });
    let server = router(server);
    for number in 0..10 {
        let answer = HttpCall::tool("refund", json!({ "cents": 101 })).token(NONE).send(&server).await;
        assert_eq!(answer.status, if number < 3 { 403 } else { 429 }, "{}", answer.shown());
    }
    assert_eq!(looked.load(Ordering::SeqCst), 3);
}

/// What the check can not read must not be read by the function.
#[tokio::test]
async fn arguments_that_hide_something_are_refused() {
    let call = |arguments: &str| {
        let call = HttpCall::tool("raw", json!({})).token(SMALL);
        let text = call.text().replace(r#""arguments":{}"#, &format!(r#""arguments":{arguments}"#));
        assert!(text.contains(arguments), "{text}");
        call.body(text)
    };
    let server = server();
    for hidden in [r#"{"cents":1000,"x":1e999}"#, r#"{"x":"\ud800","cents":1000}"#, r#"[1000]"#, r#""1000""#] {
        let answer = call(hidden).send(&server).await;
        assert_eq!(answer.outcome(), (200, Some(-32602)), "{hidden}: {}", answer.shown());
    }
    for twice in [r#"{"cents":1,"cents":1000}"#, r#"{"cents":1000,"cents":1}"#] {
        let answer = call(twice).send(&server).await;
        assert!(answer.status == 403 || answer.is_tool_error(), "{}", answer.shown());
    }
}

#[test]
fn a_check_of_nothing_is_a_mistake() {
    let server = Server::new("shop", "0").only([raw::tool()]).allow_anonymous().scopes_by("row", |_| None::<&str>);
    let error = server.build().expect_err("no such tool").to_string();
    assert!(error.contains("scopes_by") && error.contains("`row`"), "{error}");
}

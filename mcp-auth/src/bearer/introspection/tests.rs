//! Against a server that is a list of answers.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::authenticate::Credential;
use crate::{Auth, Decision, FetchError, FetchFuture, RejectionKind, Trust};

const URL: &str = "https://www.example.com/o/introspect/";
const TOKEN_URL: &str = "https://www.example.com/o/token/";
const ISSUER: &str = "https://www.example.com/o";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const NOW: u64 = 1_800_000_000;

type Reply = Result<Response<Vec<u8>>, FetchError>;

/// Gives its answers in their order, and keeps the requests. When there are no more, the last one again.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Exchange>>);

#[derive(Default)]
struct Exchange {
    replies: VecDeque<Reply>,
    requests: Vec<Request<Vec<u8>>>,
}

impl Script {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(Arc::new(Mutex::new(Exchange { replies: replies.into_iter().collect(), requests: Vec::new() })))
    }

    fn requests(&self) -> Vec<Request<Vec<u8>>> {
        std::mem::take(&mut self.0.lock().expect("whole").requests)
    }
}

impl Fetch for Script {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        assert_eq!(trust, Trust::Configured);
        let mut script = self.0.lock().expect("whole");
        script.requests.push(request);
        let reply = if script.replies.len() > 1 { script.replies.pop_front() } else { script.replies.front().cloned() };
        Box::pin(std::future::ready(reply.expect("a reply")))
    }
}

fn reply(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Reply {
    Ok(Response::builder().status(status).header(CONTENT_TYPE, kind).body(body.into()).expect("an answer"))
}

fn json_reply(body: &Value) -> Reply {
    reply(200, "application/json", body.to_string())
}

/// The answer about a good token, with these members instead of its own; `null` leaves one out.
fn good(changes: Value) -> Value {
    let mut answer = json!({
        "active": true, "scope": "read mcp:tools", "exp": NOW + 600, "client_id": "app", "sub": "7", "username": "alice",
        "aud": [RESOURCE], "iss": ISSUER, "token_type": "Bearer",
    });
    let members = answer.as_object_mut().expect("an object");
    let Value::Object(changes) = changes else { panic!("no object: {changes}") };
    members.extend(changes);
    members.retain(|_, value| !value.is_null());
    answer
}

fn introspection(script: &Script) -> Introspection {
    Introspection::at(URL).issuer(ISSUER).bearer("ours").fetching_with(script.clone())
}

fn head() -> Parts {
    Request::new(()).into_parts().0
}

async fn judge_at(introspection: &Introspection, token: &str, now: u64) -> Result<Principal, Rejection> {
    let (head, resource) = (head(), Resource::new(RESOURCE).expect("a URL"));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    introspection.judge(Presented { credential: &Credential::new(token), head: &head, resource: Some(&resource), now }).await
}

async fn judge(introspection: &Introspection, token: &str) -> Result<Principal, Rejection> {
    judge_at(introspection, token, NOW).await
}

/// Why a token with this answer does not count.
async fn reason(introspection: impl Fn(&Script) -> Introspection, answer: Value) -> Option<&'static str> {
    let rejection = judge(&introspection(&Script::new([json_reply(&answer)])), "theirs").await.err()?;
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken, "{answer}: {rejection}");
    Some(rejection.reason())
}

#[tokio::test]
async fn an_active_token_is_its_principal() {
    let script = Script::new([json_reply(&good(json!({})))]);
    let principal = judge(&introspection(&script), "the+irs=").await.expect("active");
    assert_eq!((principal.subject(), principal.issuer(), principal.client()), ("7", Some(ISSUER), Some("app")));
    assert_eq!(principal.granted(), &crate::Scopes::parse("read mcp:tools"));
    assert_eq!(principal.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 600)));
    assert_eq!((principal.scheme(), &principal.claims()["username"]), (crate::Scheme::Bearer, &json!("alice")));
    let [request] = &script.requests()[..] else { panic!("one question") };
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("POST", URL.to_owned()));
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(
        (&request.headers()[AUTHORIZATION], &request.body()[..]),
        (&"Bearer ours".parse().expect("text"), &b"token=the%2Birs%3D"[..])
    );
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
}

#[tokio::test]
async fn the_secret_is_encoded_as_in_a_form() {
    let script = Script::new([json_reply(&good(json!({})))]);
    judge(&introspection(&script).basic("a:b", "c d%"), "theirs").await.expect("active");
    let header = script.requests()[0].headers()[AUTHORIZATION].clone();
    assert_eq!(header, "Basic YSUzQWI6YytkJTI1", "a%3Ab:c+d%25");
}

#[tokio::test]
async fn only_true_is_active() {
    assert_eq!(reason(introspection, json!({ "active": false })).await, Some("inactive"));
    assert_eq!(reason(introspection, good(json!({ "active": false }))).await, Some("inactive"));
    for not_true in [json!("true"), json!(1), json!([true]), json!({}), Value::Null] {
        let script = Script::new([json_reply(&good(json!({ "active": not_true })))]);
        let rejection = judge(&introspection(&script), "theirs").await.expect_err("no answer");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable, "{not_true}");
    }
}

#[tokio::test]
async fn times_are_checked_and_malformed_ones_do_not_count() {
    let because = |changes| reason(introspection, good(changes));
    assert_eq!(because(json!({ "exp": NOW + 1 })).await, None);
    assert_eq!(because(json!({ "exp": null })).await, None);
    assert_eq!(because(json!({ "exp": 253_402_300_799_u64 })).await, None);
    for past in [json!(NOW), json!(NOW - 1), json!(0), json!(NOW as f64 + 0.9)] {
        assert_eq!(because(json!({ "exp": past })).await, Some("expired"), "{past}");
    }
    for wrong in [json!("1900000000"), json!(-1), json!(1e300), json!(u64::MAX), json!([NOW + 600]), json!(true)] {
        assert_eq!(because(json!({ "exp": wrong })).await, Some("malformed_exp"), "{wrong}");
        assert_eq!(because(json!({ "nbf": wrong })).await, Some("malformed_nbf"), "{wrong}");
    }
    assert_eq!(because(json!({ "nbf": NOW + 10 })).await, None);
    assert_eq!(because(json!({ "nbf": NOW + 11 })).await, Some("not_yet_valid"));
}

#[tokio::test]
async fn a_null_is_not_an_absent_member() {
    for (name, expected) in [("exp", "malformed_exp"), ("aud", "malformed_audience"), ("scope", "malformed_scope")] {
        let mut answer = good(json!({}));
        answer[name] = Value::Null;
        assert_eq!(reason(introspection, answer).await, Some(expected));
    }
}

#[tokio::test]
async fn tokens_must_be_for_us() {
    let because = |aud: Value| reason(introspection, good(json!({ "aud": aud })));
    for ours in [json!(RESOURCE), json!("https://MCP.example.com:443/mcp/"), json!(["https://other.example", RESOURCE])] {
        assert_eq!(because(ours.clone()).await, None, "{ours}");
    }
    for other in [json!("https://other.example/mcp"), json!(["https://mcp.example.com"]), json!("app"), json!("")] {
        assert_eq!(because(other.clone()).await, Some("foreign_audience"), "{other}");
    }
    for wrong in [json!(7), json!({ "a": RESOURCE }), json!([RESOURCE, 7]), json!([[RESOURCE]])] {
        assert_eq!(because(wrong.clone()).await, Some("malformed_audience"), "{wrong}");
    }
    let without_url = introspection(&Script::new([json_reply(&good(json!({})))]));
    let head = head();
    let token = Credential::new("theirs");
    let presented = Presented { credential: &token, head: &head, resource: None, now: SystemTime::UNIX_EPOCH };
    assert_eq!(without_url.judge(presented).await.expect_err("nobody's").reason(), "foreign_audience");
}

#[tokio::test]
async fn the_audience_may_have_another_name_or_be_the_whole_site() {
    let named = |script: &Script| introspection(script).audience("api://mcp").audience("mcp");
    assert_eq!(reason(named, good(json!({ "aud": "api://mcp" }))).await, None);
    assert_eq!(reason(named, good(json!({ "aud": ["x", "mcp"] }))).await, None);
    assert_eq!(reason(named, good(json!({ "aud": RESOURCE }))).await, Some("foreign_audience"));
    let by_prefix = |script: &Script| introspection(script).audience_by_prefix();
    assert_eq!(reason(by_prefix, good(json!({ "aud": "https://mcp.example.com" }))).await, None);
    assert_eq!(reason(by_prefix, good(json!({ "aud": "https://mcp.example.com/m" }))).await, Some("foreign_audience"));
}

#[tokio::test]
async fn tokens_for_nobody_are_refused_but_of_clients_that_are_known() {
    let known = |script: &Script| introspection(script).unbound_tokens(Unbound::allow_clients(["app"]));
    for nobody in [Value::Null, json!([])] {
        let changed = |client: Value| good(json!({ "aud": nobody, "client_id": client }));
        assert_eq!(reason(introspection, changed(json!("app"))).await, Some("no_audience"));
        assert_eq!(reason(known, changed(json!("app"))).await, None);
        assert_eq!(reason(known, changed(json!("other"))).await, Some("no_audience"));
        assert_eq!(reason(known, changed(Value::Null)).await, Some("no_audience"));
    }
    let foreign = good(json!({ "aud": "https://other.example" }));
    assert_eq!(reason(known, foreign).await, Some("foreign_audience"));
}

#[tokio::test]
async fn other_kinds_of_tokens_are_refused() {
    let because = |changes| reason(introspection, good(changes));
    for access in [json!({ "token_type": "bearer" }), json!({ "token_use": "access_token" }), json!({ "typ": "Bearer" })] {
        assert_eq!(because(access.clone()).await, None, "{access}");
    }
    for (name, kind) in [
        ("token_type", json!("refresh_token")),
        ("token_type", json!("DPoP")),
        ("token_type", json!(7)),
        ("token_use", json!("id")),
        ("token_use", json!("refresh_token")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("ID")),
    ] {
        assert_eq!(because(json!({ name: kind })).await, Some("no_access_token"), "{name}: {kind}");
    }
    assert_eq!(because(json!({ "cnf": { "jkt": "x" } })).await, Some("bound_to_a_key"));
    for scope in ["introspection", "oauth2_provider:registration", "introspection oauth2_provider:registration"] {
        assert_eq!(because(json!({ "scope": scope })).await, Some("no_access_token"), "{scope}");
    }
    assert_eq!(because(json!({ "scope": "introspection mcp:tools" })).await, None);
}

#[tokio::test]
async fn malformed_scopes_do_not_count() {
    for scope in [json!(["read"]), json!(7), json!("re\"ad"), json!("r\u{e9}ad")] {
        assert_eq!(reason(introspection, good(json!({ "scope": scope }))).await, Some("malformed_scope"), "{scope}");
    }
    let script = Script::new([json_reply(&good(json!({ "scope": null })))]);
    assert_eq!(judge(&introspection(&script), "theirs").await.expect("active").granted(), &crate::Scopes::none());
}

#[tokio::test]
async fn the_issuer_must_be_the_configured_one() {
    let strict = |script: &Script| introspection(script).require_issuer();
    for foreign in ["https://evil.example", "https://www.example.com/o/", ""] {
        assert_eq!(reason(introspection, good(json!({ "iss": foreign }))).await, Some("foreign_issuer"), "{foreign}");
    }
    assert_eq!(reason(introspection, good(json!({ "iss": [ISSUER] }))).await, Some("malformed_issuer"));
    assert_eq!(reason(introspection, good(json!({ "iss": null }))).await, None);
    assert_eq!(reason(strict, good(json!({ "iss": null }))).await, Some("no_issuer"));
    assert_eq!(reason(strict, good(json!({}))).await, None);
}

#[tokio::test]
async fn the_log_says_whose_a_token_is() {
    let told = async |changes| {
        let script = Script::new([json_reply(&good(changes))]);
        judge(&introspection(&script), "theirs").await.expect_err("it is another's").to_string()
    };
    let audience = "foreign_audience: for `https://other`, not `https://mcp.example.com/mcp`";
    assert_eq!(told(json!({ "aud": "https://other" })).await, audience);
    let issuer = "foreign_issuer: of `https://evil.example`, not `https://www.example.com/o`";
    assert_eq!(told(json!({ "iss": "https://evil.example" })).await, issuer);
}

#[tokio::test]
async fn who_the_caller_is_is_said_by_configuration() {
    let named = |script: &Script| introspection(script).subject_from_username();
    let clients = |script: &Script| named(script).subject_from_client();
    let subject = async |introspection: &dyn Fn(&Script) -> Introspection, changes| {
        let answer = judge(&introspection(&Script::new([json_reply(&good(changes))])), "theirs").await;
        answer.map(|principal| principal.subject().to_owned()).map_err(|rejection| rejection.reason())
    };
    let client_only = json!({ "sub": null, "username": null });
    assert_eq!(subject(&introspection, json!({ "sub": null })).await, Err("no_subject"));
    assert_eq!(subject(&named, json!({ "sub": null })).await, Ok("alice".to_owned()));
    assert_eq!(subject(&named, json!({})).await, Ok("7".to_owned()));
    assert_eq!(subject(&named, client_only.clone()).await, Err("no_subject"));
    assert_eq!(subject(&clients, client_only).await, Ok("client:app".to_owned()));
    assert_eq!(subject(&clients, json!({ "sub": null })).await, Ok("alice".to_owned()));
    let named_like_a_client = json!({ "sub": null, "username": "client:app" });
    assert_eq!(subject(&named, named_like_a_client.clone()).await, Ok("client:app".to_owned()));
    assert_eq!(subject(&clients, named_like_a_client).await, Err("malformed_subject"), "a user is no client");
    for wrong in [json!(7), json!(""), json!(["7"]), json!("client:app")] {
        assert_eq!(subject(&clients, json!({ "sub": wrong })).await, Err("malformed_subject"), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_question_is_unavailable() {
    let html = "<html>Please log in</html>";
    let replies = [
        (reply(200, "text/html", html), "authority_unreadable"),
        (reply(200, "text/html", good(json!({})).to_string()), "authority_unreadable"),
        (reply(200, "application/json", html), "authority_unreadable"),
        (reply(200, "application/json", ""), "authority_unreadable"),
        (reply(200, "application/json", "[]"), "authority_unreadable"),
        (reply(200, "application/json", "[".repeat(60_000)), "authority_unreadable"),
        (json_reply(&good(json!({ "x": "x".repeat(70_000) }))), "authority_unreadable"),
        (reply(204, "application/json", ""), "authority_failed"),
        (reply(301, "text/html", ""), "authority_redirects"),
        (reply(302, "application/json", good(json!({})).to_string()), "authority_redirects"),
        (reply(400, "application/json", r#"{"error":"invalid_request"}"#), "authority_failed"),
        (reply(400, "application/json", r#"{"active":false}"#), "authority_failed"),
        (reply(401, "application/json", r#"{"error":"invalid_token"}"#), "authority_refuses_us"),
        (reply(403, "text/html", html), "authority_refuses_us"),
        (reply(404, "text/html", html), "authority_failed"),
        (reply(429, "text/html", html), "authority_failed"),
        (reply(500, "application/json", good(json!({})).to_string()), "authority_failed"),
        (reply(503, "text/html", html), "authority_failed"),
        (Err(FetchError::new("www.example.com: no answer in time")), "authority_unreachable"),
    ];
    for (reply, expected) in replies {
        let introspection = introspection(&Script::new([reply.clone(), json_reply(&good(json!({})))]));
        let rejection = judge(&introspection, "theirs").await.expect_err("no answer");
        assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, expected), "{reply:?}");
        assert!(rejection.retry_after().is_some() && !rejection.to_string().contains("theirs"));
        assert!(rejection.to_string().contains(URL.trim_start_matches("https://")), "it says who was asked: {rejection}");
        judge_at(&introspection, "theirs", NOW + 1).await.expect("it recovers by itself");
    }
}

#[tokio::test]
async fn the_client_hears_when_the_server_wants_to_be_asked_again() {
    for (said, expected) in [("17", 17), ("0", 1), ("100000", 60), ("Fri, 31 Dec 1999 23:59:59 GMT", 1)] {
        let mut busy = reply(503, "text/html", "").expect("an answer");
        busy.headers_mut().insert(RETRY_AFTER, said.parse().expect("text"));
        let rejection = judge(&introspection(&Script::new([Ok(busy)])), "theirs").await.expect_err("busy");
        assert_eq!(rejection.retry_after(), Some(Duration::from_secs(expected)), "{said}");
    }
}

#[tokio::test]
async fn answers_are_kept_but_each_resource_judges_for_itself() {
    let script = Script::new([json_reply(&good(json!({})))]);
    let introspection = introspection(&script);
    judge(&introspection, "theirs").await.expect("active");
    judge_at(&introspection, "theirs", NOW + 29).await.expect("active");
    let (head, other) = (head(), Resource::new("https://other.example/mcp").expect("a URL"));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let token = Credential::new("theirs");
    let presented = Presented { credential: &token, head: &head, resource: Some(&other), now };
    assert_eq!(introspection.judge(presented).await.expect_err("for another").reason(), "foreign_audience");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn long_tokens_are_not_asked_about() {
    let script = Script::default();
    let rejection = judge(&introspection(&script), &"x".repeat(MAX_TOKEN + 1)).await.expect_err("too long");
    assert_eq!(rejection.reason(), "too_long");
    assert!(script.requests().is_empty());
}

fn issued(token: &str, lifetime: impl Into<Value>) -> Reply {
    json_reply(&json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime.into() }))
}

fn own(script: &Script) -> Introspection {
    introspection(script).client_credentials(TOKEN_URL, "mcp", "secret", "introspection")
}

/// What was asked, in order: `token` for the token endpoint, or the bearer token of a question.
fn asked(script: &Script) -> Vec<String> {
    let requests = script.requests();
    let name = |request: &Request<Vec<u8>>| match request.uri().to_string().as_str() {
        TOKEN_URL => "token".to_owned(),
        _ => request.headers()[AUTHORIZATION].to_str().expect("text").replace("Bearer ", ""),
    };
    requests.iter().map(name).collect()
}

#[tokio::test]
async fn our_own_token_is_fetched_once_and_again_before_it_ends() {
    let answer = || json_reply(&good(json!({ "exp": NOW + 100_000 })));
    let script = Script::new([issued("t1", 36_000), answer(), answer(), issued("t2", 36_000), answer()]);
    let introspection = own(&script);
    judge(&introspection, "a").await.expect("active");
    let requests = script.requests();
    assert_eq!(requests[0].uri().to_string(), TOKEN_URL);
    assert_eq!(requests[0].headers()[AUTHORIZATION], "Basic bWNwOnNlY3JldA==");
    assert_eq!(requests[0].body(), b"grant_type=client_credentials&scope=introspection");
    judge_at(&introspection, "b", NOW + 3_239).await.expect("active");
    assert_eq!(asked(&script), ["t1"], "an hour is the most, and this is before its last tenth");
    judge_at(&introspection, "c", NOW + 3_240).await.expect("active");
    assert_eq!(asked(&script), ["token", "t2"]);
}

#[tokio::test]
async fn a_token_that_still_holds_is_used_where_no_new_one_comes() {
    let answer = || json_reply(&good(json!({})));
    let dead = || Err(FetchError::new("dead"));
    let script = Script::new([issued("t1", 100), answer(), dead(), answer(), answer(), dead()]);
    let introspection = own(&script);
    judge(&introspection, "a").await.expect("active");
    judge_at(&introspection, "b", NOW + 90).await.expect("active");
    judge_at(&introspection, "c", NOW + 91).await.expect("active");
    assert_eq!(asked(&script), ["token", "t1", "token", "t1", "t1"]);
    let rejection = judge_at(&introspection, "d", NOW + 100).await.expect_err("it has ended");
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    assert_eq!(asked(&script), ["token"]);
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_replaced_but_not_at_every_question() {
    let refusal = || reply(403, "text/html", "");
    let script = Script::new([
        issued("t1", 3600),
        json_reply(&good(json!({}))),
        refusal(),
        issued("t2", 3600),
        json_reply(&good(json!({}))),
        refusal(),
    ]);
    let introspection = own(&script);
    judge(&introspection, "a").await.expect("active");
    judge_at(&introspection, "b", NOW + 60).await.expect("active, with another token");
    assert_eq!(asked(&script), ["token", "t1", "t1", "token", "t2"]);
    let rejection = judge_at(&introspection, "c", NOW + 65).await.expect_err("refused");
    assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, "authority_refuses_us"));
    assert_eq!(asked(&script), ["t2"]);
}

#[tokio::test]
async fn a_token_endpoint_that_gives_no_token_makes_the_server_unavailable() {
    for reply in [
        reply(400, "application/json", r#"{"error":"invalid_scope"}"#),
        reply(401, "application/json", r#"{"error":"invalid_client"}"#),
        reply(500, "text/html", ""),
        reply(200, "text/html", ""),
        issued("to ken", 3600),
        issued("token\r\nx: y", 3600),
        issued("", 3600),
        issued("token", 0),
        issued("token", "3600"),
        json_reply(&json!({ "access_token": "token" })),
        json_reply(&json!({ "access_token": "token", "token_type": "DPoP" })),
        Err(FetchError::new("dead")),
    ] {
        let script = Script::new([reply.clone()]);
        let rejection = judge(&own(&script), "theirs").await.expect_err("no token");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable, "{reply:?}");
        assert!(rejection.to_string().contains("as client `"), "it says who was refused: {rejection}");
        assert_eq!(asked(&script), ["token"]);
    }
}

/// Answers only when it is told to.
struct Slow(Script, Arc<tokio::sync::Notify>);

impl Fetch for Slow {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        Box::pin(async move {
            let answer = self.0.fetch(request, trust);
            self.1.notified().await;
            answer.await
        })
    }
}

#[tokio::test]
async fn many_questions_wait_for_one_token_of_ours() {
    let (script, go) = (Script::new([issued("t1", 3600), json_reply(&good(json!({})))]), Arc::new(tokio::sync::Notify::new()));
    let introspection = Arc::new(own(&script).fetching_with(Slow(script.clone(), go.clone())));
    let questions: Vec<_> = (0..20)
        .map(|at| {
            let introspection = introspection.clone();
            tokio::spawn(async move { judge(&introspection, &format!("theirs{at}")).await.is_ok() })
        })
        .collect();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(&script), ["token"]);
    for question in questions {
        while !question.is_finished() {
            go.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert!(question.await.expect("it ends"));
    }
    assert_eq!(asked(&script), ["t1"; 20]);
}

#[tokio::test]
async fn many_questions_share_the_failure_to_get_a_token_of_ours() {
    let (script, go) = (Script::new([reply(500, "text/html", "")]), Arc::new(tokio::sync::Notify::new()));
    let introspection = Arc::new(own(&script).fetching_with(Slow(script.clone(), go.clone())));
    let questions: Vec<_> = (0..20)
        .map(|at| {
            let introspection = introspection.clone();
            tokio::spawn(async move { judge(&introspection, &format!("theirs{at}")).await.expect_err("no token").kind() })
        })
        .collect();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    for question in questions {
        while !question.is_finished() {
            go.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(question.await.expect("it ends"), RejectionKind::Unavailable);
    }
    go.notify_one();
    judge(&introspection, "another").await.expect_err("still none");
    assert_eq!(asked(&script), ["token"], "and for a second nobody tries again");
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(claims))
}

#[tokio::test]
async fn jwts_are_asked_about_only_where_their_issuer_is_named() {
    let ours = jwt(&json!({ "iss": ISSUER }));
    let decide = async |introspection: Introspection, token: &str| {
        let auth = Auth::chain().with(introspection).protecting(Resource::new(RESOURCE).expect("a URL"));
        let auth = auth.clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        let mut head = head();
        head.headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().expect("text"));
        auth.decide(&head).await
    };
    let script = Script::new([json_reply(&good(json!({})))]);
    assert!(matches!(decide(introspection(&script).jwts_of(ISSUER), &ours).await, Decision::Accepted(_)));
    assert!(matches!(decide(introspection(&script).jwts_of(ISSUER), "opaque").await, Decision::Accepted(_)));
    assert_eq!(script.requests().len(), 2);
    for foreign in [jwt(&json!({ "iss": "https://evil.example" })), jwt(&json!({ "iss": [ISSUER] })), jwt(&json!({}))] {
        assert!(matches!(decide(introspection(&script).jwts_of(ISSUER), &foreign).await, Decision::Rejected(_)));
    }
    assert!(matches!(decide(introspection(&script), &ours).await, Decision::Rejected(_)));
    assert!(script.requests().is_empty(), "a JWT of somebody else is nobody's to see");
}

#[test]
fn mistakes_are_named() {
    let resource = Resource::new(RESOURCE);
    let problems = |introspection: Introspection| introspection.problems(resource.as_ref()).join("\n");
    let whole = |url: &str| Introspection::at(url).issuer(ISSUER).bearer("ours").fetching_with(Script::default());
    assert_eq!(problems(whole(URL)), "");
    assert!(problems(whole("/o/introspect/")).contains("`/o/introspect/` is no absolute URL"));
    assert!(problems(whole(URL).bearer("o urs")).contains("can not be sent"));
    assert!(problems(whole(URL).basic("", "x")).contains("client id is empty"));
    assert!(problems(whole(URL).basic("x", "")).contains("client secret is empty"));
    assert!(problems(whole(URL).unbound_tokens(Unbound::AllowClients(Vec::new()))).contains("no client"));
    let nothing = problems(Introspection::at(URL));
    assert!(nothing.contains(&format!("introspection at `{URL}`")), "{nothing}");
    assert!(nothing.contains("has no credentials") && nothing.contains("`.issuer(..)`"), "{nothing}");
    assert!(whole(URL).problems(None)[0].contains("public URL"));
    assert!(whole(URL).audience("mcp").problems(None).is_empty());
    assert_eq!(whole(URL).issuers(), [ISSUER]);
}

#[cfg(feature = "fetch")]
#[test]
fn what_the_shared_client_would_not_ask_is_named() {
    let resource = Resource::new(RESOURCE);
    let problems = |introspection: Introspection| introspection.problems(resource.as_ref()).join("\n");
    let whole = |url: &str| Introspection::at(url).issuer(ISSUER).bearer("ours");
    assert_eq!(problems(whole(URL)), "");
    assert_eq!(problems(whole("http://127.0.0.1:8000/o/introspect/")), "");
    assert!(problems(whole("http://django.internal/o/introspect/")).contains("allow_http"));
    assert!(problems(whole(URL).client_credentials("http://www.example.com/o/token/", "a", "b", "")).contains("plain HTTP"));
}

#[cfg(not(feature = "fetch"))]
#[tokio::test]
async fn without_a_client_one_must_be_given() {
    let whole = Introspection::at(URL).issuer(ISSUER).bearer("ours");
    let problems = whole.problems(Resource::new(RESOURCE).as_ref()).join("\n");
    assert!(problems.contains("`.fetching_with(..)`") && problems.contains("`fetch`"), "{problems}");
    assert_eq!(judge(&whole, "theirs").await.expect_err("nobody is asked").kind(), RejectionKind::Unavailable);
}

#[test]
fn secrets_are_in_no_debug() {
    let all = Introspection::at(URL).basic("id", "hush").client_credentials(TOKEN_URL, "id", "hush", "x");
    assert!(!format!("{all:?} {:?}", Introspection::at(URL).bearer("hush")).contains("hush"));
}

//! What strangers get at a server of one authorization server's tokens, and all callers while it does not answer.

mod event_stream;
mod http_call;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use http::Request;
use http_call::{Answer, HttpCall, router};
use mcp_runtime::auth::testing::{Authority, TokenBuilder};
use mcp_runtime::auth::{Fetch, FetchError, FetchFuture, Introspection, Jwt, Trust};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use orion::hazardous::mac::hmac::sha256::{HmacSha256, SecretKey};
use serde_json::{Value, json};

const URL: &str = "https://mcp.example.com/mcp";
const STATIC: &str = "static-0123456789abcdef";

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

fn served(auth: Auth) -> Router {
    router(Server::new("notes", "0").only([whoami::tool(), write::tool()]).public_url(URL).auth(auth))
}

fn jwt(authority: &Authority, fetch: impl Fetch) -> Auth {
    Auth::chain().with(Jwt::issuer(authority.issuer()).fetching_with(fetch))
}

fn trusting(authority: &Authority) -> Router {
    served(jwt(authority, authority.clone()))
}

fn good(authority: &Authority) -> TokenBuilder {
    authority.token().subject("alice").audience(URL).scopes(["notes:read"])
}

fn call(tool: &str, token: &str) -> HttpCall {
    HttpCall::tool(tool, json!({})).header("host", "mcp.example.com").token(token)
}

/// Status and who, which must be the same in every revision.
async fn told(router: &Router, call: &HttpCall) -> (u16, String) {
    let mut told = Vec::new();
    for era in Era::ALL {
        let answer = call.clone().send_in(era, router).await;
        told.push((answer.status, if answer.status == 200 { answer.tool_text() } else { String::new() }));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

fn alice() -> (u16, String) {
    (200, "alice".to_owned())
}

fn refused(status: u16) -> (u16, String) {
    (status, String::new())
}

/// Header and claims of a token.
fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| BASE64.decode(part).ok());
    [(); 2].map(|()| serde_json::from_slice(&parts.next().flatten().expect("a part")).expect("JSON"))
}

/// The token with another header, and this signature of it.
fn again(token: &str, change: impl FnOnce(&mut Value), sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [mut header, claims] = parts(token);
    change(&mut header);
    let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", BASE64.encode(signature))
}

fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = SecretKey::try_from(key).expect("a key");
    HmacSha256::hmac(&key, message).expect("a short text").unprotected_as_ref().to_vec()
}

// ---------------------------------------------------------------------------------------------- signatures

#[tokio::test]
async fn a_token_without_a_signature_is_none() {
    let authority = Authority::new();
    let token = good(&authority).issue();
    assert_eq!(told(&trusting(&authority), &call("whoami", &token)).await, alice());
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = again(&token, |header| header["alg"] = json!(name), |_| Vec::new());
        let stays = again(&token, |header| header["alg"] = json!(name), |_| BASE64.decode(last(&token)).expect("a signature"));
        for forged in [unsigned, stays] {
            assert_eq!(told(&trusting(&authority), &call("whoami", &forged)).await, refused(401), "{name}");
        }
    }
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    for forged in [format!("{message}."), format!("{message}.{}", signature.to_lowercase()), message.to_owned()] {
        assert_eq!(told(&trusting(&authority), &call("whoami", &forged)).await, refused(401), "{forged}");
    }
}

fn last(token: &str) -> &str {
    token.rsplit('.').next().expect("a part")
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let authority = Authority::new();
        authority.rotate_to(algorithm);
        authority.retire();
        let token = good(&authority).issue();
        assert_eq!(told(&trusting(&authority), &call("whoami", &token)).await, alice(), "{algorithm}");
        let jwk = authority.jwks()["keys"][0].clone();
        let mut keys =
            vec![jwk.to_string().into_bytes(), authority.jwks().to_string().into_bytes(), jwk["kid"].to_string().into()];
        for member in ["n", "x", "y"] {
            let text = jwk[member].as_str().unwrap_or_default();
            keys.push(text.as_bytes().to_vec());
            keys.push(BASE64.decode(text).expect("Base64"));
        }
        for key in keys.iter().filter(|key| !key.is_empty()) {
            let forged = again(&token, |header| header["alg"] = json!("HS256"), |message| hs256(key, message));
            assert_eq!(told(&trusting(&authority), &call("whoami", &forged)).await, refused(401), "{algorithm}");
        }
    }
}

#[tokio::test]
async fn what_is_critical_and_not_understood_ends_it() {
    let authority = Authority::new();
    for critical in [json!(["b64"]), json!(["https://example.com/other"]), json!([]), json!("exp"), json!(["exp"])] {
        let token = good(&authority).header("crit", critical.clone()).header("b64", true).issue();
        assert_eq!(told(&trusting(&authority), &call("whoami", &token)).await, refused(401), "{critical}");
    }
}

#[tokio::test]
async fn keys_are_those_of_the_issuer_wherever_a_token_points() {
    let authority = Authority::new();
    // It calls itself so, and has keys of its own, by the same name.
    let evil = Authority::at(authority.issuer().to_owned());
    let jwk = evil.jwks()["keys"][0].clone();
    let elsewhere = "https://evil.example/jwks";
    let tokens = [
        good(&evil).issue(),
        good(&evil).header("jku", elsewhere).issue(),
        good(&evil).header("x5u", elsewhere).issue(),
        good(&evil).header("jku", elsewhere).header("kid", "key-of-evil").issue(),
        good(&evil).header("jwk", jwk).issue(),
        good(&evil).header("kid", "../../jwks").issue(),
        good(&evil).header("kid", elsewhere).issue(),
        good(&evil).header("kid", Value::Null).issue(),
        good(&evil).header("x5c", json!(["MIIB"])).issue(),
    ];
    for token in &tokens {
        assert_eq!(told(&trusting(&authority), &call("whoami", token)).await, refused(401), "{token}");
    }
    assert!(authority.requests().iter().all(|url| !url.contains("evil")), "{:?}", authority.requests());
    assert!(evil.requests().is_empty());
}

// ---------------------------------------------------------------------------------------------- claims

#[tokio::test]
async fn a_token_is_for_this_server() {
    let authority = Authority::new();
    let of = || authority.token().subject("alice").scopes(["notes:read"]);
    for (audiences, answer) in [
        (vec![URL], alice()),
        (vec!["https://other.example.com/mcp", URL], alice()),
        (vec![], refused(401)),
        (vec![""], refused(401)),
        (vec!["https://other.example.com/mcp"], refused(401)),
        (vec!["https://mcp.example.com"], refused(401)),
        (vec!["https://mcp.example.com/mcp/other"], refused(401)),
        (vec!["https://mcp.example.com.evil.example/mcp"], refused(401)),
        (vec!["account"], refused(401)),
    ] {
        let token = audiences.iter().fold(of(), |token, audience| token.audience(*audience)).issue();
        assert_eq!(told(&trusting(&authority), &call("whoami", &token)).await, answer, "{audiences:?}");
    }
    for odd in [json!({ "url": URL }), json!([[URL]]), json!(true), json!(format!("{URL} account"))] {
        let token = of().claim("aud", odd.clone()).issue();
        assert_eq!(told(&trusting(&authority), &call("whoami", &token)).await, refused(401), "{odd}");
    }
}

#[tokio::test]
async fn a_token_is_an_access_token_of_its_time() {
    let (authority, other) = (Authority::new(), Authority::at("https://other.test"));
    let minute = Duration::from_secs(60);
    let now = SystemTime::now();
    let later = now.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    for (what, token) in [
        ("an ID token", good(&authority).header("typ", "JWT").claim("nonce", "n").claim("scope", Value::Null)),
        ("an ID token with scopes", good(&authority).header("typ", "JWT").claim("at_hash", "h")),
        ("without a type", good(&authority).header("typ", Value::Null)),
        ("a refresh token", good(&authority).header("typ", "rt+jwt")),
        ("a log-out token", good(&authority).header("typ", "logout+jwt")),
        ("a client's assertion", good(&authority).header("typ", "client-authentication+jwt")),
        ("by its use, an ID token", good(&authority).claim("token_use", "id")),
        ("a refresh token, by its claim", good(&authority).claim("typ", "Refresh").header("typ", "JWT")),
        ("past its end", good(&authority).issued_at(now - 10 * minute)),
        ("without an end", good(&authority).claim("exp", Value::Null)),
        ("not yet valid", good(&authority).claim("nbf", later)),
        ("of the future", good(&authority).issued_at(now + 10 * minute)),
        ("of nobody", good(&authority).claim("sub", Value::Null)),
        ("of another issuer by its claim", good(&authority).claim("iss", "https://other.test")),
        ("of another issuer", good(&other)),
        ("of a look-alike", good(&authority).claim("iss", format!("{}/", authority.issuer()))),
    ] {
        assert_eq!(told(&trusting(&authority), &call("whoami", &token.issue())).await, refused(401), "{what}");
    }
    assert!(other.requests().is_empty(), "an unknown issuer is not asked");
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let authority = Authority::new();
    let answer: Answer = call("write", &good(&authority).issue()).send(&trusting(&authority)).await;
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert_eq!(answer.status, 403);
    for part in [r#"error="insufficient_scope""#, r#"scope="notes:write""#, "resource_metadata="] {
        assert!(challenge.contains(part), "{challenge}");
    }
    for (scopes, answer) in [
        (vec!["notes:read"], refused(403)),
        (vec![], refused(403)),
        (vec!["notes:writer", "NOTES:WRITE"], refused(403)),
        (vec!["notes"], (200, "written".to_owned())),
    ] {
        let token = good(&authority).scopes(&scopes).issue();
        assert_eq!(told(&trusting(&authority), &call("write", &token)).await, answer, "{scopes:?}");
    }
}

// ---------------------------------------------------------------------------------------------- outages

static ELAPSED: AtomicU64 = AtomicU64::new(0);

/// The time that tokens are judged by goes on when a test says so.
fn now() -> SystemTime {
    SystemTime::now() + Duration::from_secs(ELAPSED.load(Ordering::SeqCst))
}

async fn wait(seconds: u64) {
    ELAPSED.fetch_add(seconds, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Takes signed tokens, or opaque ones, of this authority, and a static one beside them.
fn asking(authority: &Authority, opaque: bool, fetch: impl Fetch) -> Router {
    let chain = Auth::chain().with(StaticTokens::new().token(STATIC, Principal::user("static"))).clock(now);
    served(if opaque {
        let introspection = Introspection::at(authority.introspection_url()).basic("mcp", "a secret of ours");
        chain.with(introspection.issuer(authority.issuer()).fetching_with(fetch))
    } else {
        chain.with(Jwt::issuer(authority.issuer()).fetching_with(fetch))
    })
}

fn lasting(authority: &Authority, opaque: bool) -> String {
    let token = good(authority).expires_in(Duration::from_secs(36_000)).issued_at(now());
    if opaque { token.issue_opaque() } else { token.issue() }
}

/// Nobody is told that their token is wrong, nor what is wrong with the authority, and others come in.
async fn is_away(router: &Router, token: &str) {
    for era in Era::ALL {
        let answer = call("whoami", token).send_in(era, router).await;
        assert_eq!(answer.status, 503, "{era:?}: {}", answer.shown());
        let seconds = answer.header("retry-after").and_then(|value| value.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{seconds:?}");
        assert!(answer.header("www-authenticate").is_none(), "{:?}", answer.headers);
        assert!(!answer.shown().contains("authority") && !answer.shown().contains("doctype"), "{}", answer.shown());
    }
    assert_eq!(told(router, &call("whoami", STATIC)).await, (200, "static".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_down_or_answers_html_refuses_nobody() {
    type Fault = fn(&Authority);
    let faults: [(&str, Fault); 4] = [
        ("down", Authority::down),
        ("a page of a portal", |authority| authority.answers_html(200)),
        ("a gateway's page", |authority| authority.answers_html(502)),
        ("a page that forbids", |authority| authority.answers_html(403)),
    ];
    for (what, fault) in faults {
        for opaque in [false, true] {
            let authority = Authority::new();
            let (router, token) = (asking(&authority, opaque, authority.clone()), lasting(&authority, opaque));
            fault(&authority);
            is_away(&router, &token).await;
            authority.up();
            wait(61).await;
            assert_eq!(told(&router, &call("whoami", &token)).await, alice(), "{what}: without a restart");
        }
    }
}

/// It takes long and does not answer, as a client with a timeout finds, until it does.
#[derive(Clone)]
struct Slow {
    authority: Authority,
    is_fast: Arc<AtomicBool>,
}

impl Fetch for Slow {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        Box::pin(async move {
            if self.is_fast.load(Ordering::SeqCst) {
                return self.authority.fetch(request, trust).await;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            Err(FetchError::new("no answer within 10 s"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_slow_holds_up_nobody_else() {
    for opaque in [false, true] {
        let authority = Authority::new();
        let slow = Slow { authority: authority.clone(), is_fast: Arc::default() };
        let (router, token) = (asking(&authority, opaque, slow.clone()), lasting(&authority, opaque));
        let began = tokio::time::Instant::now();
        let (there, waiting) = (router.clone(), call("whoami", &token));
        let waiting = tokio::spawn(async move { waiting.send(&there).await });
        event_stream::settle().await;
        assert_eq!(told(&router, &call("whoami", STATIC)).await, (200, "static".to_owned()));
        assert!(began.elapsed() < Duration::from_secs(1), "others did not wait");
        assert_eq!(waiting.await.expect("no panic").status, 503);
        slow.is_fast.store(true, Ordering::SeqCst);
        wait(61).await;
        assert_eq!(told(&router, &call("whoami", &token)).await, alice());
    }
}

/// Keys that are known count on while nobody answers for them.
#[tokio::test(start_paused = true)]
async fn an_outage_ends_nothing_that_was_known() {
    let authority = Authority::new();
    let (router, token) = (asking(&authority, false, authority.clone()), lasting(&authority, false));
    assert_eq!(told(&router, &call("whoami", &token)).await, alice());
    authority.down();
    wait(3600).await;
    let another = lasting(&authority, false);
    assert_eq!(told(&router, &call("whoami", &another)).await, alice());
    let forged = good(&Authority::at(authority.issuer().to_owned())).issued_at(now()).issue();
    assert_ne!(call("whoami", &forged).send(&router).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_opaque_token_counts_until_it_is_revoked() {
    let authority = Authority::new();
    let (router, token) = (asking(&authority, true, authority.clone()), lasting(&authority, true));
    for wrong in [
        good(&authority).claim("aud", "https://other.example.com/mcp").issued_at(now()).issue_opaque(),
        good(&authority).claim("aud", Value::Null).issued_at(now()).issue_opaque(),
        "neverIssuedByAnybody".to_owned(),
        // A JWT is nobody's here: it is sent nowhere.
        good(&authority).issued_at(now()).issue(),
    ] {
        assert_eq!(told(&router, &call("whoami", &wrong)).await, refused(401), "{wrong}");
    }
    assert_eq!(told(&router, &call("whoami", &token)).await, alice());
    assert_eq!(told(&router, &call("write", &token)).await, refused(403));
    authority.revoke(&token);
    wait(31).await;
    assert_eq!(told(&router, &call("whoami", &token)).await, refused(401));
}

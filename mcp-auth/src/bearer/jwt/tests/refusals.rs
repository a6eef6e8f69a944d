//! What a token must say.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::{Fetch, FetchFuture, Scheme, Trust};

const SECONDS: u64 = 1_800_000_000;

#[tokio::test]
async fn the_caller_is_what_the_token_says() {
    let authority = Authority::new();
    let token = good(&authority).client("inspector").scopes(["notes:read", "files"]).claim("team", json!({ "id": 7 })).issue();
    let alice = accepted(&trusting(&authority), &token).await;
    assert_eq!((alice.subject(), alice.issuer(), alice.client()), ("alice", Some("https://authority.test"), Some("inspector")));
    assert_eq!(alice.granted().iter().collect::<Vec<_>>(), ["files", "notes:read"]);
    assert_eq!(alice.claims()["team"]["id"], 7);
    assert_eq!(alice.claims()["aud"], RESOURCE);
    assert_eq!(alice.expires_at(), Some(now() + Duration::from_secs(300)));
    assert_eq!(alice.scheme(), Scheme::Bearer);
    let daemon = accepted(&trusting(&authority), &good(&authority).subject("daemon").client("daemon").issue()).await;
    assert_eq!(Some(daemon.subject()), daemon.client());
    let via = good(&authority).claim("client_id", Value::Null).claim("azp", "spa").issue();
    assert_eq!(accepted(&trusting(&authority), &via).await.client(), Some("spa"));
}

#[tokio::test]
async fn claims_decide() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let cases: &[(&str, Value, &str)] = &[
        ("exp", Value::Null, "no_exp"),
        ("exp", json!(SECONDS), "expired"),
        ("exp", json!(SECONDS - 1), "expired"),
        ("exp", json!(SECONDS + 1), "ok"),
        ("exp", json!(1_800_000_000.5), "ok"),
        ("exp", json!("1900000000"), "malformed_time"),
        ("exp", json!(-1), "malformed_time"),
        ("exp", json!(1e300), "malformed_time"),
        ("nbf", json!(SECONDS + 30), "ok"),
        ("nbf", json!(SECONDS + 31), "not_yet_valid"),
        ("nbf", json!(true), "malformed_time"),
        ("iat", json!(SECONDS + 30), "ok"),
        ("iat", json!(SECONDS + 31), "issued_in_future"),
        ("iat", Value::Null, "ok"),
        ("aud", json!(RESOURCE), "ok"),
        ("aud", json!("HTTPS://mcp.example.com:443/mcp/"), "ok"),
        ("aud", json!(["https://other.example", RESOURCE]), "ok"),
        ("aud", Value::Null, "no_audience"),
        ("aud", json!([]), "foreign_audience"),
        ("aud", json!(""), "foreign_audience"),
        ("aud", json!("https://mcp.example.com"), "foreign_audience"),
        ("aud", json!("https://mcp.example.com/mcp/x"), "foreign_audience"),
        ("aud", json!("client"), "foreign_audience"),
        ("aud", json!([RESOURCE, 1]), "malformed_aud"),
        ("aud", json!({ "0": RESOURCE }), "malformed_aud"),
        ("sub", Value::Null, "no_subject"),
        ("sub", json!(""), "no_subject"),
        ("sub", json!(7), "malformed"),
        ("client_id", json!(7), "malformed"),
        ("scope", json!(7), "malformed_scope"),
        ("scope", json!(["notes", 7]), "malformed_scope"),
        ("token_use", json!("id"), "token_use"),
        ("token_use", json!(null_in_array()), "token_use"),
        ("typ", json!("ID"), "typ_claim"),
        ("typ", json!("Refresh"), "typ_claim"),
        ("typ", json!("offline"), "typ_claim"),
        ("typ", json!("Bearer"), "ok"),
    ];
    for (name, value, expected) in cases {
        assert_eq!(reason(&auth, &good(&authority).claim(*name, value.clone()).issue()).await, *expected, "{name}: {value}");
    }
}

fn null_in_array() -> Vec<Option<u8>> {
    vec![None]
}

#[tokio::test]
async fn the_header_decides() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let cases: &[(&str, Value, &str)] = &[
        ("typ", json!("application/at+jwt"), "ok"),
        ("typ", json!("AT+JWT"), "ok"),
        ("typ", json!("JWT"), "no_access"),
        ("typ", Value::Null, "no_access"),
        ("typ", json!("text/at+jwt"), "no_access"),
        ("typ", json!(["at+jwt"]), "malformed"),
        ("crit", json!(["exp"]), "crit"),
        ("crit", json!([]), "crit"),
        ("alg", Value::Null, "algorithm"),
        ("alg", json!("none"), "algorithm"),
        ("alg", json!("HS256"), "algorithm"),
        ("alg", json!("ES512"), "algorithm"),
        ("alg", json!("ES384"), "key_for_another_algorithm"),
        ("alg", json!("RS256"), "key_for_another_algorithm"),
        ("kid", json!("another"), "unknown_key"),
        ("kid", json!(1), "malformed"),
        ("kid", Value::Null, "ok"),
        ("jku", json!("https://evil.example/jwks"), "ok"),
        ("x5u", json!("https://evil.example/x5u"), "ok"),
        ("jwk", json!({ "kty": "oct", "k": "AAAA" }), "ok"),
    ];
    for (name, value, expected) in cases {
        let token = good(&authority).header(*name, value.clone()).issue();
        let expected = if *expected == "no_access" { "typ" } else { expected };
        assert_eq!(reason(&auth, &token).await, expected, "{name}: {value}");
    }
    assert!(authority.requests().iter().all(|url| url.starts_with(authority.issuer())), "{:?}", authority.requests());
}

#[tokio::test]
async fn the_log_says_what_a_token_has_and_what_it_needs() {
    let authority = Authority::new();
    let told = async |auth: &Auth, token: TokenBuilder| {
        let Decision::Rejected(rejection) = decide(auth, &token.issue()).await else { panic!("it counts") };
        let text = rejection.to_string();
        text.split_once(" (credential ").expect("a checksum").0.to_owned()
    };
    let auth = trusting(&authority);
    let named = chain(Jwt::issuer(authority.issuer()).audience("api://one").audience("two").fetching_with(authority.clone()));
    let aud = |value: Value| good(&authority).claim("aud", value);
    let expected = "foreign_audience: for `https://other`, not `https://mcp.example.com/mcp`";
    assert_eq!(told(&auth, aud(json!("https://other"))).await, expected);
    assert_eq!(told(&named, aud(json!(["a", "b"]))).await, "foreign_audience: for `a`, `b`, not `api://one`, `two`");
    assert_eq!(told(&auth, aud(json!([]))).await, "foreign_audience: for nobody, not `https://mcp.example.com/mcp`");
    let many = told(&auth, aud(json!(["a", "b", "x".repeat(1000), "c"]))).await;
    assert!(many.ends_with("x`.., others, not `https://mcp.example.com/mcp`") && many.len() < 250, "{many}");
    let nowhere = Auth::chain().with(Jwt::issuer(authority.issuer()).fetching_with(authority.clone())).clock(now);
    assert_eq!(told(&nowhere, aud(json!("a"))).await, "foreign_audience: for `a`, and this server has no name");
    let typ = |value: Value| good(&authority).header("typ", value);
    assert_eq!(told(&auth, typ(json!("JWT"))).await, "typ: `jwt`, not `at+jwt`");
    assert_eq!(told(&auth, typ(Value::Null)).await, "typ: nothing, not `at+jwt`");
    let expected = "nobodys: a JWT of `https://evil.example`, not of `https://authority.test`";
    assert_eq!(told(&auth, good(&authority).claim("iss", "https://evil.example")).await, expected);
}

#[tokio::test]
async fn only_the_issuers_keys_sign() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let stranger = Authority::at(authority.issuer());
    assert_eq!(reason(&auth, &good(&stranger).issue()).await, "signature", "the same kid, another key");
    assert_eq!(reason(&auth, &good(&stranger).header("jwk", stranger.jwks()["keys"][0].clone()).issue()).await, "signature");

    let token = good(&authority).issue();
    let (message, signature) = token.rsplit_once('.').expect("a signed token");
    assert_eq!(reason(&auth, &format!("{message}.")).await, "signature");
    assert_eq!(reason(&auth, &format!("{message}.{}", "A".repeat(86))).await, "signature");
    assert_eq!(reason(&auth, &format!("{token}A")).await, "signature");
    let (head, _) = message.split_once('.').expect("a header");
    let other = good(&authority).subject("root").issue();
    let claims = other.split('.').nth(1).expect("claims");
    assert_eq!(reason(&auth, &format!("{head}.{claims}.{signature}")).await, "signature");
    assert_eq!(reason(&auth, &token).await, "ok");
}

#[tokio::test]
async fn no_changed_byte_counts() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let token = good(&authority).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    for at in 0..token.len() {
        for other in [b'A', b'B', b'.', b'_'].into_iter().filter(|other| *other != token.as_bytes()[at]) {
            let mut changed = token.clone().into_bytes();
            changed[at] = other;
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_ne!(reason(&auth, &changed).await, "ok", "byte {at}: {}", char::from(other));
        }
        let Decision::Rejected(_) = decide(&auth, &token[..at]).await else { panic!("{at} bytes of it count") };
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let key = authority.jwks()["keys"][0].clone();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let decoded = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64");
    let claims = json!({ "iss": authority.issuer(), "sub": "root", "aud": RESOURCE, "scope": "notes", "exp": SECONDS + 60 });
    let message = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": key["kid"] })), part(&claims));
    for secret in [key.to_string().into_bytes(), [vec![4], decoded("x"), decoded("y")].concat()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        let tag = BASE64_URL_SAFE_NO_PAD.encode(tag);
        assert_eq!(reason(&auth, &format!("{message}.{tag}")).await, "algorithm");
    }
    let unsigned = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "at+jwt" })), part(&claims));
    assert_eq!(reason(&auth, &unsigned).await, "algorithm");
}

#[tokio::test]
async fn every_algorithm_that_is_allowed_verifies() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let picky = chain(Jwt::issuer(authority.issuer()).algorithms(["ES256"]).fetching_with(authority.clone()));
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "EdDSA", "ES256"] {
        authority.rotate_to(algorithm);
        // One chain looks for an unknown key once a minute.
        let fresh = trusting(&authority);
        assert_eq!(reason(&fresh, &good(&authority).issue()).await, "ok", "{algorithm}");
        let expected = if algorithm == "ES256" { "ok" } else { "algorithm" };
        assert_eq!(reason(&picky, &good(&authority).issue()).await, expected, "{algorithm}");
    }
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    let several = good(&authority).header("kid", Value::Null).issue();
    assert_eq!(reason(&auth, &several).await, "ambiguous_key", "two ES256 keys, and no name");
}

#[tokio::test]
async fn only_tokens_of_the_issuer_are_read() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    for issuer in ["https://authority.test/", "https://AUTHORITY.test", "https://evil.example", ""] {
        assert_eq!(reason(&auth, &good(&authority).claim("iss", issuer).issue()).await, "nobodys", "{issuer}");
    }
    assert_eq!(reason(&auth, &good(&authority).claim("iss", json!([authority.issuer()])).issue()).await, "nobodys");
    assert_eq!(reason(&auth, &good(&authority).issue_opaque()).await, "nobodys");
    assert_eq!(authority.requests(), [""; 0], "nobody is asked about them");

    let long = good(&authority).claim("filler", "x".repeat(16 * 1024)).issue();
    assert_eq!(reason(&auth, &long).await, "too_long");
    let fits = good(&authority).claim("filler", "x".repeat(8 * 1024)).issue();
    assert_eq!(reason(&auth, &fits).await, "ok");
    assert!(!format!("{auth:?}").contains(&fits));
}

#[tokio::test]
async fn a_token_that_could_not_count_causes_no_fetch() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    for token in [
        good(&authority).claim("exp", 1).issue(),
        good(&authority).claim("aud", "other").issue(),
        good(&authority).header("alg", "HS256").issue(),
        good(&authority).header("typ", "JWT").issue(),
    ] {
        assert_ne!(reason(&auth, &token).await, "ok");
    }
    assert_eq!(authority.requests(), [""; 0]);
}

#[tokio::test]
async fn a_given_audience_replaces_the_url() {
    let authority = Authority::new();
    let auth = chain(Jwt::issuer(authority.issuer()).audience("api://one").audience("two").fetching_with(authority.clone()));
    for (audience, expected) in [
        (json!("api://one"), "ok"),
        (json!(["x", "two"]), "ok"),
        (json!(RESOURCE), "foreign_audience"),
        (json!("api://one/"), "foreign_audience"),
    ] {
        assert_eq!(reason(&auth, &good(&authority).claim("aud", audience.clone()).issue()).await, expected, "{audience}");
    }
    let nowhere = Auth::chain().with(Jwt::issuer(authority.issuer()).fetching_with(authority.clone())).clock(now);
    assert_eq!(reason(&nowhere, &good(&authority).issue()).await, "foreign_audience", "without a URL no token names us");
}

#[tokio::test]
async fn listed_clients_stand_in_for_the_audience() {
    let authority = Authority::new();
    let auth = chain(Jwt::issuer(authority.issuer()).clients(["web", "cli"]).fetching_with(authority.clone()));
    let token = |client: Value, audience: Value| good(&authority).claim("client_id", client).claim("aud", audience).issue();
    assert_eq!(reason(&auth, &token(json!("cli"), Value::Null)).await, "ok");
    assert_eq!(reason(&auth, &token(json!("cli"), json!(RESOURCE))).await, "ok");
    assert_eq!(reason(&auth, &token(json!("cli"), json!("cli"))).await, "foreign_audience", "an audience that is there counts");
    assert_eq!(reason(&auth, &token(json!("other"), Value::Null)).await, "client");
    assert_eq!(reason(&auth, &token(json!("other"), json!(RESOURCE))).await, "client");
    assert_eq!(reason(&auth, &token(Value::Null, Value::Null)).await, "client");
    let azp = good(&authority).claim("client_id", Value::Null).claim("aud", Value::Null).claim("azp", "web").issue();
    assert_eq!(reason(&auth, &azp).await, "ok");
}

#[tokio::test]
async fn scopes_come_in_several_shapes() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let named = chain(Jwt::issuer(authority.issuer()).scope_claim("roles").fetching_with(authority.clone()));
    let token = good(&authority).claim("scope", Value::Null);
    for (claim, value, expected) in [
        ("scope", json!("b  a"), &["a", "b"][..]),
        ("scp", json!("a b"), &["a", "b"]),
        ("scp", json!(["a", "b c"]), &["a", "b c"]),
        ("roles", json!(["a"]), &[]),
    ] {
        let principal = accepted(&auth, &token.clone().claim(claim, value.clone()).issue()).await;
        assert_eq!(principal.granted().iter().collect::<Vec<_>>(), expected, "{claim}: {value}");
    }
    let token = token.claim("scope", "admin").claim("roles", json!(["a"])).issue();
    assert_eq!(accepted(&named, &token).await.granted().iter().collect::<Vec<_>>(), ["a"], "the other claim does not count");
    let needy = trusting(&authority).require_scopes(["notes"]);
    let Decision::Rejected(rejection) = decide(&needy, &good(&authority).claim("scope", Value::Null).issue()).await else {
        panic!("the scope is missing")
    };
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
}

#[tokio::test]
async fn other_types_count_only_as_access_tokens() {
    let authority = Authority::new();
    let auth = chain(Jwt::issuer(authority.issuer()).types(["JWT", ""]).fetching_with(authority.clone()));
    let token = |typ: Value| good(&authority).header("typ", typ);
    assert_eq!(reason(&auth, &token(json!("JWT")).issue()).await, "ok");
    assert_eq!(reason(&auth, &token(Value::Null).issue()).await, "ok");
    assert_eq!(reason(&auth, &token(json!("at+jwt")).issue()).await, "typ", "it is not in the list");
    for mark in ["nonce", "at_hash", "c_hash", "s_hash"] {
        assert_eq!(reason(&auth, &token(json!("JWT")).claim(mark, "x").issue()).await, "id_token", "{mark}");
    }
    assert_eq!(reason(&auth, &token(json!("JWT")).claim("scope", Value::Null).issue()).await, "no_access_token");
}

#[tokio::test]
async fn the_leeway_is_for_a_clock_that_is_ahead() {
    let authority = Authority::new();
    let with =
        |seconds| chain(Jwt::issuer(authority.issuer()).leeway(Duration::from_secs(seconds)).fetching_with(authority.clone()));
    let ahead = good(&authority).claim("nbf", SECONDS + 200).claim("iat", SECONDS + 200).issue();
    assert_eq!(reason(&with(200), &ahead).await, "ok");
    assert_eq!(reason(&with(199), &ahead).await, "not_yet_valid");
    let far = good(&authority).claim("nbf", SECONDS + 301).claim("exp", SECONDS + 400).issue();
    assert_eq!(reason(&with(3600), &far).await, "not_yet_valid", "five minutes at most");
    assert_eq!(reason(&with(300), &good(&authority).claim("exp", SECONDS).issue()).await, "expired");
}

/// Answers nothing.
struct Nothing;

impl Fetch for Nothing {
    fn fetch(&self, _: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        Box::pin(async { Err(crate::FetchError::new("nothing")) })
    }
}

#[test]
fn mistakes_are_named() {
    let problems = |jwt: Jwt| Auth::chain().with(jwt).problems().join("\n");
    let fine = || Jwt::issuer("https://a.example").audience("x").fetching_with(Nothing);
    assert_eq!(problems(fine()), "");
    assert_eq!(chain(Jwt::issuer("https://a.example").fetching_with(Nothing)).problems(), [""; 0]);
    assert_eq!(problems(Jwt::issuer("a").jwks_url("https://a.example/k").audience("x").fetching_with(Nothing)), "");
    for (jwt, expected) in [
        (fine().algorithms(["HS256", "ES256"]), "`HS256` is no algorithm"),
        (fine().algorithms(["none"]), "`none` is no algorithm"),
        (fine().algorithms([""; 0]), "no algorithm is left"),
        (fine().types([""; 0]), "no `typ` is left"),
        (fine().leeway(Duration::from_secs(301)), "301 s is too long: at most 300 s"),
        (fine().jwks_url("keys"), "`keys`, with the keys of `https://a.example`, is no URL"),
        (fine().audience(""), "has no name"),
        (Jwt::issuer("auth").audience("x").fetching_with(Nothing), "`auth` is no URL: did you mean `https://auth`?"),
        (Jwt::issuer("").audience("x").fetching_with(Nothing), "has no name"),
        (Jwt::issuer("https://a.example?x").audience("x").fetching_with(Nothing), "with `.jwks_url(..)`"),
        (Jwt::issuer("").jwks_url("https://a.example/k").audience("x").fetching_with(Nothing), "has no name"),
        (Jwt::issuer("https://a.example").fetching_with(Nothing), "set the public URL"),
        (Jwt::entra("common").audience("x").fetching_with(Nothing), "`common` is no id of an Entra tenant"),
        (Jwt::okta("https://x.okta.com", "default").audience("x").fetching_with(Nothing), "is no Okta domain"),
        (Jwt::okta("x.okta.com", "").audience("x").fetching_with(Nothing), "is no Okta authorization server"),
        (Jwt::auth0("x/y").audience("x").fetching_with(Nothing), "is no Auth0 domain"),
        (Jwt::keycloak("sso.example", "staff").audience("x").fetching_with(Nothing), "`sso.example/realms/staff` is no URL"),
        (Jwt::keycloak("https://sso.example", "a/b").audience("x").fetching_with(Nothing), "is no Keycloak realm"),
        (Jwt::cognito("eu-central-1", "p").fetching_with(Nothing), "list the clients"),
    ] {
        let problems = problems(jwt);
        assert!(problems.contains(expected) && !problems.contains('\n'), "{expected}: {problems}");
    }
    assert_eq!(trusting(&Authority::new()).issuers(), ["https://authority.test"]);
}

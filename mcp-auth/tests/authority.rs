//! The authorization server of tests, as an authenticator sees it.
#![cfg(feature = "testing")]

use std::time::{Duration, SystemTime};

use http::{Request, Response, StatusCode};
use mcp_auth::testing::Authority;
use mcp_auth::{Fetch, FetchError, Trust};
use serde_json::Value;

/// `client` and `secret`, in Basic.
const BASIC: &str = "Basic Y2xpZW50OnNlY3JldA==";

async fn get(authority: &Authority, url: &str) -> Result<Response<Vec<u8>>, FetchError> {
    authority.fetch(Request::get(url).body(Vec::new()).expect("a URL"), Trust::Configured).await
}

async fn introspect(authority: &Authority, authorization: Option<&str>, body: &str) -> (StatusCode, Value) {
    let mut request = Request::post(authority.introspection_url());
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let request = request.body(body.as_bytes().to_vec()).expect("a URL");
    let answer = authority.fetch(request, Trust::Configured).await.expect("an answer");
    (answer.status(), serde_json::from_slice(answer.body()).expect("JSON"))
}

#[cfg(feature = "jwt")]
#[tokio::test]
async fn metadata_and_keys_are_where_rfc_8414_says() {
    let authority = Authority::at("https://a.example/tenant");
    let metadata = get(&authority, "https://a.example/.well-known/oauth-authorization-server/tenant").await.expect("an answer");
    let metadata: Value = serde_json::from_slice(metadata.body()).expect("JSON");
    assert_eq!(metadata["issuer"], "https://a.example/tenant");
    assert_eq!(metadata["introspection_endpoint"], authority.introspection_url());
    let keys = get(&authority, metadata["jwks_uri"].as_str().expect("a URL")).await.expect("an answer");
    assert_eq!(serde_json::from_slice::<Value>(keys.body()).expect("JSON"), authority.jwks());
    assert_eq!(get(&authority, "https://a.example/other").await.expect("an answer").status(), StatusCode::NOT_FOUND);
    assert_eq!(authority.requests().len(), 3);
}

#[cfg(not(feature = "jwt"))]
#[tokio::test]
async fn without_keys_none_are_published() {
    let authority = Authority::new();
    let metadata = get(&authority, "https://authority.test/.well-known/oauth-authorization-server").await.expect("an answer");
    let metadata: Value = serde_json::from_slice(metadata.body()).expect("JSON");
    assert_eq!(
        (metadata["introspection_endpoint"].as_str(), metadata.get("jwks_uri")),
        (Some(&*authority.introspection_url()), None)
    );
    assert_eq!(get(&authority, "https://authority.test/jwks").await.expect("an answer").status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn introspection_knows_what_was_issued() {
    let authority = Authority::new();
    let token = || authority.token().subject("alice").audience("a").audience("b").scopes(["x", "y"]).claim("jti", Value::Null);
    let tokens = [
        token().issue_opaque(),
        #[cfg(feature = "jwt")]
        token().issue(),
    ];
    for token in tokens {
        let (status, answer) = introspect(&authority, Some("Bearer x"), &format!("token_type_hint=a&token={token}")).await;
        assert_eq!((status, &answer["active"]), (StatusCode::OK, &Value::Bool(true)));
        assert_eq!((&answer["sub"], &answer["scope"], answer.get("jti")), (&"alice".into(), &"x y".into(), None));
        assert_eq!(answer["aud"], serde_json::json!(["a", "b"]));
        authority.revoke(&token);
        let (_, answer) = introspect(&authority, Some("Bearer x"), &format!("token={token}")).await;
        assert_eq!(answer, serde_json::json!({ "active": false }));
    }
    let stale = token().issued_at(SystemTime::now() - Duration::from_secs(600)).issue_opaque();
    for other in [&*stale, "never-issued", "%e2%9c%93"] {
        let (_, answer) = introspect(&authority, Some("Bearer x"), &format!("token={other}")).await;
        assert_eq!(answer, serde_json::json!({ "active": false }), "{other}");
    }
    assert_eq!(introspect(&authority, Some("Bearer x"), "tokens=x").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn introspection_is_for_clients() {
    let authority = Authority::new();
    assert_eq!(introspect(&authority, None, "token=x").await.0, StatusCode::UNAUTHORIZED);
    let authority = authority.introspected_by("client", "secret");
    assert_eq!(introspect(&authority, Some("Bearer x"), "token=x").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(introspect(&authority, Some(BASIC), "token=x").await.0, StatusCode::OK);
    // `a b` and `c:d`, encoded as RFC 6749 section 2.3.1 says.
    let authority = authority.introspected_by("a b", "c:d");
    assert_eq!(introspect(&authority, Some("Basic YStiOmMlM0Fk"), "token=x").await.0, StatusCode::OK);
    assert_eq!(introspect(&authority, Some("Basic YStiOmMlM0Fl"), "token=x").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn it_fails_as_it_is_told() {
    let authority = Authority::new();
    let metadata = "https://authority.test/.well-known/oauth-authorization-server";
    authority.down();
    assert!(get(&authority, metadata).await.is_err());
    authority.answers_html(502);
    let answer = get(&authority, metadata).await.expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::BAD_GATEWAY, &"text/html".parse().expect("a value"))
    );
    authority.up();
    assert_eq!(get(&authority, metadata).await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(authority.clone().requests(), [metadata; 3], "a clone is the same server");
}

#[cfg(feature = "jwt")]
#[test]
fn keys_are_rotated_and_retired() {
    let authority = Authority::new();
    let ids = || authority.jwks()["keys"].as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    let first = ids();
    authority.rotate();
    let both = ids();
    assert_eq!((both.len(), &both[..1]), (2, &first[..]));
    authority.retire();
    assert_eq!(ids(), both[1..]);
}

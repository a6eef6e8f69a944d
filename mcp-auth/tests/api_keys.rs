//! Keys are recognised by their prefix, judged by their hash, and end when they expire or are removed.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::Request;
use mcp_auth::{
    ApiKey, ApiKeyError, ApiKeyFuture, ApiKeyStore, ApiKeyStoreError, ApiKeys, Auth, Authenticate, AuthenticateFuture, Decision,
    Place, Presented, Principal, Rejection, RejectionKind, Verdict,
};

async fn decide(auth: &Auth, headers: &[(&str, &str)]) -> Decision {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    auth.decide(&request.body(()).expect("a valid request").into_parts().0).await
}

async fn bearer(auth: &Auth, token: &str) -> Decision {
    decide(auth, &[("authorization", &format!("Bearer {token}"))]).await
}

fn accepted(decision: Decision) -> Principal {
    match decision {
        Decision::Accepted(principal) => principal,
        other => panic!("{other:?}"),
    }
}

fn rejected(decision: Decision) -> Rejection {
    match decision {
        Decision::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

/// The reason of an ordinary 401.
fn refused(decision: Decision) -> &'static str {
    let rejection = rejected(decision);
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
    rejection.reason()
}

fn generated() -> (String, ApiKey) {
    let (text, key) = ApiKeys::generate("acme").expect("a key");
    (text, key.owner("ci").label("nightly build").scopes(["reports:read"]))
}

/// The last character replaced by another that is as good.
fn mistyped(key: &str) -> String {
    let end = if key.ends_with('a') { "b" } else { "a" };
    format!("{}{end}", &key[..key.len() - 1])
}

#[tokio::test]
async fn a_key_is_its_owner() {
    let (text, key) = generated();
    let id = key.id().to_owned();
    // As it is kept: by id and hash.
    let kept = ApiKey::new(id.as_str(), key.sha256()).owner("ci").label("nightly build").scopes(["reports:read"]);
    let auth =
        Auth::chain().with(ApiKeys::prefix("acme").key(kept).issuer("https://keys.example")).require_scopes(["reports:read"]);
    assert_eq!(auth.problems(), Vec::<String>::new());
    let principal = accepted(bearer(&auth, &text).await);
    assert_eq!((principal.subject(), principal.issuer()), ("ci", Some("https://keys.example")));
    assert_eq!(principal.granted().iter().collect::<Vec<_>>(), ["reports:read"]);
    assert_eq!((&principal.claims()["api_key_id"], &principal.claims()["api_key_label"]), (&id.into(), &"nightly build".into()));
    assert_eq!(principal.expires_at(), None);
}

#[tokio::test]
async fn a_wrong_key_is_refused_whatever_is_wrong() {
    let ((text, key), (foreign, other)) = (generated(), generated());
    let (id, secret) = (key.id().to_owned(), text.rsplit('_').next().expect("a secret").to_owned());
    let auth = Auth::chain().with(ApiKeys::prefix("acme").key(key));
    assert_eq!(refused(bearer(&auth, &mistyped(&text)).await), "wrong_api_key");
    assert_eq!(refused(bearer(&auth, &foreign).await), "unknown_api_key");
    // The hash is of the whole key: another's secret behind one's own id is no key.
    let mixed = format!("acme_{id}_{}", foreign.rsplit('_').next().expect("a secret"));
    assert_eq!(refused(bearer(&auth, &mixed).await), "wrong_api_key");
    assert_eq!(refused(bearer(&auth, &format!("acme_{}_{secret}", other.id())).await), "unknown_api_key");
    for malformed in [
        "acme_".to_owned(),
        "acme__".to_owned(),
        format!("acme_{secret}"),
        format!("acme__{secret}"),
        format!("acme_{id}_"),
        format!("acme_{id}_short"),
        format!("{text}_"),
        format!("{text}="),
        format!("acme_{id}_{}", "a".repeat(129)),
        format!("acme_{}_{secret}", "a".repeat(65)),
    ] {
        assert_eq!(refused(bearer(&auth, &malformed).await), "malformed_api_key", "{malformed}");
    }
    for foreign in [text.replacen("acme", "ACME", 1), text[5..].to_owned(), format!("x{text}"), "acme".to_owned()] {
        assert_eq!(refused(bearer(&auth, &foreign).await), "nobodys", "{foreign}");
    }
}

#[tokio::test]
async fn a_key_ends() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let (text, key) = generated();
    let auth = Auth::chain().with(ApiKeys::prefix("acme").key(key.expires_at(end)));
    let before = auth.clone().clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(999_999));
    assert_eq!(accepted(bearer(&before, &text).await).expires_at(), Some(end));
    let after = auth.clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    assert_eq!(refused(bearer(&after, &text).await), "expired");
}

#[tokio::test]
async fn the_header_is_read_where_it_is_enabled() {
    let (text, key) = generated();
    let off = Auth::chain().with(ApiKeys::prefix("acme").key(key.clone()));
    assert!(matches!(decide(&off, &[("x-api-key", &text)]).await, Decision::Anonymous));
    assert_eq!(off.headers().count(), 0);
    let on = Auth::chain().with(ApiKeys::prefix("acme").key(key).header());
    assert_eq!(on.headers().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-api-key"]);
    assert_eq!(accepted(decide(&on, &[("x-api-key", &text)]).await).subject(), "ci");
    assert_eq!(accepted(bearer(&on, &text).await).subject(), "ci");
    for wrong in ["", "x", &text[5..], &format!("Bearer {text}"), &mistyped(&text)] {
        refused(decide(&on, &[("x-api-key", wrong)]).await);
    }
    let authorization = format!("Bearer {text}");
    let two = [("x-api-key", &*text), ("authorization", &*authorization)];
    assert_eq!(rejected(decide(&on, &two).await).kind(), RejectionKind::InvalidRequest);
    assert_eq!(rejected(decide(&on, &[("x-api-key", &text), ("x-api-key", &text)]).await).kind(), RejectionKind::InvalidRequest);
}

/// Takes all opaque tokens, and would send them to a server.
struct Elsewhere;

impl Authenticate for Elsewhere {
    fn places(&self) -> Vec<Place> {
        vec![Place::AnyBearer]
    }

    fn authenticate<'a>(&'a self, _: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async { Verdict::Accepted(Principal::user("elsewhere")) })
    }
}

#[tokio::test]
async fn no_other_authenticator_sees_a_key() {
    let (text, key) = generated();
    let auth = Auth::chain().with(ApiKeys::prefix("acme").key(key)).with(Elsewhere);
    for wrong in [mistyped(&text), format!("{text}."), "acme_".to_owned()] {
        refused(bearer(&auth, &wrong).await);
    }
    assert_eq!(accepted(bearer(&auth, "acme-staging_a_b").await).subject(), "elsewhere");
}

#[derive(Clone, Default)]
struct Table {
    rows: Arc<Mutex<HashMap<String, ApiKey>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ApiKeyStore for Table {
    fn find<'a>(&'a self, id: &'a str) -> ApiKeyFuture<'a> {
        Box::pin(async move {
            self.asked.lock().expect("a lock").push(id.to_owned());
            Ok(self.rows.lock().expect("a lock").get(id).cloned())
        })
    }
}

#[tokio::test]
async fn what_is_removed_from_the_store_is_over_at_once() {
    let table = Table::default();
    let ((text, key), (configured, other)) = (generated(), generated());
    let id = key.id().to_owned();
    table.rows.lock().expect("a lock").insert(id.clone(), key);
    let auth = Auth::chain().with(ApiKeys::prefix("acme").key(other).store(table.clone()));
    assert_eq!(auth.problems(), Vec::<String>::new());
    assert_eq!(accepted(bearer(&auth, &text).await).subject(), "ci");
    assert_eq!(refused(bearer(&auth, &mistyped(&text)).await), "wrong_api_key");
    table.rows.lock().expect("a lock").clear();
    assert_eq!(refused(bearer(&auth, &text).await), "unknown_api_key");
    assert_eq!(*table.asked.lock().expect("a lock"), [&*id, &*id, &*id]);
    accepted(bearer(&auth, &configured).await);
    for unaskable in ["acme_", "acme_%_", &format!("acme_a.b_{}", "s".repeat(32)), &format!("acme_{}_x", "a".repeat(4000))] {
        rejected(bearer(&auth, unaskable).await);
    }
    assert_eq!(table.asked.lock().expect("a lock").len(), 3, "what is no key is not looked for");
}

#[tokio::test]
async fn a_store_that_does_not_answer_makes_no_key_wrong() {
    let (text, _) = generated();
    let down = ApiKeys::prefix("acme").store(|_: &str| async { Err(ApiKeyStoreError::new("connection refused")) });
    let rejection = rejected(bearer(&Auth::chain().with(down), &text).await);
    assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, "api_key_store"));
    assert!(rejection.retry_after().is_some() && rejection.to_string().contains("connection refused"), "{rejection}");
    let broken = ApiKeys::prefix("acme").store(|id: &str| {
        let key = ApiKey::new(id, "no hash");
        async { Ok(Some(key)) }
    });
    assert_eq!(rejected(bearer(&Auth::chain().with(broken), &text).await).kind(), RejectionKind::Unavailable);
    let slow = ApiKeys::prefix("acme").store(|_: &str| pending());
    let waits = tokio::time::timeout(Duration::ZERO, bearer(&Auth::chain().with(slow), &text)).await;
    assert!(waits.is_err(), "the store is awaited");
}

#[test]
fn generated_keys_are_of_the_form_and_differ() {
    let (one, key) = ApiKeys::generate("acme-2").expect("a key");
    let (other, _) = ApiKeys::generate("acme-2").expect("a key");
    let parts: Vec<_> = one.split('_').collect();
    assert_eq!((parts[0], parts[1], parts[2].len(), parts.len()), ("acme-2", key.id(), 32, 3));
    assert_ne!(one, other);
    assert_ne!(parts[1], other.split('_').nth(1).expect("an id"));
    for bad in ["", "a", "a_b", "acme_", "ac me", "é-é", &"a".repeat(21)] {
        assert_eq!(ApiKeys::generate(bad).map(|_| ()), Err(ApiKeyError::Prefix(bad.into())), "{bad}");
    }
}

#[test]
fn a_wrong_configuration_is_named_without_the_secret() {
    let hash = "0f".repeat(32);
    let keys = ApiKeys::prefix("my_keys")
        .key(ApiKey::new("a", &hash))
        .key(ApiKey::new("a", &hash).owner("x"))
        .key(ApiKey::new("b", "acme_b_the-key-itself"))
        .key(ApiKey::new("c_d", &hash).scopes(["reports read"]));
    let problems = keys.problems(None);
    assert_eq!(
        problems,
        [
            "`my_keys` is no prefix of API keys: 2 to 20 of the characters A-Z a-z 0-9 - are allowed",
            "the API key `a` is given twice",
            "the hash of the API key `b` is no SHA-256: 64 hex digits are needed",
            "`c_d` is no id of an API key: 1 to 64 of the characters A-Z a-z 0-9 - are allowed",
            "`reports read`, of the API key `c_d`, is no scope: one word, without quotes and backslashes",
        ]
    );
    assert_eq!(
        ApiKeys::prefix("acme").problems(None),
        ["ApiKeys has no key: add one with `.key(..)`, or a store of keys with `.store(..)`"]
    );
}

#[test]
fn nothing_shows_a_key_or_its_hash() {
    let (text, key) = generated();
    let (hash, secret) = (key.sha256(), text.rsplit('_').next().expect("a secret").to_owned());
    let shown = format!("{key:?} {:?}", ApiKeys::prefix("acme").key(key.clone()));
    assert!(shown.contains("nightly build") && !shown.contains(&hash) && !shown.contains(&secret), "{shown}");
}

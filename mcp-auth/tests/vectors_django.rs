//! The cases of a file of test vectors, named by `MCP_AUTH_VECTORS`, that was made with Django and Django OAuth Toolkit
//! themselves. What only the inside of the crate can be asked is in its own tests.
#![cfg(feature = "django")]

#[cfg(feature = "redis")]
#[path = "django/redis.rs"]
mod redis;
#[path = "django/site.rs"]
mod site;

use http::Request;
use mcp_auth::{Auth, Decision, DjangoOAuth, DjangoSession, RejectionKind, Resource, Unbound};
use serde_json::Value;
use site::Site;

/// `None` where no file is named.
fn vectors() -> Option<Value> {
    let Ok(path) = std::env::var("MCP_AUTH_VECTORS") else {
        eprintln!("skipped: MCP_AUTH_VECTORS names no file of test vectors");
        return None;
    };
    let vectors: Value = serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect("JSON");
    assert_eq!(vectors["meta"]["reference_unix"], site::NOW);
    Some(vectors)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

async fn site(vectors: &Value) -> Site {
    let site = Site::new().await;
    for row in list(&vectors["users"]) {
        site.insert("auth_user", row.as_object().expect("a row")).await;
    }
    for row in list(&vectors["sessions_db"]["rows"]) {
        site.insert("django_session", row.as_object().expect("a row")).await;
    }
    for row in list(&vectors["dot"]["application_rows"]) {
        let row = row.as_object().expect("a row").clone();
        site.insert(
            "oauth2_provider_application",
            &row.into_iter().filter(|(name, _)| name == "id" || name == "client_id").collect(),
        )
        .await;
    }
    for row in list(&vectors["dot"]["accesstoken_rows"]) {
        site.insert("oauth2_provider_accesstoken", row.as_object().expect("a row")).await;
    }
    site
}

fn configured(session: DjangoSession, vectors: &Value, with_fallbacks: bool) -> Auth {
    let settings = &vectors["settings"];
    let fallbacks = list(&settings["SECRET_KEY_FALLBACKS"]).iter().map(text);
    let session = session
        .issuer("https://www.example.com")
        .cookie_name(text(&settings["SESSION_COOKIE_NAME"]))
        .backends(list(&settings["AUTHENTICATION_BACKENDS"]).iter().map(text))
        .fallback_keys(fallbacks.filter(|_| with_fallbacks));
    let resource = Resource::new("https://mcp.example.com/mcp").expect("a URL");
    let auth = Auth::chain().with(session).protecting(resource).clock(site::now);
    assert_eq!(auth.problems(), Vec::<String>::new());
    auth
}

/// The user that this cookie stands for, or what is said instead.
async fn user_of(auth: &Auth, cookie: &str) -> Result<String, String> {
    let request = Request::get("/mcp").header("cookie", format!("sessionid={cookie}")).body(()).expect("a request");
    match auth.decide(&request.into_parts().0).await {
        Decision::Accepted(principal) => Ok(principal.subject().to_owned()),
        Decision::Anonymous => Err("anonymous".to_owned()),
        Decision::Rejected(rejection) => {
            assert_ne!(rejection.kind(), RejectionKind::Unavailable, "{rejection}");
            Err(rejection.to_string())
        }
    }
}

/// What is wrong with the answer, if something is.
fn differs(case: &str, expect: &Value, told: &Result<String, String>) -> Option<String> {
    let expected = if expect["ok"] == true { Some(expect["user_id"].to_string()) } else { None };
    eprintln!("{case}: {told:?}");
    (told.as_ref().ok() != expected.as_ref()).then(|| format!("{case}: {told:?}, {expected:?} was expected"))
}

fn all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn sessions_in_the_table() {
    let Some(vectors) = vectors() else { return };
    let (site, key) = (site(&vectors).await, text(&vectors["settings"]["SECRET_KEY"]));
    let auth = configured(DjangoSession::database(&site.url(), key), &vectors, true);
    let mut wrong = Vec::new();
    for case in list(&vectors["sessions_db"]["cases"]) {
        let told = user_of(&auth, text(&case["cookie"])).await;
        wrong.extend(differs(text(&case["name"]), &case["expect"], &told));
    }
    let auth = configured(DjangoSession::database(&site.url(), key), &vectors, false);
    for case in list(&vectors["sessions_db"]["without_fallbacks"]) {
        let told = user_of(&auth, text(&case["cookie"])).await;
        if told.is_ok() != (case["expect_ok"] == true) {
            wrong.push(format!("without fallbacks, {}: {told:?}", case["cookie"]));
        }
    }
    all_right(&wrong);
}

#[tokio::test]
async fn sessions_in_cookies() {
    let Some(vectors) = vectors() else { return };
    let (site, key) = (site(&vectors).await, text(&vectors["settings"]["SECRET_KEY"]));
    let age = vectors["sessions_signed_cookies"]["max_age"].as_u64().expect("seconds");
    let session = DjangoSession::signed_cookies(&site.url(), key).age(std::time::Duration::from_secs(age));
    let auth = configured(session, &vectors, true);
    let mut wrong = Vec::new();
    for case in list(&vectors["sessions_signed_cookies"]["cases"]) {
        let told = user_of(&auth, text(&case["cookie"])).await;
        wrong.extend(differs(text(&case["name"]), &case["expect"], &told));
    }
    all_right(&wrong);
}

/// Those in JSON are read where their key says that they are; pickles are refused, whatever they hold.
#[cfg(feature = "redis")]
#[tokio::test]
async fn sessions_in_redis() {
    use base64::Engine as _;
    use std::time::Duration;

    let Some(vectors) = vectors() else { return };
    let (site, redis, key) = (site(&vectors).await, redis::Redis::start().await, text(&vectors["settings"]["SECRET_KEY"]));
    let (mut read, mut pickled) = (0, 0);
    for case in list(&vectors["sessions_redis"]["cases"]) {
        let (label, redis_key) = (text(&case["label"]), text(&case["redis_key"]));
        let value = base64::prelude::BASE64_STANDARD.decode(text(&case["value_b64"])).expect(label);
        // `{KEY_PREFIX}:{VERSION}:django.contrib.sessions.{cache|cached_db}{session_key}`
        let (place, cookie) = redis_key.split_at(redis_key.len() - 32);
        let mut place = place.splitn(3, ':');
        let (prefix, version) = (place.next().expect(label), place.next().expect(label).parse().expect(label));
        let session = DjangoSession::redis(&redis.url(), &site.url(), key).cache_keys(prefix, version);
        let is_cached_db = place.next() == Some("django.contrib.sessions.cached_db");
        assert_eq!(is_cached_db, text(&case["engine"]).ends_with(".cached_db"), "{label}");
        let auth = configured(if is_cached_db { session.cached_db() } else { session }, &vectors, true);

        let lifetime = case["ttl_seconds"].as_u64().map(Duration::from_secs);
        redis.hold(redis_key, value, lifetime);
        let told = user_of(&auth, cookie).await;
        assert_eq!(redis.commands().iter().filter(|command| command.get(1).is_some_and(|key| key == redis_key)).count(), 2);
        if let Err(why) = told {
            assert!(!label.contains("JSON"), "{label}: {why}");
            for part in ["pickled_session: ", "serializer", "`CACHES`", "`DjangoSession::delegated`", "`DjangoSession::database`"]
            {
                assert!(why.contains(part), "{label}: {why}");
            }
            pickled += 1;
            continue;
        }
        all_right(&Vec::from_iter(differs(label, &case["expect"], &told)));
        let request = Request::get("/mcp").header("cookie", format!("sessionid={cookie}")).body(()).expect("a request");
        let Decision::Accepted(principal) = auth.decide(&request.into_parts().0).await else { panic!("{label}") };
        assert_eq!(principal.expires_at(), lifetime.map(|lifetime| site::now() + lifetime), "{label}");
        // Another password, and the hash in the session holds no longer.
        site.run("UPDATE auth_user SET password = password || 'x' WHERE id = 1").await;
        assert!(user_of(&auth, cookie).await.is_err_and(|why| why.starts_with("auth_hash_mismatch")), "{label}");
        site.run("UPDATE auth_user SET password = substr(password, 1, length(password) - 1) WHERE id = 1").await;
        read += 1;
    }
    assert!(read > 0 && pickled > 0, "{read} were read, {pickled} are pickles");
}

#[tokio::test]
async fn tokens() {
    let Some(vectors) = vectors() else { return };
    let site = site(&vectors).await;
    let mut wrong = Vec::new();
    for case in list(&vectors["dot"]["cases"]) {
        let oauth = DjangoOAuth::connect(&site.url())
            .issuer("https://www.example.com/o")
            .unbound_tokens(Unbound::Allow)
            .audience_by_prefix()
            .client_tokens();
        let scopes = list(&case["required_scopes"]).iter().map(text);
        let resource = Resource::new(text(&case["resource_uri"])).expect("a URL");
        let auth = Auth::chain().require_scopes(scopes).with(oauth).protecting(resource).clock(site::now);
        assert_eq!(auth.problems(), Vec::<String>::new());
        let mut request = Request::post("/mcp");
        if let Some(authorization) = case["authorization"].as_str() {
            request = request.header("authorization", authorization);
        }
        let head = request.body(()).expect("a request").into_parts().0;
        let (status, told) = match auth.decide(&head).await {
            Decision::Accepted(principal) => (200, Ok(principal.subject().to_owned())),
            Decision::Anonymous => (401, Err("anonymous".to_owned())),
            Decision::Rejected(rejection) => (rejection.kind().status().as_u16(), Err(rejection.to_string())),
        };
        let name = text(&case["name"]);
        // A client's own token names no user.
        let told = told.map(|subject| if subject.starts_with("client:") { "null".to_owned() } else { subject });
        wrong.extend(differs(name, &case["expect"], &told));
        if case["expect"]["http_status"] != status {
            wrong.push(format!("{name}: {status} {told:?}, {} was expected", case["expect"]["http_status"]));
        }
    }
    all_right(&wrong);
}

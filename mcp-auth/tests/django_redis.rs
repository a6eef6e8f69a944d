//! Sessions of a Django site in Redis, which is one of this process.
#![cfg(feature = "redis")]

#[path = "django/redis.rs"]
mod redis;
#[path = "django/site.rs"]
mod site;

use std::time::Duration;

use http::Request;
use mcp_auth::{Auth, Decision, DjangoSession, Rejection, RejectionKind, Resource};
use redis::Redis;
use serde_json::json;
use site::Site;

const KEY: &str = "a key of at least thirty-two bytes";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
const SESSION: &str = "0123456789abcdefghijklmnopqrstuv";
const DEFAULT: &str = ":1:django.contrib.sessions.cache0123456789abcdefghijklmnopqrstuv";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// With Alice, who is user 1.
async fn site() -> Site {
    let site = Site::new().await;
    site.run(&format!("INSERT INTO auth_user (id, username, password, is_active) VALUES (1, 'alice', '{PASSWORD}', 1)")).await;
    site
}

/// A session of Alice's, as the JSON serializers of caches write it.
fn alice() -> String {
    let hash = site::session_auth_hash(PASSWORD, KEY);
    let backend = "django.contrib.auth.backends.ModelBackend";
    json!({"_auth_user_id": "1", "_auth_user_backend": backend, "_auth_user_hash": hash}).to_string()
}

fn auth(session: DjangoSession) -> Auth {
    let resource = Resource::new("https://a.example/mcp").expect("a URL");
    let auth = Auth::chain().with(session.issuer("https://a.example")).protecting(resource).clock(site::now);
    assert_eq!(auth.problems(), Vec::<String>::new());
    auth
}

async fn decide(auth: &Auth) -> Decision {
    let request = Request::get("/mcp").header("cookie", format!("sessionid={SESSION}")).body(()).expect("a request");
    auth.decide(&request.into_parts().0).await
}

async fn refused(auth: &Auth) -> Rejection {
    match decide(auth).await {
        Decision::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_engine_prefix_and_version_has_keys_of_its_own() {
    let (site, redis) = (site().await, Redis::start().await);
    let sessions = || DjangoSession::redis(&redis.url(), &site.url(), KEY);
    let ways = [
        (DEFAULT, auth(sessions())),
        (":1:django.contrib.sessions.cached_db0123456789abcdefghijklmnopqrstuv", auth(sessions().cached_db())),
        ("site1:7:django.contrib.sessions.cache0123456789abcdefghijklmnopqrstuv", auth(sessions().cache_keys("site1", 7))),
        (
            "site1:7:django.contrib.sessions.cached_db0123456789abcdefghijklmnopqrstuv",
            auth(sessions().cache_keys("site1", 7).cached_db()),
        ),
    ];
    for (key, _) in &ways {
        redis.hold(key, alice(), Some(DAY));
        for (own, auth) in &ways {
            let told = match decide(auth).await {
                Decision::Accepted(principal) => principal.subject().to_owned(),
                Decision::Rejected(rejection) => rejection.reason().to_owned(),
                Decision::Anonymous => "anonymous".to_owned(),
            };
            assert_eq!(told, if own == key { "1" } else { "session_not_found" }, "{key} in the cache, {own} sought");
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_redis_forgets_it() {
    let (site, redis) = (site().await, Redis::start().await);
    let auth = auth(DjangoSession::redis(&redis.url(), &site.url(), KEY));
    for lifetime in [Some(Duration::from_millis(1_500)), Some(DAY), None] {
        redis.hold(DEFAULT, alice(), lifetime);
        let Decision::Accepted(alice) = decide(&auth).await else { panic!("{lifetime:?}") };
        assert_eq!(alice.expires_at(), lifetime.map(|lifetime| site::now() + lifetime));
    }
    redis.hold("another", alice(), None);
    assert_eq!(refused(&auth).await.reason(), "session_not_found");
}

#[tokio::test]
async fn two_commands_are_all_that_the_user_of_redis_must_be_allowed() {
    let (site, redis) = (site().await, Redis::start().await);
    let auth = auth(DjangoSession::redis(&redis.url(), &site.url(), KEY));
    redis.hold(DEFAULT, alice(), Some(DAY));
    for _ in 0..2 {
        assert!(matches!(decide(&auth).await, Decision::Accepted(_)));
        let asked = redis.commands();
        // The client introduces itself to begin with, and is refused.
        let asked: Vec<_> = asked.iter().filter(|command| command[0] != "CLIENT").collect();
        let [value, lifetime] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((&*value[0], &*value[1], &*lifetime[0], &*lifetime[1]), ("GETRANGE", DEFAULT, "PTTL", DEFAULT));
    }
}

#[tokio::test]
async fn no_more_is_read_than_is_looked_at() {
    let (site, redis) = (site().await, Redis::start().await);
    let auth = auth(DjangoSession::redis(&redis.url(), &site.url(), KEY));
    redis.hold(DEFAULT, vec![b' '; 8 << 20], Some(DAY));
    assert_eq!(refused(&auth).await.reason(), "session_too_large");
}

#[tokio::test]
async fn a_connection_that_broke_is_made_again() {
    let (site, redis) = (site().await, Redis::start().await);
    let auth = auth(DjangoSession::redis(&redis.url(), &site.url(), KEY));
    redis.hold(DEFAULT, alice(), Some(DAY));
    for _ in 0..3 {
        assert!(matches!(decide(&auth).await, Decision::Accepted(_)));
        let introductions = redis.commands().into_iter().filter(|command| command[0] == "CLIENT");
        assert!(introductions.count() > 0, "this connection is a new one");
        redis.hang_up();
    }
}

#[tokio::test]
async fn without_an_answer_of_redis_no_session_is_wrong() {
    let site = site().await;
    // A port that was free, and that nobody listens on any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let down = auth(DjangoSession::redis(&format!("redis://127.0.0.1:{port}"), &site.url(), KEY));
    let redis = Redis::start().await;
    redis.hold(DEFAULT, alice(), Some(DAY));
    // To choose a database takes a third command, which this user may not send.
    let forbidden = auth(DjangoSession::redis(&format!("{}/1", redis.url()), &site.url(), KEY));
    for auth in [down, forbidden] {
        let rejection = refused(&auth).await;
        assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, "django_redis"), "{rejection}");
        assert!(rejection.retry_after().is_some());
    }
}

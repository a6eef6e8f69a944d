//! Sessions in a cache that is a test's own.

use std::time::Duration;

use http::Request;

use super::cache::{Cache, CacheFuture, Cached};
use super::session::DjangoSession;
use crate::{Auth, Decision, Rejection, Resource};

#[path = "../../tests/django/site.rs"]
mod site;

use site::Site;

const KEY: &str = "a key of at least thirty-two bytes";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
const SESSION: &str = "0123456789abcdefghijklmnopqrstuv";

/// One value, for ten seconds. `None`: the cache is down.
struct Holds(Option<Vec<u8>>);

impl Cache for Holds {
    fn get<'a>(&'a self, key: String) -> CacheFuture<'a> {
        let found = match &self.0 {
            None => Err(Rejection::unavailable("down", Duration::from_secs(1))),
            Some(_) if key != format!(":1:django.contrib.sessions.cache{SESSION}") => Ok(None),
            Some(value) => Ok(Some(Cached { value: value.clone(), lifetime: Some(Duration::from_secs(10)) })),
        };
        Box::pin(std::future::ready(found))
    }

    fn problem(&self) -> Option<String> {
        None
    }
}

async fn decide(site: &Site, value: Option<&[u8]>, cookie: &str) -> Decision {
    let session = DjangoSession::cache(Holds(value.map(<[u8]>::to_vec)), &site.url(), KEY).issuer("https://a.example");
    let auth = Auth::chain().with(session).protecting(Resource::new("https://a.example/mcp").expect("a URL")).clock(site::now);
    let request = Request::get("/mcp").header("cookie", format!("sessionid={cookie}")).body(()).expect("a request");
    auth.decide(&request.into_parts().0).await
}

#[tokio::test]
async fn a_session_in_a_cache_is_verified_as_all_are() {
    let site = Site::new().await;
    site.run(&format!("INSERT INTO auth_user (id, username, password, is_active) VALUES (1, 'alice', '{PASSWORD}', 1)")).await;
    let json = |hash: &str| {
        format!(
            r#"{{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"{hash}"}}"#
        )
    };
    let valid = json(&site::session_auth_hash(PASSWORD, KEY));
    let Decision::Accepted(alice) = decide(&site, Some(valid.as_bytes()), SESSION).await else { panic!("valid") };
    assert_eq!(alice.subject(), "1");
    assert_eq!(alice.expires_at(), Some(site::now() + Duration::from_secs(10)), "it goes when the cache forgets it");

    let reason = async |value: Option<&[u8]>, cookie: &str| match decide(&site, value, cookie).await {
        Decision::Rejected(rejection) => rejection.reason(),
        Decision::Anonymous => "anonymous",
        Decision::Accepted(_) => "accepted",
    };
    let forged = json(&site::session_auth_hash(PASSWORD, "another key"));
    assert_eq!(reason(Some(forged.as_bytes()), SESSION).await, "auth_hash_mismatch");
    assert_eq!(reason(Some(valid.as_bytes()), "another0another0another0another0").await, "session_not_found");
    assert_eq!(reason(Some(valid.as_bytes()), ":1:views.decorators.cache.x").await, "bad_session_key");
    assert_eq!(reason(Some(b"\x80\x05}\x94."), SESSION).await, "pickled_session");
    assert_eq!(reason(Some(b"{}"), SESSION).await, "anonymous");
    assert_eq!(reason(None, SESSION).await, "down");
}

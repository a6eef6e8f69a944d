//! Sessions of a Django site, read directly.
#![cfg(feature = "django")]

#[path = "django/site.rs"]
mod site;

use std::time::Duration;

use http::Request;
use mcp_auth::{Auth, Decision, DjangoSession, RejectionKind, Resource, Scheme, UserKey, UserTable};
use serde_json::{Map, Value, json};
use site::{NOW, Site};

const KEY: &str = "a key of at least thirty-two bytes";
const OLD_KEY: &str = "the key that this one replaced, once";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";
const TABLE: &str = "django.contrib.sessions.SessionStore";
const COOKIE: &str = "django.contrib.sessions.backends.signed_cookies";
const SESSION: &str = "0123456789abcdefghijklmnopqrstuv";

/// With Alice, who is user 1, and Carol, who is user 3 and may not log in.
async fn site() -> Site {
    let site = Site::new().await;
    for (id, name, is_active) in [(1, "alice", 1), (3, "carol", 0)] {
        let sql = format!(
            "INSERT INTO auth_user (id, username, password, is_active) VALUES ({id}, '{name}', '{PASSWORD}', {is_active})"
        );
        site.run(&sql).await;
    }
    site
}

/// What a session of Alice holds.
fn alice() -> Map<String, Value> {
    let hash = site::session_auth_hash(PASSWORD, KEY);
    let facts = json!({"_auth_user_id": "1", "_auth_user_backend": BACKEND, "_auth_user_hash": hash});
    facts.as_object().expect("an object").clone()
}

fn with(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    let mut facts = alice();
    facts.insert(name.to_owned(), value.into());
    facts
}

fn without(name: &str) -> Map<String, Value> {
    let mut facts = alice();
    facts.remove(name);
    facts
}

fn text(facts: &Map<String, Value>) -> String {
    Value::Object(facts.clone()).to_string()
}

/// Saves one session in the table, in the place of the one before.
async fn save(site: &Site, data: &str, expire_date: &str) {
    site.run("DELETE FROM django_session").await;
    let row = json!({"session_key": SESSION, "session_data": data, "expire_date": expire_date});
    site.insert("django_session", row.as_object().expect("an object")).await;
}

const TOMORROW: &str = "2026-06-16 12:00:00";

fn auth(session: DjangoSession) -> Auth {
    let session = session.issuer("https://www.example.com");
    let auth = Auth::chain().with(session).protecting(Resource::new("https://a.example/mcp").expect("a URL")).clock(site::now);
    assert_eq!(auth.problems(), Vec::<String>::new());
    auth
}

async fn decide(session: DjangoSession, cookie: &str) -> Decision {
    let request = Request::get("/mcp").header("cookie", format!("sessionid={cookie}")).body(()).expect("a request");
    auth(session).decide(&request.into_parts().0).await
}

/// The subject, or the reason against it.
async fn told(session: DjangoSession, cookie: &str) -> String {
    match decide(session, cookie).await {
        Decision::Accepted(principal) => format!("user {}", principal.subject()),
        Decision::Anonymous => "anonymous".to_owned(),
        Decision::Rejected(rejection) => rejection.reason().to_owned(),
    }
}

fn in_table(site: &Site) -> DjangoSession {
    DjangoSession::database(&site.url(), KEY)
}

fn in_cookie(site: &Site) -> DjangoSession {
    DjangoSession::signed_cookies(&site.url(), KEY)
}

#[tokio::test]
async fn who_is_logged_in_is_the_principal() {
    let site = site().await;
    save(&site, &site::dumps(&text(&alice()), TABLE, KEY, NOW - 9), TOMORROW).await;
    let Decision::Accepted(alice) = decide(in_table(&site).scopes(["notes:read"]), SESSION).await else { panic!("valid") };
    assert_eq!((alice.subject(), alice.issuer(), alice.scheme()), ("1", Some("https://www.example.com"), Scheme::Session));
    assert_eq!(alice.claims().get("username"), Some(&json!("alice")));
    assert_eq!(alice.granted().iter().collect::<Vec<_>>(), ["notes:read"]);
    assert_eq!(alice.expires_at(), Some(site::now() + Duration::from_secs(24 * 60 * 60)));
}

#[tokio::test]
async fn every_rule_refuses() {
    let site = site().await;
    let hash = site::session_auth_hash(PASSWORD, KEY);
    let anonymous = Map::from_iter([("theme".to_owned(), json!("dark"))]);
    for (facts, expected) in [
        (alice(), "user 1"),
        (with("_auth_user_id", 1), "user 1"),
        (with("_auth_user_hash", ""), "auth_hash_mismatch"),
        (without("_auth_user_hash"), "auth_hash_mismatch"),
        (with("_auth_user_hash", hash.to_uppercase()), "auth_hash_mismatch"),
        (with("_auth_user_hash", site::session_auth_hash("another password", KEY)), "auth_hash_mismatch"),
        (with("_auth_user_id", "2"), "user_not_found"),
        (with("_auth_user_id", "3"), "user_inactive"),
        (with("_auth_user_id", " 1 "), "malformed_user_id"),
        (with("_auth_user_id", "01"), "malformed_user_id"),
        (with("_auth_user_id", "1 OR 1=1"), "malformed_user_id"),
        (with("_auth_user_id", Value::Null), "malformed_session"),
        (with("_auth_user_backend", "site.backends.Everybody"), "backend_not_allowed"),
        (without("_auth_user_backend"), "backend_not_allowed"),
        (with("_session_expiry", "no date"), "user 1"),
        (anonymous, "anonymous"),
    ] {
        save(&site, &site::dumps(&text(&facts), TABLE, KEY, NOW - 9), TOMORROW).await;
        assert_eq!(told(in_table(&site), SESSION).await, expected, "in the table: {facts:?}");
        let in_cookie = told(in_cookie(&site), &site::dumps(&text(&facts), COOKIE, KEY, NOW - 9)).await;
        let expected = if facts.contains_key("_session_expiry") { "session_expiry_unreadable" } else { expected };
        assert_eq!(in_cookie, expected, "in the cookie: {facts:?}");
    }
}

#[tokio::test]
async fn a_new_password_ends_sessions_at_once() {
    let site = site().await;
    save(&site, &site::dumps(&text(&alice()), TABLE, KEY, NOW - 9), TOMORROW).await;
    let auth = auth(in_table(&site));
    let request =
        || Request::get("/mcp").header("cookie", format!("sessionid={SESSION}")).body(()).expect("a request").into_parts().0;
    assert!(matches!(auth.decide(&request()).await, Decision::Accepted(_)));
    site.run("UPDATE auth_user SET password = 'pbkdf2_sha256$1000$salt$YW5vdGhlcg'").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Rejected(r) if r.reason() == "auth_hash_mismatch"));
    site.run("DELETE FROM django_session").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Rejected(r) if r.reason() == "session_not_found"));
}

#[tokio::test]
async fn keys_that_were_replaced_count_where_they_are_named() {
    let site = site().await;
    let old_hash = with("_auth_user_hash", site::session_auth_hash(PASSWORD, OLD_KEY));
    for (facts, key) in [(alice(), OLD_KEY), (old_hash.clone(), KEY), (old_hash, OLD_KEY)] {
        save(&site, &site::dumps(&text(&facts), TABLE, key, NOW - 9), TOMORROW).await;
        assert_eq!(told(in_table(&site).fallback_keys([OLD_KEY]), SESSION).await, "user 1");
        assert_ne!(told(in_table(&site), SESSION).await, "user 1");
    }
}

#[tokio::test]
async fn a_row_counts_before_its_end_and_a_signature_for_its_purpose() {
    let site = site().await;
    let valid = site::dumps(&text(&alice()), TABLE, KEY, NOW - 9);
    for (data, expire_date, expected) in [
        (&valid, "2026-06-15 12:00:00.000001", "user 1"),
        (&valid, "2026-06-15 12:00:00", "expired"),
        (&valid, "2026-06-15 11:59:59.999999", "expired"),
        (&site::dumps(&text(&alice()), TABLE, KEY, 0), TOMORROW, "bad_signature"),
        (&site::dumps(&text(&alice()), TABLE, KEY, 1), TOMORROW, "user 1"),
        (&site::dumps(&text(&alice()), TABLE, KEY, NOW + 9), TOMORROW, "user 1"),
        (&site::dumps(&text(&alice()), COOKIE, KEY, NOW), TOMORROW, "bad_signature"),
        (&site::dumps(&text(&alice()), TABLE, OLD_KEY, NOW), TOMORROW, "bad_signature"),
        (&site::dumps("[]", TABLE, KEY, NOW), TOMORROW, "malformed_session"),
        (&format!("{valid}="), TOMORROW, "bad_signature"),
        (&String::new(), TOMORROW, "bad_signature"),
        (&"A".repeat(1 + (1 << 20)), TOMORROW, "session_too_large"),
    ] {
        save(&site, data, expire_date).await;
        assert_eq!(told(in_table(&site), SESSION).await, expected, "{:.80} {expire_date}", data);
    }
    for other in ["2026-06-16 12:00:00+00:00", "2026-06-16T12:00:00", "1781611200"] {
        save(&site, &valid, if other.contains('T') { "16.06.2026" } else { other }).await;
        assert_eq!(told(in_table(&site), SESSION).await, "django_date_unreadable", "{other}");
    }
}

#[tokio::test]
async fn a_session_in_a_cookie_ends_with_its_age() {
    let site = site().await;
    let age = 14 * 24 * 60 * 60;
    let session_of = |expiry: Value, at: u64| site::dumps(&text(&with("_session_expiry", expiry)), COOKIE, KEY, at);
    for (cookie, expected) in [
        (session_of(Value::Null, NOW), "user 1"),
        (session_of(Value::Null, NOW - age), "user 1"),
        (session_of(Value::Null, NOW - age - 1), "expired"),
        (session_of(Value::Null, NOW + 1), "signed_in_the_future"),
        (session_of(json!(0), NOW - age), "user 1"),
        (session_of(json!(60), NOW - 60), "user 1"),
        (session_of(json!(60), NOW - 61), "expired"),
        (session_of(json!(2 * age), NOW - age - 1), "expired"),
        (session_of(json!(-1), NOW), "expired"),
        (session_of(json!("2026-06-15T12:00:00+00:00"), NOW - 9), "user 1"),
        (session_of(json!("2026-06-15T13:59:59.5+02:00"), NOW - 9), "expired"),
        (session_of(json!("2027-06-15T12:00:00+00:00"), NOW - age - 1), "expired"),
        (session_of(json!("2027-06-15T12:00:00"), NOW), "session_expiry_unreadable"),
        (site::dumps(&text(&alice()), TABLE, KEY, NOW), "bad_signature"),
        (SESSION.to_owned(), "bad_signature"),
    ] {
        assert_eq!(told(in_cookie(&site), &cookie).await, expected, "{cookie}");
    }
    let hour_old = site::dumps(&text(&alice()), COOKIE, KEY, NOW - 3600);
    assert_eq!(told(in_cookie(&site).age(Duration::from_secs(3599)), &hour_old).await, "expired");
}

#[tokio::test]
async fn only_what_django_makes_is_a_key() {
    let site = site().await;
    save(&site, &site::dumps(&text(&alice()), TABLE, KEY, NOW - 9), TOMORROW).await;
    let upper = SESSION.to_uppercase();
    site.run(&format!("INSERT INTO django_session SELECT '{upper}', session_data, expire_date FROM django_session")).await;
    let long = "a".repeat(41);
    for other in [&*upper, "short77", "' OR '1'='1' -- aaaaaaaa", "%25aaaaaaaaaa", &long] {
        assert_eq!(told(in_table(&site), other).await, "bad_session_key", "{other}");
    }
}

#[tokio::test]
async fn a_database_that_does_not_tell_refuses_nobody() {
    let site = site().await;
    save(&site, &site::dumps(&text(&alice()), TABLE, KEY, NOW - 9), TOMORROW).await;
    let nowhere = DjangoSession::database("sqlite:///nowhere/at/all.sqlite3", KEY);
    for session in [nowhere, in_table(&site).session_table("sessions"), in_table(&site).user_table("people")] {
        let Decision::Rejected(rejection) = decide(session, SESSION).await else { panic!("nobody can tell") };
        assert_eq!(rejection.kind(), RejectionKind::Unavailable, "{rejection}");
        assert!(rejection.retry_after().is_some());
    }
}

#[tokio::test]
async fn users_may_be_elsewhere() {
    let site = site().await;
    let uuid = "c9bf9e57-1685-4c89-bafb-ff5af830be8a";
    site.run("CREATE TABLE accounts_person (uid char(32) PRIMARY KEY, mail text, secret text)").await;
    site.run(&format!("INSERT INTO accounts_person VALUES ('{}', 'a@example.com', '{PASSWORD}')", uuid.replace('-', ""))).await;
    save(&site, &site::dumps(&text(&with("_auth_user_id", uuid)), TABLE, KEY, NOW), TOMORROW).await;
    let people = UserTable::named("main.accounts_person");
    let people = people.key("uid", UserKey::Uuid).username("mail").password("secret").is_active(None);
    let Decision::Accepted(person) = decide(in_table(&site).user_table(people.clone()), SESSION).await else { panic!("valid") };
    assert_eq!(person.subject(), uuid);
    assert_eq!(person.claims().get("username"), Some(&json!("a@example.com")));
    for other in [uuid.to_uppercase(), uuid.replace('-', ""), "1".to_owned()] {
        save(&site, &site::dumps(&text(&with("_auth_user_id", other)), TABLE, KEY, NOW), TOMORROW).await;
        assert_eq!(told(in_table(&site).user_table(people.clone()), SESSION).await, "malformed_user_id");
    }

    site.run("CREATE TABLE members (id text COLLATE NOCASE PRIMARY KEY, username text, password text, is_active bool)").await;
    site.run(&format!("INSERT INTO members VALUES ('alice', 'alice', '{PASSWORD}', 1)")).await;
    let members = UserTable::named("members").key("id", UserKey::Text);
    for (id, expected) in [("alice", "user alice"), ("ALICE", "user_not_found"), ("", "malformed_user_id")] {
        save(&site, &site::dumps(&text(&with("_auth_user_id", id)), TABLE, KEY, NOW), TOMORROW).await;
        assert_eq!(told(in_table(&site).user_table(members.clone()), SESSION).await, expected);
    }
}

#[tokio::test]
async fn backends_are_those_of_the_site() {
    let site = site().await;
    save(&site, &site::dumps(&text(&with("_auth_user_backend", "site.Ldap")), TABLE, KEY, NOW), TOMORROW).await;
    assert_eq!(told(in_table(&site).backends([BACKEND, "site.Ldap"]), SESSION).await, "user 1");
    assert_eq!(told(in_table(&site).backends(["site.Saml"]), SESSION).await, "backend_not_allowed");
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let site = site().await;
    save(&site, &site::dumps(&text(&alice()), TABLE, KEY, NOW), TOMORROW).await;
    let secret = "abcdefghijklmnopqrstuvwxyzABCDEF";
    let post = |origin: &str, cookie: &str, token: &str| {
        let request = Request::post("/mcp").header("origin", origin).header("content-type", "application/json");
        let request = request.header("cookie", format!("{cookie}={SESSION}; csrftoken={secret}")).header("x-csrftoken", token);
        request.body(()).expect("a request").into_parts().0
    };
    let ours = "https://a.example";
    let kind = async |session: DjangoSession, head: http::request::Parts| match auth(session).decide(&head).await {
        Decision::Rejected(rejection) => rejection.kind().status().as_u16(),
        Decision::Accepted(_) => 200,
        Decision::Anonymous => 401,
    };
    assert_eq!(kind(in_table(&site), post(ours, "sessionid", "")).await, 200);
    assert_eq!(kind(in_table(&site), post("https://evil.example", "sessionid", secret)).await, 403);
    assert_eq!(kind(in_table(&site).csrf(), post(ours, "sessionid", secret)).await, 200);
    assert_eq!(kind(in_table(&site).csrf(), post(ours, "sessionid", "")).await, 403);
    assert_eq!(kind(in_table(&site).csrf(), post("https://evil.example", "sessionid", secret)).await, 403);
    assert_eq!(kind(in_table(&site).cookie_name("site_session"), post(ours, "site_session", "")).await, 200);
    assert_eq!(kind(in_table(&site).cookie_name("site_session"), post(ours, "sessionid", "")).await, 401);
}

#[test]
fn mistakes_are_named_without_secrets() {
    let auth = Auth::chain().protecting(Resource::new("https://a.example/mcp").expect("a URL")).with(
        DjangoSession::database("mysql://root:hunter2@localhost/site", "")
            .session_table("x; DROP")
            .user_table("y z")
            .cookie_name("a b")
            .scopes(["two words"])
            .age(Duration::from_secs(1))
            .bearer("hunter2"),
    );
    let problems = auth.problems();
    for part in ["`mysql`", "is empty", "`x; DROP`", "`y z`", "`a b`", "`two words`", "`.age(..)`", "`.bearer(..)`", "`.issuer("]
    {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
    }
    assert_eq!(problems.len(), 9, "{problems:#?}");
    assert!(!problems.concat().contains("hunter2"));
    let session = DjangoSession::database("postgres://root:hunter2@localhost/site", "hunter2");
    assert!(!format!("{session:?}").contains("hunter2"));
}

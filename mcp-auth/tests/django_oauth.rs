//! Tokens of Django OAuth Toolkit, in its tables.
#![cfg(feature = "django")]

#[path = "django/site.rs"]
mod site;

use std::time::Duration;

use http::Request;
use mcp_auth::{Auth, Decision, DjangoOAuth, RejectionKind, Resource, Scheme, Unbound, UserKey, UserTable};
use serde_json::{Map, Value, json};
use site::Site;

const OURS: &str = "https://a.example/mcp/notes";

/// With Alice, who is user 1, and Carol, who is user 3 and may not log in, and two clients.
async fn site() -> Site {
    let site = Site::new().await;
    for (id, name, is_active) in [(1, "alice", 1), (3, "carol", 0)] {
        let sql = format!("INSERT INTO auth_user (id, username, password, is_active) VALUES ({id}, '{name}', '!', {is_active})");
        site.run(&sql).await;
    }
    site.run("INSERT INTO oauth2_provider_application (id, client_id) VALUES (1, 'desktop'), (2, 'robot')").await;
    site
}

/// Saves one token of Alice, changed, in the place of the one before.
async fn save(site: &Site, changes: Value) {
    site.run("DELETE FROM oauth2_provider_accesstoken").await;
    let mut row: Map<String, Value> = Map::from_iter([
        ("token".to_owned(), json!("")),
        ("token_checksum".to_owned(), site::hex(&site::sha256(b"abc")).into()),
        ("expires".to_owned(), json!("2026-06-15 12:00:00.000001")),
        ("scope".to_owned(), json!("notes:read files")),
        ("resource".to_owned(), json!([OURS]).to_string().into()),
        ("user_id".to_owned(), json!(1)),
        ("application_id".to_owned(), json!(1)),
    ]);
    row.extend(changes.as_object().expect("an object").clone());
    site.insert("oauth2_provider_accesstoken", &row).await;
}

fn oauth(site: &Site) -> DjangoOAuth {
    DjangoOAuth::connect(&site.url()).issuer("https://www.example.com/o")
}

async fn decide(oauth: DjangoOAuth, token: &str) -> Decision {
    let resource = Resource::new(OURS).expect("a URL");
    let auth = Auth::chain().require_scopes(["notes:read"]).with(oauth).protecting(resource).clock(site::now);
    assert_eq!(auth.problems(), Vec::<String>::new());
    let request = Request::post("/mcp/notes").header("authorization", format!("Bearer {token}")).body(()).expect("a request");
    auth.decide(&request.into_parts().0).await
}

/// The subject, or the reason against it.
async fn told(oauth: DjangoOAuth) -> String {
    match decide(oauth, "abc").await {
        Decision::Accepted(principal) => principal.subject().to_owned(),
        Decision::Anonymous => "anonymous".to_owned(),
        Decision::Rejected(rejection) => rejection.reason().to_owned(),
    }
}

#[tokio::test]
async fn a_token_is_its_user() {
    let site = site().await;
    save(&site, json!({})).await;
    let Decision::Accepted(alice) = decide(oauth(&site), "abc").await else { panic!("valid") };
    assert_eq!((alice.subject(), alice.issuer(), alice.client()), ("1", Some("https://www.example.com/o"), Some("desktop")));
    assert_eq!(alice.claims().get("username"), Some(&json!("alice")));
    assert_eq!(alice.granted().iter().collect::<Vec<_>>(), ["files", "notes:read"]);
    assert_eq!((alice.scheme(), alice.expires_at()), (Scheme::Bearer, Some(site::now() + Duration::from_micros(1))));

    for other in ["abd", "ABC", "", "'"] {
        assert!(matches!(decide(oauth(&site), other).await, Decision::Rejected(_)), "{other}");
    }
    // Hashed or not, the column with the token is never asked.
    save(&site, json!({"token": "abd"})).await;
    assert!(matches!(decide(oauth(&site), "abd").await, Decision::Rejected(r) if r.reason() == "unknown_token"));
}

#[tokio::test]
async fn every_rule_refuses() {
    let site = site().await;
    for (changes, expected) in [
        (json!({"expires": "2026-06-15 12:00:00"}), "expired"),
        (json!({"expires": "2026-06-14 12:00:00"}), "expired"),
        (json!({"expires": "9999-12-31 23:59:59"}), "1"),
        (json!({"expires": "2026-06-16 12:00:00+02:00"}), "django_date_unreadable"),
        (json!({"scope": ""}), "insufficient_scope"),
        (json!({"scope": "notes:reader xnotes:read"}), "insufficient_scope"),
        (json!({"scope": "files\tnotes:read\n"}), "1"),
        (json!({"scope": "introspection"}), "insufficient_scope"),
        (json!({"scope": "oauth2_provider:registration notes:read"}), "insufficient_scope"),
        (json!({"user_id": 3}), "user_inactive"),
        (json!({"user_id": 2}), "user_not_found"),
        (json!({"user_id": null}), "token_without_user"),
        (json!({"application_id": null}), "1"),
        (json!({"resource": "[]"}), "no_audience"),
        (json!({"resource": ""}), "malformed_audience"),
        (json!({"resource": format!("\"{OURS}\"")}), "malformed_audience"),
        (json!({"resource": json!([1, OURS]).to_string()}), "malformed_audience"),
        (json!({"resource": json!(["https://a.example"]).to_string()}), "foreign_audience"),
        (json!({"resource": json!(["https://b.example", "https://A.example:443/mcp/notes/"]).to_string()}), "1"),
        (json!({"resource": json!([format!("{OURS}/x")]).to_string()}), "foreign_audience"),
    ] {
        save(&site, changes.clone()).await;
        assert_eq!(told(oauth(&site)).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn what_the_chain_does_not_ask_for_is_refused_all_the_same() {
    let site = site().await;
    let resource = Resource::new(OURS).expect("a URL");
    let auth = Auth::chain().with(oauth(&site).client_tokens()).protecting(resource).clock(site::now);
    for scope in ["introspection", "oauth2_provider:registration"] {
        save(&site, json!({"scope": scope, "user_id": null})).await;
        let request = Request::post("/").header("authorization", "Bearer abc").body(()).expect("a request");
        let Decision::Rejected(rejection) = auth.decide(&request.into_parts().0).await else { panic!("{scope}") };
        assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    }
}

#[tokio::test]
async fn a_token_counts_until_it_is_revoked() {
    let site = site().await;
    save(&site, json!({})).await;
    let auth = Auth::chain().with(oauth(&site)).protecting(Resource::new(OURS).expect("a URL")).clock(site::now);
    let request = || Request::post("/").header("authorization", "Bearer abc").body(()).expect("a request").into_parts().0;
    assert!(matches!(auth.decide(&request()).await, Decision::Accepted(_)));
    site.run("UPDATE auth_user SET is_active = 0").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Rejected(r) if r.reason() == "user_inactive"));
    site.run("DELETE FROM oauth2_provider_accesstoken").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Rejected(r) if r.reason() == "unknown_token"));
}

#[tokio::test]
async fn tokens_without_an_audience_or_a_user_are_allowed_by_name() {
    let site = site().await;
    save(&site, json!({"resource": "[]"})).await;
    assert_eq!(told(oauth(&site).unbound_tokens(Unbound::Allow)).await, "1");
    assert_eq!(told(oauth(&site).unbound_tokens(Unbound::allow_clients(["desktop"]))).await, "1");
    assert_eq!(told(oauth(&site).unbound_tokens(Unbound::allow_clients(["robot"]))).await, "no_audience");
    save(&site, json!({"resource": "[]", "application_id": null})).await;
    assert_eq!(told(oauth(&site).unbound_tokens(Unbound::allow_clients(["", "desktop"]))).await, "no_audience");
    save(&site, json!({"resource": json!(["https://b.example"]).to_string()})).await;
    assert_eq!(told(oauth(&site).unbound_tokens(Unbound::Allow)).await, "foreign_audience");

    save(&site, json!({"user_id": null, "application_id": 2})).await;
    let Decision::Accepted(robot) = decide(oauth(&site).client_tokens(), "abc").await else { panic!("valid") };
    assert_eq!((robot.subject(), robot.client()), ("client:robot", Some("robot")));
    save(&site, json!({"user_id": null, "application_id": null})).await;
    assert_eq!(told(oauth(&site).client_tokens()).await, "token_without_user_and_client");
}

#[tokio::test]
async fn a_prefix_is_an_audience_where_it_is_allowed() {
    let site = site().await;
    for (audience, expected) in
        [("https://a.example", "1"), ("https://a.example/mcp?x", "1"), ("https://a.example/mcp/note", "foreign_audience")]
    {
        save(&site, json!({"resource": json!([audience]).to_string()})).await;
        assert_eq!(told(oauth(&site).audience_by_prefix()).await, expected, "{audience}");
    }
}

#[tokio::test]
async fn the_log_says_whom_a_token_is_for() {
    let site = site().await;
    save(&site, json!({"resource": json!(["https://b.example"]).to_string()})).await;
    let Decision::Rejected(rejection) = decide(oauth(&site), "abc").await else { panic!("it is for another") };
    let expected = format!("foreign_audience: for `https://b.example`, not `{OURS}` (credential ");
    assert!(rejection.to_string().starts_with(&expected), "{rejection}");
}

#[tokio::test]
async fn tables_and_keys_may_be_others() {
    let site = site().await;
    let uuid = "c9bf9e57-1685-4c89-bafb-ff5af830be8a";
    let digits = uuid.replace('-', "");
    site.run(&format!(
        "CREATE TABLE people (uid char(32), mail text, is_active bool); INSERT INTO people VALUES ('{digits}', 'a@example.com', 1);
         CREATE TABLE apps AS SELECT * FROM oauth2_provider_application;
         CREATE TABLE tokens (token_checksum text, expires datetime, scope text, resource text, user_id char(32), application_id text);
         INSERT INTO tokens VALUES ('{}', '2026-06-16 12:00:00', 'notes', '[\"{OURS}\"]', '{digits}', 1)",
        site::hex(&site::sha256(b"abc"))
    ))
    .await;
    let people = UserTable::named("people").key("uid", UserKey::Uuid).username("mail");
    let oauth = oauth(&site).token_table("tokens").application_table("apps").user_table(people);
    assert_eq!(told(oauth).await, uuid);
}

#[tokio::test]
async fn a_database_that_does_not_tell_refuses_nobody() {
    let site = site().await;
    save(&site, json!({})).await;
    let nowhere = DjangoOAuth::connect("sqlite:///nowhere/at/all.sqlite3").issuer("https://www.example.com/o");
    for oauth in [nowhere, oauth(&site).token_table("tokens"), oauth(&site).user_table("people")] {
        let Decision::Rejected(rejection) = decide(oauth, "abc").await else { panic!("nobody can tell") };
        assert_eq!(rejection.kind(), RejectionKind::Unavailable, "{rejection}");
        assert!(!rejection.to_string().contains("abc"), "{rejection}");
    }
    // It comes back without a restart.
    let late = oauth(&site);
    let auth = Auth::chain().with(late).protecting(Resource::new(OURS).expect("a URL")).clock(site::now);
    let request = || Request::post("/").header("authorization", "Bearer abc").body(()).expect("a request").into_parts().0;
    site.run("ALTER TABLE oauth2_provider_accesstoken RENAME TO away").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Rejected(r) if r.kind() == RejectionKind::Unavailable));
    site.run("ALTER TABLE away RENAME TO oauth2_provider_accesstoken").await;
    assert!(matches!(auth.decide(&request()).await, Decision::Accepted(_)));
}

#[test]
fn mistakes_are_named() {
    let auth = Auth::chain().with(DjangoOAuth::connect("oracle://hunter2@x/y").token_table("a b").application_table(""));
    let problems = auth.problems();
    for part in ["`oracle`", "`a b`", "`` is no name", "`.issuer(", "public URL"] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert_eq!(Auth::chain().with(DjangoOAuth::connect("sqlite:x").issuer("https://i.example")).issuers(), ["https://i.example"]);
}

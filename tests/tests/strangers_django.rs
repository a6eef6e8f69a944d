//! What strangers get at a server beside a Django site, whose sessions and tokens it reads.

mod http_call;
#[path = "../../mcp-auth/tests/django/site.rs"]
mod site;

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use http_call::{Answer, HttpCall, router};
use mcp_runtime::auth::{DjangoOAuth, DjangoSession};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Map, Value, json};
use site::Site;

const URL: &str = "https://mcp.example.com/mcp";
const KEY: &str = "a key of at least thirty-two bytes";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";
const TABLE: &str = "django.contrib.sessions.SessionStore";
const COOKIE: &str = "django.contrib.sessions.backends.signed_cookies";
const SESSION: &str = "0123456789abcdefghijklmnopqrstuv";
const LATER: &str = "2099-01-01 00:00:00";
const TOKEN: &str = "anOpaqueAccessTokenOfAlices";
const REFRESH: &str = "anOpaqueRefreshTokenOfAlice";

/// Who calls.
#[tool]
fn whoami(caller: Principal) -> String {
    format!("user {}", caller.subject())
}

/// For those who may write.
#[tool(scopes("notes:write"))]
fn write() -> &'static str {
    "written"
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// With Alice and Bob, who are the users 1 and 2, and Carol, who is user 3 and may not log in.
async fn site() -> Site {
    let site = Site::new().await;
    for (id, name, password, is_active) in
        [(1, "alice", PASSWORD, 1), (2, "bob", "pbkdf2_sha256$1000$salt$Ym9icw", 1), (3, "carol", PASSWORD, 0)]
    {
        let row = format!("({id}, '{name}', '{password}', {is_active})");
        site.run(&format!("INSERT INTO auth_user (id, username, password, is_active) VALUES {row}")).await;
    }
    site.run("INSERT INTO oauth2_provider_application (id, client_id) VALUES (1, 'desktop')").await;
    site
}

fn served(auth: Auth) -> Router {
    router(Server::new("notes", "0").only([whoami::tool(), write::tool()]).public_url(URL).auth(auth))
}

/// By the sessions in the table, and the tokens.
fn beside(site: &Site) -> Router {
    let session = DjangoSession::database(&site.url(), KEY).issuer("https://www.example.com").scopes(["notes"]);
    let tokens = DjangoOAuth::connect(&site.url()).issuer("https://www.example.com/o");
    served(Auth::chain().with(session).with(tokens))
}

fn with_cookies(site: &Site) -> Router {
    let session = DjangoSession::signed_cookies(&site.url(), KEY).issuer("https://www.example.com").scopes(["notes"]);
    served(Auth::chain().with(session))
}

fn call(tool: &str) -> HttpCall {
    HttpCall::tool(tool, json!({})).header("host", "mcp.example.com")
}

fn by_cookie(cookie: &str) -> HttpCall {
    call("whoami").header("cookie", format!("sessionid={cookie}")).header("origin", "https://mcp.example.com")
}

/// Status and who, which must be the same in every revision.
async fn told(router: &Router, call: &HttpCall) -> (u16, String) {
    let mut told = Vec::new();
    for era in Era::ALL {
        let answer = call.clone().send_in(era, router).await;
        let who = if answer.status == 200 { answer.tool_text() } else { String::new() };
        told.push((answer.status, who));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

fn alice() -> (u16, String) {
    (200, "user 1".to_owned())
}

fn refused(status: u16) -> (u16, String) {
    (status, String::new())
}

fn facts() -> Map<String, Value> {
    let hash = site::session_auth_hash(PASSWORD, KEY);
    let facts = json!({ "_auth_user_id": "1", "_auth_user_backend": BACKEND, "_auth_user_hash": hash });
    facts.as_object().expect("an object").clone()
}

fn with(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    let mut facts = facts();
    facts.insert(name.to_owned(), value.into());
    facts
}

fn without(name: &str) -> Map<String, Value> {
    let mut facts = facts();
    facts.remove(name);
    facts
}

fn signed(facts: &Map<String, Value>, salt: &str) -> String {
    site::dumps(&Value::Object(facts.clone()).to_string(), salt, KEY, now() - 9)
}

async fn save(site: &Site, data: &str) {
    site.run("DELETE FROM django_session").await;
    let row = json!({ "session_key": SESSION, "session_data": data, "expire_date": LATER });
    site.insert("django_session", row.as_object().expect("a row")).await;
}

async fn save_token(site: &Site, changes: Value) {
    site.run("DELETE FROM oauth2_provider_accesstoken").await;
    let mut row = Map::from_iter([
        ("token".to_owned(), json!("")),
        ("token_checksum".to_owned(), site::hex(&site::sha256(TOKEN.as_bytes())).into()),
        ("expires".to_owned(), json!(LATER)),
        ("scope".to_owned(), json!("notes:read")),
        ("resource".to_owned(), json!([URL]).to_string().into()),
        ("user_id".to_owned(), json!(1)),
        ("application_id".to_owned(), json!(1)),
    ]);
    row.extend(changes.as_object().expect("an object").clone());
    site.insert("oauth2_provider_accesstoken", &row).await;
}

// ---------------------------------------------------------------------------------------------- sessions

#[tokio::test]
async fn a_session_is_of_an_active_user_with_this_password_and_backend() {
    let site = site().await;
    let bobs = site::session_auth_hash("pbkdf2_sha256$1000$salt$Ym9icw", KEY);
    for (what, facts, answer) in [
        ("as it should be", facts(), alice()),
        ("of an inactive user", with("_auth_user_id", "3"), refused(401)),
        ("of nobody", with("_auth_user_id", "4"), refused(401)),
        ("with another user's hash", with("_auth_user_hash", bobs), refused(401)),
        ("of another user with this hash", with("_auth_user_id", "2"), refused(401)),
        ("with no hash", without("_auth_user_hash"), refused(401)),
        ("with an empty hash", with("_auth_user_hash", ""), refused(401)),
        ("with a hash that is none", with("_auth_user_hash", Value::Null), refused(401)),
        ("of a foreign backend", with("_auth_user_backend", "site.Everybody"), refused(401)),
        ("of no backend", without("_auth_user_backend"), refused(401)),
        ("where nobody is logged in", Map::from_iter([("theme".to_owned(), json!("dark"))]), refused(401)),
    ] {
        save(&site, &signed(&facts, TABLE)).await;
        assert_eq!(told(&beside(&site), &by_cookie(SESSION)).await, answer, "in the table, {what}");
        assert_eq!(told(&with_cookies(&site), &by_cookie(&signed(&facts, COOKIE))).await, answer, "in the cookie, {what}");
    }
    save(&site, &signed(&facts(), COOKIE)).await;
    assert_eq!(told(&beside(&site), &by_cookie(SESSION)).await, refused(401), "signed for another place");
    assert_eq!(told(&with_cookies(&site), &by_cookie(&signed(&facts(), TABLE))).await, refused(401), "and the other way round");
}

#[tokio::test]
async fn a_session_ends_with_a_new_password_deactivation_and_log_out() {
    for end in [
        "UPDATE auth_user SET password = 'pbkdf2_sha256$1000$salt$YW5vdGhlcg' WHERE id = 1",
        "UPDATE auth_user SET is_active = 0 WHERE id = 1",
        "DELETE FROM auth_user WHERE id = 1",
        "DELETE FROM django_session",
        "UPDATE django_session SET expire_date = '2020-01-01 00:00:00'",
    ] {
        let site = site().await;
        save(&site, &signed(&facts(), TABLE)).await;
        let router = beside(&site);
        assert_eq!(told(&router, &by_cookie(SESSION)).await, alice());
        site.run(end).await;
        assert_eq!(told(&router, &by_cookie(SESSION)).await, refused(401), "{end}");
    }
}

#[tokio::test]
async fn another_sites_page_has_no_use_for_a_session() {
    let site = site().await;
    save(&site, &signed(&facts(), TABLE)).await;
    let router = beside(&site);
    assert_eq!(told(&router, &by_cookie(SESSION)).await, alice());
    let silent = by_cookie(SESSION).without_header("origin");
    for call in [
        by_cookie(SESSION).header("origin", "https://evil.example"),
        by_cookie(SESSION).header("origin", "null"),
        silent.clone(),
        silent.clone().header("sec-fetch-site", "cross-site"),
        silent.clone().header("sec-fetch-site", "same-site"),
        silent.header("referer", "https://mcp.example.com/"),
    ] {
        assert_eq!(told(&router, &call).await, refused(403), "{call:?}");
    }
}

#[tokio::test]
async fn a_token_stands_before_a_session() {
    let site = site().await;
    save(&site, &signed(&facts(), TABLE)).await;
    save_token(&site, json!({ "user_id": 2 })).await;
    let router = beside(&site);
    let bob = (200, "user 2".to_owned());
    assert_eq!(told(&router, &by_cookie(SESSION).token(TOKEN)).await, bob);
    assert_eq!(told(&router, &by_cookie("nosuchsessionatall0123456789abcd").token(TOKEN)).await, bob);
    assert_eq!(told(&router, &by_cookie(SESSION).token("anotherOpaqueToken")).await, refused(401), "never the session's user");
}

// ---------------------------------------------------------------------------------------------- tokens

#[tokio::test]
async fn a_token_is_an_access_token_for_this_server() {
    let site = site().await;
    let token = call("whoami").token(TOKEN);
    for (changes, answer) in [
        (json!({}), alice()),
        (json!({ "expires": "2020-01-01 00:00:00" }), refused(401)),
        (json!({ "user_id": 3 }), refused(401)),
        (json!({ "user_id": 4 }), refused(401)),
        (json!({ "user_id": null }), refused(401)),
        (json!({ "resource": "[]" }), refused(401)),
        (json!({ "resource": "" }), refused(401)),
        (json!({ "resource": json!(["https://other.example.com/mcp"]).to_string() }), refused(401)),
        (json!({ "resource": json!(["https://mcp.example.com"]).to_string() }), refused(401)),
        (json!({ "resource": json!(["https://mcp.example.com/mcp/other"]).to_string() }), refused(401)),
        // A registration's and an introspecting server's own, whatever else they may.
        (json!({ "scope": "introspection" }), refused(403)),
        (json!({ "scope": "oauth2_provider:registration notes:read" }), refused(403)),
        (json!({ "scope": "oauth2_provider:registration", "user_id": null }), refused(403)),
    ] {
        save_token(&site, changes.clone()).await;
        assert_eq!(told(&beside(&site), &token).await, answer, "{changes}");
    }
    save_token(&site, json!({})).await;
    site.run("CREATE TABLE oauth2_provider_refreshtoken (id integer PRIMARY KEY, token varchar(255))").await;
    site.run(&format!("INSERT INTO oauth2_provider_refreshtoken (token) VALUES ('{REFRESH}')")).await;
    let checksum = site::hex(&site::sha256(TOKEN.as_bytes()));
    let id_token = ["{\"alg\":\"RS256\"}", "{\"sub\":\"1\"}", "signature"].map(|part| BASE64.encode(part)).join(".");
    for other in [REFRESH, &checksum, &id_token, "desktop", &TOKEN.to_uppercase(), &format!("{TOKEN}=")] {
        assert_eq!(told(&beside(&site), &call("whoami").token(other)).await, refused(401), "{other}");
    }
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say() {
    let site = site().await;
    for (scope, answer) in [
        ("notes:read", refused(403)),
        ("", refused(403)),
        ("notes:writer", refused(403)),
        ("notes:write", (200, "written".to_owned())),
        ("notes", (200, "written".to_owned())),
    ] {
        save_token(&site, json!({ "scope": scope })).await;
        assert_eq!(told(&beside(&site), &call("write").token(TOKEN)).await, answer, "{scope}");
    }
}

#[tokio::test]
async fn a_token_counts_until_it_is_revoked() {
    let site = site().await;
    save_token(&site, json!({})).await;
    let router = beside(&site);
    assert_eq!(told(&router, &call("whoami").token(TOKEN)).await, alice());
    site.run("DELETE FROM oauth2_provider_accesstoken").await;
    assert_eq!(told(&router, &call("whoami").token(TOKEN)).await, refused(401));
}

// ---------------------------------------------------------------------------------------------- bombs

fn deflated(bytes: &[u8]) -> String {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    format!(".{}", BASE64.encode(encoder.finish().expect("memory")))
}

/// As Django signs it.
fn signed_payload(payload: &str, salt: &str) -> String {
    // The time is what comes after the payload; of a text that is signed whole, it is the same.
    let stamped = site::dumps("", salt, KEY, now() - 9);
    let time = stamped.split(':').nth(1).expect("a time");
    let value = format!("{payload}:{time}");
    let signature = BASE64.encode(site::salted_hmac(&format!("{salt}signer"), &value, KEY));
    format!("{value}:{signature}")
}

/// Pickle that nests lists as deep as its length allows, and one that would run a program.
fn pickles() -> [Vec<u8>; 2] {
    let nested = [b"\x80\x04".as_slice(), &b"]".repeat(4096), &b"a".repeat(4095), b"."].concat();
    [nested, b"cos\nsystem\n(S'touch /tmp/strangers-were-here'\ntR.".to_vec()]
}

#[tokio::test]
async fn bombs_are_refused_and_harm_nothing() {
    let site = site().await;
    let cookies = with_cookies(&site);
    let mut bombs = vec![
        ("spaces", deflated(&vec![b' '; 16 << 20])),
        ("nested JSON", deflated("[".repeat(1 << 20).as_bytes())),
        ("JSON with one large text", deflated(format!("{{\"a\":\"{}\"}}", "x".repeat(8 << 20)).as_bytes())),
        ("nested JSON as it is", BASE64.encode("[".repeat(6000))),
        ("no zlib at all", format!(".{}", BASE64.encode([0xff; 4000]))),
    ];
    // It would be Alice's, if anybody read so much.
    let mut much = facts();
    much.insert("much".to_owned(), " ".repeat(8 << 20).into());
    bombs.push(("her own, and much more", deflated(Value::Object(much).to_string().as_bytes())));
    for pickle in pickles() {
        bombs.push(("pickle", BASE64.encode(&pickle)));
        bombs.push(("deflated pickle", deflated(&pickle)));
    }
    for (what, payload) in &bombs {
        save(&site, &signed_payload(payload, TABLE)).await;
        // Of one credential that is wrong again and again, no more is looked at.
        assert_eq!(told(&beside(&site), &by_cookie(SESSION)).await, refused(401), "in the table: {what}");
        if payload.len() < 256 << 10 {
            let answer = by_cookie(&signed_payload(payload, COOKIE)).send(&cookies).await;
            assert_eq!(answer.status, 401, "in the cookie: {what}");
        }
    }
    assert!(!std::path::Path::new("/tmp/strangers-were-here").exists());
    save(&site, &signed(&facts(), TABLE)).await;
    assert_eq!(told(&beside(&site), &by_cookie(SESSION)).await, alice(), "and the next one is served");
}

#[tokio::test]
async fn a_header_of_ten_megabytes_is_refused() {
    let site = site().await;
    save(&site, &signed(&facts(), TABLE)).await;
    let long = "a".repeat(10 << 20);
    for router in [beside(&site), with_cookies(&site)] {
        for call in [
            by_cookie(&long),
            call("whoami").header("cookie", vec![b';'; 10 << 20]).header("origin", "https://mcp.example.com"),
            call("whoami").token(&long),
            call("whoami").header("authorization", &long),
            call("whoami").header("authorization", format!("Bearer eyJhbGciOiJub25lIn0.{long}.x")),
        ] {
            let answer: Answer = call.send(&router).await;
            assert!(matches!(answer.status, 400 | 401), "{}", answer.shown());
        }
    }
    let router = beside(&site);
    assert_eq!(told(&router, &by_cookie(SESSION)).await, alice());
}

/// On a connection of its own, it is not even read to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_such_a_header_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let site = site().await;
    save(&site, &signed(&facts(), TABLE)).await;
    let session = DjangoSession::database(&site.url(), KEY).issuer("https://www.example.com");
    let server = Server::new("notes", "0").only([whoami::tool()]).public_url(URL).auth(Auth::chain().with(session));
    let bound = server.bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (bound.address(), bound.handle());
    let running = tokio::spawn(bound.run());
    let exchange = async |call: HttpCall| {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        // The server may close while much is still to be written.
        let _ = stream.write_all(&call.header("connection", "close").wire()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = exchange(by_cookie(&"a".repeat(10 << 20))).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = exchange(by_cookie(SESSION)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("user 1"), "{answer}");
    handle.shutdown();
    running.await.expect("no panic").expect("a good end");
}

// ---------------------------------------------------------------------------------------------- a database that does not tell

#[tokio::test]
async fn a_database_that_is_away_is_no_refusal_and_comes_back() {
    let site = site().await;
    save(&site, &signed(&facts(), TABLE)).await;
    save_token(&site, json!({})).await;
    let router = beside(&site);
    site.run("ALTER TABLE auth_user RENAME TO away").await;
    for call in [by_cookie(SESSION), call("whoami").token(TOKEN)] {
        let answer = call.send(&router).await;
        assert_eq!(answer.status, 503, "{}", answer.shown());
        assert!(answer.header("retry-after").is_some());
        assert!(!answer.shown().contains("auth_user") && !answer.shown().contains("sqlite"), "{}", answer.shown());
    }
    site.run("ALTER TABLE away RENAME TO auth_user").await;
    assert_eq!(told(&router, &by_cookie(SESSION)).await, alice());
    assert_eq!(told(&router, &call("whoami").token(TOKEN)).await, alice());
}

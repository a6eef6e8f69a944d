//! No token, no cookie and no key is in the log, at any level, whether a request was let in or turned down.

mod http_call;
mod round_trip;
#[path = "../../mcp-auth/tests/django/site.rs"]
mod site;
mod written;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use http_call::{HttpCall, router, send};
use mcp_runtime::auth::testing::Authority;
use mcp_runtime::auth::{
    ApiKeys, DjangoOAuth, DjangoSession, Introspection, Jwt, KeyRing, MemoryReplays, ProxyToken, RelaySessions, Resource,
};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use site::Site;
use tracing::level_filters::LevelFilter;
use written::Written;

const URL: &str = "https://mcp.example.com/mcp";
const RELAY: &str = "x-mcp-proxy-session-token";
const STATIC: &str = "static-Zq8Zq9ZqaZqbZqc";
const DJANGO_KEY: &str = "a key of Django's that nobody may read";
const PROXY_KEY: &str = "the key of a proxy, of 32 bytes or more";
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const CLIENT_SECRET: &str = "the secret that we introspect with";
const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5nU2VjcmV0";
const SESSION: &str = "0a1b2c3d4e5f6g7h8i9jakblcmdnepfq";
const DJANGO_TOKEN: &str = "anOpaqueAccessTokenOfAlices";

/// Who calls.
#[tool]
fn whoami(caller: Principal) -> String {
    caller.subject().to_owned()
}

/// For few.
#[tool(scopes("admin"))]
fn purge() {}

#[data]
struct Name {
    name: String,
}

/// Ask for a name.
#[tool]
async fn ask(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.elicit::<Name>("Who?").named("who").await?.accepted()?.name)
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// All that this process logs from now on, on every thread: there is but one test here.
fn log() -> Written {
    let written = Written::default();
    let lines = written.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || lines.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the first one");
    written
}

async fn site() -> (Site, Vec<String>) {
    let site = Site::new().await;
    site.run(&format!("INSERT INTO auth_user (id, username, password, is_active) VALUES (1, 'alice', '{PASSWORD}', 1)")).await;
    let hash = site::session_auth_hash(PASSWORD, DJANGO_KEY);
    let backend = "django.contrib.auth.backends.ModelBackend";
    let facts = json!({ "_auth_user_id": "1", "_auth_user_backend": backend, "_auth_user_hash": hash });
    let data = site::dumps(&facts.to_string(), "django.contrib.sessions.SessionStore", DJANGO_KEY, seconds() - 9);
    let row = json!({ "session_key": SESSION, "session_data": data, "expire_date": "2099-01-01 00:00:00" });
    site.insert("django_session", row.as_object().expect("a row")).await;
    let checksum = site::hex(&site::sha256(DJANGO_TOKEN.as_bytes()));
    site.run("INSERT INTO oauth2_provider_application (id, client_id) VALUES (1, 'desktop')").await;
    let row = json!({
        "token": "", "token_checksum": checksum, "expires": "2099-01-01 00:00:00", "scope": "notes",
        "resource": json!([URL]).to_string(), "user_id": 1, "application_id": 1,
    });
    site.insert("oauth2_provider_accesstoken", row.as_object().expect("a row")).await;
    (site, vec![hash, data])
}

fn server(auth: Auth) -> Server {
    Server::new("logs", "0")
        .only([whoami::tool(), purge::tool(), ask::tool()])
        .public_url(URL)
        .sealing_keys([SEALING_KEY])
        .page_size(1)
        .auth(auth)
}

fn call(tool: &str) -> HttpCall {
    round_trip::tool(tool, json!({})).header("host", "mcp.example.com")
}

fn by_cookie(value: &str) -> HttpCall {
    call("whoami").header("cookie", format!("sessionid={value}; csrftoken=x")).header("origin", "https://mcp.example.com")
}

/// The credential as it is, and spoilt in several ways: the statuses that each is answered with.
async fn shown(router: &Router, secret: &str, show: impl Fn(&str) -> HttpCall) -> Vec<u16> {
    let (first, rest) = secret.split_at(secret.len() / 2);
    let mut statuses = Vec::new();
    for shown in [secret.to_owned(), format!("{secret}x"), first.to_owned(), rest.to_owned(), secret.to_uppercase()] {
        for era in [Era::V2026_07_28, Era::V2025_11_25] {
            statuses.push(show(&shown).send_in(era, router).await.status);
        }
    }
    statuses
}

fn bearer(token: &str) -> HttpCall {
    call("whoami").token(token)
}

#[tokio::test]
async fn no_secret_is_in_the_log() {
    let (site, mut secrets) = site().await;
    let log = log();
    let authority = Authority::new();
    let jwt = |change: Value| {
        let token = authority.token().subject("alice").audience(URL).scopes(["notes"]);
        change.as_object().expect("an object").iter().fold(token, |token, (name, value)| token.claim(name, value.clone())).issue()
    };

    // What is verified here, and a cookie, a key's header and a relay.
    let people =
        Auth::chain().with(DjangoSession::database(&site.url(), DJANGO_KEY).issuer("https://www.example.com").scopes(["notes"]));
    let relay = RelaySessions::new(KeyRing::parse([SEALING_KEY]).expect("a key"), Resource::new(URL).expect("a URL"));
    let relay = relay.recheck_with(people.clone());
    let proxies = ProxyToken::keys([("proxy-1", PROXY_KEY)]).any_peer().replay_store(MemoryReplays::since(UNIX_EPOCH));
    let (api_key, key) = ApiKeys::generate("notes").expect("randomness");
    let keys = ApiKeys::prefix("notes").key(key.owner("key"));
    let chain = people
        .with(Jwt::issuer(authority.issuer()).fetching_with(authority.clone()))
        .with(keys)
        .with(proxies.relay(relay.clone()))
        .with(StaticTokens::new().token(STATIC, Principal::user("static")));
    let router = router(server(chain).relay_sessions("/mcp-relay", relay));
    let token = jwt(json!({}));
    let refused = [
        jwt(json!({ "aud": "https://other.example.com" })),
        jwt(json!({ "exp": seconds() - 60 })),
        jwt(json!({ "iss": "https://other.test" })),
        jwt(json!({ "sub": null })),
    ];
    for (secret, first) in
        [(&*token, 200), (STATIC, 200), (&*api_key, 200)].into_iter().chain(refused.iter().map(|token| (&**token, 401)))
    {
        let statuses = shown(&router, secret, bearer).await;
        assert_eq!(statuses[..2], [first, first], "{secret}");
        // The id of a key is no secret.
        secrets.push(if secret == api_key { secret.rsplit('_').next().unwrap_or_default() } else { secret }.to_owned());
        for call in [
            call("whoami").header("authorization", format!("Token {secret}")),
            call("whoami").header("authorization", format!("Bearer {secret} {secret}")),
            call("whoami").header("authorization", format!("Basic {secret}")),
            call("whoami").token(secret).another("authorization", format!("Bearer {secret}")),
            call("whoami").token(secret).header(RELAY, secret),
            call("whoami").uri(&format!("/mcp?access_token={secret}")),
            call("purge").token(secret),
            call("whoami").token(secret).header("host", "evil.example"),
            call("whoami").token(secret).header("origin", "https://evil.example"),
            call("whoami").token(secret).session(secret).in_era(Era::V2025_11_25),
            HttpCall::new("tools/list", json!({ "cursor": secret })).header("host", "mcp.example.com").token(secret),
            round_trip::again(&call("ask"), secret, json!({})).token(secret),
        ] {
            send(&router, call.request()).await;
        }
    }

    assert_eq!(shown(&router, SESSION, by_cookie).await[..2], [200, 200]);
    assert_eq!(by_cookie(SESSION).header("origin", "https://evil.example").send(&router).await.status, 403);
    assert_eq!(
        by_cookie(SESSION).header("cookie", format!("sessionid={SESSION}; sessionid={SESSION}")).send(&router).await.status,
        400
    );
    let obtained = send(&router, by_cookie(SESSION).uri("/mcp-relay").request()).await.json();
    let relayed = obtained["token"].as_str().expect("a token").to_owned();
    assert_eq!(shown(&router, &relayed, |token| call("whoami").header(RELAY, token)).await[..2], [200, 200]);
    let assertion = |sub: &str| {
        let claims = json!({ "sub": sub, "aud": URL, "prx": "proxy-1", "jti": "jti-of-this-assertion" });
        site::dumps(&claims.to_string(), "mcp.proxy-session.v1", PROXY_KEY, seconds())
    };
    let asserted = assertion("bob");
    assert_eq!(shown(&router, &asserted, |token| call("whoami").header(RELAY, token)).await[..2], [200, 401], "used once");

    // Statements that clients keep.
    let as_static = |call: HttpCall| call.token(STATIC);
    let session =
        http_call::open(&router, as_static(HttpCall::initialize(Era::V2025_11_25).header("host", "mcp.example.com"))).await;
    let page = as_static(HttpCall::list().header("host", "mcp.example.com")).send(&router).await.json();
    let cursor = page["result"]["nextCursor"].as_str().expect("a cursor").to_owned();
    let state = round_trip::state(&as_static(call("ask")).send(&router).await);
    for text in [&session, &cursor, &state] {
        for token in [STATIC, &token] {
            call("whoami").in_era(Era::V2025_11_25).session(text).token(token).send(&router).await;
            HttpCall::new("tools/list", json!({ "cursor": text }))
                .header("host", "mcp.example.com")
                .token(token)
                .send(&router)
                .await;
            round_trip::again(&call("ask"), text.clone(), json!({})).token(token).send(&router).await;
        }
    }
    secrets.extend([session, cursor, state, relayed, asserted, SESSION.to_owned()]);

    // What others are asked about.
    let opaque = authority.token().subject("alice").audience(URL).issue_opaque();
    let introspection = Introspection::at(authority.introspection_url()).basic("mcp", CLIENT_SECRET).issuer(authority.issuer());
    let introspecting = http_call::router(server(Auth::chain().with(introspection.fetching_with(authority.clone()))));
    assert_eq!(shown(&introspecting, &opaque, bearer).await[..2], [200, 200]);
    let in_table = DjangoOAuth::connect(&site.url()).issuer("https://www.example.com/o");
    let in_table = http_call::router(server(Auth::chain().with(in_table)));
    assert_eq!(shown(&in_table, DJANGO_TOKEN, bearer).await[..2], [200, 200]);
    secrets.extend([opaque.clone(), DJANGO_TOKEN.to_owned(), CLIENT_SECRET.to_owned()]);

    // And while nobody answers.
    authority.answers_html(502);
    let late = authority.token().subject("bob").audience(URL).issue_opaque();
    assert_eq!(bearer(&late).send(&introspecting).await.status, 503);
    site.run("ALTER TABLE auth_user RENAME TO away").await;
    assert_eq!(bearer(DJANGO_TOKEN).send(&in_table).await.status, 503);
    assert_eq!(by_cookie(SESSION).send(&router).await.status, 503);
    secrets.push(late);

    secrets.extend([DJANGO_KEY, PROXY_KEY, SEALING_KEY, PASSWORD].map(str::to_owned));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let text = log.text();
    assert!(text.contains("request turned down") && text.contains("DEBUG"), "it was written, in {} bytes", text.len());
    for secret in &secrets {
        let parts = secret.as_bytes().windows(12).filter_map(|part| std::str::from_utf8(part).ok());
        for part in parts {
            let line = text.lines().find(|line| line.to_lowercase().contains(&part.to_lowercase()));
            assert_eq!(line, None, "a part of {secret}");
        }
    }
}

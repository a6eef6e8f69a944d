use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use mcp_auth::{
    Auth, Caller, Issued, MemoryReplays, Principal, ProxyToken, Replay, ReplayStore, Scheme, Standing, StaticTokens, StoreError,
    StoreFuture,
};
use serde_json::{Value, json};

use crate::signing::{sha256, signed};
use crate::{HEADER, NOW, RESOURCE, at, decide, head, now, resource};

const KEY: &str = "a key of the first proxy, long enough";
const OLD_KEY: &str = "the key before, which is as long too";
const OTHER_KEY: &str = "a key of the second proxy, long enough";
const SALT: &str = "mcp.proxy-session.v1";
const PEER: &str = "10.1.2.3";

fn proxies() -> ProxyToken {
    ProxyToken::keys([("proxy-1", KEY), ("proxy-1", OLD_KEY), ("proxy-2", OTHER_KEY)])
        .peers(["10.0.0.0/8"])
        .issuer("https://www.example.com")
        .scopes(["notes:read"])
        .replay_store(MemoryReplays::since(at(NOW - 1000)))
}

fn chain(proxies: ProxyToken) -> Auth {
    Auth::chain().with(proxies).protecting(resource()).clock(now)
}

fn claims() -> Value {
    json!({"sub": "alice", "aud": RESOURCE, "prx": "proxy-1", "jti": "1"})
}

/// Those claims, changed in one.
fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn mint(claims: &Value) -> String {
    signed(KEY, SALT, claims, NOW)
}

fn present(auth: &Auth, token: &str) -> Result<Principal, (u16, &'static str)> {
    decide(auth, &head(Some(PEER), &[(HEADER, token)]))
}

/// Why a chain of its own refuses this.
fn refused(token: &str) -> &'static str {
    let (status, reason) = present(&chain(proxies()), token).expect_err("must be refused");
    assert_eq!(status, 401, "{reason}");
    reason
}

#[test]
fn an_assertion_is_its_subject() {
    assert_eq!(chain(proxies()).problems(), [""; 0]);
    let alice = present(&chain(proxies()), &mint(&claims())).expect("holds");
    assert_eq!(alice, Principal::user("alice").issued_by("https://www.example.com"));
    assert_eq!((alice.scheme(), alice.client(), alice.body_digest()), (Scheme::Proxy, Some("proxy-1"), None));
    assert_eq!(alice.granted().iter().collect::<Vec<_>>(), ["notes:read"]);
    assert_eq!(alice.expires_at(), Some(at(NOW + 300)), "what it begins lasts for five minutes");
    let alice = present(&chain(proxies().lasting(Duration::from_secs(5))), &mint(&claims())).expect("holds");
    assert_eq!(alice.expires_at(), Some(at(NOW + 5)));
}

#[test]
fn both_keys_of_a_proxy_count_and_each_for_its_proxy_alone() {
    assert!(present(&chain(proxies()), &signed(OLD_KEY, SALT, &claims(), NOW)).is_ok());
    assert!(present(&chain(proxies()), &signed(OTHER_KEY, SALT, &with("prx", "proxy-2"), NOW)).is_ok());
    assert_eq!(refused(&signed(OTHER_KEY, SALT, &claims(), NOW)), "assertion_of_another_proxy");
    assert_eq!(refused(&mint(&with("prx", "proxy-2"))), "assertion_of_another_proxy");
    assert_eq!(refused(&mint(&with("prx", "proxy-3"))), "assertion_of_another_proxy");
}

#[test]
fn what_no_proxy_signed_is_refused() {
    let good = mint(&claims());
    for forged in ["x", "::", "a:b:c", &good[1..], &good[..good.len() - 1], &format!("{good}="), &format!(".{good}")] {
        assert_eq!(refused(forged), "assertion_bad_signature", "{forged}");
    }
    assert_eq!(refused(&signed("another key, which is as long as it", SALT, &claims(), NOW)), "assertion_bad_signature");
    assert_eq!(refused(&signed(KEY, "django.contrib.sessions.SessionStore", &claims(), NOW)), "assertion_bad_signature");
    // The payload of one under the signature of another.
    let (_, rest) = good.split_once(':').expect("parts");
    let other = format!("{}:{rest}", BASE64.encode(with("sub", "root").to_string()));
    assert_eq!(refused(&other), "assertion_bad_signature");
    assert_eq!(refused(""), "assertion_bad_signature");
}

#[test]
fn what_is_signed_and_says_something_else_is_refused() {
    for claims in [
        json!({}),
        json!([]),
        json!("alice"),
        with("sub", Value::Null),
        with("sub", ""),
        with("jti", ""),
        with("exp", 1),
        with("bdy", "AAAA"),
        with("pad", "x".repeat(2000)),
    ] {
        assert_eq!(refused(&mint(&claims)), "assertion_unreadable", "{claims}");
    }
    assert_eq!(refused(&mint(&with("sub", "x".repeat(4000)))), "assertion_too_long");
    assert_eq!(refused(&signed(KEY, SALT, &claims(), u64::MAX)), "assertion_unreadable");
}

#[test]
fn an_assertion_counts_for_a_minute() {
    let minted = |seconds| signed(KEY, SALT, &claims(), seconds);
    assert!(present(&chain(proxies()), &minted(NOW - 60)).is_ok());
    assert_eq!(refused(&minted(NOW - 61)), "assertion_expired");
    let half_a_second_later = || now() + Duration::from_millis(500);
    assert!(present(&chain(proxies()).clock(half_a_second_later), &minted(NOW - 60)).is_err());
    assert!(present(&chain(proxies()), &minted(NOW + 5)).is_ok());
    assert_eq!(refused(&minted(NOW + 6)), "assertion_from_the_future");
    assert_eq!(refused(&minted(1)), "assertion_expired");
}

#[test]
fn an_assertion_is_for_one_server() {
    assert!(present(&chain(proxies()), &mint(&with("aud", "HTTPS://mcp.example.com:443/mcp/"))).is_ok());
    for other in ["https://other", "https://mcp.example.com", "https://mcp.example.com/mcp/x", "", "mcp"] {
        assert_eq!(refused(&mint(&with("aud", other))), "assertion_for_another_audience", "{other}");
    }
    let nowhere = Auth::chain().with(proxies()).clock(now);
    assert_eq!(present(&nowhere, &mint(&claims())).expect_err("unknown").1, "assertion_for_another_audience");
    assert!(nowhere.problems().join("").contains("set the public URL"));
}

#[test]
fn an_assertion_is_used_once() {
    let auth = chain(proxies());
    let token = mint(&claims());
    assert!(present(&auth, &token).is_ok());
    assert_eq!(present(&auth, &token).expect_err("used"), (401, "assertion_used_before"));
    // Another text with the same name is the same assertion; the other proxy has names of its own.
    assert_eq!(present(&auth, &signed(OLD_KEY, SALT, &with("sub", "bob"), NOW - 1)).expect_err("used").0, 401);
    assert!(present(&auth, &signed(OTHER_KEY, SALT, &with("prx", "proxy-2"), NOW)).is_ok());
    assert!(present(&auth, &mint(&with("jti", "2"))).is_ok());
}

#[test]
fn the_store_in_memory_refuses_what_it_can_not_know() {
    let began = |seconds| chain(proxies().replay_store(MemoryReplays::since(at(seconds))));
    assert_eq!(present(&began(NOW + 1), &mint(&claims())).expect_err("older"), (401, "assertion_older_than_the_store"));
    assert_eq!(present(&began(NOW - 4), &mint(&claims())).expect_err("too soon"), (503, "replay_store_just_begun"));
    assert!(present(&began(NOW - 5), &mint(&claims())).is_ok());
    let full = chain(proxies().replay_store(MemoryReplays::since(at(0)).up_to(0)));
    assert_eq!(present(&full, &mint(&claims())).expect_err("full"), (503, "replay_store_full"));
    let unsaid = chain(ProxyToken::keys([("proxy-1", KEY)]).any_peer()).clock(|| at(1_000_000_000));
    let long_ago = signed(KEY, SALT, &claims(), 1_000_000_000);
    assert_eq!(present(&unsaid, &long_ago).expect_err("the default").1, "assertion_older_than_the_store");
}

struct Down;

impl ReplayStore for Down {
    fn insert(&self, _: Issued, _: std::time::SystemTime) -> StoreFuture<'_, Replay> {
        Box::pin(async { Err(StoreError::new("no connection")) })
    }
}

#[test]
fn a_store_that_does_not_answer_is_nobodys_fault() {
    let auth = chain(proxies().replay_store(Down));
    assert_eq!(present(&auth, &mint(&claims())).expect_err("down"), (503, "replay_store"));
}

#[test]
fn only_configured_peers_may_assert() {
    let from = |proxies: ProxyToken, peer| decide(&chain(proxies), &head(peer, &[(HEADER, &mint(&claims()))])).map_err(|e| e.1);
    for inside in ["10.1.2.3", "10.255.255.255", "::ffff:10.0.0.1"] {
        assert!(from(proxies(), Some(inside)).is_ok(), "{inside}");
    }
    for outside in ["11.0.0.1", "127.0.0.1", "::1", "::ffff:11.0.0.1", "::10.0.0.1"] {
        assert_eq!(from(proxies(), Some(outside)).expect_err(outside), "assertion_of_another_peer");
    }
    assert_eq!(from(proxies(), None).expect_err("unknown"), "assertion_of_an_unknown_peer");
    let forwarded =
        head(Some("11.0.0.1"), &[(HEADER, &mint(&claims())), ("x-forwarded-for", PEER), ("forwarded", "for=10.1.2.3")]);
    assert_eq!(decide(&chain(proxies()), &forwarded).expect_err("a header").1, "assertion_of_another_peer");

    let unsaid = || ProxyToken::keys([("proxy-1", KEY)]).replay_store(MemoryReplays::since(at(0)));
    assert_eq!(from(unsaid(), Some(PEER)).expect_err("none is configured"), "assertion_of_another_peer");
    assert!(from(unsaid().any_peer(), None).is_ok());
    assert!(from(unsaid().any_peer(), Some("203.0.113.9")).is_ok());
}

#[test]
fn a_user_may_be_looked_up() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let check = move |caller: Caller| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            match caller.principal().subject() {
                "alice" => Ok(Standing::Good),
                "carol" => Ok(Standing::Gone),
                _ => Err(StoreError::new("no database")),
            }
        }
    };
    let auth = chain(proxies().user_check(check));
    assert!(present(&auth, &mint(&claims())).is_ok());
    let of = |sub: &str| mint(&json!({"sub": sub, "aud": RESOURCE, "prx": "proxy-1", "jti": sub}));
    assert_eq!(present(&auth, &of("carol")).expect_err("inactive"), (401, "user_inactive"));
    assert_eq!(present(&auth, &of("dave")).expect_err("unknown"), (503, "user_check"));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert!(present(&auth, &mint(&claims())).is_err() && present(&auth, "x").is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 3, "nobody is asked about what does not hold");
}

#[test]
fn the_digest_of_the_body_is_for_whoever_reads_it() {
    let digest = sha256(b"{}");
    let principal = present(&chain(proxies()), &mint(&with("bdy", BASE64.encode(&digest)))).expect("holds");
    assert_eq!(principal.body_digest().as_ref().map(<[u8; 32]>::as_slice), Some(digest.as_slice()));
}

#[test]
fn one_header_and_nothing_else_is_read() {
    let auth = chain(proxies());
    let token = mint(&claims());
    let twice = head(Some(PEER), &[(HEADER, &token), (HEADER, &token)]);
    assert_eq!(decide(&auth, &twice).expect_err("twice").0, 400);
    let beside = Auth::chain().with(StaticTokens::new().token("0123456789abcdef", Principal::user("ci")));
    let beside = beside.with(proxies()).protecting(resource()).clock(now);
    let two = head(Some(PEER), &[(HEADER, &token), ("authorization", "Bearer 0123456789abcdef")]);
    assert_eq!(decide(&beside, &two).expect_err("two credentials").0, 400);
    for name in ["x_mcp_proxy_session_token", "x-mcp-proxy-auth", "mcp-proxy-session-token", "x-mcp-remote-auth"] {
        assert_eq!(decide(&auth, &head(Some(PEER), &[(name, &token)])).expect_err(name).1, "anonymous");
    }
    let mut query = head(Some(PEER), &[]);
    query.uri = format!("/mcp?mcp_proxy_session_token={token}&x-mcp-proxy-session-token={token}").parse().expect("a URI");
    assert_eq!(decide(&auth, &query).expect_err("the query").1, "anonymous");
    assert!(decide(&auth, &head(Some(PEER), &[(HEADER, &token)])).is_ok());
}

#[test]
fn off_means_that_the_header_is_not_read() {
    let off = Auth::chain().with(StaticTokens::new().token("0123456789abcdef", Principal::user("ci"))).clock(now);
    for value in ["x", &mint(&claims()), "mcpr1.x"] {
        assert_eq!(decide(&off, &head(Some(PEER), &[(HEADER, value)])).expect_err("nobody").1, "anonymous");
        let beside = head(Some(PEER), &[(HEADER, value), ("authorization", "Bearer 0123456789abcdef")]);
        assert_eq!(decide(&off, &beside).expect("the header is not read").subject(), "ci");
    }
}

#[test]
fn configuration_that_lets_nobody_in_or_everybody_is_told() {
    let told = |proxies: ProxyToken| chain(proxies).problems().join("\n");
    assert!(told(ProxyToken::keys([("", ""); 0])).contains("no key"));
    let unsaid = told(ProxyToken::keys([("proxy-1", KEY)]));
    assert!(unsaid.contains("`.peers([") && unsaid.contains("`.any_peer()`"), "{unsaid}");
    assert!(told(ProxyToken::keys([("proxy-1", KEY)]).peers(["10.0.0.1/8"])).contains("write `10.0.0.0/8`"));
    assert!(told(proxies().any_peer()).contains("count for nothing"));
    assert!(told(proxies().lasting(Duration::ZERO)).contains("1 second to 24 hours"));
    let short = told(ProxyToken::keys([("proxy-1", "hunter2")]).any_peer());
    assert!(short.contains("`proxy-1` has 7 bytes") && !short.contains("hunter2"), "{short}");
    let weak = ProxyToken::keys([("proxy-1", "hunter2")]).any_peer().replay_store(MemoryReplays::since(at(0)));
    let forged = signed("hunter2", SALT, &claims(), NOW);
    assert_eq!(present(&chain(weak), &forged).expect_err("a weak key").1, "assertion_bad_signature");
    assert!(!format!("{:?}", proxies()).contains("a key of"));
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Response};
use mcp_auth::{
    Auth, Authenticate, AuthenticateFuture, Caller, Issued, KeyRing, MemoryReplays, MemoryRevocations, Place, Presented,
    Principal, ProxyToken, Rejection, RelayError, RelaySessions, RevocationStore, Scheme, Sealer, Standing, StaticTokens,
    StoreError, StoreFuture, Verdict,
};
use serde_json::{Value, json};

use crate::signing::signed;
use crate::{HEADER, NOW, RESOURCE, at, decide, head, now, ready, resource};

/// The purposes that servers seal for otherwise.
const OTHER_PURPOSES: [&str; 3] = ["cursor", "session id", "request state"];

fn keys() -> KeyRing {
    KeyRing::parse(["5e".repeat(32)]).expect("a key")
}

fn unchecked() -> RelaySessions {
    RelaySessions::new(keys(), resource()).without_recheck().revocation_store(MemoryRevocations::since(at(0)))
}

fn chain(sessions: &RelaySessions) -> Auth {
    Auth::chain().with(ProxyToken::relay_only(sessions.clone())).protecting(resource()).clock(now)
}

fn alice() -> Principal {
    Principal::user("alice")
        .issued_by("https://www.example.com")
        .scopes(["notes", "files:read"])
        .authenticated_by(Scheme::Session)
}

fn present(auth: &Auth, token: &str) -> Result<Principal, (u16, &'static str)> {
    decide(auth, &head(None, &[(HEADER, token)]))
}

#[test]
fn a_relay_session_is_its_caller_with_at_most_their_scopes() {
    let sessions = unchecked();
    assert_eq!(chain(&sessions).problems(), [""; 0]);
    let token = sessions.issue(&alice().claim("email", "a@example.com"), now()).expect("issued");
    assert!(token.starts_with("mcpr1."), "{token}");
    let relayed = present(&chain(&sessions), &token).expect("holds");
    assert_eq!((&relayed, relayed.scheme(), relayed.granted()), (&alice(), Scheme::Proxy, alice().granted()));
    assert!(relayed.claims().is_empty());
    assert_eq!(relayed.expires_at(), Some(at(NOW + 300)), "what it begins lasts for five minutes");

    let narrow = unchecked().at_most(["notes:read", "files", "admin"]);
    let relayed = present(&chain(&narrow), &narrow.issue(&alice(), now()).expect("issued")).expect("holds");
    assert_eq!(relayed.granted().iter().collect::<Vec<_>>(), ["files:read", "notes:read"]);

    // A scope that is none does not become two.
    let odd = sessions.issue(&alice().scopes(["a admin"]), now()).expect("issued");
    assert!(!present(&chain(&sessions), &odd).expect("holds").granted().grants("admin"));
}

#[test]
fn it_lasts_an_hour_and_no_longer_than_what_it_was_asked_with() {
    let sessions = unchecked();
    let later = |seconds: u64| at(NOW - seconds);
    let end_of = |principal: &Principal, age| {
        let token = sessions.issue(principal, later(age)).expect("issued");
        present(&chain(&sessions), &token).map(|principal| principal.expires_at()).map_err(|(_, reason)| reason)
    };
    assert_eq!(end_of(&alice(), 3590), Ok(Some(at(NOW + 10))));
    assert_eq!(end_of(&alice(), 3600), Err("relay_session_expired"));
    assert_eq!(end_of(&alice().valid_until(at(NOW + 7)), 0), Ok(Some(at(NOW + 7))));
    assert_eq!(end_of(&alice().valid_until(at(NOW)), 5), Err("relay_session_expired"));
    assert_eq!(sessions.issue(&alice().valid_until(at(NOW)), now()), Err(RelayError::Ended));
    let ahead = sessions.issue(&alice(), at(NOW + 60)).expect("issued");
    assert_eq!(present(&chain(&sessions), &ahead).expect_err("ahead").1, "relay_session_from_the_future");
}

#[test]
fn only_a_person_may_ask_for_one() {
    let sessions = unchecked();
    let ask = |principal: Principal| sessions.issue(&principal, now()).map(drop);
    assert_eq!(ask(alice()), Ok(()));
    for scheme in [Scheme::Bearer, Scheme::Application] {
        assert_eq!(ask(alice().authenticated_by(scheme)), Err(RelayError::Scope));
        assert_eq!(ask(alice().authenticated_by(scheme).scopes(["mcp:relays", "relay"])), Err(RelayError::Scope));
        assert_eq!(ask(alice().authenticated_by(scheme).scopes(["mcp:relay"])), Ok(()));
    }
    assert_eq!(ask(alice().authenticated_by(Scheme::Proxy).scopes(["mcp:relay"])), Err(RelayError::Relayed));
    let token = sessions.issue(&alice().scopes(["mcp:relay"]), now()).expect("issued");
    assert_eq!(ask(present(&chain(&sessions), &token).expect("holds")), Err(RelayError::Relayed), "a relay asks for no relay");
}

#[test]
fn what_is_known_of_the_caller_is_bounded() {
    let sessions = unchecked();
    let ask = |principal: Principal| sessions.issue(&principal, now()).map(drop);
    let named = |name: String| Principal::user(name).authenticated_by(Scheme::Session);
    assert_eq!(ask(named("x".repeat(512))), Ok(()));
    assert_eq!(ask(named("x".repeat(513))), Err(RelayError::TooLong));
    assert_eq!(ask(alice().via_client("x".repeat(513))), Err(RelayError::TooLong));
    assert_eq!(ask(alice().scopes((0..101).map(|i| i.to_string()))), Err(RelayError::TooLong));
    assert_eq!(ask(alice().scopes(["x".repeat(6000)])), Err(RelayError::TooLong));
}

#[test]
fn nothing_else_that_is_sealed_is_a_relay_session_and_it_is_nothing_else() {
    let sessions = unchecked();
    let token = sessions.issue(&alice(), now()).expect("issued");
    let sealed = token.strip_prefix("mcpr1.").expect("a prefix");
    let sealer = Sealer::new(keys(), RESOURCE);
    let statement = sealer.purpose("relay session").open(sealed).expect("opens").statement;
    let refused = |sealed: &str| present(&chain(&sessions), &format!("mcpr1.{sealed}")).expect_err("must be refused").1;
    for purpose in OTHER_PURPOSES {
        let other = sealer.purpose(purpose);
        assert!(other.open(sealed).is_none() && other.open(&token).is_none(), "{purpose}");
        assert_eq!(refused(&other.seal(&statement).expect("seals")), "relay_session_unreadable", "{purpose}");
    }
    let elsewhere = |key: &str, resource: &str| {
        let sealer = Sealer::new(KeyRing::parse([key.repeat(32)]).expect("a key"), resource);
        sealer.purpose("relay session").seal(&statement).expect("seals")
    };
    assert_eq!(refused(&elsewhere("5f", RESOURCE)), "relay_session_unreadable");
    assert_eq!(refused(&elsewhere("5e", "https://mcp.example.com/other")), "relay_session_unreadable");
    assert!(present(&chain(&sessions), &format!("mcpr1.{}", elsewhere("5e", RESOURCE))).is_ok(), "the same is the same");
    for at in 0..sealed.len() {
        let mut changed = sealed.to_owned();
        changed.replace_range(at..=at, if sealed.as_bytes()[at] == b'A' { "B" } else { "A" });
        assert_eq!(refused(&changed), "relay_session_unreadable", "{at}");
    }
    for other in ["", "x", "e30", &format!("{sealed}="), &"A".repeat(100_000)] {
        assert_eq!(refused(other), "relay_session_unreadable");
    }
    for (name, value) in
        [("sub", json!(null)), ("scp", json!("notes")), ("iat", json!(-1)), ("exp", json!("soon")), ("kept", json!(1))]
    {
        let mut odd: Value = serde_json::from_slice(&statement).expect("JSON");
        odd[name] = value;
        let odd = sealer.purpose("relay session").seal(odd.to_string().as_bytes()).expect("seals");
        assert_eq!(refused(&odd), "relay_session_unreadable", "{name}");
    }
}

#[test]
fn neither_form_passes_for_the_other() {
    const KEY: &str = "a key of the first proxy, long enough";
    let sessions = unchecked();
    let token = sessions.issue(&alice(), now()).expect("issued");
    let claims = json!({"sub": "alice", "aud": RESOURCE, "prx": "proxy-1", "jti": "1"});
    let assertion = signed(KEY, "mcp.proxy-session.v1", &claims, NOW);
    let proxies = || ProxyToken::keys([("proxy-1", KEY)]).any_peer().replay_store(MemoryReplays::since(at(0)));
    let of = |proxies: ProxyToken| Auth::chain().with(proxies).protecting(resource()).clock(now);

    let both = of(proxies().relay(sessions.clone()));
    assert!(present(&both, &token).is_ok());
    let sealed = token.strip_prefix("mcpr1.").expect("a prefix");
    assert_eq!(present(&both, sealed).expect_err("no assertion"), (401, "assertion_bad_signature"));
    assert_eq!(present(&both, &format!("mcpr1.{assertion}")).expect_err("no session"), (401, "relay_session_unreadable"));
    assert_eq!(present(&both, &format!("MCPR1.{sealed}")).expect_err("no prefix"), (401, "assertion_bad_signature"));
    assert!(present(&both, &assertion).is_ok());

    assert_eq!(present(&of(proxies()), &token).expect_err("off"), (401, "relay_sessions_are_off"));
    assert_eq!(present(&chain(&sessions), &assertion).expect_err("off"), (401, "assertions_are_off"));
    // A relay session is a header's, and no bearer token.
    let bearer = head(None, &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(decide(&both, &bearer).expect_err("no bearer token").0, 401);
}

#[test]
fn a_revoked_one_is_over_at_once() {
    let sessions = unchecked();
    let auth = chain(&sessions);
    let [one, other] = [(); 2].map(|()| sessions.issue(&alice(), now()).expect("issued"));
    assert!(present(&auth, &one).is_ok());
    assert_eq!(ready(sessions.revoke(&one, now())), Ok(()));
    assert_eq!(present(&auth, &one).expect_err("revoked"), (401, "relay_session_revoked"));
    assert!(present(&auth, &other).is_ok(), "each by itself");
    for none in ["", "x", "mcpr1.x", &one] {
        assert_eq!(ready(sessions.revoke(none, now())), Ok(()));
    }
    let full = unchecked().revocation_store(MemoryRevocations::since(at(0)).up_to(0));
    let token = full.issue(&alice(), now()).expect("issued");
    assert!(ready(full.revoke(&token, now())).is_err());
    assert!(ready(full.revoke(&token, at(NOW + 3600))).is_ok(), "it has ended");
}

#[test]
fn revocations_in_memory_are_not_forgotten_by_a_restart() {
    let token = unchecked().issue(&alice(), now()).expect("issued");
    let restarted = |since| unchecked().revocation_store(MemoryRevocations::since(since));
    let a_moment = Duration::from_millis(1);
    assert_eq!(present(&chain(&restarted(now() + a_moment)), &token).expect_err("may be revoked").1, "relay_session_revoked");
    assert!(present(&chain(&restarted(now())), &token).is_ok());
}

struct Down;

impl RevocationStore for Down {
    fn revoke(&self, _: Issued, _: std::time::SystemTime) -> StoreFuture<'_, ()> {
        Box::pin(async { Err(StoreError::new("no connection")) })
    }

    fn is_revoked(&self, _: Issued, _: std::time::SystemTime) -> StoreFuture<'_, bool> {
        Box::pin(async { Err(StoreError::new("no connection")) })
    }
}

#[test]
fn a_store_that_does_not_answer_is_nobodys_fault() {
    let sessions = unchecked().revocation_store(Down);
    let token = sessions.issue(&alice(), now()).expect("issued");
    assert_eq!(present(&chain(&sessions), &token).expect_err("down"), (503, "revocation_store"));
}

/// Seconds after [`NOW`], of a clock that one test alone reads.
static PASSED: AtomicU64 = AtomicU64::new(0);

#[test]
fn log_out_and_deactivation_are_seen_within_thirty_seconds() {
    let asked = Arc::new(AtomicUsize::new(0));
    let is_logged_in = Arc::new(AtomicBool::new(true));
    let (count, state) = (Arc::clone(&asked), Arc::clone(&is_logged_in));
    let recheck = move |caller: Caller| {
        count.fetch_add(1, Ordering::Relaxed);
        let is_theirs = caller.principal().subject() == "alice" && caller.cookie("sessionid") == Some("s3cr3t");
        let is_good = is_theirs && state.load(Ordering::Relaxed);
        async move { Ok(if is_good { Standing::Good } else { Standing::Gone }) }
    };
    let sessions = unchecked().recheck(recheck).session_cookie("sessionid");
    let auth = chain(&sessions).clock(|| at(NOW + PASSED.load(Ordering::Relaxed)));
    let later = |seconds| PASSED.store(seconds, Ordering::Relaxed);

    assert_eq!(sessions.issue(&alice(), now()), Err(RelayError::Unchecked), "nothing tells of the session");
    let asking = head(None, &[("cookie", "csrftoken=x; sessionid=s3cr3t")]);
    let token = sessions.issue_from(&asking, &alice(), now()).expect("issued");
    for (seconds, times) in [(0, 1), (29, 1), (30, 2), (59, 2)] {
        later(seconds);
        assert!(present(&auth, &token).is_ok(), "{seconds}");
        assert_eq!(asked.load(Ordering::Relaxed), times, "after {seconds} seconds");
    }
    is_logged_in.store(false, Ordering::Relaxed);
    later(60);
    assert_eq!(present(&auth, &token).expect_err("logged out"), (401, "relay_session_over"));
    assert!(!format!("{sessions:?}").contains("s3cr3t"));
}

#[test]
fn who_does_not_answer_a_recheck_lets_nobody_in() {
    let sessions = unchecked().recheck(|_: Caller| async { Err(StoreError::new("no database")) });
    let token = sessions.issue(&alice(), now()).expect("issued");
    assert_eq!(present(&chain(&sessions), &token).expect_err("down"), (503, "recheck"));
    let unsaid = RelaySessions::new(keys(), resource()).revocation_store(MemoryRevocations::since(at(0)));
    assert_eq!(unsaid.issue(&alice(), now()), Err(RelayError::Unchecked));
    assert_eq!(present(&chain(&unsaid), &token).expect_err("nobody is asked"), (401, "relay_session_over"));
    assert!(chain(&unsaid).problems().join("").contains("`.recheck_with(auth)`"));
}

/// Sessions that one may log out of: by a cookie that is the name of the user.
#[derive(Clone, Default)]
struct Site {
    logged_out: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl Authenticate for Site {
    fn places(&self) -> Vec<Place> {
        vec![Place::Cookie("sessionid".into())]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        let verdict = if self.down.load(Ordering::Relaxed) {
            Verdict::Rejected(Rejection::unavailable("site_down", Duration::from_secs(1)))
        } else if self.logged_out.load(Ordering::Relaxed) {
            Verdict::NotMine
        } else {
            let user = Principal::user(presented.credential()).scopes(["notes"]).authenticated_by(Scheme::Session);
            Verdict::Accepted(user.issued_by("https://www.example.com"))
        };
        Box::pin(std::future::ready(verdict))
    }
}

fn people(site: &Site) -> Auth {
    let bearer = Principal::user("ci").scopes(["mcp:relay"]);
    Auth::chain().with(StaticTokens::new().token("0123456789abcdef", bearer)).with(site.clone())
}

const PAGE: [(&str, &str); 3] =
    [("origin", "https://mcp.example.com"), ("content-type", "application/json"), ("cookie", "a=b; sessionid=alice")];

fn ask(sessions: &RelaySessions, auth: &Auth, head: &Parts) -> (Response<Vec<u8>>, Value) {
    let principal = decide(auth, head).expect("decided");
    let answer = sessions.respond(head, &principal, now());
    assert_eq!(
        (&answer.headers()["cache-control"], &answer.headers()["content-type"]),
        (&"no-store".parse().expect("a value"), &"application/json".parse().expect("a value"))
    );
    let body = serde_json::from_slice(answer.body()).expect("JSON");
    (answer, body)
}

#[test]
fn the_endpoint_answers_a_person() {
    let site = Site::default();
    let auth = people(&site).protecting(resource()).clock(now);
    let sessions = unchecked().recheck_with(people(&site));
    let (answer, body) = ask(&sessions, &auth, &head(None, &PAGE));
    assert_eq!(answer.status(), 200);
    assert_eq!((&body["expires_in"], &body["header"]), (&json!(3600), &json!(HEADER)));
    let token = body["token"].as_str().expect("a token");
    assert_eq!(present(&chain(&sessions), token).expect("holds").subject(), "alice");

    assert_eq!(sessions.issue(&alice(), now()), Err(RelayError::Unchecked), "nothing tells of the session");

    site.down.store(true, Ordering::Relaxed);
    assert_eq!(present(&chain(&sessions), token).expect_err("down"), (503, "site_down"));
    site.down.store(false, Ordering::Relaxed);
    site.logged_out.store(true, Ordering::Relaxed);
    assert_eq!(present(&chain(&sessions), token).expect_err("logged out"), (401, "relay_session_over"));
}

#[test]
fn what_it_was_asked_with_must_stay_the_same_callers() {
    const BEARER: &str = "0123456789abcdef";
    let owned_by = |principal: Principal| Auth::chain().with(StaticTokens::new().token(BEARER, principal));
    let sessions = |principal| unchecked().recheck_with(owned_by(principal));
    let ci = Principal::user("ci").scopes(["mcp:relay", "notes", "files"]);
    let asking = head(None, &[("authorization", &format!("Bearer {BEARER}"))]);
    let caller = decide(&owned_by(ci.clone()), &asking).expect("decided");
    let token = sessions(ci.clone()).issue_from(&asking, &caller, now()).expect("issued");

    assert_eq!(present(&chain(&sessions(ci.clone())), &token).expect("holds").granted(), ci.granted());
    let fewer = present(&chain(&sessions(ci.clone().scopes(["notes:read", "admin"]))), &token).expect("holds");
    assert_eq!(fewer.granted().iter().collect::<Vec<_>>(), ["notes:read"]);
    let other = chain(&sessions(ci.clone().issued_by("https://www.example.com")));
    assert_eq!(present(&other, &token).expect_err("another caller"), (401, "relay_session_over"));
    let ended = chain(&sessions(ci.valid_until(now())));
    assert_eq!(present(&ended, &token).expect_err("ended"), (401, "relay_session_over"));
}

#[test]
fn the_endpoint_answers_a_bearer_with_the_scope() {
    let site = Site::default();
    let auth = people(&site).protecting(resource()).clock(now);
    let sessions = unchecked().recheck_with(people(&site));
    let asking = head(None, &[("authorization", "Bearer 0123456789abcdef"), ("cookie", "sessionid=alice")]);
    let (answer, body) = ask(&sessions, &auth, &asking);
    assert_eq!(answer.status(), 200);
    let token = body["token"].as_str().expect("a token");
    assert_eq!(present(&chain(&sessions), token).expect("holds").subject(), "ci");
    site.logged_out.store(true, Ordering::Relaxed);
    assert!(present(&chain(&sessions), token).is_ok(), "the cookie beside it is not what it was asked with");
    let revoked = chain(&sessions.clone().recheck_with(Auth::chain().with(site)));
    assert_eq!(present(&revoked, token).expect_err("the bearer token is no more"), (401, "relay_session_over"));

    let weak = Auth::chain().with(StaticTokens::new().token("0123456789abcdef", Principal::user("ci"))).clock(now);
    let (answer, body) = ask(&sessions, &weak, &asking);
    assert_eq!((answer.status().as_u16(), body.get("token")), (403, None));
    let challenge = answer.headers()["www-authenticate"].to_str().expect("ASCII");
    assert!(challenge.contains("insufficient_scope") && challenge.contains("mcp:relay"), "{challenge}");
}

#[test]
fn the_endpoint_turns_others_down() {
    let sessions = unchecked();
    let told = |change: &dyn Fn(&mut Parts), principal: &Principal| {
        let mut head = head(None, &PAGE);
        change(&mut head);
        let answer = sessions.respond(&head, principal, now());
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.status() == 200 || !String::from_utf8_lossy(answer.body()).contains("mcpr1"));
        answer.status().as_u16()
    };
    let alice = alice();
    let drop_header = |name: &'static str| move |head: &mut Parts| drop(head.headers.remove(name));
    assert_eq!(told(&|_| {}, &alice), 200);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
        assert_eq!(told(&|head| head.method = method.clone(), &alice), 405);
    }
    assert_eq!(told(&drop_header("origin"), &alice), 403);
    assert_eq!(told(&|head| drop(head.headers.insert("origin", "https://evil.example".parse().expect("a value"))), &alice), 403);
    assert_eq!(told(&drop_header("content-type"), &alice), 415);
    assert_eq!(told(&|_| {}, &alice.clone().authenticated_by(Scheme::Proxy).scopes(["mcp:relay"])), 403);
    assert_eq!(told(&|_| {}, &alice.clone().authenticated_by(Scheme::Bearer)), 403);
    assert_eq!(told(&|_| {}, &alice.clone().valid_until(now())), 401);
    assert_eq!(told(&|_| {}, &alice.scopes(["x".repeat(6000)])), 403);
}

#[test]
fn another_server_and_odd_lifetimes_are_told() {
    let elsewhere = mcp_auth::Resource::new("https://other.example/mcp").expect("a URL");
    let told = |sessions: RelaySessions| chain(&sessions).problems().join("\n");
    assert!(told(RelaySessions::new(keys(), elsewhere).without_recheck()).contains("`https://other.example/mcp`"));
    assert!(told(unchecked().lifetime(Duration::from_secs(1))).contains("1 minute to 24 hours"));
    assert!(told(unchecked().recheck_with(Auth::chain())).contains("empty"));
}

use std::cell::Cell;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use http::{HeaderName, Request};

use super::*;
use crate::{Auth, Authenticate, AuthenticateFuture, Decision, Place, Presented, Principal, Verdict};

const PROXY: &str = "10.0.0.1";
const HOME: &str = "2001:db8:1:2::7";

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static START: Instant = Instant::now();
}

fn clock() -> Instant {
    START.with(|start| *start) + PASSED.get()
}

fn wait(duration: Duration) {
    PASSED.set(PASSED.get() + duration);
}

/// Accepts what begins with `good`, and counts how often it was asked.
#[derive(Clone)]
struct Counting {
    place: Place,
    asked: Arc<AtomicUsize>,
}

impl Authenticate for Counting {
    fn places(&self) -> Vec<Place> {
        vec![self.place.clone()]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let verdict = match presented.credential() {
            "good-then" => Verdict::Accepted(Principal::user("alice").valid_until(SystemTime::UNIX_EPOCH + PASSED.get() * 2)),
            good if good.starts_with("good") => Verdict::Accepted(Principal::user("alice")),
            "nobody" => Verdict::NotMine,
            "silent" => Verdict::Rejected(Rejection::unavailable("down", Duration::from_secs(1))),
            _ => Verdict::Rejected(Rejection::invalid_token("wrong")),
        };
        Box::pin(std::future::ready(verdict))
    }
}

struct Site {
    auth: Auth,
    asked: Arc<AtomicUsize>,
}

impl Site {
    fn new(attempts: impl Into<Option<Attempts>>) -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let at = |place| Counting { place, asked: Arc::clone(&asked) };
        let auth = Auth::chain()
            .with(at(Place::AnyBearer))
            .with(at(Place::Cookie("sessionid".into())))
            .protecting(crate::Resource::new("https://a.example/mcp").expect("a URL"))
            .attempts(attempts);
        Self { auth, asked }
    }

    fn told(&self, peer: Option<&str>, header: (&'static str, &str)) -> (u16, Option<Duration>) {
        let mut request = Request::post("/mcp").header("origin", "https://a.example").header("content-type", "application/json");
        request = request.header(header.0, header.1);
        if let Some(peer) = peer {
            let peer: IpAddr = peer.parse().expect("an address");
            request = request.extension(crate::Peer((peer, 1).into()));
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        match pin!(self.auth.decide(&head)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Decision::Accepted(_)) => (200, None),
            Poll::Ready(Decision::Anonymous) => (0, None),
            Poll::Ready(Decision::Rejected(rejection)) => (rejection.kind().status().as_u16(), rejection.retry_after()),
            Poll::Pending => panic!("nothing waits here"),
        }
    }

    fn bearer(&self, peer: &str, token: &str) -> u16 {
        self.told(Some(peer), ("authorization", &format!("Bearer {token}"))).0
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// So many wrong credentials, each another.
    fn guess(&self, peer: &str, count: usize) {
        for guess in 0..count {
            self.bearer(peer, &format!("guess-{guess}-{}", self.asked()));
        }
    }
}

fn site() -> Site {
    Site::new(Attempts::default().clock(clock))
}

#[test]
fn a_wrong_credential_is_looked_at_so_many_times() {
    let site = site();
    for _ in 0..20 {
        assert_eq!(site.bearer(HOME, "wrong"), 401);
    }
    let asked = site.asked();
    let told = site.told(Some(HOME), ("authorization", "Bearer wrong"));
    assert_eq!(told, (429, Some(Duration::from_secs(3))));
    assert_eq!(site.asked(), asked, "nobody is asked");
    assert_eq!(site.bearer("2001:db8:1:2:ffff::8", "wrong"), 429, "another address of that household");
    assert_eq!(site.bearer(HOME, "other"), 401, "another credential");
    assert_eq!(site.bearer(PROXY, "wrong"), 401, "another network");
    wait(Duration::from_secs(3));
    assert_eq!((site.bearer(HOME, "wrong"), site.bearer(HOME, "wrong")), (401, 429));
    wait(Duration::from_secs(60));
    for _ in 0..20 {
        assert_eq!(site.bearer(HOME, "wrong"), 401);
    }
}

#[test]
fn a_network_that_guesses_is_damped_and_no_other() {
    let site = site();
    site.guess(HOME, 299);
    assert_eq!(site.bearer(HOME, "one-more"), 401);
    let asked = site.asked();
    assert_eq!((site.bearer(HOME, "guess"), site.bearer(HOME, "good")), (429, 429), "the answer does not tell which is right");
    assert_eq!(site.asked(), asked);
    assert_eq!(site.bearer("2001:db8:1:3::7", "good"), 200);
    assert_eq!(site.told(Some(HOME), ("x-none", "x")).0, 0, "who guesses nothing is not concerned");
    wait(Duration::from_millis(200));
    assert_eq!(site.bearer(HOME, "good"), 200, "one at a time is still looked at");
}

#[test]
fn a_stranger_behind_the_same_proxy_locks_nobody_out() {
    let site = site();
    assert_eq!(site.bearer(PROXY, "good-alice"), 200);
    site.guess(PROXY, 1000);
    assert_eq!(site.asked(), 1001);
    assert_eq!(site.bearer(PROXY, "good-alice"), 200);
    assert_eq!(site.bearer(PROXY, "good-refreshed"), 200, "nor a credential that was never seen");
    for _ in 0..100 {
        site.bearer(PROXY, "wrong");
    }
    assert_eq!(site.bearer(PROXY, "wrong"), 429, "the same wrong one is damped all the same");
    // Nobody was let in from there for long.
    wait(HELD);
    site.guess(PROXY, 300);
    assert_eq!((site.bearer(PROXY, "good-bob"), site.bearer(PROXY, "good-alice")), (429, 429));
    wait(Duration::from_millis(200));
    assert_eq!((site.bearer(PROXY, "good-bob"), site.bearer(PROXY, "good-alice")), (200, 200), "the first opens the door again");
}

#[test]
fn a_credential_that_holds_is_never_damped() {
    let site = site();
    for _ in 0..40 {
        site.guess(HOME, 10);
        assert_eq!(site.bearer(HOME, "good"), 200);
        wait(Duration::from_secs(30));
    }
}

#[test]
fn what_held_once_is_damped_when_it_no_longer_does() {
    let site = site();
    wait(Duration::from_secs(1));
    let before = site.auth.clone().clock(|| SystemTime::UNIX_EPOCH + PASSED.get());
    let after = site.auth.clone().clock(|| SystemTime::UNIX_EPOCH + PASSED.get() * 2);
    let told = |auth: &Auth| Site { auth: auth.clone(), asked: Arc::clone(&site.asked) }.bearer(HOME, "good-then");
    assert_eq!(told(&before), 200);
    for _ in 0..20 {
        assert_eq!(told(&after), 401, "expired");
    }
    assert_eq!(told(&after), 429);
}

#[test]
fn what_holds_after_all_owes_nothing() {
    let site = site();
    let locked = site.auth.clone().clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
    let told = |auth: &Auth| Site { auth: auth.clone(), asked: Arc::clone(&site.asked) }.bearer(HOME, "good-then");
    for _ in 0..20 {
        assert_eq!(told(&locked), 401);
    }
    wait(Duration::from_secs(3));
    let unlocked = site.auth.clone().clock(|| SystemTime::UNIX_EPOCH);
    assert_eq!((told(&unlocked), told(&unlocked), told(&unlocked)), (200, 200, 200));
}

#[test]
fn only_what_is_wrong_counts() {
    let site = site();
    for _ in 0..50 {
        assert_eq!(site.bearer(HOME, "silent"), 503, "who could tell is down");
        assert_eq!(site.told(Some(HOME), ("cookie", "sessionid=nobody")).0, 0, "nobody is logged in");
        assert_eq!(site.told(Some(HOME), ("authorization", "Bearer")).0, 400);
    }
    for _ in 0..20 {
        assert_eq!(site.told(Some(HOME), ("cookie", "sessionid=wrong")).0, 401);
        assert_eq!(site.told(Some(HOME), ("authorization", "Basic other")).0, 401);
        assert_eq!(site.bearer(HOME, "nobody"), 401);
        assert_eq!(site.bearer(HOME, "eyJhbGciOiJub25lIn0.e30.x"), 401);
    }
    assert_eq!(site.told(Some(HOME), ("cookie", "sessionid=wrong")).0, 429);
    assert_eq!(site.told(Some(HOME), ("authorization", "Basic other")).0, 429, "of a scheme that nobody knows");
    assert_eq!(site.bearer(HOME, "nobody"), 429);
    assert_eq!(site.bearer(HOME, "eyJhbGciOiJub25lIn0.e30.x"), 429, "of an issuer that nobody knows");
}

#[test]
fn without_a_known_peer_one_caller_is_never_counted_for_another() {
    let site = site();
    for guess in 0..1000 {
        assert_eq!(site.told(None, ("authorization", &format!("Bearer guess-{guess}"))).0, 401);
    }
    for _ in 0..20 {
        assert_eq!(site.told(None, ("authorization", "Bearer wrong")).0, 401);
    }
    assert_eq!(site.told(None, ("authorization", "Bearer wrong")).0, 429);
    assert_eq!(site.told(None, ("authorization", "Bearer good")).0, 200);
}

#[test]
fn who_looks_itself_is_always_asked_and_counts_for_the_network() {
    let badge = |head: &http::request::Parts| {
        let badge = head.headers.get("x-badge").cloned();
        async move {
            match badge {
                None => Verdict::NotMine,
                Some(badge) if badge == "good" => Verdict::Accepted(Principal::user("gate")),
                Some(_) => Verdict::Rejected(Rejection::invalid_token("badge")),
            }
        }
    };
    let site = site();
    let site = Site { auth: site.auth.with(badge), asked: site.asked };
    for _ in 0..400 {
        assert_eq!(site.told(Some(HOME), ("x-badge", "bad")).0, 401);
    }
    assert_eq!(site.bearer(HOME, "good"), 429);
    assert_eq!(site.told(Some(HOME), ("x-none", "x")).0, 0);
    assert_eq!(site.told(Some(HOME), ("x-badge", "good")).0, 200);
    assert_eq!(site.bearer(HOME, "good"), 200);
}

#[test]
fn the_numbers_are_the_operator_s() {
    let none = Site::new(None);
    none.guess(HOME, 500);
    for _ in 0..500 {
        assert_eq!(none.bearer(HOME, "wrong"), 401);
    }
    let few = Attempts::default().of_one_credential(RateLimit::per_minute(1)).of_one_network(RateLimit::per_hour(2)).clock(clock);
    let few = Site::new(few);
    assert_eq!((few.bearer(HOME, "a"), few.bearer(HOME, "a")), (401, 429));
    assert_eq!((few.bearer(HOME, "b"), few.bearer(HOME, "c")), (401, 429));
    let nothing = RateLimit::per_minute(0);
    let problems = Site::new(Attempts::default().of_one_network(nothing).of_one_credential(nothing)).auth.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("`Attempts::of_one_credential` allows none"), "{problems:?}");
}

#[test]
fn a_header_of_its_own_is_damped_too_and_nothing_of_it_is_shown() {
    let key = Place::Header(HeaderName::from_static("x-key"));
    let auth = Auth::chain().with_fn(key, |_| async { Verdict::Rejected(Rejection::invalid_token("wrong")) });
    let site = Site { auth: auth.attempts(Attempts::default().clock(clock)), asked: Arc::default() };
    for _ in 0..20 {
        assert_eq!(site.told(Some(HOME), ("x-key", "a-secret")).0, 401);
    }
    assert_eq!(site.told(Some(HOME), ("x-key", "a-secret")).0, 429);
    let shown = format!("{:?} {:?}", site.auth, Damper::new(Attempts::default()));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn slow_answers_are_counted_as_quick_ones_are() {
    let damper = Damper::new(Attempts::default().clock(clock));
    let network = Some(crate::Peer(([192, 0, 2, 1], 1).into()).network());
    let (mut looked_at, mut number) = (0, 0);
    for _ in 0..100 {
        let together: Vec<_> = (0..10)
            .filter_map(|_| {
                number += 1;
                damper.begin(network, &format!("guess {number}")).ok()
            })
            .collect();
        wait(Duration::from_millis(300));
        together.iter().for_each(Attempt::failed);
        looked_at += together.len();
    }
    // 300 at once, 5 a second for half a minute, and those that were under way.
    assert!((400..=300 + 5 * 30 + 20).contains(&looked_at), "{looked_at}");
}

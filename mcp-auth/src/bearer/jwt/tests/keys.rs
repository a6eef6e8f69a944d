//! How long keys and tokens are kept, and when the authority is asked.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::Semaphore;

use super::*;
use crate::{Fetch, FetchFuture, Trust};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How often the authority was asked for its keys since the last time.
fn fetches(authority: &Authority) -> impl FnMut() -> usize {
    let authority = authority.clone();
    let mut before = 0;
    move || {
        let all = authority.requests().iter().filter(|url| url.ends_with("/jwks")).count();
        std::mem::replace(&mut before, all).abs_diff(all)
    }
}

/// A token of a key that nobody has.
fn unknown(authority: &Authority) -> String {
    good(authority).header("kid", "nobody-has-it").issue()
}

#[tokio::test(start_paused = true)]
async fn a_busy_client_costs_one_signature_check() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let token = good(&authority).expires_in(Duration::from_secs(HOUR)).issue();
    for _ in 0..100 {
        assert_eq!(reason(&auth, &token).await, "ok");
    }
    assert_eq!((verifications(), authority.requests().len()), (1, 2));
    wait(5 * MINUTE).await;
    assert_eq!(reason(&auth, &token).await, "ok");
    assert_eq!(verifications(), 2, "for five minutes");

    let mut altered = token.clone();
    altered.pop();
    assert_eq!(reason(&auth, &altered).await, "malformed");
    assert_eq!(reason(&trusting(&authority), &token).await, "ok");
    assert_eq!(verifications(), 3, "of this authenticator");
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_ends_when_it_expires() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let token = good(&authority).expires_in(Duration::from_secs(60)).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    wait(59).await;
    assert_eq!(reason(&auth, &token).await, "ok");
    wait(1).await;
    assert_eq!(reason(&auth, &token).await, "expired");
    assert_eq!(verifications(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_is_for_one_resource() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let token = good(&authority).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    let other = auth.clone().protecting(Resource::new("https://other.example").expect("a URL"));
    assert_eq!(reason(&other, &token).await, "foreign_audience", "the chains share their authenticators");
    assert_eq!(reason(&auth, &token).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_ends_with_its_key() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let token = good(&authority).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    authority.rotate();
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok", "a new key is found at once");
    assert_eq!(reason(&auth, &token).await, "ok", "the old one is still published");
    assert_eq!(verifications(), 3, "but checked again");
    wait(MINUTE).await;
    authority.rotate();
    authority.retire();
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(reason(&auth, &token).await, "unknown_key");
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_are_looked_for_once_a_minute() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let mut fetches = fetches(&authority);
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(fetches(), 1);
    for _ in 0..50 {
        assert_eq!(reason(&auth, &unknown(&authority)).await, "unknown_key");
    }
    assert_eq!(fetches(), 1);
    wait(MINUTE - 1).await;
    assert_eq!(reason(&auth, &unknown(&authority)).await, "unknown_key");
    assert_eq!(fetches(), 0);
    wait(1).await;
    for _ in 0..50 {
        assert_eq!(reason(&auth, &unknown(&authority)).await, "unknown_key");
    }
    assert_eq!(fetches(), 1);
    assert_eq!(verifications(), 1, "nothing is checked without a key");
}

#[tokio::test(start_paused = true)]
async fn keys_are_refreshed_every_quarter_of_an_hour() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let mut fetches = fetches(&authority);
    let token = good(&authority).expires_in(Duration::from_secs(HOUR)).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    authority.rotate();
    authority.retire();
    wait(10 * MINUTE - 1).await;
    assert_eq!(reason(&auth, &token).await, "ok");
    assert_eq!(fetches(), 1);
    wait(1).await;
    assert_eq!(reason(&auth, &token).await, "unknown_key", "its key is no more");
    assert_eq!(fetches(), 2, "a refresh, and a look for the key");
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_keys_count_for_a_day() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    let mut fetches = fetches(&authority);
    let token = good(&authority).expires_in(Duration::from_secs(48 * HOUR)).issue();
    assert_eq!(reason(&auth, &token).await, "ok");
    authority.down();
    for _ in 0..23 {
        wait(HOUR).await;
        assert_eq!(reason(&auth, &token).await, "ok");
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok", "and for new tokens");
    }
    assert_eq!(reason(&auth, &unknown(&authority)).await, "keys_unavailable", "its key may be a new one");
    wait(HOUR - 1).await;
    assert_eq!(reason(&auth, &token).await, "ok");
    wait(1).await;
    assert_eq!(reason(&auth, &token).await, "keys_unavailable", "even of one that is remembered");
    fetches();
    authority.up();
    wait(5).await;
    assert_eq!(reason(&auth, &token).await, "ok");
    assert_eq!(fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_asked_about_once_a_minute() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    authority.answers_html(502);
    wait(20 * MINUTE).await;
    let before = authority.requests().len();
    for _ in 0..20 {
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    }
    let attempt = authority.requests().len() - before;
    assert!((1..=4).contains(&attempt), "{attempt}");
    wait(MINUTE).await;
    authority.up();
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(authority.requests().len() - before, attempt + 1);
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_answer_is_503_until_there_are_some() {
    let authority = Authority::new();
    let auth = trusting(&authority);
    for fail in [
        Authority::down,
        |authority: &Authority| authority.answers_html(200),
        |authority: &Authority| authority.answers_html(500),
    ] {
        fail(&authority);
        wait(5).await;
        let before = authority.requests().len();
        for _ in 0..20 {
            assert_eq!(reason(&auth, &good(&authority).issue()).await, "keys_unavailable");
        }
        assert_eq!(authority.requests().len() - before, 2, "one attempt in five seconds");
    }
    authority.up();
    wait(5).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
}

/// Answers only as often as it is let.
#[derive(Clone)]
struct Gate {
    authority: Authority,
    permits: Arc<Semaphore>,
}

impl Gate {
    fn closed(authority: &Authority) -> Self {
        Self { authority: authority.clone(), permits: Arc::new(Semaphore::new(0)) }
    }
}

impl Fetch for Gate {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        Box::pin(async move {
            self.permits.acquire().await.expect("it is never closed").forget();
            self.authority.fetch(request, trust).await
        })
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn all_wait_for_one_fetch() {
    let authority = Authority::new();
    let gate = Gate::closed(&authority);
    let auth = Arc::new(chain(Jwt::issuer(authority.issuer()).fetching_with(gate.clone())));
    let ask = |token: String| {
        let auth = auth.clone();
        tokio::spawn(async move { reason(&auth, &token).await })
    };
    let waiting: Vec<_> = (0..50).map(|_| ask(good(&authority).issue())).collect();
    tokio::task::yield_now().await;
    gate.permits.add_permits(2);
    for one in waiting {
        assert_eq!(one.await.expect("no panic"), "ok");
    }
    assert_eq!(authority.requests().len(), 2, "metadata and keys");

    authority.rotate();
    let waiting: Vec<_> = (0..50).map(|_| ask(good(&authority).issue())).collect();
    let strangers: Vec<_> = (0..50).map(|_| ask(unknown(&authority))).collect();
    tokio::task::yield_now().await;
    gate.permits.add_permits(2);
    for one in waiting {
        assert_eq!(one.await.expect("no panic"), "ok");
    }
    for one in strangers {
        assert_eq!(one.await.expect("no panic"), "unknown_key");
    }
    assert!((3..=4).contains(&authority.requests().len()), "{:?}", authority.requests());
}

#[tokio::test(start_paused = true)]
async fn while_one_refreshes_the_others_go_on() {
    let authority = Authority::new();
    let gate = Gate::closed(&authority);
    let auth = chain(Jwt::issuer(authority.issuer()).fetching_with(gate.clone()));
    gate.permits.add_permits(2);
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");

    wait(12 * MINUTE).await;
    let (first, second) = (good(&authority).issue(), good(&authority).issue());
    let mut refreshing = pin!(reason(&auth, &first));
    assert!(poll(refreshing.as_mut()).is_pending());
    for _ in 0..3 {
        assert_eq!(reason(&auth, &second).await, "ok");
    }
    assert_eq!(verifications(), 2, "what was checked is remembered meanwhile");

    wait(4 * MINUTE).await;
    let third = good(&authority).issue();
    let mut waiting = pin!(reason(&auth, &third));
    assert!(poll(waiting.as_mut()).is_pending(), "from 15 minutes on all wait");
    gate.permits.add_permits(2);
    assert_eq!(refreshing.await, "ok");
    assert_eq!(waiting.await, "ok");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_does_not_end_the_fetch() {
    let authority = Authority::new();
    let gate = Gate::closed(&authority);
    let auth = chain(Jwt::issuer(authority.issuer()).fetching_with(gate.clone()));
    gate.permits.add_permits(2);
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");

    authority.rotate();
    for _ in 0..10 {
        let stranger = unknown(&authority);
        assert!(poll(pin!(reason(&auth, &stranger)).as_mut()).is_pending());
    }
    gate.permits.add_permits(1);
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok", "the next one goes on with it");
    assert_eq!(authority.requests().len(), 3);

    wait(MINUTE).await;
    let stranger = unknown(&authority);
    assert!(poll(pin!(reason(&auth, &stranger)).as_mut()).is_pending());
    wait(MINUTE).await;
    gate.permits.add_permits(1);
    assert_eq!(reason(&auth, &unknown(&authority)).await, "unknown_key", "what nobody went on with is begun anew");
}

/// Panics, as long as it is told to.
#[derive(Clone)]
struct Faulty(Authority, Arc<std::sync::atomic::AtomicBool>);

impl Fetch for Faulty {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        Box::pin(async move {
            assert!(!self.1.load(std::sync::atomic::Ordering::Relaxed), "a fault of the application's client");
            self.0.fetch(request, trust).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panicked_is_begun_anew() {
    let faulty = Faulty(Authority::new(), Arc::new(true.into()));
    let auth = Arc::new(chain(Jwt::issuer(faulty.0.issuer()).fetching_with(faulty.clone())));
    let token = good(&faulty.0).issue();
    let panicking = tokio::spawn({
        let (auth, token) = (auth.clone(), token.clone());
        async move { reason(&auth, &token).await }
    });
    assert!(panicking.await.is_err());
    faulty.1.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(reason(&auth, &token).await, "ok");
}

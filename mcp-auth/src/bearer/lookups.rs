//! What an authorization server said about tokens, kept for a moment: so that it is asked once about a token, not once for
//! every request.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{OnceCell, Semaphore};

use super::authority::Failure;
use crate::digest::sha256;
use crate::{Principal, Rejection};

/// The longest that a token counts after it is revoked.
const ACTIVE: Duration = Duration::from_secs(30);
/// The longest that a token does not count after it is issued, where somebody was faster with it than the server.
const INACTIVE: Duration = Duration::from_secs(2);
/// The longest that a failure outlives its cause.
const FAILED: Duration = Duration::from_secs(1);
/// The most tokens that are kept.
const MAX_TOKENS: usize = 10_000;
/// The most questions that are open at once.
const MAX_QUESTIONS: usize = 64;

/// A token that its server says is good.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) principal: Principal,
    /// Whom it is for. Empty where it does not say.
    pub(super) audiences: Vec<Box<str>>,
}

/// What a server says about a token: why it does not count, where it does not.
pub(super) type Answer = Result<Active, &'static str>;

/// The answers, and the questions that are open.
pub(super) struct Lookups {
    tokens: Mutex<Tokens>,
    questions: Semaphore,
    /// Why nobody is asked now.
    outage: Mutex<Option<Known<Failure>>>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { tokens: Mutex::default(), questions: Semaphore::new(MAX_QUESTIONS), outage: Mutex::new(None) }
    }
}

/// In two halves. When the younger one is full, what is in the older one has not been asked for in a long time, and goes.
#[derive(Default)]
struct Tokens {
    younger: HashMap<[u8; 32], Cell>,
    older: HashMap<[u8; 32], Cell>,
}

/// Whoever comes first asks; the others wait for the answer. Where the first one goes away, the next asks.
type Cell = Arc<OnceCell<Known<Result<Arc<Answer>, Failure>>>>;

#[derive(Clone)]
struct Known<T> {
    what: T,
    from: SystemTime,
    until: SystemTime,
}

impl<T> Known<T> {
    fn new(what: T, from: SystemTime, lifetime: Duration) -> Self {
        Self { what, from, until: from.checked_add(lifetime).unwrap_or(from) }
    }

    /// Not where the clock was set back: nothing is kept for longer than it may be.
    fn counts(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.until
    }
}

impl Lookups {
    /// What the server says about this token. `question` is only asked where that is not known yet.
    ///
    /// # Errors
    /// The server did not say, or it is not asked now.
    pub(super) async fn look_up(
        &self,
        token: &str,
        now: SystemTime,
        question: impl Future<Output = Result<Answer, Failure>> + Send,
    ) -> Result<Arc<Answer>, Rejection> {
        let cell = self.cell(sha256(token.as_bytes()), now);
        let known = cell.get_or_try_init(|| async {
            if let Some(outage) = self.outage(now) {
                return Err(outage);
            }
            let Ok(_turn) = self.questions.try_acquire() else { return Err(Failure::busy()) };
            let answer = question.await;
            let outage = answer.as_ref().err().filter(|failure| failure.is_of_server());
            *self.outage.lock().unwrap_or_else(PoisonError::into_inner) =
                outage.map(|failure| Known::new(failure.clone(), now, FAILED));
            Ok(match answer {
                Ok(Ok(active)) => {
                    let end = active.principal.expires_at();
                    let known = Known::new(Ok(Arc::new(Ok(active))), now, ACTIVE);
                    Known { until: end.map_or(known.until, |end| end.min(known.until)), ..known }
                }
                Ok(Err(reason)) => Known::new(Ok(Arc::new(Err(reason))), now, INACTIVE),
                Err(failure) => Known::new(Err(failure), now, FAILED),
            })
        });
        Ok(known.await?.what.clone()?)
    }

    fn outage(&self, now: SystemTime) -> Option<Failure> {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().filter(|outage| outage.counts(now)).map(|outage| outage.what.clone())
    }

    fn cell(&self, key: [u8; 32], now: SystemTime) -> Cell {
        let counts = |cell: &Cell| cell.get().is_none_or(|known| known.counts(now));
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = tokens.younger.get(&key).filter(|cell| counts(cell)) {
            return cell.clone();
        }
        let cell = tokens.older.remove(&key).filter(counts).unwrap_or_default();
        if tokens.younger.len() >= MAX_TOKENS / 2 {
            tokens.older = mem::take(&mut tokens.younger);
        }
        tokens.younger.insert(key, cell.clone());
        cell
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{HeaderMap, StatusCode};
    use tokio::sync::Notify;

    use super::*;
    use crate::RejectionKind;

    const T0: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(millis: u64) -> SystemTime {
        T0 + Duration::from_millis(millis)
    }

    fn active(end: Option<u64>) -> Result<Answer, Failure> {
        let principal = Principal::user("alice");
        let principal = end.map_or(principal.clone(), |end| principal.valid_until(at(end)));
        Ok(Ok(Active { principal, audiences: Vec::new() }))
    }

    fn failure(status: StatusCode) -> Result<Answer, Failure> {
        Err(Failure::of_status(status, &HeaderMap::new()))
    }

    /// Was the server asked?
    async fn asks(lookups: &Lookups, token: &str, now: SystemTime, answer: Result<Answer, Failure>) -> bool {
        let mut asked = false;
        let question = async {
            asked = true;
            answer
        };
        let _ = lookups.look_up(token, now, question).await;
        asked
    }

    #[tokio::test]
    async fn what_is_good_is_kept_for_30_seconds_and_never_past_its_end() {
        let lookups = Lookups::default();
        assert!(asks(&lookups, "a", at(0), active(None)).await);
        assert!(!asks(&lookups, "a", at(29_999), active(None)).await);
        assert!(asks(&lookups, "b", at(0), active(None)).await, "another token is another question");
        assert!(asks(&lookups, "a", at(30_000), active(None)).await);
        assert!(asks(&lookups, "c", at(0), active(Some(5_000))).await);
        assert!(!asks(&lookups, "c", at(4_999), active(None)).await);
        assert!(asks(&lookups, "c", at(5_000), active(None)).await);
    }

    #[tokio::test]
    async fn what_is_not_good_is_kept_for_2_seconds() {
        let lookups = Lookups::default();
        assert!(asks(&lookups, "a", at(0), Ok(Err("inactive"))).await);
        assert!(!asks(&lookups, "a", at(1_999), active(None)).await);
        assert!(asks(&lookups, "a", at(2_000), active(None)).await);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_keeps_nothing_alive() {
        let lookups = Lookups::default();
        assert!(asks(&lookups, "a", at(100_000), active(None)).await);
        assert!(asks(&lookups, "a", at(50_000), active(None)).await);
    }

    #[tokio::test]
    async fn a_dead_server_is_asked_once_a_second() {
        let lookups = Lookups::default();
        let rejection = lookups.look_up("a", at(0), async { failure(StatusCode::BAD_GATEWAY) }).await.expect_err("dead");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        assert!(!asks(&lookups, "b", at(999), active(None)).await);
        let rejection = lookups.look_up("b", at(999), async { active(None) }).await.expect_err("not asked");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        assert!(asks(&lookups, "b", at(1_000), active(None)).await, "and again as soon as it lives");
        assert!(asks(&lookups, "a", at(1_000), active(None)).await);
    }

    #[tokio::test]
    async fn a_token_that_the_server_fails_at_is_no_outage() {
        let lookups = Lookups::default();
        assert!(asks(&lookups, "poison", at(0), failure(StatusCode::INTERNAL_SERVER_ERROR)).await);
        assert!(!asks(&lookups, "poison", at(999), active(None)).await);
        assert!(asks(&lookups, "good", at(1), active(None)).await);
        assert!(asks(&lookups, "poison", at(1_000), active(None)).await);
    }

    #[tokio::test]
    async fn many_with_one_token_ask_once_and_the_next_asks_where_the_first_goes_away() {
        let (lookups, asked, answer) = (Arc::new(Lookups::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let spawn = || {
            let (lookups, asked, answer) = (lookups.clone(), asked.clone(), answer.clone());
            tokio::spawn(async move {
                let question = async {
                    asked.fetch_add(1, Ordering::SeqCst);
                    answer.notified().await;
                    active(None)
                };
                lookups.look_up("a", at(0), question).await.is_ok_and(|answer| answer.is_ok())
            })
        };
        let first = spawn();
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..100).map(|_| spawn()).collect();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        first.abort();
        while asked.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        answer.notify_one();
        for other in others {
            assert!(other.await.expect("it ends"));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn only_so_many_questions_are_open_at_once() {
        let lookups = Arc::new(Lookups::default());
        let open: Vec<_> = (0..MAX_QUESTIONS)
            .map(|at| {
                let lookups = lookups.clone();
                tokio::spawn(async move { lookups.look_up(&at.to_string(), T0, std::future::pending()).await.is_ok() })
            })
            .collect();
        while lookups.questions.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let rejection = lookups.look_up("further", T0, async { active(None) }).await.expect_err("one too many");
        assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, "authority_busy"));
        open.iter().for_each(tokio::task::JoinHandle::abort);
        for question in open {
            assert!(question.await.is_err(), "given up");
        }
        assert!(asks(&lookups, "further", T0, active(None)).await, "what was not asked is not kept");
    }

    #[tokio::test]
    async fn what_is_asked_for_stays_and_the_number_is_bounded() {
        let lookups = Lookups::default();
        for number in 0..3 * MAX_TOKENS {
            asks(&lookups, &number.to_string(), T0, Ok(Err("inactive"))).await;
            assert_eq!(asks(&lookups, "often", T0, active(None)).await, number == 0);
        }
        let tokens = lookups.tokens.lock().expect("whole");
        assert!(tokens.younger.len() + tokens.older.len() <= MAX_TOKENS);
    }
}

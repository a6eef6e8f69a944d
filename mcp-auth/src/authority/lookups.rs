//! What a server said about credentials, kept for a moment: so that it is asked once about a credential, not once for every
//! request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::Failure;
use crate::recent::Recent;
use crate::{Network, Presented, Rejection};

/// The longest that a credential counts after it is revoked.
const ACTIVE: Duration = Duration::from_secs(30);
/// The longest that a credential does not count after it is issued, where somebody was faster with it than the server.
const INACTIVE: Duration = Duration::from_secs(2);
/// The longest that a failure outlives its cause.
const FAILED: Duration = Duration::from_secs(1);
/// The most credentials of which the answer is kept.
const MAX_ANSWERS: usize = 10_000;
/// The most questions that are open at once.
const MAX_QUESTIONS: usize = 64;
/// From half of them on, one network has this share, so that it leaves something to others.
const SHARE: usize = 8;
/// So many more may be asked about credentials that counted a moment ago: whoever floods the others does not log them out.
const FOR_HELD: usize = 32;

/// What a server says about a credential: why it does not count, where it does not.
pub(crate) type Answer<A> = Result<A, Rejection>;

/// What a server says about a credential that counts.
pub(crate) trait Until {
    /// When it ends, if it says so.
    fn until(&self) -> Option<SystemTime>;
}

/// The answers, and the questions that are open.
pub(crate) struct Lookups<A> {
    answers: Mutex<Recent<[u8; 32], Cell<A>>>,
    questions: Mutex<Questions>,
    /// Why nobody is asked now.
    outage: Mutex<Option<Known<Failure>>>,
}

impl<A> Default for Lookups<A> {
    fn default() -> Self {
        let answers = Mutex::new(Recent::new(MAX_ANSWERS));
        Self { answers, questions: Mutex::default(), outage: Mutex::new(None) }
    }
}

/// Whoever comes first asks; the others wait for the answer. Where the first one goes away, the next asks.
type Cell<A> = Arc<Asked<A>>;

struct Asked<A> {
    answer: OnceCell<Known<Result<Arc<Answer<A>>, Failure>>>,
    /// Did the credential count when the server last said something about it?
    held: bool,
}

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

    /// Which counts from when it came. A server that keeps silent takes longer than a failure is kept: counted from the
    /// question, it would be asked again at once, by everybody.
    fn late(what: T, asked: SystemTime, took: Duration, lifetime: Duration) -> Self {
        Self::new(what, asked, took.saturating_add(lifetime))
    }

    /// Not where the clock was set back: nothing is kept for longer than it may be.
    fn counts(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.until
    }
}

impl<A: Until> Lookups<A> {
    /// What the server says about this credential. `question` is only asked where that is not known yet.
    ///
    /// # Errors
    /// The server did not say, or it is not asked now.
    pub(crate) async fn look_up(
        &self,
        presented: Presented<'_>,
        question: impl Future<Output = Result<Answer<A>, Failure>> + Send,
    ) -> Result<Arc<Answer<A>>, Rejection> {
        let now = presented.now();
        let cell = self.cell(*presented.sha256(), now);
        let answer = cell.answer.get_or_try_init(|| async {
            if let Some(outage) = self.outage(now) {
                return Err(outage);
            }
            let Some(_turn) = Turn::take(&self.questions, presented.network(), cell.held) else { return Err(Failure::busy()) };
            let begun = Instant::now();
            let answer = question.await;
            let took = begun.elapsed();
            let outage = answer.as_ref().err().filter(|failure| failure.is_of_server());
            *self.outage.lock().unwrap_or_else(PoisonError::into_inner) =
                outage.map(|failure| Known::late(failure.clone(), now, took, FAILED));
            Ok(match answer {
                Ok(Ok(active)) => {
                    let end = active.until();
                    let known = Known::new(Ok(Arc::new(Ok(active))), now, ACTIVE);
                    Known { until: end.map_or(known.until, |end| end.min(known.until)), ..known }
                }
                Ok(Err(refused)) => Known::new(Ok(Arc::new(Err(refused))), now, INACTIVE),
                Err(failure) => Known::late(Err(failure), now, took, FAILED),
            })
        });
        Ok(answer.await?.what.clone()?)
    }

    fn outage(&self, now: SystemTime) -> Option<Failure> {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().filter(|outage| outage.counts(now)).map(|outage| outage.what.clone())
    }

    fn cell(&self, key: [u8; 32], now: SystemTime) -> Cell<A> {
        let counts = |cell: &Cell<A>| cell.answer.get().is_none_or(|known| known.counts(now));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let last = answers.used(&key);
        if let Some(cell) = last.filter(|cell| counts(cell)) {
            return cell.clone();
        }
        let held = last.is_some_and(|last| match last.answer.get().map(|known| &known.what) {
            Some(Ok(answer)) => answer.is_ok(),
            Some(Err(_)) | None => last.held,
        });
        let cell = Arc::new(Asked { answer: OnceCell::new(), held });
        answers.put(key, cell.clone());
        cell
    }
}

/// The questions that are open, and those of each network.
#[derive(Default)]
struct Questions {
    open: usize,
    of: HashMap<Network, usize>,
}

/// A question's place among those that are open.
struct Turn<'a> {
    questions: &'a Mutex<Questions>,
    from: Option<Network>,
}

impl<'a> Turn<'a> {
    /// `None` where there are too many. `held`: the credential counted a moment ago.
    fn take(questions: &'a Mutex<Questions>, from: Option<Network>, held: bool) -> Option<Self> {
        let mut open = questions.lock().unwrap_or_else(PoisonError::into_inner);
        let most = if held { MAX_QUESTIONS + FOR_HELD } else { MAX_QUESTIONS };
        let share = from.and_then(|network| open.of.get(&network)).is_none_or(|own| *own < SHARE);
        if open.open >= most || (!held && !share && open.open >= MAX_QUESTIONS / 2) {
            return None;
        }
        open.open += 1;
        if let Some(network) = from {
            *open.of.entry(network).or_default() += 1;
        }
        drop(open);
        Some(Self { questions, from })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut open = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        open.open -= 1;
        if let Some(Entry::Occupied(mut own)) = self.from.map(|network| open.of.entry(network)) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{HeaderMap, Request, StatusCode};
    use tokio::sync::Notify;

    use super::*;
    use crate::authenticate::Credential;
    use crate::{Peer, RejectionKind};

    const T0: SystemTime = SystemTime::UNIX_EPOCH;

    #[derive(Debug)]
    struct Good(Option<SystemTime>);

    impl Until for Good {
        fn until(&self) -> Option<SystemTime> {
            self.0
        }
    }

    fn at(millis: u64) -> SystemTime {
        T0 + Duration::from_millis(millis)
    }

    fn active(end: Option<u64>) -> Result<Answer<Good>, Failure> {
        Ok(Ok(Good(end.map(at))))
    }

    fn failure(status: StatusCode) -> Result<Answer<Good>, Failure> {
        Err(Failure::of_status(status, &HeaderMap::new()))
    }

    /// A look-up of what a request from there presents.
    async fn look_up(
        lookups: &Lookups<Good>,
        token: &str,
        from: Option<[u8; 4]>,
        now: SystemTime,
        question: impl Future<Output = Result<Answer<Good>, Failure>> + Send,
    ) -> Result<Arc<Answer<Good>>, Rejection> {
        let (mut head, ()) = Request::new(()).into_parts();
        if let Some(ip) = from {
            head.extensions.insert(Peer((ip, 1).into()));
        }
        let credential = Credential::new(token);
        lookups.look_up(Presented { credential: &credential, head: &head, resource: None, now }, question).await
    }

    /// Was the server asked?
    async fn asks(lookups: &Lookups<Good>, token: &str, now: SystemTime, answer: Result<Answer<Good>, Failure>) -> bool {
        let mut asked = false;
        let question = async {
            asked = true;
            answer
        };
        let _ = look_up(lookups, token, None, now, question).await;
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
        assert!(asks(&lookups, "a", at(0), Ok(Err(Rejection::invalid_token("inactive")))).await);
        assert!(!asks(&lookups, "a", at(1_999), active(None)).await);
        assert!(asks(&lookups, "a", at(2_000), active(None)).await);
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_keeps_nothing_alive() {
        let lookups = Lookups::default();
        assert!(asks(&lookups, "a", at(100_000), active(None)).await);
        assert!(asks(&lookups, "a", at(50_000), active(None)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_server_is_asked_once_a_second() {
        let lookups = Lookups::default();
        let rejection = look_up(&lookups, "a", None, at(0), async { failure(StatusCode::BAD_GATEWAY) }).await.expect_err("dead");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        assert!(!asks(&lookups, "b", at(999), active(None)).await);
        let rejection = look_up(&lookups, "b", None, at(999), async { active(None) }).await.expect_err("not asked");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        assert!(asks(&lookups, "b", at(1_000), active(None)).await, "and again as soon as it lives");
        assert!(asks(&lookups, "a", at(1_000), active(None)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_keeps_silent_is_asked_once_a_second_as_well() {
        let lookups = Lookups::default();
        let silence = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            failure(StatusCode::GATEWAY_TIMEOUT)
        };
        let rejection = look_up(&lookups, "a", None, at(0), silence).await.expect_err("no answer");
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
        assert!(!asks(&lookups, "a", at(5_999), active(None)).await && !asks(&lookups, "b", at(5_999), active(None)).await);
        assert!(asks(&lookups, "a", at(6_000), active(None)).await);
    }

    #[tokio::test(start_paused = true)]
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
                look_up(&lookups, "a", None, at(0), question).await.is_ok_and(|answer| answer.is_ok())
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
        let lookups = Arc::new(Lookups::<Good>::default());
        let open: Vec<_> = (0..MAX_QUESTIONS)
            .map(|at| {
                let lookups = lookups.clone();
                tokio::spawn(async move { look_up(&lookups, &at.to_string(), None, T0, std::future::pending()).await.is_ok() })
            })
            .collect();
        while lookups.questions.lock().expect("whole").open < MAX_QUESTIONS {
            tokio::task::yield_now().await;
        }
        let rejection = look_up(&lookups, "further", None, T0, async { active(None) }).await.expect_err("one too many");
        assert_eq!((rejection.kind(), rejection.reason()), (RejectionKind::Unavailable, "authority_busy"));
        open.iter().for_each(tokio::task::JoinHandle::abort);
        for question in open {
            assert!(question.await.is_err(), "given up");
        }
        assert!(asks(&lookups, "further", T0, active(None)).await, "what was not asked is not kept");
    }

    #[tokio::test]
    async fn one_network_leaves_something_to_others_and_to_who_was_known() {
        let lookups = Arc::new(Lookups::<Good>::default());
        let [flood, other] = [Some([192, 0, 2, 1]), Some([192, 0, 2, 2])];
        assert!(asks(&lookups, "known", T0, active(None)).await);
        let ask = |token: String, from| {
            let lookups = lookups.clone();
            tokio::spawn(async move { look_up(&lookups, &token, from, at(40_000), std::future::pending()).await.is_ok() })
        };
        let open = || lookups.questions.lock().expect("whole").open;
        let mut asked: Vec<_> = (0..MAX_QUESTIONS).map(|number| ask(format!("flood {number}"), flood)).collect();
        for _ in 0..2 * MAX_QUESTIONS {
            tokio::task::yield_now().await;
        }
        assert_eq!(open(), MAX_QUESTIONS / 2, "the others were turned away");
        asked.extend((0..SHARE).map(|number| ask(format!("other {number}"), other)));
        asked.extend((0..MAX_QUESTIONS).map(|number| ask(format!("nowhere {number}"), None)));
        for _ in 0..2 * MAX_QUESTIONS {
            tokio::task::yield_now().await;
        }
        assert_eq!(open(), MAX_QUESTIONS);
        assert_eq!(lookups.questions.lock().expect("whole").of[&Peer((other.expect("an address"), 1).into()).network()], SHARE);
        // Also where a first attempt came to nothing.
        for gone in [ask("known".to_owned(), flood), ask("known".to_owned(), flood)] {
            tokio::task::yield_now().await;
            gone.abort();
            let _ = gone.await;
        }
        assert!(asks(&lookups, "known", at(40_000), failure(StatusCode::INTERNAL_SERVER_ERROR)).await);
        assert!(asks(&lookups, "known", at(42_000), active(None)).await, "who counted a moment ago is asked about");
        asked.iter().for_each(tokio::task::JoinHandle::abort);
        for question in asked {
            let _ = question.await;
        }
        let questions = lookups.questions.lock().expect("whole");
        assert!(questions.open == 0 && questions.of.is_empty());
    }

    #[tokio::test]
    async fn what_is_asked_for_stays_and_the_number_is_bounded() {
        let lookups = Lookups::default();
        for number in 0..3 * MAX_ANSWERS {
            asks(&lookups, &number.to_string(), T0, Ok(Err(Rejection::invalid_token("inactive")))).await;
            assert_eq!(asks(&lookups, "often", T0, active(None)).await, number == 0);
        }
        let answers = lookups.answers.lock().expect("whole");
        assert!(answers.len() <= MAX_ANSWERS);
    }
}

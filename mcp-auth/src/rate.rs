//! How often somebody may do something.
//!
//! Of each who does it, one moment is kept: when they may do it as often as ever again (the generic cell rate algorithm, of
//! ITU-T I.371). The `governor` crate has the same arithmetic, but keeps everybody in a map that only a sweep of the
//! application makes smaller; here the map is the point.

use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::recent::Recent;

/// How often: `RateLimit::per_minute(600).burst(100)`.
///
/// The number of a period is what it comes to over a long time. After a pause, up to `burst` go through at once, so that
/// with `per_minute(5)` alone, one minute may see the first five and the five that come free during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    count: u32,
    period: Duration,
    burst: u32,
}

impl RateLimit {
    const fn per(count: u32, seconds: u64) -> Self {
        Self { count, period: Duration::from_secs(seconds), burst: count }
    }

    /// So many a second.
    #[must_use]
    pub const fn per_second(count: u32) -> Self {
        Self::per(count, 1)
    }

    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self::per(count, 60)
    }

    /// So many an hour.
    #[must_use]
    pub const fn per_hour(count: u32) -> Self {
        Self::per(count, 60 * 60)
    }

    /// So many at once, after a pause. As many as in a period, unless set.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// Does it allow anything at all?
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.count == 0 || self.burst == 0
    }

    fn interval(self) -> Duration {
        self.period / self.count.max(1)
    }

    /// `whole` is when the whole burst is free again, and so is the answer, after one more; or how long to wait for it.
    fn one_more(self, whole: Option<Instant>, now: Instant) -> Result<Instant, Duration> {
        let (interval, owed) = (self.interval(), whole.map_or(Duration::ZERO, |whole| whole.saturating_duration_since(now)));
        let wait = owed.saturating_sub(interval.saturating_mul(self.burst.saturating_sub(1)));
        if wait.is_zero() { Ok(now.checked_add(owed.saturating_add(interval)).unwrap_or(now)) } else { Err(wait) }
    }
}

/// Who did something how often.
///
/// It remembers those of late, and a bounded number of them: somebody new is always let through, in place of somebody who
/// was not seen for longest, give or take half of the number. Who is forgotten may do it as often as somebody new.
pub struct Rates<K> {
    limit: RateLimit,
    seen: Mutex<Recent<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Rates<K> {
    /// This limit for each, of at most so many that are remembered.
    #[must_use]
    pub fn new(limit: RateLimit, most: usize) -> Self {
        Self { limit, seen: Mutex::new(Recent::new(most)) }
    }

    /// Does it once.
    ///
    /// # Errors
    /// It is too much. That is how long to wait; nothing was counted.
    pub fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = seen.get(key).copied();
        let answer = self.limit.one_more(whole, now);
        // Who is refused is not to be forgotten for it.
        if let Some(whole) = answer.ok().or(whole) {
            seen.put(key.clone(), whole);
        }
        answer.map(drop)
    }

    /// It was done, whether or not that was too much: for several that were let through together, more than a burst is owed,
    /// but for no longer than another period.
    pub(crate) fn owe(&self, key: &K, now: Instant) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (interval, most) =
            (self.limit.interval(), self.limit.interval().saturating_mul(self.limit.burst) + self.limit.period);
        let owed = seen.get(key).map_or(Duration::ZERO, |whole| whole.saturating_duration_since(now));
        if let Some(whole) = now.checked_add((owed + interval).min(most)) {
            seen.put(key.clone(), whole);
        }
    }

    /// Could it be done now?
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(whole) = seen.get(key).copied() else { return Ok(()) };
        self.limit.one_more(Some(whole), now).map(drop).inspect_err(|_| seen.put(key.clone(), whole))
    }
}

/// Whom it remembers is nobody else's business.
impl<K> fmt::Debug for Rates<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_goes_through_and_then_so_many_a_period() {
        let (rates, start) = (Rates::new(RateLimit::per_minute(5).burst(2), 100), Instant::now());
        let take = |after: u32| rates.take(&'a', start + SECOND * after);
        assert_eq!([take(0), take(0)], [Ok(()), Ok(())]);
        assert_eq!([take(0), take(5)], [Err(SECOND * 12), Err(SECOND * 7)]);
        assert_eq!([take(12), take(12), take(24)], [Ok(()), Err(SECOND * 12), Ok(())]);
        assert_eq!(
            [take(100), take(100), take(100)],
            [Ok(()), Ok(()), Err(SECOND * 12)],
            "a pause saves up no more than a burst"
        );
        assert_eq!(rates.take(&'b', start), Ok(()), "somebody else");
    }

    #[test]
    fn what_was_done_is_owed_though_it_was_too_much() {
        let (rates, start) = (Rates::new(RateLimit::per_minute(6), 100), Instant::now());
        (0..9).for_each(|_| rates.owe(&'a', start));
        assert_eq!(rates.check(&'a', start), Err(SECOND * 40), "three more than a burst, and one before the next");
        (0..900).for_each(|_| rates.owe(&'a', start));
        assert_eq!(rates.check(&'a', start), Err(SECOND * 70), "never more than a period more");
    }

    #[test]
    fn to_ask_costs_nothing() {
        let (rates, now) = (Rates::new(RateLimit::per_second(1), 100), Instant::now());
        assert_eq!([rates.check(&1, now), rates.check(&1, now), rates.take(&1, now)], [Ok(()); 3]);
        assert_eq!([rates.check(&1, now), rates.take(&1, now)], [Err(SECOND); 2]);
    }

    #[test]
    fn a_clock_that_seems_to_go_back_harms_nobody() {
        let (rates, now) = (Rates::new(RateLimit::per_second(1), 100), Instant::now() + SECOND * 10);
        assert_eq!(rates.take(&1, now), Ok(()));
        assert_eq!(rates.take(&1, now - SECOND), Err(SECOND * 2));
        assert_eq!(rates.take(&1, now + SECOND), Ok(()));
    }

    #[test]
    fn a_full_table_lets_newcomers_through_and_forgets_nobody_who_is_busy() {
        let (rates, now) = (Rates::new(RateLimit::per_minute(1), 100), Instant::now());
        assert_eq!(rates.take(&0, now), Ok(()));
        for newcomer in 1..10_000 {
            assert_eq!(rates.take(&newcomer, now), Ok(()));
            assert!(rates.take(&0, now).is_err(), "being refused keeps it in memory");
        }
        assert_eq!(rates.take(&1, now), Ok(()), "long forgotten");
    }

    #[test]
    fn extremes_are_no_faults() {
        let now = Instant::now();
        for limit in [RateLimit::per_hour(1).burst(u32::MAX), RateLimit::per_second(u32::MAX), RateLimit::per_hour(u32::MAX)] {
            let rates = Rates::new(limit, 0);
            assert_eq!([rates.take(&1, now), rates.take(&1, now)], [Ok(()), Ok(())], "{limit:?}");
        }
        assert!(RateLimit::per_minute(0).is_nothing() && RateLimit::per_minute(1).burst(0).is_nothing());
        assert!(!RateLimit::per_minute(1).is_nothing());
    }
}

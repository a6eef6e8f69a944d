//! The stores of a process that shares none. What was before the process they can not know, and so they refuse it.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::LEEWAY;
use super::store::{Issued, Replay, ReplayStore, RevocationStore, StoreError, StoreFuture};

/// At about 200 bytes each.
const ROOM: usize = 100_000;

/// Remembers the use of assertions in memory: **single use is per instance**.
///
/// It refuses what was issued before it began, since an earlier process may have seen that used; and for the five seconds by
/// which clocks may differ it asks proxies to try again. With no room left it refuses, rather than forget.
pub struct MemoryReplays {
    seen: Mutex<Expiring>,
    since: SystemTime,
}

impl MemoryReplays {
    /// An empty store that begins now, with room for 100,000 assertions, which are those of a minute.
    #[must_use]
    pub fn new() -> Self {
        Self::since(SystemTime::now())
    }

    /// A store that knows all since then: for tests that have a time of their own.
    #[must_use]
    pub fn since(since: SystemTime) -> Self {
        Self { seen: Mutex::new(Expiring::up_to(ROOM)), since }
    }

    /// With room for so many assertions.
    #[must_use]
    pub fn up_to(self, most: usize) -> Self {
        Self { seen: Mutex::new(Expiring::up_to(most)), ..self }
    }

    fn judge(&self, assertion: Issued, now: SystemTime) -> Replay {
        // Assertions count in whole seconds, and one whose clock is ahead may have been used that long before it was issued.
        if assertion.at < whole_seconds(self.since) {
            return Replay::Older;
        }
        if assertion.at.checked_sub(LEEWAY).is_none_or(|at| at < self.since) {
            return Replay::Unknown;
        }
        let mut seen = lock(&self.seen);
        seen.forget(now);
        // The clock went back over what is forgotten.
        if seen.is_forgotten(&assertion) {
            return Replay::Older;
        }
        match seen.insert(&assertion) {
            Inserted::New => Replay::Fresh,
            Inserted::There => Replay::Seen,
            Inserted::NoRoom => Replay::Full,
        }
    }
}

impl Default for MemoryReplays {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayStore for MemoryReplays {
    fn insert(&self, assertion: Issued, now: SystemTime) -> StoreFuture<'_, Replay> {
        Box::pin(std::future::ready(Ok(self.judge(assertion, now))))
    }
}

impl fmt::Debug for MemoryReplays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplays").field("since", &self.since).finish_non_exhaustive()
    }
}

/// Remembers revoked relay sessions in memory: **a revocation holds at this instance**.
///
/// Sessions that were issued before it began count as revoked, since an earlier process may have revoked them; so relay
/// sessions end with the process, and several instances need a store that they share. With no room left it refuses to revoke.
pub struct MemoryRevocations {
    revoked: Mutex<Expiring>,
    since: SystemTime,
}

impl MemoryRevocations {
    /// An empty store that begins now, with room for 100,000 sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::since(SystemTime::now())
    }

    /// A store that knows all since then: for tests that have a time of their own.
    #[must_use]
    pub fn since(since: SystemTime) -> Self {
        Self { revoked: Mutex::new(Expiring::up_to(ROOM)), since }
    }

    /// With room for so many sessions.
    #[must_use]
    pub fn up_to(self, most: usize) -> Self {
        Self { revoked: Mutex::new(Expiring::up_to(most)), ..self }
    }
}

impl Default for MemoryRevocations {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationStore for MemoryRevocations {
    fn revoke(&self, session: Issued, now: SystemTime) -> StoreFuture<'_, ()> {
        let mut revoked = lock(&self.revoked);
        revoked.forget(now);
        let result = match revoked.insert(&session) {
            Inserted::New | Inserted::There => Ok(()),
            Inserted::NoRoom => Err(StoreError::new("the revocations in memory have no room left")),
        };
        Box::pin(std::future::ready(result))
    }

    fn is_revoked(&self, session: Issued, _: SystemTime) -> StoreFuture<'_, bool> {
        let revoked = lock(&self.revoked);
        let is_revoked = session.at < whole_millis(self.since) || revoked.is_forgotten(&session) || revoked.contains(&session);
        Box::pin(std::future::ready(Ok(is_revoked)))
    }
}

impl fmt::Debug for MemoryRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocations").field("since", &self.since).finish_non_exhaustive()
    }
}

/// So many ids, each until its time.
struct Expiring {
    ids: HashSet<[u8; 32]>,
    by_time: BTreeSet<(SystemTime, [u8; 32])>,
    /// What ended before or at this may have been here.
    forgotten: SystemTime,
    most: usize,
}

enum Inserted {
    New,
    There,
    NoRoom,
}

impl Expiring {
    fn up_to(most: usize) -> Self {
        Self { ids: HashSet::new(), by_time: BTreeSet::new(), forgotten: UNIX_EPOCH, most }
    }

    fn forget(&mut self, now: SystemTime) {
        while let Some(&(until, id)) = self.by_time.first().filter(|(until, _)| *until < now) {
            self.by_time.pop_first();
            self.ids.remove(&id);
            self.forgotten = until;
        }
    }

    fn is_forgotten(&self, issued: &Issued) -> bool {
        issued.until <= self.forgotten
    }

    fn contains(&self, issued: &Issued) -> bool {
        self.ids.contains(&issued.id)
    }

    fn insert(&mut self, issued: &Issued) -> Inserted {
        if self.contains(issued) {
            return Inserted::There;
        }
        if self.ids.len() >= self.most {
            return Inserted::NoRoom;
        }
        self.ids.insert(issued.id);
        self.by_time.insert((issued.until, issued.id));
        Inserted::New
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sessions are dated in milliseconds: one of this very moment must not seem to be of the one before.
fn whole_millis(time: SystemTime) -> SystemTime {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn issued(id: u8, seconds: u64) -> Issued {
        Issued { id: [id; 32], at: at(seconds), until: at(seconds + 60) }
    }

    #[test]
    fn an_assertion_is_used_once() {
        let store = MemoryReplays::since(at(100));
        assert_eq!(store.judge(issued(1, 200), at(200)), Replay::Fresh);
        assert_eq!(store.judge(issued(1, 200), at(200)), Replay::Seen);
        assert_eq!(store.judge(issued(1, 200), at(260)), Replay::Seen, "to its last moment");
        assert_eq!(store.judge(issued(2, 200), at(200)), Replay::Fresh);
    }

    #[test]
    fn what_may_be_older_than_the_store_is_refused() {
        let store = MemoryReplays::since(at(100) + Duration::from_millis(500));
        assert_eq!(store.judge(issued(1, 99), at(101)), Replay::Older);
        assert_eq!(store.judge(issued(1, 100), at(101)), Replay::Unknown);
        assert_eq!(store.judge(issued(1, 105), at(101)), Replay::Unknown, "used before, by a clock that is ahead");
        assert_eq!(store.judge(issued(1, 106), at(106)), Replay::Fresh);
    }

    #[test]
    fn a_full_store_refuses_until_something_ends() {
        let store = MemoryReplays::since(at(0)).up_to(2);
        assert_eq!(store.judge(issued(1, 100), at(100)), Replay::Fresh);
        assert_eq!(store.judge(issued(2, 130), at(130)), Replay::Fresh);
        assert_eq!(store.judge(issued(3, 160), at(160)), Replay::Full);
        assert_eq!(store.judge(issued(1, 100), at(160)), Replay::Seen, "what is there is known");
        assert_eq!(store.judge(issued(3, 160), at(161)), Replay::Fresh);
        assert_eq!(lock(&store.seen).ids.len(), 2);
        assert_eq!(lock(&store.seen).by_time.len(), 2);
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_back() {
        let store = MemoryReplays::since(at(0));
        assert_eq!(store.judge(issued(1, 100), at(100)), Replay::Fresh);
        assert_eq!(store.judge(issued(2, 1000), at(1000)), Replay::Fresh, "the first is forgotten");
        assert_eq!(store.judge(issued(1, 100), at(100)), Replay::Older);
    }

    /// The answer of a future that does not wait.
    fn ready<T>(mut future: StoreFuture<'_, T>) -> Result<T, StoreError> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => panic!("memory does not wait"),
        }
    }

    #[test]
    fn a_session_of_the_moment_that_the_store_began_is_not_older() {
        let began = at(100) + Duration::from_nanos(500_900_000);
        let store = MemoryRevocations::since(began);
        let of = |millis| Issued { at: at(100) + Duration::from_millis(millis), ..issued(1, 200) };
        assert_eq!(ready(store.is_revoked(of(500), at(101))), Ok(false));
        assert_eq!(ready(store.is_revoked(of(499), at(101))), Ok(true));
    }

    #[test]
    fn a_revoked_session_stays_revoked_and_older_ones_are() {
        let store = MemoryRevocations::since(at(100)).up_to(1);
        assert_eq!(ready(store.is_revoked(issued(1, 200), at(200))), Ok(false));
        assert_eq!(ready(store.is_revoked(issued(1, 99), at(100))), Ok(true));
        for _ in 0..2 {
            assert_eq!(ready(store.revoke(issued(1, 200), at(200))), Ok(()));
        }
        assert_eq!(ready(store.is_revoked(issued(1, 200), at(260))), Ok(true));
        assert!(ready(store.revoke(issued(2, 200), at(200))).is_err(), "no room");
        assert_eq!(ready(store.is_revoked(issued(2, 200), at(200))), Ok(false));
        assert_eq!(ready(store.revoke(issued(2, 300), at(300))), Ok(()), "the first has ended");
        assert_eq!(ready(store.is_revoked(issued(1, 200), at(200))), Ok(true), "the clock went back");
    }
}

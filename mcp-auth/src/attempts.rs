//! Damping of wrong credentials: who sends too many is answered without asking anybody.
//!
//! The trap is a proxy, behind which all callers are one address: whoever counts by address alone lets one stranger lock out
//! everybody. So what is counted first is the same credential from the same network, which is nobody else's. All wrong
//! credentials of a network are counted too, to a much higher number, and only while nobody from there was let in of late:
//! where somebody was, others may be behind the same address, and tomorrow's token of a caller is as new as a guess. So
//! whoever was let in of late is always let in again, and so is everybody beside them.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::recent::Recent;
use crate::{Network, RateLimit, Rates, Rejection};

/// For how long it counts that somebody of a network was let in.
const HELD: Duration = Duration::from_secs(10 * 60);

/// How old that may become before it is written down again.
const FRESH: Duration = Duration::from_secs(60);

/// So many of each are remembered: wrong credentials, networks that they came from, networks that somebody was let in from. In
/// 4 MiB at most; of more, those that were not seen for longest are forgotten.
const MOST: usize = 16_384;

/// How many wrong credentials are looked at, before the answer is 429 without a look.
///
/// ```
/// use mcp_auth::{Attempts, Auth, RateLimit};
///
/// let auth = Auth::chain().attempts(Attempts::default().of_one_network(RateLimit::per_minute(60)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    credential: RateLimit,
    network: RateLimit,
    clock: fn() -> Instant,
}

impl Default for Attempts {
    /// 20 a minute of one credential, 300 of one network.
    fn default() -> Self {
        Self { credential: RateLimit::per_minute(20), network: RateLimit::per_minute(300), clock: Instant::now }
    }
}

impl Attempts {
    /// How often the same wrong credential from the same network. Where the network is not known, from anywhere.
    #[must_use]
    pub fn of_one_credential(self, limit: RateLimit) -> Self {
        Self { credential: limit, ..self }
    }

    /// How many wrong credentials from one network (an IPv4 address, or 64 bits of an IPv6 address), while nobody from there
    /// was let in for ten minutes.
    #[must_use]
    pub fn of_one_network(self, limit: RateLimit) -> Self {
        Self { network: limit, ..self }
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn clock(self, clock: fn() -> Instant) -> Self {
        Self { clock, ..self }
    }

    pub(crate) fn problems(self) -> Vec<String> {
        let none = [("of_one_credential", self.credential), ("of_one_network", self.network)];
        let none = none.into_iter().filter(|(_, limit)| limit.is_nothing());
        none.map(|(name, _)| format!("`Attempts::{name}` allows none: no credential would be looked at")).collect()
    }
}

/// What is remembered of attempts.
pub(crate) struct Damper {
    attempts: Attempts,
    /// Turns a credential into a number that nobody outside can aim at.
    hasher: RandomState,
    wrong: Rates<u64>,
    wrong_there: Rates<Network>,
    /// When somebody of these was let in.
    held: Mutex<Recent<Network, Instant>>,
}

/// A credential that is about to be looked at.
pub(crate) struct Attempt<'a> {
    damper: &'a Damper,
    network: Option<Network>,
    /// `None` where the authenticator finds it.
    credential: Option<u64>,
    now: Instant,
    /// It is written down that somebody from there was let in, and need not be again.
    is_fresh: bool,
}

impl Damper {
    pub(crate) fn new(attempts: Attempts) -> Self {
        Self {
            attempts,
            hasher: RandomState::new(),
            wrong: Rates::new(attempts.credential, MOST),
            wrong_there: Rates::new(attempts.network, MOST),
            held: Mutex::new(Recent::new(MOST)),
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.attempts.problems()
    }

    /// May it be looked at? An empty credential is one that the authenticator finds: whether there is one, nobody else knows.
    pub(crate) fn begin(&self, network: Option<Network>, credential: &str) -> Result<Attempt<'_>, Rejection> {
        let now = (self.attempts.clock)();
        let key = (!credential.is_empty()).then(|| self.hasher.hash_one((network, credential)));
        let attempt = |is_fresh| Attempt { damper: self, network, credential: key, now, is_fresh };
        let Some(key) = key else { return Ok(attempt(false)) };
        let since = network.and_then(|network| self.since_held(network, now));
        let by_network = match network.filter(|_| since.is_none()) {
            Some(network) => self.wrong_there.check(&network, now),
            None => Ok(()),
        };
        match self.wrong.check(&key, now).and(by_network) {
            Ok(()) => Ok(attempt(since.is_some_and(|since| since < FRESH))),
            Err(wait) => Err(Rejection::too_many_attempts(wait).of(credential)),
        }
    }

    /// How long ago somebody from there was let in, where that still counts.
    fn since_held(&self, network: Network, now: Instant) -> Option<Duration> {
        let at = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&network).copied()?;
        Some(now.saturating_duration_since(at)).filter(|since| *since < HELD)
    }
}

impl Attempt<'_> {
    pub(crate) fn held(&self) {
        if let Some(network) = self.network.filter(|_| !self.is_fresh) {
            self.damper.held.lock().unwrap_or_else(PoisonError::into_inner).put(network, self.now);
        }
    }

    pub(crate) fn failed(&self) {
        // To look at it may have taken a while. Counted from the beginning, what a slow authenticator finds wrong would be forgiven
        // as soon as it is known.
        let now = (self.damper.attempts.clock)();
        if let Some(credential) = self.credential {
            self.damper.wrong.owe(&credential, now);
        }
        if let Some(network) = self.network {
            self.damper.wrong_there.owe(&network, now);
        }
    }
}

impl fmt::Debug for Damper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempts.fmt(f)
    }
}

#[cfg(test)]
mod tests;

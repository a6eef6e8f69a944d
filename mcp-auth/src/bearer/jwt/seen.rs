//! Tokens whose signature was checked already, by their SHA-256.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::recent::Recent;
use crate::{Principal, Resource};

/// So many are remembered at most; the half of them that was used last in any case.
const MOST: usize = 4096;
/// The longest time that a token is remembered.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The tokens that were used last.
pub(super) struct Seen(Mutex<Checked>);

struct Checked {
    /// Which keys the signatures were checked with.
    generation: u64,
    tokens: Recent<[u8; 32], Token>,
}

struct Token {
    principal: Principal,
    since: SystemTime,
    /// What its audience was compared with: an authenticator may stand in several chains.
    resource: Option<Resource>,
}

/// What a token is judged by, beside itself.
#[derive(Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) generation: u64,
    pub(super) resource: Option<&'a Resource>,
    pub(super) now: SystemTime,
}

impl Token {
    fn counts(&self, on: Occasion<'_>) -> bool {
        // A clock that was set back says nothing about the age.
        let young = on.now.duration_since(self.since).is_ok_and(|age| age < LIFETIME);
        young && self.principal.expires_at().is_some_and(|end| on.now < end) && self.resource.as_ref() == on.resource
    }
}

impl Checked {
    fn with_keys(generation: u64) -> Self {
        Self { generation, tokens: Recent::new(MOST) }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self(Mutex::new(Checked::with_keys(0)))
    }
}

impl Seen {
    /// Was this token checked, whatever became of it since? If so, its issuer is the one whose tokens are kept here.
    pub(super) fn has(&self, digest: &[u8; 32]) -> bool {
        self.lock().tokens.get(digest).is_some()
    }

    pub(super) fn get(&self, digest: &[u8; 32], on: Occasion<'_>) -> Option<Principal> {
        let mut checked = self.checked(on.generation)?;
        checked.tokens.used(digest).filter(|token| token.counts(on)).map(|token| token.principal.clone())
    }

    pub(super) fn put(&self, digest: [u8; 32], principal: Principal, on: Occasion<'_>) {
        if let Some(mut checked) = self.checked(on.generation) {
            checked.tokens.put(digest, Token { principal, since: on.now, resource: on.resource.cloned() });
        }
    }

    /// What was checked with these keys: with the first look by newer ones, nothing. `None` for older ones.
    fn checked(&self, generation: u64) -> Option<MutexGuard<'_, Checked>> {
        let mut checked = self.lock();
        if checked.generation < generation {
            *checked = Checked::with_keys(generation);
        }
        (checked.generation == generation).then_some(checked)
    }

    fn lock(&self) -> MutexGuard<'_, Checked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice(end: SystemTime) -> Principal {
        Principal::user("alice").valid_until(end)
    }

    fn on(now: SystemTime) -> Occasion<'static> {
        Occasion { generation: 1, resource: None, now }
    }

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn tokens_are_forgotten_in_time() {
        let seen = Seen::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let after = |seconds| now + Duration::from_secs(seconds);
        seen.put(digest(1), alice(after(3600)), on(now));
        seen.put(digest(2), alice(after(60)), on(now));
        assert!(seen.get(&digest(1), on(after(299))).is_some() && seen.get(&digest(2), on(after(59))).is_some());
        assert!(seen.get(&digest(1), on(after(300))).is_none(), "five minutes");
        assert!(seen.get(&digest(2), on(after(60))).is_none(), "until it expires");
        assert!(seen.get(&digest(1), on(now - Duration::from_secs(1))).is_none(), "the clock was set back");
        assert!(seen.get(&digest(3), on(now)).is_none());
    }

    #[test]
    fn what_other_keys_or_resources_were_shown_does_not_count() {
        let seen = Seen::default();
        let now = SystemTime::UNIX_EPOCH;
        let [a, b] = ["https://a.example", "https://b.example"].map(|url| Resource::new(url).expect("a URL"));
        let at = |generation, resource| Occasion { generation, resource: Some(resource), now };
        seen.put(digest(1), alice(now + LIFETIME), at(1, &a));
        assert!(seen.get(&digest(1), at(1, &b)).is_none() && seen.get(&digest(1), on(now)).is_none());
        assert!(seen.get(&digest(1), at(1, &a)).is_some());
        assert!(seen.get(&digest(1), at(2, &a)).is_none(), "the keys changed");
        seen.put(digest(1), alice(now + LIFETIME), at(1, &a));
        assert!(seen.get(&digest(1), at(2, &a)).is_none() && seen.get(&digest(1), at(1, &a)).is_none());
    }

    #[test]
    fn the_tokens_in_use_stay() {
        let seen = Seen::default();
        let now = SystemTime::UNIX_EPOCH;
        for number in 0..5 * MOST {
            seen.put(digest(number), alice(now + LIFETIME), on(now));
            assert!(seen.get(&digest(0), on(now)).is_some(), "{number}");
        }
        let checked = seen.checked(1).expect("the same keys");
        assert!(checked.tokens.len() <= MOST);
    }
}

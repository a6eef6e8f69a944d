//! Tokens whose signature was checked already, by their SHA-256.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Principal, Resource};

/// Half of what is remembered at most. The fuller half is the younger; when it is full, the older one goes.
const HALF: usize = 2048;
/// The longest time that a token is remembered.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The tokens that were used last, 2048 at least and 4096 at most.
#[derive(Default)]
pub(super) struct Seen(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    /// Which keys the signatures were checked with.
    generation: u64,
    young: HashMap<[u8; 32], Token>,
    old: HashMap<[u8; 32], Token>,
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

impl Seen {
    pub(super) fn get(&self, digest: &[u8; 32], on: Occasion<'_>) -> Option<Principal> {
        let mut halves = self.halves(on.generation)?;
        if let Some(token) = halves.young.get(digest) {
            return token.counts(on).then(|| token.principal.clone());
        }
        let token = halves.old.remove(digest).filter(|token| token.counts(on))?;
        let principal = token.principal.clone();
        halves.add(*digest, token);
        Some(principal)
    }

    pub(super) fn put(&self, digest: [u8; 32], principal: Principal, on: Occasion<'_>) {
        if let Some(mut halves) = self.halves(on.generation) {
            halves.add(digest, Token { principal, since: on.now, resource: on.resource.cloned() });
        }
    }

    /// What was checked with these keys: with the first look by newer ones, nothing. `None` for older ones.
    fn halves(&self, generation: u64) -> Option<MutexGuard<'_, Halves>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.generation < generation {
            *halves = Halves { generation, ..Halves::default() };
        }
        (halves.generation == generation).then_some(halves)
    }
}

impl Halves {
    fn add(&mut self, digest: [u8; 32], token: Token) {
        if self.young.len() >= HALF && !self.young.contains_key(&digest) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, token);
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
        for number in 0..10 * HALF {
            seen.put(digest(number), alice(now + LIFETIME), on(now));
            assert!(seen.get(&digest(0), on(now)).is_some(), "{number}");
        }
        let halves = seen.halves(1).expect("the same keys");
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
    }
}

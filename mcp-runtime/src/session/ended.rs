//! Sessions that their clients ended, remembered until their ids expire.
//!
//! What one caller ends takes no room from others: whoever fills a share loses what that same share forgets.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use super::{Owner, Session, SessionKey};

/// So many are remembered in all, in about 4 MiB.
const MOST: usize = 65_536;

/// So many of one known caller.
const MOST_OF_ONE: usize = 1024;

/// So many of all anonymous callers, whose sessions nobody owns.
const MOST_ANONYMOUS: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    of: HashMap<Owner, BTreeSet<(u64, SessionKey)>>,
    count: usize,
}

/// Too many callers ended sessions: no further one can be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Ended {
    pub(super) fn contains(&self, session: &Session) -> bool {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.count > 0 && memory.of.get(&session.owner).is_some_and(|ended| ended.contains(&(session.expires, session.key)))
    }

    /// `now` is in seconds since 1970.
    pub(super) fn insert(&self, session: &Session, now: u64) -> Result<(), Full> {
        let share = if session.owner.is_some() { MOST_OF_ONE } else { MOST_ANONYMOUS };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session, now, share, MOST)
    }
}

impl Memory {
    fn insert(&mut self, session: &Session, now: u64, share: usize, most: usize) -> Result<(), Full> {
        if self.count >= most {
            // What has expired is refused without being remembered.
            for ended in self.of.values_mut() {
                self.count -= forget(ended, |_, expires| expires <= now);
            }
            self.of.retain(|_, ended| !ended.is_empty());
        }
        let ended = self.of.entry(session.owner).or_default();
        self.count -= forget(ended, |left, expires| expires <= now || left >= share);
        if self.count >= most {
            return Err(Full);
        }
        self.count += usize::from(ended.insert((session.expires, session.key)));
        Ok(())
    }
}

/// Takes away the earliest to expire while `condition` holds, of how many are left and the earliest expiry; says how many.
fn forget(ended: &mut BTreeSet<(u64, SessionKey)>, condition: impl Fn(usize, u64) -> bool) -> usize {
    let before = ended.len();
    while let Some((expires, _)) = ended.first()
        && condition(ended.len(), *expires)
    {
        ended.pop_first();
    }
    before - ended.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Capabilities;
    use crate::protocol::Era;
    use crate::protocol::legacy::Client;

    fn session(owner: Owner, key: u8, expires: u64) -> Session {
        let client = Client { era: Era::V2025_11_25, capabilities: Capabilities::default() };
        Session { key: [key; 24], client, owner, expires }
    }

    fn remembered(memory: &Memory, session: &Session) -> bool {
        memory.of.get(&session.owner).is_some_and(|ended| ended.contains(&(session.expires, session.key)))
    }

    #[test]
    fn a_full_memory_refuses_until_something_expires() {
        let mut memory = Memory::default();
        let [first, second, third] = [(1, 100), (2, 50), (3, 70)].map(|(of, expires)| session(Some([of; 32]), of, expires));
        assert_eq!(memory.insert(&first, 10, 9, 2), Ok(()));
        assert_eq!(memory.insert(&second, 10, 9, 2), Ok(()));
        assert_eq!(memory.insert(&second, 10, 9, 3), Ok(()), "it is there already");
        assert_eq!(memory.count, 2);
        assert_eq!(memory.insert(&third, 10, 9, 2), Err(Full));
        assert!(remembered(&memory, &first) && remembered(&memory, &second) && !remembered(&memory, &third));
        assert_eq!(memory.insert(&third, 50, 9, 2), Ok(()));
        assert!(remembered(&memory, &first) && !remembered(&memory, &second) && remembered(&memory, &third));
        assert_eq!(memory.count, 2);
    }

    #[test]
    fn a_caller_over_its_share_forgets_its_own() {
        let mut memory = Memory::default();
        let (alice, bob) = (Some([1; 32]), None);
        let kept = session(alice, 1, 20);
        assert_eq!(memory.insert(&kept, 0, 2, 100), Ok(()));
        for key in 0..9 {
            assert_eq!(memory.insert(&session(bob, key, 100 + u64::from(key)), 0, 2, 100), Ok(()));
        }
        assert!(remembered(&memory, &kept));
        assert_eq!(memory.count, 3);
        assert!(!remembered(&memory, &session(bob, 6, 106)) && remembered(&memory, &session(bob, 7, 107)));
    }
}

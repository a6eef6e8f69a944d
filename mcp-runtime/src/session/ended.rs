//! Sessions that their clients ended, remembered until their ids expire.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::{Session, SessionKey};

/// So many are remembered, in about 4 MiB.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<BTreeSet<(u64, SessionKey)>>);

/// No further session can be remembered as ended. Forgetting another one would bring that one back to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Ended {
    pub(super) fn contains(&self, session: &Session) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(session.expires, session.key))
    }

    /// `now` is in seconds since 1970.
    pub(super) fn insert(&self, session: &Session, now: u64) -> Result<(), Full> {
        self.insert_up_to(MOST, session, now)
    }

    fn insert_up_to(&self, most: usize, session: &Session, now: u64) -> Result<(), Full> {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What has expired is refused without being remembered. The earliest come first.
        while ended.first().is_some_and(|(expires, _)| *expires <= now) {
            ended.pop_first();
        }
        if ended.len() >= most {
            return Err(Full);
        }
        ended.insert((session.expires, session.key));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Capabilities;
    use crate::protocol::Era;
    use crate::protocol::legacy::Client;

    #[test]
    fn a_full_memory_refuses_until_something_expires() {
        let session = |key: u8, expires| Session {
            key: [key; 24],
            client: Client { era: Era::V2025_11_25, capabilities: Capabilities::default() },
            expires,
        };
        let ended = Ended::default();
        assert_eq!(ended.insert_up_to(2, &session(1, 100), 10), Ok(()));
        assert_eq!(ended.insert_up_to(2, &session(2, 50), 10), Ok(()));
        assert_eq!(ended.insert_up_to(2, &session(3, 70), 10), Err(Full));
        assert!(ended.contains(&session(1, 100)) && ended.contains(&session(2, 50)) && !ended.contains(&session(3, 70)));
        assert_eq!(ended.insert_up_to(2, &session(3, 70), 50), Ok(()));
        assert!(ended.contains(&session(1, 100)) && !ended.contains(&session(2, 50)));
    }
}

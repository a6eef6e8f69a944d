//! The log levels that sessions asked for. One instance remembers them; on another, and when forgotten, a session has none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Session, SessionKey};
use crate::call::LogLevel;

/// So many are remembered, in about 2 MiB; then the session that expires first is forgotten.
const MOST: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Levels(Mutex<HashMap<SessionKey, (LogLevel, u64)>>);

impl Levels {
    pub(super) fn get(&self, session: &Session) -> Option<LogLevel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&session.key).map(|(level, _)| *level)
    }

    pub(super) fn set(&self, session: &Session, level: LogLevel) {
        self.set_among(MOST, session, level);
    }

    pub(super) fn forget(&self, session: &Session) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.key);
    }

    fn set_among(&self, most: usize, session: &Session, level: LogLevel) {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= most
            && !levels.contains_key(&session.key)
            && let Some(first) = levels.iter().min_by_key(|(_, (_, expires))| *expires).map(|(key, _)| *key)
        {
            levels.remove(&first);
        }
        levels.insert(session.key, (level, session.expires));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session;

    #[test]
    fn the_session_that_expires_first_gives_way() {
        let levels = Levels::default();
        let expiring = |mark: u8, expires| Session { expires, ..session(mark) };
        let [first, second, third] = [expiring(1, 20), expiring(2, 10), expiring(3, 30)];
        levels.set_among(2, &first, LogLevel::Info);
        levels.set_among(2, &second, LogLevel::Error);
        levels.set_among(2, &second, LogLevel::Debug);
        assert_eq!((levels.get(&first), levels.get(&second)), (Some(LogLevel::Info), Some(LogLevel::Debug)));
        levels.set_among(2, &third, LogLevel::Alert);
        assert_eq!(
            (levels.get(&first), levels.get(&second), levels.get(&third)),
            (Some(LogLevel::Info), None, Some(LogLevel::Alert))
        );
        levels.forget(&first);
        assert_eq!(levels.get(&first), None);
    }
}

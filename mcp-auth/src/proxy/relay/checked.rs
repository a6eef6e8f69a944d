//! Which relay sessions were found good a moment ago.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(30);
/// Of each generation. One that has no place is asked about each time.
const ROOM: usize = 10_000;

/// Two generations: the older one goes as a whole, so that nothing is ever searched for what is too old.
pub(super) struct Checked {
    recent: HashMap<[u8; 32], SystemTime>,
    older: HashMap<[u8; 32], SystemTime>,
    turned: SystemTime,
}

impl Default for Checked {
    fn default() -> Self {
        Self { recent: HashMap::new(), older: HashMap::new(), turned: UNIX_EPOCH }
    }
}

impl Checked {
    pub(super) fn is_good(&self, id: &[u8; 32], now: SystemTime) -> bool {
        let is_fresh = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age < FRESH);
        self.recent.get(id).is_some_and(is_fresh) || self.older.get(id).is_some_and(is_fresh)
    }

    pub(super) fn add(&mut self, id: [u8; 32], now: SystemTime) {
        let is_due = now.duration_since(self.turned).map_or(true, |age| age >= FRESH);
        if is_due || self.recent.len() >= ROOM {
            self.older = std::mem::take(&mut self.recent);
            self.turned = now;
        }
        self.recent.insert(id, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_counts_for_thirty_seconds() {
        let mut checked = Checked::default();
        checked.add([1; 32], at(100));
        assert!(checked.is_good(&[1; 32], at(100)) && checked.is_good(&[1; 32], at(129)));
        assert!(!checked.is_good(&[1; 32], at(130)), "too old");
        assert!(!checked.is_good(&[1; 32], at(99)), "the clock went back");
        assert!(!checked.is_good(&[2; 32], at(100)));
        checked.add([2; 32], at(129));
        checked.add([3; 32], at(131));
        assert!(checked.is_good(&[2; 32], at(158)), "the generation before counts");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut checked = Checked::default();
        for i in 0..3 * ROOM as u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&i.to_le_bytes());
            checked.add(id, at(100));
        }
        assert!(checked.recent.len() <= ROOM && checked.older.len() <= ROOM);
    }
}

//! Which relay sessions were found good a moment ago.

use std::time::{Duration, SystemTime};

use crate::recent::Recent;

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(30);
/// So many are remembered at most. One that was forgotten is asked about again.
const ROOM: usize = 20_000;

/// When each was found good.
pub(super) struct Checked(Recent<[u8; 32], SystemTime>);

impl Default for Checked {
    fn default() -> Self {
        Self(Recent::new(ROOM))
    }
}

impl Checked {
    pub(super) fn is_good(&mut self, id: &[u8; 32], now: SystemTime) -> bool {
        self.0.used(id).is_some_and(|at| now.duration_since(*at).is_ok_and(|age| age < FRESH))
    }

    pub(super) fn add(&mut self, id: [u8; 32], now: SystemTime) {
        self.0.put(id, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

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
        assert!(checked.is_good(&[2; 32], at(158)), "the one before still counts");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut checked = Checked::default();
        for i in 0..3 * ROOM as u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&i.to_le_bytes());
            checked.add(id, at(100));
        }
        assert!(checked.0.len() <= ROOM);
    }
}

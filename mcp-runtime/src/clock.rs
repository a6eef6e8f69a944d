//! The time of statements that other instances, and this one after a restart, must read.

use std::time::{SystemTime, UNIX_EPOCH};

/// In seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

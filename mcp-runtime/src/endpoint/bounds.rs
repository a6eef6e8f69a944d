//! The bounds that have a default.

use std::time::Duration;

/// What one server takes, holds and waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) max_result_bytes: usize,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_concurrent_calls: usize,
    /// Of legacy clients that left.
    pub(crate) max_unattended_calls: usize,
    pub(crate) max_connections: usize,
    /// That listen, over all callers.
    pub(crate) max_streams: usize,
    pub(crate) client_timeout: Duration,
    pub(crate) drain: Duration,
    /// Of request bodies that are being received, over all connections.
    pub(crate) max_buffered_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            max_result_bytes: 1024 * 1024,
            heartbeat: Some(Duration::from_secs(15)),
            max_body_bytes: 4 * 1024 * 1024,
            max_concurrent_calls: 1024,
            max_unattended_calls: 256,
            max_connections: 4096,
            max_streams: 2048,
            client_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            max_buffered_bytes: 256 * 1024 * 1024,
        }
    }
}

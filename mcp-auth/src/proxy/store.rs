//! What must be remembered of credentials that were issued: that one was used, or that one no longer counts.

use std::fmt;
use std::pin::Pin;
use std::time::SystemTime;

/// What a store returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A credential that was issued, as a store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Stands for it, and tells nothing of it.
    pub id: [u8; 32],
    /// When it was issued, by the clock of who issued it.
    pub at: SystemTime,
    /// From then on it is not accepted anyway, so nothing more need be remembered.
    pub until: SystemTime,
}

/// Remembers which assertions were used, so that each is used once.
///
/// Single use holds among the instances that share a store. With the one in memory, [`MemoryReplays`](crate::MemoryReplays),
/// each instance takes an assertion once.
pub trait ReplayStore: Send + Sync + 'static {
    /// Was this one used? From now on it was. To ask and to remember must be one step: of two requests that come together
    /// with one assertion, one is told [`Replay::Fresh`].
    ///
    /// # Errors
    /// The store does not answer; then the request is turned down.
    fn insert(&self, assertion: Issued, now: SystemTime) -> StoreFuture<'_, Replay>;
}

/// What a store knows of the use of an assertion. All but the first turn the request down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replay {
    /// It was not used before, and now it is.
    Fresh,
    /// It was used before.
    Seen,
    /// It was issued before the store began, which has no knowledge of its use.
    Older,
    /// It may have been issued before the store began, clocks being what they are; a later one can be told.
    Unknown,
    /// There is no room to remember it.
    Full,
}

/// Remembers which relay sessions were revoked.
///
/// A revocation holds among the instances that share a store.
pub trait RevocationStore: Send + Sync + 'static {
    /// Revokes this one. To revoke twice is no fault.
    ///
    /// # Errors
    /// The store does not answer, or has no room: the session is not revoked.
    fn revoke(&self, session: Issued, now: SystemTime) -> StoreFuture<'_, ()>;

    /// Was this one revoked?
    ///
    /// # Errors
    /// The store does not answer; then the request is turned down.
    fn is_revoked(&self, session: Issued, now: SystemTime) -> StoreFuture<'_, bool>;
}

/// A store does not answer, or who knows the users. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(Box<str>);

impl StoreError {
    /// With what went wrong; no credential.
    #[must_use]
    pub fn new(what: impl Into<Box<str>>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

//! Asking once more whether a user may still come in.

use std::fmt;
use std::pin::Pin;
use std::time::SystemTime;

use http::HeaderMap;

use super::store::StoreError;
use crate::Principal;
use crate::cookie::cookie;

/// What [`Recheck::recheck`] returns.
pub type RecheckFuture<'a> = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send + 'a>>;

/// Knows whether users, and the sessions that they began, are still good. A function from a [`Caller`] to a future of the
/// answer is one:
///
/// ```
/// use mcp_auth::{Caller, Recheck, Standing, StoreError};
///
/// fn users() -> impl Recheck {
///     |caller: Caller| async move {
///         let is_active = look_up(caller.principal().subject()).await.map_err(|_| StoreError::new("no database"))?;
///         Ok(if is_active { Standing::Good } else { Standing::Gone })
///     }
/// }
/// # async fn look_up(_: &str) -> Result<bool, std::fmt::Error> { Ok(true) }
/// # let _ = users();
/// ```
pub trait Recheck: Send + Sync + 'static {
    /// May this caller still come in?
    ///
    /// # Errors
    /// Who knows does not answer; then the request is turned down with 503.
    fn recheck<'a>(&'a self, caller: &'a Caller) -> RecheckFuture<'a>;
}

/// How it stands with a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The user is active, and their session not ended.
    Good,
    /// The user is inactive or no more, or the session is over.
    Gone,
}

/// Who is asked about.
#[derive(Clone)]
pub struct Caller {
    pub(super) principal: Principal,
    pub(super) kept: HeaderMap,
    pub(super) now: SystemTime,
}

impl Caller {
    /// Who they say they are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The cookie of this name, of those that a relay session keeps from the request that asked for it: the session that it
    /// must not outlive.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        cookie(&self.kept, name).ok().flatten()
    }

    /// The time to judge by.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }
}

/// What is kept is a secret.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("principal", &self.principal).field("now", &self.now).finish_non_exhaustive()
    }
}

impl<F, R> Recheck for F
where
    F: Fn(Caller) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Standing, StoreError>> + Send + 'static,
{
    fn recheck<'a>(&'a self, caller: &'a Caller) -> RecheckFuture<'a> {
        Box::pin(self(caller.clone()))
    }
}

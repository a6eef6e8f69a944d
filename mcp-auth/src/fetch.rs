//! What authenticators ask of authorization servers.

#[cfg(all(any(feature = "introspection", feature = "django"), not(feature = "fetch")))]
mod absent;
#[cfg(feature = "fetch")]
mod address;
#[cfg(feature = "fetch")]
mod client;
#[cfg(feature = "fetch")]
pub(crate) mod flight;
#[cfg(feature = "fetch")]
pub(crate) mod metadata;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};

#[cfg(feature = "fetch")]
pub use client::HttpsClient;

/// What [`Fetch::fetch`] returns.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, FetchError>> + Send + 'a>>;

/// Sends one request and brings the whole answer: the network, or a test's own authority.
///
/// It follows no redirects, answers within seconds, and takes no answer that is longer than 1 MiB.
pub trait Fetch: Send + Sync + 'static {
    /// Sends the request; its URI is absolute.
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_>;

    /// Why it would never send a request to this URL, in a sentence: for the [problems](crate::Authenticate::problems) of
    /// those who ask with it.
    fn problem(&self, url: &str, trust: Trust) -> Option<String> {
        let _ = (url, trust);
        None
    }
}

/// What authenticators ask with that are given no client: the shared one, where this build has it.
#[cfg(any(feature = "introspection", feature = "django", feature = "jwt"))]
pub(crate) fn shared() -> Arc<dyn Fetch> {
    #[cfg(feature = "fetch")]
    return HttpsClient::shared();
    #[cfg(not(feature = "fetch"))]
    Arc::new(absent::Absent)
}

impl<F: Fetch + ?Sized> Fetch for Arc<F> {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        (**self).fetch(request, trust)
    }

    fn problem(&self, url: &str, trust: Trust) -> Option<String> {
        (**self).problem(url, trust)
    }
}

/// Where a URL comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The operator wrote it: it may be in a private network.
    Configured,
    /// A document named it: it must be public, and `https`.
    Discovered,
}

/// No answer came. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError(Box<str>);

impl FetchError {
    /// With what went wrong; no credential.
    #[must_use]
    pub fn new(what: impl Into<Box<str>>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FetchError {}

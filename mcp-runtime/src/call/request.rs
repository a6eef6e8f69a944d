//! The request that brought a call: with its credential for who judges it again, and without for handlers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{Extensions, HeaderMap, HeaderName, Uri};

/// The head of the request that brought a call. Empty where it came over a pipe.
#[derive(Default)]
pub(crate) struct RequestHead {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    /// Which headers are not for handlers: a token passed on is a token leaked.
    pub(crate) hidden: Arc<[HeaderName]>,
    /// The others, once a handler asks.
    pub(crate) shown: OnceLock<HeaderMap>,
}

impl RequestHead {
    /// What handlers see of the headers.
    pub(super) fn shown(&self) -> &HeaderMap {
        self.shown.get_or_init(|| {
            let mut headers = self.headers.clone();
            for name in &*self.hidden {
                headers.remove(name);
            }
            headers
        })
    }
}

/// It has secrets.
impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead").field("uri", &self.uri.path()).finish_non_exhaustive()
    }
}

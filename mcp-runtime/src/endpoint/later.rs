//! Answers that have to wait for a store.

use std::fmt;
use std::pin::Pin;

use http::StatusCode;

use super::Listening;
use crate::protocol::Refusal;

type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>;

/// An answer that is being made.
pub(crate) struct Later(Waiting<Vec<u8>>);

impl Later {
    pub(super) fn new(answer: impl Future<Output = Result<Vec<u8>, Refusal>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }

    /// Its status and body.
    pub(crate) async fn answer(self) -> (StatusCode, Vec<u8>) {
        match self.0.await {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (refusal.status, refusal.to_json()),
        }
    }
}

/// A stream that is being opened.
pub(crate) struct Opening(Waiting<Listening>);

impl Opening {
    pub(super) fn new(opening: impl Future<Output = Result<Listening, Refusal>> + Send + 'static) -> Self {
        Self(Box::pin(opening))
    }

    pub(crate) async fn open(self) -> Result<Listening, Refusal> {
        self.0.await
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

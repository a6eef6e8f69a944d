//! A build without a client.

use http::Request;

use super::{Fetch, FetchError, FetchFuture, Trust};

/// What stands where a client must be given.
pub(super) struct Absent;

impl Fetch for Absent {
    fn fetch(&self, _: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        Box::pin(async { Err(FetchError::new("there is no client to ask with")) })
    }

    fn problem(&self, _: &str, _: Trust) -> Option<String> {
        Some("nothing here can ask: give a client with `.fetching_with(..)`, or turn on the feature `fetch`".to_owned())
    }
}

//! The metadata of an authorization server, at a server that takes its tokens.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use http::{Method, Response};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::answer::{about_published, not_published, published};
use crate::fetch::flight::Flight;
use crate::fetch::metadata::{find, urls};
use crate::{Fetch, HttpsClient, Trust};

/// From this age on, the document is fetched again.
const STALE: Duration = Duration::from_secs(10 * 60);
/// For so long the last one counts while the authority does not answer.
const OUTAGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a failure stands before the next attempt, with a document to go on with and without.
const PAUSE: Duration = Duration::from_secs(60);
const SHORT_PAUSE: Duration = Duration::from_secs(5);
/// What caches are told: `STALE`.
const CACHING: &str = "public, max-age=600";

/// The RFC 8414 document of an authorization server, for clients that look for it at the MCP server.
///
/// Those of MCP 2025-03-26 do: they know of no other place than `/.well-known/oauth-authorization-server` on the MCP server's
/// origin. Later ones read in the [protected resource metadata](crate::Auth::metadata) who the authorization server is, and ask
/// that one itself; they need no mirror.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// # let client = mcp_auth::testing::Authority::at("https://www.example.com/o");
/// use http::Method;
/// use mcp_auth::MetadataMirror;
///
/// let mirror = MetadataMirror::of("https://www.example.com/o").fetching_with(client);
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
/// let answer = mirror.answer(&Method::GET).await;
/// # assert_eq!(answer.status(), 200);
/// # });
/// # }
/// ```
///
/// The document is the issuer's own, by the `issuer` in it, and says all else as that one does. It is found as [`Jwt`](crate::Jwt)
/// finds keys, is at most 1 MiB, and kept for 10 minutes; while the authorization server does not answer, the last one counts
/// for up to a day. A clone is the same mirror.
#[derive(Clone)]
pub struct MetadataMirror {
    issuer: Arc<str>,
    fetch: Arc<dyn Fetch>,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    state: RwLock<State>,
    flight: Mutex<Flight<Vec<u8>>>,
}

#[derive(Default)]
struct State {
    held: Option<(Arc<[u8]>, Instant)>,
    /// When and how the last fetch failed, unless it succeeded.
    failure: Option<(Instant, String)>,
}

/// What there is to do for an answer.
enum Step {
    Answer(Arc<[u8]>),
    GiveUp,
    Fetch,
}

impl State {
    fn step(&self) -> Step {
        let held = self.last();
        let pause = if held.is_some() { PAUSE } else { SHORT_PAUSE };
        let failed = self.failure.as_ref().is_some_and(|(at, _)| at.elapsed() < pause);
        match held {
            Some((document, at)) if failed || at.elapsed() < STALE => Step::Answer(document.clone()),
            None if failed => Step::GiveUp,
            _ => Step::Fetch,
        }
    }

    /// The document that counts where there is no newer one.
    fn last(&self) -> Option<&(Arc<[u8]>, Instant)> {
        self.held.as_ref().filter(|(_, at)| at.elapsed() < OUTAGE)
    }
}

impl MetadataMirror {
    /// Of this authorization server: its issuer identifier, as it stands in its metadata, character by character.
    #[must_use]
    pub fn of(issuer: impl Into<Arc<str>>) -> Self {
        Self { issuer: issuer.into(), fetch: HttpsClient::shared(), kept: Arc::default() }
    }

    /// What the document is fetched with: the application's own client, or in tests the `testing::Authority`.
    #[must_use]
    pub fn fetching_with(self, fetch: impl Fetch) -> Self {
        Self { issuer: self.issuer, fetch: Arc::new(fetch), kept: Arc::default() }
    }

    /// The issuer that it is of.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The answer to a request: to a GET or HEAD the document, or 503 with `Retry-After` while there is none; and to an OPTIONS
    /// that pages of every origin may read it. A HEAD is answered with a body, which whoever sends the answer leaves out.
    pub async fn answer(&self, method: &Method) -> Response<Vec<u8>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return about_published(method);
        }
        match self.document().await {
            Some(document) => published(document.to_vec(), CACHING),
            None => not_published(SHORT_PAUSE),
        }
    }

    /// Why there is no newer document, if the last attempt to get one failed: for the log.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.kept.read().failure.as_ref().map(|(_, failure)| failure.clone())
    }

    /// Why there will never be a document, in sentences.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if urls(&self.issuer).is_none() {
            problems.push(format!(
                "the issuer `{}` is no URL without query and fragment: its metadata can not be found",
                self.issuer
            ));
        }
        problems.extend(self.fetch.problem(&self.issuer, Trust::Configured));
        problems
    }

    async fn document(&self) -> Option<Arc<[u8]>> {
        let step = self.kept.read().step();
        match step {
            Step::Answer(document) => return Some(document),
            Step::GiveUp => return None,
            Step::Fetch => {}
        }
        let mut flight = self.kept.flight.lock().await;
        // Another request may have done it meanwhile.
        let step = self.kept.read().step();
        match step {
            Step::Answer(document) => return Some(document),
            Step::GiveUp => return None,
            Step::Fetch => {}
        }
        let (fetched, began) = flight.land(|| fetch(self.fetch.clone(), self.issuer.clone())).await;
        let mut state = self.kept.write();
        match fetched {
            Ok(document) => *state = State { held: Some((document.into(), began)), failure: None },
            Err(failure) => state.failure = Some((Instant::now(), failure)),
        }
        state.last().map(|(document, _)| document.clone())
    }
}

async fn fetch(fetch: Arc<dyn Fetch>, issuer: Arc<str>) -> Result<Vec<u8>, String> {
    // Written anew, so that what was checked is what all readers find, also where a name is there twice.
    find(&*fetch, &issuer, |document| Ok(document.to_string().into_bytes())).await
}

impl Kept {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MetadataMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataMirror").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

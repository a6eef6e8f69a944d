//! For how long a stream may stay open: until its credential ends, or is found to hold no longer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request};
use mcp_auth::{Decision, Principal, Rejection, RejectionKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Endpoint, sleep_until};

/// How often the credential of an open stream is judged anew. What was revoked is noticed within this time, and that for which
/// authenticators remember their answers.
const AGAIN: Duration = Duration::from_secs(10);

/// What lets a stream stay open. Its end is noticed whether or not the stream is busy.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When it ends in any case.
    until: Option<Instant>,
    revoked: CancellationToken,
    _worker: Option<AbortOnDropHandle<()>>,
}

impl Watch {
    /// Over a caller whose credential is not judged again.
    pub(super) fn of(principal: Option<&Principal>) -> Self {
        Self { until: end_of_credential(principal), ..Self::default() }
    }

    /// Over the credential that this request came with, and no longer than until then.
    pub(super) fn over(endpoint: &Arc<Endpoint>, head: Parts, principal: Option<&Principal>, until: Option<Instant>) -> Self {
        let until = [end_of_credential(principal), until].into_iter().flatten().min();
        let revoked = CancellationToken::new();
        // What counts once would be found used; how long it lasts otherwise, its authenticator says.
        let judged = principal.filter(|principal| endpoint.access.auth.is_some() && principal.lasting().is_none());
        let worker = judged.cloned().map(|principal| {
            let (endpoint, revoked) = (Arc::clone(endpoint), revoked.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                judge_again(&endpoint, &head, &principal).await;
                revoked.cancel();
            }))
        });
        Self { until, revoked, _worker: worker }
    }

    /// Resolves when the stream must end.
    pub(crate) async fn ended(&self) {
        tokio::select! {
            () = sleep_until(self.until) => {}
            () = self.revoked.cancelled() => {}
        }
    }
}

/// Returns when the credential no longer holds.
async fn judge_again(endpoint: &Endpoint, head: &Parts, principal: &Principal) {
    let Some(auth) = &endpoint.access.auth else { return };
    let mut unanswered = false;
    loop {
        tokio::time::sleep(AGAIN).await;
        match auth.decide(head).await {
            Decision::Accepted(again) if again == *principal => unanswered = false,
            // One silence of who could tell is no revocation; two in a row may hide one.
            Decision::Rejected(rejection) if is_silence(&rejection) && !unanswered => unanswered = true,
            _ => return,
        }
    }
}

fn is_silence(rejection: &Rejection) -> bool {
    matches!(rejection.kind(), RejectionKind::Unavailable | RejectionKind::TooManyAttempts)
}

/// The head of a POST, as far as authenticators look at it.
pub(super) fn head_of(headers: HeaderMap, extensions: Extensions) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.headers = headers;
    head.extensions = extensions;
    head
}

/// When this caller's credential ends, on the clock of timers.
fn end_of_credential(principal: Option<&Principal>) -> Option<Instant> {
    let principal = principal?;
    let left = principal.expires_at().map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
    let lasts = [left, principal.lasting()].into_iter().flatten().min()?;
    Instant::now().checked_add(lasts)
}

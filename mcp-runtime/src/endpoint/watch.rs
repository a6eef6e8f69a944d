//! For how long a stream may stay open, and a call or task go on: until the credential ends, or is found to hold no longer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri};
use mcp_auth::{Decision, Principal, Rejection, RejectionKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Carrier, Endpoint, Head, sleep_until};
use crate::call::Context;

/// How often the credential of an open stream or a task is judged anew. What was revoked is noticed within this time, and that for which
/// authenticators remember their answers.
const AGAIN: Duration = Duration::from_secs(10);

/// What lets a stream stay open, or a task go on. Its end is noticed whether or not they are busy.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// When the credential ends.
    ends_at: Option<SystemTime>,
    /// When it ends in any case, on the clock of timers.
    until: Option<Instant>,
    revoked: CancellationToken,
    _worker: Option<AbortOnDropHandle<()>>,
}

impl Watch {
    /// Over a caller whose credential is not judged again.
    pub(super) fn of(principal: Option<&Principal>) -> Self {
        Self::lasting(principal.and_then(end_of))
    }

    /// Over a credential of which no more is known than its end.
    pub(crate) fn lasting(ends_at: Option<SystemTime>) -> Self {
        Self { ends_at, until: ends_at.and_then(on_the_clock_of_timers), ..Self::default() }
    }

    /// Over the credential that a request came with.
    pub(super) fn over_head(endpoint: &Arc<Endpoint>, head: &Head) -> Self {
        match &head.carrier {
            Carrier::Http(headers) => {
                let parts = || post(head.uri.clone(), headers.clone(), head.extensions.clone());
                Self::over(endpoint, parts, head.principal.as_ref(), None)
            }
            Carrier::Pipe(_) => Self::of(head.principal.as_ref()),
        }
    }

    /// Over the credential that a call came with.
    pub(super) fn over_call(endpoint: &Arc<Endpoint>, call: &Context) -> Self {
        let request = call.request();
        let parts = || post(request.uri.clone(), request.headers.clone(), request.extensions.clone());
        Self::over(endpoint, parts, call.principal(), None)
    }

    /// Over the credential that this request came with, and no longer than until then.
    pub(super) fn over(
        endpoint: &Arc<Endpoint>,
        head: impl FnOnce() -> Parts,
        principal: Option<&Principal>,
        until: Option<Instant>,
    ) -> Self {
        let ends_at = principal.and_then(end_of);
        let until = [ends_at.and_then(on_the_clock_of_timers), until].into_iter().flatten().min();
        let revoked = CancellationToken::new();
        // What counts once would be found used; how long it lasts otherwise, its authenticator says.
        let again = principal.filter(|principal| endpoint.access.judges && principal.lasting().is_none());
        let worker = again.cloned().map(|principal| {
            let (endpoint, revoked, head) = (Arc::clone(endpoint), revoked.clone(), head());
            AbortOnDropHandle::new(tokio::spawn(async move {
                judge_again(&endpoint, &head, &principal).await;
                revoked.cancel();
            }))
        });
        Self { ends_at, until, revoked, _worker: worker }
    }

    /// Does a credential with this end last longer? One without an end always does: what it is worth now may be another.
    pub(crate) fn is_outlasted_by(&self, ends_at: Option<SystemTime>) -> bool {
        ends_at.is_none() || (self.ends_at.is_some() && ends_at > self.ends_at)
    }

    /// Resolves when the stream or the task must end.
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
            Decision::Accepted(again) if is_still(&again, principal) => unanswered = false,
            // One silence of who could tell is no revocation; two in a row may hide one.
            Decision::Rejected(rejection) if is_silence(&rejection) && !unanswered => unanswered = true,
            _ => return,
        }
    }
}

/// The same caller, with all the scopes that they began with: what they may hear and do was decided by those.
fn is_still(again: &Principal, principal: &Principal) -> bool {
    again == principal && principal.granted().iter().all(|scope| again.granted().grants(scope))
}

fn is_silence(rejection: &Rejection) -> bool {
    matches!(rejection.kind(), RejectionKind::Unavailable | RejectionKind::TooManyAttempts)
}

/// The head of a POST, as far as authenticators look at it.
fn post(uri: Uri, headers: HeaderMap, extensions: Extensions) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::POST;
    head.uri = uri;
    head.headers = headers;
    head.extensions = extensions;
    head
}

/// When what this caller's request begins must end.
pub(super) fn end_of(principal: &Principal) -> Option<SystemTime> {
    let lasts = principal.lasting().and_then(|lasting| SystemTime::now().checked_add(lasting));
    [principal.expires_at(), lasts].into_iter().flatten().min()
}

fn on_the_clock_of_timers(at: SystemTime) -> Option<Instant> {
    Instant::now().checked_add(at.duration_since(SystemTime::now()).unwrap_or_default())
}

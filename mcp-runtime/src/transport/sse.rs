//! A call's answer as server-sent events: what it reports while it works, then its result.
//!
//! The stream owns the call. A client that goes away drops the stream, and with it the handler's future: that is how this
//! era cancels (MCP 2026-07-28, "Cancellation").

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response};
use bytes::Bytes;
use tokio::time::Sleep;

use super::body::ReplyBody;
use crate::call::{Event, Progress};
use crate::protocol;
use crate::server::Call;

/// A comment at this pace keeps proxies from closing a quiet stream, and finds out that a client is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) struct EventStream {
    first: Option<Bytes>,
    /// Gone once its result was sent.
    call: Option<Call>,
    quiet: Pin<Box<Sleep>>,
}

impl EventStream {
    /// A stream that begins with the first thing the call reports.
    pub(super) fn begin(call: Call, progress: &Progress) -> Self {
        let first = notification(&call, progress);
        Self { first, call: Some(call), quiet: Box::pin(tokio::time::sleep(KEEP_ALIVE)) }
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::Events(Box::new(self)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }

    /// The next event, as it goes over the wire.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        loop {
            let Some(call) = &mut self.call else { return Poll::Ready(None) };
            match call.running.poll_next(cx) {
                Poll::Ready(Event::Progress(progress)) => {
                    if let Some(event) = notification(call, &progress) {
                        return Poll::Ready(Some(event));
                    }
                }
                Poll::Ready(Event::Done(result)) => {
                    let event = event(&call.render(&result));
                    self.call = None;
                    return Poll::Ready(Some(event));
                }
                Poll::Pending => break,
            }
        }
        if self.quiet.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.restart(cx);
        Poll::Ready(Some(Bytes::from_static(b": keep-alive\n\n")))
    }

    pub(super) fn is_over(&self) -> bool {
        self.call.is_none() && self.first.is_none()
    }

    fn restart(&mut self, cx: &mut Context<'_>) {
        self.quiet.as_mut().reset(tokio::time::Instant::now() + KEEP_ALIVE);
        // Registers the new deadline.
        let _ = self.quiet.as_mut().poll(cx);
    }
}

fn notification(call: &Call, progress: &Progress) -> Option<Bytes> {
    let token = call.running.context().progress_token()?;
    Some(event(&protocol::progress(token, progress)))
}

/// One message, one event. JSON text has no raw line breaks: strings escape them, and ours has none between tokens.
fn event(json: &[u8]) -> Bytes {
    [b"data: ".as_slice(), json, b"\n\n"].concat().into()
}

//! A call's answer as server-sent events: what it reports while it works, then its result.
//!
//! From its first event on the call runs in a task of its own: a client that does not read must not hold up the tool, nor its
//! time limit. Between the two wait a few reports and the result, so a slow client gets less, and
//! costs little. A client that goes away drops the stream, which ends the task. What then becomes of the call depends on the
//! era: see [`Call`].

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response};
use bytes::Bytes;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use super::body::ReplyBody;
use crate::endpoint::{Call, Said};

/// A comment at this pace keeps proxies from closing a quiet stream, and finds out that a client is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// So many reports wait for a client that reads slowly.
const MOST_PENDING: usize = 16;

pub(crate) struct EventStream {
    pending: Arc<Mutex<Pending>>,
    over: bool,
    quiet: Pin<Box<Sleep>>,
    _worker: AbortOnDropHandle<()>,
}

/// What was said and not yet read.
#[derive(Default)]
struct Pending {
    reports: VecDeque<Bytes>,
    /// The answer, or that there is none.
    end: Option<Option<Bytes>>,
    reader: Option<Waker>,
}

impl EventStream {
    /// A stream that begins with the first thing the call reports.
    pub(super) fn begin(call: Call, report: &[u8]) -> Self {
        let pending = Arc::new(Mutex::new(Pending { reports: [event_of(report)].into(), ..Pending::default() }));
        let worker = tokio::spawn(work(call, Arc::clone(&pending)));
        let quiet = Box::pin(tokio::time::sleep(KEEP_ALIVE));
        Self { pending, over: false, quiet, _worker: AbortOnDropHandle::new(worker) }
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        response(ReplyBody::Events(Box::new(self)))
    }

    /// An answer of events, with none in it.
    pub(super) fn without_events() -> Response<ReplyBody> {
        response(ReplyBody::whole(Vec::new()))
    }

    /// The next event, as it goes over the wire.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(event) = self.take(cx.waker()) {
            self.quiet.as_mut().reset(tokio::time::Instant::now() + KEEP_ALIVE);
            return Poll::Ready(event);
        }
        if self.quiet.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.quiet.as_mut().reset(tokio::time::Instant::now() + KEEP_ALIVE);
        Poll::Ready(Some(Bytes::from_static(b": keep-alive\n\n")))
    }

    /// The next event, or the end, if one of them is there.
    fn take(&mut self, reader: &Waker) -> Option<Option<Bytes>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = pending.reports.pop_front() {
            return Some(Some(report));
        }
        if let Some(end) = pending.end.take() {
            self.over = true;
            return Some(end);
        }
        pending.reader = Some(reader.clone());
        None
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

fn response(events: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(events);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

async fn work(mut call: Call, pending: Arc<Mutex<Pending>>) {
    loop {
        let said = call.next().await;
        let mut state = pending.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match said {
            Said::Report(report) => {
                // A client that fell behind gets the latest instead of all.
                if state.reports.len() == MOST_PENDING {
                    state.reports.pop_front();
                }
                state.reports.push_back(event_of(&report));
                false
            }
            Said::Answer(answer) => {
                state.end = Some(Some(event_of(&answer)));
                true
            }
            Said::Cancelled => {
                state.reports.clear();
                state.end = Some(None);
                true
            }
        };
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        if done {
            return;
        }
    }
}

/// One message, one event. JSON text has no raw line breaks: strings escape them, and ours has none between tokens.
fn event_of(json: &[u8]) -> Bytes {
    [b"data: ".as_slice(), json, b"\n\n"].concat().into()
}

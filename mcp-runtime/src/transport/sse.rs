//! Answers as server-sent events: what a call reports, then its result; what a listener hears; what a client missed.
//!
//! From its first event on a stream has a task of its own, which fills a queue: a client that does not read must not hold up a
//! tool, nor its time limit. Of reports a few wait, so a slow client gets less; questions and answers wait for it. A client that
//! goes away drops the stream, which ends the task. What then becomes of a call depends on the era: see [`Call`]. In a legacy
//! session the task writes down what it sends, and goes on, for a client that comes back.

mod queue;
mod recorded;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response};
use bytes::Bytes;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use super::body::ReplyBody;
use crate::endpoint::{Call, Endpoint, Listening, Resumed, Said, Word};
use queue::Queue;

/// A comment at this pace keeps proxies from closing a quiet stream, and finds out that a client is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) struct EventStream {
    queue: Arc<Queue>,
    over: bool,
    quiet: Pin<Box<Sleep>>,
    worker: Option<AbortOnDropHandle<()>>,
    /// Who lets the work go on without a client, under which name.
    heir: Option<(Arc<Endpoint>, &'static str)>,
}

impl EventStream {
    /// A stream that begins with the first thing the call says.
    pub(super) fn begin(mut call: Call, first: Said) -> Self {
        call.head_is_sent();
        let queue = Arc::new(Queue::default());
        let endpoint = Arc::clone(call.endpoint());
        match call.session().and_then(|session| Some((endpoint.record(&session)?, call.era()))) {
            Some((recorder, era)) => {
                let heir = call.outlives_client().then(|| (endpoint, call.name()));
                call.ends_with_its_owner();
                let work = recorded::call(call, first, recorder, era, Arc::clone(&queue));
                let mut stream = Self::of(queue, work);
                stream.heir = heir;
                stream
            }
            None => Self::of(Arc::clone(&queue), work(call, first, queue)),
        }
    }

    /// What a client hears that listens.
    pub(super) fn listen(listening: Listening) -> Self {
        let queue = Arc::new(Queue::default());
        Self::of(Arc::clone(&queue), attend(listening, queue))
    }

    /// What a legacy client hears in its session, or missed.
    pub(super) fn resume(resumed: Resumed) -> Self {
        let queue = Arc::new(Queue::default());
        Self::of(Arc::clone(&queue), recorded::resume(resumed, queue))
    }

    fn of(queue: Arc<Queue>, work: impl Future<Output = ()> + Send + 'static) -> Self {
        let worker = AbortOnDropHandle::new(tokio::spawn(work));
        let quiet = Box::pin(tokio::time::sleep(KEEP_ALIVE));
        Self { queue, over: false, quiet, worker: Some(worker), heir: None }
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        response(ReplyBody::Events(Box::new(self)))
    }

    /// An answer of events, with none in it.
    pub(super) fn without_events() -> Response<ReplyBody> {
        response(ReplyBody::whole(Vec::new()))
    }

    /// An answer of one event.
    pub(super) fn of_one(json: &[u8]) -> Response<ReplyBody> {
        response(ReplyBody::whole(event_of(json).to_vec()))
    }

    /// The next event, as it goes over the wire.
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(event) = self.queue.take(cx.waker()) {
            self.over = event.is_none();
            self.quiet.as_mut().reset(tokio::time::Instant::now() + KEEP_ALIVE);
            return Poll::Ready(event);
        }
        if self.quiet.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.quiet.as_mut().reset(tokio::time::Instant::now() + KEEP_ALIVE);
        Poll::Ready(Some(Bytes::from_static(b": keep-alive\n\n")))
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let (Some(worker), Some((endpoint, name))) = (self.worker.take(), self.heir.take()) else { return };
        if !worker.is_finished() {
            endpoint.unattended.adopt(name, async move {
                let _ = worker.await;
            });
        }
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

/// Carries a call to its end.
async fn work(mut call: Call, first: Said, queue: Arc<Queue>) {
    let mut said = first;
    loop {
        match said {
            Said::Report(report) => queue.offer(event_of(&report)),
            Said::Question(question) => queue.put(event_of(&question)),
            // There is nothing to come back to.
            Said::CloseStream(_) => {}
            Said::Answer { body, .. } => {
                queue.put(event_of(&body));
                return queue.end();
            }
            Said::Cancelled => {
                queue.clear();
                return queue.end();
            }
        }
        said = call.next().await;
    }
}

/// Sends what a listener hears, as fast as its client reads: until then it is kept as a set.
async fn attend(mut listening: Listening, queue: Arc<Queue>) {
    loop {
        queue.room().await;
        match listening.next().await {
            Word::Notification(notification) => queue.put(event_of(&notification)),
            Word::End(last) => {
                if let Some(last) = last {
                    queue.put(event_of(&last));
                }
                return queue.end();
            }
        }
    }
}

/// One message, one event. JSON text has no raw line breaks: strings escape them, and ours has none between tokens.
fn event_of(json: &[u8]) -> Bytes {
    [b"data: ".as_slice(), json, b"\n\n"].concat().into()
}

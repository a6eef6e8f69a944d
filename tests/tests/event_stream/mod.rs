//! A stream of events, read as its client reads it: one event at a time.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::http_call::HttpCall;

/// No test takes so long; one that does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

/// One event, or a comment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) comment: bool,
}

/// A stream that a client reads.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    body: Body,
}

impl Stream {
    /// Sends the request, which must be answered with events.
    pub(crate) async fn open(router: &Router, call: HttpCall) -> Self {
        let response = router.clone().oneshot(call.request()).await.expect("routers do not fail");
        let (parts, body) = response.into_parts();
        if parts.status != 200 || parts.headers.get("content-type").is_none_or(|kind| kind != "text/event-stream") {
            let body = body.collect().await.expect("a whole body").to_bytes();
            panic!("no stream, but {} {}", parts.status, String::from_utf8_lossy(&body));
        }
        Self { headers: parts.headers, body }
    }

    /// The next event or comment; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let frame = match tokio::time::timeout(PATIENCE, self.body.frame()).await {
            Ok(frame) => frame?.expect("no error").into_data().expect("data"),
            Err(_) => panic!("waited in vain for an event"),
        };
        Some(Event::parse(std::str::from_utf8(&frame).expect("UTF-8")))
    }

    /// The next event that is no comment; `None` at the end.
    pub(crate) async fn next_event(&mut self) -> Option<Event> {
        loop {
            match self.event().await {
                Some(event) if event.comment => {}
                other => return other,
            }
        }
    }

    /// The next message, and the id of its event.
    pub(crate) async fn message(&mut self) -> (Option<String>, Value) {
        let event = self.next_event().await.expect("a message, not the end");
        let data = event.data.as_deref().unwrap_or_else(|| panic!("no data in {event:?}"));
        (event.id, serde_json::from_str(data).unwrap_or_else(|_| panic!("no JSON: {data:?}")))
    }

    /// The next message of a stream without ids.
    pub(crate) async fn plain(&mut self) -> Value {
        let (id, message) = self.message().await;
        assert_eq!(id, None, "{message}");
        message
    }

    /// The next message of a stream of a session, and its id.
    pub(crate) async fn numbered(&mut self) -> (String, Value) {
        let (id, message) = self.message().await;
        (id.unwrap_or_else(|| panic!("no id with {message}")), message)
    }

    /// An empty event that tells a client where it is.
    pub(crate) async fn priming(&mut self) -> String {
        let event = self.next_event().await.expect("an event");
        assert_eq!((event.data.as_deref(), event.retry), (Some(""), None), "{event:?}");
        event.id.expect("an id")
    }

    /// Everything to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut rest = Vec::new();
        while let Some(event) = self.next_event().await {
            rest.push(event);
        }
        rest
    }

    /// There is nothing more, and the stream is over.
    pub(crate) async fn ends(&mut self) {
        assert_eq!(self.next_event().await, None);
    }

    /// Nothing comes now, but the stream is open.
    pub(crate) async fn is_quiet(&mut self) {
        settle().await;
        while let Ok(event) = tokio::time::timeout(Duration::ZERO, self.event()).await {
            assert!(event.as_ref().is_some_and(|event| event.comment), "something came: {event:?}");
        }
    }
}

impl Event {
    fn parse(text: &str) -> Self {
        let lines = text.strip_suffix("\n\n").unwrap_or_else(|| panic!("not one whole event: {text:?}"));
        let mut event = Self::default();
        for line in lines.split('\n') {
            let (field, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {text:?}"));
            match field {
                "id" => assert_eq!(event.id.replace(value.to_owned()), None, "{text:?}"),
                "data" => assert_eq!(event.data.replace(value.to_owned()), None, "{text:?}"),
                "retry" => event.retry = Some(value.parse().expect("a number")),
                "" => event.comment = true,
                other => panic!("the field {other} in {text:?}"),
            }
        }
        event
    }

    pub(crate) fn json(&self) -> Value {
        let data = self.data.as_deref().unwrap_or_else(|| panic!("no data in {self:?}"));
        serde_json::from_str(data).unwrap_or_else(|_| panic!("no JSON: {data:?}"))
    }
}

/// The status of an answer whose body nobody reads: it may be a stream without an end.
pub(crate) async fn status(router: &Router, call: HttpCall) -> u16 {
    router.clone().oneshot(call.request()).await.expect("routers do not fail").status().as_u16()
}

/// Everything that can run now has run.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// The GET of a legacy session.
pub(crate) fn get(era: Era, session: &str) -> HttpCall {
    let call = HttpCall::legacy(era, "none", json!({})).http_method(Method::GET).body("").without_header("content-type");
    call.header("accept", "text/event-stream").session(session)
}

/// The GET of a client that comes back after an event.
pub(crate) fn get_after(era: Era, session: &str, event: &str) -> HttpCall {
    get(era, session).header("last-event-id", event)
}

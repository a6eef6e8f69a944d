//! Writes one stream down, and reads it again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::store::{EventStore, Replay, StoredEvent};
use crate::names::{hex, random_name};
use crate::session::SessionKey;

/// A stream that another instance writes is looked at this often.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// The streams of all sessions.
pub(crate) struct Streams {
    store: Arc<dyn EventStore>,
    /// Rung when something is appended here.
    bells: Mutex<HashMap<Box<str>, Weak<Notify>>>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streams")
    }
}

/// An event's name on the wire: that of its stream, and its number in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    stream: Box<str>,
    pub(crate) number: u64,
}

impl EventId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stream, number) = text.rsplit_once('-')?;
        let is_name = !stream.is_empty() && stream.len() <= 64 && stream.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let number = number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
        is_name.then(|| Self { stream: stream.into(), number })
    }

    /// Is it of the stream that a session's GET opens?
    pub(crate) fn is_of_listener(&self) -> bool {
        *self.stream == *LISTENER
    }
}

/// The stream that a session's GET opens has one name, so that it goes on after a break.
const LISTENER: &str = "get";

/// Writes a stream down as it is sent.
pub(crate) struct Recorder {
    streams: Arc<Streams>,
    /// For the wire.
    name: Box<str>,
    /// With its session: no client reads another's stream.
    key: Box<str>,
    bell: Arc<Notify>,
    last: u64,
    /// Does the stream end with what writes it?
    ends: bool,
}

impl Streams {
    pub(crate) fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, bells: Mutex::default() }
    }

    /// A new stream of this session.
    pub(crate) fn record(self: &Arc<Self>, session: &SessionKey) -> Recorder {
        self.recorder(session, random_name().into(), 0, true)
    }

    /// The stream that the session's GET opens; it goes on where it was.
    pub(crate) async fn record_listener(self: &Arc<Self>, session: &SessionKey) -> Recorder {
        let key = key_of(session, LISTENER);
        let known = self.read(&key, 0).await;
        let last = known.and_then(|replay| replay.events.last().map(|event| event.number));
        // What was forgotten had numbers as well, and an id names one event for ever: no stream has an event each microsecond.
        let since = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let last = last.unwrap_or_else(|| u64::try_from(since()).unwrap_or(0));
        self.recorder(session, LISTENER.into(), last, false)
    }

    fn recorder(self: &Arc<Self>, session: &SessionKey, name: Box<str>, last: u64, ends: bool) -> Recorder {
        let (key, bell) = (key_of(session, &name), Arc::new(Notify::new()));
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|_, bell| bell.strong_count() > 0);
        bells.insert(key.clone(), Arc::downgrade(&bell));
        drop(bells);
        Recorder { streams: Arc::clone(self), name, key, bell, last, ends }
    }

    async fn read(&self, key: &str, number: u64) -> Option<Replay> {
        match self.store.after(key, number).await {
            Ok(replay) => replay,
            Err(error) => {
                tracing::warn!(target: "mcp_runtime::server", %error, "the store of events does not answer");
                None
            }
        }
    }

    /// What follows this event of this session, as far as it is known; `None` where the stream is not.
    pub(crate) async fn after(&self, session: &SessionKey, id: &EventId) -> Option<Replay> {
        self.read(&key_of(session, &id.stream), id.number).await
    }

    /// Rings when this stream goes on or ends, if it is written here.
    pub(crate) fn bell(&self, session: &SessionKey, id: &EventId) -> Option<Arc<Notify>> {
        let key = key_of(session, &id.stream);
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).get(&key).and_then(Weak::upgrade)
    }

    /// Forgets the streams of a session.
    pub(crate) async fn forget(&self, session: &SessionKey) {
        if let Err(error) = self.store.forget(&key_of(session, "")).await {
            tracing::warn!(target: "mcp_runtime::server", %error, "the store of events does not answer");
        }
    }
}

fn key_of(session: &SessionKey, name: &str) -> Box<str> {
    format!("{}.{name}", hex(session)).into()
}

impl Recorder {
    /// Keeps an event; gives the id to send it with.
    pub(crate) async fn append(&mut self, data: &str, can_be_dropped: bool) -> String {
        self.last += 1;
        if let Err(error) = self.streams.store.append(&self.key, StoredEvent::new(self.last, data, can_be_dropped)).await {
            tracing::warn!(target: "mcp_runtime::server", %error, "an event can not be kept");
        }
        self.bell.notify_waiters();
        self.id(self.last)
    }

    pub(crate) async fn end(mut self) {
        self.ends = false;
        if let Err(error) = self.streams.store.end(&self.key).await {
            tracing::warn!(target: "mcp_runtime::server", %error, "the end of a stream can not be kept");
        }
        self.bell.notify_waiters();
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.name)
    }
}

/// A call that is dropped leaves no stream behind that never ends.
impl Drop for Recorder {
    fn drop(&mut self) {
        if !std::mem::take(&mut self.ends) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (streams, key, bell) = (Arc::clone(&self.streams), self.key.clone(), Arc::clone(&self.bell));
            runtime.spawn(async move {
                // Nobody is told where it fails; then it is forgotten some time later.
                let _ = streams.store.end(&key).await;
                bell.notify_waiters();
            });
        }
    }
}

/// The id of an event that is sent again.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.number)
    }
}

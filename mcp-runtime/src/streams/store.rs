//! What a store of events does.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

/// What the functions of an [`EventStore`] return. An error is logged; the client then gets what it gets without a store.
pub type EventStoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredEvent {
    /// Its number within the stream, from 1.
    pub number: u64,
    /// JSON text; it may be empty. Shared, so that those who read it again need no memory for it.
    pub data: Arc<str>,
    /// Progress and logs give way first where there is no room; questions and answers do not.
    pub can_be_dropped: bool,
}

impl StoredEvent {
    /// An event of a stream.
    #[must_use]
    pub fn new(number: u64, data: impl Into<Arc<str>>, can_be_dropped: bool) -> Self {
        Self { number, data: data.into(), can_be_dropped }
    }
}

/// What followed an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replay {
    /// In order.
    pub events: Vec<StoredEvent>,
    /// Will no further one come?
    pub ended: bool,
}

impl Replay {
    /// These events, and whether they are the last.
    #[must_use]
    pub fn new(events: Vec<StoredEvent>, ended: bool) -> Self {
        Self { events, ended }
    }
}

/// Keeps what was sent on streams, for the instances of a server. A stream's name is unique in the world, and of visible ASCII.
///
/// Keep each within bounds of your own, and forget a stream some minutes after its end: a client that does not come back by then
/// does not come back.
pub trait EventStore: Send + Sync + 'static {
    /// Keeps an event. The numbers of a stream grow.
    fn append<'a>(&'a self, stream: &'a str, event: StoredEvent) -> EventStoreFuture<'a, ()>;

    /// No further event will come.
    fn end<'a>(&'a self, stream: &'a str) -> EventStoreFuture<'a, ()>;

    /// What followed the event of this number; `None` where the stream is not known, or no longer.
    fn after<'a>(&'a self, stream: &'a str, number: u64) -> EventStoreFuture<'a, Option<Replay>>;

    /// Forgets all streams whose names begin so: their session has ended.
    fn forget<'a>(&'a self, prefix: &'a str) -> EventStoreFuture<'a, ()>;
}

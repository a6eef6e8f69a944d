//! What was sent on the streams of legacy sessions, kept for clients that come back with `Last-Event-ID` (MCP 2025-11-25,
//! Streamable HTTP, "Resumability and Redelivery"). Most servers need nothing of it: [`MemoryEvents`] is in place.

mod memory;
mod recorder;
mod store;

pub use memory::MemoryEvents;
pub(crate) use recorder::{EventId, LOOK, Recorder, Streams};
pub use store::{EventStore, EventStoreFuture, Replay, StoredEvent};

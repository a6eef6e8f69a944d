//! A store of events that the test can look into, and that several servers share.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_runtime::streams::{EventStore, EventStoreFuture, MemoryEvents, Replay, StoredEvent};

#[derive(Clone, Debug, Default)]
pub(crate) struct SharedEvents {
    memory: Arc<MemoryEvents>,
    names: Arc<std::sync::Mutex<Vec<String>>>,
    broken: Arc<AtomicBool>,
}

impl SharedEvents {
    /// The names of all streams that were ever written.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().expect("no panic").clone()
    }

    pub(crate) async fn knows(&self, name: &str) -> bool {
        self.memory.after(name, 0).await.expect("memory does not fail").is_some()
    }

    pub(crate) async fn forget_all(&self) {
        self.memory.forget("").await.expect("memory does not fail");
    }

    /// From now on it answers with errors.
    pub(crate) fn breaks(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn unless_broken<'a, T>(&self, works: EventStoreFuture<'a, T>) -> EventStoreFuture<'a, T>
    where
        T: Send + 'a,
    {
        if self.broken.load(Ordering::Relaxed) { Box::pin(async { Err("the store is gone".into()) }) } else { works }
    }
}

impl EventStore for SharedEvents {
    fn append<'a>(&'a self, stream: &'a str, event: StoredEvent) -> EventStoreFuture<'a, ()> {
        let mut names = self.names.lock().expect("no panic");
        if !names.iter().any(|known| known == stream) {
            names.push(stream.to_owned());
        }
        self.unless_broken(self.memory.append(stream, event))
    }

    fn end<'a>(&'a self, stream: &'a str) -> EventStoreFuture<'a, ()> {
        self.unless_broken(self.memory.end(stream))
    }

    fn after<'a>(&'a self, stream: &'a str, number: u64) -> EventStoreFuture<'a, Option<Replay>> {
        self.unless_broken(self.memory.after(stream, number))
    }

    fn forget<'a>(&'a self, prefix: &'a str) -> EventStoreFuture<'a, ()> {
        self.unless_broken(self.memory.forget(prefix))
    }
}

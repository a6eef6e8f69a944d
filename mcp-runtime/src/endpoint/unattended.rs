//! Work that goes on without a client.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Work that goes on without a client.
#[derive(Debug)]
pub(crate) struct Unattended {
    tasks: TaskTracker,
    /// A client must hold a connection for each call; without this bound, one that leaves would hold calls for nothing.
    places: Arc<Semaphore>,
    /// Cancelled when the server waits for them no longer.
    abandoned: CancellationToken,
}

impl Unattended {
    pub(super) fn new(most: usize) -> Self {
        Self { tasks: TaskTracker::new(), places: Arc::new(Semaphore::new(most)), abandoned: CancellationToken::new() }
    }

    pub(crate) fn adopt(&self, tool: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime nothing could drive it on.
        let Ok(runtime) = Handle::try_current() else { return };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return tracing::warn!(target: "mcp_runtime::tool", tool, "call cancelled: its client is gone, and too many others go on without theirs");
        };
        tracing::debug!(target: "mcp_runtime::tool", tool, "the client is gone; the call goes on");
        let abandoned = self.abandoned.clone();
        let attended = async move {
            let _place = place;
            tokio::select! {
                () = work => {}
                () = abandoned.cancelled() => {
                    tracing::warn!(target: "mcp_runtime::tool", tool, "call without a client dropped: the server stops");
                }
            }
        };
        self.tasks.spawn_on(attended, &runtime);
    }

    /// Waits until the last of them has ended.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Drops those that still run, and all that come later.
    pub(crate) fn abandon(&self) -> usize {
        let left = self.tasks.len();
        self.abandoned.cancel();
        left
    }

    /// Abandons them when it is dropped.
    pub(crate) fn guard(&self) -> DropGuard {
        self.abandoned.clone().drop_guard()
    }
}

//! A tool at work, and what becomes of it when its client cancels or goes away.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::Endpoint;
use super::in_flight::Registration;
use crate::call::{Event, Report, Running};
use crate::protocol::{self, Era};

/// A tool at work, and how its end is written.
#[derive(Debug)]
pub(crate) struct Call {
    /// `None` once it has ended.
    pub(super) running: Option<Running>,
    pub(super) id: Arc<str>,
    pub(super) era: Era,
    pub(super) endpoint: Arc<Endpoint>,
    /// Where its client may cancel it by a message.
    pub(super) registration: Option<Registration>,
    /// Does it go on when nobody waits for its answer?
    ///
    /// In the legacy eras a lost connection says nothing about what the client wants (MCP 2025-11-25, Streamable HTTP,
    /// "Sending Messages to the Server"); in the modern era it is how a client cancels.
    pub(super) outlives_client: bool,
}

/// What a call has to say, as JSON text.
#[derive(Debug)]
pub(crate) enum Said {
    /// A notification about the call.
    Report(Vec<u8>),
    Answer(Vec<u8>),
    /// Its client cancelled it, and is told nothing more.
    Cancelled,
}

impl Call {
    /// The next thing to tell the client. After an answer or a cancellation, never again.
    pub(crate) async fn next(&mut self) -> Said {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        loop {
            let result = match unless_cancelled(running, self.registration.as_ref()).await {
                Some(Event::Done(result)) => result,
                Some(Event::Report(Report::Log(message))) => {
                    return Said::Report(protocol::log_message(running.context().tool_name(), &message));
                }
                Some(Event::Report(Report::Progress(progress))) => match running.context().progress_token() {
                    Some(token) => return Said::Report(protocol::progress(token, &progress)),
                    // Only what a client gave a token for is reported.
                    None => continue,
                },
                None => {
                    self.end();
                    return Said::Cancelled;
                }
            };
            self.end();
            return Said::Answer(self.endpoint.renderer.tool_result(&self.id, self.era, &result));
        }
    }

    fn end(&mut self) {
        self.running = None;
        self.registration = None;
    }
}

/// The call's next event, or `None` if its client cancels it first.
async fn unless_cancelled(running: &mut Running, registration: Option<&Registration>) -> Option<Event> {
    let Some(registration) = registration else { return Some(running.next().await) };
    let mut cancelled = pin!(registration.cancelled.cancelled());
    poll_fn(|cx| {
        // A client that cancelled does not want the answer, even if it is there.
        if cancelled.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        running.poll_next(cx).map(Some)
    })
    .await
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.outlives_client {
            return;
        }
        let Some(running) = self.running.take() else { return };
        let tool = running.context().tool_name();
        let rest = Self {
            running: Some(running),
            id: Arc::clone(&self.id),
            era: self.era,
            endpoint: Arc::clone(&self.endpoint),
            registration: self.registration.take(),
            outlives_client: false,
        };
        self.endpoint.unattended.adopt(tool, attend(rest, tool));
    }
}

async fn attend(mut call: Call, tool: &'static str) {
    loop {
        match call.next().await {
            Said::Report(_) => {}
            Said::Answer(_) => {
                return tracing::info!(target: "mcp_runtime::tool", tool, "call ended; its client had gone, nobody reads the answer");
            }
            Said::Cancelled => {
                return tracing::info!(target: "mcp_runtime::tool", tool, "call cancelled; its client had gone before");
            }
        }
    }
}

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

    pub(super) fn adopt(&self, tool: &'static str, work: impl Future<Output = ()> + Send + 'static) {
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

//! A tool at work, and what becomes of it when its client cancels or goes away.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Endpoint;
use super::in_flight::Registration;
use crate::call::{Event, Running, ToolResult};
use crate::protocol::{self, Era};

/// A tool at work, and how its end is written.
#[derive(Debug)]
pub(crate) struct Call {
    /// `None` once it has ended.
    pub(super) running: Option<Running>,
    pub(super) id: Box<str>,
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
    Progress(Vec<u8>),
    Answer(Vec<u8>),
    /// Its client cancelled it, and is told nothing more.
    Cancelled,
}

impl Call {
    /// The next thing to tell the client. After an answer or a cancellation, never again.
    pub(crate) async fn next(&mut self) -> Said {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let Some(event) = unless_cancelled(running, self.registration.as_ref()).await else {
            self.end();
            return Said::Cancelled;
        };
        match event {
            // Only what a client gave a token for is reported.
            Event::Progress(progress) => Said::Progress(
                running.context().progress_token().map(|token| protocol::progress(token, &progress)).unwrap_or_default(),
            ),
            Event::Done(result) => {
                self.end();
                Said::Answer(self.endpoint.renderer.tool_result(&self.id, self.era, &result))
            }
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
        if self.outlives_client
            && let Some(running) = self.running.take()
        {
            self.endpoint.unattended.adopt(running, self.registration.take());
        }
    }
}

/// Calls that go on without a client.
#[derive(Debug, Default)]
pub(crate) struct Unattended {
    tasks: TaskTracker,
    /// Cancelled when the server waits for them no longer.
    abandoned: CancellationToken,
}

impl Unattended {
    fn adopt(&self, mut running: Running, registration: Option<Registration>) {
        // Without a runtime nothing could drive it on.
        let Ok(runtime) = Handle::try_current() else { return };
        let abandoned = self.abandoned.clone();
        let tool = running.context().tool_name();
        tracing::debug!(target: "mcp_runtime::tool", tool, "the client is gone; the call goes on");
        let ended = async move {
            loop {
                let event = tokio::select! {
                    event = unless_cancelled(&mut running, registration.as_ref()) => event,
                    () = abandoned.cancelled() => return tracing::warn!(target: "mcp_runtime::tool", tool, "call without a client dropped: the server stops"),
                };
                match event {
                    Some(Event::Progress(_)) => {}
                    Some(Event::Done(ToolResult { is_error, .. })) => {
                        return tracing::info!(target: "mcp_runtime::tool", tool, is_error, "call ended; its client had gone, nobody reads the answer");
                    }
                    None => {
                        return tracing::info!(target: "mcp_runtime::tool", tool, "call cancelled; its client had gone before");
                    }
                }
            }
        };
        self.tasks.spawn_on(ended, &runtime);
    }

    /// Waits until the last of them has ended.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Drops those that still run.
    pub(crate) fn abandon(&self) -> usize {
        let left = self.tasks.len();
        self.abandoned.cancel();
        left
    }
}

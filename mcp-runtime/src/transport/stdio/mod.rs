//! One message per line over a pair of byte streams (MCP 2026-07-28, "stdio"): both eras on one pipe, each line in its own
//! terms.
//!
//! Two threads do the blocking reads and writes, so that a runtime which ends need not wait for them. Every answer goes through
//! the one writer. Lines are carried out as they come; each call then runs in a task of its own, so that the line that cancels
//! it can be read.

mod lines;
mod streams;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::Principal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::endpoint::{Batch, Call, Endpoint, Head, Listening, Opening, Pipe, Reply, Said, Word};
use crate::protocol::{Code, Refusal, cancelled};
use lines::Line;
pub(crate) use streams::take_standard;

/// Once the conversation is over, calls that still run may end within this time: a script that pipes its requests in gets its
/// answers, and a client that waits for the process to end does not wait long.
const GRACE: Duration = Duration::from_secs(2);

/// So many tasks may wait for a client that does not read, beside those whose calls run.
const MOST_UNREAD: usize = 64;

/// Serves until the input ends, nobody reads the output, or the endpoint shuts down.
pub(crate) async fn serve(
    endpoint: Arc<Endpoint>,
    principal: Option<Principal>,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> std::io::Result<()> {
    let mut lines = lines::read(input, endpoint.bounds.max_body_bytes)?;
    let (output, written) = lines::write(output)?;
    let mut conversation = Conversation {
        places: Arc::new(Semaphore::new(
            endpoint.bounds.max_concurrent_calls.saturating_add(MOST_UNREAD).min(Semaphore::MAX_PERMITS),
        )),
        endpoint: Arc::clone(&endpoint),
        principal,
        pipe: Arc::default(),
        output,
        calls: JoinSet::new(),
        listeners: JoinSet::new(),
    };
    // A client that is ready says so in any line, a batch among them.
    let shutdown = endpoint.shutdown.clone();
    let (pipe, output, stops) = (Arc::clone(&conversation.pipe), conversation.output.clone(), shutdown.clone());
    conversation.listeners.spawn(async move {
        let ready = stops.run_until_cancelled(pipe.listening()).await;
        if let Some(listening) = ready.flatten() {
            attend(listening, output).await;
        }
    });
    let unread = conversation.output.clone();
    let gone = tokio::select! {
        gone = conversation.follow(&mut lines) => gone,
        () = shutdown.cancelled() => false,
        () = unread.closed() => true,
    };
    drop(unread);
    let Conversation { mut calls, mut listeners, output, .. } = conversation;
    if gone || !endpoint.shutdown.is_cancelled() {
        // The client that has said all it wanted to say would wait for them in vain.
        listeners.shutdown().await;
    }
    if !gone {
        let all = async {
            while calls.join_next().await.is_some() {}
            while listeners.join_next().await.is_some() {}
        };
        if tokio::time::timeout(GRACE.min(endpoint.bounds.drain), all).await.is_err() {
            tracing::warn!(target: "mcp_runtime::server", calls = calls.len(), "the conversation is over; calls that still run are dropped");
        }
    }
    calls.shutdown().await;
    listeners.shutdown().await;
    drop(output);
    // What is in the channel is still to be written, if somebody reads it.
    let _ = tokio::time::timeout(GRACE, written).await;
    Ok(())
}

struct Conversation {
    endpoint: Arc<Endpoint>,
    principal: Option<Principal>,
    pipe: Arc<Pipe>,
    output: mpsc::Sender<Vec<u8>>,
    /// For tasks, whether they still work or wait to be read.
    places: Arc<Semaphore>,
    calls: JoinSet<()>,
    listeners: JoinSet<()>,
}

impl Conversation {
    /// Until the input ends; true if the client reads no more.
    async fn follow(&mut self, lines: &mut mpsc::Receiver<Line>) -> bool {
        let patience = self.endpoint.bounds.client_timeout;
        while let Some(line) = lines.recv().await {
            // Nothing in here waits but for the client to read.
            if tokio::time::timeout(patience, self.line(line)).await.is_err() {
                tracing::warn!(target: "mcp_runtime::server", ?patience, "the client does not read what it asked for; the conversation is over");
                return true;
            }
        }
        false
    }

    async fn line(&mut self, line: Line) {
        while self.calls.try_join_next().is_some() || self.listeners.try_join_next().is_some() {}
        let text = match line {
            Line::Message(text) => text,
            Line::TooLong => {
                let limit = self.endpoint.bounds.max_body_bytes;
                tracing::warn!(target: "mcp_runtime::server", limit, "a line is too long");
                let refusal = Refusal::bad(Code::InvalidRequest, format!("The line is over the limit of {limit} bytes"));
                return self.send(refusal.to_json()).await;
            }
        };
        let head = Head::of_pipe(Arc::clone(&self.pipe), self.principal.clone());
        match self.endpoint.answer(head, &text) {
            Reply::Accepted => {}
            Reply::Json { body, .. }
            | Reply::TooMany { body, .. }
            | Reply::Opened { body, .. }
            | Reply::Challenge { body, .. } => self.send(body).await,
            Reply::Call(call) => self.spawn(|output| finish(call, output)).await,
            Reply::Batch(batch) => self.spawn(|output| finish_batch(batch, output)).await,
            Reply::Later(later) => {
                self.spawn(|output| async move {
                    let (_, body) = later.answer().await;
                    let _ = output.send(body).await;
                })
                .await;
            }
            Reply::Listen(opening) => {
                if let Some(place) = self.place().await {
                    self.listeners.spawn(with(place, open(opening, self.output.clone())));
                }
            }
        }
    }

    async fn send(&self, message: Vec<u8>) {
        // Fails if nobody reads any more, which ends the conversation.
        let _ = self.output.send(message).await;
    }

    async fn spawn<W: Future<Output = ()> + Send + 'static>(&mut self, work: impl FnOnce(mpsc::Sender<Vec<u8>>) -> W) {
        if let Some(place) = self.place().await {
            self.calls.spawn(with(place, work(self.output.clone())));
        }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // Only a client that asks and does not read comes to wait here.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

async fn with(place: OwnedSemaphorePermit, work: impl Future<Output = ()>) {
    work.await;
    drop(place);
}

async fn finish(mut call: Call, output: mpsc::Sender<Vec<u8>>) {
    loop {
        match call.next().await {
            // A client that reads slowly gets fewer reports.
            Said::Report(report) => drop(output.try_send(report)),
            Said::Question(question) => drop(output.send(question).await),
            // A pipe is no stream of one call.
            Said::CloseStream(_) => {}
            Said::Answer { body, .. } => return drop(output.send(body).await),
            Said::Cancelled => return,
        }
    }
}

async fn open(opening: Opening, output: mpsc::Sender<Vec<u8>>) {
    match opening.open().await {
        Ok(listening) => attend(listening, output).await,
        Err(refusal) => drop(output.send(refusal.to_json()).await),
    }
}

/// What a client hears, for as long as it listens. One that does not read is told less: the listener keeps it as a set.
async fn attend(mut listening: Listening, output: mpsc::Sender<Vec<u8>>) {
    loop {
        match listening.next().await {
            Word::Notification(notification) => {
                if output.send(notification).await.is_err() {
                    return;
                }
            }
            Word::End(Some(last)) => {
                let _ = output.send(last).await;
                if let Some(id) = listening.id() {
                    let _ = output.send(cancelled(id, "the server ends the subscription")).await;
                }
                return;
            }
            Word::End(None) => return,
        }
    }
}

async fn finish_batch(batch: Batch, output: mpsc::Sender<Vec<u8>>) {
    if let Some(answers) = batch.answers().await {
        let _ = output.send(answers).await;
    }
}

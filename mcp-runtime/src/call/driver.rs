//! Drives one call: polls the handler's future, catches panics, keeps time, and hands out progress.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::outbox::Report;
use super::{CallFuture, Context, Outcome, ToolError, ToolResult};

/// What the client reads of a failure that carries no message for it.
const MASKED: &str = "The tool failed. The cause is in the server's log.";

/// A call under way. Dropping it drops the handler's future and cancels the call's token.
#[derive(Debug)]
pub(crate) struct Running {
    context: Context,
    call: Option<Call>,
    limits: Limits,
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs out when nothing was reported for a while.
    quiet: Option<Pin<Box<Sleep>>>,
    /// Was progress handed out, so that there is a stream to put the rest on?
    streaming: bool,
    done: Option<ToolResult>,
}

struct Call(CallFuture);

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call")
    }
}

/// The bounds of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) timeout: Duration,
    pub(crate) max_result_bytes: usize,
    /// How often a client that asked for progress hears of a tool that reports none.
    pub(crate) heartbeat: Option<Duration>,
}

/// What a call says.
#[derive(Debug)]
pub(crate) enum Event {
    Report(Report),
    Done(ToolResult),
}

impl Running {
    /// Starts a call: `start` parses the arguments and makes the future. A panic in it is an answer like any other.
    pub(crate) fn start(context: Context, limits: Limits, start: impl FnOnce(Context) -> CallFuture) -> Self {
        let for_call = context.clone();
        let call = guarded(&context, || start(for_call)).unwrap_or_else(|masked| Box::pin(std::future::ready(Ok(masked))));
        Self { context, call: Some(Call(call)), limits, timer: None, quiet: None, streaming: false, done: None }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The next thing the call says. After [`Event::Done`], never again.
    pub(crate) async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Event> {
        if let Some(event) = self.poll_done() {
            return Poll::Ready(event);
        }
        let Some(Call(call)) = &mut self.call else { return Poll::Pending };
        let outcome = match guarded(&self.context, || call.as_mut().poll(cx)) {
            Ok(Poll::Ready(outcome)) => outcome,
            Err(masked) => Ok(masked),
            Ok(Poll::Pending) => {
                // Most calls end in their first poll; only the others pay for a timer.
                let timeout = self.limits.timeout;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Ready(Event::Report(ready!(self.poll_report(cx))));
                }
                self.context.cancel();
                tracing::warn!(target: "mcp_runtime::tool", tool = self.context.tool_name(), ?timeout, "tool timed out");
                Ok(ToolResult::error(format!("The tool did not finish within its limit of {timeout:?}.")))
            }
        };
        self.finish(outcome);
        self.poll_done().map_or(Poll::Pending, Poll::Ready)
    }

    /// Once the call has ended: what it still said, then its result.
    fn poll_done(&mut self) -> Option<Event> {
        self.done.as_ref()?;
        // Progress that was reported in the very poll that ended the call is not worth a stream of its own.
        match self.context.outbox().take_last(self.streaming) {
            Some(report) => {
                self.streaming = true;
                Some(Event::Report(report))
            }
            None => self.done.take().map(Event::Done),
        }
    }

    /// What the tool reports, or a sign of life where it is quiet for long.
    fn poll_report(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Report> {
        let outbox = self.context.outbox();
        let interval = self.limits.heartbeat.filter(|_| self.context.progress_token().is_some());
        let report = match (outbox.take(cx.waker()), interval) {
            (Some(report), _) => report,
            (None, None) => return Poll::Pending,
            (None, Some(interval)) => {
                let quiet = self.quiet.get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
                ready!(quiet.as_mut().poll(cx));
                Report::Progress(outbox.heartbeat())
            }
        };
        if let (Some(quiet), Some(interval)) = (&mut self.quiet, interval) {
            quiet.as_mut().reset(Instant::now() + interval);
        }
        self.streaming = true;
        Poll::Ready(report)
    }

    fn finish(&mut self, outcome: Outcome) {
        let call = self.call.take();
        // Destructors, and the text of the tool's own error, are the user's code as well.
        let finished = guarded(&self.context, || {
            drop(call);
            outcome.unwrap_or_else(|error| failed(self.context.tool_name(), &error))
        });
        self.done = Some(finished.unwrap_or_else(|masked| masked).limited(self.limits.max_result_bytes));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            tracing::debug!(target: "mcp_runtime::tool", tool = self.context.tool_name(), "call cancelled");
            self.context.cancel();
            // What a panicking destructor would have answered, nobody reads.
            let _ = guarded(&self.context, || drop(call));
        }
    }
}

/// Runs the user's code. A panic in it is logged, cancels the call's token, and is answered with the masked result.
fn guarded<T>(context: &Context, code: impl FnOnce() -> T) -> Result<T, ToolResult> {
    let panic = match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => return Ok(value),
        Err(panic) => panic,
    };
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let (tool, message) = (context.tool_name(), message.unwrap_or("no message"));
    tracing::error!(target: "mcp_runtime::tool", tool, panic = message, "tool panicked");
    context.cancel();
    // What was thrown may itself panic when it is dropped; then it is better forgotten.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
    Err(ToolResult::error(MASKED))
}

/// Errors quote what clients sent: as strings, the log escapes their line breaks.
fn failed(tool: &'static str, error: &ToolError) -> ToolResult {
    let chain = error.to_string();
    let error_text = chain.as_str();
    match error.user_message() {
        // The message alone tells the log nothing new; a cause behind it does.
        Some(message) if message == error_text => {
            tracing::debug!(target: "mcp_runtime::tool", tool, error = error_text, "tool answered with an error");
            ToolResult::error(message)
        }
        Some(message) => {
            tracing::warn!(target: "mcp_runtime::tool", tool, error = error_text, "tool answered with an error");
            ToolResult::error(message)
        }
        None => {
            tracing::error!(target: "mcp_runtime::tool", tool, error = error_text, "tool failed");
            ToolResult::error(MASKED)
        }
    }
}

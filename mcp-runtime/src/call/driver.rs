//! Drives one call: polls the handler's future, catches panics, keeps time, and hands out what it says and asks.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Sleep;

use super::ask::{Asked, Next, Polling};
use super::error::Fault;
use super::outbox::Report;
use super::{
    CallFuture, Capability, Completion, CompletionFuture, Context, PromptFuture, PromptResult, ReadFuture, ResourceError,
    ResourceResult, ToolError, ToolResult,
};
use crate::extension::ExtensionFuture;

/// What the client reads of a failure that carries no message for it.
const MASKED: &str = "The tool failed. The cause is in the server's log.";

/// So long may the user take to answer, at the least, whatever the call's own limit is.
const ANSWER_TIME: Duration = Duration::from_secs(600);

/// The user's function at work.
pub(crate) enum Work {
    Tool(CallFuture),
    Resource(ReadFuture),
    Prompt(PromptFuture),
    Completion(CompletionFuture),
    Extension(ExtensionFuture),
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Tool(ToolResult),
    Resource(ResourceResult),
    Prompt(PromptResult),
    Completion(Completion),
    Extension(Value),
    Failed(Failure),
}

/// A call that ended without a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The resource is not there.
    NotFound,
    /// The client can not do what was asked of it.
    Lacks(Capability),
    /// An error of the function's own code.
    Rpc { code: i32, message: String },
    /// What the client may read.
    Said(String),
    /// It took too long.
    TimedOut(Duration),
    /// Its result has more bytes than can be sent.
    TooLong { bytes: usize, limit: usize },
    /// Only the log knows.
    Masked,
}

/// A call under way. Dropping it drops the handler's future and cancels the call's token.
#[derive(Debug)]
pub(crate) struct Running {
    context: Context,
    call: Option<Call>,
    limits: Limits,
    /// May the function ask its client?
    asks: bool,
    timer: Option<Pin<Box<Sleep>>>,
    /// Runs out when nothing was reported for a while.
    quiet: Option<Pin<Box<Sleep>>>,
    /// Was progress handed out, so that there is a stream to put the rest on?
    streaming: bool,
    done: Option<Ended>,
}

struct Call(Work);

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

impl Limits {
    /// With what an item says of its own.
    pub(crate) fn with(self, timeout: Option<Duration>, max_result_bytes: Option<usize>) -> Self {
        Self {
            timeout: timeout.unwrap_or(self.timeout),
            max_result_bytes: max_result_bytes.unwrap_or(self.max_result_bytes),
            ..self
        }
    }
}

/// What a call says.
#[derive(Debug)]
pub(crate) enum Event {
    Report(Report),
    /// A question for the client, while the function waits.
    Question(Asked),
    /// Questions for the client, as the answer; the function was dropped.
    Round(Vec<Asked>),
    /// The function wants to go on as a task.
    Task,
    /// The connection can go; the client comes back after so long.
    CloseStream(Duration),
    Done(Ended),
}

impl Running {
    /// Starts a call: `start` parses the arguments and makes the future. A panic in it is an answer like any other.
    pub(crate) fn start(context: Context, limits: Limits, asks: bool, start: impl FnOnce(Context) -> Work) -> Self {
        let for_call = context.clone();
        let (call, done) = match guarded(&context, || start(for_call)) {
            Ok(work) => (Some(Call(work)), None),
            Err(failure) => (None, Some(Ended::Failed(failure))),
        };
        Self { context, call, limits, asks, timer: None, quiet: None, streaming: false, done }
    }

    /// From now on it is a task: with another limit, and without anybody who reads its reports as they come.
    pub(crate) fn become_task(&mut self, timeout: Duration) {
        self.limits.timeout = timeout;
        self.limits.heartbeat = None;
        self.timer = None;
        self.context.asking().is_task_now();
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
        let Some(Call(work)) = &mut self.call else { return Poll::Pending };
        let polling = self.asks.then(|| Polling::enter(self.context.mark()));
        let polled = guarded(&self.context, || work.poll(&self.context, cx));
        drop(polling);
        let ended = match polled {
            Ok(Poll::Ready(ended)) => ended,
            Err(failure) => Ended::Failed(failure),
            Ok(Poll::Pending) => {
                if self.asks
                    && let Some(next) = self.context.asking().next()
                {
                    return Poll::Ready(self.asked(next));
                }
                // Most calls end in their first poll; only the others pay for a timer.
                let timeout = self.limits.timeout;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Ready(Event::Report(ready!(self.poll_report(cx))));
                }
                self.context.cancel();
                tracing::warn!(target: "mcp_runtime::tool", tool = self.context.tool_name(), ?timeout, "tool timed out");
                Ended::Failed(Failure::TimedOut(timeout))
            }
        };
        self.finish(ended);
        self.poll_done().map_or(Poll::Pending, Poll::Ready)
    }

    /// What the function asks of its driver.
    fn asked(&mut self, next: Next) -> Event {
        match next {
            Next::Question(asked) => {
                // Whoever thinks about an answer does not use up the tool's own time.
                let patience = self.limits.timeout.max(ANSWER_TIME);
                // Not `reset`: now and the longest of limits is no time.
                self.timer = Some(Box::pin(tokio::time::sleep(patience)));
                self.streaming = true;
                Event::Question(asked)
            }
            Next::Round(asked) => {
                if let Some(call) = self.call.take() {
                    // It runs again with the answers; what it spawned for this round ends with it.
                    self.context.cancel();
                    let _ = guarded(&self.context, || drop(call));
                }
                Event::Round(asked)
            }
            Next::Task => Event::Task,
            Next::CloseStream(retry) => Event::CloseStream(retry),
        }
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
            quiet.as_mut().set(tokio::time::sleep(interval));
        }
        self.streaming = true;
        Poll::Ready(report)
    }

    fn finish(&mut self, ended: Ended) {
        let call = self.call.take();
        // Destructors are the user's code as well.
        let dropped = guarded(&self.context, || drop(call));
        let ended = match dropped {
            Ok(()) => ended,
            Err(failure) => Ended::Failed(failure),
        };
        self.done = Some(ended.limited(self.limits.max_result_bytes));
    }
}

impl Work {
    fn poll(&mut self, context: &Context, cx: &mut std::task::Context<'_>) -> Poll<Ended> {
        Poll::Ready(match self {
            Self::Tool(call) => match ready!(call.as_mut().poll(cx)) {
                Ok(result) => Ended::Tool(result),
                Err(error) => Ended::Failed(failed(context, &error)),
            },
            Self::Resource(read) => match ready!(read.as_mut().poll(cx)) {
                Ok(result) => Ended::Resource(result),
                Err(ResourceError::NotFound) => Ended::Failed(Failure::NotFound),
                Err(ResourceError::Failed(error)) => Ended::Failed(failed(context, &error)),
            },
            Self::Prompt(prompt) => match ready!(prompt.as_mut().poll(cx)) {
                Ok(result) => Ended::Prompt(result),
                Err(error) => Ended::Failed(failed(context, &error)),
            },
            Self::Completion(completion) => match ready!(completion.as_mut().poll(cx)) {
                Ok(result) => Ended::Completion(result),
                Err(error) => Ended::Failed(failed(context, &error)),
            },
            Self::Extension(method) => match ready!(method.as_mut().poll(cx)) {
                Ok(result) if result.is_object() => Ended::Extension(result),
                Ok(_) => Ended::Failed(failed(context, &ToolError::from("a method of an extension answers with a JSON object"))),
                Err(error) => Ended::Failed(failed(context, &error)),
            },
        })
    }
}

impl Ended {
    /// Within the limit of bytes. A tool's result is cut, with a message; half of anything else would be taken for a whole one.
    fn limited(self, limit: usize) -> Self {
        let bytes = match &self {
            Self::Tool(_) | Self::Failed(_) => 0,
            Self::Resource(result) => result.size(),
            Self::Prompt(result) => result.size(),
            Self::Completion(result) => result.values().iter().map(String::len).sum(),
            Self::Extension(result) => result.to_string().len(),
        };
        if bytes > limit {
            tracing::warn!(target: "mcp_runtime::tool", bytes, limit, "a result is over its limit");
            return Self::Failed(Failure::TooLong { bytes, limit });
        }
        match self {
            Self::Tool(result) => Self::Tool(result.limited(limit)),
            other => other,
        }
    }
}

impl Failure {
    /// As a tool tells it to the model.
    pub(crate) fn into_tool_result(self) -> ToolResult {
        ToolResult::error(match self {
            Self::NotFound => "There is no such resource.".to_owned(),
            Self::Lacks(capability) => format!("The client can not do what this tool needs: {capability}."),
            Self::Rpc { message, .. } | Self::Said(message) => message,
            Self::TooLong { bytes, limit } => format!("The result has {bytes} bytes, more than the {limit} that can be sent."),
            Self::TimedOut(timeout) => format!("The tool did not finish within its limit of {timeout:?}."),
            Self::Masked => MASKED.to_owned(),
        })
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

/// Runs the user's code. A panic in it is logged, cancels the call's token, and is a masked failure.
fn guarded<T>(context: &Context, code: impl FnOnce() -> T) -> Result<T, Failure> {
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
    Err(Failure::Masked)
}

/// Errors quote what clients sent: as strings, the log escapes their line breaks.
fn failed(context: &Context, error: &ToolError) -> Failure {
    let tool = context.tool_name();
    let chain = error.to_string();
    let error_text = chain.as_str();
    match error.fault() {
        Fault::Rpc { code, message } => {
            tracing::warn!(target: "mcp_runtime::tool", tool, code, error = error_text, "tool answered with an error");
            Failure::Rpc { code, message: message.to_owned() }
        }
        Fault::Lacks(capability) => {
            tracing::debug!(target: "mcp_runtime::tool", tool, error = error_text, "the client can not be asked");
            Failure::Lacks(capability)
        }
        // The message alone tells the log nothing new; a cause behind it does.
        Fault::User(message) if message == error_text => {
            tracing::debug!(target: "mcp_runtime::tool", tool, error = error_text, "tool answered with an error");
            Failure::Said(message.to_owned())
        }
        Fault::User(message) => {
            tracing::warn!(target: "mcp_runtime::tool", tool, error = error_text, "tool answered with an error");
            Failure::Said(message.to_owned())
        }
        Fault::Other => {
            tracing::error!(target: "mcp_runtime::tool", tool, error = error_text, "tool failed");
            Failure::Masked
        }
    }
}

//! A call at work, and what becomes of it when its client cancels or goes away.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::runtime::Handle;

use super::in_flight::{Registration, cancelled};
use super::rounds::Binding;
use super::watch::Watch;
use super::{Endpoint, Head};
use crate::call::{Asked, Ended, Event, Failure, Report, Running};
use crate::catalog::Cache;
use crate::notify::Waiting;
use crate::protocol::{self, CacheHint, Code, Era, Refusal};
use crate::session::SessionKey;

/// A call at work, and how its end is written.
#[derive(Debug)]
pub(crate) struct Call {
    /// `None` once it has ended, or goes on as a task.
    pub(super) running: Option<Running>,
    pub(super) id: Arc<str>,
    pub(super) era: Era,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) subject: Subject,
    /// Of a call that may ask, or become a task. Apart, since most do neither.
    pub(super) asking: Option<Box<MayAsk>>,
    /// Can the status of its answer still be chosen?
    pub(super) head_sent: bool,
    /// Where its client may cancel it by a message.
    pub(super) registration: Option<Registration>,
    /// What its credential allows, from when its client waits for more than a moment.
    pub(super) watch: Option<Box<Watch>>,
    /// The legacy session that it is a part of.
    pub(super) session: Option<SessionKey>,
    /// Does it go on when nobody waits for its answer?
    ///
    /// In the legacy eras a lost connection says nothing about what the client wants (MCP 2025-11-25, Streamable HTTP,
    /// "Sending Messages to the Server"); in the modern era it is how a client cancels.
    pub(super) outlives_client: bool,
}

/// What a call needs that may ask its client, or become a task.
#[derive(Debug, Default)]
pub(super) struct MayAsk {
    /// What the state of its rounds is bound to, where it has rounds.
    pub(super) binding: Option<Binding>,
    /// Whom its questions belong to, where they are answered while it runs.
    pub(super) scope: Option<Box<str>>,
    /// Its questions, on their way.
    pub(super) waiting: Vec<Waiting>,
    /// Whose task it may become.
    pub(super) task: Option<Tasking>,
}

/// A call that may become a task.
#[derive(Debug)]
pub(super) struct Tasking {
    /// What it came with: whose task it is, and for how long it may go on.
    pub(super) head: Head,
    /// Before it says anything?
    pub(super) at_once: bool,
    /// The longest run, where its tool says one.
    pub(super) timeout: Option<Duration>,
}

/// What is called, as far as its answer depends on it.
#[derive(Debug)]
pub(super) enum Subject {
    Tool,
    Resource(Box<Reading>),
    Prompt,
    Completion,
    Extension,
}

/// A resource that is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) uri: String,
    pub(super) cache: Option<Cache>,
    /// Was it asked for in a further round?
    pub(super) retried: bool,
    /// What the definition says of its user interface.
    pub(super) ui: Option<Value>,
}

/// What a call has to say, as JSON text.
#[derive(Debug)]
pub(crate) enum Said {
    /// A notification about the call.
    Report(Vec<u8>),
    /// A request to the client, which must not be lost.
    Question(Vec<u8>),
    /// The connection may go; the client comes back after so long for the rest.
    CloseStream(Duration),
    Answer {
        /// As long as the head of the answer was not sent.
        status: StatusCode,
        body: Vec<u8>,
    },
    /// Its client cancelled it, and is told nothing more.
    Cancelled,
}

impl Call {
    /// The next thing to tell the client. After an answer or a cancellation, never again.
    pub(crate) async fn next(&mut self) -> Said {
        loop {
            let Some(running) = &mut self.running else { return pending().await };
            if self.asking.as_ref().is_some_and(|asking| asking.task.as_ref().is_some_and(|task| task.at_once)) {
                return self.go_on_as_task().await;
            }
            let event = match unless_cut_short(running, self.registration.as_ref(), self.watch.as_deref()).await {
                Ok(event) => event,
                Err(Cut::Cancelled) => {
                    self.end();
                    return Said::Cancelled;
                }
                Err(Cut::CredentialEnded) => return self.credential_ended(),
            };
            let ended = match event {
                Event::Done(ended) => ended,
                Event::Report(Report::Log(message)) => {
                    return Said::Report(protocol::log_message(running.context().tool_name(), &message));
                }
                Event::Report(Report::Progress(progress)) => match running.context().progress_token() {
                    Some(token) => return Said::Report(protocol::progress(token, &progress)),
                    // Only what a client gave a token for is reported.
                    None => continue,
                },
                Event::Question(asked) => return self.ask(&asked),
                Event::Round(asked) => return self.round(&asked),
                Event::Task => return self.go_on_as_task().await,
                Event::CloseStream(retry) => return Said::CloseStream(retry),
            };
            return self.answer(ended);
        }
    }

    /// The head of its answer is sent: from now on its status is what it is, and it ends with its credential.
    pub(crate) fn head_is_sent(&mut self) {
        self.head_sent = true;
        self.watch_credential();
    }

    fn watch_credential(&mut self) {
        if let (None, Some(running)) = (&self.watch, &self.running)
            && running.context().principal().is_some()
        {
            self.watch = Some(Box::new(Watch::over_call(&self.endpoint, running.context())));
        }
    }

    /// It does not become a task.
    pub(super) fn stays_a_call(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.task = None;
        }
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    pub(crate) fn era(&self) -> Era {
        self.era
    }

    /// Where what it says is kept for a client that comes back; nowhere for those that can not.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        self.session
    }

    /// From now on somebody else cares for its going on without a client.
    pub(crate) fn ends_with_its_owner(&mut self) {
        self.outlives_client = false;
    }

    pub(crate) fn outlives_client(&self) -> bool {
        self.outlives_client
    }

    pub(crate) fn name(&self) -> &'static str {
        self.running.as_ref().map_or("", |running| running.context().tool_name())
    }

    fn end(&mut self) {
        self.running = None;
        self.registration = None;
        self.watch = None;
        self.asking = None;
    }

    fn credential_ended(&mut self) -> Said {
        tracing::info!(target: "mcp_runtime::tool", tool = self.name(), "call cancelled: the credential of its caller has ended");
        self.end();
        let message = "The credential that this call came with has ended. Call again with a new one.";
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, Code::InvalidRequest, message);
        let refusal = refusal.in_era(self.era).with_id(Some(&self.id));
        Said::Answer { status: refusal.status, body: refusal.to_json() }
    }

    fn answer(&mut self, ended: Ended) -> Said {
        let name = self.name();
        self.end();
        let renderer = &self.endpoint.renderer;
        let (id, era) = (&*self.id, self.era);
        let body = match ended {
            Ended::Tool(result) => renderer.tool_result(id, era, &result),
            Ended::Prompt(result) => renderer.prompt(id, era, &result),
            Ended::Completion(result) => renderer.completion(id, era, &result),
            Ended::Extension(result) => renderer.extension(id, era, &result),
            Ended::Resource(mut result) => {
                let Subject::Resource(reading) = &self.subject else { return Said::Cancelled };
                let Reading { cache, retried, ui, .. } = &**reading;
                if let Some(ui) = ui {
                    result.add_ui(ui);
                }
                // What answers to questions made of it is no one else's, and no later one's.
                let cache = cache.filter(|_| !retried);
                let hint = CacheHint {
                    ttl: cache.map_or(Duration::ZERO, |cache| cache.ttl),
                    is_public: cache.is_some_and(|cache| cache.is_public) && self.endpoint.may_be_public(),
                };
                renderer.resource(id, era, &result, hint)
            }
            Ended::Failed(failure) => return self.failure(name, failure),
        };
        Said::Answer { status: StatusCode::OK, body }
    }

    fn failure(&self, name: &'static str, failure: Failure) -> Said {
        let internal = |message: String| Refusal::new(StatusCode::OK, Code::InternalError, message);
        let refusal = match (failure, &self.subject) {
            (Failure::Lacks(capability), _) if !self.era.is_legacy() && !self.head_sent => {
                Refusal::missing_capabilities(name, &[capability])
            }
            (Failure::Rpc { code, message }, _) => Refusal::new(StatusCode::OK, Code::Custom(code), message),
            (failure, Subject::Tool) => {
                let body = self.endpoint.renderer.tool_result(&self.id, self.era, &failure.into_tool_result());
                return Said::Answer { status: StatusCode::OK, body };
            }
            (Failure::NotFound, Subject::Resource(reading)) => Refusal::no_such_resource(&reading.uri, self.era),
            (Failure::Said(message), Subject::Resource(_)) => internal(message),
            (Failure::Said(message), _) => Refusal::params(message),
            (Failure::Lacks(capability), _) => internal(format!("{name} needs a client with {capability}")),
            (Failure::TimedOut(timeout), _) => internal(format!("{name} did not finish within its limit of {timeout:?}")),
            (Failure::TooLong { bytes, limit }, _) => {
                internal(format!("{name} has a result of {bytes} bytes, more than the {limit} that can be sent"))
            }
            (Failure::NotFound | Failure::Masked, _) => internal(format!("{name} failed. The cause is in the server's log.")),
        };
        let refusal = refusal.in_era(self.era).with_id(Some(&self.id));
        Said::Answer { status: refusal.status, body: refusal.to_json() }
    }

    /// A question goes out, and is answered by another request.
    fn ask(&mut self, asked: &Asked) -> Said {
        let (Some(running), Some(MayAsk { scope: Some(scope), waiting, .. })) = (&self.running, self.asking.as_deref_mut())
        else {
            return Said::Cancelled;
        };
        let context = running.context();
        // Another call of the same session may ask the same.
        let id = format!("{}-{}", &context.call_key()[..16], asked.key);
        waiting.push(self.endpoint.notifier.hub().wait(scope, &id, context.downgrade(), &asked.key));
        Said::Question(protocol::question(&id, asked))
    }

    /// Questions are the answer; the client calls again with theirs.
    fn round(&mut self, asked: &[Asked]) -> Said {
        let sealed = match (&self.running, self.asking.as_deref()) {
            (Some(running), Some(MayAsk { binding: Some(binding), .. })) => {
                running.context().asking().carried().and_then(|carried| {
                    self.endpoint.rounds.seal(binding, &carried).map_err(|error| {
                        tracing::error!(target: "mcp_runtime::server", %error, "cannot seal the state of a call");
                        "The state of this call can not be kept.".to_owned()
                    })
                })
            }
            _ => Err("Nobody can be asked here.".to_owned()),
        };
        let name = self.name();
        self.end();
        match sealed {
            Ok(state) => Said::Answer { status: StatusCode::OK, body: self.endpoint.renderer.round(&self.id, asked, &state) },
            Err(message) => {
                tracing::warn!(target: "mcp_runtime::tool", tool = name, message, "a call can not go on");
                self.failure(name, Failure::Said(message))
            }
        }
    }

    async fn go_on_as_task(&mut self) -> Said {
        let name = self.name();
        let task = self.asking.take().and_then(|asking| asking.task);
        let (Some(running), Some(Tasking { head, timeout, .. })) = (self.running.take(), task) else {
            return Said::Cancelled;
        };
        self.registration = None;
        match self.endpoint.begin_task(running, &head, timeout).await {
            Ok(members) => Said::Answer { status: StatusCode::OK, body: self.endpoint.renderer.task(&self.id, &members) },
            Err(message) => self.failure(name, Failure::Said(message)),
        }
    }
}

/// What ends a call before its function does.
enum Cut {
    Cancelled,
    CredentialEnded,
}

/// The call's next event, if nothing ends it first.
async fn unless_cut_short(
    running: &mut Running,
    registration: Option<&Registration>,
    watch: Option<&Watch>,
) -> Result<Event, Cut> {
    if registration.is_none() && watch.is_none() {
        return Ok(running.next().await);
    }
    let mut cancelled = pin!(cancelled(registration));
    let mut ended = pin!(async {
        match watch {
            Some(watch) => watch.ended().await,
            None => pending().await,
        }
    });
    poll_fn(|cx| {
        // A client that cancelled does not want the answer, even if it is there.
        if registration.is_some_and(|registration| registration.cancelled.is_cancelled()) {
            return Poll::Ready(Err(Cut::Cancelled));
        }
        // Before the function, which may have something to say without end.
        if ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Cut::CredentialEnded));
        }
        if let Poll::Ready(event) = running.poll_next(cx) {
            return Poll::Ready(Ok(event));
        }
        // To be woken costs, and most calls end without ever waiting.
        cancelled.as_mut().poll(cx).map(|()| Err(Cut::Cancelled))
    })
    .await
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.outlives_client {
            return;
        }
        // Outside a runtime nobody drives it on, nor could its credential be judged.
        if Handle::try_current().is_ok() {
            self.watch_credential();
        }
        let Some(running) = self.running.take() else { return };
        let tool = running.context().tool_name();
        let rest = Self {
            running: Some(running),
            id: Arc::clone(&self.id),
            era: self.era,
            endpoint: Arc::clone(&self.endpoint),
            subject: std::mem::replace(&mut self.subject, Subject::Tool),
            asking: self.asking.take(),
            head_sent: true,
            registration: self.registration.take(),
            watch: self.watch.take(),
            session: self.session,
            outlives_client: false,
        };
        self.endpoint.unattended.adopt(tool, attend(rest, tool));
    }
}

async fn attend(mut call: Call, tool: &'static str) {
    loop {
        match call.next().await {
            // Who is gone can not be asked: the call waits for as long as its limit lets it.
            Said::Report(_) | Said::Question(_) | Said::CloseStream(_) => {}
            Said::Answer { .. } => {
                return tracing::info!(target: "mcp_runtime::tool", tool, "call ended; its client had gone, nobody reads the answer");
            }
            Said::Cancelled => {
                return tracing::info!(target: "mcp_runtime::tool", tool, "call cancelled; its client had gone before");
            }
        }
    }
}

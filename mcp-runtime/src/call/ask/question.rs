//! One question, as a future.

use std::fmt;
use std::pin::Pin;
use std::task::{Poll, Waker};

use mcp_auth::digest;
use serde_json::value::RawValue;

use super::AskError;
use super::state::{Asked, Digest, Outcome, Way};
use crate::call::{Capability, Context};
use crate::excerpt::excerpt;
use crate::names::hex;

/// Why a question outside of its call's own function is refused.
const SPAWNED: &str =
    "only the function itself can ask, not a step of it, nor a task that it spawned: ask there, and hand the answer over";

type Read<R> = Box<dyn Fn(&RawValue) -> Result<R, String> + Send>;

/// A question that can be asked.
pub(super) struct Prepared<R> {
    capability: Capability,
    method: &'static str,
    /// JSON text.
    params: String,
    digest: Digest,
    read: Read<R>,
}

impl<R> Prepared<R> {
    pub(super) fn new(capability: Capability, method: &'static str, params: String, read: Read<R>) -> Self {
        let digest = digest([method.as_bytes(), params.as_bytes()]);
        Self { capability, method, params, digest, read }
    }

    /// With params that have more to them, which says nothing about the question.
    pub(super) fn sent_as(self, params: String) -> Self {
        Self { params, ..self }
    }
}

/// A question to the client, asked when it is first polled. Dropped, it is withdrawn.
///
#[doc = include_str!("../../docs/asking.md")]
#[must_use = "a question is asked when it is awaited"]
pub struct Question<R> {
    context: Context,
    prepared: Result<Prepared<R>, Option<AskError>>,
    name: Option<String>,
    early: bool,
    /// With its number among its like, once it is asked.
    digest: Option<Digest>,
}

impl<R> Question<R> {
    pub(super) fn new(context: Context, prepared: Result<Prepared<R>, AskError>) -> Self {
        Self { context, prepared: prepared.map_err(Some), name: None, early: false, digest: None }
    }

    /// With a name by which clients of 2026-07-28 and people who read the wire know it. Unless set, it is made of the question's
    /// digest.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets a client of 2026-07-28 answer before it is asked, by the question's [name](Self::named), in the first request: for facts
    /// that are the same whenever they are told, as a user's name. Unless set, an answer counts only for the question that was asked,
    /// word for word; consent must never be taken from elsewhere.
    pub fn or_told_before(mut self) -> Self {
        self.early = true;
        self
    }

    fn poll_answer(&mut self, waker: &Waker) -> Poll<Result<R, AskError>> {
        let prepared = match &mut self.prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                return Poll::Ready(Err(error
                    .take()
                    .unwrap_or_else(|| AskError::unreachable("this question was answered before"))));
            }
        };
        if !self.context.is_polled() {
            return Poll::Ready(Err(AskError::unreachable(SPAWNED)));
        }
        let asking = self.context.asking();
        let way = asking.way();
        if let Way::Closed(why) = way {
            return Poll::Ready(Err(AskError::unreachable(why)));
        }
        if !self.context.client_can(prepared.capability) {
            return Poll::Ready(Err(AskError::Unsupported(prepared.capability)));
        }
        let question = match self.digest {
            Some(digest) => digest,
            None => match asking.register(prepared.digest) {
                Ok(digest) => {
                    if let Some(name) = self.name.as_ref().filter(|_| self.early) {
                        asking.answer_early(name, &digest);
                    }
                    *self.digest.insert(digest)
                }
                Err(error) => return Poll::Ready(Err(error)),
            },
        };
        match asking.answer(&question) {
            Some(Outcome::Error { code, message }) => return Poll::Ready(Err(AskError::Client { code, message })),
            Some(Outcome::Result(answer)) => match (prepared.read)(&answer) {
                Ok(answer) => return Poll::Ready(Ok(answer)),
                Err(misfit) if way == Way::Live => return Poll::Ready(Err(AskError::misfit(&excerpt(&misfit, 400)))),
                // It is asked again, never taken for an answer (MCP 2026-07-28, "Multi Round-Trip Requests", "Error Handling").
                Err(misfit) => {
                    let misfit = excerpt(&misfit, 400);
                    tracing::debug!(target: "mcp_runtime::tool", tool = self.context.tool_name(), misfit, "an answer does not fit; asking again");
                    asking.forget_answer(&question);
                }
            },
            None => {}
        }
        let asked = || {
            let key = self.name.clone().unwrap_or_else(|| format!("q-{}", hex(&question[..8])));
            Asked { key, digest: question, method: prepared.method, params: prepared.params.clone() }
        };
        match asking.open(asked, &question, waker) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<R> Future for Question<R> {
    type Output = Result<R, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_answer(cx.waker())
    }
}

impl<R> Unpin for Question<R> {}

impl<R> Drop for Question<R> {
    fn drop(&mut self) {
        if let Some(digest) = &self.digest {
            self.context.asking().withdraw(digest);
        }
    }
}

impl<R> fmt::Debug for Question<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.prepared.as_ref().map_or("", |prepared| prepared.method);
        f.debug_struct("Question").field("method", &method).field("name", &self.name).finish_non_exhaustive()
    }
}

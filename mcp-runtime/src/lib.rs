#![doc = include_str!("docs/crate.md")]
#![doc = include_str!("docs/limits.md")]

mod call;
mod catalog;
mod clock;
mod endpoint;
mod error;
mod excerpt;
mod extension;
mod names;
pub mod notify;
mod owner;
mod protocol;
mod schema;
mod server;
mod session;
pub mod streams;
pub mod tasks;
pub mod testing;
mod transport;

pub use call::{
    Args, AskError, Audio, Capability, Completion, CompletionRequest, Content, ContentAnnotations, Context, Elicited,
    EmbeddedResource, Extension, FromContext, Image, IntoCompletion, IntoPrompt, IntoResource, IntoToolResult, Json, LogLevel,
    Message, PromptResult, Question, ReadTarget, Requirement, ResourceContents, ResourceError, ResourceLink, ResourceResult,
    Role, Root, Sampled, SamplingRequest, State, ToolError, ToolResult, UserError,
};
pub use catalog::{Location, Prompt, Resource, Tool};
pub use endpoint::Requested;
pub use error::{Error, Problem, Result};
pub use extension::ProtocolExtension;
pub use http::HeaderMap;
pub use mcp_auth::{Auth, Principal, RateLimit, Scheme, Scopes, StaticTokens};
pub use mcp_macros::{data, prompt, resource, tool};
pub use notify::Notifier;
pub use protocol::Era;
pub use server::{Bound, Built, Handle, LegacyClients, Server};
pub use tokio_util::sync::CancellationToken;

pub mod auth {
    #![doc = include_str!("docs/auth.md")]

    pub use http::request::Parts;
    pub use mcp_auth::*;
}

/// Everything a file with tools needs.
pub mod prelude {
    pub use crate::{
        Args, AskError, Audio, Auth, CancellationToken, Capability, Completion, CompletionRequest, Content, Context, Elicited,
        EmbeddedResource, Extension, FromContext, HeaderMap, Image, Json, LogLevel, Message, Principal, PromptResult,
        ResourceContents, ResourceError, ResourceLink, ResourceResult, Role, Server, State, StaticTokens, ToolError, ToolResult,
        UserError, data, prompt, resource, tool,
    };
}

/// For generated code only. Nothing in here is stable.
#[doc(hidden)]
pub mod __private {
    use std::pin::Pin;

    pub use crate::call::{
        Argument, CallFuture, CompletionFuture, Outcome, PromptFuture, PromptOutcome, RawArguments, RawStrings, ReadFuture,
        ReadOutcome, Variable,
    };
    pub use crate::catalog::{
        Annotations, Cache, CompletionDefinition, Injected, Location, Prompt, PromptDefinition, Resource, ResourceAnnotations,
        ResourceDefinition, TaskMode, Tool, ToolDefinition,
    };
    pub use crate::{
        Capability, CompletionRequest, Context, FromContext, IntoCompletion, IntoPrompt, IntoResource, IntoToolResult,
        ReadTarget, Requirement, ToolError, ToolResult,
    };
    pub use {inventory, schemars, serde};

    /// The names of a struct's fields, in the order in which they are written, where serde tells it.
    #[must_use]
    pub fn fields_of<T: serde::de::DeserializeOwned>() -> &'static [&'static str] {
        crate::schema::fields_of::<T>()
    }

    /// A call that ended before it began.
    pub fn done<O: Send + 'static>(outcome: O) -> Pin<Box<dyn Future<Output = O> + Send>> {
        Box::pin(std::future::ready(outcome))
    }

    /// An injected parameter could not be made.
    ///
    /// # Errors
    /// Always.
    pub fn rejected<T, E: From<ToolError>>(error: ToolError) -> Result<T, E> {
        Err(error.into())
    }

    /// Suggestions from a fixed list.
    pub fn complete_from(list: &'static [&'static str], request: &CompletionRequest) -> CompletionFuture {
        done(Ok(crate::call::matching(list, request.value())))
    }

    /// Suggestions from a user's function.
    pub fn complete_with<F, R>(function: fn(CompletionRequest) -> F, request: CompletionRequest) -> CompletionFuture
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoCompletion,
    {
        Box::pin(async move { function(request).await.into_completion() })
    }

    /// Runs a blocking function off the async threads; its panic goes on here.
    ///
    /// It cannot be stopped. So that calls which were given up do not pile up unseen, it holds the context, and with it the
    /// call's place among the concurrent ones, until it ends.
    pub async fn run_blocking<R: Send + 'static>(context: Context, function: impl FnOnce() -> R + Send + 'static) -> R {
        let held = move || {
            let result = function();
            drop(context);
            result
        };
        // Given up before it began, it does not begin.
        let task = tokio_util::task::AbortOnDropHandle::new(tokio::task::spawn_blocking(held));
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("a blocking function was cancelled: {error}"),
            },
        }
    }

    /// Fails to compile, under the parameter, where its type can not be an argument.
    pub const fn check_argument<T: Argument<M>, M>() {}

    /// The same for a variable of a resource's URI.
    pub const fn check_variable<T: Variable<M>, M>() {}
}

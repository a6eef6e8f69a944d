#![doc = include_str!("docs/crate.md")]
#![doc = include_str!("docs/limits.md")]

mod call;
mod catalog;
mod endpoint;
mod error;
mod excerpt;
mod owner;
mod protocol;
mod schema;
mod server;
mod session;
pub mod tasks;
pub mod testing;
mod transport;

pub use call::{
    Args, Audio, Capability, Content, Context, EmbeddedResource, Extension, FromContext, Image, IntoToolResult, Json, LogLevel,
    Requirement, ResourceContents, ResourceLink, State, ToolError, ToolResult, UserError,
};
pub use catalog::{Location, Tool};
pub use error::{Error, Problem, Result};
pub use http::HeaderMap;
pub use mcp_auth::{
    Auth, Authenticate, AuthenticateFuture, Principal, Rejection, RejectionKind, Scheme, Scopes, StaticTokens, Verdict,
};
pub use mcp_macros::{data, tool};
pub use server::{Bound, Built, Handle, LegacyClients, Server};
pub use tokio_util::sync::CancellationToken;

/// Who is calling: what authenticators are made of.
pub mod auth {
    pub use http::request::Parts;
    pub use mcp_auth::*;
}

/// Everything a file with tools needs.
pub mod prelude {
    pub use crate::{
        Args, Audio, Auth, CancellationToken, Capability, Content, Context, EmbeddedResource, Extension, FromContext, HeaderMap,
        Image, Json, LogLevel, Principal, ResourceLink, Server, State, StaticTokens, ToolError, ToolResult, UserError, data,
        tool,
    };
}

/// For generated code only. Nothing in here is stable.
#[doc(hidden)]
pub mod __private {
    pub use crate::call::{Argument, CallFuture, Outcome, RawArguments};
    pub use crate::catalog::{Annotations, Injected, Location, Tool, ToolDefinition};
    pub use crate::{Capability, Context, FromContext, IntoToolResult, Requirement, ToolError, ToolResult};
    pub use {inventory, schemars, serde};

    /// A call that ended before it began.
    pub fn done(outcome: Outcome) -> CallFuture {
        Box::pin(std::future::ready(outcome))
    }

    /// An injected parameter could not be made.
    pub fn rejected(error: ToolError) -> Outcome {
        Err(error)
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
                Err(error) => panic!("a blocking tool was cancelled: {error}"),
            },
        }
    }

    /// Fails to compile, under the parameter, where its type can not be an argument.
    pub const fn check_argument<T: Argument<M>, M>() {}
}

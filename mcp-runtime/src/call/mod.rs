//! What a handler sees: its arguments, its context, and what it may answer.

mod annotations;
mod argument;
mod ask;
mod complete;
mod content;
mod context;
mod driver;
mod error;
mod extract;
mod log;
mod outbox;
mod prompt;
mod request;
mod resource;
mod result;
mod strings;
#[cfg(test)]
mod tests;

pub use annotations::ContentAnnotations;
pub use argument::{Args, Argument, RawArguments, Variable};
pub use ask::{AskError, Elicited, Question, Root, Sampled, SamplingRequest};
pub(crate) use ask::{Asked, Asking, Outcome as AnswerOutcome, Round, Unfit, Way, entries};
pub(crate) use complete::matching;
pub use complete::{Completion, CompletionFuture, CompletionRequest, IntoCompletion};
pub use content::{Audio, Content, EmbeddedResource, Image, ResourceContents, ResourceLink};
pub(crate) use context::{CallState, Capabilities, MoreMeta, RequestMeta, States, WeakContext};
pub use context::{Capability, Context};
pub(crate) use driver::{Ended, Event, Failure, Limits, Running, Work};
pub use error::{ToolError, UserError};
pub use extract::{Extension, FromContext, Requirement, State};
pub use log::LogLevel;
pub(crate) use log::LogMessage;
pub(crate) use outbox::{Progress, Report};
pub use prompt::{IntoPrompt, Message, PromptFuture, PromptOutcome, PromptResult, Role};
pub(crate) use request::RequestHead;
pub use resource::{IntoResource, ReadFuture, ReadOutcome, ReadTarget, ResourceError, ResourceResult};
pub(crate) use result::Contents;
pub use result::{IntoToolResult, Json, ToolResult};
pub use strings::RawStrings;

use std::pin::Pin;

/// How a tool call ended. What the tool answered may itself report an error to the model.
pub type Outcome = Result<ToolResult, ToolError>;

/// A call that is under way.
pub type CallFuture = Pin<Box<dyn Future<Output = Outcome> + Send + 'static>>;

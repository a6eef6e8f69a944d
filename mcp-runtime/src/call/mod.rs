//! What a handler sees: its arguments, its context, and what it may answer.

mod argument;
mod content;
mod context;
mod driver;
mod error;
mod extract;
mod log;
mod outbox;
mod result;

pub use argument::{Args, Argument, RawArguments};
pub use content::{Audio, Content, EmbeddedResource, Image, ResourceContents, ResourceLink};
pub(crate) use context::{CallState, Capabilities, RequestMeta, States};
pub use context::{Capability, Context};
pub(crate) use driver::{Event, Limits, Running};
pub use error::{ToolError, UserError};
pub use extract::{Extension, FromContext, Requirement, State};
pub use log::LogLevel;
pub(crate) use log::LogMessage;
pub(crate) use outbox::{Progress, Report};
pub(crate) use result::Contents;
pub use result::{IntoToolResult, Json, ToolResult};

use std::pin::Pin;

/// How a tool call ended. What the tool answered may itself report an error to the model.
pub type Outcome = Result<ToolResult, ToolError>;

/// A call that is under way.
pub type CallFuture = Pin<Box<dyn Future<Output = Outcome> + Send + 'static>>;

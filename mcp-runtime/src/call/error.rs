//! What a tool fails with: one text for the model, one for the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::{AskError, Capability};

/// A message for the model, as an ordinary error.
///
/// Put it anywhere in a chain of errors (as the error itself, or as the `source()` of another one): when the chain reaches a
/// tool's `?`, this message is what the model reads. An error without one in its chain is logged whole and masked.
#[derive(Debug)]
pub struct UserError {
    message: Cow<'static, str>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl UserError {
    /// An error that says `message` to the model. Do not put internals into it.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), cause: None }
    }

    /// With what led to it. It is logged, with its chain; the model does not see it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for UserError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// What a tool fails with.
///
/// Everything that converts into `Box<dyn Error + Send + Sync>` becomes one with `?`: the errors of std and of other crates,
/// `anyhow::Error`, strings. The client reads a general line; the error and its chain of sources are logged. To tell the
/// model something, use [`ToolError::user`].
///
#[doc = include_str!("../docs/tool_error.md")]
pub struct ToolError(Box<dyn Error + Send + Sync>);

impl ToolError {
    /// A failure whose `message` the model reads.
    pub fn user(message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(UserError::new(message)))
    }

    /// A failure that is answered with a JSON-RPC error in place of a result, which hosts show and models seldom read. For what
    /// has a code of its own; to tell the model something, use [`user`](Self::user). A code is outside of -32768 to -32000, which
    /// are JSON-RPC's and MCP's, or -32602 or -32603; any other becomes -32603.
    pub fn rpc(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        let allowed = !(-32768..=-32000).contains(&code) || matches!(code, -32602 | -32603);
        Self(Box::new(RpcError { code: if allowed { code } else { -32603 }, message: message.into() }))
    }

    /// What kind of failure it is.
    pub(crate) fn fault(&self) -> Fault<'_> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.0.as_ref());
        for _ in 0..64 {
            let Some(error) = next else { break };
            if let Some(RpcError { code, message }) = error.downcast_ref() {
                return Fault::Rpc { code: *code, message };
            }
            if let Some(AskError::Unsupported(capability)) = error.downcast_ref() {
                return Fault::Lacks(*capability);
            }
            next = error.source();
        }
        self.user_message().map_or(Fault::Other, Fault::User)
    }

    /// What the model may read: the [`UserError`] that is nearest to the surface of the chain.
    #[must_use]
    pub fn user_message(&self) -> Option<&str> {
        let mut next: Option<&(dyn Error + 'static)> = Some(self.0.as_ref());
        // A chain can be a circle only by intent; it must not become a hang.
        for _ in 0..64 {
            let error = next?;
            if let Some(user) = error.downcast_ref::<UserError>() {
                return Some(user.message());
            }
            if let Some(said) = error.downcast_ref().and_then(AskError::said) {
                return Some(said.message());
            }
            // An `io::Error` gives the source of what it wraps, and leaves out what it wraps.
            let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = wrapped.map(|wrapped| wrapped as _).or_else(|| error.source());
        }
        None
    }

    /// The error itself.
    #[must_use]
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_ref()
    }
}

/// How a failure is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault<'e> {
    Rpc { code: i32, message: &'e str },
    Lacks(Capability),
    User(&'e str),
    Other,
}

#[derive(Debug)]
struct RpcError {
    code: i32,
    message: Cow<'static, str>,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl Error for RpcError {}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The error and its chain of sources, for logs.
impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        for _ in 0..64 {
            let Some(error) = next else { break };
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolError({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("storage failed")]
    struct Storage(#[source] UserError);

    #[test]
    fn a_user_error_is_found_anywhere_in_the_chain() {
        assert_eq!(ToolError::user("a").user_message(), Some("a"));
        assert_eq!(ToolError::from(UserError::new("b")).user_message(), Some("b"));
        assert_eq!(ToolError::from(Storage(UserError::new("c"))).user_message(), Some("c"));
        assert_eq!(ToolError::from(std::io::Error::other(Storage(UserError::new("d")))).user_message(), Some("d"));
        assert_eq!(ToolError::from(std::io::Error::other(UserError::new("e"))).user_message(), Some("e"));
        let declined = ToolError::from(std::io::Error::other(AskError::Declined(UserError::new("f"))));
        assert_eq!((declined.user_message(), declined.to_string().as_str()), (Some("f"), "f"), "said once");
    }

    #[test]
    fn all_else_is_masked_and_logged_with_its_chain() {
        let error = ToolError::from("a plain string");
        assert_eq!(error.user_message(), None);
        let error = ToolError::from(Storage(UserError::new("full")));
        assert_eq!(error.to_string(), "storage failed: full");
        let error = ToolError::from(UserError::new("No such note.").caused_by(std::io::Error::other("ENOENT")));
        assert_eq!((error.user_message(), error.to_string().as_str()), (Some("No such note."), "No such note.: ENOENT"));
    }
}

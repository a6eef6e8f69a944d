//! Why a question has no answer.

use std::error::Error;
use std::fmt;

use crate::call::{Capability, UserError};

/// Why a question has no answer that the function could use.
///
/// Within a tool, `?` is enough: the model reads what it can do something about, all else is logged.
#[derive(Debug)]
#[non_exhaustive]
pub enum AskError {
    /// The client did not declare that it can do this. If the function passes it on before anything was sent, a client of
    /// 2026-07-28 is told by the error -32021 which capability it lacks.
    Unsupported(Capability),
    /// The user declined.
    Declined(UserError),
    /// The user closed the question without an answer.
    Cancelled(UserError),
    /// The client answered with an error.
    Client {
        /// The JSON-RPC error's code.
        code: i64,
        /// Its message; not to be trusted.
        message: String,
    },
    /// The client's answer is not of the form that was asked for.
    Misfit(UserError),
    /// Nobody can be asked here, and why: in a task that the function spawned, in a batch, without a session, or by a form that the
    /// client's revision does not have.
    Unreachable(UserError),
    /// The question itself can not be asked, and why: a form with a nested struct, say.
    Invalid(String),
    /// The function asks too much.
    TooMany(&'static str),
}

impl AskError {
    pub(super) fn declined() -> Self {
        Self::Declined(UserError::new("The user declined."))
    }

    pub(super) fn cancelled() -> Self {
        Self::Cancelled(UserError::new("The user closed the question without an answer."))
    }

    pub(super) fn misfit(what: &str) -> Self {
        Self::Misfit(UserError::new(format!("The client's answer does not fit the question: {what}")))
    }

    pub(super) fn unreachable(why: &str) -> Self {
        Self::Unreachable(UserError::new(format!("Nobody can be asked here: {why}")))
    }

    /// What the model may read of it.
    pub(crate) fn said(&self) -> Option<&UserError> {
        match self {
            Self::Declined(said) | Self::Cancelled(said) | Self::Misfit(said) | Self::Unreachable(said) => Some(said),
            Self::Unsupported(_) | Self::Client { .. } | Self::Invalid(_) | Self::TooMany(_) => None,
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(capability) => write!(f, "the client can not do this: it did not declare {capability}"),
            Self::Declined(said) | Self::Cancelled(said) | Self::Misfit(said) | Self::Unreachable(said) => said.fmt(f),
            Self::Client { code, message } => write!(f, "the client answered with the error {code}: {message}"),
            Self::Invalid(why) => write!(f, "this can not be asked: {why}"),
            Self::TooMany(what) => f.write_str(what),
        }
    }
}

impl Error for AskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // It shows what was said as its own: a chain must not say it twice.
        self.said()?.source()
    }
}

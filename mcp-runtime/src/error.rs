//! What can be wrong with a server before it serves.

use std::fmt;
use std::io;

use crate::catalog::Location;

/// The result of building or running a server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server could not be built or run.
///
/// `Debug` prints what `Display` does: `main` may return it, and the reader gets sentences.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not right.
    #[error("{}", listed("the server can not be built", .0))]
    Config(Vec<Problem>),
    /// What [`Handle`](crate::Handle) was to change can not be changed so.
    #[error("{}", listed("the change is refused", .0))]
    Change(Vec<Problem>),
    /// The address can not be listened on.
    #[error("cannot listen on {address}: {cause} ({})", listen_hint(cause))]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The standard streams can not be served.
    #[error("cannot serve the standard streams: {0}")]
    Stdio(io::Error),
    /// The signal handlers can not be installed.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn listen_hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => "something else listens there: stop it, or choose another port",
        _ => "an address is HOST:PORT, `127.0.0.1:8000` for example",
    }
}

fn listed(what: &str, problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => format!("{what}:"),
        count => format!("{what}, for {count} reasons:"),
    };
    for problem in problems {
        text.push_str("\n  - ");
        text.push_str(&problem.to_string());
    }
    text
}

impl Problem {
    pub(crate) fn setting(setting: &'static str, value: &str, allowed: &'static str) -> Self {
        Self::Setting { setting, value: format!("`{value}`"), allowed }
    }
}

/// One thing that is wrong with a server's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two tools have one name.
    #[error("two tools are named `{name}`: at {first} and at {second}; rename one with `#[tool(name = \"..\")]`")]
    DuplicateTool {
        /// The name.
        name: &'static str,
        /// Where the first one is.
        first: Location,
        /// Where the second one is.
        second: Location,
    },
    /// Two prompts have one name.
    #[error("two prompts are named `{name}`: at {first} and at {second}; rename one with `#[prompt(name = \"..\")]`")]
    DuplicatePrompt {
        /// The name.
        name: &'static str,
        /// Where the first one is.
        first: Location,
        /// Where the second one is.
        second: Location,
    },
    /// Two resources have one URI, or templates that match the same URIs.
    #[error("two resources answer to `{uri}`: at {first} and at {second}; give one another URI")]
    DuplicateResource {
        /// The URI or template.
        uri: &'static str,
        /// Where the first one is.
        first: Location,
        /// Where the second one is.
        second: Location,
    },
    /// A tool names a user interface that no resource has.
    #[error(
        "the tool `{tool}` shows its results in `{uri}`, but there is no such resource: add a `#[resource(\"{uri}\")]` (the tool is at {location})"
    )]
    MissingUi {
        /// The tool.
        tool: &'static str,
        /// The interface.
        uri: &'static str,
        /// Where the tool is.
        location: Location,
    },
    /// A state is needed that the server was not given.
    #[error(
        "the {noun} `{name}` takes `{parameter}: State<{state}>`, but the server has no such state: add `.state(..)` with a `{state}`, or `.shared_state(..)` with an `Arc` of it (the {noun} is at {location})"
    )]
    MissingState {
        /// `tool`, `prompt` or `resource`.
        noun: &'static str,
        /// Its name.
        name: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The type of the state.
        state: &'static str,
        /// Where it is.
        location: Location,
    },
    /// A known caller is needed, and the server knows none.
    #[error(
        "the {noun} `{name}` needs a known caller (a `Principal` parameter, or scopes), but {because} (the {noun} is at {location})"
    )]
    CallerNeverKnown {
        /// `tool`, `prompt` or `resource`.
        noun: &'static str,
        /// Its name.
        name: &'static str,
        /// Why the server knows no caller, and what would let it.
        because: &'static str,
        /// Where it is.
        location: Location,
    },
    /// Something can not be published as it is.
    #[error("the {noun} `{name}` at {location}: {text}")]
    Schema {
        /// `tool`, `prompt` or `resource`.
        noun: &'static str,
        /// Its name or URI.
        name: &'static str,
        /// Where it is.
        location: Location,
        /// What is wrong with its schema or template.
        text: String,
    },
    /// A rate is limited of what the server does not offer.
    #[error(
        "`.rate_limit_of(\"{name}\", ..)` names no tool, prompt or resource of this server{}",
        meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
    )]
    UnknownItem {
        /// The name.
        name: String,
        /// A name that comes near it.
        meant: Option<&'static str>,
    },
    /// A setting has a value that is not allowed.
    #[error("{setting} is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The server can be reached from other machines, and nobody said who may call it.
    #[error("{reach}, but everyone could call it: add `.auth(..)`, or `.allow_anonymous()` if that is meant")]
    Unprotected {
        /// How it can be reached.
        reach: String,
    },
    /// The server can be reached from other machines, and does not know its own name.
    #[error(
        "the server listens on {address}, which other machines reach, but has no public URL, so it could not tell its own `Host` from a forged one: add `.public_url(\"https://..\")`, or `.allow_host(..)` with the name that clients use"
    )]
    NoPublicUrl {
        /// The address.
        address: String,
    },
    /// The keys that seal what clients keep are not right.
    #[error("{origin}: {error}")]
    SealingKeys {
        /// Where they come from: the setting or the environment variable.
        origin: &'static str,
        /// What is wrong. It says nothing of the keys themselves.
        error: mcp_auth::KeyError,
    },
    /// The authentication chain is not right.
    #[error("authentication: {0}")]
    Auth(String),
}

//! The builder.

mod build;
mod endpoint;
mod serve;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::Auth;

pub use build::Built;
pub(crate) use build::Reach;
pub(crate) use endpoint::{Call, Endpoint, Head, Reply};
pub use serve::{Bound, Handle};
pub(crate) use settings::Origins;

use crate::call::States;
use crate::catalog::Tool;

/// An MCP server, as it is being put together.
///
/// Every linked `#[tool]` is served unless [`only`](Self::only) or [`tags`](Self::tags) choose. Nothing is checked before
/// [`build`](Self::build), which [`router`](Self::router) and [`serve`](Self::serve) call: it reports every mistake at once.
#[derive(Clone, Debug)]
pub struct Server {
    name: String,
    version: String,
    title: Option<String>,
    instructions: Option<String>,
    only: Option<Vec<Tool>>,
    tags: Vec<String>,
    states: States,
    auth: Option<Auth>,
    allow_anonymous: bool,
    public_url: Option<String>,
    path: String,
    hosts: Vec<String>,
    origins: Vec<String>,
    limits: Bounds,
}

/// The bounds that have a default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) max_result_bytes: usize,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_concurrent_calls: usize,
    pub(crate) max_connections: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            max_result_bytes: 1024 * 1024,
            max_body_bytes: 4 * 1024 * 1024,
            max_concurrent_calls: 1024,
            max_connections: 4096,
            read_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

impl Server {
    /// A server that introduces itself with this name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            title: None,
            instructions: None,
            only: None,
            tags: Vec::new(),
            states: States::default(),
            auth: None,
            allow_anonymous: false,
            public_url: None,
            path: "/mcp".to_owned(),
            hosts: Vec::new(),
            origins: Vec::new(),
            limits: Bounds::default(),
        }
    }

    /// The server's name for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// How a model should use the tools as a whole.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Serves these tools and no others: `.only([weather::tool(), search::tool()])`.
    #[must_use]
    pub fn only(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.only = Some(tools.into_iter().collect());
        self
    }

    /// Serves, of the tools that would be served, those with at least one of these tags.
    #[must_use]
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// A value for tools that take `State<T>`. Give an `Arc` its contents' type with [`shared_state`](Self::shared_state).
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(self, state: T) -> Self {
        self.shared_state(Arc::new(state))
    }

    /// A value for tools that take `State<T>`, shared with other parts of the application.
    #[must_use]
    pub fn shared_state<T: Send + Sync + 'static>(mut self, state: Arc<T>) -> Self {
        self.states.insert(state);
        self
    }

    /// Who may call: every request must carry a credential that the chain accepts.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Lets everyone call, also from other machines. With [`auth`](Self::auth), requests without a credential are served
    /// as anonymous; a wrong credential is still refused.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.allow_anonymous = true;
        self
    }

    /// The URL of the endpoint as clients reach it: `https`, or `http` on this machine.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The endpoint's path; `/mcp` unless set.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// A further `Host` the server answers to: `name` or `name:port`.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// A further `Origin` whose pages may call: `scheme://host` or `scheme://host:port`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// How long a call may take, unless its tool says otherwise. Default: 5 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How many bytes of text or JSON a result may have, unless its tool says otherwise. Default: 1 MiB.
    #[must_use]
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_result_bytes = bytes;
        self
    }

    /// How many bytes a request's body may have. Default: 4 MiB.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_body_bytes = bytes;
        self
    }

    /// How many calls may run at the same time; further ones are answered with 503. Default: 1024.
    #[must_use]
    pub fn max_concurrent_calls(mut self, calls: usize) -> Self {
        self.limits.max_concurrent_calls = calls;
        self
    }

    /// How many connections [`serve`](Self::serve) holds; further ones wait to be accepted. Default: 4096.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = connections;
        self
    }

    /// How long a client may take to send a head or a body. Default: 30 seconds.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.limits.read_timeout = timeout;
        self
    }

    /// How long [`serve`](Self::serve) waits for running calls when it is told to stop. Default: 10 seconds.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.limits.drain = timeout;
        self
    }
}

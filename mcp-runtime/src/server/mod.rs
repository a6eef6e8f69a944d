//! The builder.

mod build;
mod rates;
mod sealing;
mod serve;
mod stdio;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "fetch")]
use mcp_auth::MetadataMirror;
use mcp_auth::{Auth, KeyError, KeyRing, Principal, RateLimit, RelaySessions};

pub use build::Built;
pub(crate) use build::Reach;
pub use serve::{Bound, Handle};

use crate::call::States;
use crate::catalog::{Prompt, Resource, Tool};
use crate::endpoint::{Bounds, Permits, Requested};
use crate::extension::ProtocolExtension;
use crate::notify::{EventBus, Notifier};
use crate::streams::EventStore;
use crate::tasks::TaskStore;

/// An MCP server, as it is being put together.
///
/// Every linked `#[tool]`, `#[resource]` and `#[prompt]` is offered, unless [`only`](Self::only) and its like, or
/// [`tags`](Self::tags), choose. Nothing is checked before [`build`](Self::build), which [`router`](Self::router) and
/// [`serve`](Self::serve) call: it reports every mistake at once.
#[derive(Clone)]
#[must_use = "a server serves nothing before `serve`, `bind` or `router`"]
pub struct Server {
    name: String,
    version: String,
    title: Option<String>,
    description: Option<String>,
    website_url: Option<String>,
    icons: Vec<String>,
    instructions: Option<String>,
    only: Option<Vec<Tool>>,
    only_prompts: Option<Vec<Prompt>>,
    only_resources: Option<Vec<Resource>>,
    tags: Vec<String>,
    states: States,
    auth: Option<Auth>,
    permits: Permits,
    relay: Option<(String, RelaySessions)>,
    #[cfg(feature = "fetch")]
    mirror: Option<MetadataMirror>,
    allow_anonymous: bool,
    public_url: Option<String>,
    path: String,
    client_logging: bool,
    page_size: Option<usize>,
    cache_lists: Duration,
    hosts: Vec<String>,
    origins: Vec<String>,
    legacy: LegacyClients,
    sealing_keys: Option<Result<KeyRing, KeyError>>,
    session_lifetime: Duration,
    session_idle: Duration,
    list_changes: bool,
    resource_updates: bool,
    notifier: Notifier,
    round_lifetime: Duration,
    max_round_bytes: usize,
    task_store: Option<Arc<dyn TaskStore>>,
    task_ttl: Duration,
    task_poll_interval: Duration,
    task_timeout: Duration,
    event_store: Option<Arc<dyn EventStore>>,
    extensions: Vec<ProtocolExtension>,
    stdio_principal: Option<Principal>,
    rate_limit: Option<RateLimit>,
    rate_limits_of: Vec<(String, RateLimit)>,
    limits: Bounds,
}

/// How clients are served that open with `initialize`: the revisions 2025-03-26, 2025-06-18 and 2025-11-25.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyClients {
    /// Over HTTP they get a session, and must name it in each request. It costs no memory.
    #[default]
    Sessions,
    /// Over HTTP they get no session: each request is served alone, and nothing is known of its client. Tools that require a
    /// capability of the client answer with an error, no call can be cancelled, and nobody can be asked or told of changes.
    Sessionless,
    /// They are told that this server does not speak their version.
    Refused,
}

impl Server {
    /// A server that introduces itself with this name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            title: None,
            description: None,
            website_url: None,
            icons: Vec::new(),
            instructions: None,
            only: None,
            only_prompts: None,
            only_resources: None,
            tags: Vec::new(),
            states: States::default(),
            auth: None,
            permits: Permits::default(),
            relay: None,
            #[cfg(feature = "fetch")]
            mirror: None,
            allow_anonymous: false,
            public_url: None,
            path: "/mcp".to_owned(),
            client_logging: false,
            page_size: None,
            cache_lists: Duration::ZERO,
            hosts: Vec::new(),
            origins: Vec::new(),
            legacy: LegacyClients::default(),
            sealing_keys: None,
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            session_idle: Duration::from_secs(30 * 60),
            list_changes: false,
            resource_updates: false,
            notifier: Notifier::default(),
            round_lifetime: Duration::from_secs(60 * 60),
            max_round_bytes: 64 * 1024,
            task_store: None,
            task_ttl: Duration::from_secs(24 * 60 * 60),
            task_poll_interval: Duration::from_secs(1),
            task_timeout: Duration::from_secs(60 * 60),
            event_store: None,
            extensions: Vec::new(),
            stdio_principal: None,
            rate_limit: None,
            rate_limits_of: Vec::new(),
            limits: Bounds::default(),
        }
    }

    /// The server's name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// What the server is, for people who look at what they are connected to. Clients before 2025-11-25 are not told.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Where people find out more about the server: an `https` URL. Clients before 2025-11-25 are not told.
    pub fn website_url(mut self, url: impl Into<String>) -> Self {
        self.website_url = Some(url.into());
        self
    }

    /// A picture that stands for the server: an `https:` or `data:image/` URI. Clients before 2025-11-25 are not told.
    pub fn icon(mut self, uri: impl Into<String>) -> Self {
        self.icons.push(uri.into());
        self
    }

    /// How a model should use the tools as a whole.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Serves these tools and no others: `.only([weather::tool(), search::tool()])`; with `[]` none. Prompts and resources are chosen
    /// by [`only_prompts`](Self::only_prompts) and [`only_resources`](Self::only_resources).
    pub fn only(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.only = Some(tools.into_iter().collect());
        self
    }

    /// Offers these prompts and no others: `.only_prompts([review::prompt()])`; with `[]` none.
    pub fn only_prompts(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.only_prompts = Some(prompts.into_iter().collect());
        self
    }

    /// Offers these resources and no others: `.only_resources([order::resource()])`; with `[]` none.
    pub fn only_resources(mut self, resources: impl IntoIterator<Item = Resource>) -> Self {
        self.only_resources = Some(resources.into_iter().collect());
        self
    }

    /// Serves, of the tools, prompts and resources that would be served, those with at least one of these tags.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// A value for tools that take `State<T>`, in place of an earlier one of the same type. Give an `Arc` its contents' type with [`shared_state`](Self::shared_state).
    pub fn state<T: Send + Sync + 'static>(self, state: T) -> Self {
        self.shared_state(Arc::new(state))
    }

    /// A value for tools that take `State<T>`, shared with other parts of the application. `T` may be a trait object:
    /// `.shared_state::<dyn Repository>(repository)`.
    pub fn shared_state<T: ?Sized + Send + Sync + 'static>(mut self, state: Arc<T>) -> Self {
        self.states.insert(state);
        self
    }

    /// Who may call: every request must carry a credential that the chain accepts. An authenticator alone is a chain of one.
    pub fn auth(mut self, auth: impl Into<Auth>) -> Self {
        self.auth = Some(auth.into());
        self
    }

    /// Lets people obtain relay sessions at this path by a `POST`, for the MCP Inspector and other relays to call with; see
    /// [`RelaySessions`]. The chain must take them: `.with(ProxyToken::relay_only(sessions.clone()))`.
    pub fn relay_sessions(mut self, path: impl Into<String>, sessions: RelaySessions) -> Self {
        self.relay = Some((path.into(), sessions));
        self
    }

    /// Shows the authorization server's metadata at `/.well-known/oauth-authorization-server` as well, where clients of
    /// MCP 2025-03-26 look for it: [`MetadataMirror`]. Tokens of that server must be known to the chain. The feature `fetch`
    /// has it.
    ///
    /// Where the origin is a site that has its own document there, leave it to the site.
    #[cfg(feature = "fetch")]
    pub fn mirror_authorization_server(mut self, mirror: MetadataMirror) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// Scopes that an item needs for some arguments only, beside those that it needs in any case:
    /// `.scopes_by("refund", |asked| (asked.argument("cents").as_u64() > Some(10_000)).then_some("orders:approve"))`.
    ///
    /// `name` is that of a tool, a prompt or a resource (by its function, unless it says another). Asked before the item runs,
    /// when a client can still be told which scopes to get. A rule that no scope can express belongs into the function itself.
    pub fn scopes_by<S, I>(mut self, name: &str, needed: impl Fn(&Requested<'_>) -> I + Send + Sync + 'static) -> Self
    where
        S: Into<String>,
        I: IntoIterator<Item = S>,
    {
        self.permits.add(name, needed);
        self
    }

    /// Lets everyone call, also from other machines. With [`auth`](Self::auth), requests without a credential are served
    /// as anonymous; a wrong credential is still refused.
    pub fn allow_anonymous(mut self) -> Self {
        self.allow_anonymous = true;
        self
    }

    /// The URL of the endpoint as clients reach it: `https`, or `http` on this machine.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The endpoint's path; `/mcp` unless set.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Lets tools send log messages to clients that ask, with [`Context::log`](crate::Context::log).
    ///
    /// Off unless set: the protocol calls this feature deprecated since 2026-07-28, and has servers say that they use it. A client
    /// asks for each request by itself, or one of a legacy revision for its session; over HTTP that stays with one instance.
    pub fn client_logging(mut self) -> Self {
        self.client_logging = true;
        self
    }

    /// Declares that the lists of tools, prompts and resources may change while the server runs, so that clients ask to be told: by
    /// [`Handle`] and [`Notifier`]. Off unless set, since each client that hears of it holds a connection.
    pub fn list_changes(mut self) -> Self {
        self.list_changes = true;
        self
    }

    /// Declares that clients can subscribe to resources: they hear of [`Notifier::resource_updated`]. Off unless set.
    pub fn resource_updates(mut self) -> Self {
        self.resource_updates = true;
        self
    }

    /// What tells clients of changes, for the application to keep; see [`Notifier`].
    #[must_use]
    pub fn notify(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Brings changes, answers and the states of tasks to the other instances of this server. Without it, an instance is alone.
    pub fn event_bus(self, bus: impl EventBus) -> Self {
        self.notifier.hub().use_bus(Arc::new(bus));
        self
    }

    /// Adds an extension of the protocol. Off unless added.
    pub fn extension(mut self, extension: ProtocolExtension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// How long a client of 2026-07-28 may take to come back with the answers to a call's questions. Default: an hour.
    pub fn round_lifetime(mut self, lifetime: Duration) -> Self {
        self.round_lifetime = lifetime;
        self
    }

    /// How many bytes of answers and [steps](crate::Context::step) a call may carry from round to round. Default: 64 KiB.
    pub fn max_round_bytes(mut self, bytes: usize) -> Self {
        self.max_round_bytes = bytes;
        self
    }

    /// Where tasks are kept. Default: [`MemoryTasks`](crate::tasks::MemoryTasks), which ends with the process and serves one
    /// instance.
    pub fn task_store(mut self, store: impl TaskStore) -> Self {
        self.task_store = Some(Arc::new(store));
        self
    }

    /// How long a task is kept from when it was begun, its result included; it runs no longer either. Default: 24 hours.
    pub fn task_ttl(mut self, ttl: Duration) -> Self {
        self.task_ttl = ttl;
        self
    }

    /// How long a client should wait before it asks again after a task. Default: a second.
    pub fn task_poll_interval(mut self, interval: Duration) -> Self {
        self.task_poll_interval = interval;
        self
    }

    /// How long a task may run, unless its tool says otherwise. Default: an hour.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = timeout;
        self
    }

    /// Where the streams of legacy sessions are kept for clients that come back. Default:
    /// [`MemoryEvents`](crate::streams::MemoryEvents).
    pub fn event_store(mut self, store: impl EventStore) -> Self {
        self.event_store = Some(Arc::new(store));
        self
    }

    /// How long a legacy session may hold memory, for a stream or a subscription, while it has no stream open and changes no
    /// subscription; then it ends. Of the sessions of one caller who has more than 64 of them, the one that is unused for longest
    /// ends before. Default: 30 minutes.
    pub fn session_idle(mut self, idle: Duration) -> Self {
        self.session_idle = idle;
        self
    }

    /// How many streams may listen at the same time, over all callers: further ones are answered with 503. One known caller has at
    /// most 64, all anonymous ones together 1024; a legacy session that hears something counts by itself, beside its stream.
    /// Default: 2048.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.limits.max_streams = streams;
        self
    }

    /// How many items a page of a list has. Unless set, one page has them all: not every client asks for a second.
    ///
    /// The cursors are sealed (see [`sealing_keys`](Self::sealing_keys)), and each is its caller's alone.
    pub fn page_size(mut self, items: usize) -> Self {
        self.page_size = Some(items);
        self
    }

    /// How long clients of 2026-07-28 may keep what the server offers without asking again: its description and its lists. Caches
    /// may share them where they are the same for everybody: on a server without `auth` and without hidden tools. Default: not at
    /// all.
    pub fn cache_lists(mut self, ttl: Duration) -> Self {
        self.cache_lists = ttl;
        self
    }

    /// A further `Host` the server answers to: `name` or `name:port`.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// A further `Origin` whose pages may call: `scheme://host` or `scheme://host:port`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// How clients of the legacy revisions are served. Default: [`LegacyClients::Sessions`].
    pub fn legacy_clients(mut self, legacy: LegacyClients) -> Self {
        self.legacy = legacy;
        self
    }

    /// The keys for what clients keep for the server: session ids, cursors, and the state of calls that wait for answers.
    /// `.sealing_keys([key])`: the first one seals, every one opens.
    ///
    /// A key is 32 to 64 random bytes in base64 or hex (`openssl rand -base64 32`). Without this, the environment variable
    /// `MCP_SEALING_KEYS` has them, separated by commas; without either, the server makes one that ends with it, and what it
    /// sealed survives neither a restart nor a request that reaches another instance. All instances need the same keys and the same
    /// [`public_url`](Self::public_url).
    ///
    /// To replace a key while several instances run, restart all of them three times: with `[old, new]`, so that all can open what
    /// the new one seals; with `[new, old]`; and a [`session_lifetime`](Self::session_lifetime) later with `[new]`.
    pub fn sealing_keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.sealing_keys = Some(KeyRing::parse(keys));
        self
    }

    /// How long a legacy client may use its session before it must open another; at least a second. Default: 24 hours.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = lifetime;
        self
    }

    /// Who calls over [`stdio`](Self::stdio), where [`auth`](Self::auth) has nothing to look at: whoever started the process.
    /// Without it, that caller is anonymous.
    pub fn stdio_principal(mut self, principal: Principal) -> Self {
        self.stdio_principal = Some(principal);
        self
    }

    /// How long a call may take, unless its tool says otherwise. Default: 5 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How often a client that asked for progress hears that a tool is still at work, where the tool itself reports nothing;
    /// `None` for never. Many clients give up after a minute of silence. Default: 15 seconds.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.limits.heartbeat = interval.into();
        self
    }

    /// How many bytes of text or JSON a result may have, unless its tool or resource says otherwise. What a tool has beyond that is
    /// cut, with a message; a larger resource is an error. Default: 1 MiB.
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_result_bytes = bytes;
        self
    }

    /// How many bytes a request's body may have. Default: 4 MiB.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_body_bytes = bytes;
        self
    }

    /// How many bytes of bodies over 64 KiB may be in the making at the same time, over all connections; further ones are
    /// answered with 503. Default: 256 MiB.
    pub fn max_buffered_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_buffered_bytes = bytes;
        self
    }

    /// How many calls and tasks may run at the same time; further ones are answered with 503, legacy clients with an
    /// error. Default: 1024.
    pub fn max_concurrent_calls(mut self, calls: usize) -> Self {
        self.limits.max_concurrent_calls = calls;
        self
    }

    /// How many calls may go on at the same time for legacy clients that lost their connection; further ones end with it. Default:
    /// 256.
    pub fn max_unattended_calls(mut self, calls: usize) -> Self {
        self.limits.max_unattended_calls = calls;
        self
    }

    /// How many connections [`serve`](Self::serve) holds; further ones wait to be accepted. Default: 4096.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.max_connections = connections;
        self
    }

    /// How long a client may take to send a head or a body, and to take what it is sent. Default: 30 seconds.
    pub fn client_timeout(mut self, timeout: Duration) -> Self {
        self.limits.client_timeout = timeout;
        self
    }

    /// How long [`serve`](Self::serve) waits for running calls when it is told to stop. Default: 10 seconds.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.limits.drain = timeout;
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

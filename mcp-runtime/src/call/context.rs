//! What a handler may know and do beside its arguments.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::Duration;

use http::{Extensions, HeaderMap};
use mcp_auth::Principal;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::ask::{Asking, Polling, Round, Way};
use super::outbox::Outbox;
use super::request::RequestHead;
use super::{LogLevel, LogMessage};
use crate::notify::Notifier;
use crate::protocol::Era;

/// Something a client may be able to do (MCP 2026-07-28, `ClientCapabilities`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Ask its user by a form.
    Elicitation,
    /// Send its user to a URL.
    ElicitationUrl,
    /// Sample from its model.
    Sampling,
    /// List its roots.
    Roots,
    /// Take a task in place of a result (the extension `io.modelcontextprotocol/tasks`).
    Tasks,
    /// Show user interfaces (the extension `io.modelcontextprotocol/ui`, MCP Apps).
    Ui,
}

impl Capability {
    pub(crate) const ALL: [Self; 6] =
        [Self::Elicitation, Self::ElicitationUrl, Self::Sampling, Self::Roots, Self::Tasks, Self::Ui];
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elicitation => "elicitation by form",
            Self::ElicitationUrl => "elicitation by URL",
            Self::Sampling => "sampling",
            Self::Roots => "roots",
            Self::Tasks => "the tasks extension",
            Self::Ui => "MCP Apps",
        })
    }
}

/// A set of [`Capability`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(u32);

impl Capabilities {
    pub(crate) fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u32;
    }

    pub(crate) fn insert_all(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(crate) fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u32) != 0
    }

    /// A bit for each, as it is written into sealed statements: the order of [`Capability`] must not change.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// What the request says about itself and its client.
#[derive(Debug, Default)]
pub(crate) struct RequestMeta {
    pub(crate) capabilities: Capabilities,
    pub(crate) progress_token: Option<Box<RawValue>>,
    /// The least grave log messages that the client wants, if it wants any.
    pub(crate) log_level: Option<LogLevel>,
    /// What few requests say.
    pub(crate) more: Option<Box<MoreMeta>>,
}

/// What a request says for those who know it.
#[derive(Debug, Default)]
pub(crate) struct MoreMeta {
    /// The settings of the client's extensions: JSON text of an object.
    pub(crate) extensions: Option<Box<RawValue>>,
    /// What else its `_meta` holds.
    pub(crate) others: Vec<(Box<str>, Box<RawValue>)>,
}

/// The states of a server, by type.
#[derive(Clone, Default)]
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        // In an `Arc` of its own, since `T` may be a trait object.
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn types(&self) -> Vec<TypeId> {
        self.0.keys().copied().collect()
    }

    fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}

/// The facts of one call.
#[derive(Debug)]
pub(crate) struct CallState {
    pub(crate) tool: &'static str,
    pub(crate) states: Arc<States>,
    pub(crate) principal: Option<Principal>,
    pub(crate) request: RequestHead,
    pub(crate) meta: RequestMeta,
    pub(crate) era: Era,
    /// Of a function that may ask.
    pub(crate) asking: Option<Box<Asking>>,
    pub(crate) notifier: Notifier,
    /// May the call become a task where its function says so?
    pub(crate) begins_task: bool,
    /// Is it driven by a server, which knows when it polls the function?
    pub(crate) is_driven: bool,
    /// The call's place among those that may run at once.
    pub(crate) _slot: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Inner {
    facts: CallState,
    outbox: Outbox,
    /// Made when first asked for: most tools never do.
    cancellation: OnceLock<CancellationToken>,
    asking: OnceLock<Box<Asking>>,
}

/// One call, as its handler sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

impl Context {
    pub(crate) fn new(mut facts: CallState) -> Self {
        let outbox = Outbox::default();
        let asking = facts.asking.take().map(OnceLock::from).unwrap_or_default();
        Self(Arc::new(Inner { facts, outbox, cancellation: OnceLock::new(), asking }))
    }

    /// A context outside any server, for calling a tool function in a unit test: no caller, no state, no headers.
    #[must_use]
    pub fn detached() -> Self {
        Self::new(CallState {
            tool: "detached",
            states: Arc::default(),
            principal: None,
            request: RequestHead::default(),
            meta: RequestMeta::default(),
            era: Era::V2026_07_28,
            asking: None,
            notifier: Notifier::default(),
            begins_task: false,
            is_driven: false,
            _slot: None,
        })
    }

    /// The name of what was called: the tool, the prompt, or the resource.
    #[must_use]
    pub fn tool_name(&self) -> &'static str {
        self.0.facts.tool
    }

    /// Who calls, where the server knows.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.0.facts.principal.as_ref()
    }

    /// The headers of the HTTP request; empty on other transports.
    ///
    /// `authorization` and `cookie` are not among them: what they proved is in [`Self::principal`].
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.0.facts.request.shown()
    }

    /// The request as it came, with its credential.
    pub(crate) fn request(&self) -> &RequestHead {
        &self.0.facts.request
    }

    /// What middlewares of the host application attached to the request.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.facts.request.extensions
    }

    /// A state the server was given, by type.
    #[must_use]
    pub fn state<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.facts.states.get()
    }

    /// Did the client declare this capability on this request?
    #[must_use]
    pub fn client_can(&self, capability: Capability) -> bool {
        self.0.facts.meta.capabilities.contains(capability)
    }

    /// The client's settings of an extension, if it declared that extension on this request (MCP 2026-07-28, "Extension
    /// Negotiation"): an object, often an empty one. Of a handshake revision only [`Capability::Ui`] is known.
    #[must_use]
    pub fn client_extension(&self, id: &str) -> Option<Map<String, Value>> {
        let mut all: Map<String, Value> =
            serde_json::from_str(self.0.facts.meta.more.as_ref()?.extensions.as_ref()?.get()).ok()?;
        match all.remove(id)? {
            Value::Object(settings) => Some(settings),
            _ => None,
        }
    }

    /// An entry of the request's `_meta` that is not the protocol's own: `traceparent`, or a key of yours.
    #[must_use]
    pub fn meta(&self, key: &str) -> Option<Value> {
        let (_, value) = self.0.facts.meta.more.as_ref()?.others.iter().find(|(known, _)| **known == *key)?;
        serde_json::from_str(value.get()).ok()
    }

    /// The revision that the client speaks.
    #[must_use]
    pub fn era(&self) -> Era {
        self.0.facts.era
    }

    /// Tells clients that something changed: see [`Notifier`].
    #[must_use]
    pub fn notify(&self) -> &Notifier {
        &self.0.facts.notifier
    }

    /// A name of this call, of 32 hexadecimal digits: the same through all rounds of one call and in the task that it becomes, and
    /// another for every other call. For the idempotency key of what must happen at most once.
    #[must_use]
    pub fn call_key(&self) -> String {
        self.asking().call_key()
    }

    /// Goes on as a task, where the client takes tasks: it gets the task's id as the answer, and asks for the result later. For
    /// tools with `task = "deferred"`; what was asked before was asked in rounds, what is asked from here on is asked within the
    /// task. Where it can not become a task, the call goes on as it is.
    pub async fn begin_task(&self) {
        poll_fn(|cx| {
            let ours = self.0.facts.begins_task && self.is_polled();
            if !ours || self.asking().begin_task(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Lets go of the connection of a client of 2025-11-25 that can come back for the rest after `retry` (MCP 2025-11-25,
    /// Streamable HTTP, "Sending Messages to the Server"); for all others nothing happens. The call goes on.
    pub fn close_stream(&self, retry: Duration) {
        self.asking().close_stream(retry);
    }

    pub(crate) fn asking(&self) -> &Asking {
        const NOBODY: Way = Way::Closed("it is called outside of any server, or by a function that was given no `Context`");
        self.0.asking.get_or_init(|| Box::new(Asking::new(NOBODY, Round::default(), usize::MAX)))
    }

    /// Is the function itself at work, and not a task that it spawned?
    pub(crate) fn is_polled(&self) -> bool {
        !self.0.facts.is_driven || Polling::is(self.mark())
    }

    /// Tells this call from all others that run.
    pub(crate) fn mark(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext(Arc::downgrade(&self.0))
    }

    /// Tells the client how far the call is: `done` of `total`, in any unit, and what happens now.
    ///
    /// Never blocks. Nothing is sent to a client that did not ask for progress, or where `done` did not grow (MCP 2026-07-28,
    /// "Progress"); a client slower than the tool gets the latest value. Of a task it is the status message, for every client.
    pub fn progress(&self, done: f64, total: impl Into<Option<f64>>, message: impl Into<String>) {
        if self.0.facts.meta.progress_token.is_some() || self.0.asking.get().is_some_and(|asking| asking.is_task()) {
            self.0.outbox.progress(done, total.into(), message.into());
        }
    }

    /// Sends the client a log message: a text, or any JSON. `level` says how grave it is.
    ///
    /// Never blocks. It goes to clients that ask for messages as grave as this, on servers with
    /// [`client_logging`](crate::Server::client_logging); of a flood, a slow client gets the latest. It is no secret place, and no
    /// replacement for the server's own log.
    pub fn log(&self, level: LogLevel, data: impl Into<Value>) {
        if self.0.facts.meta.log_level.is_some_and(|least| level >= least) {
            self.0.outbox.log(LogMessage { level, data: data.into() });
        }
    }

    /// A token that is cancelled when the call is: for work that was spawned and outlives the handler's future.
    #[must_use]
    pub fn cancellation(&self) -> CancellationToken {
        self.0.cancellation.get_or_init(CancellationToken::new).clone()
    }

    pub(crate) fn cancel(&self) {
        // Somebody else who holds the context may ask for the token only later; it must come cancelled.
        if Arc::strong_count(&self.0) > 1 || self.0.cancellation.get().is_some() {
            self.cancellation().cancel();
        }
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    pub(crate) fn progress_token(&self) -> Option<&RawValue> {
        self.0.facts.meta.progress_token.as_deref()
    }
}

/// A call that may have ended.
#[derive(Clone, Debug)]
pub(crate) struct WeakContext(Weak<Inner>);

impl WeakContext {
    pub(crate) fn upgrade(&self) -> Option<Context> {
        self.0.upgrade().map(Context)
    }
}

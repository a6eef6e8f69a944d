//! What a handler may know and do beside its arguments.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use http::{Extensions, HeaderMap};
use mcp_auth::Principal;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::outbox::Outbox;
use super::{LogLevel, LogMessage};

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
}

impl Capability {
    pub(crate) const ALL: [Self; 4] = [Self::Elicitation, Self::ElicitationUrl, Self::Sampling, Self::Roots];
}

/// A set of [`Capability`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(u32);

impl Capabilities {
    pub(crate) fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u32;
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
}

/// The states of a server, by type.
#[derive(Clone, Default)]
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        // In an `Arc` of its own, since `T` may be a trait object.
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn contains(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
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
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: Extensions,
    pub(crate) meta: RequestMeta,
    /// The call's place among those that may run at once.
    pub(crate) _slot: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Inner {
    facts: CallState,
    outbox: Outbox,
    /// Made when first asked for: most tools never do.
    cancellation: OnceLock<CancellationToken>,
}

/// One call, as its handler sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

impl Context {
    pub(crate) fn new(facts: CallState) -> Self {
        let outbox = Outbox::default();
        Self(Arc::new(Inner { facts, outbox, cancellation: OnceLock::new() }))
    }

    /// A context outside any server, for calling a tool function in a unit test: no caller, no state, no headers.
    #[must_use]
    pub fn detached() -> Self {
        Self::new(CallState {
            tool: "detached",
            states: Arc::default(),
            principal: None,
            headers: HeaderMap::new(),
            extensions: Extensions::new(),
            meta: RequestMeta::default(),
            _slot: None,
        })
    }

    /// The name of the tool that was called.
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
        &self.0.facts.headers
    }

    /// What middlewares of the host application attached to the request.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.facts.extensions
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

    /// Tells the client how far the call is: `done` of `total`, in any unit, and what happens now.
    ///
    /// Never blocks. Nothing is sent to a client that did not ask for progress, or where `done` did not grow (MCP 2026-07-28,
    /// "Progress"); a client slower than the tool gets the latest value.
    pub fn progress(&self, done: f64, total: impl Into<Option<f64>>, message: impl Into<String>) {
        if self.0.facts.meta.progress_token.is_some() {
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

//! One request's way from bytes to an answer, the same for every transport.

mod batch;
mod bounds;
mod call;
mod in_flight;
mod origins;

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use http::{Extensions, HeaderMap, StatusCode};
use mcp_auth::{Auth, Challenge, ChallengeError, Principal};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

pub(crate) use batch::Batch;
pub(crate) use bounds::Bounds;
pub(crate) use call::{Call, Said, Unattended};
use in_flight::{InFlight, Scope};
pub(crate) use origins::{Origins, PublicUrl};

use crate::call::{CallState, Context, RawArguments, RequestMeta, Running, States, ToolResult};
use crate::catalog::{Catalog, Entry};
use crate::protocol::legacy::{self, Client, Opening};
use crate::protocol::{
    Body, Code, Era, Incoming, Message, Method, Refusal, Renderer, Wire, check_parameters, classify, invalid, modern, session_id,
    wire_of,
};
use crate::session::{Full, Session, Sessions};

const KIB: usize = 1024;
const SMALL_BODY: usize = 64 * KIB;

/// More messages in one batch are refused: an answer may be far longer than its question.
const MAX_BATCH: usize = 50;

/// What serves the requests.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where it is, as clients write it.
    pub(crate) path: String,
    catalog: Catalog,
    states: Arc<States>,
    renderer: Renderer,
    legacy: Legacy,
    calls: Arc<Semaphore>,
    in_flight: Arc<InFlight>,
    pub(crate) unattended: Unattended,
    /// Kibibytes of request bodies that may be in the making.
    buffers: Semaphore,
    /// Cancelled when no further calls are taken.
    pub(crate) shutdown: CancellationToken,
    pub(crate) access: Access,
    pub(crate) bounds: Bounds,
}

/// How clients are served that open with `initialize`.
#[derive(Debug)]
pub(crate) enum Legacy {
    Sessions(Sessions),
    Sessionless,
    Refused,
}

/// Who may call, from where.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) origins: Origins,
    pub(crate) auth: Option<Auth>,
    pub(crate) allow_anonymous: bool,
}

/// What a transport knows of a request beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) carrier: Carrier,
    pub(crate) extensions: Extensions,
    pub(crate) principal: Option<Principal>,
}

/// What brought the message.
#[derive(Clone, Debug)]
pub(crate) enum Carrier {
    /// With headers that must agree with the body. A legacy client is known by the session it names there.
    Http(HeaderMap),
    /// A pipe to one process. A legacy client is known by what it opened with.
    Pipe(Arc<Pipe>),
}

/// What a pipe remembers: the handshake of the legacy client at its other end, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Pipe(Mutex<Option<Client>>);

impl Pipe {
    fn client(&self) -> Option<Client> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, client: Client) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }
}

impl Carrier {
    fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Http(headers) => Some(headers),
            Self::Pipe(_) => None,
        }
    }

    /// Within what a client's ids are its own, as far as the carrier tells.
    fn scope(&self) -> Option<Scope> {
        match self {
            Self::Http(_) => None,
            Self::Pipe(_) => Some(Scope::Pipe),
        }
    }
}

/// What a transport has to send.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A notification was accepted.
    Accepted,
    Json {
        status: StatusCode,
        body: Vec<u8>,
    },
    /// A legacy client was let in, and named so.
    Opened {
        session: String,
        body: Vec<u8>,
    },
    Challenge {
        challenge: Challenge,
        body: Vec<u8>,
    },
    /// A tool is at work.
    Call(Call),
    Batch(Batch),
}

/// In whose terms a message is answered.
#[derive(Clone, Copy, Debug)]
struct Terms {
    era: Era,
    /// Within what its ids name its calls, so that it can cancel them.
    scope: Option<Scope>,
}

/// A message that is not carried out, and in whose terms it is refused.
type Refused = (Era, Refusal);

impl Endpoint {
    pub(crate) fn new(
        path: String,
        catalog: Catalog,
        states: States,
        renderer: Renderer,
        legacy: Legacy,
        access: Access,
        bounds: Bounds,
    ) -> Self {
        let calls = Arc::new(Semaphore::new(bounds.max_concurrent_calls));
        let buffers = Semaphore::new(bounds.max_buffered_bytes / KIB);
        Self {
            path,
            catalog,
            states: Arc::new(states),
            renderer,
            legacy,
            calls,
            in_flight: Arc::default(),
            unattended: Unattended::default(),
            buffers,
            shutdown: CancellationToken::new(),
            access,
            bounds,
        }
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Room for a body of up to so many bytes, unless all is taken. Small bodies need none: connections are bounded.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, TryAcquireError> {
        if bytes <= SMALL_BODY {
            return Ok(None);
        }
        let kibibytes = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        self.buffers.try_acquire_many(kibibytes).map(Some)
    }

    /// Answers what came, or starts the tools that will.
    pub(crate) fn answer(self: &Arc<Self>, head: Head, body: &[u8]) -> Reply {
        let replied = match Body::read(body) {
            Ok(Body::One(text)) => self.answer_one(head, text),
            Ok(Body::Many(texts)) => self.answer_batch(&head, &texts),
            Err(refusal) => Err((Era::V2026_07_28, refusal)),
        };
        replied.unwrap_or_else(|(era, refusal)| refused(era, &refusal))
    }

    fn answer_one(self: &Arc<Self>, head: Head, text: &str) -> Result<Reply, Refused> {
        let message = Incoming::parse(text).map_err(|refusal| (Era::V2026_07_28, refusal))?;
        let wire = classify(&message, head.carrier.headers()).map_err(|refusal| (Era::V2026_07_28, refusal))?;
        let (terms, message) = self.read(&head, message, wire)?;
        self.carry_out(head, terms, message)
    }

    /// Only the first revision has batches, and a body says nothing of a batch's revision: its session or header does.
    fn answer_batch(self: &Arc<Self>, head: &Head, texts: &[&str]) -> Result<Reply, Refused> {
        let era = self.batch_era(head).map_err(|refusal| (Era::V2025_03_26, refusal))?;
        if era != Some(Era::V2025_03_26) {
            let refusal = invalid("batches are not part of this protocol version, send one message per request");
            return Err((Era::V2026_07_28, refusal));
        }
        if texts.is_empty() || texts.len() > MAX_BATCH {
            return Err((Era::V2025_03_26, invalid(&format!("a batch has 1 to {MAX_BATCH} messages"))));
        }
        let messages: Vec<_> = texts.iter().map(|text| Incoming::parse(text)).collect();
        for message in messages.iter().flatten() {
            let fault = match message {
                Incoming::Asked { method, .. } if method == "initialize" => "initialize can not be part of a batch",
                message if message.claims_a_version() => "a message with a version in its _meta can not be part of a batch",
                _ => continue,
            };
            return Err((Era::V2025_03_26, invalid(fault)));
        }
        let mut batch = Batch::default();
        for message in messages {
            let read = message.map_err(|refusal| (Era::V2025_03_26, refusal));
            let reply = read
                .and_then(|message| self.read(head, message, Wire::Legacy(None)))
                .and_then(|(terms, message)| self.carry_out(head.clone(), terms, message));
            match reply.unwrap_or_else(|(era, refusal)| refused(era, &refusal)) {
                Reply::Accepted | Reply::Batch(_) => {}
                Reply::Json { body, .. } | Reply::Opened { body, .. } | Reply::Challenge { body, .. } => batch.answer(body),
                Reply::Call(call) => batch.call(call),
            }
        }
        Ok(if batch.is_empty() { Reply::Accepted } else { Reply::Batch(batch) })
    }

    fn batch_era(&self, head: &Head) -> Result<Option<Era>, Refusal> {
        let named = match &head.carrier {
            Carrier::Http(headers) => match wire_of(headers)? {
                Wire::Legacy(named) => named,
                Wire::Modern => return Ok(Some(Era::V2026_07_28)),
            },
            Carrier::Pipe(_) => None,
        };
        Ok(self.client(head, named)?.map(|(client, _)| client.era))
    }

    /// The legacy client that sent this, if it opened before, and the scope of its ids.
    fn client(&self, head: &Head, named: Option<Era>) -> Result<Option<(Client, Option<Scope>)>, Refusal> {
        match (&head.carrier, &self.legacy) {
            (_, Legacy::Refused) => Ok(None),
            (Carrier::Pipe(pipe), _) => Ok(pipe.client().map(|client| (client, head.carrier.scope()))),
            (Carrier::Http(headers), Legacy::Sessions(sessions)) => {
                let session = session(sessions, headers, head.principal.as_ref())?;
                Ok(session.map(|session| (session.client, Some(Scope::Session(session.key)))))
            }
            // Nothing is known of such a client; the revision without the header is meant where there is none.
            (Carrier::Http(_), Legacy::Sessionless) => {
                let era = named.unwrap_or(Era::V2025_03_26);
                Ok(Some((Client { era, capabilities: Default::default() }, None)))
            }
        }
    }

    fn read<'a>(&self, head: &Head, message: Incoming<'a>, wire: Wire) -> Result<(Terms, Message<'a>), Refused> {
        if let (Carrier::Pipe(_), Incoming::Response) = (&head.carrier, &message) {
            // On a pipe there is nobody to refuse it to: an error would answer an answer.
            return Ok((Terms { era: Era::V2026_07_28, scope: None }, Message::Ignored));
        }
        let has_tools = !self.catalog.is_empty();
        let Wire::Legacy(named) = wire else {
            let terms = Terms { era: Era::V2026_07_28, scope: head.carrier.scope() };
            let message = modern::read(message, head.carrier.headers(), has_tools).map_err(|refusal| (terms.era, refusal))?;
            return Ok((terms, message));
        };
        let era = named.unwrap_or(Era::NEWEST_LEGACY);
        if matches!(self.legacy, Legacy::Refused) {
            return legacy::refuse(message)
                .map(|message| (Terms { era, scope: head.carrier.scope() }, message))
                .map_err(|refusal| (Era::V2026_07_28, refusal));
        }
        let opens = matches!(&message, Incoming::Asked { id: Some(_), method, .. } if method == "initialize");
        let client =
            if opens { None } else { self.client(head, named).map_err(|refusal| (era, refusal.with_id(message.id())))? };
        let terms = match client {
            Some((client, scope)) => Terms { era: client.era, scope },
            None => Terms { era, scope: head.carrier.scope() },
        };
        let opening = match head.carrier {
            Carrier::Http(_) => Opening::Session { named },
            Carrier::Pipe(_) => Opening::Handshake,
        };
        // A stranger may be of any era: it gets the status that all of them understand.
        let refused_as = if opens || client.is_some() { terms.era } else { Era::V2026_07_28 };
        let message = legacy::read(message, client.map(|(client, _)| client), opening, has_tools);
        Ok((terms, message.map_err(|refusal| (refused_as, refusal))?))
    }

    fn carry_out(self: &Arc<Self>, head: Head, terms: Terms, message: Message<'_>) -> Result<Reply, Refused> {
        let (id, method, meta) = match message {
            Message::Request { id, method, meta } => (id, method, meta),
            Message::Cancelled { request, reason } => {
                if terms.scope.is_some_and(|scope| self.in_flight.cancel(scope, request)) {
                    let reason = crate::protocol::printable(reason.as_deref().unwrap_or_default());
                    tracing::debug!(target: "mcp_runtime::server", request, reason, "the client cancels a request");
                }
                return Ok(Reply::Accepted);
            }
            Message::Ignored => return Ok(Reply::Accepted),
        };
        match method {
            Method::Discover => Ok(ok(self.renderer.discover(id))),
            Method::Initialize { era, capabilities } => self.open(&head, id, Client { era, capabilities }),
            Method::Ping => Ok(ok(Renderer::pong(id))),
            Method::ListTools => {
                let list = self.catalog.list(terms.era, head.principal.as_ref());
                Ok(ok(self.renderer.tools(id, terms.era, &list)))
            }
            Method::CallTool { name, arguments } => {
                self.call(head, terms, id, &name, arguments, meta).map_err(|refusal| (terms.era, refusal.with_id(Some(id))))
            }
        }
    }

    fn open(&self, head: &Head, id: &str, client: Client) -> Result<Reply, Refused> {
        let body = self.renderer.initialize(id, client.era);
        match (&head.carrier, &self.legacy) {
            (Carrier::Pipe(pipe), _) => {
                pipe.open(client);
                Ok(ok(body))
            }
            (Carrier::Http(_), Legacy::Sessions(sessions)) => match sessions.begin(client, head.principal.as_ref()) {
                Ok(session) => Ok(Reply::Opened { session, body }),
                Err(error) => {
                    tracing::error!(target: "mcp_runtime::server", %error, "cannot make a session id");
                    Err((client.era, internal("The server can not open a session").with_id(Some(id))))
                }
            },
            (Carrier::Http(_), Legacy::Sessionless | Legacy::Refused) => Ok(ok(body)),
        }
    }

    /// Do legacy clients get sessions?
    pub(crate) fn has_sessions(&self) -> bool {
        matches!(self.legacy, Legacy::Sessions(_))
    }

    /// May a request with these headers end a session? The modern era has none to end.
    pub(crate) fn may_end_sessions(&self, headers: &HeaderMap) -> bool {
        self.has_sessions() && !matches!(wire_of(headers), Ok(Wire::Modern))
    }

    /// Ends the session that a legacy client names.
    pub(crate) fn end_session(&self, headers: &HeaderMap, principal: Option<&Principal>) -> Result<(), Refusal> {
        wire_of(headers)?;
        let Legacy::Sessions(sessions) = &self.legacy else { return Err(legacy::no_session()) };
        let session = session(sessions, headers, principal)?.ok_or_else(legacy::no_session)?;
        sessions.end(&session).map_err(|Full| {
            tracing::warn!(target: "mcp_runtime::server", "no room to remember another ended session");
            busy()
        })
    }

    fn call(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        name: &str,
        arguments: Option<&str>,
        meta: RequestMeta,
    ) -> Result<Reply, Refusal> {
        let Some(entry) = self.catalog.find(name, head.principal.as_ref()) else {
            return Err(self.unknown_tool(name, head.principal.as_ref()));
        };
        if let Some(headers) = head.carrier.headers()
            && !terms.era.is_legacy()
        {
            check_parameters(headers, &entry.headers, arguments)?;
        }
        if let Some(reply) = forbidden(entry, head.principal.as_ref(), id) {
            return Ok(reply);
        }
        let definition = entry.definition;
        let missing: Vec<_> =
            definition.requires.iter().copied().filter(|capability| !meta.capabilities.contains(*capability)).collect();
        if !missing.is_empty() {
            let refusal = Refusal::missing_capabilities(definition.name, &missing);
            if !terms.era.is_legacy() {
                return Err(refusal);
            }
            // The legacy eras have no code for it, but their models read what a tool answers.
            return Ok(ok(self.renderer.tool_result(id, terms.era, &ToolResult::error(refusal.message))));
        }
        if self.shutdown.is_cancelled() {
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::InternalError, "The server is stopping"));
        }
        let Ok(slot) = Arc::clone(&self.calls).try_acquire_owned() else {
            tracing::warn!(target: "mcp_runtime::server", limit = self.bounds.max_concurrent_calls, "too many calls at once");
            return Err(busy());
        };
        let (headers, over_http) = match head.carrier {
            Carrier::Http(headers) => (without_credentials(headers), true),
            Carrier::Pipe(_) => (HeaderMap::new(), false),
        };
        let context = Context::new(CallState {
            tool: definition.name,
            states: Arc::clone(&self.states),
            principal: head.principal,
            headers,
            extensions: head.extensions,
            meta,
            _slot: Some(slot),
        });
        let arguments = RawArguments::new(definition.name, arguments, &entry.enforced);
        let running = Running::start(context, entry.limits, |context| (definition.call)(context, arguments));
        Ok(Reply::Call(Call {
            running: Some(running),
            id: id.into(),
            era: terms.era,
            registration: terms.scope.map(|scope| self.in_flight.register(scope, id)),
            outlives_client: over_http && terms.era.is_legacy(),
            endpoint: Arc::clone(self),
        }))
    }

    fn unknown_tool(&self, name: &str, principal: Option<&Principal>) -> Refusal {
        let meant = self.catalog.closest(name, principal).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        Refusal::params(format!("No tool named {}{meant}", crate::protocol::printable(name)))
    }
}

/// The session that the headers name. One that is not there, or not this caller's, is not found (MCP 2025-11-25, "Session
/// Management").
fn session(sessions: &Sessions, headers: &HeaderMap, principal: Option<&Principal>) -> Result<Option<Session>, Refusal> {
    let Some(id) = session_id(headers)? else { return Ok(None) };
    let found = sessions.find(id, principal);
    let gone = || Refusal::new(StatusCode::NOT_FOUND, Code::InvalidRequest, "Session not found; send initialize for a new one");
    found.map(Some).ok_or_else(gone)
}

fn busy() -> Refusal {
    internal("The server is busy; try again in a moment")
}

fn internal(message: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::InternalError, message)
}

fn ok(body: Vec<u8>) -> Reply {
    Reply::Json { status: StatusCode::OK, body }
}

fn refused(era: Era, refusal: &Refusal) -> Reply {
    let status = refusal.status_in(era);
    tracing::debug!(target: "mcp_runtime::server", status = status.as_u16(), code = refusal.code.number(), reason = refusal.message.as_str(), "request refused");
    Reply::Json { status, body: refusal.to_json() }
}

/// Decided before the head of an answer is sent: only then can a client be asked for more rights.
fn forbidden(entry: &Entry, principal: Option<&Principal>, id: &str) -> Option<Reply> {
    let definition = entry.definition;
    let unknown = principal.is_none() && entry.needs_principal;
    if !unknown && !entry.lacks_scopes(principal) {
        return None;
    }
    // All that the operation needs, at once.
    let challenge = Challenge::new().scope(definition.scopes.iter().copied());
    let (challenge, message) = if principal.is_none() {
        (challenge, format!("{} needs a signed-in caller", definition.name))
    } else {
        let message = format!("{} needs the scopes {}", definition.name, definition.scopes.join(" "));
        (challenge.error(ChallengeError::InsufficientScope, message.as_str()), message)
    };
    let refusal = Refusal::new(challenge.status(), Code::InvalidRequest, message).with_id(Some(id));
    Some(Reply::Challenge { body: refusal.to_json(), challenge })
}

/// What proved the caller's identity is not for handlers: a token passed on is a token leaked.
fn without_credentials(mut headers: HeaderMap) -> HeaderMap {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HeaderName::from_static("mcp-session-id")] {
        headers.remove(name);
    }
    headers
}

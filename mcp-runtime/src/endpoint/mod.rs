//! One request's way from bytes to an answer, the same for every transport.

mod batch;
mod bounds;
mod call;
mod carrier;
mod in_flight;
mod legacy;
mod origins;

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, StatusCode};
use mcp_auth::{Auth, Challenge, ChallengeError, Principal};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

pub(crate) use self::legacy::Legacy;
use crate::session::Session;
pub(crate) use batch::Batch;
pub(crate) use bounds::Bounds;
pub(crate) use call::{Call, Said, Unattended};
pub(crate) use carrier::{Carrier, Head, Pipe};
use in_flight::{InFlight, Scope};
pub(crate) use origins::{Origins, PublicUrl};

use crate::call::{CallState, Context, RawArguments, RequestMeta, Running, States, ToolResult};
use crate::catalog::{BadCursor, Catalog, Entry};
use crate::protocol::legacy::{Client, refuse};
use crate::protocol::{
    Code, Era, Incoming, Message, Method, Offer, Refusal, Renderer, SESSION_ID, Wire, check_parameters, classify, modern,
};

const KIB: usize = 1024;
const SMALL_BODY: usize = 64 * KIB;

/// What serves the requests.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where it is, as clients write it.
    pub(crate) path: String,
    catalog: Catalog,
    states: Arc<States>,
    renderer: Renderer,
    offer: Offer,
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

/// Who may call, from where.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) origins: Origins,
    pub(crate) auth: Option<Auth>,
    pub(crate) allow_anonymous: bool,
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
    session: Option<Session>,
}

/// What an endpoint is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) path: String,
    pub(crate) catalog: Catalog,
    pub(crate) states: States,
    pub(crate) renderer: Renderer,
    pub(crate) offer: Offer,
    pub(crate) legacy: Legacy,
    pub(crate) access: Access,
    pub(crate) bounds: Bounds,
}

impl Endpoint {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { path, catalog, states, renderer, offer, legacy, access, bounds } = parts;
        Self {
            path,
            catalog,
            states: Arc::new(states),
            renderer,
            offer,
            legacy,
            calls: Arc::new(Semaphore::new(bounds.max_concurrent_calls)),
            in_flight: Arc::default(),
            unattended: Unattended::new(bounds.max_unattended_calls),
            buffers: Semaphore::new(bounds.max_buffered_bytes / KIB),
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
        let replied = match text_of(body) {
            Ok(text) if text.trim_ascii_start().starts_with('[') => self.answer_batch(head, text),
            Ok(text) => self.answer_one(head, text),
            Err(refusal) => Err(refusal),
        };
        replied.unwrap_or_else(|refusal| refused(&refusal))
    }

    fn answer_one(self: &Arc<Self>, head: Head, text: &str) -> Result<Reply, Refusal> {
        let message = Incoming::parse(text)?;
        let wire = classify(&message, head.carrier.headers())?;
        let (terms, message) = self.read(&head, message, wire)?;
        self.carry_out(head, terms, message)
    }

    /// Reads a message in its own era's terms.
    fn read<'a>(&self, head: &Head, message: Incoming<'a>, wire: Wire) -> Result<(Terms, Message<'a>), Refusal> {
        let modern = Terms { era: Era::V2026_07_28, scope: head.carrier.scope(), session: None };
        let named = match wire {
            // On a pipe there is nobody to refuse it to: an error would answer an answer.
            _ if modern.scope.is_some() && matches!(message, Incoming::Response) => return Ok((modern, Message::Ignored)),
            Wire::Modern => {
                let message = modern::read(message, head.carrier.headers(), self.offer)?;
                return Ok((modern, message));
            }
            Wire::Legacy(named) => named,
        };
        if matches!(self.legacy, Legacy::Refused) {
            return Ok((modern, refuse(message)?));
        }
        let peer = match &message {
            Incoming::Asked { id: Some(_), method, .. } if method == "initialize" => Self::newcomer(named),
            other => self.peer(head, named).map_err(|refusal| refusal.with_id(other.id()))?,
        };
        self.read_legacy(head, peer, message)
    }

    fn carry_out(self: &Arc<Self>, head: Head, terms: Terms, message: Message<'_>) -> Result<Reply, Refusal> {
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
            Method::Ping => Ok(ok(Renderer::empty(id))),
            Method::SetLogLevel(level) => self.set_log_level(&head, terms, id, level),
            Method::ListTools { cursor } => match self.catalog.list(terms.era, head.principal.as_ref(), cursor.as_deref()) {
                Ok(page) => Ok(ok(self.renderer.tools(id, terms.era, &page))),
                Err(BadCursor) => {
                    let refusal = Refusal::params("Unknown cursor; begin the list again, without one");
                    Err(refusal.in_era(terms.era).with_id(Some(id)))
                }
            },
            Method::CallTool { name, arguments } => {
                self.call(head, terms, id, &name, arguments, meta).map_err(|refusal| refusal.in_era(terms.era).with_id(Some(id)))
            }
        }
    }

    fn call(
        self: &Arc<Self>,
        head: Head,
        terms: Terms,
        id: &str,
        name: &str,
        arguments: Option<&str>,
        mut meta: RequestMeta,
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
            Carrier::Http(mut headers) => {
                if terms.session.is_some() {
                    headers.remove(&SESSION_ID);
                }
                (without_credentials(headers), true)
            }
            Carrier::Pipe(_) => (HeaderMap::new(), false),
        };
        meta.log_level = meta.log_level.filter(|_| self.offer.logging);
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
        let id = Arc::from(id);
        let registration = terms.scope.map(|scope| self.in_flight.register(scope, Arc::clone(&id)));
        if let Some(registration) = &registration
            && self.has_ended(terms.session)
        {
            // Its session ended before it could be found there.
            registration.cancelled.cancel();
        }
        Ok(Reply::Call(Call {
            running: Some(running),
            registration,
            id,
            era: terms.era,
            outlives_client: over_http && terms.era.is_legacy(),
            endpoint: Arc::clone(self),
        }))
    }

    fn unknown_tool(&self, name: &str, principal: Option<&Principal>) -> Refusal {
        let meant = self.catalog.closest(name, principal).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        Refusal::params(format!("No tool named {}{meant}", crate::protocol::printable(name)))
    }
}

fn text_of(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body).map_err(|_| Refusal::bad(Code::ParseError, "The message is not UTF-8"))
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

fn refused(refusal: &Refusal) -> Reply {
    tracing::debug!(target: "mcp_runtime::server", status = refusal.status.as_u16(), code = refusal.code.number(), reason = refusal.message.as_str(), "request refused");
    Reply::Json { status: refusal.status, body: refusal.to_json() }
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
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    headers
}

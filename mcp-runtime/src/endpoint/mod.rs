//! One request's way from bytes to an answer, the same for every transport.

mod bounds;
mod origins;

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{Extensions, HeaderMap, StatusCode};
use mcp_auth::{Auth, Challenge, ChallengeError, Principal};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

pub(crate) use bounds::Bounds;
pub(crate) use origins::{Origins, PublicUrl};

use crate::call::{CallState, Context, RawArguments, RequestMeta, Running, States, ToolResult};
use crate::catalog::{Catalog, Entry};
use crate::protocol::{Code, Method, Refusal, Renderer, Request, check_parameters, modern};

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
    calls: Arc<Semaphore>,
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

/// What a transport knows of a request beside its body.
#[derive(Debug)]
pub(crate) struct Head {
    /// Absent on transports without headers, which then need not agree with the body.
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) extensions: Extensions,
    pub(crate) principal: Option<Principal>,
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
    Challenge {
        challenge: Challenge,
        body: Vec<u8>,
    },
    /// A tool is at work.
    Call(Call),
}

/// A tool at work, and how its end is written.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) running: Running,
    id: Box<str>,
    endpoint: Arc<Endpoint>,
}

impl Call {
    /// The answer, as JSON text.
    pub(crate) fn render(&self, result: &ToolResult) -> Vec<u8> {
        self.endpoint.renderer.tool_result(&self.id, result)
    }
}

impl Endpoint {
    pub(crate) fn new(
        path: String,
        catalog: Catalog,
        states: States,
        renderer: Renderer,
        access: Access,
        bounds: Bounds,
    ) -> Self {
        let calls = Arc::new(Semaphore::new(bounds.max_concurrent_calls));
        let shutdown = CancellationToken::new();
        let buffers = Semaphore::new(bounds.max_buffered_bytes / KIB);
        Self { path, catalog, states: Arc::new(states), renderer, calls, buffers, shutdown, access, bounds }
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

    /// Answers one message, or starts the tool that will.
    pub(crate) fn answer(self: &Arc<Self>, head: Head, body: &[u8]) -> Reply {
        match modern::read(body, head.headers.as_ref(), !self.catalog.is_empty()) {
            Ok(Request::Notification) => Reply::Accepted,
            Ok(Request::Call { id, method, meta }) => match method {
                Method::Discover => ok(self.renderer.discover(id)),
                Method::ListTools => ok(self.renderer.tools(id, &self.catalog.list(head.principal.as_ref()))),
                Method::CallTool { name, arguments } => self.call(head, id, &name, arguments, meta),
            },
            Err(refusal) => refused(&refusal),
        }
    }

    fn call(self: &Arc<Self>, head: Head, id: &str, name: &str, arguments: Option<&str>, meta: RequestMeta) -> Reply {
        let Some(entry) = self.catalog.find(name, head.principal.as_ref()) else {
            return refused(&self.unknown_tool(name, head.principal.as_ref()).with_id(id));
        };
        if let Some(headers) = &head.headers
            && let Err(refusal) = check_parameters(headers, &entry.headers, arguments)
        {
            return refused(&refusal.with_id(id));
        }
        if let Some(reply) = forbidden(entry, head.principal.as_ref(), id) {
            return reply;
        }
        let definition = entry.definition;
        let missing: Vec<_> =
            definition.requires.iter().copied().filter(|capability| !meta.capabilities.contains(*capability)).collect();
        if !missing.is_empty() {
            return refused(&Refusal::missing_capabilities(definition.name, &missing).with_id(id));
        }
        if self.shutdown.is_cancelled() {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::InternalError, "The server is stopping");
            return refused(&refusal.with_id(id));
        }
        let Ok(slot) = Arc::clone(&self.calls).try_acquire_owned() else {
            tracing::warn!(target: "mcp_runtime::server", limit = self.bounds.max_concurrent_calls, "too many calls at once");
            let refusal =
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::InternalError, "The server is busy; try again in a moment");
            return refused(&refusal.with_id(id));
        };
        let context = Context::new(CallState {
            tool: definition.name,
            states: Arc::clone(&self.states),
            principal: head.principal,
            headers: without_credentials(head.headers.unwrap_or_default()),
            extensions: head.extensions,
            meta,
            _slot: Some(slot),
        });
        let arguments = RawArguments::new(definition.name, arguments, &entry.enforced);
        let running = Running::start(context, entry.limits, |context| (definition.call)(context, arguments));
        Reply::Call(Call { running, id: id.into(), endpoint: Arc::clone(self) })
    }

    fn unknown_tool(&self, name: &str, principal: Option<&Principal>) -> Refusal {
        let meant = self.catalog.closest(name, principal).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        Refusal::params(format!("No tool named {}{meant}", crate::protocol::printable(name)))
    }
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
    let refusal = Refusal::new(challenge.status(), Code::InvalidRequest, message).with_id(id);
    Some(Reply::Challenge { body: refusal.to_json(), challenge })
}

/// What proved the caller's identity is not for handlers: a token passed on is a token leaked.
fn without_credentials(mut headers: HeaderMap) -> HeaderMap {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    headers
}

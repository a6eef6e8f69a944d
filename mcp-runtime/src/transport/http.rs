//! Streamable HTTP, of all revisions: one POST, one message; a GET opens a stream of a legacy session, and a DELETE ends one.
//!
//! The order is the ladder of statuses: 403 for a foreign origin, 405, 401, 415 and 406, 413, then what the message itself is
//! answered with. Nothing of the body is read before the caller is known.

#![expect(clippy::result_large_err, reason = "an early answer is an answer: it is moved once and sent")]

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use ::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::request::Parts;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::routing::any;
use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use mcp_auth::{Challenge, Decision, Peer, Principal, Rejection, RejectionKind, sha256};

use super::body::ReplyBody;
use super::cors;
#[cfg(feature = "fetch")]
use super::mirror;
use super::relay;
use super::sse::EventStream;
use crate::endpoint::{Call, Carrier, Endpoint, Head, Reply, Said};
use crate::protocol::{Code, Refusal};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The endpoint as a router, for applications to merge.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(endpoint: &Arc<Endpoint>) -> Router<S> {
    async fn merged(State(endpoint): State<Arc<Endpoint>>, mut request: Request<axum::body::Body>) -> Response<axum::body::Body> {
        tell_peer(&endpoint, &mut request, None);
        serve(&endpoint, request).await.map(axum::body::Body::new)
    }
    async fn described(State(endpoint): State<Arc<Endpoint>>, method: Method) -> Response<axum::body::Body> {
        metadata(&endpoint, &method).map(axum::body::Body::new)
    }
    async fn relayed(
        State(endpoint): State<Arc<Endpoint>>,
        mut request: Request<axum::body::Body>,
    ) -> Response<axum::body::Body> {
        tell_peer(&endpoint, &mut request, None);
        let (head, _) = request.into_parts();
        relay::answer(&endpoint, &head).await.map(axum::body::Body::new)
    }
    #[cfg(feature = "fetch")]
    async fn mirrored(State(endpoint): State<Arc<Endpoint>>, method: Method) -> Response<axum::body::Body> {
        mirror::answer(&endpoint, &method).await.map(axum::body::Body::new)
    }
    let router = Router::new().route(&endpoint.path, any(merged));
    let router = match &endpoint.access.metadata {
        Some(path) => router.route(path, any(described)),
        None => router,
    };
    let router = match &endpoint.access.relay {
        Some((path, _)) => router.route(path, any(relayed)),
        None => router,
    };
    #[cfg(feature = "fetch")]
    let router = match &endpoint.access.mirror {
        Some(_) => router.route(mirror::PATH, any(mirrored)),
        None => router,
    };
    router.with_state(Arc::clone(endpoint))
}

/// The endpoint alone on a connection: what [`router`] does, without routing and boxes.
pub(crate) async fn serve_alone<B: HttpBody<Data = Bytes> + Send + Unpin>(
    endpoint: Arc<Endpoint>,
    peer: SocketAddr,
    mut request: Request<B>,
) -> Result<Response<ReplyBody>, Infallible> {
    let path = request.uri().path();
    if path == endpoint.path {
        tell_peer(&endpoint, &mut request, Some(peer));
        return Ok(serve(&endpoint, request).await);
    }
    if endpoint.access.relay.as_ref().is_some_and(|(relay, _)| relay == path) {
        tell_peer(&endpoint, &mut request, Some(peer));
        let (head, _) = request.into_parts();
        return Ok(relay::answer(&endpoint, &head).await);
    }
    #[cfg(feature = "fetch")]
    if path == mirror::PATH {
        return Ok(mirror::answer(&endpoint, request.method()).await);
    }
    Ok(match &endpoint.access.metadata {
        // It has its origin for itself, so clients may look at the root as well (RFC 9728 section 3.1).
        Some(own) if path == own || path == "/.well-known/oauth-protected-resource" => metadata(&endpoint, request.method()),
        _ => empty(StatusCode::NOT_FOUND),
    })
}

/// Who issues tokens for this server: for everybody, from any page.
fn metadata(endpoint: &Endpoint, method: &Method) -> Response<ReplyBody> {
    let answer = endpoint.access.auth.as_ref().and_then(|auth| auth.metadata_answer(method));
    answer.map_or_else(|| empty(StatusCode::NOT_FOUND), |answer| answer.map(ReplyBody::whole))
}

/// Authenticators may ask who is at the other end. Within an application, it is known where the application has it told.
fn tell_peer<B>(endpoint: &Endpoint, request: &mut Request<B>, address: Option<SocketAddr>) {
    let told = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address);
    if endpoint.tells_peers_apart()
        && let Some(address) = address.or_else(told)
    {
        request.extensions_mut().insert(Peer(address));
    }
}

async fn serve<B: HttpBody<Data = Bytes> + Send + Unpin>(endpoint: &Arc<Endpoint>, request: Request<B>) -> Response<ReplyBody> {
    let (parts, body) = request.into_parts();
    let origin = parts.headers.get(ORIGIN).cloned();
    let mut response = match answer(endpoint, parts, body).await {
        Ok(response) | Err(response) => response,
    };
    if let Some(origin) = origin {
        cors::allow(endpoint, &origin, response.headers_mut());
    }
    response
}

/// `Err` is an answer as well: one that was clear before the message was read.
async fn answer<B: HttpBody<Data = Bytes> + Send + Unpin>(
    endpoint: &Arc<Endpoint>,
    parts: Parts,
    body: B,
) -> Result<Response<ReplyBody>, Response<ReplyBody>> {
    check_origin(endpoint, &parts)?;
    if parts.method == Method::OPTIONS && cors::is_preflight(&parts.headers) {
        return Ok(cors::preflight(endpoint, &parts.headers));
    }
    if parts.method != Method::POST {
        return other_method(endpoint, parts).await;
    }
    let principal = match authenticate(endpoint, &parts).await {
        Ok(principal) => principal,
        Err(TurnedDown::Rejected(rejection)) if rejection.kind() == RejectionKind::InsufficientScope => {
            return Err(lacks_scopes(endpoint, rejection, body).await);
        }
        Err(turned_down) => return Err(turned_down.into_response(endpoint)),
    };
    if !is_json(&parts.headers) {
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"));
    }
    let accepted = Accepted::of(&parts.headers);
    if !accepted.json && !accepted.events {
        return Err(plain(StatusCode::NOT_ACCEPTABLE, "Accept must list application/json and text/event-stream"));
    }
    let body = read(endpoint, body).await?;
    check_digest(endpoint, principal.as_ref(), &body)?;
    let head = Head {
        carrier: Carrier::Http(parts.headers),
        uri: parts.uri,
        extensions: parts.extensions,
        principal,
        streams: accepted.events,
    };
    let reply = endpoint.answer(head, &body);
    drop(body);
    Ok(match reply {
        Reply::Accepted => empty(StatusCode::ACCEPTED),
        Reply::Json { status, body } => accepted.answer(status, body),
        Reply::TooMany { retry_after, body } => later(json(StatusCode::TOO_MANY_REQUESTS, body), retry_after),
        Reply::Opened { session, body } => opened(&session, body),
        Reply::Challenge { challenge, body } => challenged(&challenge, body),
        Reply::Call(call) => run(call, &accepted).await,
        Reply::Batch(batch) => match batch.answers().await {
            Some(answers) => json(StatusCode::OK, answers),
            None => cancelled(accepted.events),
        },
        Reply::Later(later) => {
            let (status, body) = later.answer().await;
            accepted.answer(status, body)
        }
        Reply::Listen(opening) => match opening.open().await {
            Ok(listening) => EventStream::listen(listening).into_response(),
            Err(refusal) => json(refusal.status, refusal.to_json()),
        },
    })
}

/// Where there are sessions: a DELETE ends one, and a GET opens a stream of one.
async fn other_method(endpoint: &Arc<Endpoint>, mut parts: Parts) -> Result<Response<ReplyBody>, Response<ReplyBody>> {
    let may_delete = endpoint.may_end_sessions(&parts.headers);
    let may_get = endpoint.may_listen(&parts.headers);
    if !matches!(parts.method, Method::GET | Method::DELETE) {
        return Err(not_allowed(may_delete, may_get));
    }
    let events = parts.method == Method::GET && Accepted::of(&parts.headers).events;
    if events {
        // However the client wrote it: a session counts for a stream by another rule than for a page.
        parts.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    }
    // Before anything is said of what is served here.
    let principal = authenticate(endpoint, &parts).await.map_err(|turned_down| turned_down.into_response(endpoint))?;
    check_digest(endpoint, principal.as_ref(), b"")?;
    if parts.method == Method::GET && may_get {
        return listen(endpoint, &parts, principal.as_ref(), events).await;
    }
    if parts.method != Method::DELETE || !may_delete {
        return Err(not_allowed(may_delete, may_get));
    }
    Ok(match endpoint.end_session(&parts.headers, principal.as_ref()) {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(refusal) => json(refusal.status, refusal.to_json()),
    })
}

async fn listen(
    endpoint: &Arc<Endpoint>,
    parts: &Parts,
    principal: Option<&Principal>,
    events: bool,
) -> Result<Response<ReplyBody>, Response<ReplyBody>> {
    if !events {
        return Err(plain(StatusCode::NOT_ACCEPTABLE, "A GET is answered with events: Accept must list text/event-stream"));
    }
    let refused = |refusal: Refusal| json(refusal.status, refusal.to_json());
    let resumed = endpoint.open_stream(parts, principal).map_err(refused)?;
    endpoint.knows_stream(&resumed).await.map_err(refused)?;
    Ok(EventStream::resume(resumed).into_response())
}

/// Runs a tool: JSON if it has nothing to say before its end, else a stream of events.
async fn run(mut call: Call, accepted: &Accepted) -> Response<ReplyBody> {
    let may_stream = accepted.events;
    loop {
        match call.next().await {
            Said::Answer { status, body } => return accepted.answer(status, body),
            said @ (Said::Report(_) | Said::Question(_)) if may_stream => return EventStream::begin(call, said).into_response(),
            said @ Said::CloseStream(_) if may_stream && call.session().is_some() => {
                return EventStream::begin(call, said).into_response();
            }
            Said::Report(_) | Said::Question(_) | Said::CloseStream(_) => {}
            Said::Cancelled => return cancelled(may_stream),
        }
    }
}

/// The client cancelled by another request, and this one must end somehow: by a stream on which nothing comes, or by no body.
fn cancelled(may_stream: bool) -> Response<ReplyBody> {
    if may_stream { EventStream::without_events() } else { empty(StatusCode::ACCEPTED) }
}

pub(super) fn check_origin(endpoint: &Endpoint, parts: &Parts) -> Result<(), Response<ReplyBody>> {
    let origins = &endpoint.access.origins;
    let refuse = |what: &'static str, value: &[u8]| {
        let value = value.get(..value.len().min(100)).unwrap_or_default().escape_ascii();
        tracing::warn!(target: "mcp_runtime::server", header = what, %value, "refused a foreign request; if the name is this server's, add `.public_url(..)`, `.allow_host(..)` or `.allow_origin(..)`");
        plain(StatusCode::FORBIDDEN, if what == "Host" { "Host not allowed" } else { "Origin not allowed" })
    };
    // An absolute target takes precedence over the header (RFC 9112 section 3.2.2); both must be ours.
    let target = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let named = [target, hosts.next()];
    for host in named.into_iter().flatten() {
        if !std::str::from_utf8(host).is_ok_and(|host| origins.allows_host(host)) {
            return Err(refuse("Host", host));
        }
    }
    if named == [None, None] || hosts.next().is_some() {
        return Err(refuse("Host", b"none, or several"));
    }
    for origin in parts.headers.get_all(ORIGIN) {
        if !origin.to_str().is_ok_and(|origin| origins.allows_origin(origin)) {
            return Err(refuse("Origin", origin.as_bytes()));
        }
    }
    Ok(())
}

/// Why a request goes no further.
pub(super) enum TurnedDown {
    WithoutCredential,
    Rejected(Rejection),
}

impl TurnedDown {
    pub(super) fn into_response(self, endpoint: &Endpoint) -> Response<ReplyBody> {
        let rejection = match &self {
            Self::WithoutCredential => None,
            Self::Rejected(rejection) => Some(rejection),
        };
        match rejection {
            None => tracing::debug!(target: "mcp_runtime::auth", "request turned down: it has no credential"),
            // Nobody gets in by this credential, and it is not the callers' fault.
            Some(rejection) if rejection.kind() == RejectionKind::Unavailable => {
                tracing::warn!(target: "mcp_runtime::auth", %rejection, "request turned down");
            }
            // Whoever is over the limit would fill the log.
            Some(rejection) if rejection.kind() == RejectionKind::TooManyAttempts => {
                tracing::debug!(target: "mcp_runtime::auth", %rejection, "request turned down");
            }
            Some(rejection) => tracing::info!(target: "mcp_runtime::auth", %rejection, "request turned down"),
        }
        let refusal = endpoint.access.auth.as_ref().map(|auth| auth.refusal(rejection).map(ReplyBody::whole));
        refusal.unwrap_or_else(|| empty(StatusCode::UNAUTHORIZED))
    }
}

pub(super) async fn authenticate(endpoint: &Endpoint, parts: &Parts) -> Result<Option<Principal>, TurnedDown> {
    let Some(auth) = &endpoint.access.auth else { return Ok(None) };
    match auth.decide(parts).await {
        Decision::Accepted(principal) => Ok(Some(principal)),
        Decision::Anonymous if endpoint.access.allow_anonymous => Ok(None),
        Decision::Anonymous => Err(TurnedDown::WithoutCredential),
        Decision::Rejected(rejection) => Err(TurnedDown::Rejected(rejection)),
    }
}

/// What a known caller is told who lacks a scope that all need: also what the item needs that the message names, since clients
/// ask for more rights once, and not for one after the other (MCP 2026-07-28, "Authorization", "Scope Challenge Handling").
async fn lacks_scopes<B: HttpBody<Data = Bytes> + Unpin>(
    endpoint: &Endpoint,
    rejection: Rejection,
    body: B,
) -> Response<ReplyBody> {
    // Where it can not be read, no item is known, and the caller lacks what all need.
    let body = read(endpoint, body).await.unwrap_or_default();
    let challenge = endpoint.access.auth.as_ref().map(|auth| {
        let further = endpoint.scopes_of(&body).iter().copied();
        let further = further.filter(|scope| !auth.required_scopes().any(|known| known == *scope));
        auth.challenge(Some(&rejection)).scope(further).header_value()
    });
    let mut response = TurnedDown::Rejected(rejection).into_response(endpoint);
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// An assertion may be for one body only. Of a GET and a DELETE none is read, so it counts as empty.
fn check_digest(endpoint: &Endpoint, principal: Option<&Principal>, body: &[u8]) -> Result<(), Response<ReplyBody>> {
    match principal.and_then(Principal::body_digest) {
        Some(expected) if endpoint.access.auth.is_some() && expected != sha256(body) => {
            Err(TurnedDown::Rejected(Rejection::invalid_token("another_body")).into_response(endpoint))
        }
        _ => Ok(()),
    }
}

/// The client should try again after so many seconds.
fn later(mut response: Response<ReplyBody>, seconds: u64) -> Response<ReplyBody> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    // Of two, somebody between may have read the other.
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    if value == JSON {
        return true;
    }
    let essence = value.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// What the client takes as an answer. Clients must list both; those that do not are served as far as they can be.
struct Accepted {
    json: bool,
    events: bool,
    /// Does it name events first? Then it gets them, also where there is but one.
    events_first: bool,
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self { json: false, events: false, events_first: false };
        let mut any = false;
        for value in headers.get_all(ACCEPT) {
            any = true;
            // As nearly all clients write it.
            if value == "application/json, text/event-stream" {
                return Self { json: true, events: true, events_first: false };
            }
            for range in value.as_bytes().split(|b| *b == b',') {
                let essence = range.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
                let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
                let everything = is("*/*");
                accepted.events_first |= is("text/event-stream") && !accepted.json;
                accepted.json |= everything || is("application/json") || is("application/*");
                accepted.events |= everything || is("text/event-stream") || is("text/*");
            }
        }
        if any { accepted } else { Self { json: true, events: true, events_first: false } }
    }

    /// An answer that is all there. Errors are JSON in any case (MCP 2026-07-28, Streamable HTTP, "Sending Messages").
    fn answer(&self, status: StatusCode, body: Vec<u8>) -> Response<ReplyBody> {
        if self.events_first && status == StatusCode::OK { EventStream::of_one(&body) } else { json(status, body) }
    }
}

/// The whole body, without a copy where it came in one piece.
async fn read<B: HttpBody<Data = Bytes> + Unpin>(endpoint: &Endpoint, mut body: B) -> Result<Bytes, Response<ReplyBody>> {
    let limit = endpoint.bounds.max_body_bytes;
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, &format!("The body is over the limit of {limit} bytes"));
    let announced = body.size_hint();
    if announced.lower() > limit as u64 {
        return Err(too_large());
    }
    // Without an announced length it may become as large as is allowed.
    let expected = announced.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(limit).min(limit);
    let Ok(_room) = endpoint.reserve(expected) else {
        tracing::warn!(target: "mcp_runtime::server", "too many large bodies at once");
        return Err(plain(StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again in a moment"));
    };
    let collect = async {
        let mut whole = Bytes::new();
        let mut parts = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Err(plain(StatusCode::BAD_REQUEST, "The body could not be read"));
            };
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + parts.len() + data.len() > limit {
                return Err(too_large());
            }
            if whole.is_empty() && parts.is_empty() {
                whole = data;
                continue;
            }
            if parts.is_empty() {
                parts.reserve(usize::try_from(announced.lower()).unwrap_or(0).max(whole.len() + data.len()));
                parts.extend_from_slice(&whole);
                whole = Bytes::new();
            }
            parts.extend_from_slice(&data);
        }
        Ok(if parts.is_empty() { whole } else { parts.freeze() })
    };
    let mut collect = std::pin::pin!(collect);
    // Most bodies came with their head; only the others pay for a timer.
    if let Poll::Ready(whole) = poll_fn(|cx| Poll::Ready(collect.as_mut().poll(cx))).await {
        return whole;
    }
    match tokio::time::timeout(endpoint.bounds.client_timeout, collect).await {
        Ok(result) => result,
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")),
    }
}

/// An error that is known before there is a request id.
fn plain(status: StatusCode, message: &str) -> Response<ReplyBody> {
    json(status, Refusal::new(status, Code::InvalidRequest, message).to_json())
}

fn json(status: StatusCode, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

pub(super) fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Vec::new()));
    *response.status_mut() = status;
    response
}

fn opened(session: &str, body: Vec<u8>) -> Response<ReplyBody> {
    // Sealed text is URL-safe Base64, so this does not happen; but a session without its id would be none.
    let Ok(session) = HeaderValue::from_str(session) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "The server can not open a session");
    };
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().insert("mcp-session-id", session);
    response
}

fn not_allowed(may_delete: bool, may_get: bool) -> Response<ReplyBody> {
    let allowed = match (may_delete, may_get) {
        (true, true) => "POST, GET, DELETE",
        (true, false) => "POST, DELETE",
        (false, _) => "POST",
    };
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, &format!("This endpoint takes {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn challenged(challenge: &Challenge, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = json(challenge.status(), body);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge.header_value());
    response
}

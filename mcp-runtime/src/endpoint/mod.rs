//! One request's way from bytes to an answer, the same for every transport.

mod batch;
mod begin;
mod bounds;
mod call;
mod carrier;
mod ears;
mod in_flight;
mod later;
mod legacy;
mod listen;
mod origins;
mod permits;
mod rates;
mod rounds;
mod scopes;
mod strings;
mod task_worker;
mod tasks;
mod unattended;
mod watch;

use std::sync::Arc;

use http::{HeaderName, StatusCode};
#[cfg(feature = "fetch")]
use mcp_auth::MetadataMirror;
use mcp_auth::{Auth, Challenge, RelaySessions};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

pub(crate) use self::legacy::Legacy;
use crate::session::{Session, SessionKey};
pub(crate) use batch::Batch;
pub(crate) use bounds::Bounds;
pub(crate) use call::{Call, Said};
pub(crate) use carrier::{Carrier, Head, Pipe};
pub(crate) use ears::{Resumed, SessionEars};
use in_flight::{InFlight, Scope};
pub(crate) use later::{Later, Opening};
use listen::Ears;
use listen::sleep_until;
pub(crate) use listen::{Listening, Word};
pub(crate) use origins::{Origins, PublicUrl};
pub(crate) use permits::Permits;
pub use permits::Requested;
pub(crate) use rates::CallRates;
pub(crate) use rounds::Rounds;
pub(crate) use tasks::Tasks;
pub(crate) use unattended::Unattended;
pub(crate) use watch::Watch;

use crate::call::States;
use crate::catalog::{BadCursor, Live, Paging};
use crate::notify::Notifier;
use crate::protocol::legacy::{Client, refuse};
use crate::protocol::{Code, Era, Incoming, Message, Method, Offer, Outcome, Refusal, Renderer, Wire, classify, modern};
use crate::streams::{Recorder, Streams};

const KIB: usize = 1024;
const SMALL_BODY: usize = 64 * KIB;

/// What serves the requests.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where it is, as clients write it.
    pub(crate) path: String,
    pub(crate) catalog: Live,
    /// `None` for one page with everything.
    paging: Option<Paging>,
    states: Arc<States>,
    renderer: Renderer,
    pub(crate) offer: Offer,
    legacy: Legacy,
    rounds: Rounds,
    pub(crate) notifier: Notifier,
    ears: Arc<Ears>,
    session_ears: SessionEars,
    streams: Arc<Streams>,
    pub(crate) tasks: Tasks,
    calls: Arc<Semaphore>,
    /// `None` where callers may call as often as they like.
    rates: Option<CallRates>,
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
    /// Do callers prove to it who they are? Otherwise somebody else says it.
    pub(crate) judges: bool,
    /// Where it says who issues tokens for it, if anybody does.
    pub(crate) metadata: Option<String>,
    pub(crate) allow_anonymous: bool,
    /// The headers that are not for handlers: they prove who the caller is, or which session.
    pub(crate) hidden: Arc<[HeaderName]>,
    pub(crate) permits: Permits,
    /// Where relay sessions are obtained.
    pub(crate) relay: Option<(String, RelaySessions)>,
    /// The metadata of the authorization server, where it is looked for here.
    #[cfg(feature = "fetch")]
    pub(crate) mirror: Option<MetadataMirror>,
}

/// What a transport has to send.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box for each call would cost more than its few moves")]
pub(crate) enum Reply {
    /// A notification was accepted.
    Accepted,
    Json {
        status: StatusCode,
        body: Vec<u8>,
    },
    /// A call too many; when to try again, in seconds.
    TooMany {
        retry_after: u64,
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
    /// A function of the user is at work.
    Call(Call),
    Batch(Batch),
    /// Something else is looked up first.
    Later(Later),
    /// The client will listen.
    Listen(Opening),
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
    pub(crate) catalog: Live,
    pub(crate) paging: Option<Paging>,
    pub(crate) states: States,
    pub(crate) renderer: Renderer,
    pub(crate) offer: Offer,
    pub(crate) legacy: Legacy,
    pub(crate) rounds: Rounds,
    pub(crate) notifier: Notifier,
    pub(crate) session_ears: SessionEars,
    pub(crate) streams: Streams,
    pub(crate) tasks: Tasks,
    pub(crate) access: Access,
    pub(crate) rates: Option<CallRates>,
    pub(crate) bounds: Bounds,
}

impl Endpoint {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { path, catalog, paging, states, renderer, offer, legacy, rounds, .. } = parts;
        let Parts { notifier, session_ears, streams, tasks, access, rates, bounds, .. } = parts;
        Self {
            path,
            catalog,
            paging,
            states: Arc::new(states),
            renderer,
            offer,
            legacy,
            rounds,
            notifier,
            ears: Arc::default(),
            session_ears,
            streams: Arc::new(streams),
            tasks,
            calls: Arc::new(Semaphore::new(bounds.max_concurrent_calls)),
            rates,
            in_flight: Arc::default(),
            unattended: Unattended::new(bounds.max_unattended_calls),
            buffers: Semaphore::new(bounds.max_buffered_bytes / KIB),
            shutdown: CancellationToken::new(),
            access,
            bounds,
        }
    }

    pub(crate) fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// Where a stream of this session is written down.
    pub(crate) fn record(&self, session: &SessionKey) -> Option<Recorder> {
        self.has_sessions().then(|| self.streams.record(session))
    }

    /// May caches give one caller's answer to another? Never where callers must be known.
    fn may_be_public(&self) -> bool {
        self.access.auth.is_none()
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
            Wire::Modern => {
                let message = modern::read(message, head.carrier.headers(), &self.offer)?;
                return Ok((modern, message));
            }
            Wire::Legacy(named) => named,
        };
        if let (Incoming::Response { .. }, Carrier::Pipe(pipe)) = (&message, &head.carrier)
            && !pipe.is_opened()
        {
            // Nobody was asked anything, and on a pipe there is nobody to refuse it to: an error would answer an answer.
            return Ok((modern, Message::Ignored));
        }
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
            Message::Answered { id, outcome } => {
                self.answered(&head, terms, id, outcome);
                return Ok(Reply::Accepted);
            }
            Message::Initialized => return Ok(self.initialized(&head)),
            Message::Ignored => return Ok(Reply::Accepted),
        };
        let in_terms = |refusal: Refusal| refusal.in_era(terms.era).with_id(Some(id));
        match method {
            Method::Discover => Ok(ok(self.renderer.discover(id))),
            Method::Initialize { era, capabilities } => self.open(&head, id, Client { era, capabilities }),
            Method::Ping => Ok(ok(Renderer::empty(id))),
            Method::SetLogLevel(level) => self.set_log_level(&head, terms, id, level),
            Method::List { kind, cursor } => {
                let catalog = self.catalog.current();
                match catalog.list(kind, self.paging.as_ref(), terms.era, head.principal.as_ref(), cursor.as_deref()) {
                    Ok(page) => Ok(ok(self.renderer.list(id, terms.era, &page))),
                    Err(BadCursor) => Err(in_terms(Refusal::params("Unknown cursor; begin the list again, without one"))),
                }
            }
            Method::Call { target, retry } => self.call(head, terms, id, &target, retry.as_deref(), meta).map_err(in_terms),
            Method::Complete(completing) => self.complete(head, terms, id, &completing, meta).map_err(in_terms),
            Method::Extension { method, params } => self.extension(head, terms, id, &method, params, meta).map_err(in_terms),
            Method::Subscribe { uri } => self.subscribe_to(&head, terms, id, &uri).map_err(in_terms),
            Method::Unsubscribe { uri } => self.unsubscribe_from(&head, terms, id, &uri).map_err(in_terms),
            Method::Listen(filter) => self.begin_to_listen(head, terms, id, *filter, &meta).map_err(in_terms),
            Method::GetTask { id: task } => Ok(Reply::Later(self.get_task(id, task.into_owned(), head))),
            Method::UpdateTask { id: task, responses } => {
                Ok(Reply::Later(self.update_task(id, task.into_owned(), responses, head)))
            }
            Method::CancelTask { id: task } => Ok(Reply::Later(self.cancel_task(id, task.into_owned(), head.principal))),
        }
    }

    /// A client answers a question, which may have been asked elsewhere.
    fn answered(&self, head: &Head, terms: Terms, id: &str, outcome: Outcome<'_>) {
        let (Some(scope), Ok(id)) = (self.scope_of(head, terms), serde_json::from_str::<String>(id)) else { return };
        let (answer, is_error) = match outcome {
            Outcome::Result(text) => (text, false),
            Outcome::Error(text) => (text, true),
        };
        self.notifier.hub().answer(&scope, &id, answer, is_error);
    }

    /// Whom questions to this client belong to, where it can be asked while a function runs.
    fn scope_of(&self, head: &Head, terms: Terms) -> Option<Box<str>> {
        match (&head.carrier, terms.session) {
            (Carrier::Pipe(pipe), _) => Some(pipe.name().into()),
            (Carrier::Http(_), Some(session)) => Some(crate::names::hex(&session.key).into()),
            (Carrier::Http(_), None) => None,
        }
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
    let (status, body) = (refusal.status, refusal.to_json());
    match refusal.retry_after.filter(|_| status == StatusCode::TOO_MANY_REQUESTS) {
        Some(retry_after) => Reply::TooMany { retry_after, body },
        None => Reply::Json { status, body },
    }
}

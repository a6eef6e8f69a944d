//! What legacy sessions hear on this instance: the first thing for which a session needs memory.
//!
//! It is made when a session opens a stream or subscribes to something, and ends with the session, or when nobody listens for long.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use mcp_auth::Principal;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::listen::{Listening, MOST_SUBSCRIPTIONS, Place, end_of_credential};
use super::{Endpoint, Legacy, busy, internal};
use crate::notify::{Interests, Listener};
use crate::protocol::legacy::no_session;
use crate::protocol::{Code, Refusal, last_event_id};
use crate::session::{Session, SessionKey};
use crate::streams::EventId;

/// How often those are looked for that nobody uses.
const SWEEP: Duration = Duration::from_secs(10);

/// What each session hears.
#[derive(Debug)]
pub(crate) struct SessionEars {
    state: Mutex<State>,
    /// So long may a session hold memory without using it.
    idle: Duration,
}

#[derive(Debug)]
struct State {
    ears: HashMap<SessionKey, Ear>,
    swept: Instant,
}

#[derive(Debug)]
struct Ear {
    session: Session,
    listener: Arc<Listener>,
    used: Instant,
    /// The stream that is open; one in its place ends it.
    open: Weak<CancellationToken>,
    _place: Place,
}

/// A stream that a legacy client opens by a GET.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) session: Session,
    /// After which event the client goes on.
    pub(crate) missed: Option<EventId>,
    /// When the credential that opened it ends.
    pub(crate) until: Option<Instant>,
    /// What it hears from now on; nothing on the stream of a call.
    pub(crate) listening: Option<Listening>,
    /// Cancelled when another stream takes its place. Held for as long as the stream is open.
    pub(crate) replaced: Arc<CancellationToken>,
}

impl SessionEars {
    pub(crate) fn new(idle: Duration) -> Self {
        Self { state: Mutex::new(State { ears: HashMap::new(), swept: Instant::now() }), idle }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what a session hears; its stream ends.
    fn remove(&self, session: &SessionKey) {
        let ear = self.lock().ears.remove(session);
        if let Some(open) = ear.and_then(|ear| ear.open.upgrade()) {
            open.cancel();
        }
    }

    /// The sessions that nobody used for long; they hear nothing any more.
    fn take_idle(&self) -> Vec<Session> {
        let mut state = self.lock();
        if state.swept.elapsed() < SWEEP {
            return Vec::new();
        }
        state.swept = Instant::now();
        let mut idle = Vec::new();
        state.ears.retain(|_, ear| {
            let stays = ear.open.strong_count() > 0 || ear.used.elapsed() < self.idle;
            if !stays {
                idle.push(ear.session);
            }
            stays
        });
        idle
    }
}

impl Endpoint {
    /// The ear of a session, made if need be.
    fn ear(
        &self,
        session: &Session,
        principal: Option<&Principal>,
        open: Option<&Arc<CancellationToken>>,
    ) -> Result<Arc<Listener>, Refusal> {
        if let Legacy::Sessions(sessions) = &self.legacy {
            for idle in self.session_ears.take_idle() {
                tracing::debug!(target: "mcp_runtime::server", "a session that nobody used for long ends");
                if sessions.end(&idle).is_err() {
                    tracing::warn!(target: "mcp_runtime::server", "no room to remember another ended session");
                }
            }
        }
        let mut state = self.session_ears.lock();
        if let Some(ear) = state.ears.get_mut(&session.key) {
            ear.used = Instant::now();
            if let Some(open) = open
                && let Some(before) = std::mem::replace(&mut ear.open, Arc::downgrade(open)).upgrade()
            {
                before.cancel();
            }
            return Ok(Arc::clone(&ear.listener));
        }
        drop(state);
        let Some(place) = self.ears.take(principal, self.bounds.max_streams) else {
            tracing::warn!(target: "mcp_runtime::server", limit = self.bounds.max_streams, "too many streams at once");
            return Err(busy());
        };
        let all = self.offer.list_changes;
        let interests = Interests { tools: all, prompts: all, resources: all, ..Interests::default() };
        let listener = Arc::new(Listener::new(interests));
        self.notifier.hub().listen(&listener);
        let ear = Ear {
            session: *session,
            listener: Arc::clone(&listener),
            used: Instant::now(),
            open: open.map(Arc::downgrade).unwrap_or_default(),
            _place: place,
        };
        // Another request of the session may have been quicker: its ear is the one that hears.
        Ok(match self.session_ears.lock().ears.entry(session.key) {
            Entry::Occupied(first) => Arc::clone(&first.get().listener),
            Entry::Vacant(place) => Arc::clone(&place.insert(ear).listener),
        })
    }

    /// `resources/subscribe` in a session.
    pub(super) fn subscribe(&self, session: &Session, uri: &str, principal: Option<&Principal>) -> Result<(), Refusal> {
        if self.ear(session, principal, None)?.subscribe(uri, MOST_SUBSCRIPTIONS) {
            return Ok(());
        }
        Err(Refusal::params(format!("A session has at most {MOST_SUBSCRIPTIONS} subscriptions; end one before")))
    }

    /// `resources/unsubscribe` in a session.
    pub(super) fn unsubscribe(&self, session: &Session, uri: &str) {
        if let Some(ear) = self.session_ears.lock().ears.get_mut(&session.key) {
            ear.used = Instant::now();
            ear.listener.unsubscribe(uri);
        }
    }

    /// Forgets what this instance holds for a session that has ended.
    pub(super) fn forget_session(self: &Arc<Self>, session: &Session) {
        self.session_ears.remove(&session.key);
        let (streams, key) = (Arc::clone(self.streams()), session.key);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { streams.forget(&key).await });
        }
    }

    /// May a GET with these headers open a stream?
    pub(crate) fn may_listen(&self, headers: &HeaderMap) -> bool {
        // Without anything to hear there is still what a client missed of a call.
        let hears = self.offer.list_changes || self.offer.resource_updates;
        self.may_end_sessions(headers) && (hears || headers.contains_key("last-event-id"))
    }

    /// A GET: the stream of a session, or what its client missed of another.
    pub(crate) fn open_stream(self: &Arc<Self>, headers: &HeaderMap, principal: Option<&Principal>) -> Result<Resumed, Refusal> {
        let session = self.session_of(headers, principal)?.ok_or_else(no_session)?;
        if self.shutdown.is_cancelled() {
            return Err(internal("The server is stopping"));
        }
        let missed = match last_event_id(headers)? {
            Some(text) => {
                let unknown = || Refusal::bad(Code::InvalidRequest, "Last-Event-ID names no event of this server");
                Some(EventId::parse(text).ok_or_else(unknown)?)
            }
            None => None,
        };
        let replaced = Arc::new(CancellationToken::new());
        let listens = missed.as_ref().is_none_or(EventId::is_of_listener);
        let listening = if listens {
            let listener = self.ear(&session, principal, Some(&replaced))?;
            let place = self.ears.take(principal, self.bounds.max_streams).ok_or_else(busy)?;
            Some(Listening {
                listener,
                endpoint: Arc::clone(self),
                id: None,
                acknowledgement: None,
                until: end_of_credential(principal),
                registration: None,
                _place: place,
            })
        } else {
            None
        };
        let until = end_of_credential(principal);
        Ok(Resumed { endpoint: Arc::clone(self), session, missed, until, listening, replaced })
    }

    /// Does what this event belongs to exist? One whose stream is gone can not be gone on with.
    pub(crate) async fn knows_stream(&self, resumed: &Resumed) -> Result<(), Refusal> {
        let Some(missed) = resumed.missed.as_ref().filter(|missed| !missed.is_of_listener()) else { return Ok(()) };
        match self.streams().after(&resumed.session.key, missed).await {
            Some(_) => Ok(()),
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                Code::InvalidRequest,
                "The stream of this Last-Event-ID is not known, or no longer",
            )),
        }
    }
}

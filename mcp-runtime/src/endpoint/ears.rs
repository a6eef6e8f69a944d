//! What legacy sessions hear on this instance, which no sealed id can carry.
//!
//! It is made when a session opens a stream or subscribes to something, and ends with the session. A session that holds memory and
//! is not used for long ends; so does, of the sessions of a caller who has too many of them, the one that is unused for longest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, StatusCode};
use mcp_auth::Principal;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::legacy::session_not_found;
use super::listen::{Ears, Listening, MOST_SUBSCRIPTIONS, Place};
use super::watch::Watch;
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
    /// For the sessions that hold memory, whether or not a stream is open.
    places: Arc<Ears>,
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
    used: Arc<Used>,
    /// The stream that is open; one in its place ends it.
    open: Weak<OpenStream>,
    _place: Place,
}

/// When something was last used.
#[derive(Debug)]
struct Used(Mutex<Instant>);

/// A stream that a session's client holds open.
#[derive(Debug, Default)]
pub(crate) struct OpenStream {
    replaced: CancellationToken,
    /// Among all open streams; the stream that takes its place takes this as well.
    place: Mutex<Option<Place>>,
    /// Whose use of memory it is.
    ear: Mutex<Option<Arc<Used>>>,
}

/// A stream that a legacy client opens by a GET.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) session: Session,
    /// After which event the client goes on.
    pub(crate) missed: Option<EventId>,
    /// What it hears from now on; nothing on the stream of a call.
    pub(crate) listening: Option<Listening>,
    /// For how long it may.
    pub(crate) watch: Arc<Watch>,
    /// Held for as long as the stream is open.
    pub(crate) open: Arc<OpenStream>,
}

impl Used {
    fn now() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// Resolves when another stream takes its place, or its session ends.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    fn take_place(&self) -> Option<Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn has(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }
}

/// For as long as it is open, its session is used.
impl Drop for OpenStream {
    fn drop(&mut self) {
        if let Some(used) = self.ear.get_mut().unwrap_or_else(PoisonError::into_inner) {
            used.again();
        }
    }
}

impl Ear {
    fn is_idle(&self, idle: Duration) -> bool {
        self.open.strong_count() == 0 && self.used.at().elapsed() >= idle
    }
}

impl SessionEars {
    pub(crate) fn new(idle: Duration) -> Self {
        let state = State { ears: HashMap::new(), swept: Instant::now() };
        Self { state: Mutex::new(state), idle, places: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what a session hears; its stream ends.
    fn remove(&self, session: &SessionKey) {
        let ear = self.lock().ears.remove(session);
        if let Some(open) = ear.and_then(|ear| ear.open.upgrade()) {
            open.replaced.cancel();
        }
    }
}

impl State {
    /// The sessions that nobody used for long; they hear nothing any more.
    fn take_idle(&mut self, idle: Duration) -> Vec<Session> {
        let mut ended = Vec::new();
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            self.ears.retain(|_, ear| {
                let goes = ear.is_idle(idle);
                if goes {
                    ended.push(ear.session);
                }
                !goes
            });
        }
        ended
    }

    /// Of this session's owner's sessions without a stream, the one that is unused for longest.
    fn take_quietest(&mut self, like: &Session) -> Option<Session> {
        let quiet = self.ears.values().filter(|ear| ear.open.strong_count() == 0 && ear.session.is_of_owner_of(like));
        let quietest = quiet.min_by_key(|ear| ear.used.at())?.session;
        self.ears.remove(&quietest.key);
        Some(quietest)
    }
}

impl Endpoint {
    /// Notes that a session is used; false where it held memory for too long without.
    pub(super) fn uses(&self, session: &Session) -> bool {
        let mut state = self.session_ears.lock();
        let Some(ear) = state.ears.get(&session.key) else { return true };
        if !ear.is_idle(self.session_ears.idle) {
            ear.used.again();
            return true;
        }
        state.ears.remove(&session.key);
        drop(state);
        self.end_idle(session);
        false
    }

    fn end_idle(&self, session: &Session) {
        tracing::debug!(target: "mcp_runtime::server", "a session that nobody used for long ends");
        if let Legacy::Sessions(sessions) = &self.legacy
            && sessions.end(session).is_err()
        {
            tracing::warn!(target: "mcp_runtime::server", "no room to remember another ended session");
        }
    }

    /// The ear of a session, made if need be. A stream that opens takes the place of the one that is open.
    fn ear(
        &self,
        session: &Session,
        principal: Option<&Principal>,
        open: Option<&Arc<OpenStream>>,
    ) -> Result<Arc<Listener>, Refusal> {
        let mut ended = Vec::new();
        let listener = self.find_ear(session, principal, open, &mut ended);
        ended.iter().for_each(|session| self.end_idle(session));
        let listener = listener?;
        if self.has_ended(Some(*session)) {
            // Before it could be found there.
            self.session_ears.remove(&session.key);
            return Err(session_not_found());
        }
        Ok(listener)
    }

    fn find_ear(
        &self,
        session: &Session,
        principal: Option<&Principal>,
        open: Option<&Arc<OpenStream>>,
        ended: &mut Vec<Session>,
    ) -> Result<Arc<Listener>, Refusal> {
        let (ears, most) = (&self.session_ears, self.bounds.max_streams);
        let full = || {
            tracing::warn!(target: "mcp_runtime::server", limit = most, "too many streams at once");
            busy()
        };
        let mut state = ears.lock();
        *ended = state.take_idle(ears.idle);
        let before = state.ears.get(&session.key).and_then(|ear| ear.open.upgrade());
        if let Some(open) = open {
            let place = before.as_ref().and_then(|before| before.take_place());
            open.has(place.or_else(|| self.ears.take(principal, most)).ok_or_else(full)?);
        }
        let ear = match state.ears.get_mut(&session.key) {
            Some(ear) => {
                ear.used.again();
                ear
            }
            None => {
                let mut place = ears.places.take(principal, most);
                if place.is_none() {
                    ended.extend(state.take_quietest(session));
                    place = ears.places.take(principal, most);
                }
                let interests = Interests::of_session(self.offer.list_changes);
                let listener = Arc::new(Listener::new(interests));
                self.notifier.hub().listen(&listener);
                let ear = Ear {
                    session: *session,
                    listener,
                    used: Arc::new(Used::now()),
                    open: Weak::new(),
                    _place: place.ok_or_else(full)?,
                };
                state.ears.entry(session.key).or_insert(ear)
            }
        };
        if let Some(open) = open {
            *open.ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ear.used));
            ear.open = Arc::downgrade(open);
            if let Some(before) = before {
                before.replaced.cancel();
            }
        }
        Ok(Arc::clone(&ear.listener))
    }

    /// `resources/subscribe` in a session.
    pub(super) fn subscribe(&self, session: &Session, uri: &str, principal: Option<&Principal>) -> Result<(), Refusal> {
        if self.ear(session, principal, None)?.subscribe(uri, MOST_SUBSCRIPTIONS) {
            return Ok(());
        }
        Err(Refusal::params(format!(
            "A session has at most {MOST_SUBSCRIPTIONS} subscriptions, of 64 KiB in all; end one before"
        )))
    }

    /// `resources/unsubscribe` in a session.
    pub(super) fn unsubscribe(&self, session: &Session, uri: &str) {
        if let Some(ear) = self.session_ears.lock().ears.get(&session.key) {
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
    pub(crate) fn open_stream(self: &Arc<Self>, head: &Parts, principal: Option<&Principal>) -> Result<Resumed, Refusal> {
        let session = self.session_of(&head.headers, principal)?.ok_or_else(no_session)?;
        if self.shutdown.is_cancelled() {
            return Err(internal("The server is stopping"));
        }
        let missed = match last_event_id(&head.headers)? {
            Some(text) => {
                let unknown = || Refusal::bad(Code::InvalidRequest, "Last-Event-ID names no event of this server");
                Some(EventId::parse(text).ok_or_else(unknown)?)
            }
            None => None,
        };
        let open = Arc::new(OpenStream::default());
        let of_session = Instant::now().checked_add(session.left());
        let watch = Arc::new(Watch::over(self, || head.clone(), principal, of_session));
        let listening = if missed.as_ref().is_none_or(EventId::is_of_listener) {
            Some(Listening {
                listener: self.ear(&session, principal, Some(&open))?,
                endpoint: Arc::clone(self),
                id: None,
                acknowledgement: None,
                principal: principal.cloned(),
                watch: Arc::clone(&watch),
                registration: None,
                _place: None,
            })
        } else {
            open.has(self.ears.take(principal, self.bounds.max_streams).ok_or_else(busy)?);
            None
        };
        Ok(Resumed { endpoint: Arc::clone(self), session, missed, listening, watch, open })
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

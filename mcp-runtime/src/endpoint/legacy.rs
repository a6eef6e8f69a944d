//! Clients that open with `initialize`: how they are known again, and what only they have.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use mcp_auth::Principal;

use super::carrier::{Carrier, Head};
use super::in_flight::Scope;
use super::listen::MOST_SUBSCRIPTIONS;
use super::watch::Watch;
use super::{Endpoint, Listening, Reply, Terms, busy, internal, ok};
use crate::call::{Capabilities, LogLevel};
use crate::notify::{Interests, Listener};
use crate::protocol::legacy::{Client, Opening, no_session, read};
use crate::protocol::{Code, Era, Incoming, Message, Refusal, Renderer, Wire, session_id, wire_of};
use crate::session::{Full, Session, Sessions};

/// How clients are served that open with `initialize`.
#[derive(Debug)]
pub(crate) enum Legacy {
    Sessions(Sessions),
    Sessionless,
    Refused,
}

/// A legacy client, as far as a message's carrier tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// `None` before it opened.
    pub(super) client: Option<Client>,
    /// The revision that it names in a header.
    named: Option<Era>,
    session: Option<Session>,
    log_level: Option<LogLevel>,
}

impl Endpoint {
    /// Who sent this.
    pub(super) fn peer(&self, head: &Head, named: Option<Era>) -> Result<Peer, Refusal> {
        let (mut session, mut log_level) = (None, None);
        let client = match (&head.carrier, &self.legacy) {
            (_, Legacy::Refused) => None,
            (Carrier::Pipe(pipe), _) => {
                let opened = pipe.opened();
                log_level = opened.log_level;
                opened.client
            }
            (Carrier::Http(headers), Legacy::Sessions(sessions)) => {
                session = self.find(sessions, headers, head.principal.as_ref())?;
                log_level = session.filter(|_| self.offer.logging).and_then(|session| sessions.log_level(&session));
                session.map(|session| session.client)
            }
            // Nothing is known of such a client; the revision without the header is meant where there is none.
            (Carrier::Http(_), Legacy::Sessionless) => {
                Some(Client { era: named.unwrap_or(Era::V2025_03_26), capabilities: Capabilities::default() })
            }
        };
        Ok(Peer { client, named, session, log_level })
    }

    pub(super) fn read_legacy<'a>(
        &self,
        head: &Head,
        peer: Peer,
        message: Incoming<'a>,
    ) -> Result<(Terms, Message<'a>), Refusal> {
        let era = peer.client.map(|client| client.era).or(peer.named).unwrap_or(Era::NEWEST_LEGACY);
        let scope = peer.session.map(|session| Scope::Session(session.key)).or(head.carrier.scope());
        let terms = Terms { era, scope, session: peer.session };
        let opening = match head.carrier {
            Carrier::Http(_) => Opening::Session { named: peer.named },
            Carrier::Pipe(_) => Opening::Handshake,
        };
        Ok((terms, read(message, peer.client, opening, &self.offer, peer.log_level)?))
    }

    /// As a client that did not open, since it is about to: who opens anew is not held to what it opened before.
    pub(super) fn newcomer(named: Option<Era>) -> Peer {
        Peer { client: None, named, session: None, log_level: None }
    }

    pub(super) fn open(&self, head: &Head, id: &str, client: Client) -> Result<Reply, Refusal> {
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
                    Err(internal("The server can not open a session").in_era(client.era).with_id(Some(id)))
                }
            },
            (Carrier::Http(_), Legacy::Sessionless | Legacy::Refused) => Ok(ok(body)),
        }
    }

    /// From now on, within the client's session. Where there is none, there is nothing to remember it in.
    pub(super) fn set_log_level(&self, head: &Head, terms: Terms, id: &str, level: LogLevel) -> Result<Reply, Refusal> {
        match (&head.carrier, &self.legacy, &terms.session) {
            (Carrier::Pipe(pipe), ..) => pipe.set_log_level(level),
            (Carrier::Http(_), Legacy::Sessions(sessions), Some(session)) => sessions.set_log_level(session, level),
            _ => return Err(Refusal::unknown_method("logging/setLevel").in_era(terms.era).with_id(Some(id))),
        }
        Ok(ok(Renderer::empty(id)))
    }

    /// A client over a pipe hears of changes without having to ask; from now on. Over HTTP it opens a stream.
    pub(super) fn initialized(self: &Arc<Self>, head: &Head) -> Reply {
        let Carrier::Pipe(pipe) = &head.carrier else { return Reply::Accepted };
        let hears = self.offer.list_changes || self.offer.resource_updates;
        if !hears || pipe.opened().client.is_none() || pipe.listener.get().is_some() {
            return Reply::Accepted;
        }
        let Some(place) = self.ears.take(head.principal.as_ref(), self.bounds.max_streams) else { return Reply::Accepted };
        let interests = Interests::of_session(self.offer.list_changes);
        let listener = Arc::clone(pipe.listener.get_or_init(|| Arc::new(Listener::new(interests))));
        self.notifier.hub().listen(&listener);
        let listening = Listening {
            listener,
            endpoint: Arc::clone(self),
            id: None,
            acknowledgement: None,
            watch: Arc::new(Watch::of(head.principal.as_ref())),
            principal: head.principal.clone(),
            registration: None,
            _place: Some(place),
        };
        pipe.ready(listening);
        Reply::Accepted
    }

    /// `resources/subscribe`: of what the caller may read.
    pub(super) fn subscribe_to(&self, head: &Head, terms: Terms, id: &str, uri: &str) -> Result<Reply, Refusal> {
        let principal = head.principal.as_ref();
        let catalog = self.catalog.current();
        let found = catalog.resources.find(uri, principal).ok_or_else(|| Refusal::no_such_resource(uri, terms.era))?;
        // Who may know of it, may know what it needs.
        if let Some(reply) = self.unreadable(&found, principal, id)? {
            return Ok(reply);
        }
        match (&head.carrier, &terms.session) {
            (Carrier::Pipe(pipe), _) => {
                let hears = pipe.listener.get().is_some_and(|listener| listener.subscribe(uri, MOST_SUBSCRIPTIONS));
                if !hears {
                    return Err(Refusal::params("Send notifications/initialized before, and not too many subscriptions"));
                }
            }
            (Carrier::Http(_), Some(session)) => self.subscribe(session, uri, principal)?,
            (Carrier::Http(_), None) => return Err(Refusal::unknown_method("resources/subscribe")),
        }
        Ok(ok(Renderer::empty(id)))
    }

    /// `resources/unsubscribe`; of what was never subscribed to as well.
    pub(super) fn unsubscribe_from(&self, head: &Head, terms: Terms, id: &str, uri: &str) -> Result<Reply, Refusal> {
        match (&head.carrier, &terms.session) {
            (Carrier::Pipe(pipe), _) => {
                if let Some(listener) = pipe.listener.get() {
                    listener.unsubscribe(uri);
                }
            }
            (Carrier::Http(_), Some(session)) => self.unsubscribe(session, uri),
            (Carrier::Http(_), None) => return Err(Refusal::unknown_method("resources/unsubscribe")),
        }
        Ok(ok(Renderer::empty(id)))
    }

    /// Do legacy clients get sessions?
    pub(crate) fn has_sessions(&self) -> bool {
        matches!(self.legacy, Legacy::Sessions(_))
    }

    /// May a request with these headers end a session? The modern era has none to end.
    pub(crate) fn may_end_sessions(&self, headers: &HeaderMap) -> bool {
        self.has_sessions() && !matches!(wire_of(headers), Ok(Wire::Modern))
    }

    /// Ends the session that a legacy client names, and the calls in it.
    pub(crate) fn end_session(self: &Arc<Self>, headers: &HeaderMap, principal: Option<&Principal>) -> Result<(), Refusal> {
        let Legacy::Sessions(sessions) = &self.legacy else { return Err(no_session()) };
        let session = self.session_of(headers, principal)?.ok_or_else(no_session)?;
        sessions.end(&session).map_err(|Full| {
            tracing::warn!(target: "mcp_runtime::server", "no room to remember another ended session");
            busy()
        })?;
        self.in_flight.cancel_all(Scope::Session(session.key));
        self.forget_session(&session);
        Ok(())
    }

    /// The session that a legacy client names.
    pub(super) fn session_of(&self, headers: &HeaderMap, principal: Option<&Principal>) -> Result<Option<Session>, Refusal> {
        wire_of(headers).map_err(Refusal::without_modern_code)?;
        match &self.legacy {
            Legacy::Sessions(sessions) => self.find(sessions, headers, principal),
            Legacy::Sessionless | Legacy::Refused => Ok(None),
        }
    }

    /// The session that the headers name. One that is not there, or not this caller's, is not found (MCP 2025-11-25, "Session
    /// Management"); why, only the log says.
    fn find(&self, sessions: &Sessions, headers: &HeaderMap, principal: Option<&Principal>) -> Result<Option<Session>, Refusal> {
        let Some(id) = session_id(headers)? else { return Ok(None) };
        let session = sessions.find(id, principal).map_err(|reason| {
            tracing::info!(target: "mcp_runtime::server", %reason, "a session was not found");
            session_not_found()
        })?;
        if self.uses(&session) { Ok(Some(session)) } else { Err(session_not_found()) }
    }

    /// Was the session ended since the message was read?
    pub(super) fn has_ended(&self, session: Option<Session>) -> bool {
        match (&self.legacy, session) {
            (Legacy::Sessions(sessions), Some(session)) => sessions.has_ended(&session),
            _ => false,
        }
    }
}

pub(super) fn session_not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::InvalidRequest, "Session not found; send initialize for a new one")
}

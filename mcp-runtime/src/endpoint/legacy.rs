//! Clients that open with `initialize`: how they are known again, and what only they have.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use mcp_auth::Principal;

use super::batch::Batch;
use super::carrier::{Carrier, Head};
use super::in_flight::Scope;
use super::{Endpoint, Reply, busy, internal, ok, refused};
use crate::call::Capabilities;
use crate::protocol::legacy::{Client, no_session};
use crate::protocol::{Code, Era, Incoming, Refusal, Wire, invalid, session_id, wire_of};
use crate::session::{Full, Session, Sessions};

/// More messages in one batch are refused: an answer may be far longer than its question.
const MAX_BATCH: usize = 50;

/// How clients are served that open with `initialize`.
#[derive(Debug)]
pub(crate) enum Legacy {
    Sessions(Sessions),
    Sessionless,
    Refused,
}

impl Endpoint {
    /// The legacy client that sent this, if it opened before, and the scope of its ids.
    pub(super) fn client(&self, head: &Head, named: Option<Era>) -> Result<Option<(Client, Option<Scope>)>, Refusal> {
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
                Ok(Some((Client { era, capabilities: Capabilities::default() }, None)))
            }
        }
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
        let Legacy::Sessions(sessions) = &self.legacy else { return Err(no_session()) };
        let session = session(sessions, headers, principal)?.ok_or_else(no_session)?;
        self.in_flight.cancel_all(Scope::Session(session.key));
        sessions.end(&session).map_err(|Full| {
            tracing::warn!(target: "mcp_runtime::server", "no room to remember another ended session");
            busy()
        })
    }

    /// Only the first revision has batches, and a body says nothing of a batch's revision: its session or header does.
    pub(super) fn answer_batch(self: &Arc<Self>, head: &Head, texts: &[&str]) -> Result<Reply, Refusal> {
        if self.batch_era(head)? != Some(Era::V2025_03_26) {
            return Err(invalid("batches are not part of this protocol version, send one message per request"));
        }
        if texts.is_empty() || texts.len() > MAX_BATCH {
            return Err(invalid(&format!("a batch has 1 to {MAX_BATCH} messages")));
        }
        let messages: Vec<_> = texts.iter().map(|text| Incoming::parse(text)).collect();
        for message in messages.iter().flatten() {
            let fault = match message {
                Incoming::Asked { method, .. } if method == "initialize" => "initialize can not be part of a batch",
                message if message.claims_a_version() => "a message with a version in its _meta can not be part of a batch",
                _ => continue,
            };
            return Err(invalid(fault));
        }
        let mut batch = Batch::default();
        for message in messages {
            let reply = message
                .and_then(|message| self.read(head, message, Wire::Legacy(None)))
                .and_then(|(terms, message)| self.carry_out(head.clone(), terms, message));
            match reply.unwrap_or_else(|refusal| refused(&refusal)) {
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
}

/// The session that the headers name. One that is not there, or not this caller's, is not found (MCP 2025-11-25, "Session
/// Management").
fn session(sessions: &Sessions, headers: &HeaderMap, principal: Option<&Principal>) -> Result<Option<Session>, Refusal> {
    let Some(id) = session_id(headers)? else { return Ok(None) };
    let found = sessions.find(id, principal);
    let gone = || Refusal::new(StatusCode::NOT_FOUND, Code::InvalidRequest, "Session not found; send initialize for a new one");
    found.map(Some).ok_or_else(gone)
}

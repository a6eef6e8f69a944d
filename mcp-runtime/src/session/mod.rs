//! Sessions of legacy clients, without a table of sessions.
//!
//! The id that a client gets is a sealed statement of all that its `initialize` settled: revision, capabilities, caller, times.
//! Whoever has the key can serve it, on another instance and after a restart; a client that opens and never comes back costs
//! nothing. Kept is only what was ended before its time, for as long as it would have been valid, and the log level that a client
//! asked for. What a session that listens needs is the endpoint's (`endpoint::ears`).

mod ended;
mod levels;
mod recent;

use std::fmt;
use std::time::Duration;

use mcp_auth::{Principal, Seal, SealError};

use crate::call::{Capabilities, LogLevel};
use crate::clock::now;
use crate::owner;
use crate::protocol::Era;
use crate::protocol::legacy::Client;
use ended::Ended;
pub(crate) use ended::Full;
use levels::Levels;
use recent::Recent;

/// A session's name inside the server: unique, as its nonce is.
pub(crate) type SessionKey = [u8; 24];

/// The digest of the principal that opened a session; an anonymous caller has none.
type Owner = Option<[u8; 32]>;

#[derive(Debug)]
pub(crate) struct Sessions {
    seal: Seal,
    lifetime: Duration,
    ended: Ended,
    recent: Recent,
    levels: Levels,
}

/// A session whose id was presented, by its owner, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) client: Client,
    owner: Owner,
    /// In seconds since 1970.
    expires: u64,
}

impl Session {
    /// How long it still lasts, whatever happens in it.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(now()))
    }

    pub(crate) fn is_of_owner_of(&self, other: &Self) -> bool {
        self.owner == other.owner
    }
}

/// Why an id names no session. For the log: a stranger is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSession {
    Sealed,
    Foreign,
    Expired,
    Ended,
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "no key here opens its id; do all instances have the same sealing keys and the same public URL?",
            Self::Foreign => "another caller opened it",
            Self::Expired => "it has expired",
            Self::Ended => "its client ended it",
        })
    }
}

/// The length of a statement: one byte of revision, four of capabilities, the owner, then the times of issue and expiry in seconds since 1970. Numbers have their lowest byte first.
const STATEMENT: usize = 1 + 4 + owner::LENGTH + 8 + 8;

impl Sessions {
    pub(crate) fn new(seal: Seal, lifetime: Duration) -> Self {
        Self { seal, lifetime, ended: Ended::default(), recent: Recent::default(), levels: Levels::default() }
    }

    /// The id of a new session: visible ASCII of less than 512 bytes.
    pub(crate) fn begin(&self, client: Client, principal: Option<&Principal>) -> Result<String, SealError> {
        self.seal.seal(&self.statement(client, principal, now()))
    }

    fn statement(&self, client: Client, principal: Option<&Principal>, now: u64) -> [u8; STATEMENT] {
        let mut statement = [0; STATEMENT];
        statement[0] = sealed_era(client.era);
        statement[1..5].copy_from_slice(&client.capabilities.bits().to_le_bytes());
        statement[5..38].copy_from_slice(&owner::sealed(principal));
        statement[38..46].copy_from_slice(&now.to_le_bytes());
        statement[46..].copy_from_slice(&now.saturating_add(self.lifetime.as_secs()).to_le_bytes());
        statement
    }

    /// The session of this id, if it is one of ours, of this caller, and neither expired nor ended.
    pub(crate) fn find(&self, id: &str, principal: Option<&Principal>) -> Result<Session, NoSession> {
        self.find_at(id, principal, now())
    }

    fn find_at(&self, id: &str, principal: Option<&Principal>, now: u64) -> Result<Session, NoSession> {
        let session = self.recent.get_or_open(id, || self.open(id)).ok_or(NoSession::Sealed)?;
        if session.owner != principal.map(Principal::digest) {
            return Err(NoSession::Foreign);
        }
        if session.expires <= now {
            return Err(NoSession::Expired);
        }
        if self.has_ended(&session) { Err(NoSession::Ended) } else { Ok(session) }
    }

    fn open(&self, id: &str) -> Option<Session> {
        let opened = self.seal.open(id)?;
        let statement = <&[u8; STATEMENT]>::try_from(opened.statement.as_slice()).ok()?;
        let (&[era], rest) = statement.split_first_chunk()?;
        let (&capabilities, rest) = rest.split_first_chunk()?;
        let (&[known], rest) = rest.split_first_chunk()?;
        let (&digest, rest) = rest.split_first_chunk()?;
        let (&issued, expires) = rest.split_first_chunk()?;
        let expires = u64::from_le_bytes(expires.try_into().ok()?);
        Some(Session {
            key: opened.id,
            client: Client {
                era: Era::LEGACY.into_iter().find(|legacy| sealed_era(*legacy) == era)?,
                capabilities: Capabilities::from_bits(u32::from_le_bytes(capabilities)),
            },
            owner: (known == 1).then_some(digest),
            // A lifetime that was shortened since counts at once.
            expires: expires.min(u64::from_le_bytes(issued).saturating_add(self.lifetime.as_secs())),
        })
    }

    /// Ends a session before its time.
    pub(crate) fn end(&self, session: &Session) -> Result<(), Full> {
        self.ended.insert(session, now())?;
        self.levels.forget(session);
        Ok(())
    }

    /// The least grave log messages that the session's client wants, if it wants any.
    pub(crate) fn log_level(&self, session: &Session) -> Option<LogLevel> {
        self.levels.get(session)
    }

    pub(crate) fn set_log_level(&self, session: &Session, level: LogLevel) {
        self.levels.set(session, level);
    }

    /// Was it ended before its time?
    pub(crate) fn has_ended(&self, session: &Session) -> bool {
        self.ended.contains(session)
    }
}

/// How statements name a revision. Other instances read it, older and newer ones among them: these numbers never change.
fn sealed_era(era: Era) -> u8 {
    match era {
        Era::V2025_03_26 => 0,
        Era::V2025_06_18 => 1,
        Era::V2025_11_25 => 2,
        Era::V2026_07_28 => 3,
    }
}

#[cfg(test)]
mod tests {
    use mcp_auth::{KeyRing, Sealer};

    use super::*;
    use crate::call::Capability;

    const HOUR: u64 = 3600;

    fn sessions(keys: &KeyRing, lifetime: u64) -> Sessions {
        Sessions::new(Sealer::new(keys.clone(), "https://a.example/mcp").purpose("session id"), Duration::from_secs(lifetime))
    }

    fn keys() -> KeyRing {
        KeyRing::ephemeral().expect("randomness")
    }

    fn client() -> Client {
        let mut capabilities = Capabilities::default();
        capabilities.insert(Capability::Sampling);
        Client { era: Era::V2025_06_18, capabilities }
    }

    pub(super) fn session(mark: u8) -> Session {
        Session { key: [mark; 24], client: client(), owner: None, expires: HOUR }
    }

    fn begin_at(sessions: &Sessions, principal: Option<&Principal>, now: u64) -> String {
        sessions.seal.seal(&sessions.statement(client(), principal, now)).expect("an id")
    }

    #[test]
    fn an_id_carries_all_that_the_handshake_settled() {
        let (keys, alice) = (keys(), Principal::user("alice").issued_by("https://a.example"));
        let id = begin_at(&sessions(&keys, HOUR), Some(&alice), 1000);
        assert!(id.len() <= 512 && id.bytes().all(|b| (0x21..=0x7e).contains(&b)), "{id}");
        // Another instance, which never saw the handshake.
        let found = sessions(&keys, HOUR).find_at(&id, Some(&alice.scopes(["more"])), 1000 + HOUR - 1).expect("a session");
        assert_eq!(found.client, client());
    }

    /// Instances of other versions read it, so it may only change together with the seal's purpose.
    #[test]
    fn the_form_of_a_statement_is_pinned() {
        let statement = sessions(&keys(), 256).statement(client(), Some(&Principal::user("alice").issued_by("i")), 1);
        let digest = "9a1da45f1153c5457c51d0605a6055a90e32d4d317b85293f558cb17a17cf371";
        let hex: String = statement.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, format!("010400000001{digest}01000000000000000101000000000000"));
        let mut everything = Capabilities::default();
        Capability::ALL.into_iter().for_each(|capability| everything.insert(capability));
        assert_eq!(everything.bits(), 0b11_1111);
    }

    #[test]
    fn foreign_forged_and_expired_ids_are_no_sessions() {
        let (keys, alice) = (keys(), Principal::user("alice"));
        let here = sessions(&keys, HOUR);
        let id = begin_at(&here, Some(&alice), 1000);
        for stranger in [None, Some(Principal::user("bob")), Some(Principal::user("alice").issued_by("x"))] {
            assert_eq!(here.find_at(&id, stranger.as_ref(), 1000), Err(NoSession::Foreign), "{stranger:?}");
        }
        assert_eq!(here.find_at(&id, Some(&alice), 1000 + HOUR), Err(NoSession::Expired));
        assert_eq!(sessions(&keys, 60).find_at(&id, Some(&alice), 1060), Err(NoSession::Expired), "the lifetime was shortened");
        let elsewhere = sessions(&KeyRing::ephemeral().expect("randomness"), HOUR);
        assert_eq!(elsewhere.find_at(&id, Some(&alice), 1000), Err(NoSession::Sealed), "another key");
        assert_eq!(here.find_at(&id[1..], Some(&alice), 1000), Err(NoSession::Sealed), "forged");
        let anonymous = begin_at(&here, None, 1000);
        assert_eq!(here.find_at(&anonymous, Some(&alice), 1000), Err(NoSession::Foreign));
        assert!(here.find_at(&anonymous, None, 1000).is_ok());
    }

    #[test]
    fn an_ended_session_stays_ended() {
        let here = sessions(&keys(), HOUR);
        let (first, second) = (here.begin(client(), None).expect("an id"), here.begin(client(), None).expect("an id"));
        let session = here.find(&first, None).expect("a session");
        assert_eq!(here.end(&session), Ok(()));
        assert_eq!(here.find(&first, None), Err(NoSession::Ended));
        assert!(here.find(&second, None).is_ok());
    }

    #[test]
    fn the_log_level_of_an_ended_session_is_forgotten() {
        let here = sessions(&keys(), HOUR);
        let (first, second) = (session(1), session(2));
        here.set_log_level(&first, LogLevel::Info);
        here.set_log_level(&second, LogLevel::Error);
        assert_eq!((here.log_level(&first), here.log_level(&second)), (Some(LogLevel::Info), Some(LogLevel::Error)));
        assert_eq!(here.end(&first), Ok(()));
        assert_eq!((here.log_level(&first), here.log_level(&second)), (None, Some(LogLevel::Error)));
    }
}

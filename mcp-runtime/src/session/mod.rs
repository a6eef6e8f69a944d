//! Sessions of legacy clients, without a table of sessions.
//!
//! The id that a client gets is a sealed statement of all that its `initialize` settled: revision, capabilities, caller, times.
//! Whoever has the key can serve it, on another instance and after a restart; a client that opens and never comes back costs
//! nothing. Only what was ended before its time is kept, for as long as it would have been valid.

mod ended;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::{Principal, Seal, SealError};

use crate::call::Capabilities;
use crate::protocol::Era;
use crate::protocol::legacy::Client;
use ended::Ended;
pub(crate) use ended::Full;

/// A session's name inside the server: unique, as its nonce is.
pub(crate) type SessionKey = [u8; 24];

#[derive(Debug)]
pub(crate) struct Sessions {
    seal: Seal,
    lifetime: Duration,
    ended: Ended,
}

/// A session whose id was presented, by its owner, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) client: Client,
    /// In seconds since 1970.
    expires: u64,
}

/// The sealed statement: one byte of revision, one of capabilities, one that says whether the caller is known, the caller's
/// digest, then the times of issue and expiry in seconds since 1970.
const STATEMENT: usize = 3 + 32 + 8 + 8;

impl Sessions {
    pub(crate) fn new(seal: Seal, lifetime: Duration) -> Self {
        Self { seal, lifetime, ended: Ended::default() }
    }

    /// The id of a new session: visible ASCII of less than 512 bytes.
    pub(crate) fn begin(&self, client: Client, principal: Option<&Principal>) -> Result<String, SealError> {
        self.begin_at(client, principal, now())
    }

    fn begin_at(&self, client: Client, principal: Option<&Principal>, now: u64) -> Result<String, SealError> {
        let mut statement = [0; STATEMENT];
        statement[0] = client.era as u8;
        statement[1] = client.capabilities.bits();
        statement[2..35].copy_from_slice(&owner(principal));
        statement[35..43].copy_from_slice(&now.to_le_bytes());
        statement[43..].copy_from_slice(&now.saturating_add(self.lifetime.as_secs()).to_le_bytes());
        self.seal.seal(&statement)
    }

    /// The session of this id, if it is one of ours, of this caller, and neither expired nor ended. A stranger is not told
    /// which.
    pub(crate) fn find(&self, id: &str, principal: Option<&Principal>) -> Option<Session> {
        self.find_at(id, principal, now())
    }

    fn find_at(&self, id: &str, principal: Option<&Principal>, now: u64) -> Option<Session> {
        let opened = self.seal.open(id)?;
        let statement: &[u8; STATEMENT] = opened.statement.as_slice().try_into().ok()?;
        let [era, capabilities, rest @ ..] = statement;
        let (sealed_owner, times) = rest.split_first_chunk::<33>()?;
        let (issued, expires) = times.split_first_chunk::<8>()?;
        let (issued, expires) = (u64::from_le_bytes(*issued), u64::from_le_bytes(expires.try_into().ok()?));
        // A lifetime that was shortened since counts at once.
        let expires = expires.min(issued.saturating_add(self.lifetime.as_secs()));
        let era = Era::LEGACY.into_iter().find(|legacy| *legacy as u8 == *era)?;
        let session =
            Session { key: opened.id, client: Client { era, capabilities: Capabilities::from_bits(*capabilities) }, expires };
        let valid = now < expires && *sealed_owner == owner(principal) && !self.ended.contains(&session);
        valid.then_some(session)
    }

    /// Ends a session before its time.
    pub(crate) fn end(&self, session: &Session) -> Result<(), Full> {
        self.ended.insert(session, now())
    }
}

/// An anonymous caller is somebody else than every known one.
fn owner(principal: Option<&Principal>) -> [u8; 33] {
    let mut owner = [0; 33];
    if let Some(principal) = principal {
        owner[0] = 1;
        owner[1..].copy_from_slice(&principal.digest());
    }
    owner
}

/// In seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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

    #[test]
    fn an_id_carries_all_that_the_handshake_settled() {
        let (keys, alice) = (keys(), Principal::user("alice").issued_by("https://a.example"));
        let id = sessions(&keys, HOUR).begin_at(client(), Some(&alice), 1000).expect("an id");
        assert!(id.len() <= 512 && id.bytes().all(|b| (0x21..=0x7e).contains(&b)), "{id}");
        // Another instance, which never saw the handshake.
        let found = sessions(&keys, HOUR).find_at(&id, Some(&alice.scopes(["more"])), 1000 + HOUR - 1).expect("a session");
        assert_eq!(found.client, client());
    }

    #[test]
    fn foreign_forged_and_expired_ids_are_no_sessions() {
        let (keys, alice) = (keys(), Principal::user("alice"));
        let here = sessions(&keys, HOUR);
        let id = here.begin_at(client(), Some(&alice), 1000).expect("an id");
        for stranger in [None, Some(Principal::user("bob")), Some(Principal::user("alice").issued_by("x"))] {
            assert_eq!(here.find_at(&id, stranger.as_ref(), 1000), None, "{stranger:?}");
        }
        assert_eq!(here.find_at(&id, Some(&alice), 1000 + HOUR), None, "expired");
        assert_eq!(sessions(&keys, 60).find_at(&id, Some(&alice), 1060), None, "the lifetime was shortened");
        assert_eq!(
            sessions(&KeyRing::ephemeral().expect("randomness"), HOUR).find_at(&id, Some(&alice), 1000),
            None,
            "another key"
        );
        assert_eq!(here.find_at(&id[1..], Some(&alice), 1000), None, "forged");
        let anonymous = here.begin_at(client(), None, 1000).expect("an id");
        assert_eq!(here.find_at(&anonymous, Some(&alice), 1000), None);
        assert!(here.find_at(&anonymous, None, 1000).is_some());
    }

    #[test]
    fn an_ended_session_stays_ended() {
        let here = sessions(&keys(), HOUR);
        let (first, second) = (here.begin(client(), None).expect("an id"), here.begin(client(), None).expect("an id"));
        let session = here.find(&first, None).expect("a session");
        assert_eq!(here.end(&session), Ok(()));
        assert_eq!(here.find(&first, None), None);
        assert!(here.find(&second, None).is_some());
    }
}

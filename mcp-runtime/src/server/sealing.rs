//! Where the keys come from that seal what clients keep.

use std::env::VarError;

use mcp_auth::{KeyError, KeyRing, Seal, Sealer};

use super::{LegacyClients, Reach, Server};
use crate::endpoint::Legacy;
use crate::error::Problem;
use crate::session::Sessions;

/// The environment variable with the keys of a server that was given none otherwise.
const SEALING_KEYS: &str = "MCP_SEALING_KEYS";

/// What the log says of keys, once the server is built.
#[derive(Debug)]
pub(super) struct Sealing {
    keys: KeyRing,
    resource: String,
    is_public: bool,
    is_used: bool,
}

impl Server {
    /// The keys for what clients keep: session ids, cursors, and the state of calls that ask. `asks` says whether there may be such
    /// a call. Where nothing is sealed no key is looked for; those given in code are checked in any case.
    pub(super) fn sealing(&self, reach: Reach, asks: bool, problems: &mut Vec<Problem>) -> Option<Sealing> {
        let has_sessions = self.legacy == LegacyClients::Sessions && reach != Reach::Pipe;
        let is_used = has_sessions || self.page_size.is_some() || asks;
        let keys = match &self.sealing_keys {
            Some(keys) => keys.clone().map_err(|error| Problem::SealingKeys { origin: "sealing_keys", error }),
            None if !is_used => KeyRing::ephemeral().map_err(|error| Problem::SealingKeys { origin: "sealing_keys", error }),
            None => from_environment(std::env::var(SEALING_KEYS)),
        };
        let resource = self.public_url.clone().unwrap_or_else(|| format!("{} {}", self.name, self.path));
        match keys {
            // Instances have addresses of their own, but one public URL.
            Ok(keys) => Some(Sealing { keys, resource, is_public: self.public_url.is_some(), is_used }),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    /// How legacy clients are served. A pipe knows its client without a session.
    pub(super) fn legacy(&self, reach: Reach, sealing: &Sealing) -> Legacy {
        match self.legacy {
            LegacyClients::Refused => Legacy::Refused,
            LegacyClients::Sessions if reach != Reach::Pipe => {
                Legacy::Sessions(Sessions::new(sealing.seal("session id"), self.session_lifetime))
            }
            LegacyClients::Sessions | LegacyClients::Sessionless => Legacy::Sessionless,
        }
    }
}

fn from_environment(keys: Result<String, VarError>) -> Result<KeyRing, Problem> {
    let named = |error: KeyError| Problem::SealingKeys { origin: SEALING_KEYS, error };
    match keys {
        Ok(keys) if keys.trim().is_empty() => Err(named(KeyError::Empty)),
        Ok(keys) => KeyRing::parse(keys.split(',')).map_err(named),
        Err(VarError::NotPresent) => KeyRing::ephemeral().map_err(named),
        Err(VarError::NotUnicode(_)) => {
            Err(Problem::setting(SEALING_KEYS, "not UTF-8", "keys in base64 or hex, separated by commas"))
        }
    }
}

impl Sealing {
    pub(super) fn seal(&self, purpose: &'static str) -> Seal {
        Sealer::new(self.keys.clone(), self.resource.as_str()).purpose(purpose)
    }

    /// Tells the operator what does not survive, and what two instances must have in common.
    pub(super) fn tell(&self) {
        const LOST: &str = "no sealing key was given, so one was made: the sessions of legacy clients, the cursors of lists and the questions of calls end with this process, and no second instance knows them; give `.sealing_keys(..)` or MCP_SEALING_KEYS to keep them";
        if !self.is_used {
            return;
        }
        if !self.keys.is_ephemeral() {
            let keys = self.keys.ids().collect::<Vec<_>>().join(", ");
            tracing::info!(target: "mcp_runtime::server", keys, resource = self.resource, "sessions, cursors and the state of calls are sealed with these keys, for this resource; instances that share them know each other's");
        } else if self.is_public {
            tracing::warn!(target: "mcp_runtime::server", "{LOST}");
        } else {
            tracing::info!(target: "mcp_runtime::server", "{LOST}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn the_environment_is_read_as_a_list_and_its_faults_are_told() {
        let told = |keys| from_environment(keys).map_or_else(|problem| problem.to_string(), |ring| format!("{ring:?}"));
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddee";
        let two = Ok(format!("{key}01, {key}02"));
        assert_eq!(from_environment(two).expect("keys").ids().count(), 2);
        assert!(from_environment(Err(VarError::NotPresent)).expect("a key").is_ephemeral());
        assert!(told(Ok(" ".to_owned())).starts_with("MCP_SEALING_KEYS: there is no key"), "{}", told(Ok(String::new())));
        assert!(told(Ok(format!("{key}01,short"))).contains("2nd key"));
        assert!(told(Err(VarError::NotUnicode(OsString::new()))).starts_with("MCP_SEALING_KEYS is `not UTF-8`"));
    }
}

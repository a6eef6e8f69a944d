//! The state of a call that travels with its client between rounds, sealed (MCP 2026-07-28, "Multi Round-Trip Requests").
//!
//! A client can change and keep whatever it is sent. So the state is bound to the caller, the method, what was called and with
//! which arguments, and to a time; what does not fit is refused, also where the function would need nothing of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::{Principal, Seal, SealError, digest};
use serde_json::Value;

use crate::call::{Round, Unfit};
use crate::owner;
use crate::protocol::{Refusal, Retry, Target};

/// What a state is bound to.
pub(super) type Binding = [u8; 32];

#[derive(Debug)]
pub(crate) struct Rounds {
    seal: Seal,
    lifetime: Duration,
    /// How many bytes of answers and steps may travel.
    pub(super) limit: usize,
}

impl Rounds {
    pub(crate) fn new(seal: Seal, lifetime: Duration, limit: usize) -> Self {
        // Base64 of the answers and steps, with room for names and numbers.
        Self { seal: seal.up_to(limit.saturating_mul(2).saturating_add(16 * 1024)), lifetime, limit }
    }

    /// What a call's state is bound to.
    pub(super) fn binding(target: &Target<'_>, principal: Option<&Principal>) -> Binding {
        // Members may come in another order: it is the same object.
        let arguments = target.arguments().map(|text| match serde_json::from_str::<Value>(text) {
            Ok(value) => value.to_string(),
            Err(_) => text.to_owned(),
        });
        digest([
            owner::sealed(principal).as_slice(),
            target.method().as_bytes(),
            target.name().as_bytes(),
            arguments.as_deref().unwrap_or("{}").as_bytes(),
        ])
    }

    pub(super) fn seal(&self, binding: &Binding, carried: &str) -> Result<String, SealError> {
        let expires = now().saturating_add(self.lifetime.as_secs());
        self.seal.seal(&[binding.as_slice(), &expires.to_le_bytes(), carried.as_bytes()].concat())
    }

    /// The earlier rounds of a call, with what the client answers now.
    pub(super) fn resume(&self, retry: &Retry<'_>, binding: &Binding) -> Result<Round, Refusal> {
        const RULE: &str = "params.inputResponses must be an object: answers by the keys of inputRequests";
        let unfit = |Unfit| Refusal::params(RULE);
        let Some(state) = &retry.state else {
            // Without the state nobody knows what these are answers to. They count only where a question lets them.
            return Round::early(retry.responses).map_err(unfit);
        };
        let refused = |reason: &str| {
            tracing::info!(target: "mcp_runtime::server", reason, "a requestState was refused");
            Refusal::params(
                "requestState was refused: it was changed, has expired, or belongs to another call; begin anew without it",
            )
        };
        let opened = state.as_str().and_then(|state| self.seal.open(state)).ok_or_else(|| refused("it does not open"))?;
        let (bound, rest) = opened.statement.split_first_chunk::<32>().ok_or_else(|| refused("it is too short"))?;
        let (expires, carried) = rest.split_first_chunk::<8>().ok_or_else(|| refused("it is too short"))?;
        if bound != binding {
            return Err(refused("it belongs to another call or caller"));
        }
        if u64::from_le_bytes(*expires) <= now() {
            return Err(refused("it has expired"));
        }
        let carried = std::str::from_utf8(carried).map_err(|_| refused("it can not be read"))?;
        Round::resumed(carried, retry.responses).map_err(unfit)
    }
}

/// In seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

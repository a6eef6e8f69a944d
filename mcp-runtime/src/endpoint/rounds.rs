//! The state of a call that travels with its client between rounds, sealed (MCP 2026-07-28, "Multi Round-Trip Requests").
//!
//! A client can change and keep whatever it is sent. So the state is bound to the caller, the method, what was called and with
//! which arguments, and to a time; what does not fit is refused, also where the function would need nothing of it.

use std::borrow::Cow;
use std::time::Duration;

use mcp_auth::{Principal, Seal, SealError, digest};
use serde_json::Value;

use crate::call::{Round, Unfit};
use crate::clock::now;
use crate::owner;
use crate::protocol::{Refusal, Retry, Target};

/// What a state is bound to: the caller, the method, what was called and with which arguments.
///
/// Kept as it came, since most calls that may ask a question ask none, and need no digest.
#[derive(Debug)]
pub(super) struct Binding {
    principal: Option<Principal>,
    method: &'static str,
    name: Box<str>,
    arguments: Option<Box<str>>,
}

impl Binding {
    pub(super) fn of(target: &Target<'_>, principal: Option<&Principal>) -> Self {
        Self {
            principal: principal.cloned(),
            method: target.method(),
            name: target.name().into(),
            arguments: target.arguments().map(Box::from),
        }
    }

    fn digest(&self) -> [u8; 32] {
        // Members may come in another order: it is the same object.
        let arguments = self.arguments.as_deref().map(|text| match serde_json::from_str::<Value>(text) {
            Ok(value) if is_exact(&value) => Cow::Owned(value.to_string()),
            Ok(_) | Err(_) => Cow::Borrowed(text),
        });
        digest([
            owner::sealed(self.principal.as_ref()).as_slice(),
            self.method.as_bytes(),
            self.name.as_bytes(),
            arguments.as_deref().unwrap_or("{}").as_bytes(),
        ])
    }
}

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

    pub(super) fn seal(&self, binding: &Binding, carried: &str) -> Result<String, SealError> {
        let expires = now().saturating_add(self.lifetime.as_secs());
        self.seal.seal(&[binding.digest().as_slice(), &expires.to_le_bytes(), carried.as_bytes()].concat())
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
        if *bound != binding.digest() {
            return Err(refused("it belongs to another call or caller"));
        }
        if u64::from_le_bytes(*expires) <= now() {
            return Err(refused("it has expired"));
        }
        let carried = std::str::from_utf8(carried).map_err(|_| refused("it can not be read"))?;
        Round::resumed(carried, retry.responses).map_err(unfit)
    }
}

/// Does the value say all that its text said? Whole numbers beyond 64 bits become floats, and several of them the same.
fn is_exact(value: &Value) -> bool {
    /// 2 to the 63rd.
    const LARGE: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Number(number) => !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() < LARGE),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use mcp_auth::{KeyRing, Sealer};

    use super::*;
    use crate::protocol::Text;

    const HOUR: Duration = Duration::from_secs(3600);

    fn rounds(lifetime: Duration) -> Rounds {
        let keys = KeyRing::parse(["5e".repeat(32)]).expect("a key");
        Rounds::new(Sealer::new(keys, "https://mcp.example/mcp").purpose("request state"), lifetime, 1000)
    }

    fn binding(arguments: &str) -> Binding {
        Binding::of(&Target::Tool { name: "pay".into(), arguments: Some(arguments) }, None)
    }

    fn resume(rounds: &Rounds, state: &str) -> Result<Round, Refusal> {
        let retry = Retry { responses: None, state: Some(Text::Is(state.into())) };
        rounds.resume(&retry, &binding("{}"))
    }

    fn carried() -> String {
        serde_json::to_string(&Round::default()).expect("JSON")
    }

    #[test]
    fn a_state_ends_with_its_lifetime() {
        let (long, over) = (rounds(HOUR), rounds(Duration::ZERO));
        let state = long.seal(&binding("{}"), &carried()).expect("sealed");
        assert!(resume(&long, &state).is_ok());
        assert!(resume(&over, &state).is_ok(), "how long it lives was said when it was made");
        let state = over.seal(&binding("{}"), &carried()).expect("sealed");
        assert!(resume(&over, &state).is_err() && resume(&long, &state).is_err());
        let until = |second: u64| {
            let statement = [binding("{}").digest().as_slice(), &second.to_le_bytes(), carried().as_bytes()].concat();
            resume(&long, &long.seal.seal(&statement).expect("sealed"))
        };
        assert!(until(now() + 60).is_ok() && until(u64::MAX).is_ok());
        for second in [0, 1, now() - 1, now()] {
            let refusal = until(second).expect_err("it is over");
            assert!(refusal.message.starts_with("requestState was refused"), "{}", refusal.message);
        }
    }

    #[test]
    fn what_is_sealed_and_no_state_is_refused() {
        let rounds = rounds(HOUR);
        let expires = (now() + 60).to_le_bytes();
        let head = [binding("{}").digest().as_slice(), &expires].concat();
        for statement in [
            b"".as_slice(),
            &head[..31],
            &head[..39],
            &head,
            &[&head, b"{}".as_slice()].concat(),
            &[&head, b"\xff".as_slice()].concat(),
        ] {
            assert!(resume(&rounds, &rounds.seal.seal(statement).expect("sealed")).is_err(), "{statement:?}");
        }
    }

    #[test]
    fn as_much_as_may_travel_can_be_sealed() {
        let rounds = rounds(HOUR);
        let carried = "x".repeat(rounds.limit);
        let state = rounds.seal(&binding("{}"), &carried).expect("sealed");
        assert!(rounds.seal.open(&state).is_some());
    }

    #[test]
    fn a_call_is_bound_to_what_its_arguments_say() {
        for (one, other) in [("{}", " { } "), (r#"{"a":1,"b":[2]}"#, r#"{"b" : [2],"a":1}"#), (r#""\u0041""#, r#""A""#)] {
            assert_eq!(binding(one).digest(), binding(other).digest(), "{one} {other}");
        }
        for (one, other) in [
            ("{}", r#"{"a":null}"#),
            ("[1,2]", "[2,1]"),
            ("1", r#""1""#),
            ("18446744073709551616", "18446744073709551617"),
            (r#"{"a":[-9223372036854775809]}"#, r#"{"a":[-9223372036854775810]}"#),
            ("1e999", "2e999"),
        ] {
            assert_ne!(binding(one).digest(), binding(other).digest(), "{one} {other}");
        }
        // No two parts run together, and what is called counts.
        let digest = |target: Target<'_>| Binding::of(&target, None).digest();
        let of = |name: &'static str| digest(Target::Tool { name: name.into(), arguments: None });
        assert_ne!(of("pay"), of("pay{}"));
        let prompt = digest(Target::Prompt { name: "pay".into(), arguments: None });
        let resource = digest(Target::Resource { uri: "pay".into() });
        assert!(of("pay") != prompt && of("pay") != resource && prompt != resource);
        let ada = Binding::of(&Target::Tool { name: "pay".into(), arguments: None }, Some(&Principal::user("ada"))).digest();
        assert_ne!(of("pay"), ada);
    }
}

//! How often each caller may call.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http::StatusCode;
use mcp_auth::{Network, Peer, RateLimit, Rates};
use serde_json::json;

use super::{Endpoint, Head};
use crate::catalog::Common;
use crate::protocol::{Code, Refusal};

/// So many callers are remembered of each limit, known ones and networks of anonymous ones: in 3 MiB at most.
const MOST: usize = 16_384;

/// What callers did of late.
#[derive(Debug)]
pub(crate) struct CallRates {
    of_all: Option<Meter>,
    of_one: HashMap<Box<str>, Meter>,
}

/// One limit, and who used how much of it. Anonymous callers are kept apart: they can be made up, and would push the known ones
/// out of memory.
#[derive(Debug)]
struct Meter {
    known: Rates<[u8; 32]>,
    anonymous: Rates<Option<Network>>,
}

/// Whose calls are counted together.
enum Caller {
    Known([u8; 32]),
    /// By network; where that is not known, all are one.
    Anonymous(Option<Network>),
}

impl Caller {
    fn of(head: &Head) -> Self {
        match &head.principal {
            Some(principal) => Self::Known(principal.digest()),
            None => Self::Anonymous(head.extensions.get::<Peer>().map(|peer| peer.network())),
        }
    }
}

impl Meter {
    fn new(limit: RateLimit) -> Self {
        Self { known: Rates::new(limit, MOST), anonymous: Rates::new(limit, MOST) }
    }

    fn check(&self, caller: &Caller, now: Instant) -> Result<(), Duration> {
        match caller {
            Caller::Known(digest) => self.known.check(digest, now),
            Caller::Anonymous(network) => self.anonymous.check(network, now),
        }
    }

    fn take(&self, caller: &Caller, now: Instant) -> Result<(), Duration> {
        match caller {
            Caller::Known(digest) => self.known.take(digest, now),
            Caller::Anonymous(network) => self.anonymous.take(network, now),
        }
    }
}

impl CallRates {
    /// `None` where nothing is limited.
    pub(crate) fn new(of_all: Option<RateLimit>, of_one: &[(String, RateLimit)]) -> Option<Self> {
        if of_all.is_none() && of_one.is_empty() {
            return None;
        }
        let of_one = of_one.iter().map(|(name, limit)| (name.as_str().into(), Meter::new(*limit))).collect();
        Some(Self { of_all: of_all.map(Meter::new), of_one })
    }

    /// Counts one call; where it is one too many, nothing, and says of what.
    fn take(&self, item: Option<&Common>, head: &Head, now: Instant) -> Result<(), TooMany> {
        let one = item.and_then(|item| Some((item, self.of_one.get(item.key).or_else(|| self.of_one.get(item.name))?)));
        if one.is_none() && self.of_all.is_none() {
            return Ok(());
        }
        let caller = Caller::of(head);
        let of_one = |(item, _): (&Common, &Meter), wait| TooMany { of: Some(item.name), wait };
        if let Some(one) = one {
            one.1.check(&caller, now).map_err(|wait| of_one(one, wait))?;
        }
        if let Some(all) = &self.of_all {
            all.take(&caller, now).map_err(|wait| TooMany { of: None, wait })?;
        }
        if let Some(one) = one {
            one.1.take(&caller, now).map_err(|wait| of_one(one, wait))?;
        }
        Ok(())
    }
}

/// A call was one too many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    /// Of one item, by name, or of everything.
    of: Option<&'static str>,
    wait: Duration,
}

impl TooMany {
    /// Rounded up: who comes back then, does not come too early.
    fn seconds(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }

    pub(super) fn message(&self) -> String {
        let of = self.of.map(|name| format!(" of {name}")).unwrap_or_default();
        match self.seconds() {
            1 => format!("Too many calls{of}: try again in 1 second."),
            seconds => format!("Too many calls{of}: try again in {seconds} seconds."),
        }
    }
}

/// For what has no result that could say it. A client of a handshake revision reads it with status 200, like every error of a
/// method, and one over stdio has no status: so the message says when, and the data in a form for programs.
impl From<TooMany> for Refusal {
    fn from(too_many: TooMany) -> Self {
        let seconds = too_many.seconds();
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::InternalError, too_many.message())
            .data(json!({ "retryAfterSeconds": seconds }))
            .retry_after(seconds)
    }
}

impl Endpoint {
    /// Counts a call of this item, or one that is of no item.
    pub(super) fn count(&self, item: Option<&Common>, head: &Head) -> Result<(), TooMany> {
        let Some(rates) = &self.rates else { return Ok(()) };
        // The clock of timers, which tests can stop.
        rates.take(item, head, tokio::time::Instant::now().into_std()).inspect_err(|too_many| {
            tracing::debug!(target: "mcp_runtime::server", of = too_many.of, wait = ?too_many.wait, "too many calls");
        })
    }

    /// Is it of use to know where requests come from?
    pub(crate) fn tells_peers_apart(&self) -> bool {
        self.access.auth.is_some() || self.rates.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::Extensions;
    use mcp_auth::Principal;

    use super::*;
    use crate::call::Limits;
    use crate::catalog::Location;
    use crate::endpoint::Pipe;

    const SECOND: Duration = Duration::from_secs(1);

    fn head(principal: Option<Principal>, peer: Option<&str>) -> Head {
        let mut extensions = Extensions::new();
        if let Some(peer) = peer {
            let peer: IpAddr = peer.parse().expect("an address");
            extensions.insert(Peer((peer, 1).into()));
        }
        Head { extensions, ..Head::of_pipe(Pipe::default().into(), principal) }
    }

    fn known(subject: &str) -> Head {
        head(Some(Principal::user(subject)), Some("192.0.2.1"))
    }

    fn item(key: &'static str, name: &'static str) -> Common {
        let limits = Limits { timeout: SECOND, max_result_bytes: 1, heartbeat: None };
        let location = Location { file: "", line: 0, module: "" };
        Common {
            noun: "tool",
            key,
            name,
            scopes: &[],
            hidden: false,
            requires: &[],
            needs_principal: false,
            asks: false,
            limits,
            location,
        }
    }

    fn rates(of_all: Option<u32>, of_one: &[(&str, u32)]) -> CallRates {
        let of_one: Vec<_> = of_one.iter().map(|(name, limit)| ((*name).to_owned(), RateLimit::per_minute(*limit))).collect();
        CallRates::new(of_all.map(RateLimit::per_minute), &of_one).expect("a limit")
    }

    #[test]
    fn callers_are_told_apart_by_what_is_known_of_them() {
        let (rates, now) = (rates(Some(1), &[]), Instant::now());
        let callers = [
            known("alice"),
            head(Some(Principal::user("alice").issued_by("https://a.example")), None),
            known("bob"),
            head(None, Some("192.0.2.1")),
            head(None, Some("192.0.2.2")),
            head(None, Some("2001:db8::1")),
            head(None, Some("2001:db8:0:1::1")),
            head(None, None),
        ];
        for caller in &callers {
            assert_eq!(rates.take(None, caller, now), Ok(()));
        }
        let same = [head(Some(Principal::user("alice").scopes(["x"])), None), head(None, Some("2001:db8::2")), head(None, None)];
        for caller in callers.iter().chain(&same) {
            assert_eq!(rates.take(None, caller, now), Err(TooMany { of: None, wait: 60 * SECOND }));
        }
    }

    #[test]
    fn what_is_too_much_of_one_thing_counts_for_nothing() {
        let (rates, now, alice) = (rates(Some(3), &[("refund", 1), ("order", 1)]), Instant::now(), known("alice"));
        let (refund, order) = (item("refund", "refund"), item("orders://{id}", "order"));
        assert_eq!(rates.take(Some(&refund), &alice, now), Ok(()));
        for _ in 0..5 {
            assert_eq!(rates.take(Some(&refund), &alice, now), Err(TooMany { of: Some("refund"), wait: 60 * SECOND }));
        }
        assert_eq!([rates.take(None, &alice, now), rates.take(None, &alice, now)], [Ok(()), Ok(())]);
        for _ in 0..5 {
            assert_eq!(rates.take(Some(&order), &alice, now), Err(TooMany { of: None, wait: 20 * SECOND }));
        }
        assert_eq!(rates.take(Some(&order), &alice, now + 20 * SECOND), Ok(()), "it was not counted");
    }

    #[test]
    fn an_item_is_known_by_its_name_and_its_uri() {
        let (now, alice, order) = (Instant::now(), known("alice"), item("orders://{id}", "order"));
        for name in ["order", "orders://{id}"] {
            let rates = rates(None, &[(name, 1)]);
            assert_eq!(rates.take(Some(&order), &alice, now), Ok(()));
            assert!(rates.take(Some(&order), &alice, now).is_err());
            assert_eq!(rates.take(Some(&item("other", "other")), &alice, now), Ok(()));
            assert_eq!(rates.take(None, &alice, now), Ok(()));
        }
        assert!(CallRates::new(None, &[]).is_none());
    }

    #[test]
    fn anonymous_callers_push_no_known_one_out_of_memory() {
        let (rates, now) = (rates(Some(1), &[]), Instant::now());
        assert_eq!(rates.take(None, &known("alice"), now), Ok(()));
        for network in 0..2 * MOST {
            let address = std::net::Ipv6Addr::from_bits((network as u128) << 64);
            assert_eq!(rates.take(None, &head(None, Some(&address.to_string())), now), Ok(()), "a full table lets newcomers in");
        }
        assert!(rates.take(None, &known("alice"), now).is_err());
    }

    #[test]
    fn the_message_says_when() {
        let message = |of, millis| TooMany { of, wait: Duration::from_millis(millis) }.message();
        assert_eq!(message(Some("refund"), 11_001), "Too many calls of refund: try again in 12 seconds.");
        assert_eq!(message(None, 1), "Too many calls: try again in 1 second.");
        let refusal = Refusal::from(TooMany { of: None, wait: 2 * SECOND });
        assert_eq!((refusal.status.as_u16(), refusal.retry_after), (429, Some(2)));
        assert_eq!(refusal.in_era(crate::Era::V2025_11_25).status, StatusCode::OK);
    }
}

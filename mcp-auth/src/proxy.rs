//! Requests of trusted proxies and relays.
//!
//! The header means something only where an application enables it: not in the chain, it is not read. Its value is never
//! believed for being there.

mod assertion;
mod memory;
mod peers;
mod recheck;
mod relay;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderName;

use assertion::{Assertion, Proxies};
use peers::Peers;

use crate::resource::SET_IT;
use crate::{Authenticate, AuthenticateFuture, Place, Presented, Principal, Rejection, Resource, Scheme, Scopes};

pub use memory::{MemoryReplays, MemoryRevocations};
pub use recheck::{Caller, Recheck, RecheckFuture, Standing};
pub use relay::{RelayError, RelaySessions};
pub use store::{Issued, Replay, ReplayStore, RevocationStore, StoreError, StoreFuture};

/// The header of both forms.
const HEADER: HeaderName = HeaderName::from_static("x-mcp-proxy-session-token");

/// What a relay session begins with, and no assertion: a dot is not in the alphabet of its payload.
const RELAY: &str = "mcpr1.";

/// By how much clocks may differ.
const LEEWAY: Duration = Duration::from_secs(5);

/// When to ask again a store that could not tell.
const LATER: Duration = Duration::from_secs(5);

const LASTING: Duration = Duration::from_secs(5 * 60);
const MAX_LASTING: Duration = Duration::from_secs(24 * 60 * 60);

#[doc = include_str!("docs/proxy_token.md")]
pub struct ProxyToken {
    proxies: Proxies,
    peers: Peers,
    issuer: Option<Box<str>>,
    scopes: Scopes,
    user_check: Option<Arc<dyn Recheck>>,
    replays: Arc<dyn ReplayStore>,
    relay: Option<RelaySessions>,
    lasting: Duration,
}

impl ProxyToken {
    /// Takes assertions that these proxies sign, each known by its id and a key of at least 32 bytes, which nobody else has:
    /// not Django's `SECRET_KEY`. A proxy may have two keys, so that one can follow the other.
    #[must_use]
    pub fn keys<I: Into<Box<str>>, K: Into<Box<str>>>(keys: impl IntoIterator<Item = (I, K)>) -> Self {
        Self {
            proxies: Proxies::new(keys.into_iter().map(|(id, key)| (id.into(), key.into())).collect()),
            peers: Peers::default(),
            issuer: None,
            scopes: Scopes::none(),
            user_check: None,
            replays: Arc::new(MemoryReplays::new()),
            relay: None,
            lasting: LASTING,
        }
    }

    /// Takes relay sessions, and no assertions.
    #[must_use]
    pub fn relay_only(sessions: RelaySessions) -> Self {
        Self::keys([("", ""); 0]).relay(sessions)
    }

    /// The addresses that proxies speak from: `["10.0.0.0/8", "127.0.0.1"]`. An assertion from elsewhere is refused, and so is
    /// one where the server does not say who is at the other end.
    ///
    /// It is the address of the connection that counts, never one of a header such as `X-Forwarded-For`. So behind nginx on
    /// this machine every request comes from `127.0.0.1`, whoever sent it, and the list keeps nobody out; there, nginx must
    /// take the header out of what comes from outside (`proxy_set_header X-Mcp-Proxy-Session-Token "";`), and the signature is
    /// what holds if it does not.
    #[must_use]
    pub fn peers<P: AsRef<str>>(mut self, peers: impl IntoIterator<Item = P>) -> Self {
        peers.into_iter().for_each(|peer| self.peers.add(peer.as_ref()));
        self
    }

    /// Takes assertions from wherever they come. What is given up: a key that leaks can then be used from anywhere in the world
    /// at once, and not only from the proxies' network.
    #[must_use]
    pub fn any_peer(mut self) -> Self {
        self.peers.allow_any();
        self
    }

    /// Who vouches for the subjects of assertions. With the issuer that another authenticator gives its callers, a user of the
    /// proxy is the same person as there. Without, one is the same person as every caller of that subject who has no issuer
    /// either: by default, those of [`StaticTokens`](crate::StaticTokens), [`ApiKeys`](crate::ApiKeys) and
    /// [`TowerSession`](crate::TowerSession) have none.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<Box<str>>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// What callers may do who come by an assertion. Without, they have no scope.
    #[must_use]
    pub fn scopes<S: Into<Box<str>>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: scopes.into_iter().collect(), ..self }
    }

    /// Asks with every assertion whether its user is active. Without, the proxy alone answers for that: a user who was
    /// deactivated is let in for as long as it signs for them.
    #[must_use]
    pub fn user_check(self, check: impl Recheck) -> Self {
        Self { user_check: Some(Arc::new(check)), ..self }
    }

    /// Where the use of assertions is remembered, instead of in memory.
    #[must_use]
    pub fn replay_store(self, store: impl ReplayStore) -> Self {
        Self { replays: Arc::new(store), ..self }
    }

    /// Takes relay sessions as well.
    #[must_use]
    pub fn relay(self, sessions: RelaySessions) -> Self {
        Self { relay: Some(sessions), ..self }
    }

    /// How long that may last which a request begins, streams above all: 5 minutes, unless this says otherwise. A request
    /// itself is judged when it comes.
    #[must_use]
    pub fn lasting(self, lasting: Duration) -> Self {
        Self { lasting, ..self }
    }

    async fn asserted(&self, presented: Presented<'_>) -> Result<Principal, Rejection> {
        if self.proxies.is_unsaid() {
            return Err(Rejection::invalid_token("assertions_are_off"));
        }
        match presented.peer() {
            _ if self.peers.is_any() => {}
            None => return Err(Rejection::invalid_token("assertion_of_an_unknown_peer")),
            Some(peer) if !self.peers.contains(peer.ip()) => {
                return Err(Rejection::invalid_token("assertion_of_another_peer").detail(peer.ip().to_string()));
            }
            Some(_) => {}
        }
        let now = presented.now();
        let assertion = self.proxies.verify(presented.credential(), presented.resource(), now)?;
        self.use_up(&assertion, now).await?;
        let principal = self.principal(&assertion, now);
        if let Some(check) = &self.user_check {
            let caller = Caller { principal, kept: http::HeaderMap::new(), now };
            return match check.recheck(&caller).await {
                Ok(Standing::Good) => Ok(caller.principal),
                Ok(Standing::Gone) => Err(Rejection::invalid_token("user_inactive").detail(assertion.subject)),
                Err(error) => Err(Rejection::unavailable("user_check", LATER).detail(error.to_string())),
            };
        }
        Ok(principal)
    }

    async fn use_up(&self, assertion: &Assertion<'_>, now: SystemTime) -> Result<(), Rejection> {
        let rejection = match self.replays.insert(assertion.issued, now).await {
            Ok(Replay::Fresh) => return Ok(()),
            Ok(Replay::Seen) => Rejection::invalid_token("assertion_used_before"),
            Ok(Replay::Older) => Rejection::invalid_token("assertion_older_than_the_store"),
            Ok(Replay::Unknown) => Rejection::unavailable("replay_store_just_begun", LATER),
            Ok(Replay::Full) => Rejection::unavailable("replay_store_full", LATER),
            Err(error) => return Err(Rejection::unavailable("replay_store", LATER).detail(error.to_string())),
        };
        Err(rejection.detail(assertion.proxy))
    }

    fn principal(&self, assertion: &Assertion<'_>, now: SystemTime) -> Principal {
        let mut principal = Principal::user(assertion.subject.clone())
            .via_client(assertion.proxy)
            .scopes(self.scopes.iter())
            .authenticated_by(Scheme::Proxy)
            .for_one_request(self.lasting.min(MAX_LASTING));
        if let Some(issuer) = &self.issuer {
            principal = principal.issued_by(issuer.clone());
        }
        if let Some(digest) = assertion.body {
            principal = principal.with_body_digest(digest);
        }
        self.limited(principal, now)
    }

    /// With an end to what this request begins.
    fn limited(&self, principal: Principal, now: SystemTime) -> Principal {
        let end = now.checked_add(self.lasting.min(MAX_LASTING)).unwrap_or(now);
        let end = principal.expires_at().map_or(end, |expires_at| expires_at.min(end));
        principal.valid_until(end)
    }

    async fn decide(&self, presented: Presented<'_>) -> Result<Principal, Rejection> {
        match (presented.credential().strip_prefix(RELAY), &self.relay) {
            (None, _) => self.asserted(presented).await,
            (Some(_), None) => Err(Rejection::invalid_token("relay_sessions_are_off")),
            (Some(sealed), Some(sessions)) => {
                let principal = sessions.open(sealed, presented.now()).await?;
                Ok(self.limited(principal, presented.now()))
            }
        }
    }
}

impl Authenticate for ProxyToken {
    fn places(&self) -> Vec<Place> {
        vec![Place::Header(HEADER)]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move { self.decide(presented).await.into() })
    }

    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let mut problems: Vec<_> = self.proxies.problems().chain(self.peers.problems()).collect();
        if !self.proxies.is_unsaid() {
            if self.peers.is_unsaid() {
                problems.push(
                    "no assertion of a proxy is accepted, since none may come from anywhere: list the proxies' addresses with `.peers([\"10.0.0.0/8\"])`, or say `.any_peer()`"
                        .to_owned(),
                );
            }
            if resource.is_none() {
                problems.push(format!("assertions of proxies say whom they are for, which is not known: {SET_IT}"));
            }
        } else if self.relay.is_none() {
            problems.push("ProxyToken has no key: give one with `ProxyToken::keys([(\"proxy-1\", key)])`".to_owned());
        }
        if !(Duration::from_secs(1)..=MAX_LASTING).contains(&self.lasting) {
            problems.push(format!("`.lasting({:?})` is out of range: 1 second to 24 hours are allowed", self.lasting));
        }
        problems.extend(self.relay.iter().flat_map(|sessions| sessions.problems(resource)));
        problems
    }
}

/// Keys are secrets.
impl fmt::Debug for ProxyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyToken")
            .field("proxies", &self.proxies.len())
            .field("peers", &self.peers)
            .field("issuer", &self.issuer)
            .field("scopes", &self.scopes)
            .field("relay", &self.relay)
            .field("lasting", &self.lasting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    /// What the documentation shows is what is run.
    #[test]
    fn the_programs_that_sign_are_those_of_the_documentation() {
        let documentation = include_str!("docs/proxy_token.md");
        let python = include_str!("../../examples/mint/assertion.py");
        let node = include_str!("../../examples/mint/assertion.mjs");
        for (program, fence) in [(python, "```python\nDIGITS"), (node, "```js\n")] {
            let at = documentation.find(fence).expect("a program");
            let shown = &documentation[at..].split_once('\n').expect("a program").1;
            let shown = &shown[..shown.find("```").expect("its end")];
            assert!(shown.contains("base62") && program.contains(shown), "{fence}");
        }
    }
}

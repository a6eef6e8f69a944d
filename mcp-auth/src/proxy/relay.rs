//! What a person lets a relay be for an hour.

mod checked;
mod endpoint;
mod grant;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};

use checked::Checked;
use grant::Grant;

use super::memory::MemoryRevocations;
use super::recheck::{Caller, Recheck, Standing};
use super::store::{Issued, RevocationStore, StoreError};
use super::{LATER, LEEWAY, RELAY};
use crate::cookie::cookie;
use crate::digest::digest;
use crate::{Auth, Decision, KeyRing, Principal, Rejection, RejectionKind, Resource, Scheme, Scopes, Seal, SealError, Sealer};

/// The scope that a caller needs to ask for a relay session by anything but an interactive session.
pub(super) const RELAY_SCOPE: &str = "mcp:relay";

const LIFETIME: Duration = Duration::from_secs(60 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Relay sessions: `mcpr1.` and a sealed text, which a person enters as the custom header `x-mcp-proxy-session-token` of a
/// relay, the MCP Inspector for one, so that it acts for them.
///
/// A logged-in person obtains one from an endpoint, [`respond`](Self::respond), which an application mounts where it likes. It
/// has at most their scopes and none of their claims, lasts an hour and never longer than the credential that it was asked for
/// with, and is for one server. It opens no other door: it is no cursor, no session id, and asks for no further relay session.
/// It ends when it is [revoked](Self::revoke), and within 30 seconds of the user's log-out or deactivation, if who knows of
/// that is [asked](Self::recheck_with).
///
/// ```
/// use mcp_auth::{Auth, KeyRing, Principal, ProxyToken, RelaySessions, Resource, StaticTokens};
///
/// let resource = Resource::new("https://mcp.example.com/mcp").ok_or("no URL")?;
/// let people = Auth::chain().with(StaticTokens::new().token(
///     "9f2c61d8a7e04b3f8d15",
///     Principal::user("alice").scopes(["mcp:relay", "notes"]),
/// ));
/// let relay = RelaySessions::new(KeyRing::ephemeral()?, resource.clone()).recheck_with(people.clone());
/// let auth = people.with(ProxyToken::relay_only(relay.clone())).protecting(resource);
/// assert!(auth.problems().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cheap to clone; clones are one.
#[derive(Clone)]
pub struct RelaySessions {
    seal: Seal,
    resource: Resource,
    lifetime: Duration,
    at_most: Option<Scopes>,
    cookies: Vec<Box<str>>,
    revocations: Arc<dyn RevocationStore>,
    rechecking: Rechecking,
    checked: Arc<Mutex<Checked>>,
}

#[derive(Clone)]
enum Rechecking {
    Unsaid,
    Never,
    By(Arc<dyn Recheck>),
    Chain(Auth),
}

impl RelaySessions {
    /// Relay sessions for this server, sealed with these keys.
    #[must_use]
    pub fn new(keys: KeyRing, resource: Resource) -> Self {
        Self {
            seal: Sealer::new(keys, resource.uri()).purpose("relay session"),
            resource,
            lifetime: LIFETIME,
            at_most: None,
            cookies: Vec::new(),
            revocations: Arc::new(MemoryRevocations::new()),
            rechecking: Rechecking::Unsaid,
            checked: Arc::default(),
        }
    }

    /// How long they last, at most: an hour, unless this says otherwise.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// With these scopes at most, of those that the caller has.
    #[must_use]
    pub fn at_most<S: Into<Box<str>>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { at_most: Some(scopes.into_iter().collect()), ..self }
    }

    /// Asks, at least every 30 seconds, whether the user is active and their session not over. An answer counts for 30 seconds
    /// at this instance.
    #[must_use]
    pub fn recheck(self, recheck: impl Recheck) -> Self {
        Self { rechecking: Rechecking::By(Arc::new(recheck)), ..self }
    }

    /// Keeps this cookie of the request that asks, sealed, for [`recheck`](Self::recheck) to know the session by:
    /// [`Caller::cookie`]. A caller of an interactive session without it is given none.
    #[must_use]
    pub fn session_cookie(mut self, name: impl Into<Box<str>>) -> Self {
        self.cookies.push(name.into());
        self
    }

    /// Asks the authenticators themselves: the credential of the request that asks is kept, sealed, and each time the relay
    /// comes it must still be one of the same caller. Authenticators know to whom they need to speak for that, and remember
    /// answers for as long as they do otherwise; so nothing is remembered beside them. Theirs are those that read
    /// `Authorization`, a header or a cookie; for one that looks at something else, [`recheck`](Self::recheck) is needed.
    #[must_use]
    pub fn recheck_with(self, auth: Auth) -> Self {
        Self { rechecking: Rechecking::Chain(auth.protecting(self.resource.clone())), ..self }
    }

    /// Asks nobody. What is given up: a relay session then outlives log-out, deactivation and a change of password, by as much
    /// as an hour.
    #[must_use]
    pub fn without_recheck(self) -> Self {
        Self { rechecking: Rechecking::Never, ..self }
    }

    /// Where revocations are remembered, instead of in memory.
    #[must_use]
    pub fn revocation_store(self, store: impl RevocationStore) -> Self {
        Self { revocations: Arc::new(store), ..self }
    }

    /// Issues one for this caller, of whose request nothing is kept.
    ///
    /// # Errors
    /// The caller may not have one, or what is to be asked later needs to know the request: see
    /// [`issue_from`](Self::issue_from).
    pub fn issue(&self, caller: &Principal, now: SystemTime) -> Result<String, RelayError> {
        self.grant(caller, HeaderMap::new(), now)?.seal(&self.seal)
    }

    /// Issues one for the caller of this request, which is decided.
    ///
    /// # Errors
    /// The caller may not have one.
    pub fn issue_from(&self, head: &Parts, caller: &Principal, now: SystemTime) -> Result<String, RelayError> {
        self.sealed(head, caller, now).map(|(token, _)| token)
    }

    /// With its end.
    fn sealed(&self, head: &Parts, caller: &Principal, now: SystemTime) -> Result<(String, SystemTime), RelayError> {
        let grant = self.grant(caller, self.keep(head)?, now)?;
        Ok((grant.seal(&self.seal)?, grant.until))
    }

    /// Revokes one. A text that is none, or none of this server, or has ended, needs no revoking: that is no error.
    ///
    /// # Errors
    /// The store does not answer, or has no room: the session still counts.
    pub async fn revoke(&self, token: &str, now: SystemTime) -> Result<(), StoreError> {
        match token.strip_prefix(RELAY).and_then(|sealed| self.read(sealed)) {
            Some((grant, issued)) if now < grant.until => self.revocations.revoke(issued, now).await,
            _ => Ok(()),
        }
    }

    fn grant(&self, caller: &Principal, kept: HeaderMap, now: SystemTime) -> Result<Grant, RelayError> {
        let may_ask = match caller.scheme() {
            Scheme::Proxy => return Err(RelayError::Relayed),
            Scheme::Session => true,
            _ => caller.granted().grants(RELAY_SCOPE),
        };
        if !may_ask {
            return Err(RelayError::Scope);
        }
        let is_session = caller.scheme() == Scheme::Session;
        let lacks = match self.rechecking {
            Rechecking::Unsaid => true,
            Rechecking::Chain(_) => kept.is_empty(),
            Rechecking::Never | Rechecking::By(_) => is_session && kept.is_empty() && !self.cookies.is_empty(),
        };
        if lacks {
            return Err(RelayError::Unchecked);
        }
        let until = now.checked_add(self.lifetime.min(MAX_LIFETIME)).unwrap_or(now);
        let until = caller.expires_at().map_or(until, |end| end.min(until));
        if until <= now {
            return Err(RelayError::Ended);
        }
        let scopes = match &self.at_most {
            None => caller.granted().iter().map(Into::into).collect(),
            Some(most) => both(caller.granted(), most),
        };
        Ok(Grant::new(caller, scopes, now, until, kept))
    }

    /// What of a request tells later whether its caller is still good.
    fn keep(&self, head: &Parts) -> Result<HeaderMap, RelayError> {
        let mut kept = HeaderMap::new();
        if let Rechecking::Chain(auth) = &self.rechecking {
            for name in std::iter::once(&AUTHORIZATION).chain(auth.headers()) {
                let mut values = head.headers.get_all(name).iter();
                match (values.next(), values.next()) {
                    (None, _) => {}
                    (Some(value), None) => drop(kept.insert(name, value.clone())),
                    (Some(_), Some(_)) => return Err(RelayError::Unchecked),
                }
            }
            // Cookies are not read beside what is sent on purpose.
            if !kept.is_empty() {
                return Ok(kept);
            }
        }
        let named = match &self.rechecking {
            Rechecking::Chain(auth) => auth.cookies().collect::<Vec<_>>(),
            _ => self.cookies.iter().map(|name| &**name).collect(),
        };
        let mut cookies = Vec::new();
        for name in named {
            let value = cookie(&head.headers, name).map_err(|_| RelayError::Unchecked)?;
            cookies.extend(value.map(|value| format!("{name}={value}")));
        }
        if !cookies.is_empty() {
            let cookies = HeaderValue::from_str(&cookies.join("; ")).map_err(|_| RelayError::Unchecked)?;
            kept.insert(COOKIE, cookies);
        }
        Ok(kept)
    }

    fn read(&self, sealed: &str) -> Option<(Grant, Issued)> {
        let opened = self.seal.open(sealed)?;
        let grant = Grant::read(&opened.statement)?;
        let issued = Issued { id: digest([b"relay session".as_slice(), &opened.id]), at: grant.at, until: grant.until };
        Some((grant, issued))
    }

    /// For whom the relay acts that presents this.
    pub(super) async fn open(&self, sealed: &str, now: SystemTime) -> Result<Principal, Rejection> {
        let (grant, issued) = self.read(sealed).ok_or_else(|| Rejection::invalid_token("relay_session_unreadable"))?;
        let refuse = |reason| Rejection::invalid_token(reason).detail(grant.subject());
        if grant.until <= now {
            return Err(refuse("relay_session_expired"));
        }
        if grant.at.duration_since(now).is_ok_and(|ahead| ahead > LEEWAY) {
            return Err(refuse("relay_session_from_the_future"));
        }
        match self.revocations.is_revoked(issued, now).await {
            Ok(false) => {}
            Ok(true) => return Err(refuse("relay_session_revoked")),
            Err(error) => return Err(Rejection::unavailable("revocation_store", LATER).detail(error.to_string())),
        }
        let caller = Caller { principal: grant.principal(), kept: grant.kept, now };
        let over = || Rejection::invalid_token("relay_session_over").detail(caller.principal.subject());
        let standing = match &self.rechecking {
            Rechecking::Unsaid => Standing::Gone,
            Rechecking::Never => Standing::Good,
            Rechecking::Chain(auth) => return again(auth, &caller).await?.ok_or_else(over),
            Rechecking::By(recheck) => self.standing(&**recheck, issued.id, &caller).await?,
        };
        if standing == Standing::Good { Ok(caller.principal) } else { Err(over()) }
    }

    async fn standing(&self, recheck: &dyn Recheck, id: [u8; 32], caller: &Caller) -> Result<Standing, Rejection> {
        if self.checked().is_good(&id, caller.now) {
            return Ok(Standing::Good);
        }
        // The answer is as old as the question.
        let standing = recheck.recheck(caller).await;
        if standing == Ok(Standing::Good) {
            self.checked().add(id, caller.now);
        }
        standing.map_err(|error| Rejection::unavailable("recheck", LATER).detail(error.to_string()))
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, Checked> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(resource) = resource.filter(|resource| resource.uri() != self.resource.uri()) {
            let (theirs, ours) = (self.resource.uri(), resource.uri());
            problems.push(format!("the relay sessions are for `{theirs}`, and the server is `{ours}`: give both one URL"));
        }
        if !(Duration::from_secs(60)..=MAX_LIFETIME).contains(&self.lifetime) {
            problems.push(format!(
                "`.lifetime({:?})` of relay sessions is out of range: 1 minute to 24 hours are allowed",
                self.lifetime
            ));
        }
        match &self.rechecking {
            Rechecking::Unsaid => problems.push(
                "relay sessions would outlive log-out and deactivation: give `.recheck_with(auth)` or `.recheck(..)`, or say `.without_recheck()`"
                    .to_owned(),
            ),
            Rechecking::Chain(auth) => problems.extend(auth.problems()),
            Rechecking::Never | Rechecking::By(_) => {}
        }
        problems
    }
}

/// The caller, if the credential that was kept is still one of theirs, with the scopes that they still have.
async fn again(auth: &Auth, caller: &Caller) -> Result<Option<Principal>, Rejection> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers.clone_from(&caller.kept);
    match auth.decide_at(&head, caller.now).await {
        Decision::Accepted(found) if found == caller.principal => {
            let scopes = both(caller.principal.granted(), found.granted());
            Ok(Some(caller.principal.clone().scopes(scopes)))
        }
        Decision::Rejected(rejection) if rejection.kind() == RejectionKind::Unavailable => Err(rejection),
        _ => Ok(None),
    }
}

/// What is granted by each of two sets.
fn both(one: &Scopes, other: &Scopes) -> Vec<Box<str>> {
    let below = |these: &Scopes, those: &Scopes| -> Vec<Box<str>> {
        these.iter().filter(|scope| those.grants(scope)).map(Into::into).collect()
    };
    [below(one, other), below(other, one)].concat()
}

/// What is sealed is a secret.
impl fmt::Debug for RelaySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelaySessions")
            .field("resource", &self.resource)
            .field("lifetime", &self.lifetime)
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}

/// Why no relay session was issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The caller came by a proxy or a relay.
    #[error("a relay session is for who comes in person, not through a proxy or relay")]
    Relayed,
    /// The caller has no interactive session, and a credential without the scope.
    #[error("without an interactive session, the scope `mcp:relay` is needed")]
    Scope,
    /// What the caller asked with has ended.
    #[error("the credential has ended")]
    Ended,
    /// Nothing of the request tells later whether its caller is still good.
    #[error("nothing of this request tells later whether its caller is still logged in")]
    Unchecked,
    /// The caller's names, scopes and credential are too long for a header.
    #[error("what is known of the caller is too long for a relay session")]
    TooLong,
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

//! Tokens that only their authorization server can read: it is asked (RFC 7662).

mod answer;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use self::answer::Rules;
use super::{Active, foreign_audience, is_jwt, says_issuer};
use crate::authority::{Answer, Credentials, Failure, Lookups, url_problem};
use crate::resource::SET_IT;
use crate::{Authenticate, AuthenticateFuture, Fetch, Look, Place, Presented, Principal, Rejection, Resource, Unbound, fetch};

/// The longest token that a server is asked about, in bytes.
pub(super) const MAX_TOKEN: usize = 8 << 10;

/// Asks the authorization server about every token: Django OAuth Toolkit, Keycloak, Ory Hydra and others answer so.
///
/// ```
/// use mcp_auth::{Auth, Introspection, Resource};
///
/// let auth = Auth::chain()
///     .protecting(Resource::new("https://mcp.example.com/mcp").expect("a URL"))
///     .with(
///         Introspection::at("https://www.example.com/o/introspect/")
///             .issuer("https://www.example.com/o")
///             .client_credentials("https://www.example.com/o/token/", "mcp-server", "its secret", "introspection")
///             .subject_from_username(),
///     );
/// # #[cfg(feature = "fetch")]
/// assert!(auth.problems().is_empty());
/// ```
///
/// An answer counts where its `active` is `true`, its `exp` and `nbf` hold, its `aud` names the protected resource, it has a
/// subject, and nothing in it says that this is another kind of token than an access token, or one bound to a key. A member that
/// is not what RFC 7662 says makes the token invalid. Whatever else the server answers says nothing about the token: the request
/// gets HTTP 503, and the server is asked again after a second.
///
/// | limit | |
/// |---|---|
/// | a token is good without asking again | 30 seconds, and at most until `exp`: a revoked token counts for so long |
/// | a token is not good without asking again | 2 seconds |
/// | tokens of which the answer is kept | 10,000 |
/// | questions at once | 64, and one about each token |
/// | length of a token, and of an answer | 8 KiB, 64 KiB |
pub struct Introspection {
    url: Box<str>,
    credentials: Credentials,
    rules: Rules,
    audiences: Vec<Box<str>>,
    audience_by_prefix: bool,
    unbound: Unbound,
    jwts_of: Vec<Box<str>>,
    fetch: Arc<dyn Fetch>,
    lookups: Lookups<Active>,
}

impl Introspection {
    /// By the introspection endpoint at this URL. It must be the exact one, with its slash at the end where it has one: no
    /// redirect is followed.
    #[must_use]
    pub fn at(url: impl Into<Box<str>>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::Missing,
            rules: Rules::default(),
            audiences: Vec::new(),
            audience_by_prefix: false,
            unbound: Unbound::Deny,
            jwts_of: Vec::new(),
            fetch: fetch::shared(),
            lookups: Lookups::default(),
        }
    }

    /// Asks with this bearer token, which does not change.
    #[must_use]
    pub fn bearer(self, token: impl Into<Box<str>>) -> Self {
        Self { credentials: Credentials::Bearer(token.into()), ..self }
    }

    /// Asks with this client's id and secret (RFC 6749 section 2.3.1). A server that stores secrets well takes its time to check
    /// one, with every question: Django OAuth Toolkit some 0.3 seconds.
    #[must_use]
    pub fn basic(self, id: impl Into<Box<str>>, secret: impl Into<Box<str>>) -> Self {
        Self { credentials: Credentials::Basic { id: id.into(), secret: secret.into() }, ..self }
    }

    /// Asks with a token that this client gets for itself at the token endpoint (RFC 6749 section 4.4), with this scope, once
    /// an hour: `introspection` for Django OAuth Toolkit. An empty scope is not asked for.
    #[must_use]
    pub fn client_credentials(
        self,
        token_url: impl Into<Box<str>>,
        id: impl Into<Box<str>>,
        secret: impl Into<Box<str>>,
        scope: impl Into<Box<str>>,
    ) -> Self {
        Self { credentials: Credentials::own(token_url.into(), id.into(), secret.into(), scope.into()), ..self }
    }

    /// Whose tokens these are, by issuer identifier: callers are theirs, clients are sent there, and an `iss` in an answer must
    /// be it.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.rules.issuer = issuer.into();
        self
    }

    /// Takes no answer without an `iss`, for a server that gives one.
    #[must_use]
    pub fn require_issuer(mut self) -> Self {
        self.rules.require_issuer = true;
        self
    }

    /// Another name of this server, exactly as tokens have it in `aud`, for servers that do not issue tokens for a URL. With it
    /// the URL of the protected resource is none any more. May be given several times.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Takes tokens for what the protected resource is a part of by its path, too: `https://www.example.com` for
    /// `https://www.example.com/mcp`, as Django OAuth Toolkit does.
    #[must_use]
    pub fn audience_by_prefix(self) -> Self {
        Self { audience_by_prefix: true, ..self }
    }

    /// What becomes of tokens without an audience. [Refused](Unbound::Deny), unless this says otherwise.
    #[must_use]
    pub fn unbound_tokens(self, unbound: Unbound) -> Self {
        Self { unbound, ..self }
    }

    /// Takes `username` as subject where an answer has no `sub`, as Django OAuth Toolkit's have none. User names must be lasting
    /// for that: who gets a name that was another's is that other.
    #[must_use]
    pub fn subject_from_username(mut self) -> Self {
        self.rules.subject_from_username = true;
        self
    }

    /// Takes tokens that stand for no user, but for a client itself, as `client:` and its `client_id`.
    #[must_use]
    pub fn subject_from_client(mut self) -> Self {
        self.rules.subject_from_client = true;
        self
    }

    /// Asks about JWTs too whose `iss` is this, which is believed for that purpose only. Other JWTs are never sent anywhere.
    #[must_use]
    pub fn jwts_of(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.jwts_of.push(issuer.into());
        self
    }

    /// Asks through this client: one with other permissions, or a test's. Without the feature `fetch` there must be one.
    #[must_use]
    pub fn fetching_with(self, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), ..self }
    }

    async fn judge(&self, presented: Presented<'_>) -> Result<Principal, Rejection> {
        let (token, now) = (presented.credential(), presented.now());
        if token.len() > MAX_TOKEN {
            return Err(Rejection::invalid_token("too_long"));
        }
        let answer = self.lookups.look_up(presented, self.question(token, now)).await?;
        let active = answer.as_ref().as_ref().map_err(Rejection::clone)?;
        self.check_audience(active, presented.resource())?;
        Ok(active.principal.clone())
    }

    fn check_audience(&self, active: &Active, resource: Option<&Resource>) -> Result<(), Rejection> {
        let is_ours = |audience: &str| match resource {
            _ if !self.audiences.is_empty() => self.audiences.iter().any(|ours| **ours == *audience),
            Some(ours) if self.audience_by_prefix => ours.is_within(audience),
            Some(ours) => ours.is_named_by(audience),
            None => false,
        };
        if active.audiences.is_empty() {
            let is_allowed = self.unbound.allows(active.principal.client());
            return if is_allowed { Ok(()) } else { Err(Rejection::invalid_token("no_audience")) };
        }
        let mut named = active.audiences.iter().map(AsRef::as_ref);
        if named.clone().any(is_ours) { Ok(()) } else { Err(foreign_audience(&mut named, &self.audiences, resource)) }
    }

    async fn question(&self, token: &str, now: SystemTime) -> Result<Answer<Active>, Failure> {
        let answer = self.credentials.post(&*self.fetch, &self.url, &[("token", token)], now).await?;
        answer::read(answer, &self.rules, now)
    }
}

impl Authenticate for Introspection {
    fn places(&self) -> Vec<Place> {
        if self.jwts_of.is_empty() { vec![Place::AnyBearer] } else { vec![Place::Bearer, Place::AnyBearer] }
    }

    fn owns(&self, token: Presented<'_>) -> bool {
        let token = token.credential();
        token.len() <= MAX_TOKEN && is_jwt(token) && self.jwts_of.iter().any(|issuer| says_issuer(token, issuer))
    }

    fn looks(&self) -> Vec<Look> {
        self.jwts_of.iter().cloned().map(Look::Issuer).collect()
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move { self.judge(presented).await.into() })
    }

    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let mut problems: Vec<_> = url_problem(&*self.fetch, &self.url).into_iter().collect();
        problems.extend(self.credentials.problems(&*self.fetch));
        if matches!(self.credentials, Credentials::Missing) {
            let add = "add `.client_credentials(..)`, `.bearer(..)` or `.basic(..)`, as the server demands";
            problems.push(format!("has no credentials: {add}"));
        }
        if self.rules.issuer.is_empty() {
            problems.push("does not say whose tokens these are: add `.issuer(..)`".to_owned());
        }
        if self.audiences.is_empty() && resource.is_none() {
            problems.push(format!("does not know for whom tokens must be: add `.audience(..)`, or {SET_IT}"));
        }
        if self.unbound == Unbound::AllowClients(Vec::new()) {
            problems.push("allows unbound tokens of no client: name one, or leave `.unbound_tokens(..)` out".to_owned());
        }
        problems.into_iter().map(|problem| format!("introspection at `{}`: {problem}", self.url)).collect()
    }

    fn issuers(&self) -> Vec<String> {
        vec![self.rules.issuer.to_string()]
    }
}

/// Its credentials are secrets.
impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("url", &self.url)
            .field("issuer", &self.rules.issuer)
            .field("audiences", &self.audiences)
            .field("unbound", &self.unbound)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

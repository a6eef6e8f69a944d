//! Access tokens that an authorization server signed (JWT, RFC 9068): verified here, with its public keys.
//!
//! What a token says is checked first, and its signature last: a token that could not count anyway causes no fetch. A checked
//! token is remembered for minutes, so that a busy client costs one signature check.

mod discovery;
mod key_set;
mod keys;
mod policy;
mod presets;
mod seen;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::discovery::Source;
use self::key_set::{ALGORITHMS, NoKey, algorithm};
use self::keys::{Held, Keys};
use self::policy::{ACCESS_TOKEN, ID_TOKEN, Marks, Own, Policy, media_type};
use self::seen::{Occasion, Seen};
use self::token::{MAX_BYTES, Token};
use super::{is_jwt, says_issuer};
use crate::fetch::metadata::{origin, urls};
use crate::resource::SET_IT;
use crate::{Authenticate, AuthenticateFuture, Fetch, Look, Place, Presented, Principal, Rejection, Resource, fetch};

const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);

/// Access tokens of one authorization server, as signed JWTs.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use mcp_auth::{Auth, Jwt};
/// # let client = mcp_auth::testing::Authority::new();
///
/// let auth = Auth::chain().with(
///     Jwt::issuer("https://auth.example.com").audience("https://mcp.example.com/mcp").fetching_with(client),
/// );
/// assert!(auth.problems().is_empty());
/// # }
/// ```
///
/// Without further words a token counts only if it is an access token by its `typ` (RFC 9068), its `aud` names the server's
/// public URL, its `iss` is exactly this issuer, and it has a `sub` and an `exp`. Servers that do not follow RFC 9068 have
/// presets: [`entra`](Self::entra), [`okta`](Self::okta), [`auth0`](Self::auth0), [`keycloak`](Self::keycloak), and
/// [`cognito`](Self::cognito).
///
/// The caller is the `sub`, with the scopes of `scope` or `scp`, the client of `client_id` or `azp`, and all claims. Where a
/// client acts for itself (the client credentials grant of RFC 6749), [`Principal::subject`] is [`Principal::client`].
///
/// The keys are found through the server's metadata (RFC 8414, or OIDC Discovery) within 12 seconds, and kept for at most 15
/// minutes. A token of an unknown key makes it look again, once a minute at most. While the server does not answer, the last
/// keys count for up to a day; then requests are answered with 503, never with "invalid token".
///
/// A JWT can not be revoked before it expires: let the server issue them for minutes.
pub struct Jwt {
    source: Source,
    policy: Policy,
    /// Does the issuer leave out `aud`, so that `clients` must be given?
    needs_clients: bool,
    mistakes: Vec<String>,
    keys: Keys,
    seen: Seen,
}

impl Jwt {
    /// Tokens of this issuer: its identifier, as it stands in `iss` and in the metadata, character by character.
    #[must_use]
    pub fn issuer(issuer: impl Into<Arc<str>>) -> Self {
        Self {
            source: Source { issuer: issuer.into(), jwks_url: None, fetch: fetch::shared() },
            policy: Policy {
                audiences: Vec::new(),
                clients: Vec::new(),
                algorithms: ALGORITHMS.to_vec(),
                types: vec![ACCESS_TOKEN.into()],
                marks: Marks { foreign: ID_TOKEN, own: Own::Scopes },
                scope_claim: None,
                client_claims: &["client_id", "azp"],
                leeway: Duration::from_secs(30),
            },
            needs_clients: false,
            mistakes: Vec::new(),
            keys: Keys::default(),
            seen: Seen::default(),
        }
    }

    /// A name by which tokens mean this server, instead of its public URL: the `aud` of a token must have one of them, exactly
    /// so. May be called more than once.
    ///
    /// It is a name of **this** server only. With one that several servers share, each of them can use the others' tokens.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.policy.audiences.push(audience.into());
        self
    }

    /// Only tokens of these clients count, by `client_id` or `azp`, and tokens without `aud` count as well: for issuers that have
    /// none. An `aud` that is there must still name this server.
    #[must_use]
    pub fn clients<S: Into<Box<str>>>(mut self, clients: impl IntoIterator<Item = S>) -> Self {
        self.policy.clients.extend(clients.into_iter().map(Into::into));
        self
    }

    /// The signature algorithms that count, instead of all there are: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`,
    /// `ES256`, `ES384`, and `EdDSA`, which is also known as `Ed25519`.
    #[must_use]
    pub fn algorithms<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.policy.algorithms.clear();
        let mut names = names.into_iter().peekable();
        if names.peek().is_none() {
            let issuer = &self.source.issuer;
            self.mistakes
                .push(format!("no algorithm is left that tokens of `{issuer}` may be signed with: name one that is asymmetric"));
        }
        for name in names {
            let name = name.as_ref();
            match algorithm(name) {
                Some(algorithm) => self.policy.algorithms.push(algorithm),
                None => self.mistakes.push(format!(
                    "`{name}` is no algorithm for tokens: {} are, all asymmetric",
                    ALGORITHMS.map(|known| format!("{known:?}")).join(", ")
                )),
            }
        }
        self
    }

    /// The claim with the scopes, a string or an array of strings, instead of `scope` or else `scp`.
    #[must_use]
    pub fn scope_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.policy.scope_claim = Some(name.into());
        self
    }

    /// How far the issuer's clock may be ahead, for `nbf` and `iat`: 30 seconds, unless said otherwise; 5 minutes at most.
    /// `exp` is exact: a client that comes too late by a second is told to refresh its token.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        if leeway > MAX_LEEWAY {
            self.mistakes.push(format!("a leeway of {} s is too long: at most {} s", leeway.as_secs(), MAX_LEEWAY.as_secs()));
        }
        self.policy.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// Where the keys are (a JWK Set, RFC 7517), for issuers without metadata. The issuer need not be a URL then.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<Arc<str>>) -> Self {
        self.source.jwks_url = Some(url.into());
        self
    }

    /// The values of the header `typ` that count, instead of `at+jwt`. An empty one stands for a token without `typ`;
    /// `application/` may be left out.
    ///
    /// Where others than `at+jwt` count, an ID token of the same issuer can look like an access token. So those must have a claim
    /// with scopes, and none of `nonce`, `at_hash`, `c_hash`, and `s_hash`. The presets know their issuers better.
    #[must_use]
    pub fn types<S: AsRef<str>>(mut self, types: impl IntoIterator<Item = S>) -> Self {
        self.policy.types = types.into_iter().map(|name| media_type(name.as_ref())).collect();
        self
    }

    /// What metadata and keys are fetched with: the application's own client, or in tests the `testing::Authority`.
    #[must_use]
    pub fn fetching_with(mut self, fetch: impl Fetch) -> Self {
        self.source.fetch = Arc::new(fetch);
        self
    }

    /// Why no keys would be found, if so.
    fn source_problem(&self) -> Option<String> {
        let issuer = &self.source.issuer;
        if issuer.is_empty() {
            return Some("the issuer of tokens has no name: give the `iss` that stands in them".to_owned());
        }
        match &self.source.jwks_url {
            Some(url) if origin(url).is_none() => {
                Some(format!("`{url}`, with the keys of `{issuer}`, is no URL: https://host/path is needed"))
            }
            None if !issuer.contains("://") && urls(&format!("https://{issuer}")).is_some() => {
                Some(format!("the issuer `{issuer}` is no URL: did you mean `https://{issuer}`?"))
            }
            None if urls(issuer).is_none() => Some(format!(
                "the issuer `{issuer}` is no URL without query and fragment: its keys can not be found, say where they are with `.jwks_url(..)`"
            )),
            _ => self.source.problem(),
        }
    }

    async fn judge(&self, presented: Presented<'_>) -> Result<Principal, Rejection> {
        let text = presented.credential();
        if text.len() > MAX_BYTES {
            return Err(Rejection::invalid_token("too_long"));
        }
        let on = |held: &Held| Occasion { generation: held.generation, resource: presented.resource(), now: presented.now() };
        let digest = presented.sha256();
        if let Some(held) = self.keys.at_hand()
            && let Some(principal) = self.seen.get(digest, on(&held))
        {
            return Ok(principal);
        }
        let mut token = Token::parse(text).ok_or(Rejection::invalid_token("malformed"))?;
        let principal = self.policy.check_claims(&mut token, &self.source.issuer, presented.resource(), presented.now())?;
        let held = self.check_signature(&token).await?;
        self.seen.put(*digest, principal.clone(), on(&held));
        Ok(principal)
    }

    /// The keys with which the signature was found to be right.
    async fn check_signature(&self, token: &Token<'_>) -> Result<Held, Rejection> {
        let (algorithm, id) = self.policy.check_header(&token.header)?;
        let mut held = self.keys.current(&self.source).await?;
        if held.keys.find(id, algorithm).err() == Some(NoKey::Unknown)
            && let Some(newer) = self.keys.newer(&held, &self.source).await?
        {
            held = newer;
        }
        let key = held.keys.find(id, algorithm).map_err(|why| {
            Rejection::invalid_token(match why {
                NoKey::Unknown => "unknown_key",
                NoKey::Misfit => "key_for_another_algorithm",
                NoKey::Ambiguous => "ambiguous_key",
            })
        })?;
        if key.signed(algorithm, token.message, &token.signature) { Ok(held) } else { Err(Rejection::invalid_token("signature")) }
    }
}

impl Authenticate for Jwt {
    fn places(&self) -> Vec<Place> {
        vec![Place::Bearer]
    }

    /// A token whose `iss` is this issuer, which nobody has verified yet. One of more than 16 KiB is not read; it ends here.
    fn owns(&self, presented: Presented<'_>) -> bool {
        let token = presented.credential();
        if token.len() > MAX_BYTES {
            return is_jwt(token);
        }
        self.seen.has(presented.sha256()) || says_issuer(token, &self.source.issuer)
    }

    fn looks(&self) -> Vec<Look> {
        vec![Look::Issuer(self.source.issuer.as_ref().into())]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move { self.judge(presented).await.into() })
    }

    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let mut problems = self.mistakes.clone();
        let issuer = &self.source.issuer;
        let Policy { audiences, clients, types, .. } = &self.policy;
        problems.extend(self.source_problem());
        if types.is_empty() {
            problems.push(format!("no `typ` is left that tokens of `{issuer}` may have: `at+jwt` is that of RFC 9068"));
        }
        if audiences.iter().chain(clients).any(|name| name.is_empty()) {
            problems.push(format!("an audience or client of `{issuer}` has no name"));
        }
        if self.needs_clients && clients.is_empty() && audiences.is_empty() {
            problems.push(format!(
                "tokens of `{issuer}` name no audience: list the clients whose tokens are for this server with `.clients(..)`"
            ));
        } else if audiences.is_empty() && clients.is_empty() && resource.is_none() {
            problems.push(format!(
                "how tokens of `{issuer}` name this server is not known: give the `aud` of its tokens with `.audience(..)`, or {SET_IT}"
            ));
        }
        problems
    }

    fn issuers(&self) -> Vec<String> {
        vec![self.source.issuer.as_ref().to_owned()]
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("issuer", &self.source.issuer)
            .field("policy", &self.policy)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;

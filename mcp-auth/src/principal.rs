//! Who is calling.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Scopes;
use crate::digest::sha256;

/// How the caller proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// A bearer token (RFC 6750).
    Bearer,
    /// A session cookie.
    Session,
    /// An assertion of a trusted proxy.
    Proxy,
    /// Made by the application or a test itself.
    Application,
}

/// An authenticated caller. Cheap to clone.
///
/// Two principals are the same caller when issuer and subject are equal; scopes and claims may differ between requests. Of
/// those without an issuer, all of one subject are one caller, whichever authenticators they come by: give each authenticator
/// an issuer where one name may stand for different people.
///
/// Behind an `AuthLayer` (feature `layer`) it is among the extensions of the request. In axum, a handler takes it by
/// `Extension<Principal>`, and by `Option<Extension<Principal>>` where anonymous callers are allowed.
#[derive(Clone)]
pub struct Principal(Arc<Facts>);

#[derive(Clone)]
struct Facts {
    subject: Box<str>,
    issuer: Option<Box<str>>,
    client: Option<Box<str>>,
    scopes: Scopes,
    claims: Map<String, Value>,
    scheme: Scheme,
    expires_at: Option<SystemTime>,
    body_digest: Option<[u8; 32]>,
    lasting: Option<Duration>,
    /// Of issuer and subject, once somebody asks.
    digest: OnceLock<[u8; 32]>,
}

impl Principal {
    /// A caller known by `subject`, without issuer, scopes or claims.
    #[must_use]
    pub fn user(subject: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Facts {
            subject: subject.into(),
            issuer: None,
            client: None,
            scopes: Scopes::none(),
            claims: Map::new(),
            scheme: Scheme::Application,
            expires_at: None,
            body_digest: None,
            lasting: None,
            digest: OnceLock::new(),
        }))
    }

    /// With the party that vouches for the subject: the `iss` of a token.
    #[must_use]
    pub fn issued_by(self, issuer: impl Into<Box<str>>) -> Self {
        self.change(|facts| facts.issuer = Some(issuer.into()))
    }

    /// With the OAuth client that acts for the subject.
    #[must_use]
    pub fn via_client(self, client: impl Into<Box<str>>) -> Self {
        self.change(|facts| facts.client = Some(client.into()))
    }

    /// With exactly these scopes.
    #[must_use]
    pub fn scopes<S: Into<Box<str>>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.change(|facts| facts.scopes = scopes.into_iter().collect())
    }

    /// With a further claim, replacing one of the same name.
    #[must_use]
    pub fn claim(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.change(|facts| {
            facts.claims.insert(name.into(), value.into());
        })
    }

    /// With the scheme that proved the identity.
    #[must_use]
    pub fn authenticated_by(self, scheme: Scheme) -> Self {
        self.change(|facts| facts.scheme = scheme)
    }

    /// With the moment from which the credential no longer counts.
    #[must_use]
    pub fn valid_until(self, at: SystemTime) -> Self {
        self.change(|facts| facts.expires_at = Some(at))
    }

    /// With the SHA-256 that the body of this request must have, if the credential says one.
    #[must_use]
    pub fn with_body_digest(self, digest: [u8; 32]) -> Self {
        self.change(|facts| facts.body_digest = Some(digest))
    }

    /// By a credential that can not be judged a second time; what its request begins lasts at most so long. Otherwise the
    /// credential of an open stream is judged again every few seconds.
    #[must_use]
    pub fn for_one_request(self, lasting: Duration) -> Self {
        self.change(|facts| facts.lasting = Some(lasting))
    }

    fn change(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        let facts = Arc::make_mut(&mut self.0);
        facts.digest = OnceLock::new();
        change(facts);
        self
    }

    /// The caller's identifier at its issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Who vouches for the subject.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The OAuth client that acts for the subject.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// What the caller may do.
    #[must_use]
    pub fn granted(&self) -> &Scopes {
        &self.0.scopes
    }

    /// 32 bytes that stand for issuer and subject: to bind a statement to this caller without naming them in it. Equal
    /// principals have equal digests.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| {
            // With its length before it, no issuer and subject read as another pair.
            let issuer = self.issuer().map_or((0, ""), |issuer| (issuer.len() as u64 + 1, issuer));
            let facts = [&issuer.0.to_le_bytes(), issuer.1.as_bytes(), self.subject().as_bytes()].concat();
            sha256(&facts)
        })
    }

    /// Every claim that came with the credential.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }

    /// The claims as a type of the application's, read when they are asked for.
    ///
    /// ```
    /// use mcp_auth::Principal;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Staff {
    ///     department: String,
    ///     #[serde(default)]
    ///     on_call: bool,
    /// }
    ///
    /// let principal = Principal::user("alice").claim("department", "billing").claim("email", "alice@example.com");
    /// let staff: Staff = principal.claims_as()?;
    /// assert_eq!((staff.department.as_str(), staff.on_call), ("billing", false));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// The claims have another shape. Who issued the credential decides what is in them: that is no fault of the caller's.
    /// The text may quote a claim.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0.claims)
    }

    /// How the caller proved who they are.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// When the credential ends, if it does.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// The SHA-256 that the body of the request must have: the credential counts for no other. Who decides by the head of a
    /// request has not seen its body, so **whoever reads the body must compare**, and turn the request down where it has
    /// another. An empty body counts as one of no bytes.
    #[must_use]
    pub fn body_digest(&self) -> Option<[u8; 32]> {
        self.0.body_digest
    }

    /// How long what this request begins lasts at most, where the credential can not be judged a second time.
    #[must_use]
    pub fn lasting(&self) -> Option<Duration> {
        self.0.lasting
    }
}

/// Claims are personal data, and this goes into logs: only their names are shown.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("subject", &self.0.subject)
            .field("issuer", &self.0.issuer)
            .field("client", &self.0.client)
            .field("scopes", &self.0.scopes)
            .field("claims", &self.0.claims.keys().collect::<Vec<_>>())
            .field("scheme", &self.0.scheme)
            .field("expires_at", &self.0.expires_at)
            .finish()
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.0.subject == other.0.subject && self.0.issuer == other.0.issuer
    }
}

impl Eq for Principal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_of_another_issuer_is_another_caller() {
        let alice = Principal::user("alice").issued_by("https://a.example");
        assert_eq!(alice, alice.clone().scopes(["x"]));
        assert_ne!(alice, Principal::user("alice").issued_by("https://b.example"));
        assert_ne!(alice, Principal::user("alice"));
    }

    #[test]
    fn a_digest_that_was_asked_for_follows_a_change() {
        let alice = Principal::user("alice").issued_by("https://a.example");
        let (digest, other) = (alice.digest(), alice.clone().issued_by("https://b.example"));
        assert_eq!((alice.digest(), alice.clone().claim("c", 1).digest()), (digest, digest));
        assert_eq!(other.digest(), Principal::user("alice").issued_by("https://b.example").digest());
        assert_ne!(other.digest(), digest);
    }

    #[test]
    fn claims_of_another_shape_are_an_error() {
        #[derive(Debug, serde::Deserialize)]
        struct Shape {
            level: u8,
        }
        let of = |principal: Principal| principal.claims_as::<Shape>().map(|shape| shape.level);
        assert_eq!(of(Principal::user("a").claim("level", 3).claim("more", "x")).ok(), Some(3));
        assert!(of(Principal::user("a")).is_err() && of(Principal::user("a").claim("level", "3")).is_err());
    }

    #[test]
    fn digests_tell_callers_apart_as_equality_does() {
        let digest = |issuer: Option<&str>, subject: &str| match issuer {
            Some(issuer) => Principal::user(subject).issued_by(issuer).digest(),
            None => Principal::user(subject).digest(),
        };
        assert_eq!(digest(Some("a"), "b"), Principal::user("b").issued_by("a").scopes(["x"]).claim("c", 1).digest());
        let all =
            [digest(Some("a"), "b"), digest(Some("ab"), ""), digest(Some(""), "ab"), digest(None, "ab"), digest(Some(""), "b")];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one) && *one != [0; 32], "{at}");
        }
    }
}

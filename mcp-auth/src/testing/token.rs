//! Tokens to order.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::Authority;

/// A token that is not issued yet: by [`Authority::token`].
///
/// It is an access token (RFC 9068) of the subject `user` and the client `client`, for five minutes from now. Without an
/// audience it is for nobody.
#[must_use = "a token must be issued"]
#[derive(Clone)]
pub struct TokenBuilder {
    authority: Authority,
    #[cfg(feature = "jwt")]
    header: Map<String, Value>,
    claims: Map<String, Value>,
    issued_at: SystemTime,
    lifetime: Duration,
}

impl TokenBuilder {
    pub(super) fn new(authority: Authority) -> Self {
        let builder = Self {
            authority,
            #[cfg(feature = "jwt")]
            header: Map::new(),
            claims: Map::new(),
            issued_at: SystemTime::now(),
            lifetime: Duration::from_secs(5 * 60),
        };
        builder.subject("user").client("client")
    }

    /// For this subject: `sub`.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// For this client: `client_id`.
    pub fn client(self, client: impl Into<String>) -> Self {
        self.claim("client_id", client.into())
    }

    /// For this resource: `aud`, a string of one and an array of several.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        let audience = Value::String(audience.into());
        let all = match self.claims.get("aud").cloned() {
            None => audience,
            Some(Value::Array(mut others)) => {
                others.push(audience);
                others.into()
            }
            Some(first) => vec![first, audience].into(),
        };
        self.claim("aud", all)
    }

    /// With exactly these scopes: `scope`.
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let mut list = String::new();
        for scope in scopes {
            if !list.is_empty() {
                list.push(' ');
            }
            list.push_str(scope.as_ref());
        }
        self.claim("scope", list)
    }

    /// Issued at this moment: `iat`, in whole seconds.
    pub fn issued_at(self, at: SystemTime) -> Self {
        Self { issued_at: at, ..self }
    }

    /// For so long: `exp`, in whole seconds.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// With a further claim, instead of one of the same name; `null` leaves it out.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// The token, as a text that says nothing: only introspection tells whose it is.
    #[must_use]
    pub fn issue_opaque(self) -> String {
        let claims = self.whole_claims();
        self.authority.issue_opaque(claims)
    }

    fn whole_claims(&self) -> Map<String, Value> {
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), self.authority.issuer().into());
        claims.insert("iat".to_owned(), seconds(self.issued_at).into());
        claims.insert("exp".to_owned(), seconds(self.issued_at + self.lifetime).into());
        claims.insert("jti".to_owned(), self.authority.unique().into());
        claims.extend(self.claims.clone());
        claims.retain(|_, value| !value.is_null());
        claims
    }
}

/// With the feature `jwt`.
#[cfg(feature = "jwt")]
impl TokenBuilder {
    /// With a further member of the header, instead of one of the same name; `null` leaves it out. The signature is that of the
    /// authority's key, whatever the header says.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// The token, as a signed JWT.
    #[must_use]
    pub fn issue(self) -> String {
        let mut header = Map::new();
        header.insert("typ".to_owned(), "at+jwt".into());
        header.extend(self.header.clone());
        self.authority.sign(header, self.whole_claims())
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder").field("claims", &self.claims.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

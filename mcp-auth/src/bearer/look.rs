//! What bearer tokens are known by, without trying them.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// What bearer tokens have in common that one authenticator [owns](crate::Authenticate::owns).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Look {
    /// JWTs with this `iss`.
    Issuer(Box<str>),
    /// They begin with this.
    Prefix(Box<str>),
    /// It is one token, and stands for one caller.
    Token {
        /// The token, which no text of ours has in it.
        token: Box<str>,
        /// The caller's subject, by which the token is named.
        of: Box<str>,
    },
}

impl Look {
    /// A token that looks so, for those who own such to know it by.
    pub(crate) fn example(&self) -> String {
        match self {
            Self::Issuer(issuer) => {
                let claims = serde_json::json!({ "iss": issuer }).to_string();
                ["{}", &claims, ""].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".")
            }
            Self::Prefix(text) | Self::Token { token: text, .. } => text.to_string(),
        }
    }
}

/// As it is called in a sentence.
impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(issuer) => write!(f, "JWTs of `{issuer}`"),
            Self::Prefix(prefix) => write!(f, "tokens that begin with `{prefix}`"),
            Self::Token { of, .. } => write!(f, "the static token of `{of}`"),
        }
    }
}

/// A token is a secret.
impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Look({self})")
    }
}

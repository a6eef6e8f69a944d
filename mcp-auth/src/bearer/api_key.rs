//! Keys that machines keep: recognised by a prefix, held as a hash, revoked by removing them.
//!
//! A slow hash (Argon2, bcrypt) protects what people choose, since there are few such secrets and all can be tried. The keys
//! here are made by [`ApiKeys::generate`], with 160 random bits: trying them is hopeless at any speed, so one SHA-256 keeps a
//! stolen table worthless, and a request costs a microsecond instead of a tenth of a second of one core, which a stranger
//! could ask for as often as they like.

mod record;
mod store;
#[cfg(feature = "sql-keys")]
mod table;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::HeaderName;
use subtle::ConstantTimeEq;

pub use record::ApiKey;
pub use store::{ApiKeyFuture, ApiKeyStore, ApiKeyStoreError};
#[cfg(feature = "sql-keys")]
pub use table::ApiKeyTable;

use crate::digest::sha256;
use crate::{
    Authenticate, AuthenticateFuture, Look, Place, Presented, Principal, Rejection, Resource, Scheme, Verdict, is_scope_token,
};

const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The longest prefix and id, in bytes.
const MAX_PREFIX: usize = 20;
const MAX_ID: usize = 64;
/// How long a secret is, in bytes. What is shorter could be guessed, if not over the network, then from its hash.
const SECRET: std::ops::RangeInclusive<usize> = 20..=128;

/// 32 letters and digits that nobody mistakes for one another: five bits a character.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 32;

/// When to ask again where the store does not answer.
const RETRY: Duration = Duration::from_secs(5);

/// API keys: `acme_<id>_<secret>`, sent as a bearer token, or in `x-api-key` where that is [enabled](Self::header).
///
/// Only the SHA-256 of a key is kept, in the configuration or in a [store](ApiKeyStore). The prefix tells whose a token is, so
/// another authenticator's server never gets to see a key, not even a mistyped one; and secret scanners find keys by it.
///
/// ```
/// use mcp_auth::{ApiKey, ApiKeys, Auth};
///
/// let keys = ApiKeys::prefix("acme").key(
///     ApiKey::new("k3v9xw2mqd7p", "c5ad6fe4d3a37a9a3b7d0d0f1b0d70f3bd1ec6d4a8a9e4b0a1d1c7d2f5d8e6a9")
///         .owner("ci")
///         .label("nightly build")
///         .scopes(["reports:read"]),
/// );
/// assert!(Auth::chain().with(keys).problems().is_empty());
/// ```
///
/// [`ApiKeys::generate`] makes a key and what to keep of it. Keys made elsewhere are of the same form: an id, and a secret of
/// 20 to 128 random letters and digits; others are turned down. A key ends when it [expires](ApiKey::expires_at), and is revoked
/// by removing it: from the store, at once; from the configuration, with the next start.
///
/// The caller is the key's owner. The principal has the claims `api_key_id`, and `api_key_label` where there is a label.
pub struct ApiKeys {
    prefix: Box<str>,
    keys: HashMap<Box<str>, ApiKey>,
    twice: Vec<Box<str>>,
    store: Option<Box<dyn ApiKeyStore>>,
    header: bool,
    issuer: Option<Box<str>>,
}

impl ApiKeys {
    /// Keys that begin with `<prefix>_`. The prefix has 2 to 20 of the characters `A-Z a-z 0-9 -`.
    #[must_use]
    pub fn prefix(prefix: impl Into<Box<str>>) -> Self {
        Self { prefix: prefix.into(), keys: HashMap::new(), twice: Vec::new(), store: None, header: false, issuer: None }
    }

    /// Adds a key.
    #[must_use]
    pub fn key(mut self, key: ApiKey) -> Self {
        if let Some(earlier) = self.keys.insert(key.id().into(), key) {
            self.twice.push(earlier.id().into());
        }
        self
    }

    /// With a store of further keys. It is asked about each request whose key's id is not configured: nothing is remembered,
    /// so that what is removed there is over at once.
    #[must_use]
    pub fn store(self, store: impl ApiKeyStore) -> Self {
        Self { store: Some(Box::new(store)), ..self }
    }

    /// Reads the header `x-api-key` as well.
    #[must_use]
    pub fn header(self) -> Self {
        Self { header: true, ..self }
    }

    /// With the issuer of the principals: who vouches for the owners' names. By default there is none, and an owner is the
    /// same caller as any other principal of that subject that has no issuer.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<Box<str>>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Makes a new key: its text, which is shown to its owner once and kept nowhere, and the record to keep, which has no
    /// owner yet.
    ///
    /// ```
    /// use mcp_auth::ApiKeys;
    ///
    /// let (text, key) = ApiKeys::generate("acme")?;
    /// assert!(text.starts_with(&format!("acme_{}_", key.id())));
    /// let key = key.owner("ci").scopes(["reports:read"]);
    /// println!("{text}, keep {} and {}", key.id(), key.sha256());
    /// # Ok::<(), mcp_auth::ApiKeyError>(())
    /// ```
    ///
    /// # Errors
    /// The prefix is none, or the system has no randomness.
    pub fn generate(prefix: &str) -> Result<(String, ApiKey), ApiKeyError> {
        if !is_prefix(prefix) {
            return Err(ApiKeyError::Prefix(prefix.into()));
        }
        let mut bytes = [0; ID_LENGTH + SECRET_LENGTH];
        getrandom::fill(&mut bytes).map_err(|_| ApiKeyError::NoRandomness)?;
        // 32 divides 256, so every character is as likely as any other.
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let (id, secret) = text.split_at(ID_LENGTH);
        let key = format!("{prefix}_{id}_{secret}");
        let record = ApiKey::of_digest(id, sha256(key.as_bytes()));
        Ok((key, record))
    }

    /// The id in a key; `None` where it is no key of this prefix, and no store needs to be asked.
    fn id<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(&*self.prefix)?.strip_prefix('_')?;
        let (id, secret) = rest.split_once('_')?;
        let is_secret = SECRET.contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_id(id) && is_secret).then_some(id)
    }

    fn judge(&self, found: Option<&ApiKey>, presented: Presented<'_>) -> Verdict {
        // Before it is known whether there is such a key.
        let sha256 = presented.sha256();
        let Some(found) = found else { return Verdict::Rejected(Rejection::invalid_token("unknown_api_key")) };
        let Some(digest) = found.digest() else {
            let detail = format!("the hash of API key `{}` in the store is no SHA-256", found.id().escape_debug());
            return Verdict::Rejected(Rejection::unavailable("malformed_api_key_record", RETRY).detail(detail));
        };
        if bool::from(digest.ct_eq(sha256)) {
            Verdict::Accepted(self.principal(found))
        } else {
            Verdict::Rejected(Rejection::invalid_token("wrong_api_key").detail(found.id()))
        }
    }

    fn principal(&self, key: &ApiKey) -> Principal {
        let mut principal = Principal::user(key.subject())
            .authenticated_by(Scheme::Bearer)
            .scopes(key.granted().map(Box::<str>::from))
            .claim("api_key_id", key.id());
        if let Some(issuer) = &self.issuer {
            principal = principal.issued_by(issuer.clone());
        }
        if let Some(label) = key.label_text() {
            principal = principal.claim("api_key_label", label);
        }
        match key.end() {
            Some(end) => principal.valid_until(end),
            None => principal,
        }
    }
}

impl Authenticate for ApiKeys {
    fn places(&self) -> Vec<Place> {
        let mut places = vec![Place::Bearer];
        places.extend(self.header.then_some(Place::Header(HEADER)));
        places
    }

    // By the prefix alone: a key that was mangled on its way is still a secret of ours, and for nobody else to see.
    fn owns(&self, token: Presented<'_>) -> bool {
        token.credential().strip_prefix(&*self.prefix).is_some_and(|rest| rest.starts_with('_'))
    }

    fn looks(&self) -> Vec<Look> {
        vec![Look::Prefix(format!("{}_", self.prefix).into())]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move {
            let credential = presented.credential();
            let Some(id) = self.id(credential) else {
                return Verdict::Rejected(Rejection::invalid_token("malformed_api_key"));
            };
            let (None, Some(store)) = (self.keys.get(id), &self.store) else {
                return self.judge(self.keys.get(id), presented);
            };
            match store.find(id).await {
                Ok(found) => self.judge(found.as_ref(), presented),
                Err(error) => Verdict::Rejected(Rejection::unavailable("api_key_store", RETRY).detail(error.to_string())),
            }
        })
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_prefix(&self.prefix) {
            problems.push(ApiKeyError::Prefix(self.prefix.clone()).to_string());
        }
        if self.keys.is_empty() && self.store.is_none() {
            problems.push("ApiKeys has no key: add one with `.key(..)`, or a store of keys with `.store(..)`".to_owned());
        }
        problems.extend(self.store.iter().flat_map(|store| store.problems()));
        problems.extend(self.twice.iter().map(|id| format!("the API key `{id}` is given twice")));
        let mut keys: Vec<_> = self.keys.values().collect();
        keys.sort_by_key(|key| key.id());
        for key in keys {
            let id = key.id();
            if !is_id(id) {
                problems
                    .push(format!("`{id}` is no id of an API key: 1 to {MAX_ID} of the characters A-Z a-z 0-9 - are allowed"));
            }
            // What stands in its place may be the key itself: it is not shown.
            if key.digest().is_none() {
                problems.push(format!("the hash of the API key `{id}` is no SHA-256: 64 hex digits are needed"));
            }
            let wrong = key.granted().filter(|scope| !is_scope_token(scope));
            problems.extend(
                wrong.map(|scope| {
                    format!("`{scope}`, of the API key `{id}`, is no scope: one word, without quotes and backslashes")
                }),
            );
        }
        problems
    }
}

/// Without `_`, so that of two prefixes none is the beginning of the other's keys.
fn is_prefix(prefix: &str) -> bool {
    (2..=MAX_PREFIX).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("prefix", &self.prefix)
            .field("keys", &self.keys.len())
            .field("store", &self.store.is_some())
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// No key could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// Keys can not begin like this.
    #[error("`{0}` is no prefix of API keys: 2 to {MAX_PREFIX} of the characters A-Z a-z 0-9 - are allowed")]
    Prefix(Box<str>),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    NoRandomness,
}

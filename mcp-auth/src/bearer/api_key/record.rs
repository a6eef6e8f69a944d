//! What is kept of an API key.

use std::fmt;
use std::time::SystemTime;

use crate::digest::hex;

/// What is kept of an API key: who it belongs to, what it may do, and its SHA-256. The key itself is nowhere.
#[derive(Clone)]
pub struct ApiKey {
    id: Box<str>,
    /// `None` where the text was none.
    digest: Option<[u8; 32]>,
    owner: Option<Box<str>>,
    label: Option<Box<str>>,
    scopes: Vec<Box<str>>,
    expires_at: Option<SystemTime>,
}

impl ApiKey {
    /// The key of this id, by the SHA-256 of its whole text in 64 hex digits. Of a key `acme_k3v9_secret` the id is `k3v9`: 1
    /// to 64 of the characters `A-Z a-z 0-9 -`. It is no secret, and stands in logs.
    #[must_use]
    pub fn new(id: impl Into<Box<str>>, sha256: impl AsRef<str>) -> Self {
        Self { digest: parse_hex(sha256.as_ref()), ..Self::of_digest(id, [0; 32]) }
    }

    pub(super) fn of_digest(id: impl Into<Box<str>>, digest: [u8; 32]) -> Self {
        Self { id: id.into(), digest: Some(digest), owner: None, label: None, scopes: Vec::new(), expires_at: None }
    }

    /// With whom it stands for: the subject of the principal. By default that is the id.
    #[must_use]
    pub fn owner(self, owner: impl Into<Box<str>>) -> Self {
        Self { owner: Some(owner.into()), ..self }
    }

    /// With a name that people know it by.
    #[must_use]
    pub fn label(self, label: impl Into<Box<str>>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// With further scopes.
    #[must_use]
    pub fn scopes<S: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// With the moment from which it no longer counts.
    #[must_use]
    pub fn expires_at(self, at: SystemTime) -> Self {
        Self { expires_at: Some(at), ..self }
    }

    /// The part of the key that names it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The SHA-256 of the whole key, in 64 hex digits: what to store. Empty where it was [made](Self::new) of a text that is
    /// none.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.digest.as_ref().map_or_else(String::new, |digest| hex(digest))
    }

    pub(super) fn digest(&self) -> Option<&[u8; 32]> {
        self.digest.as_ref()
    }

    pub(super) fn subject(&self) -> &str {
        self.owner.as_deref().unwrap_or(&self.id)
    }

    pub(super) fn label_text(&self) -> Option<&str> {
        self.label.as_deref()
    }

    pub(super) fn granted(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(AsRef::as_ref)
    }

    pub(super) fn end(&self) -> Option<SystemTime> {
        self.expires_at
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |at: usize| char::from(*text.as_bytes().get(at)?).to_digit(16);
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from(digit(2 * at)? << 4 | digit(2 * at + 1)?).ok()?;
    }
    Some(bytes)
}

/// Without the hash, by which a key that was found could be confirmed.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("label", &self.label)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_hex_digits() {
        let hash = "00ff".repeat(16);
        assert_eq!(ApiKey::new("a", &hash).sha256(), hash);
        assert_eq!(ApiKey::new("a", hash.to_uppercase()).sha256(), hash);
        for bad in ["", "00", &hash[1..], &format!("{hash}0"), &"0g".repeat(32), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(ApiKey::new("a", bad).digest(), None, "{bad}");
        }
    }
}

//! Statements that a server hands to its clients and gets back unread and unchanged.
//!
//! What a server would otherwise have to remember, it seals: XChaCha20-Poly1305 with a random nonce, which at 192 bits
//! needs no counter and so no state shared between instances. Every purpose has a subkey of its own, so that a list cursor
//! never opens as a session id. The text is base64url without padding of
//!
//! ```text
//! version (1) ‖ key id (4) ‖ nonce (24) ‖ ciphertext ‖ tag (16)
//! ```
//!
//! and its associated data are `version ‖ key id ‖ field(purpose) ‖ field(resource)`, where `field` puts the length, 8 bytes
//! big endian, before the bytes, so that no two purposes and resources run together into the same data.

mod keys;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, Tag, XChaCha20Poly1305};

use keys::{ID, KeyId, field};

pub use keys::{KeyError, KeyRing};

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Where the nonce and where the ciphertext begin.
const NONCE_AT: usize = 1 + ID;
const BODY_AT: usize = NONCE_AT + NONCE;

/// Seals statements of one server, with subkeys of its [`KeyRing`].
///
/// ```
/// use mcp_auth::{KeyRing, Sealer};
///
/// let sealer = Sealer::new(KeyRing::ephemeral()?, "https://mcp.example/mcp");
/// let cursors = sealer.purpose("cursor");
/// let text = cursors.seal(b"after=42")?;
/// assert_eq!(cursors.open(&text).map(|opened| opened.statement), Some(b"after=42".to_vec()));
/// assert!(sealer.purpose("session id").open(&text).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sealer {
    keys: KeyRing,
    resource: Box<str>,
}

impl Sealer {
    /// A sealer for the server with this resource URI: what it seals does not open at another resource, even under the
    /// same keys. The URI is compared by its exact text.
    #[must_use]
    pub fn new(keys: KeyRing, resource: impl Into<Box<str>>) -> Self {
        Self { keys, resource: resource.into() }
    }

    /// What seals for one purpose, and opens nothing that was sealed for another. Derives the subkeys, so make it once and
    /// keep it.
    #[must_use]
    pub fn purpose(&self, purpose: &'static str) -> Seal {
        let subkey = |key: &keys::Key| {
            let mut associated = vec![VERSION];
            associated.extend_from_slice(&key.id());
            field(&mut associated, purpose);
            field(&mut associated, &self.resource);
            Subkey { id: key.id(), cipher: SecretKey::from(key.subkey(purpose)), associated: associated.into() }
        };
        Seal { purpose, max_text: Seal::MAX_TEXT, keys: self.keys.keys().iter().map(subkey).collect() }
    }
}

/// What one key of the ring is for one purpose at one resource.
struct Subkey {
    id: KeyId,
    cipher: SecretKey,
    associated: Box<[u8]>,
}

/// Seals and opens for one purpose: see [`Sealer::purpose`]. Cheap to clone.
#[derive(Clone)]
pub struct Seal {
    purpose: &'static str,
    max_text: usize,
    /// Those of the ring, in its order.
    keys: Arc<[Subkey]>,
}

impl Seal {
    /// The longest sealed text that is looked at, in bytes, unless [`up_to`](Self::up_to) says otherwise.
    pub const MAX_TEXT: usize = 8 * 1024;

    /// The longest statement whose text is within [`MAX_TEXT`](Self::MAX_TEXT), in bytes.
    pub const MAX_STATEMENT: usize = longest_statement(Self::MAX_TEXT);

    /// With texts of up to so many bytes.
    #[must_use]
    pub fn up_to(self, max_text: usize) -> Self {
        Self { max_text, ..self }
    }

    /// Seals a statement. The text is made of `A-Z a-z 0-9 - _` alone, and differs each time. It hides what the statement
    /// says, not how long it is.
    ///
    /// # Errors
    /// The statement is so long that its text would not be looked at, or the system has no randomness.
    pub fn seal(&self, statement: &[u8]) -> Result<String, SealError> {
        let most = longest_statement(self.max_text);
        if statement.len() > most {
            return Err(SealError::TooLong { bytes: statement.len(), most });
        }
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        self.seal_with_nonce(statement, nonce)
    }

    fn seal_with_nonce(&self, statement: &[u8], nonce: [u8; NONCE]) -> Result<String, SealError> {
        let key = &self.keys[0];
        let mut sealed = Vec::with_capacity(BODY_AT + statement.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(statement);
        // Length is all that the cipher can object to.
        let tag =
            XChaCha20Poly1305::seal_inplace(&key.cipher, &Nonce::from(nonce), Some(&key.associated), &mut sealed[BODY_AT..])
                .map_err(|_| SealError::TooLong { bytes: statement.len(), most: longest_statement(self.max_text) })?;
        sealed.extend_from_slice(tag.unprotected_as_ref::<[u8]>());
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a text that this seal made, under any key that is still in the ring. `None` is for everything else, and no
    /// reason is given, to nobody.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<Opened> {
        if text.len() > self.max_text {
            return None;
        }
        // The engine refuses padding and trailing bits, so a statement has one text and not several.
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&mut [version, ref head @ ..], rest) = bytes.split_first_chunk_mut::<NONCE_AT>()?;
        let (&mut id, rest) = rest.split_first_chunk_mut::<NONCE>()?;
        let (body, tag) = rest.split_last_chunk_mut::<TAG>()?;
        if version != VERSION {
            return None;
        }
        let (nonce, tag) = (Nonce::from(id), Tag::from(*tag));
        // The tag is checked before the body is touched, so a key that merely shares its id leaves the body to the next one.
        self.keys
            .iter()
            .filter(|key| key.id == *head)
            .find(|key| XChaCha20Poly1305::open_inplace(&key.cipher, &nonce, &tag, Some(&key.associated), body).is_ok())?;
        bytes.truncate(bytes.len() - TAG);
        bytes.drain(..BODY_AT);
        Some(Opened { statement: bytes, id })
    }
}

/// The longest statement whose text has at most so many bytes.
const fn longest_statement(text: usize) -> usize {
    (text / 4 * 3).saturating_sub(BODY_AT + TAG)
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("purpose", &self.purpose).field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// What a sealed text says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The statement, as it was sealed.
    pub statement: Vec<u8>,
    /// Names this one sealed text: its nonce. Another text, even of the same statement, has another.
    pub id: [u8; NONCE],
}

/// A statement may be confidential, and this goes into logs: only its length is shown.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("bytes", &self.statement.len()).finish_non_exhaustive()
    }
}

/// Why a statement was not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Its text would be too long to be opened.
    #[error("a statement of {bytes} bytes is too long to seal: at most {most} are allowed")]
    TooLong {
        /// The statement's length.
        bytes: usize,
        /// The longest that is allowed.
        most: usize,
    },
    /// A nonce could not be made.
    #[error("the system has no randomness to seal with")]
    NoRandomness,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOURCE: &str = "https://mcp.example/mcp";

    fn seal(key: &str) -> Seal {
        Sealer::new(KeyRing::parse([key]).expect("a key"), RESOURCE).purpose("session id")
    }

    /// What is sealed today must open tomorrow: the texts were made in Python, from the module's comment and none of its
    /// code. With `HKDF` of `cryptography` 50.0.2, `nacl.bindings` of `pynacl` 1.6.2, the nonce 40 41 .. 57, and
    ///
    /// ```python
    /// field = lambda b: len(b).to_bytes(8, "big") + b
    /// derive = lambda info, length: HKDF(SHA256(), length, b"mcp-auth seal 1", info).derive(bytes(range(32)))
    /// head = b"\x01" + derive(field(b"key id"), 4)
    /// subkey = derive(field(b"subkey") + field(b"session id"), 32)
    /// associated = head + field(b"session id") + field(b"https://mcp.example/mcp")
    /// body = crypto_aead_xchacha20poly1305_ietf_encrypt(statement, associated, nonce, subkey)
    /// text = base64.urlsafe_b64encode(head + nonce + body).rstrip(b"=")
    /// ```
    #[test]
    fn the_format_is_pinned() {
        let seal = seal("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let nonce = std::array::from_fn(|i| 0x40 + i as u8);
        let long = br#"{"version":"2025-11-25","principal":"alice","note":"longer than one ChaCha20 block of 64 bytes"}"#;
        let vectors: [(&[u8], &str); 2] = [
            (
                long,
                "Af39-j5AQUJDREVGR0hJSktMTU5PUFFSU1RVVlch10MZlTn1YbeBSeU2Z54fjjcILQRL9gAXyPRCBLQgXZ7aNCgktPLXUHxqgB7chE0LMs2p\
                 dqp9Z57Rtx-k08MIgzwdrzoBmik0SP47H4qZl0nBxg5NQwXL5SR1izYD7RCIvVHoVdx6J1sETvqWkTAv",
            ),
            (b"", "Af39-j5AQUJDREVGR0hJSktMTU5PUFFSU1RVVlflEtQ7hRfqOgTer3NoYjua"),
        ];
        for (statement, text) in vectors {
            assert_eq!(seal.seal_with_nonce(statement, nonce).as_deref(), Ok(text));
            assert_eq!(seal.open(text), Some(Opened { statement: statement.to_vec(), id: nonce }));
        }
    }

    /// The keys are SHA-256 of "seal test key 47699" and "seal test key 74181": among so many, two share the 4 bytes.
    #[test]
    fn of_keys_that_share_an_id_each_is_tried() {
        let one = "e5fe585d3ee4b7c967e6d04aaf5b01dccc9b24b2543c0302e254d5d531dabcd9";
        let other = "293588189c371285f594fa9d32e01974dfae7595ea643196465e08a22ef7f530";
        assert_eq!(seal(one).keys[0].id, seal(other).keys[0].id);
        let both = Sealer::new(KeyRing::parse([one, other]).expect("keys"), RESOURCE).purpose("session id");
        for key in [one, other] {
            let text = seal(key).seal(b"statement").expect("randomness");
            assert_eq!(both.open(&text).expect("opens").statement, b"statement");
        }
        assert_eq!(seal(one).open(&seal(other).seal(b"statement").expect("randomness")), None);
    }

    #[test]
    fn a_text_over_the_bound_is_not_looked_at() {
        let seal = seal(&"5e".repeat(32));
        let text = |length| seal.seal_with_nonce(&vec![0; length], [0; NONCE]).expect("the cipher takes it");
        assert!(seal.open(&text(Seal::MAX_STATEMENT)).is_some());
        assert_eq!(seal.open(&text(Seal::MAX_STATEMENT + 1)), None);
    }

    /// The purpose is bound by the subkey and once more by the associated data.
    #[test]
    fn neither_subkeys_nor_associated_data_run_together() {
        let sealer = |resource: &str| Sealer::new(KeyRing::parse(["5e".repeat(32)]).expect("a key"), resource);
        let (left, right) = (sealer("bc").purpose("a"), sealer("c").purpose("ab"));
        assert_ne!(left.keys[0].associated, right.keys[0].associated);
        assert_ne!(left.keys[0].cipher, right.keys[0].cipher);
        assert_eq!(left.keys[0].cipher, sealer("other").purpose("a").keys[0].cipher, "the resource is bound as data");
    }
}

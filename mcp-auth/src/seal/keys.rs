//! The keys that statements are sealed with, and what is derived from them.
//!
//! A key is never used itself. HKDF-SHA-256 extracts from it once, with [`SALT`]; the id that tells keys apart and the
//! subkeys are expanded from that under labels of their own. So a ring needs no configured ids, and its keys may be
//! longer than the cipher's.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use orion::hazardous::kdf::hkdf::{Hkdf, SHA256};
use orion::hazardous::mac::hmac::sha256::Tag as Extracted;

use crate::digest::hex;

const SALT: &[u8] = b"mcp-auth seal 1";

/// Shorter keys would be weaker than the cipher.
const MIN_BYTES: usize = 32;
/// SHA-256 takes 64 bytes at once; what is longer is more likely a file pasted by mistake than a key.
const MAX_BYTES: usize = 64;
/// A ring for two rotations has three keys.
const MAX_KEYS: usize = 16;

/// The length of a key id.
pub(super) const ID: usize = 4;
pub(super) type KeyId = [u8; ID];

/// The keys of a server: the first seals, every one opens.
///
/// To rotate, put the new key before the old one; once all that the old one sealed has expired, take the old one out.
/// Several instances first learn the new key in second place, then move it to the front.
#[derive(Clone)]
pub struct KeyRing {
    /// Never empty.
    keys: Arc<[Key]>,
    ephemeral: bool,
}

impl KeyRing {
    /// The keys of a list of texts: each 32 to 64 bytes, in hex, or in base64 of either alphabet, padded or not. White
    /// space around a key does not count. A text of nothing but hex digits is hex.
    ///
    /// # Errors
    /// There is no key or more than 16, one of them cannot be read or has another length, or one is there twice.
    pub fn parse<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Result<Self, KeyError> {
        let mut ring: Vec<Key> = Vec::new();
        for (text, position) in keys.into_iter().zip(1..) {
            if position > MAX_KEYS {
                return Err(KeyError::TooMany);
            }
            let bytes = decode(text.as_ref().trim()).ok_or(KeyError::Unreadable { position })?;
            match bytes.len() {
                ..MIN_BYTES => return Err(KeyError::TooShort { position, bytes: bytes.len() }),
                MIN_BYTES..=MAX_BYTES => {}
                _ => return Err(KeyError::TooLong { position, bytes: bytes.len() }),
            }
            let key = Key::new(&bytes);
            if let Some(index) = ring.iter().position(|other| other.extracted == key.extracted) {
                return Err(KeyError::Repeated { position, first: index + 1 });
            }
            ring.push(key);
        }
        if ring.is_empty() { Err(KeyError::Empty) } else { Ok(Self { keys: ring.into(), ephemeral: false }) }
    }

    /// One fresh random key, for a server that was given none: what it seals opens neither after a restart nor at another
    /// instance.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn ephemeral() -> Result<Self, KeyError> {
        let mut bytes = [0; MIN_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self { keys: Arc::new([Key::new(&bytes)]), ephemeral: true })
    }

    /// Was the key made by [`ephemeral`](Self::ephemeral)?
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// How logs name the keys, in order: eight hex digits, which every text that the key seals begins with and which tell
    /// nothing of the key.
    pub fn ids(&self) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| hex(&key.id))
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys.len()).field("ephemeral", &self.ephemeral).finish()
    }
}

/// What was extracted from one key, and its id.
pub(super) struct Key {
    id: KeyId,
    extracted: Extracted,
}

impl Key {
    fn new(bytes: &[u8]) -> Self {
        let extracted = Hkdf::<SHA256>::extract(SALT, bytes).expect("HKDF extracts from less than 2^61 bytes");
        let mut label = Vec::new();
        field(&mut label, "key id");
        Self { id: expand(&extracted, &label), extracted }
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn subkey(&self, purpose: &str) -> [u8; 32] {
        let mut label = Vec::new();
        field(&mut label, "subkey");
        field(&mut label, purpose);
        expand(&self.extracted, &label)
    }
}

fn expand<const N: usize>(extracted: &Extracted, label: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    Hkdf::<SHA256>::expand(extracted, Some(label), &mut bytes).expect("HKDF expands to 1 to 8160 bytes");
    bytes
}

/// Appends a text with its length before it: no two lists of fields are the same bytes.
pub(super) fn field(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn decode(text: &str) -> Option<Vec<u8>> {
    // Hex goes first: 48 hex digits are too short a key, but they are also base64 of a key that is long enough.
    if text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return text.as_bytes().chunks(2).map(hex_pair).collect();
    }
    STANDARD_PAD_INDIFFERENT.decode(text).or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(text)).ok()
}

/// The byte of two hex digits.
fn hex_pair(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Why a list of keys is no [`KeyRing`]. Positions count from 1; no text shows a key or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The list is empty.
    #[error("there is no key: give at least one (`openssl rand -base64 32` makes one)")]
    Empty,
    /// The list is too long.
    #[error("there are more than {MAX_KEYS} keys: take out those whose sealed texts have expired")]
    TooMany,
    /// A key is neither hex nor base64.
    #[error(
        "the {} key is neither base64 nor hex, without white space in it (`openssl rand -base64 32` makes one that is; several keys are separated by commas)",
        Ordinal(*position)
    )]
    Unreadable {
        /// Which key.
        position: usize,
    },
    /// A key is shorter than 32 bytes.
    #[error(
        "the {} key has {bytes} bytes, {MIN_BYTES} to {MAX_BYTES} are allowed (`openssl rand -base64 32` makes one)",
        Ordinal(*position)
    )]
    TooShort {
        /// Which key.
        position: usize,
        /// Its length, decoded.
        bytes: usize,
    },
    /// A key is longer than 64 bytes.
    #[error(
        "the {} key has {bytes} bytes, {MIN_BYTES} to {MAX_BYTES} are allowed (`openssl rand -base64 32` makes one)",
        Ordinal(*position)
    )]
    TooLong {
        /// Which key.
        position: usize,
        /// Its length, decoded.
        bytes: usize,
    },
    /// A key is in the list twice.
    #[error("the {} key is the {} once more: take one of them out", Ordinal(*position), Ordinal(*first))]
    Repeated {
        /// Which key.
        position: usize,
        /// Where it was before.
        first: usize,
    },
    /// A key could not be made.
    #[error("the system has no randomness to make a key of")]
    NoRandomness,
}

/// 1st, 2nd, 3rd, 4th.
struct Ordinal(usize);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 10, self.0 % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(f, "{}{suffix}", self.0)
    }
}

//! Texts that Django's `signing` makes: `dumps`, `loads` and `TimestampSigner`.
//!
//! ```text
//! signed  = payload ":" base62(unix seconds) ":" base64url( HMAC-SHA256( SHA256(salt "signer" key), payload ":" base62(..) ) )
//! payload = base64url(json)  or  "." base64url(zlib(json))
//! ```
//!
//! base64url has no padding; base62 has the digits `0-9A-Za-z`. The key of the MAC is always the digest, never the text that
//! it is of. Unchanged since Django 3.1.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orion::hazardous::mac::hmac::sha256::{HmacSha256, SecretKey};
use subtle::{Choice, ConstantTimeEq};

use crate::digest::sha256;

/// The longest text that is looked at, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

#[cfg(test)]
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Signs for one purpose, and knows what any of its keys signed for it.
pub(crate) struct Signer {
    #[cfg(feature = "django")]
    salt: String,
    /// The keys of the MAC; the first signs.
    keys: Vec<[u8; 32]>,
}

/// What a text says whose signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed<'t> {
    /// As it was signed: [`json`] reads it.
    pub(crate) payload: &'t str,
    /// When it was signed, in seconds of the Unix time.
    pub(crate) timestamp: u64,
}

impl Signer {
    /// For a purpose, by its salt, with the current key and those that it replaced.
    pub(crate) fn new<K: AsRef<str>>(salt: &str, keys: impl IntoIterator<Item = K>) -> Self {
        let salt = format!("{salt}signer");
        let keys = keys.into_iter().map(|key| derived_key(&salt, key.as_ref())).collect();
        Self {
            #[cfg(feature = "django")]
            salt,
            keys,
        }
    }

    /// With one more key, after those that it has.
    #[cfg(feature = "django")]
    pub(crate) fn add(&mut self, key: &str) {
        self.keys.push(derived_key(&self.salt, key));
    }

    /// What the text says, if one of the keys signed it.
    pub(crate) fn unsign<'t>(&self, text: &'t str) -> Option<Signed<'t>> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (value, signature) = text.rsplit_once(':')?;
        // The texts are compared, not the bytes: other spellings of a signature are not Django's. Every key is tried, so that
        // the time tells nothing about which of them signed.
        let mut holds = Choice::from(0);
        for key in &self.keys {
            holds |= signature_of(key, value).as_bytes().ct_eq(signature.as_bytes());
        }
        if !bool::from(holds) {
            return None;
        }
        let (payload, timestamp) = value.rsplit_once(':')?;
        Some(Signed { payload, timestamp: base62(timestamp)? })
    }

    /// The payload, signed at this second. `None` without a key.
    #[cfg(test)]
    pub(crate) fn sign(&self, payload: &str, timestamp: u64) -> Option<String> {
        let mut text = format!("{payload}:{}", to_base62(timestamp));
        let signature = signature_of(self.keys.first()?, &text);
        text.push(':');
        text.push_str(&signature);
        Some(text)
    }
}

/// The JSON text in a payload, of at most `max` bytes.
pub(crate) fn json(payload: &str, max: usize) -> Option<Vec<u8>> {
    #[cfg(feature = "django")]
    if let Some(compressed) = payload.strip_prefix('.') {
        return inflate(&URL_SAFE_NO_PAD.decode(compressed).ok()?, max);
    }
    // Three bytes are four characters.
    if payload.len() / 4 * 3 > max {
        return None;
    }
    URL_SAFE_NO_PAD.decode(payload).ok().filter(|json| json.len() <= max)
}

/// What zlib compressed, if that is at most `max` bytes: a few kilobytes may be a bomb.
#[cfg(feature = "django")]
pub(crate) fn inflate(compressed: &[u8], max: usize) -> Option<Vec<u8>> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(compressed).take(max as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= max).then_some(bytes)
}

/// The payload of a JSON text.
#[cfg(test)]
pub(crate) fn payload(json: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

/// The key of a MAC: Django's `salted_hmac` derives it from a salt and a secret.
pub(crate) fn derived_key(salt: &str, secret: &str) -> [u8; 32] {
    sha256(&[salt.as_bytes(), secret.as_bytes()].concat())
}

/// HMAC-SHA-256.
pub(crate) fn mac(key: &[u8; 32], value: &[u8]) -> [u8; 32] {
    let key = SecretKey::try_from(key.as_slice()).expect("HMAC takes a key of 32 bytes");
    let tag = HmacSha256::hmac(&key, value).expect("HMAC takes 2^61 bytes");
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.unprotected_as_ref());
    bytes
}

fn signature_of(key: &[u8; 32], value: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(key, value.as_bytes()))
}

pub(crate) fn base62(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(digit.into())
    })
}

#[cfg(test)]
pub(crate) fn to_base62(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(DIGITS[(number % 62) as usize]));
        number /= 62;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's hashlib and base64, for `{"sub":"1"}` at 1700000000 with the salt `mcp.test`.
    const BY_PYTHON: &str = "eyJzdWIiOiIxIn0:1r31eq:1zoisHUymUM9lNF3sGQmqv_4C0qiDYBVlIMu18fY8K8";
    const KEY: &str = "a key of at least thirty-two bytes";

    #[test]
    fn what_django_signs_is_read_and_made() {
        let signer = Signer::new("mcp.test", [KEY]);
        let signed = signer.unsign(BY_PYTHON).expect("signed with this key");
        assert_eq!(signed.timestamp, 1_700_000_000);
        assert_eq!(json(signed.payload, 100).as_deref(), Some(br#"{"sub":"1"}"#.as_slice()));
        assert_eq!(signer.sign(&payload(br#"{"sub":"1"}"#), 1_700_000_000).as_deref(), Some(BY_PYTHON));
    }

    #[test]
    fn every_key_opens_and_no_other() {
        let opens = |salt: &str, keys: &[&str]| Signer::new(salt, keys).unsign(BY_PYTHON).is_some();
        assert!(opens("mcp.test", &["another", KEY]) && opens("mcp.test", &[KEY, "another"]));
        assert!(!opens("mcp.test", &["another"]) && !opens("mcp.tests", &[KEY]) && !opens("mcp.test", &[]));
        assert_eq!(Signer::new("mcp.test", [""; 0]).sign("e30", 1), None);
    }

    #[test]
    fn no_other_text_opens() {
        let signer = Signer::new("mcp.test", [KEY]);
        for at in 0..BY_PYTHON.len() {
            let mut changed = BY_PYTHON.to_owned();
            let other = if changed.as_bytes()[at] == b'A' { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert_eq!(signer.unsign(&changed), None, "{at}");
        }
        let (value, _) = BY_PYTHON.rsplit_once(':').expect("a signature");
        for other in
            [String::new(), ":".to_owned(), "::".to_owned(), value.to_owned(), format!("{BY_PYTHON}="), format!("{value}:")]
        {
            assert_eq!(signer.unsign(&other), None, "{other}");
        }
        let long = signer.sign(&"A".repeat(MAX_TEXT), 1).expect("a key");
        assert_eq!(signer.unsign(&long), None);
    }

    #[test]
    fn a_signed_text_without_a_time_is_none() {
        let signer = Signer::new("mcp.test", [KEY]);
        for value in ["e30", "e30:", "e30:-1", "e30:zzzzzzzzzzzz", "e30:1 "] {
            let text = format!("{value}:{}", signature_of(&signer.keys[0], value));
            assert_eq!(signer.unsign(&text), None, "{value}");
        }
    }

    #[test]
    fn numbers_go_there_and_back() {
        for (number, text) in [(0, "0"), (9, "9"), (10, "A"), (36, "a"), (61, "z"), (62, "10"), (u64::MAX, "LygHa16AHYF")] {
            assert_eq!(to_base62(number), text);
            assert_eq!(base62(text), Some(number));
        }
        assert_eq!(base62("LygHa16AHYG"), None, "one more than there is room for");
    }

    #[test]
    fn json_is_bounded() {
        let ten = payload(b"0123456789");
        assert_eq!(json(&ten, 10).map(|json| json.len()), Some(10));
        assert_eq!(json(&ten, 9), None);
        assert_eq!(json("e30=", 9), None);
        assert_eq!(json("e 30", 9), None);
    }

    #[cfg(feature = "django")]
    #[test]
    fn inflation_is_bounded() {
        use std::io::Write as _;

        let compressed = |bytes: &[u8]| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).expect("memory");
            format!(".{}", payload(&encoder.finish().expect("memory")))
        };
        let bomb = compressed(&vec![b' '; 2 << 20]);
        assert!(bomb.len() < 5_000);
        assert_eq!(json(&bomb, 1 << 20), None);
        assert_eq!(json(&bomb, 2 << 20).map(|json| json.len()), Some(2 << 20));
        assert_eq!(json(&compressed(b"0123456789"), 10).as_deref(), Some(b"0123456789".as_slice()));
        assert_eq!(json(&compressed(b"0123456789"), 9), None);
        assert_eq!(json(".eJyrVipLLSrOzM9TslJQMlSqBQA0iQTt", 99).as_deref(), None, "a checksum that is wrong");
        for broken in [".", ".AAAA", ".e30"] {
            assert_eq!(json(broken, 99), None, "{broken}");
        }
    }
}

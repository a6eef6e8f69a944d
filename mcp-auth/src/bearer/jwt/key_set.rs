//! The public keys of an authorization server (RFC 7517), and signatures made with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::{Map, Value};

/// More keys than an authorization server publishes, whatever it rotates.
const MAX_KEYS: usize = 64;

/// The algorithms that a token may be signed with. All are asymmetric: whoever can verify must not be able to sign.
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The asymmetric algorithm of this name (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    if name == "Ed25519" {
        return Some(Algorithm::EdDSA);
    }
    name.parse().ok().filter(|algorithm: &Algorithm| algorithm.family() != AlgorithmFamily::Hmac)
}

/// What signs in which way is decided by the key, not by the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    fn fits(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa => algorithm.family() == AlgorithmFamily::Rsa,
            Self::P256 => algorithm == Algorithm::ES256,
            Self::P384 => algorithm == Algorithm::ES384,
            Self::Ed25519 => algorithm == Algorithm::EdDSA,
        }
    }
}

/// One public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<Box<str>>,
    kind: Kind,
    /// The only algorithm it is for, where its owner says so.
    algorithm: Option<Algorithm>,
    /// Of an RSA key its exponent.
    exponent: Vec<u8>,
    /// The modulus, or the point.
    bytes: Vec<u8>,
}

impl Key {
    /// `None` where it is for something else than signatures, or of a kind that is not known here.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).map(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
        if !matches!(text("use"), None | Some(Some("sig"))) {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops")
            && !operations.as_array()?.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        // A key whose private half is published is everybody's.
        if jwk.contains_key("d") {
            return None;
        }
        let (kind, exponent, bytes) = match (jwk.get("kty")?.as_str()?, text("crv").flatten()) {
            ("RSA", _) => {
                let (modulus, exponent) = (unsigned(bytes("n")?), unsigned(bytes("e")?));
                // 2048 to 8192 bits: weaker ones can be broken, stronger ones cost too much.
                (256..=1024).contains(&modulus.len()).then_some((Kind::Rsa, exponent, modulus))?
            }
            ("EC", Some("P-256")) => (Kind::P256, Vec::new(), point(32, bytes("x")?, bytes("y")?)?),
            ("EC", Some("P-384")) => (Kind::P384, Vec::new(), point(48, bytes("x")?, bytes("y")?)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, Vec::new(), bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let named = match text("alg") {
            None => None,
            Some(name) => Some(algorithm(name?).filter(|named| kind.fits(*named))?),
        };
        let id = match text("kid") {
            None => None,
            Some(id) => Some(id?.into()),
        };
        Some(Self { id, kind, algorithm: named, exponent, bytes })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Did the owner of this key sign the message so?
    pub(super) fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        #[cfg(test)]
        tests::VERIFICATIONS.with(|count| count.set(count.get() + 1));
        let key = match self.kind {
            Kind::Rsa => DecodingKey::from_rsa_raw_components(&self.bytes, &self.exponent),
            Kind::P256 | Kind::P384 => DecodingKey::from_ec_der(&self.bytes),
            Kind::Ed25519 => DecodingKey::from_ed_der(&self.bytes),
        };
        // By name: where another crate of the program turns on another provider of jsonwebtoken, its default one panics.
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key);
        verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

/// Without the zeros that some servers put before a number.
fn unsigned(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

/// An uncompressed point (SEC 1 section 2.3.3).
fn point(length: usize, x: Vec<u8>, y: Vec<u8>) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// There may be one by now.
    Unknown,
    /// The token names a key that is for another algorithm.
    Misfit,
    /// Several could be meant.
    Ambiguous,
}

/// The keys that can verify tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a JWK Set. `None` where it is none, or has no key for signatures. Of too many the first count.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(document).ok()?;
        let mut keys: Vec<Key> = Vec::new();
        for key in document.get("keys")?.as_array()?.iter().filter_map(Value::as_object).filter_map(Key::read) {
            if keys.len() < MAX_KEYS && !keys.contains(&key) {
                keys.push(key);
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key that a token names; where it names none, the only one that fits.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, NoKey> {
        let named = |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        let mut fitting = self.0.iter().filter(named).filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            (None, _) if id.is_some() && self.0.iter().any(|key| named(&key)) => Err(NoKey::Misfit),
            (None, _) => Err(NoKey::Unknown),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    thread_local! {
        /// How many signatures this thread has checked.
        pub(in super::super) static VERIFICATIONS: Cell<usize> = const { Cell::new(0) };
    }

    fn set(keys: &Value) -> Option<KeySet> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn p256(extra: &Value) -> Value {
        let mut key =
            json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode([7; 32]), "y": URL_SAFE_NO_PAD.encode([8; 32]) });
        let members = key.as_object_mut().expect("an object");
        members.extend(extra.as_object().expect("an object").clone());
        key
    }

    #[test]
    fn only_keys_for_signatures_are_kept() {
        for fine in [json!({}), json!({ "use": "sig" }), json!({ "key_ops": ["verify"], "alg": "ES256", "kid": "a" })] {
            assert!(set(&json!([p256(&fine)])).is_some(), "{fine}");
        }
        for other in [
            json!({ "use": "enc" }),
            json!({ "use": 1 }),
            json!({ "key_ops": ["deriveKey"] }),
            json!({ "key_ops": "verify" }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "ES384" }),
            json!({ "alg": "ECDH-ES" }),
            json!({ "alg": "HS256" }),
            json!({ "crv": "P-384" }),
            json!({ "crv": "secp256k1" }),
            json!({ "kty": "oct", "k": "AAAA" }),
            json!({ "x": "AAAA" }),
            json!({ "d": "AAAA" }),
            json!({ "kid": 7 }),
        ] {
            assert!(set(&json!([p256(&other)])).is_none(), "{other}");
        }
        for weak in [128, 1025] {
            let key = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xff; weak]) });
            assert!(set(&json!([key])).is_none(), "{weak} bytes");
        }
        for none in ["", "{}", "[]", r#"{"keys":[]}"#, r#"{"keys":{}}"#, r#"{"keys":[1,[]]}"#, "<html>"] {
            assert!(KeySet::parse(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn a_set_is_bounded() {
        let keys: Vec<_> = (0..100).map(|id| p256(&json!({ "kid": id.to_string() }))).collect();
        let set = set(&json!(keys)).expect("keys");
        assert_eq!(set.0.len(), MAX_KEYS);
    }

    #[test]
    fn a_token_that_names_no_key_means_the_only_one_that_fits() {
        let one = p256(&json!({ "kid": "a" }));
        let two = p256(&json!({ "kid": "b", "y": URL_SAFE_NO_PAD.encode([9; 32]) }));
        let rsa = json!({ "kty": "RSA", "kid": "r", "alg": "PS256", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 256]) });
        let set_of = |keys: &Value| set(keys).expect("keys");
        let both = set_of(&json!([one, one, rsa]));
        assert!(both.find(None, Algorithm::ES256).is_ok() && both.find(Some("a"), Algorithm::ES256).is_ok());
        assert_eq!(both.find(Some("a"), Algorithm::PS256).err(), Some(NoKey::Misfit), "the key decides what signs");
        assert_eq!(both.find(Some("r"), Algorithm::RS256).err(), Some(NoKey::Misfit), "it is for PS256 only");
        assert_eq!(both.find(Some("c"), Algorithm::ES256).err(), Some(NoKey::Unknown));
        assert_eq!(both.find(None, Algorithm::ES384).err(), Some(NoKey::Unknown));
        assert_eq!(set_of(&json!([one, two])).find(None, Algorithm::ES256).err(), Some(NoKey::Ambiguous));
    }

    #[test]
    fn symmetric_algorithms_are_none() {
        assert!(ALGORITHMS.iter().all(|known| algorithm(&format!("{known:?}")) == Some(*known)));
        assert_eq!(algorithm("Ed25519"), Some(Algorithm::EdDSA));
        for name in ["none", "None", "HS256", "HS384", "HS512", "rs256", "", "ES512"] {
            assert_eq!(algorithm(name), None, "{name}");
        }
    }
}

//! A proxy, from the description of the format and none of the code that reads it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use orion::hazardous::hash::sha2::sha256::Sha256;
use orion::hazardous::mac::hmac::sha256::{HmacSha256, SecretKey};
use serde_json::Value;

const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn sha256(text: &[u8]) -> Vec<u8> {
    Sha256::digest(text).expect("a short text").as_ref().to_vec()
}

pub(crate) fn signed(key: &str, salt: &str, claims: &Value, seconds: u64) -> String {
    let mut digits = Vec::new();
    let mut rest = seconds;
    while rest > 0 {
        digits.insert(0, DIGITS[(rest % 62) as usize]);
        rest /= 62;
    }
    let digits = String::from_utf8(digits).expect("ASCII");
    let value = format!("{}:{digits}", BASE64.encode(claims.to_string()));
    let mac_key = SecretKey::try_from(sha256(format!("{salt}signer{key}").as_bytes()).as_slice()).expect("32 bytes");
    let mac = HmacSha256::hmac(&mac_key, value.as_bytes()).expect("a short text");
    format!("{value}:{}", BASE64.encode(mac.unprotected_as_ref()))
}

//! A token taken apart, before anything in it is believed.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most a token may have, in bytes. Servers take about as much in all headers together.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// The three parts of a signed token (RFC 7515 section 3.1).
pub(super) struct Token<'t> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// What is signed: header and claims as they were sent.
    pub(super) message: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// `None` where it is no signed token, or says one thing twice: parsers differ in which of the two they take.
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            message: message.as_bytes(),
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Unambiguous>(&text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Any JSON value, in which no object has two members of one name.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<Self>()?;
            if !names.insert(name) {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{claims}.AAAA")
    }

    #[test]
    fn what_is_said_twice_is_not_read() {
        let fine = token(r#"{"alg":"ES256"}"#, r#"{"iss":"a","x":[{"y":1,"z":2.5},{"y":null}],"n":-1,"b":true}"#);
        assert!(Token::parse(&fine).is_some());
        for (header, claims) in [
            (r#"{"alg":"ES256","alg":"none"}"#, "{}"),
            ("{}", r#"{"sub":"alice","sub":"bob"}"#),
            ("{}", r#"{"sub":"alice","s\u0075b":"bob"}"#),
            ("{}", r#"{"act":[{"sub":"a","sub":"b"}]}"#),
        ] {
            assert!(Token::parse(&token(header, claims)).is_none(), "{header} {claims}");
        }
    }

    #[test]
    fn only_three_parts_of_plain_base64_are_a_token() {
        let fine = token("{}", "{}");
        for other in ["", ".", "..", "a.b", "a.b.c", &format!("{fine}.AAAA"), &format!("{fine}=")] {
            assert!(Token::parse(other).is_none(), "{other}");
        }
        assert!(Token::parse(&token("[]", "{}")).is_none() && Token::parse(&token("{}", "\"x\"")).is_none());
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
        assert!(Token::parse(&token("{}", &deep)).is_none(), "it does not go as deep as the stack");
    }
}

//! What a proxy signs for one request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::LEEWAY;
use super::store::Issued;
use crate::digest::digest;
use crate::signing::{Signer, json};
use crate::{Rejection, Resource};

const SALT: &str = "mcp.proxy-session.v1";
/// How long an assertion counts.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The longest assertion that is looked at, in bytes.
const MAX_TEXT: usize = 4 * 1024;
const MAX_SUBJECT: usize = 256;
const MAX_JTI: usize = 128;

/// Shorter keys would be weaker than the MAC.
const MIN_KEY: usize = 32;
/// The one in use and the one before or after it.
const MAX_KEYS: usize = 2;
/// Every key is tried with every assertion.
const MAX_PROXIES: usize = 64;
const MAX_ID: usize = 64;

/// The proxies that sign, each by its id.
pub(super) struct Proxies {
    signers: Vec<(Box<str>, Signer)>,
    faults: Vec<String>,
}

/// An assertion that holds, as far as it says by itself.
#[derive(Debug)]
pub(super) struct Assertion<'p> {
    pub(super) subject: Box<str>,
    pub(super) proxy: &'p str,
    pub(super) body: Option<[u8; 32]>,
    pub(super) issued: Issued,
}

impl Proxies {
    /// Takes the keys that are good for something, and says of the others why they are not.
    pub(super) fn new(keys: Vec<(Box<str>, Box<str>)>) -> Self {
        let mut faults = Vec::new();
        let mut proxies: Vec<(Box<str>, Vec<Box<str>>)> = Vec::new();
        for (id, key) in keys {
            // A key is a secret: it is named by whose it is.
            let owner = proxies.iter().find(|(_, keys)| keys.contains(&key)).map(|(owner, _)| owner);
            if !is_id(&id) {
                let id = id.chars().take(MAX_ID).collect::<String>();
                faults
                    .push(format!("`{}` is no id of a proxy: 1 to {MAX_ID} of A-Z a-z 0-9 - . _ are allowed", id.escape_debug()));
            } else if key.len() < MIN_KEY {
                faults.push(format!("a key of the proxy `{id}` has {} bytes: at least {MIN_KEY} are needed", key.len()));
            } else if let Some(owner) = owner {
                faults.push(if *owner == id {
                    format!("a key of the proxy `{id}` is given twice")
                } else {
                    format!("the proxies `{owner}` and `{id}` share a key, so each could pass for the other: give each its own")
                });
            } else if let Some((_, keys)) = proxies.iter_mut().find(|(known, _)| *known == id) {
                if keys.len() < MAX_KEYS {
                    keys.push(key);
                } else {
                    faults
                        .push(format!("the proxy `{id}` has more than {MAX_KEYS} keys: take out those that are no longer used"));
                }
            } else if proxies.len() < MAX_PROXIES {
                proxies.push((id, vec![key]));
            } else {
                faults.push(format!("there are more than {MAX_PROXIES} proxies: give those that belong together one id"));
                break;
            }
        }
        let signers = proxies.into_iter().map(|(id, keys)| (id, Signer::new(SALT, keys))).collect();
        Self { signers, faults }
    }

    pub(super) fn len(&self) -> usize {
        self.signers.len()
    }

    /// Was none given, not even a bad one?
    pub(super) fn is_unsaid(&self) -> bool {
        self.signers.is_empty() && self.faults.is_empty()
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        self.faults.iter().cloned()
    }

    /// What an assertion says, if one of the proxies signed it, for this resource, and just now.
    pub(super) fn verify(&self, text: &str, resource: Option<&Resource>, now: SystemTime) -> Result<Assertion<'_>, Rejection> {
        let refuse = Rejection::invalid_token;
        if text.len() > MAX_TEXT {
            return Err(refuse("assertion_too_long"));
        }
        // Every proxy's keys are tried, so that the time tells nothing about whose signed.
        let mut signed_by = None;
        for (id, signer) in &self.signers {
            if let Some(signed) = signer.unsign(text) {
                signed_by = Some((&**id, signed));
            }
        }
        let (proxy, signed) = signed_by.ok_or_else(|| refuse("assertion_bad_signature"))?;
        let refuse = |reason| refuse(reason).detail(proxy);
        let claims = json(signed.payload, MAX_TEXT)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .and_then(Claims::read)
            .ok_or_else(|| refuse("assertion_unreadable"))?;
        if *claims.prx != *proxy {
            return Err(refuse("assertion_of_another_proxy"));
        }
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(signed.timestamp)).ok_or_else(|| refuse("assertion_unreadable"))?;
        let until = at.checked_add(MAX_AGE).ok_or_else(|| refuse("assertion_unreadable"))?;
        if now > until {
            return Err(refuse("assertion_expired"));
        }
        if at.duration_since(now).is_ok_and(|ahead| ahead > LEEWAY) {
            return Err(refuse("assertion_from_the_future"));
        }
        if !resource.is_some_and(|resource| resource.is_named_by(&claims.aud)) {
            return Err(refuse("assertion_for_another_audience"));
        }
        let id = digest([b"assertion".as_slice(), proxy.as_bytes(), claims.jti.as_bytes()]);
        Ok(Assertion { subject: claims.sub, proxy, body: claims.bdy, issued: Issued { id, at, until } })
    }
}

/// The payload of an assertion.
struct Claims {
    sub: Box<str>,
    aud: Box<str>,
    prx: Box<str>,
    jti: Box<str>,
    bdy: Option<[u8; 32]>,
}

impl Claims {
    /// `None` where one is missing, has another type, or is not known: of a restriction that is not understood, a misspelt
    /// `bdy` for one, the proxy would believe that it holds.
    fn read(mut claims: Map<String, Value>) -> Option<Self> {
        let mut take = |name| match claims.remove(name) {
            Some(Value::String(text)) => Some(Some(text.into_boxed_str())),
            None => Some(None),
            Some(_) => None,
        };
        let read = Self {
            sub: take("sub")?.filter(|sub| is_bounded(sub, MAX_SUBJECT))?,
            aud: take("aud")??,
            prx: take("prx")??,
            jti: take("jti")?.filter(|jti| is_bounded(jti, MAX_JTI))?,
            bdy: take("bdy")?
                .map(|text| URL_SAFE_NO_PAD.decode(&*text).ok()?.try_into().ok())
                .map_or(Some(None), |bdy: Option<_>| bdy.map(Some))?,
        };
        claims.is_empty().then_some(read)
    }
}

/// Without white space around it, which some who look a user up ignore and others do not.
fn is_bounded(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.trim() == text && !text.contains(char::is_control)
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(keys: &[(&str, &str)]) -> Vec<String> {
        Proxies::new(keys.iter().map(|(id, key)| ((*id).into(), (*key).into())).collect()).problems().collect()
    }

    #[test]
    fn keys_that_are_good_for_nothing_are_told_by_their_owner() {
        let [a, b, c] = ["a", "b", "c"].map(|letter| letter.repeat(32));
        assert_eq!(problems(&[("one", &a), ("one", &b), ("two", &c)]), [""; 0]);
        for (keys, part) in [
            (vec![("one", "short")], "a key of the proxy `one` has 5 bytes: at least 32"),
            (vec![("one", &*a), ("one", &a)], "a key of the proxy `one` is given twice"),
            (vec![("one", &*a), ("two", &a)], "`one` and `two` share a key"),
            (vec![("one", &*a), ("one", &b), ("one", &c)], "more than 2 keys"),
            (vec![("", &*a)], "`` is no id"),
            (vec![("a b", &*a)], "`a b` is no id"),
        ] {
            let told = problems(&keys);
            assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:?}");
            assert!(!told[0].contains("aaaaaaaa"), "{told:?}");
        }
        let many: Vec<_> = (0..70).map(|i| (format!("proxy-{i}"), format!("{i:032}"))).collect();
        let many: Vec<_> = many.iter().map(|(id, key)| (&**id, &**key)).collect();
        assert_eq!(problems(&many).len(), 1);
    }

    #[test]
    fn claims_are_read_or_refused_whole() {
        let good = json!({"sub": "1", "aud": "a", "prx": "p", "jti": "j"});
        let read = |change: &dyn Fn(&mut Map<String, Value>)| {
            let Value::Object(mut claims) = good.clone() else { unreachable!("an object") };
            change(&mut claims);
            Claims::read(claims)
        };
        assert!(read(&|_| {}).is_some_and(|claims| claims.bdy.is_none()));
        let bdy = URL_SAFE_NO_PAD.encode([7; 32]);
        let with = |name: &'static str, value: Value| {
            read(&move |claims| {
                claims.insert(name.to_owned(), value.clone());
            })
        };
        assert!(with("bdy", json!(bdy)).is_some_and(|claims| claims.bdy == Some([7; 32])));
        for (name, value) in [
            ("bdy", json!(&bdy[..42])),
            ("bdy", json!(format!("{bdy}="))),
            ("bdy", json!("")),
            ("bdy", json!(null)),
            ("body", json!(bdy)),
            ("sub", json!(1)),
            ("sub", json!("")),
            ("sub", json!(" 1 ")),
            ("sub", json!("1\u{0}")),
            ("sub", json!("s".repeat(257))),
            ("jti", json!("j".repeat(129))),
            ("aud", json!(["a"])),
            ("prx", json!(null)),
        ] {
            assert!(with(name, value.clone()).is_none(), "{name}: {value}");
        }
        for name in ["sub", "aud", "prx", "jti"] {
            assert!(
                read(&|claims| {
                    claims.remove(name);
                })
                .is_none(),
                "{name}"
            );
        }
    }
}

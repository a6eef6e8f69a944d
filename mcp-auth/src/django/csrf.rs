//! Django's double submit: what changes something names the secret of a cookie, which only pages of the site can read.

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use crate::Rejection;
use crate::cookie::cookie;

/// `CSRF_COOKIE_NAME`, unless a site changes it.
const COOKIE: &str = "csrftoken";
/// `CSRF_HEADER_NAME`, as it is sent.
const HEADER: HeaderName = HeaderName::from_static("x-csrftoken");

/// A secret is so long, and a masked one twice that.
const SECRET: usize = 32;
const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Does a request that may change something name the cookie's secret?
///
/// # Errors
/// It does not.
pub(super) fn check(head: &Parts) -> Result<(), Rejection> {
    if matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return Ok(());
    }
    let secret = cookie(&head.headers, COOKIE)?.and_then(secret);
    let named = only(&head.headers).and_then(self::secret);
    match (secret, named) {
        (Some(secret), Some(named)) if bool::from(secret.ct_eq(&named)) => Ok(()),
        (None, _) => Err(Rejection::cross_site("csrf_cookie_missing")),
        _ => Err(Rejection::cross_site("csrf_token_mismatch")),
    }
}

fn only(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(HEADER).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// The secret in a token: itself, or masked by letters before it that shift those of the secret.
fn secret(token: &str) -> Option<[u8; SECRET]> {
    let places = token.bytes().map(|byte| ALPHABET.iter().position(|letter| *letter == byte)).collect::<Option<Vec<_>>>()?;
    let letters = ALPHABET.len();
    let mut secret = [0; SECRET];
    match places.len() {
        SECRET => secret.iter_mut().zip(places).for_each(|(byte, place)| *byte = ALPHABET[place]),
        length if length == 2 * SECRET => {
            let (mask, masked) = places.split_at(SECRET);
            for ((byte, mask), masked) in secret.iter_mut().zip(mask).zip(masked) {
                *byte = ALPHABET[(masked + letters - mask) % letters];
            }
        }
        _ => return None,
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "abcdefghijklmnopqrstuvwxyzABCDEF";
    /// Each letter of the mask shifts its own by one: `b` is the second of the alphabet.
    const MASKED: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcdefghijklmnopqrstuvwxyzABCDEFG";

    fn told(method: Method, headers: &[(&'static str, &str)]) -> bool {
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        check(&request.into_parts().0).is_ok()
    }

    #[test]
    fn the_header_names_the_secret_of_the_cookie() {
        let plain = format!("csrftoken={SECRET}");
        let masked = format!("csrftoken={MASKED}");
        for cookie in [&plain, &masked] {
            for header in [SECRET, MASKED] {
                assert!(told(Method::POST, &[("cookie", cookie), ("x-csrftoken", header)]), "{cookie} {header}");
            }
        }
        for header in
            ["", &SECRET[1..], &SECRET.to_lowercase(), "bbcdefghijklmnopqrstuvwxyzABCDEF", &MASKED.replace('G', "H"), "!"]
        {
            assert!(!told(Method::POST, &[("cookie", &plain), ("x-csrftoken", header)]), "{header}");
        }
        assert!(!told(Method::POST, &[("x-csrftoken", SECRET)]));
        assert!(!told(Method::DELETE, &[("cookie", &plain)]));
        assert!(!told(Method::POST, &[("cookie", &plain), ("x-csrftoken", SECRET), ("x-csrftoken", SECRET)]));
        assert!(told(Method::GET, &[("cookie", &plain)]), "nothing changes");
    }
}

//! Bearer tokens (RFC 6750).

mod api_key;
#[cfg(feature = "introspection")]
mod google;
#[cfg(feature = "introspection")]
mod introspection;
#[cfg(feature = "jwt")]
mod jwt;
mod look;
mod static_token;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::Rejection;
#[cfg(any(feature = "introspection", feature = "jwt", feature = "django"))]
use crate::Resource;
#[cfg(feature = "introspection")]
use crate::{Principal, authority};

#[cfg(feature = "sql-keys")]
pub use api_key::ApiKeyTable;
pub use api_key::{ApiKey, ApiKeyError, ApiKeyFuture, ApiKeyStore, ApiKeyStoreError, ApiKeys};
#[cfg(feature = "introspection")]
pub use google::GoogleTokens;
#[cfg(feature = "introspection")]
pub use introspection::Introspection;
#[cfg(feature = "jwt")]
pub use jwt::Jwt;
pub use look::Look;
pub use static_token::StaticTokens;

/// A token that its server says is good.
#[cfg(feature = "introspection")]
#[derive(Debug)]
struct Active {
    principal: Principal,
    /// Whom it is for. Empty where it does not say.
    audiences: Vec<Box<str>>,
}

#[cfg(feature = "introspection")]
impl authority::Until for Active {
    fn until(&self) -> Option<std::time::SystemTime> {
        self.principal.expires_at()
    }
}

/// What an `Authorization` header carries.
pub(crate) enum Authorization<'a> {
    /// The token of the scheme `Bearer`.
    Bearer(&'a str),
    /// Another scheme, and what follows it.
    Other(&'a str, &'a str),
}

/// Reads the request's only `Authorization` header.
///
/// # Errors
/// There are several, which could be read differently by a proxy and by us, or a bearer token is none (RFC 6750 section 2.1).
pub(crate) fn authorization(request: &Parts) -> Result<Authorization<'_>, Rejection> {
    const MALFORMED: &str = "malformed Authorization header";
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Rejection::invalid_request("more than one Authorization header"));
    };
    let value = value.to_str().map_err(|_| Rejection::invalid_request(MALFORMED))?;
    // What stands behind a tab is a token that is set apart wrongly, and not a scheme of another name.
    let (scheme, rest) = value.split_at(value.find([' ', '\t']).unwrap_or(value.len()));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Authorization::Other(scheme, rest.trim_matches(' ')));
    }
    let token = rest.trim_matches(' ');
    if is_token(token) { Ok(Authorization::Bearer(token)) } else { Err(Rejection::invalid_request(MALFORMED)) }
}

/// Is it a `b64token`: `A-Z a-z 0-9 - . _ ~ + /`, then any number of `=`?
pub(crate) fn is_token(token: &str) -> bool {
    let text = token.trim_end_matches('=');
    let is_one = |b: u8| {
        let is_letter = (b | 0x20).wrapping_sub(b'a') < 26;
        // `+-./0..9`, where `,` is the one that is none.
        let is_digit_or_near = b.wrapping_sub(b'+') <= b'9' - b'+' && b != b',';
        is_letter | is_digit_or_near | (b == b'_') | (b == b'~')
    };
    // All of it, and no jumps: so the compiler takes many at once.
    !text.is_empty() && text.bytes().fold(true, |all, b| all & is_one(b))
}

/// Does it look like a JWT, signed or encrypted (RFC 7515 section 3.1, RFC 7516 section 3.1)?
pub(crate) fn is_jwt(token: &str) -> bool {
    let Some((head, rest)) = token.split_once('.') else { return false };
    let parts = 2 + rest.bytes().filter(|b| *b == b'.').count();
    let is_object = || BASE64_URL_SAFE_NO_PAD.decode(head).is_ok_and(|head| head.trim_ascii_start().starts_with(b"{"));
    matches!(parts, 3 | 5) && is_object()
}

/// Does the token say that this issuer made it? Nothing is verified.
#[cfg(any(feature = "introspection", feature = "jwt"))]
fn says_issuer(token: &str, issuer: &str) -> bool {
    with_issuer(token, |said| said == issuer).unwrap_or(false)
}

/// What of a signed token's `iss`. `None` where it has none. Nothing is verified.
pub(crate) fn with_issuer<T>(token: &str, read: impl FnOnce(&str) -> T) -> Option<T> {
    #[derive(serde::Deserialize)]
    struct Claims<'a> {
        #[serde(borrow)]
        iss: std::borrow::Cow<'a, str>,
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice::<Claims<'_>>(&claims).ok().map(|claims| read(&claims.iss))
}

/// A token for others, by whom it names, and by what means this server: its URL, unless it has names instead.
#[cfg(any(feature = "introspection", feature = "jwt", feature = "django"))]
pub(crate) fn foreign_audience(
    named: &mut dyn Iterator<Item = &str>,
    names: &[Box<str>],
    resource: Option<&Resource>,
) -> Rejection {
    let ours = match resource {
        Some(resource) if names.is_empty() => listed(&mut [&*resource.uri()].into_iter()),
        _ => listed(&mut names.iter().map(AsRef::as_ref)),
    };
    let detail = match (listed(named), ours) {
        (Some(theirs), Some(ours)) => format!("for {theirs}, not {ours}"),
        (None, Some(ours)) => format!("for nobody, not {ours}"),
        (theirs, None) => format!("for {}, and this server has no name", theirs.as_deref().unwrap_or("nobody")),
    };
    Rejection::invalid_token("foreign_audience").detail(detail)
}

/// A token of another issuer than this.
#[cfg(any(feature = "introspection", feature = "jwt"))]
fn foreign_issuer(issuer: &str, ours: &str) -> Rejection {
    Rejection::invalid_token("foreign_issuer").detail(format!("of {}, not {}", quoted(issuer), quoted(ours)))
}

/// As they stand in the log. `None` for none.
pub(crate) fn listed(names: &mut dyn Iterator<Item = &str>) -> Option<String> {
    /// So many are enough to know a mistake by.
    const MOST: usize = 3;
    let mut listed: Vec<_> = Iterator::take(&mut *names, MOST).map(quoted).collect();
    if names.next().is_some() {
        listed.push("others".to_owned());
    }
    (!listed.is_empty()).then(|| listed.join(", "))
}

/// What a token says, which may be long and anything, for the log.
pub(crate) fn quoted(text: &str) -> String {
    /// The most of it, in characters.
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None if text.is_empty() => "nothing".to_owned(),
        None => format!("`{text}`"),
        Some((end, _)) => format!("`{}`..", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_alone_set_a_token_apart() {
        let told = |value: &str| {
            let request = http::Request::get("/").header(AUTHORIZATION, value).body(()).expect("a request");
            match authorization(&request.into_parts().0) {
                Ok(Authorization::Bearer(token)) => Some(token.to_owned()),
                Ok(Authorization::Other(..)) => Some("another scheme".to_owned()),
                Err(_) => None,
            }
        };
        assert_eq!(told("bEaReR  abc").as_deref(), Some("abc"));
        assert_eq!(told("BearerX abc").as_deref(), Some("another scheme"));
        for malformed in ["Bearer", "Bearer\tabc", "Bearer \tabc", "Bearer a b"] {
            assert_eq!(told(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn the_characters_of_tokens_are_those_of_rfc_6750() {
        for one in '\0'..='\u{ff}' {
            let is_one = one.is_ascii_alphanumeric() || "-._~+/".contains(one);
            assert_eq!(is_token(&format!("abcdefgh{one}ijklmnop")), is_one, "{one:?}");
        }
        assert!(is_token("a==") && !is_token("=") && !is_token("=a") && !is_token("a=a") && !is_token(""));
    }

    #[test]
    fn a_jwt_is_known_by_its_head() {
        assert!(is_jwt("eyJhbGciOiJub25lIn0.e30.") && is_jwt("eyJhbGciOiJub25lIn0.a.b.c.d"));
        for opaque in ["", "a", "a.b.c", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25lIn0.e30", "ya29.a0Af.xyz", "."] {
            assert!(!is_jwt(opaque), "{opaque}");
        }
    }

    #[cfg(any(feature = "introspection", feature = "jwt"))]
    #[test]
    fn the_issuer_is_read_without_the_rest() {
        let token = |claims: &str| {
            let [header, claims] = ["{}", claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
            format!("{header}.{claims}.")
        };
        assert!(says_issuer(&token(r#"{"x":{"iss":"b"},"iss":"https:\/\/a.example"}"#), "https://a.example"));
        for claims in
            ["{}", r#"{"iss":"b"}"#, r#"{"iss":["https://a.example"]}"#, "[]", "{", r#"{"iss":"b","iss":"https://a.example"}"#]
        {
            assert!(!says_issuer(&token(claims), "https://a.example"), "{claims}");
        }
        assert!(!says_issuer("a.b.c.d.e", "a") && !says_issuer("opaque", "a"));
    }
}

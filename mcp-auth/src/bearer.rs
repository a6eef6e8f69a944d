//! Bearer tokens (RFC 6750).

mod static_token;

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::{Rejection, RejectionKind};

pub use static_token::StaticTokens;

/// The token of an `Authorization: Bearer` header: `None` where the request has no such header or another scheme.
///
/// # Errors
/// The header is there and is no `b64token` (RFC 6750 section 2.1).
pub fn bearer_token(request: &Parts) -> Result<Option<&str>, Rejection> {
    let Some(value) = request.headers.get(AUTHORIZATION) else { return Ok(None) };
    let malformed =
        || Rejection::new(RejectionKind::InvalidRequest, "malformed Authorization header", "malformed Authorization header");
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = rest.trim_matches(' ');
    let text = token.trim_end_matches('=');
    let valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
    if valid { Ok(Some(token)) } else { Err(malformed()) }
}

//! Cross-origin requests of browser clients, for the origins that are on the list and no others.

use ::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::ReplyBody;
use crate::endpoint::Endpoint;

/// So many bytes of header names may a browser ask for; it asks for a handful.
const MOST_NAMES: usize = 4096;

/// Is this `OPTIONS` request a browser's question whether it may send the real one (Fetch standard, "CORS-preflight")?
pub(super) fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight; the origin was checked, and [`allow`] adds it. Carries no credential, so none is asked for.
pub(super) fn preflight(endpoint: &Endpoint, asked: &HeaderMap) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Vec::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = if endpoint.has_sessions() { "POST, GET, DELETE" } else { "POST" };
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    // `*` leaves out Authorization, and is no wildcard on requests with cookies; `Mcp-Param-*` can not be listed. What is asked for
    // is answered in any case: which origins may call, another list says.
    let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|names| names.len() <= MOST_NAMES);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.cloned().unwrap_or(HeaderValue::from_static("*, authorization")));
    response
}

/// Lets pages of this origin read the answer, if they may call at all.
pub(super) fn allow(endpoint: &Endpoint, origin: &HeaderValue, headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if !origin.to_str().is_ok_and(|origin| endpoint.access.origins.allows_origin(origin)) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate"));
    let takes_cookies = |origin| endpoint.access.auth.as_ref().is_some_and(|auth| auth.takes_cookies_of(origin));
    if origin.to_str().is_ok_and(takes_cookies) {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

//! The document that says who issues tokens for this server (RFC 9728): for everybody, from any page.

use ::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE,
};
use ::http::{HeaderValue, Method, Response, StatusCode};

use super::body::ReplyBody;
use crate::endpoint::Metadata;

/// Where clients look that were told no other place (RFC 9728 section 3.1). Served only by a server that has its origin for itself.
pub(super) const ROOT: &str = "/.well-known/oauth-protected-resource";

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

pub(super) fn answer(metadata: &Metadata, method: &Method) -> Response<ReplyBody> {
    let (status, body) = match *method {
        Method::GET | Method::HEAD => (StatusCode::OK, metadata.body.to_vec()),
        Method::OPTIONS => (StatusCode::NO_CONTENT, Vec::new()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
    };
    let mut response = Response::new(ReplyBody::whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    match status {
        StatusCode::OK => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        }
        StatusCode::NO_CONTENT => {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        _ => {
            headers.insert(ALLOW, METHODS);
        }
    }
    response
}

//! Answers that are the same for every server.

#[cfg(feature = "fetch")]
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use crate::{Auth, Rejection, RejectionKind};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Auth {
    /// The whole answer to a request that is turned down; with `None`, to one that carries no credential.
    ///
    /// Its body is a JSON object with the code `error`, and an `error_description` where that helps. Unknown, expired and
    /// revoked credentials are answered alike.
    #[must_use]
    pub fn refusal(&self, rejection: Option<&Rejection>) -> Response<Vec<u8>> {
        let kind = rejection.map_or(RejectionKind::InvalidToken, Rejection::kind);
        let error = match kind {
            RejectionKind::InvalidRequest => "invalid_request",
            RejectionKind::InvalidToken => "unauthorized",
            RejectionKind::InsufficientScope => "insufficient_scope",
            RejectionKind::CrossSite => "forbidden",
            RejectionKind::UnsupportedMediaType => "unsupported_media_type",
            RejectionKind::TooManyAttempts => "too_many_requests",
            RejectionKind::Unavailable => "temporarily_unavailable",
        };
        let body = match rejection {
            Some(rejection) if kind != RejectionKind::InvalidToken => {
                json!({ "error": error, "error_description": rejection.message() })
            }
            _ => json!({ "error": error }),
        };
        let mut response = answer(kind.status(), body.to_string().into_bytes());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        // A challenge asks for another credential, which would not help against the others.
        let is_challenge =
            matches!(kind, RejectionKind::InvalidRequest | RejectionKind::InvalidToken | RejectionKind::InsufficientScope);
        if is_challenge {
            headers.insert(WWW_AUTHENTICATE, self.challenge(rejection).header_value());
        }
        if let Some(after) = rejection.and_then(Rejection::retry_after) {
            // Whoever comes back before is told the same again.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }

    /// The answer at [`Resource::metadata_path`](crate::Resource::metadata_path): the document to a GET, and to an OPTIONS
    /// that pages of every origin may read it. `None` where there is [no document](Self::metadata).
    #[must_use]
    pub fn metadata_answer(&self, method: &Method) -> Option<Response<Vec<u8>>> {
        let document = self.metadata()?;
        Some(match *method {
            Method::GET | Method::HEAD => published(json!(document).to_string().into_bytes(), "public, max-age=3600"),
            _ => about_published(method),
        })
    }
}

/// A document for everybody, and for pages of every origin.
pub(crate) fn published(document: Vec<u8>, caching: &'static str) -> Response<Vec<u8>> {
    let mut response = answer(StatusCode::OK, document);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// There is no such document now.
#[cfg(feature = "fetch")]
pub(crate) fn not_published(retry_after: Duration) -> Response<Vec<u8>> {
    let body = json!({ "error": "temporarily_unavailable" }).to_string().into_bytes();
    let mut response = published(body, "no-store");
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    response
}

/// What other methods than GET and HEAD are answered, where there is a document.
pub(crate) fn about_published(method: &Method) -> Response<Vec<u8>> {
    let is_question = *method == Method::OPTIONS;
    let mut response = answer(if is_question { StatusCode::NO_CONTENT } else { StatusCode::METHOD_NOT_ALLOWED }, Vec::new());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if is_question {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
        // Browser clients add `MCP-Protocol-Version`.
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    } else {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    response
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

//! Answers that are the same for every server.

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
        let mut response = match *method {
            Method::GET | Method::HEAD => answer(StatusCode::OK, json!(document).to_string().into_bytes()),
            Method::OPTIONS => answer(StatusCode::NO_CONTENT, Vec::new()),
            _ => answer(StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
        };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        match *method {
            Method::GET | Method::HEAD => {
                headers.insert(CONTENT_TYPE, JSON);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
            }
            Method::OPTIONS => {
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS"));
                // Browser clients add `MCP-Protocol-Version`.
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
                headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
            }
            _ => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            }
        }
        Some(response)
    }
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

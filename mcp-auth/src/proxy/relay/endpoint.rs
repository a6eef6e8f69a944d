//! Where a person obtains a relay session.

use std::time::SystemTime;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use super::super::HEADER;
use super::{RELAY_SCOPE, RelayError, RelaySessions};
use crate::cookie::check;
use crate::{Challenge, ChallengeError, Principal, Scheme};

impl RelaySessions {
    /// Answers the request of a caller who is decided, and wants a relay session:
    ///
    /// ```json
    /// {"token": "mcpr1.AXgd…", "expires_in": 3600, "header": "x-mcp-proxy-session-token"}
    /// ```
    ///
    /// `expires_in` is in seconds. It is a `POST`, whose body is not read. Of a session it must come from a page of this site:
    /// with an `Origin` that may use sessions or `Sec-Fetch-Site: same-origin`, and `Content-Type: application/json`. What is
    /// turned down is answered with `{"error": "…"}` and 405, 403, 415, 401 or 503. No cache keeps any of these answers.
    #[must_use]
    pub fn respond(&self, head: &Parts, caller: &Principal, now: SystemTime) -> Response<Vec<u8>> {
        if head.method != Method::POST {
            let answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "a relay session is asked for by POST");
            return with(answer, ALLOW, HeaderValue::from_static("POST"));
        }
        // What no browser sends by itself needs no page.
        if caller.scheme() != Scheme::Bearer
            && let Err(rejection) = check(head, Some(&self.resource))
        {
            return refusal(rejection.kind().status(), rejection.message());
        }
        let (token, until) = match self.sealed(head, caller, now) {
            Ok(sealed) => sealed,
            Err(error) => return turned_down(&error),
        };
        let left = until.duration_since(now).unwrap_or_default();
        answer(StatusCode::OK, &json!({ "token": token, "expires_in": left.as_secs(), "header": HEADER.as_str() }))
    }
}

fn turned_down(error: &RelayError) -> Response<Vec<u8>> {
    let (status, challenge) = match error {
        RelayError::Scope => (
            StatusCode::FORBIDDEN,
            Some(Challenge::new().error(ChallengeError::InsufficientScope, error.to_string()).scope([RELAY_SCOPE])),
        ),
        RelayError::Ended => {
            (StatusCode::UNAUTHORIZED, Some(Challenge::new().error(ChallengeError::InvalidToken, error.to_string())))
        }
        RelayError::Relayed | RelayError::Unchecked | RelayError::TooLong => (StatusCode::FORBIDDEN, None),
        RelayError::Seal(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    let answer = refusal(status, &error.to_string());
    match challenge {
        Some(challenge) => with(answer, WWW_AUTHENTICATE, challenge.header_value()),
        None => answer,
    }
}

fn refusal(status: StatusCode, error: &str) -> Response<Vec<u8>> {
    answer(status, &json!({ "error": error }))
}

fn answer(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut answer = Response::new(body.to_string().into_bytes());
    *answer.status_mut() = status;
    let answer = with(answer, CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with(answer, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn with(mut answer: Response<Vec<u8>>, name: HeaderName, value: HeaderValue) -> Response<Vec<u8>> {
    answer.headers_mut().insert(name, value);
    answer
}

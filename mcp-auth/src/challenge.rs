//! The `WWW-Authenticate` challenge (RFC 6750 section 3, RFC 9728 section 5.1).

use http::{HeaderValue, StatusCode};

use crate::{Rejection, RejectionKind, is_scope_token};

/// The `error` attribute of a challenge (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeError {
    /// HTTP 400.
    InvalidRequest,
    /// HTTP 401.
    InvalidToken,
    /// HTTP 403.
    InsufficientScope,
}

impl ChallengeError {
    /// The status the challenge goes with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

/// Builds one `Bearer` challenge.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    error: Option<(ChallengeError, Option<String>)>,
    scope: Vec<String>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// The challenge for a request without credentials: it carries no `error` (RFC 6750 section 3.1).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The challenge for a request that was turned down. It has no `error` where none of RFC 6750's codes fits.
    #[must_use]
    pub fn rejected(rejection: &Rejection) -> Self {
        let error = match rejection.kind() {
            RejectionKind::InvalidRequest => ChallengeError::InvalidRequest,
            RejectionKind::InvalidToken => ChallengeError::InvalidToken,
            RejectionKind::InsufficientScope => ChallengeError::InsufficientScope,
            RejectionKind::CrossSite
            | RejectionKind::UnsupportedMediaType
            | RejectionKind::TooManyAttempts
            | RejectionKind::Unavailable => return Self::new(),
        };
        Self::new().error(error, rejection.message())
    }

    /// With an error and its description.
    #[must_use]
    pub fn error(mut self, error: ChallengeError, description: impl Into<String>) -> Self {
        self.error = Some((error, Some(description.into())));
        self
    }

    /// With every scope that this request needs; what is no scope token is left out.
    #[must_use]
    pub fn scope<'s>(mut self, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        self.scope.extend(scopes.into_iter().filter(|scope| is_scope_token(scope)).map(str::to_owned));
        self
    }

    /// With the URL of the protected resource metadata.
    #[must_use]
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// The status of the answer that carries this challenge.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.error.as_ref().map_or(StatusCode::UNAUTHORIZED, |(error, _)| error.status())
    }

    /// The header's value.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        let mut attributes = Vec::new();
        if let Some((error, description)) = &self.error {
            attributes.push(attribute("error", error.code()));
            attributes.extend(description.as_deref().map(|text| attribute("error_description", text)));
        }
        if !self.scope.is_empty() {
            attributes.push(attribute("scope", &self.scope.join(" ")));
        }
        attributes.extend(self.resource_metadata.as_deref().map(|url| attribute("resource_metadata", url)));
        let text = if attributes.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", attributes.join(", ")) };
        // `attribute` lets only printable ASCII through, so this holds; the scheme alone is still a valid challenge.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// A quoted attribute. Characters that a quoted-string or RFC 6750 does not allow become spaces.
fn attribute(name: &str, value: &str) -> String {
    let value: String = value.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { ' ' }).collect();
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_credentials_there_is_no_error_code() {
        assert_eq!(Challenge::new().header_value(), "Bearer");
        let challenge = Challenge::new().scope(["a:read", "not a scope"]).resource_metadata("https://h/x");
        assert_eq!(challenge.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge.header_value(), r#"Bearer scope="a:read", resource_metadata="https://h/x""#);
    }

    #[test]
    fn a_description_cannot_break_out_of_its_quotes() {
        let challenge = Challenge::new().error(ChallengeError::InsufficientScope, "a\", evil=\"1\r\nX: y");
        assert_eq!(challenge.status(), StatusCode::FORBIDDEN);
        assert_eq!(challenge.header_value(), r#"Bearer error="insufficient_scope", error_description="a , evil= 1  X: y""#);
    }
}

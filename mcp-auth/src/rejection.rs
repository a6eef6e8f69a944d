//! Why a credential was turned down: one text for the client, another for the log.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::digest::{hex, sha256};

/// Which fault a rejected request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request can be read in two ways, or not at all: HTTP 400, `invalid_request` (RFC 6750 section 3.1).
    InvalidRequest,
    /// The credential is unknown, expired, revoked, or for somebody else: HTTP 401, `invalid_token`. Which, the client is not told.
    InvalidToken,
    /// The caller is known and may not do this: HTTP 403, `insufficient_scope`.
    InsufficientScope,
    /// A cookie came with a request that may be another site's doing: HTTP 403.
    CrossSite,
    /// A cookie came with a body that a form can send: HTTP 415.
    UnsupportedMediaType,
    /// Too many wrong credentials came from there: HTTP 429.
    TooManyAttempts,
    /// Who could tell does not answer: HTTP 503.
    Unavailable,
}

impl RejectionKind {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The longest detail, in characters.
const MAX_DETAIL: usize = 300;

/// Why a request was turned down.
///
/// What it is shown as, by [`Display`](fmt::Display), is for the log: a code, details, and where there was a credential the
/// first eight digits of its SHA-256, by which two lines can be told to be about one. The credential is in no text.
#[derive(Clone, Debug)]
pub struct Rejection {
    kind: RejectionKind,
    reason: &'static str,
    detail: Option<Box<str>>,
    retry_after: Option<Duration>,
    checksum: Option<[u8; 4]>,
}

impl Rejection {
    fn new(kind: RejectionKind, reason: &'static str) -> Self {
        Self { kind, reason, detail: None, retry_after: None, checksum: None }
    }

    /// The request can not be read. `reason` goes to the client and the log.
    #[must_use]
    pub fn invalid_request(reason: &'static str) -> Self {
        Self::new(RejectionKind::InvalidRequest, reason)
    }

    /// The credential does not hold. `reason` is a short code for the log, `expired` for example; all clients read the same.
    #[must_use]
    pub fn invalid_token(reason: &'static str) -> Self {
        Self::new(RejectionKind::InvalidToken, reason)
    }

    /// Whether the credential holds can not be told now. `reason` is a short code for the log.
    #[must_use]
    pub fn unavailable(reason: &'static str, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(RejectionKind::Unavailable, reason) }
    }

    pub(crate) fn too_many_attempts(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(RejectionKind::TooManyAttempts, "too_many_attempts") }
    }

    pub(crate) fn insufficient_scope() -> Self {
        Self::new(RejectionKind::InsufficientScope, "insufficient_scope")
    }

    pub(crate) fn cross_site(reason: &'static str) -> Self {
        Self::new(RejectionKind::CrossSite, reason)
    }

    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(RejectionKind::UnsupportedMediaType, "cookie_without_json")
    }

    /// With what an operator needs to know beside the code; never the credential.
    #[must_use]
    pub fn detail(self, detail: impl AsRef<str>) -> Self {
        // It may come from elsewhere: one line, and not a long one.
        let line = detail.as_ref().chars().take(MAX_DETAIL).flat_map(char::escape_debug);
        Self { detail: Some(line.collect::<String>().into()), ..self }
    }

    /// With the credential that this is about, of which only a checksum is kept.
    #[must_use]
    pub fn of(mut self, credential: &str) -> Self {
        self.checksum = sha256(credential.as_bytes()).first_chunk().copied();
        self
    }

    /// The fault.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The code of the reason, for the log.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// What the client reads.
    #[must_use]
    pub fn message(&self) -> &'static str {
        match self.kind {
            RejectionKind::InvalidRequest => self.reason,
            RejectionKind::InvalidToken => "the credential is not valid",
            RejectionKind::InsufficientScope => "the credential lacks a scope",
            RejectionKind::CrossSite => "a session counts only for pages of this site: the Origin is missing, or another's",
            RejectionKind::UnsupportedMediaType => "with a session, Content-Type must be application/json",
            RejectionKind::TooManyAttempts => "too many credentials that are not valid; try again later",
            RejectionKind::Unavailable => "whether the credential is valid can not be told now; try again later",
        }
    }

    /// When to try again, where that helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(checksum) = &self.checksum {
            write!(f, " (credential {})", hex(checksum))?;
        }
        Ok(())
    }
}

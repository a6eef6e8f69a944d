//! The authenticator trait and the chain.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::Principal;

/// What [`Authenticate::authenticate`] returns.
pub type AuthenticateFuture<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Recognises one kind of credential.
pub trait Authenticate: Send + Sync + 'static {
    /// Looks at the head of a request. Must answer [`Verdict::NotMine`] only where the request carries no credential of
    /// its kind; a credential of its kind that does not hold is [`Verdict::Rejected`].
    fn authenticate<'a>(&'a self, request: &'a Parts) -> AuthenticateFuture<'a>;

    /// What is wrong with the configuration, one sentence each; asked once, before the server starts.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What one authenticator says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// The request carries no credential of this kind.
    NotMine,
    /// The credential holds.
    Accepted(Principal),
    /// The credential is of this kind and does not hold.
    Rejected(Rejection),
}

/// What the whole chain says.
#[derive(Clone, Debug)]
pub enum Decision {
    /// No credential came with the request.
    Anonymous,
    /// A credential holds.
    Accepted(Principal),
    /// A credential came and does not hold.
    Rejected(Rejection),
}

/// Which fault a rejected credential has, in RFC 6750's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The header cannot be read: HTTP 400, `invalid_request`.
    InvalidRequest,
    /// The credential is unknown, expired, revoked, or for somebody else: HTTP 401, `invalid_token`.
    InvalidToken,
}

/// Why a credential was turned down: one text for the client, one for the log.
#[derive(Clone, Debug)]
pub struct Rejection {
    kind: RejectionKind,
    message: &'static str,
    log: String,
}

impl Rejection {
    /// A rejection. `message` goes to the client, so it is a fixed text that tells nothing about the server; `log` says
    /// what an operator needs to know, without the credential itself.
    #[must_use]
    pub fn new(kind: RejectionKind, message: &'static str, log: impl Into<String>) -> Self {
        Self { kind, message, log: log.into() }
    }

    /// The fault.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The client's text.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// The log's text.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }
}

/// Authenticators, all asked, in order. One rejection rejects the request; of several that accept, the first says who calls.
#[derive(Clone, Default)]
pub struct Auth {
    links: Vec<Arc<dyn Authenticate>>,
}

impl Auth {
    /// An empty chain. It must be given at least one authenticator before it is used.
    #[must_use]
    pub fn chain() -> Self {
        Self::default()
    }

    /// Appends an authenticator.
    #[must_use]
    pub fn with(mut self, authenticator: impl Authenticate) -> Self {
        self.links.push(Arc::new(authenticator));
        self
    }

    /// What is wrong with the configuration, over all authenticators.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if self.links.is_empty() {
            return vec!["the authentication chain is empty, so it would accept nobody: add one with `.with(..)`".to_owned()];
        }
        self.links.iter().flat_map(|link| link.problems()).collect()
    }

    /// Decides who sends this request.
    pub async fn decide(&self, request: &Parts) -> Decision {
        // Two copies could be read differently by a proxy and by us.
        if request.headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
            return Decision::Rejected(Rejection::new(
                RejectionKind::InvalidRequest,
                "more than one Authorization header",
                "more than one Authorization header",
            ));
        }
        // All are asked: a right cookie does not excuse a wrong token beside it.
        let mut accepted = None;
        for link in &self.links {
            match link.authenticate(request).await {
                Verdict::NotMine => {}
                Verdict::Accepted(principal) if principal.expires_at().is_some_and(|end| end <= SystemTime::now()) => {
                    let log = format!("the credential of `{}` has expired", principal.subject());
                    return Decision::Rejected(Rejection::new(RejectionKind::InvalidToken, "the credential has expired", log));
                }
                Verdict::Accepted(principal) => accepted = accepted.or(Some(principal)),
                Verdict::Rejected(rejection) => return Decision::Rejected(rejection),
            }
        }
        if let Some(principal) = accepted {
            return Decision::Accepted(principal);
        }
        // A credential that nobody claims is wrong, not absent.
        if request.headers.contains_key(AUTHORIZATION) {
            return Decision::Rejected(Rejection::new(
                RejectionKind::InvalidToken,
                "no such authentication scheme here",
                "an Authorization header that no authenticator claims",
            ));
        }
        Decision::Anonymous
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("authenticators", &self.links.len()).finish()
    }
}

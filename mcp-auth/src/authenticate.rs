//! What recognises a credential.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::SystemTime;

use http::HeaderName;
use http::request::Parts;

use crate::digest::sha256;
use crate::{Look, Network, Principal, Rejection, Resource};

/// What [`Authenticate::authenticate`] returns.
pub type AuthenticateFuture<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Recognises one kind of credential.
///
/// The chain finds the credential in the request and decides whose it is, so an authenticator never searches, and never sees
/// a credential that is another's. A function from the head of a request to a future of a [`Verdict`] is an authenticator too,
/// which looks [anywhere](Place::Anywhere) itself:
///
/// ```
/// use mcp_auth::{Auth, Principal, Verdict, Rejection};
///
/// let auth = Auth::chain().with(|head: &http::request::Parts| {
///     let badge = head.headers.get("x-badge").cloned();
///     async move {
///         match badge {
///             None => Verdict::NotMine,
///             Some(badge) if badge == "a secret of the gate" => Verdict::Accepted(Principal::user("gate")),
///             Some(_) => Verdict::Rejected(Rejection::invalid_token("unknown_badge")),
///         }
///     }
/// });
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Where its credentials stand. Asked once, when it is added to a chain.
    fn places(&self) -> Vec<Place>;

    /// Is this bearer token one of its kind, by its look alone? For [`Place::Bearer`]; nobody else is asked about such a token.
    fn owns(&self, token: Presented<'_>) -> bool {
        let _ = token;
        false
    }

    /// How the bearer tokens look that it owns, where that can be said: a chain in which another owns them first does not build.
    fn looks(&self) -> Vec<Look> {
        Vec::new()
    }

    /// Does this credential hold, and whose is it? [`Verdict::NotMine`] is for a session in which nobody is logged in; what is
    /// wrong is [`Verdict::Rejected`].
    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a>;

    /// What is wrong with the configuration, one sentence each; asked once, before the server starts.
    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        let _ = resource;
        Vec::new()
    }

    /// The authorization servers that issue its tokens, by their issuer identifiers: clients are sent there (RFC 9728).
    fn issuers(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Where a credential stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// `Authorization: Bearer`, of the tokens that the authenticator [owns](Authenticate::owns).
    Bearer,
    /// `Authorization: Bearer`, of all opaque tokens that nobody owns. One in a chain, and the last that reads bearer tokens.
    /// JWTs are never among them: the token of an issuer that is not known here is nobody's to see.
    AnyBearer,
    /// `Authorization` of another scheme: what follows its name.
    Scheme(Box<str>),
    /// A header of its own.
    Header(HeaderName),
    /// A cookie of this name. Browsers send it with requests of any page, so it counts only where the request shows that it
    /// came from a page of an allowed origin.
    Cookie(Box<str>),
    /// Where the authenticator looks itself; for what is neither in `Authorization` nor a cookie. It is asked with every request
    /// whose other credentials are right.
    Anywhere,
}

/// What stands at a place of a request. Its SHA-256 is made once, and only where somebody looks by it.
pub(crate) struct Credential<'a> {
    text: &'a str,
    sha256: OnceLock<[u8; 32]>,
}

impl<'a> Credential<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, sha256: OnceLock::new() }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }
}

/// A credential as it came.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    pub(crate) credential: &'a Credential<'a>,
    pub(crate) head: &'a Parts,
    pub(crate) resource: Option<&'a Resource>,
    pub(crate) now: SystemTime,
}

impl<'a> Presented<'a> {
    /// The token, the header's value, or the cookie's. Empty where the authenticator looks itself.
    #[must_use]
    pub fn credential(&self) -> &'a str {
        self.credential.text
    }

    /// The SHA-256 of the credential: what it can be known by without being kept.
    #[must_use]
    pub fn sha256(&self) -> &'a [u8; 32] {
        self.credential.sha256.get_or_init(|| sha256(self.credential.text.as_bytes()))
    }

    /// The head of the request.
    #[must_use]
    pub fn head(&self) -> &'a Parts {
        self.head
    }

    /// What the credential must have been issued for, where the server knows its public URL.
    #[must_use]
    pub fn resource(&self) -> Option<&'a Resource> {
        self.resource
    }

    /// The time to judge by.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// Who is at the other end of the connection: a proxy, where there is one. `None` where the server did not say.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.head.extensions.get::<Peer>().map(|peer| peer.0)
    }

    /// The network of the peer.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        self.head.extensions.get::<Peer>().map(|peer| peer.network())
    }
}

/// What is presented is a secret.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("uri", &self.head.uri).field("now", &self.now).finish_non_exhaustive()
    }
}

/// The address at the other end of a request's connection, among the request's extensions. Servers put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What one authenticator says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Nobody is logged in, or the request carries nothing that this authenticator looks for.
    NotMine,
    /// The credential holds.
    Accepted(Principal),
    /// The credential does not hold.
    Rejected(Rejection),
}

impl From<Result<Principal, Rejection>> for Verdict {
    fn from(judged: Result<Principal, Rejection>) -> Self {
        judged.map_or_else(Self::Rejected, Self::Accepted)
    }
}

impl<F, R> Authenticate for F
where
    F: Fn(&Parts) -> R + Send + Sync + 'static,
    R: Future<Output = Verdict> + Send + 'static,
{
    fn places(&self) -> Vec<Place> {
        vec![Place::Anywhere]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(self(presented.head))
    }
}

/// A function that judges the credentials of one place.
pub(crate) struct Judge<F> {
    pub(crate) place: Place,
    pub(crate) judge: F,
}

impl<F, R> Authenticate for Judge<F>
where
    F: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = Verdict> + Send + 'static,
{
    fn places(&self) -> Vec<Place> {
        vec![self.place.clone()]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin((self.judge)(presented.credential().to_owned()))
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        if self.place != Place::Bearer {
            return Vec::new();
        }
        vec![
            "a function owns no bearer tokens, so it would never be asked: give it those that nobody owns with `Place::AnyBearer`, or implement `Authenticate` with `owns`"
                .to_owned(),
        ]
    }
}

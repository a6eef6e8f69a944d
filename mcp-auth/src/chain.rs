//! The chain: which credential of a request counts, whose it is, and what becomes of the request.

mod problems;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::attempts::{Attempt, Attempts, Damper};
use crate::authenticate::{Authenticate, Credential, Judge, Place, Presented, Verdict};
use crate::bearer::{Authorization, authorization, is_jwt, listed, quoted, with_issuer};
use crate::cookie::{check, cookie};
use crate::{Challenge, Look, Principal, Rejection, RejectionKind, Resource};

/// What the whole chain says.
#[derive(Clone, Debug)]
pub enum Decision {
    /// No credential came with the request.
    Anonymous,
    /// A credential holds.
    Accepted(Principal),
    /// The request is turned down.
    Rejected(Rejection),
}

/// Who may come in: authenticators, and what all callers need.
///
/// One credential counts. What a client sends on purpose (`Authorization`, or an authenticator's own header) goes before what
/// browsers send by themselves: cookies are not even read beside it. Two of them in one request, or one header twice, are
/// refused, since somebody between might read the other. A credential that is there and wrong ends the request; it never falls
/// through to the next authenticator, and never becomes an anonymous call. Nothing is read from the URL or the body.
#[derive(Clone)]
pub struct Auth {
    links: Vec<Link>,
    scopes: Vec<Box<str>>,
    resource: Option<Resource>,
    clock: fn() -> SystemTime,
    damper: Option<Arc<Damper>>,
}

#[derive(Clone)]
struct Link {
    places: Vec<Place>,
    authenticator: Arc<dyn Authenticate>,
}

impl Link {
    fn is_at(&self, wanted: &Place) -> bool {
        self.places.contains(wanted)
    }
}

impl Default for Auth {
    fn default() -> Self {
        let damper = Some(Arc::new(Damper::new(Attempts::default())));
        Self { links: Vec::new(), scopes: Vec::new(), resource: None, clock: SystemTime::now, damper }
    }
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
        self.links.push(Link { places: authenticator.places(), authenticator: Arc::new(authenticator) });
        self
    }

    /// Appends a function that judges the credentials of one place: `auth.with_fn(Place::AnyBearer, |token| async move { .. })`.
    /// Not those of [`Place::Bearer`]: a function can not tell which are its own.
    #[must_use]
    pub fn with_fn<F, R>(self, place: Place, judge: F) -> Self
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Verdict> + Send + 'static,
    {
        self.with(Judge { place, judge })
    }

    /// With further scopes that every caller needs, whatever it calls. What a caller has is said where it is recognised, as by
    /// [`Principal::scopes`].
    #[must_use]
    pub fn require_scopes<S: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// What is protected. `mcp-runtime` says it, from the server's public URL.
    #[must_use]
    pub fn protecting(self, resource: Resource) -> Self {
        Self { resource: Some(resource), ..self }
    }

    /// How many wrong credentials are looked at; `None` for all. Default: [`Attempts::default`]. Clones of a chain count
    /// together.
    #[must_use]
    pub fn attempts(self, attempts: impl Into<Option<Attempts>>) -> Self {
        Self { damper: attempts.into().map(|attempts| Arc::new(Damper::new(attempts))), ..self }
    }

    /// Another clock, for tests of credentials that end.
    #[must_use]
    pub fn clock(self, clock: fn() -> SystemTime) -> Self {
        Self { clock, ..self }
    }

    /// The authorization servers whose tokens are accepted, by issuer.
    #[must_use]
    pub fn issuers(&self) -> Vec<String> {
        let mut issuers: Vec<_> = self.links.iter().flat_map(|link| link.authenticator.issuers()).collect();
        let mut seen = Vec::new();
        issuers.retain(|issuer| {
            !seen.contains(issuer) && {
                seen.push(issuer.clone());
                true
            }
        });
        issuers
    }

    /// The scopes that every caller needs.
    pub fn required_scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(AsRef::as_ref)
    }

    /// What is protected.
    #[must_use]
    pub fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// The headers that carry credentials, beside `Authorization` and `Cookie`: not for handlers to see.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.links.iter().flat_map(|link| &link.places).filter_map(|place| match place {
            Place::Header(name) => Some(name),
            _ => None,
        })
    }

    /// Do sessions count on requests of this origin's pages? Then browsers must be told so.
    #[must_use]
    pub fn takes_cookies_of(&self, origin: &str) -> bool {
        self.cookies().next().is_some() && self.resource.as_ref().is_some_and(|resource| resource.allows_origin(origin))
    }

    /// The cookies that carry sessions.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = &str> {
        self.links.iter().flat_map(|link| &link.places).filter_map(|place| match place {
            Place::Cookie(name) => Some(&**name),
            _ => None,
        })
    }

    /// Decides who sends this request.
    pub async fn decide(&self, head: &Parts) -> Decision {
        self.decide_at(head, (self.clock)()).await
    }

    pub(crate) async fn decide_at(&self, head: &Parts, now: SystemTime) -> Decision {
        let (principal, credential) = match self.credential(head, now).await {
            Ok(Some(found)) => found,
            Ok(None) => return Decision::Anonymous,
            Err(rejection) => return Decision::Rejected(rejection),
        };
        if self.scopes.iter().any(|scope| !principal.granted().grants(scope)) {
            let lacking = Rejection::insufficient_scope().detail(principal.subject());
            return Decision::Rejected(about(lacking, credential));
        }
        Decision::Accepted(principal)
    }

    /// The challenge of an answer that turns a request down: with `None`, one without a credential.
    #[must_use]
    pub fn challenge(&self, rejection: Option<&Rejection>) -> Challenge {
        let challenge = rejection.map_or_else(Challenge::new, Challenge::rejected).scope(self.required_scopes());
        match &self.resource {
            Some(resource) if !self.issuers().is_empty() => challenge.resource_metadata(resource.metadata_url()),
            _ => challenge,
        }
    }

    /// Who calls, and by which credential: an empty one where an authenticator found it by itself.
    async fn credential<'a>(&'a self, head: &'a Parts, now: SystemTime) -> Result<Option<(Principal, &'a str)>, Rejection> {
        let mut accepted = match self.explicit(head, now)? {
            None => None,
            Some((link, credential)) => {
                let presented = self.present(&credential, head, now);
                match self.ask(link, presented).await? {
                    Some(principal) => Some((principal, credential.text())),
                    None => return Err(self.nobodys(presented)),
                }
            }
        };
        for link in self.links.iter().filter(|link| link.is_at(&Place::Anywhere)) {
            let found_by_itself = Credential::new("");
            let presented = self.present(&found_by_itself, head, now);
            let Some(principal) = self.ask(link, presented).await? else { continue };
            if accepted.replace((principal, "")).is_some() {
                return Err(Rejection::invalid_request("more than one credential"));
            }
        }
        match accepted {
            Some(accepted) => Ok(Some(accepted)),
            None => self.session(head, now).await,
        }
    }

    fn present<'a>(&'a self, credential: &'a Credential<'a>, head: &'a Parts, now: SystemTime) -> Presented<'a> {
        Presented { credential, head, resource: self.resource.as_ref(), now }
    }

    /// The one credential that the client sent on purpose, and whose it is.
    fn explicit<'a>(&'a self, head: &'a Parts, now: SystemTime) -> Result<Option<(&'a Link, Credential<'a>)>, Rejection> {
        let mut found = None;
        let mut add = |link: Option<&'a Link>, credential: Credential<'a>| match found.replace((link, credential)) {
            None => Ok(()),
            Some(_) => Err(Rejection::invalid_request("more than one credential")),
        };
        if head.headers.contains_key(AUTHORIZATION) {
            match authorization(head)? {
                Authorization::Bearer(token) => {
                    let token = Credential::new(token);
                    add(self.owner(self.present(&token, head, now)), token)?;
                }
                Authorization::Other(scheme, credential) => match self.of_scheme(scheme) {
                    // One word that is no scheme here is a credential without one.
                    None if credential.is_empty() => add(None, Credential::new(scheme))?,
                    link => add(link, Credential::new(credential))?,
                },
            }
        }
        for link in &self.links {
            for place in &link.places {
                let Place::Header(name) = place else { continue };
                let mut values = head.headers.get_all(name).iter();
                let Some(value) = values.next() else { continue };
                let credential = value.to_str().map_err(|_| Rejection::invalid_request("malformed credential"))?;
                if let Some(second) = values.next() {
                    let twice = Rejection::invalid_request("a header with a credential is given twice");
                    let is_one = second == value && values.all(|other| other == value);
                    return Err(if is_one { about(twice, credential) } else { twice });
                }
                add(Some(link), Credential::new(credential))?;
            }
        }
        match found {
            None => Ok(None),
            Some((Some(link), credential)) => Ok(Some((link, credential))),
            // What nobody knows is wrong, not absent.
            Some((None, credential)) => Err(self.nobodys(self.present(&credential, head, now))),
        }
    }

    /// What becomes of a credential that is this authenticator's, or of the one that it finds, where this one is empty.
    async fn ask(&self, link: &Link, presented: Presented<'_>) -> Result<Option<Principal>, Rejection> {
        let attempt = self.attempt(presented)?;
        let answer = match link.authenticator.authenticate(presented).await {
            Verdict::NotMine => Ok(None),
            Verdict::Accepted(principal) if principal.expires_at().is_some_and(|end| end <= presented.now) => {
                Err(Rejection::invalid_token("expired").detail(principal.subject()))
            }
            Verdict::Accepted(principal) => Ok(Some(principal)),
            Verdict::Rejected(rejection) => Err(rejection),
        };
        if let Some(attempt) = attempt {
            match &answer {
                Ok(Some(_)) => attempt.held(),
                Err(rejection) if rejection.kind() == RejectionKind::InvalidToken => attempt.failed(),
                _ => {}
            }
        }
        answer.map_err(|rejection| about(rejection, presented.credential()))
    }

    /// What becomes of a credential that no authenticator knows.
    fn nobodys(&self, presented: Presented<'_>) -> Rejection {
        match self.attempt(presented) {
            Ok(attempt) => {
                attempt.iter().for_each(Attempt::failed);
                let rejection = Rejection::invalid_token("nobodys");
                let rejection = match self.why_nobodys(presented) {
                    None => rejection,
                    Some(why) => rejection.detail(why),
                };
                about(rejection, presented.credential())
            }
            Err(too_many) => too_many,
        }
    }

    /// What an operator would look for first.
    fn why_nobodys(&self, presented: Presented<'_>) -> Option<String> {
        let credential = presented.credential();
        let is_all = |value: &HeaderValue| !credential.is_empty() && value.as_bytes().trim_ascii() == credential.as_bytes();
        if presented.head().headers.get(AUTHORIZATION).is_some_and(is_all) {
            return Some("no scheme: write `Bearer <token>`".to_owned());
        }
        if !is_jwt(credential) {
            return None;
        }
        let theirs = with_issuer(credential, quoted)?;
        let looks = self.links.iter().flat_map(|link| link.authenticator.looks());
        let ours: Vec<_> = looks.filter_map(|look| if let Look::Issuer(issuer) = look { Some(issuer) } else { None }).collect();
        Some(match listed(&mut ours.iter().map(AsRef::as_ref)) {
            None => format!("a JWT of {theirs}"),
            Some(ours) => format!("a JWT of {theirs}, not of {ours}"),
        })
    }

    fn attempt(&self, presented: Presented<'_>) -> Result<Option<Attempt<'_>>, Rejection> {
        self.damper.as_ref().map(|damper| damper.begin(presented.network(), presented.credential())).transpose()
    }

    /// Whose a bearer token is, told without asking anybody who would have to try it.
    fn owner(&self, token: Presented<'_>) -> Option<&Link> {
        let owner = self.links.iter().find(|link| link.is_at(&Place::Bearer) && link.authenticator.owns(token));
        owner.or_else(|| self.links.iter().find(|link| link.is_at(&Place::AnyBearer)).filter(|_| !is_jwt(token.credential())))
    }

    fn of_scheme(&self, scheme: &str) -> Option<&Link> {
        let is_it = |place: &Place| matches!(place, Place::Scheme(known) if known.eq_ignore_ascii_case(scheme));
        self.links.iter().find(|link| link.places.iter().any(is_it))
    }

    /// What a browser sends by itself.
    async fn session<'a>(&self, head: &'a Parts, now: SystemTime) -> Result<Option<(Principal, &'a str)>, Rejection> {
        for link in &self.links {
            for place in &link.places {
                let Place::Cookie(name) = place else { continue };
                let Some(cookie) = cookie(&head.headers, name)? else { continue };
                check(head, self.resource.as_ref()).map_err(|rejection| about(rejection, cookie))?;
                let credential = Credential::new(cookie);
                if let Some(principal) = self.ask(link, self.present(&credential, head, now)).await? {
                    return Ok(Some((principal, cookie)));
                }
            }
        }
        Ok(None)
    }
}

/// A chain of one.
impl<A: Authenticate> From<A> for Auth {
    fn from(authenticator: A) -> Self {
        Self::chain().with(authenticator)
    }
}

/// With the credential, where the chain has seen one.
fn about(rejection: Rejection, credential: &str) -> Rejection {
    if credential.is_empty() { rejection } else { rejection.of(credential) }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("authenticators", &self.links.len())
            .field("scopes", &self.scopes)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

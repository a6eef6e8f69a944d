//! What a token must say, and the caller that it then stands for.

use std::time::{Duration, SystemTime};

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::key_set::algorithm;
use super::token::Token;
use crate::bearer::{foreign_audience, foreign_issuer, listed, quoted};
use crate::{Principal, Rejection, Resource, Scheme, Scopes};

/// How an access token differs from what else an issuer signs with the same keys, where its `typ` does not say so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Claims that only other tokens have.
    pub(super) foreign: &'static [&'static str],
    /// What other tokens lack.
    pub(super) own: Own,
}

/// What only access tokens have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Own {
    /// Scopes.
    Scopes,
    /// One of these claims.
    Claim(&'static [&'static str]),
    /// This claim, with this value, whatever `typ` says.
    Value(&'static str, &'static str),
}

/// What ID tokens are bound by (OIDC Core sections 2 and 3.3.2.11).
pub(super) const ID_TOKEN: &[&str] = &["nonce", "at_hash", "c_hash", "s_hash"];

/// Of the media types that tokens name themselves by, the one of access tokens (RFC 9068 section 2.1).
pub(super) const ACCESS_TOKEN: &str = "at+jwt";

/// The rules of one issuer.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) audiences: Vec<Box<str>>,
    pub(super) clients: Vec<Box<str>>,
    pub(super) algorithms: Vec<Algorithm>,
    /// Without `application/`, in lower case; an empty one stands for none.
    pub(super) types: Vec<Box<str>>,
    pub(super) marks: Marks,
    pub(super) scope_claim: Option<Box<str>>,
    /// The claims that may name the client; the first that is there does.
    pub(super) client_claims: &'static [&'static str],
    pub(super) leeway: Duration,
}

type Checked<T> = Result<T, Rejection>;

fn refused(reason: &'static str) -> Rejection {
    Rejection::invalid_token(reason)
}

impl Policy {
    /// The algorithm of the signature, and the name of the key.
    pub(super) fn check_header<'t>(&self, header: &'t Map<String, Value>) -> Checked<(Algorithm, Option<&'t str>)> {
        // RFC 7515 section 4.1.11: what is critical and not understood ends it, and nothing is understood here.
        if header.contains_key("crit") {
            return Err(refused("crit"));
        }
        let name = text(header, "alg")?.ok_or_else(|| refused("algorithm"))?;
        let algorithm =
            algorithm(name).filter(|algorithm| self.algorithms.contains(algorithm)).ok_or_else(|| refused("algorithm"))?;
        let media_type = media_type(text(header, "typ")?.unwrap_or_default());
        if !self.types.contains(&media_type) {
            let types = listed(&mut self.types.iter().map(AsRef::as_ref)).unwrap_or_default();
            return Err(refused("typ").detail(format!("{}, not {types}", quoted(&media_type))));
        }
        Ok((algorithm, text(header, "kid")?))
    }

    /// The caller, if the claims are those of an access token for us, at this time.
    pub(super) fn check_claims(
        &self,
        token: &mut Token<'_>,
        issuer: &str,
        resource: Option<&Resource>,
        now: SystemTime,
    ) -> Checked<Principal> {
        let claims = &token.claims;
        match text(claims, "iss")? {
            Some(said) if said == issuer => {}
            said => return Err(foreign_issuer(said.unwrap_or_default(), issuer)),
        }
        let end = time(claims, "exp")?.ok_or_else(|| refused("no_exp"))?;
        if end <= now {
            return Err(refused("expired"));
        }
        let soon = now + self.leeway;
        if time(claims, "nbf")?.is_some_and(|begin| soon < begin) {
            return Err(refused("not_yet_valid"));
        }
        if time(claims, "iat")?.is_some_and(|issued| soon < issued) {
            return Err(refused("issued_in_future"));
        }
        let scopes = self.scopes(claims)?;
        self.check_kind(&token.header, claims, scopes.is_some())?;
        let client = self.client(claims)?;
        self.check_audience(claims, client, resource)?;
        let subject = text(claims, "sub")?.filter(|subject| !subject.is_empty()).ok_or_else(|| refused("no_subject"))?;
        let mut principal = Principal::user(subject)
            .issued_by(issuer)
            .authenticated_by(Scheme::Bearer)
            .valid_until(end)
            .scopes(scopes.unwrap_or_default().iter());
        if let Some(client) = client {
            principal = principal.via_client(client);
        }
        for (name, value) in std::mem::take(&mut token.claims) {
            principal = principal.claim(name, value);
        }
        Ok(principal)
    }

    /// Refuses ID tokens, refresh tokens, and whatever else the issuer signs.
    fn check_kind(&self, header: &Map<String, Value>, claims: &Map<String, Value>, has_scopes: bool) -> Checked<()> {
        let says = |name: &str, value: &str| {
            claims.get(name).and_then(Value::as_str).is_some_and(|said| said.eq_ignore_ascii_case(value))
        };
        // Cognito and Keycloak say what a token is in a claim, whatever stands in its header.
        if claims.contains_key("token_use") && !says("token_use", "access") {
            return Err(refused("token_use"));
        }
        if ["ID", "Refresh", "Offline"].iter().any(|kind| says("typ", kind)) {
            return Err(refused("typ_claim"));
        }
        if let Own::Value(name, value) = self.marks.own
            && !says(name, value)
        {
            return Err(refused("no_access_token"));
        }
        if media_type(text(header, "typ")?.unwrap_or_default()).as_ref() == ACCESS_TOKEN {
            return Ok(());
        }
        if self.marks.foreign.iter().any(|name| claims.contains_key(*name)) {
            return Err(refused("id_token"));
        }
        let is_access_token = match self.marks.own {
            Own::Scopes => has_scopes,
            Own::Claim(names) => names.iter().any(|name| claims.contains_key(*name)),
            Own::Value(..) => true,
        };
        if is_access_token { Ok(()) } else { Err(refused("no_access_token")) }
    }

    fn check_audience(&self, claims: &Map<String, Value>, client: Option<&str>, resource: Option<&Resource>) -> Checked<()> {
        let listed = |client: &str| self.clients.iter().any(|listed| **listed == *client);
        if !self.clients.is_empty() && !client.is_some_and(listed) {
            return Err(refused("client"));
        }
        let ours = |audience: &str| match self.audiences.as_slice() {
            [] => resource.is_some_and(|resource| resource.is_named_by(audience)),
            audiences => audiences.iter().any(|ours| **ours == *audience),
        };
        match claims.get("aud") {
            // The list of clients stands in for it.
            None if !self.clients.is_empty() => Ok(()),
            None => Err(refused("no_audience")),
            Some(named) => {
                let mut named = texts(named).ok_or_else(|| refused("malformed_aud"))?.into_iter();
                if named.clone().any(ours) { Ok(()) } else { Err(foreign_audience(&mut named, &self.audiences, resource)) }
            }
        }
    }

    fn client<'c>(&self, claims: &'c Map<String, Value>) -> Checked<Option<&'c str>> {
        for name in self.client_claims {
            if let Some(client) = text(claims, name)? {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// `None` where the token says nothing about scopes.
    fn scopes(&self, claims: &Map<String, Value>) -> Checked<Option<Scopes>> {
        let value = match &self.scope_claim {
            Some(name) => claims.get(&**name),
            None => claims.get("scope").or_else(|| claims.get("scp")),
        };
        match value {
            None => Ok(None),
            Some(Value::String(list)) => Ok(Some(Scopes::parse(list))),
            Some(list) => Ok(Some(texts(list).ok_or_else(|| refused("malformed_scope"))?.into_iter().collect())),
        }
    }
}

/// A media type as it is compared: `application/` may be left out (RFC 7515 section 4.1.9), and case does not count.
pub(super) fn media_type(name: &str) -> Box<str> {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&name).into()
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Checked<Option<&'m str>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refused("malformed")),
    }
}

/// A string, or an array of strings.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// A `NumericDate`: seconds, perhaps with a fraction (RFC 7519 section 2).
fn time(claims: &Map<String, Value>, name: &str) -> Checked<Option<SystemTime>> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match value.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(seconds)).map(Some).ok_or_else(|| refused("malformed_time"))
}

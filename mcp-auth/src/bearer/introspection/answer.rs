//! What the answer to a question about a token says (RFC 7662 section 2.2), read so that in doubt it does not count.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::authority::{Answer, Failure};
use crate::bearer::{Active, foreign_issuer};
use crate::{Principal, Rejection, Scheme, Scopes, is_scope_token};

/// How far the server's clock may be ahead of ours: a token is used as soon as it is issued.
const SKEW: Duration = Duration::from_secs(10);
/// Scopes that let their bearer speak to the authorization server, and to nobody else: Django OAuth Toolkit keeps such tokens
/// with the others.
const SERVERS_OWN: [&str; 2] = ["introspection", "oauth2_provider:registration"];

/// What the subject of a client that stands for itself begins with.
const CLIENT: &str = "client:";

/// What an answer is measured by.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) issuer: Box<str>,
    pub(super) require_issuer: bool,
    pub(super) subject_from_username: bool,
    pub(super) subject_from_client: bool,
}

/// What this says about the token, if it is an answer at all.
pub(super) fn read(mut answer: Map<String, Value>, rules: &Rules, now: SystemTime) -> Result<Answer<Active>, Failure> {
    match answer.remove("active") {
        Some(Value::Bool(true)) => {
            Ok(issuer(&answer, rules).and_then(|()| active(answer, rules, now).map_err(Rejection::invalid_token)))
        }
        Some(Value::Bool(false)) => Ok(Err(Rejection::invalid_token("inactive"))),
        _ => Err(Failure::unreadable("its answer does not say whether the token is active")),
    }
}

fn issuer(answer: &Map<String, Value>, rules: &Rules) -> Result<(), Rejection> {
    match text(answer, "iss", "malformed_issuer").map_err(Rejection::invalid_token)? {
        Some(issuer) if issuer != &*rules.issuer => Err(foreign_issuer(issuer, &rules.issuer)),
        None if rules.require_issuer => Err(Rejection::invalid_token("no_issuer")),
        _ => Ok(()),
    }
}

fn active(answer: Map<String, Value>, rules: &Rules, now: SystemTime) -> Result<Active, &'static str> {
    kind(&answer)?;
    let end = time(&answer, "exp", "malformed_exp")?;
    if end.is_some_and(|end| end <= now) {
        return Err("expired");
    }
    let start = time(&answer, "nbf", "malformed_nbf")?;
    if start.is_some_and(|start| now.checked_add(SKEW).is_none_or(|latest| latest < start)) {
        return Err("not_yet_valid");
    }
    let scopes = text(&answer, "scope", "malformed_scope")?.unwrap_or_default();
    if !scopes.split_ascii_whitespace().all(is_scope_token) {
        return Err("malformed_scope");
    }
    let scopes = Scopes::parse(scopes);
    if scopes.iter().next().is_some() && scopes.iter().all(|scope| SERVERS_OWN.contains(&scope)) {
        return Err("no_access_token");
    }
    let audiences = audiences(&answer)?;
    let client = text(&answer, "client_id", "malformed_client")?;
    let mut principal = Principal::user(subject(&answer, client, rules)?)
        .issued_by(rules.issuer.clone())
        .authenticated_by(Scheme::Bearer)
        .scopes(scopes.iter());
    if let Some(client) = client {
        principal = principal.via_client(client);
    }
    if let Some(end) = end {
        principal = principal.valid_until(end);
    }
    let principal = answer.into_iter().fold(principal, |principal, (name, value)| principal.claim(name, value));
    Ok(Active { principal, audiences })
}

/// Is it an access token, and one that whoever holds it may use? Servers tell by different members, if at all.
fn kind(answer: &Map<String, Value>) -> Result<(), &'static str> {
    const KINDS: [(&str, &[&str]); 3] = [
        ("token_type", &["bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"]),
        ("token_use", &["access", "access_token"]),
        // Keycloak's kinds are "Bearer", "Refresh", "Offline" and "ID".
        ("typ", &["bearer", "at+jwt", "application/at+jwt"]),
    ];
    for (name, kinds) in KINDS {
        if let Some(kind) = text(answer, name, "no_access_token")?
            && !kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
        {
            return Err("no_access_token");
        }
    }
    // Only who proves to have a key may use it (RFC 8705, RFC 9449). Nobody has proved that to us.
    if answer.contains_key("cnf") { Err("bound_to_a_key") } else { Ok(()) }
}

fn subject(answer: &Map<String, Value>, client: Option<&str>, rules: &Rules) -> Result<Box<str>, &'static str> {
    const MALFORMED: &str = "malformed_subject";
    let username = || if rules.subject_from_username { text(answer, "username", MALFORMED) } else { Ok(None) };
    let named = match text(answer, "sub", MALFORMED)? {
        Some(subject) => Some(subject),
        None => username()?,
    };
    match (named, client) {
        (Some(""), _) => Err(MALFORMED),
        // A user who took such a name would be that client.
        (Some(subject), _) if rules.subject_from_client && subject.starts_with(CLIENT) => Err(MALFORMED),
        (Some(subject), _) => Ok(subject.into()),
        // A client may have the name of a user: the colon tells them apart.
        (None, Some(client)) if rules.subject_from_client && !client.is_empty() && !answer.contains_key("username") => {
            Ok(format!("{CLIENT}{client}").into())
        }
        (None, _) => Err("no_subject"),
    }
}

/// One text, or an array of them (RFC 7519 section 4.1.3).
fn audiences(answer: &Map<String, Value>) -> Result<Vec<Box<str>>, &'static str> {
    const MALFORMED: &str = "malformed_audience";
    let text = |value: &Value| value.as_str().map(Box::from).ok_or(MALFORMED);
    match answer.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::Array(audiences)) => audiences.iter().map(text).collect(),
        Some(audience) => Ok(vec![text(audience)?]),
    }
}

fn text<'a>(answer: &'a Map<String, Value>, name: &str, malformed: &'static str) -> Result<Option<&'a str>, &'static str> {
    answer.get(name).map(|value| value.as_str().ok_or(malformed)).transpose()
}

/// A number of seconds since 1970, of which a fraction is dropped.
fn time(answer: &Map<String, Value>, name: &str, malformed: &'static str) -> Result<Option<SystemTime>, &'static str> {
    let Some(value) = answer.get(name) else { return Ok(None) };
    let seconds = value.as_u64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| (0.0..9e15).contains(seconds))?;
        // In range, and whole seconds are what is wanted.
        Some(seconds as u64)
    });
    let time = seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    time.ok_or(malformed).map(Some)
}

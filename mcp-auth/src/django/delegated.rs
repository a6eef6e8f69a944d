//! Sessions that the site itself is asked about, so that nobody else needs its `SECRET_KEY`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use serde_json::{Map, Value};

use super::recall::Recall;
use crate::digest::sha256;
use crate::{Fetch, Rejection, Resource, Trust, fetch};

/// How long an answer is believed: a log-out is seen so much later.
const POSITIVE: Duration = Duration::from_secs(30);
const NEGATIVE: Duration = Duration::from_secs(2);
/// Those who wait for an answer that does not come share its failure.
const FAILED: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Half of the answers that are remembered.
const REMEMBERED: usize = 8192;
/// The longest cookie that is passed on: browsers keep 4096 bytes.
const MAX_COOKIE: usize = 8192;
/// The longest text that is believed to be a name, in bytes, and how many groups.
const MAX_NAME: usize = 255;
const MAX_GROUPS: usize = 1000;

/// The view of the site that tells who is logged in.
pub(super) struct Delegated {
    view: Option<Uri>,
    /// The view's scheme, host and port.
    origin: String,
    bearer: Option<HeaderValue>,
    fetch: Arc<dyn Fetch>,
    answers: Recall<Answer>,
}

#[derive(Clone)]
enum Answer {
    /// There is no session, or it does not hold.
    Invalid,
    /// A session in which nobody is logged in.
    Nobody,
    User(Arc<Told>),
    Unavailable(Arc<str>),
}

/// Whom the view names.
pub(super) struct Told {
    pub(super) subject: String,
    pub(super) username: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) until: Option<SystemTime>,
}

impl Delegated {
    pub(super) fn new(view: &str) -> Self {
        // A resource is a URL without a user, a query and a fragment. Its own form has no slash at the end, which Django needs.
        let origin = Resource::new(view).map(|resource| resource.origin().to_owned());
        let view = origin.as_ref().and_then(|_| view.parse().ok());
        Self { view, origin: origin.unwrap_or_default(), bearer: None, fetch: fetch::shared(), answers: Recall::new(REMEMBERED) }
    }

    pub(super) fn bearer(&mut self, token: &str) {
        let header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| crate::bearer::is_token(token));
        self.bearer = header.map(|mut header| {
            header.set_sensitive(true);
            header
        });
    }

    pub(super) fn fetching_with(&mut self, fetch: Arc<dyn Fetch>) {
        self.fetch = fetch;
    }

    /// Whose users these are, where nothing else is said.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.view.is_none() {
            problems.push(
                "the URL of the view that tells who is logged in can not be read: `https://www.example.com/rs/session/`, for example".to_owned(),
            );
        }
        if self.bearer.is_none() {
            problems.push(
                "the site's view needs the token of a service: give one with `.bearer(..)`, of A-Z a-z 0-9 - . _ ~ + /"
                    .to_owned(),
            );
        }
        problems.extend(self.view.as_ref().and_then(|view| self.fetch.problem(&view.to_string(), Trust::Configured)));
        problems
    }

    /// Whom the site names for this cookie. `None`: nobody is logged in.
    ///
    /// # Errors
    /// The session does not hold, or the site does not tell.
    pub(super) async fn judge(&self, cookie: &str, issuer: &str, now: SystemTime) -> Result<Option<Arc<Told>>, Rejection> {
        if cookie.len() > MAX_COOKIE {
            return Err(Rejection::invalid_token("session_too_large"));
        }
        let ask = || async {
            let answer = self.ask(cookie, issuer, now).await.unwrap_or_else(|detail| Answer::Unavailable(detail.into()));
            let lasts = match &answer {
                Answer::User(told) => {
                    let left = told.until.map(|until| until.duration_since(now).unwrap_or_default());
                    left.map_or(POSITIVE, |left| left.min(POSITIVE))
                }
                Answer::Invalid | Answer::Nobody => NEGATIVE,
                Answer::Unavailable(_) => FAILED,
            };
            (answer, now + lasts)
        };
        match self.answers.answer(sha256(cookie.as_bytes()), now, ask).await {
            Answer::User(told) => Ok(Some(told)),
            Answer::Nobody => Ok(None),
            Answer::Invalid => Err(Rejection::invalid_token("session_not_active")),
            Answer::Unavailable(detail) => Err(Rejection::unavailable("django_view", RETRY_AFTER).detail(&*detail)),
        }
    }

    /// # Errors
    /// What is wrong with the site or the configuration, for the log.
    async fn ask(&self, cookie: &str, issuer: &str, now: SystemTime) -> Result<Answer, String> {
        let (Some(view), Some(bearer)) = (&self.view, &self.bearer) else {
            return Err("the view or its token is not configured".to_owned());
        };
        let mut request = Request::new(form(cookie));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = view.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, bearer.clone());
        let response = self.fetch.fetch(request, Trust::Configured).await.map_err(|error| error.to_string())?;
        match response.status() {
            StatusCode::OK => read(response.body(), issuer, now),
            status if status.is_redirection() => {
                Err(format!("the view answers {status}: its URL must be exact, the slash at its end included"))
            }
            status => Err(format!("the view answers {status}")),
        }
    }
}

/// Reads what the view tells.
fn read(body: &[u8], issuer: &str, now: SystemTime) -> Result<Answer, String> {
    let told: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| "the view answers something else than a JSON object")?;
    match told.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => {
            let is_anonymous = told.get("anonymous") == Some(&Value::Bool(true));
            return Ok(if is_anonymous { Answer::Nobody } else { Answer::Invalid });
        }
        _ => return Err("the view does not tell whether the session is `active`".to_owned()),
    }
    let is_name = |name: &&str| (1..=MAX_NAME).contains(&name.len());
    let text = |name: &str| match told.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_name(&text.as_str()) => Ok(Some(text.clone())),
        Some(_) => Err(format!("the view answers a `{name}` that is no text of 1 to {MAX_NAME} bytes")),
    };
    let subject = text("sub")?.ok_or("the view does not name the user: `sub` is missing")?;
    if text("iss")?.is_some_and(|told| told != issuer) {
        return Err(format!(
            "the view answers for another site: its `iss` must be `{issuer}`, or be configured with `.issuer(..)`"
        ));
    }
    let until = match told.get("exp") {
        None | Some(Value::Null) => None,
        Some(exp) => {
            let seconds = exp.as_u64().ok_or("the view answers an `exp` that is no time in whole seconds")?;
            Some(UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or("the view answers an `exp` that is too far away")?)
        }
    };
    if until.is_some_and(|until| until <= now) {
        return Ok(Answer::Invalid);
    }
    let groups = match told.get("groups") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(groups)) if groups.len() <= MAX_GROUPS => {
            let names = groups.iter().map(|group| group.as_str().filter(is_name).map(str::to_owned)).collect::<Option<_>>();
            names.ok_or("the view answers `groups` that are no names")?
        }
        Some(_) => return Err("the view answers `groups` that are no list, or too long a one".to_owned()),
    };
    Ok(Answer::User(Arc::new(Told { subject, username: text("username")?, groups, until })))
}

/// The body of the request, `application/x-www-form-urlencoded`.
fn form(cookie: &str) -> Vec<u8> {
    let mut form = b"session=".to_vec();
    for byte in cookie.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(byte);
        } else {
            form.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    form
}

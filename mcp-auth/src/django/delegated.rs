//! Sessions that the site itself is asked about, so that nobody else needs its `SECRET_KEY`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::authority::{Answer, Credentials, Failure, Lookups, Until, url_problem};
use crate::{Fetch, Presented, Rejection, Resource, fetch};

/// The longest cookie that is passed on: browsers keep 4096 bytes.
const MAX_COOKIE: usize = 8192;
/// The longest text that is believed to be a name, in bytes.
const MAX_NAME: usize = 255;
/// A session in which nobody is logged in.
const NOBODY: &str = "session_of_nobody";

/// The view of the site that tells who is logged in.
pub(super) struct Delegated {
    view: Box<str>,
    /// The view's scheme, host and port, if it is a URL.
    origin: Option<Box<str>>,
    pub(super) credentials: Credentials,
    pub(super) fetch: Arc<dyn Fetch>,
    lookups: Lookups<Told>,
}

/// Whom the view names.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) subject: String,
    pub(super) username: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) until: Option<SystemTime>,
}

impl Until for Told {
    fn until(&self) -> Option<SystemTime> {
        self.until
    }
}

impl Delegated {
    pub(super) fn new(view: &str) -> Self {
        // A resource is a URL without a user, a query and a fragment. Its own form has no slash at the end, which Django needs.
        let origin = Resource::new(view).map(|resource| resource.origin().into());
        Self { view: view.into(), origin, credentials: Credentials::Missing, fetch: fetch::shared(), lookups: Lookups::default() }
    }

    /// Whose users these are, where nothing else is said.
    pub(super) fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or_default()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.origin.is_none() {
            problems.push(
                "the URL of the view that tells who is logged in can not be read: `https://www.example.com/rs/session/`, for example".to_owned(),
            );
        }
        if matches!(self.credentials, Credentials::Missing) {
            problems.push(
                "the site's view needs to know who asks: add `.client_credentials(..)`, or `.bearer(..)` with the token of a service"
                    .to_owned(),
            );
        }
        // What is no URL may be a secret in the wrong place.
        let view = self.origin.as_ref().and_then(|_| url_problem(&*self.fetch, &self.view));
        let asking = view.into_iter().chain(self.credentials.problems(&*self.fetch));
        problems.extend(asking.map(|problem| format!("asking the site for sessions: {problem}")));
        problems
    }

    /// Whom the site names for this cookie. `None`: nobody is logged in.
    ///
    /// # Errors
    /// The session does not hold, or the site does not tell.
    pub(super) async fn judge(&self, presented: Presented<'_>, issuer: &str) -> Result<Option<Told>, Rejection> {
        let (cookie, now) = (presented.credential(), presented.now());
        if cookie.len() > MAX_COOKIE {
            return Err(Rejection::invalid_token("session_too_large"));
        }
        match &*self.lookups.look_up(presented, self.question(cookie, issuer, now)).await? {
            Ok(told) => Ok(Some(told.clone())),
            Err(refused) if refused.reason() == NOBODY => Ok(None),
            Err(refused) => Err(refused.clone()),
        }
    }

    async fn question(&self, cookie: &str, issuer: &str, now: SystemTime) -> Result<Answer<Told>, Failure> {
        let answer = self.credentials.post(&*self.fetch, &self.view, &[("session", cookie)], now).await?;
        read(&answer, issuer, now).map_err(|why| Failure::unreadable(format!("its view of sessions answers {why}")))
    }
}

/// Reads what the view tells.
///
/// # Errors
/// What the answer is instead of one, for the log.
fn read(told: &Map<String, Value>, issuer: &str, now: SystemTime) -> Result<Answer<Told>, String> {
    const INACTIVE: &str = "session_not_active";
    match told.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => {
            let is_anonymous = told.get("anonymous") == Some(&Value::Bool(true));
            return Ok(Err(Rejection::invalid_token(if is_anonymous { NOBODY } else { INACTIVE })));
        }
        _ => return Err("without telling whether the session is `active`".to_owned()),
    }
    let is_name = |name: &&str| (1..=MAX_NAME).contains(&name.len());
    let text = |name: &str| match told.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_name(&text.as_str()) => Ok(Some(text.clone())),
        Some(_) => Err(format!("a `{name}` that is no text of 1 to {MAX_NAME} bytes")),
    };
    let subject = text("sub")?.ok_or("without naming the user: `sub` is missing")?;
    if text("iss")?.is_some_and(|told| told != issuer) {
        return Err(format!("for another site: its `iss` must be `{issuer}`, or be configured with `.issuer(..)`"));
    }
    let until = match told.get("exp") {
        None | Some(Value::Null) => None,
        Some(exp) => {
            let seconds = exp.as_u64().ok_or("an `exp` that is no time in whole seconds")?;
            Some(UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or("an `exp` that is too far away")?)
        }
    };
    if until.is_some_and(|until| until <= now) {
        return Ok(Err(Rejection::invalid_token(INACTIVE)));
    }
    let groups = match told.get("groups") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(groups)) => {
            let names = groups.iter().map(|group| group.as_str().filter(is_name).map(str::to_owned)).collect::<Option<_>>();
            names.ok_or("`groups` that are no names")?
        }
        Some(_) => return Err("`groups` that are no list".to_owned()),
    };
    Ok(Ok(Told { subject, username: text("username")?, groups, until }))
}

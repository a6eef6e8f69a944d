//! How the server that is asked knows who asks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Map, Value};

use super::form::{field, form};
use super::{Failure, ask, object, url_problem};
use crate::Fetch;
use crate::bearer::is_token;

/// The longest that a token of ours is used.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// How soon a token of ours is fetched again, after the last time.
const PAUSE: Duration = Duration::from_secs(10);

/// What we show.
pub(crate) enum Credentials {
    /// Nothing yet: a mistake, since any stranger could ask such a server.
    Missing,
    Bearer(Box<str>),
    #[cfg(feature = "introspection")]
    Basic {
        id: Box<str>,
        secret: Box<str>,
    },
    /// A token that we get for ourselves.
    Own(Box<OwnToken>),
}

impl Credentials {
    /// A token that this client gets for itself.
    pub(crate) fn own(url: Box<str>, id: Box<str>, secret: Box<str>, scope: Box<str>) -> Self {
        Self::Own(Box::new(OwnToken { url, id, secret, scope, state: Mutex::default(), turn: tokio::sync::Mutex::new(()) }))
    }

    /// What the server answers to these fields. Where it takes our own token no longer, it is asked once more, with another.
    pub(crate) async fn post(
        &self,
        fetch: &dyn Fetch,
        url: &str,
        fields: &[(&str, &str)],
        now: SystemTime,
    ) -> Result<Map<String, Value>, Failure> {
        self.answer_of(fetch, url, fields, now).await.map_err(|failure| failure.at(url))
    }

    async fn answer_of(
        &self,
        fetch: &dyn Fetch,
        url: &str,
        fields: &[(&str, &str)],
        now: SystemTime,
    ) -> Result<Map<String, Value>, Failure> {
        let header = self.header(fetch, now).await?;
        let mut answer = post(fetch, url, header.clone(), fields).await?;
        let is_refused = matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_refused && self.refused(&header, now) {
            answer = post(fetch, url, self.header(fetch, now).await?, fields).await?;
        }
        if answer.status() != StatusCode::OK {
            return Err(Failure::of_status(answer.status(), answer.headers()));
        }
        object(&answer)
    }

    /// The header that goes with a question.
    async fn header(&self, fetch: &dyn Fetch, now: SystemTime) -> Result<HeaderValue, Failure> {
        match self {
            Self::Missing => Err(Failure::refused("there are no credentials to ask it with")),
            Self::Bearer(token) => bearer(token).ok_or_else(|| Failure::refused("the bearer token to ask it with is none")),
            #[cfg(feature = "introspection")]
            Self::Basic { id, secret } => basic(id, secret),
            Self::Own(own) => own.header(fetch, now).await,
        }
    }

    /// The server did not take this header. Is there another one to be had?
    fn refused(&self, header: &HeaderValue, now: SystemTime) -> bool {
        matches!(self, Self::Own(own) if own.refused(header, now))
    }

    /// What is wrong with them, one sentence each. That there are none is not among it.
    pub(crate) fn problems(&self, fetch: &dyn Fetch) -> Vec<String> {
        match self {
            Self::Bearer(token) if bearer(token).is_none() => {
                vec!["the bearer token can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed".to_owned()]
            }
            Self::Missing | Self::Bearer(_) => Vec::new(),
            #[cfg(feature = "introspection")]
            Self::Basic { id, secret } => client_problem(id, secret).map(str::to_owned).into_iter().collect(),
            Self::Own(own) => {
                let problem = client_problem(&own.id, &own.secret).map(str::to_owned);
                url_problem(fetch, &own.url).into_iter().chain(problem).collect()
            }
        }
    }
}

fn client_problem(id: &str, secret: &str) -> Option<&'static str> {
    match (id, secret) {
        ("", _) => Some("the client id is empty"),
        (_, "") => Some("the client secret is empty, so that any stranger could ask"),
        _ => None,
    }
}

fn bearer(token: &str) -> Option<HeaderValue> {
    if is_token(token) { secret(&format!("Bearer {token}")) } else { None }
}

/// RFC 6749 section 2.3.1: both are encoded as in a form first, so that a colon in them parts nothing.
fn basic(id: &str, password: &str) -> Result<HeaderValue, Failure> {
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", field(id), field(password)));
    secret(&format!("Basic {credentials}")).ok_or_else(|| Failure::refused("the credentials to ask it with can not be sent"))
}

async fn post(
    fetch: &dyn Fetch,
    url: &str,
    authorization: HeaderValue,
    fields: &[(&str, &str)],
) -> Result<Response<Vec<u8>>, Failure> {
    let request = Request::post(url)
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(form(fields))
        .map_err(|_| Failure::refused("its URL is wrong"))?;
    ask(fetch, request).await
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A token of our own, by client credentials (RFC 6749 section 4.4): fetched once an hour, where checking our secret with
/// every question would cost the server half a second each.
pub(crate) struct OwnToken {
    url: Box<str>,
    id: Box<str>,
    secret: Box<str>,
    scope: Box<str>,
    state: Mutex<State>,
    /// Held by the one who fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// How often fetching one failed, and how the last time.
    failures: u64,
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Held {
    header: HeaderValue,
    since: SystemTime,
    /// From when on a new one is looked for, and from when on this one is none.
    renew: SystemTime,
    end: SystemTime,
}

impl OwnToken {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, held: Held) -> HeaderValue {
        let header = held.header.clone();
        self.state().held = Some(held);
        header
    }

    async fn header(&self, fetch: &dyn Fetch, now: SystemTime) -> Result<HeaderValue, Failure> {
        let usable = |state: &State| state.held.clone().filter(|held| now < held.end);
        let is_fresh = |held: &Held| now < held.renew;
        let (held, failures) = {
            let state = self.state();
            (usable(&state), state.failures)
        };
        // While one fetches, the others use what is still good, and wait only where nothing is.
        let _turn = match (held, self.turn.try_lock()) {
            (Some(held), _) if is_fresh(&held) => return Ok(held.header),
            (_, Ok(turn)) => turn,
            (Some(held), Err(_)) => return Ok(held.header),
            (None, Err(_)) => self.turn.lock().await,
        };
        let held = {
            let state = self.state();
            match (usable(&state), &state.failure) {
                (Some(held), _) if is_fresh(&held) => return Ok(held.header),
                // Whoever waited for another's failure does not repeat it.
                (None, Some(failure)) if state.failures != failures => return Err(failure.clone()),
                (held, _) => held,
            }
        };
        let obtained = self.obtain(fetch, now).await;
        let known_as = |failure: Failure| failure.at(&self.url).by_client(&self.id);
        match (obtained.map_err(known_as), held) {
            (Ok(new), _) => Ok(self.hold(new)),
            (Err(_), Some(held)) => {
                let renew = now.checked_add(PAUSE).unwrap_or(held.end);
                Ok(self.hold(Held { renew, ..held }))
            }
            (Err(failure), None) => {
                // Without a token no other question can be asked either.
                let failure = failure.of_server();
                let mut state = self.state();
                state.failures += 1;
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Forgets a token that the server does not take, and says whether another may be had: not at once, since a server that
    /// takes none would be asked for one with every question.
    fn refused(&self, header: &HeaderValue, now: SystemTime) -> bool {
        let mut state = self.state();
        match &state.held {
            Some(newer) if newer.header != header => true,
            Some(same) if same.since.checked_add(PAUSE).is_some_and(|then| then <= now) => {
                state.held = None;
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    async fn obtain(&self, fetch: &dyn Fetch, now: SystemTime) -> Result<Held, Failure> {
        let mut fields = vec![("grant_type", "client_credentials")];
        if !self.scope.is_empty() {
            fields.push(("scope", &self.scope));
        }
        let answer = post(fetch, &self.url, basic(&self.id, &self.secret)?, &fields).await?;
        let status = answer.status();
        if status == StatusCode::BAD_REQUEST {
            return Err(Failure::refused("its token endpoint gives us no token: status 400"));
        }
        if status != StatusCode::OK {
            return Err(Failure::of_status(status, answer.headers()));
        }
        let answer = object(&answer)?;
        let text = |name| answer.get(name).and_then(Value::as_str);
        let header = text("access_token").and_then(bearer);
        let is_bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        let lifetime = answer.get("expires_in").map_or(Some(MAX_LIFETIME.as_secs()), Value::as_u64);
        let (Some(header), true, Some(1..)) = (header, is_bearer, lifetime) else {
            return Err(Failure::unreadable("its token endpoint answers with no bearer token"));
        };
        let lifetime = lifetime.map_or(MAX_LIFETIME, Duration::from_secs).min(MAX_LIFETIME);
        let after = |time| now.checked_add(time).unwrap_or(now);
        Ok(Held { header, since: now, renew: after(lifetime * 9 / 10), end: after(lifetime) })
    }
}

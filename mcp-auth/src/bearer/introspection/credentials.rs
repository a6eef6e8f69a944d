//! How the server that is asked about tokens knows who asks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};

use super::form::{field, form};
use crate::Fetch;
use crate::bearer::authority::{Failure, ask, object};
use crate::bearer::is_token;

/// The longest that a token of ours is used.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// How soon a token of ours is fetched again, after the last time.
const PAUSE: Duration = Duration::from_secs(10);

/// What we show.
pub(super) enum Credentials {
    /// Nothing yet: a mistake, since any stranger could ask such a server.
    Missing,
    Bearer(Box<str>),
    Basic {
        id: Box<str>,
        secret: Box<str>,
    },
    /// A token that we get for ourselves.
    Own(Box<OwnToken>),
}

impl Credentials {
    /// The header that goes with a question.
    pub(super) async fn header(&self, fetch: &dyn Fetch, now: SystemTime) -> Result<HeaderValue, Failure> {
        match self {
            Self::Missing => Err(Failure::refused("there are no credentials to ask it with")),
            Self::Bearer(token) => bearer(token).ok_or_else(|| Failure::refused("the bearer token to ask it with is none")),
            Self::Basic { id, secret } => basic(id, secret),
            Self::Own(own) => own.header(fetch, now).await,
        }
    }

    /// The server did not take this header. Is there another one to be had?
    pub(super) fn refused(&self, header: &HeaderValue, now: SystemTime) -> bool {
        matches!(self, Self::Own(own) if own.refused(header, now))
    }

    pub(super) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Missing => {
                Some("has no credentials: add `.client_credentials(..)`, `.bearer(..)` or `.basic(..)`, as the server demands")
            }
            Self::Bearer(token) if bearer(token).is_none() => {
                Some("has a bearer token that can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed")
            }
            Self::Bearer(_) => None,
            Self::Basic { id, secret } => client_problem(id, secret),
            Self::Own(own) => client_problem(&own.id, &own.secret),
        }
    }
}

fn client_problem(id: &str, secret: &str) -> Option<&'static str> {
    match (id, secret) {
        ("", _) => Some("has an empty client id"),
        (_, "") => Some("has an empty client secret, with which any stranger could ask"),
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

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A token of our own, by client credentials (RFC 6749 section 4.4): fetched once an hour, where checking our secret with
/// every question would cost the server half a second each.
pub(super) struct OwnToken {
    pub(super) url: Box<str>,
    pub(super) id: Box<str>,
    pub(super) secret: Box<str>,
    pub(super) scope: Box<str>,
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
    pub(super) fn new(url: Box<str>, id: Box<str>, secret: Box<str>, scope: Box<str>) -> Self {
        Self { url, id, secret, scope, state: Mutex::default(), turn: tokio::sync::Mutex::new(()) }
    }

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
        match (self.obtain(fetch, now).await, held) {
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
        let request = Request::post(&*self.url)
            .header(AUTHORIZATION, basic(&self.id, &self.secret)?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form(&fields))
            .map_err(|_| Failure::refused("the URL of its token endpoint is wrong"))?;
        let answer = ask(fetch, request).await?;
        let status = answer.status();
        if status == StatusCode::BAD_REQUEST {
            return Err(Failure::refused("its token endpoint gives us no token: status 400"));
        }
        if status != StatusCode::OK {
            return Err(Failure::of_status(status, answer.headers()));
        }
        let answer = object(&answer)?;
        let text = |name| answer.get(name).and_then(serde_json::Value::as_str);
        let header = text("access_token").and_then(bearer);
        let is_bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        let lifetime = answer.get("expires_in").map_or(Some(MAX_LIFETIME.as_secs()), serde_json::Value::as_u64);
        let (Some(header), true, Some(1..)) = (header, is_bearer, lifetime) else {
            return Err(Failure::unreadable("its token endpoint answers with no bearer token"));
        };
        let lifetime = lifetime.map_or(MAX_LIFETIME, Duration::from_secs).min(MAX_LIFETIME);
        let after = |time| now.checked_add(time).unwrap_or(now);
        Ok(Held { header, since: now, renew: after(lifetime * 9 / 10), end: after(lifetime) })
    }
}

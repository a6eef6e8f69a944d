//! The pages of the site, and who is logged in there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::header::{COOKIE, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use mcp_runtime::auth::sha256;

pub(crate) const COOKIE_NAME: &str = "secure_echo";
/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);

/// A site that one person can log in to.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) origin: Arc<str>,
    pub(crate) password: Arc<str>,
    pub(crate) sessions: Sessions,
}

impl Site {
    /// With a password of its own, and nobody logged in.
    pub(crate) fn new(origin: String) -> Self {
        Self { origin: origin.into(), password: random::<8>().into(), sessions: Sessions::default() }
    }

    /// A page of another site can send a form here; browsers tell where it came from.
    fn sent(&self, headers: &HeaderMap) -> bool {
        headers.get(ORIGIN).is_none_or(|origin| *origin == *self.origin)
    }
}

/// The ends of sessions, by their cookies.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<String, SystemTime>>>);

impl Sessions {
    /// When this session ends, if it is one that has not.
    pub(crate) fn until(&self, cookie: &str) -> Option<SystemTime> {
        self.all().get(cookie).copied().filter(|end| SystemTime::now() < *end)
    }

    fn begin(&self) -> String {
        let (cookie, now) = (random::<32>(), SystemTime::now());
        let mut all = self.all();
        all.retain(|_, end| now < *end);
        all.insert(cookie.clone(), now + LIFETIME);
        cookie
    }

    fn end(&self, cookie: &str) {
        self.all().remove(cookie);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, SystemTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many random bytes, as text.
fn random<const BYTES: usize>() -> String {
    let mut random = [0_u8; BYTES];
    getrandom::fill(&mut random).expect("the system has randomness");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn router(site: Site) -> Router {
    Router::new().route("/", get(home)).route("/login", get(form).post(log_in)).route("/logout", post(log_out)).with_state(site)
}

async fn home(State(site): State<Site>, headers: HeaderMap) -> Html<&'static str> {
    let is_known = cookie(&headers).is_some_and(|cookie| site.sessions.until(cookie).is_some());
    Html(if is_known { include_str!("home.html") } else { include_str!("welcome.html") })
}

async fn form() -> Html<&'static str> {
    Html(include_str!("login.html"))
}

#[derive(serde::Deserialize)]
struct LogIn {
    user: String,
    password: String,
}

async fn log_in(State(site): State<Site>, headers: HeaderMap, Form(said): Form<LogIn>) -> Response {
    if !site.sent(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    // Digests, so that the time it takes tells nothing of how much was right.
    let holds = sha256(said.password.as_bytes()) == sha256(site.password.as_bytes());
    if said.user != "ada" || !holds {
        return (StatusCode::UNAUTHORIZED, form().await).into_response();
    }
    set(&site.sessions.begin(), LIFETIME)
}

async fn log_out(State(site): State<Site>, headers: HeaderMap) -> Response {
    if !site.sent(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(cookie) = cookie(&headers) {
        site.sessions.end(cookie);
    }
    set("", Duration::ZERO)
}

/// Sets the cookie, and shows the first page. Over HTTPS it would be `Secure`, and its name begin with `__Host-`.
fn set(cookie: &str, lifetime: Duration) -> Response {
    let cookie = format!("{COOKIE_NAME}={cookie}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", lifetime.as_secs());
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let mut pairs = headers.get(COOKIE)?.to_str().ok()?.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

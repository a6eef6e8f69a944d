//! Sessions of a Rust application, whose own layer keeps them.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use http::HeaderMap;
use http::header::COOKIE;

use crate::{Authenticate, AuthenticateFuture, Place, Presented, Principal, Rejection, Resource, Scheme, Verdict};

/// When to ask again where the session can not be read.
const RETRY: Duration = Duration::from_secs(5);

type Asked = Pin<Box<dyn Future<Output = Result<Option<Principal>, String>> + Send>>;

/// The log-in of the Rust application that the server is a part of, with `tower-sessions` or what is built on it.
///
/// The application's session layer has read the cookie and put its session among the request's extensions; a function of the
/// application's tells who is logged in there. `S` is whatever the layer puts there, of any version of its crate:
///
/// ```
/// use mcp_auth::{Principal, TowerSession};
/// use tower_sessions::Session;
///
/// let people = TowerSession::new(|session: Session| async move {
///     if !session.is_modified() {
///         session.load().await?; // what the store has now: see below
///     }
///     let name: Option<String> = session.get("user").await?;
///     let end = session.expiry_date().into();
///     Ok::<_, tower_sessions::session::Error>(name.map(|name| Principal::user(name).scopes(["notes"]).valid_until(end)))
/// });
/// ```
///
/// With `axum-login`, it is the `AuthSession` of the application's backend, in which the user was looked up and checked:
///
/// ```
/// # use std::convert::Infallible;
/// # use std::time::{Duration, SystemTime};
/// # use axum_login::{AuthUser, AuthnBackend};
/// # #[derive(Clone, Debug)]
/// # struct User { name: String, password_hash: String }
/// # impl AuthUser for User {
/// #     type Id = String;
/// #     fn id(&self) -> String { self.name.clone() }
/// #     fn session_auth_hash(&self) -> &[u8] { self.password_hash.as_bytes() }
/// # }
/// # #[derive(Clone)]
/// # struct Backend;
/// # impl AuthnBackend for Backend {
/// #     type User = User;
/// #     type Credentials = ();
/// #     type Error = Infallible;
/// #     async fn authenticate(&self, _: ()) -> Result<Option<User>, Infallible> { Ok(None) }
/// #     async fn get_user(&self, _: &String) -> Result<Option<User>, Infallible> { Ok(None) }
/// # }
/// use axum_login::AuthSession;
/// use mcp_auth::{Principal, TowerSession};
///
/// let people = TowerSession::new(|login: AuthSession<Backend>| async move {
///     let end = SystemTime::now() + Duration::from_secs(300);
///     Ok::<_, Infallible>(login.user.map(|user| Principal::user(user.name).scopes(["notes"]).valid_until(end)))
/// });
/// ```
///
/// `Ok(None)` is a visitor who is not logged in: an anonymous caller, as without a cookie. An error is that nobody can tell:
/// the request is answered with 503, and the error's text is logged, so it must not hold the session's id.
///
/// The rules for cookies hold: it counts only where no other credential came, it must come once, and a request that may be
/// another site's doing is refused. The session is only read: nothing is saved, renewed or set. What the session layer itself
/// does with each answer it does here as well, so leave `with_always_save` off if calls shall not renew a session.
///
/// # Streams outlive their request
/// While a stream is open, the function is asked again every 10 seconds, with the session of the request that opened it. A
/// `Session` remembers what it has read, so without the `load` above it would not hear of a log-out. An `AuthSession` has the
/// user of its own time and can not look again: there, the end that the principal is given is when a stream ends, at the latest.
///
/// # The session layer must run before
/// A cookie that comes without a session among the extensions is answered with 503, and logged as `no_session_layer`: the
/// session layer does not run before this authenticator. In axum, where later layers run earlier, it must be added after the
/// router that holds the server. Nobody becomes anonymous by that mistake.
pub struct TowerSession<S> {
    cookie: Box<str>,
    ask: Box<dyn Fn(S) -> Asked + Send + Sync>,
    session: PhantomData<fn(S)>,
}

impl<S: Clone + Send + Sync + 'static> TowerSession<S> {
    /// The sessions that this function knows the people of. It is called with each request that carries the cookie.
    #[must_use]
    pub fn new<F, R, E>(principal: F) -> Self
    where
        F: Fn(S) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Principal>, E>> + Send + 'static,
        E: fmt::Display,
    {
        let ask = Box::new(move |session| {
            let asked = principal(session);
            Box::pin(async move { asked.await.map_err(|error| error.to_string()) }) as Asked
        });
        Self { cookie: "id".into(), ask, session: PhantomData }
    }

    /// With the name of the cookie that the session layer reads. By default it is `id`, as there.
    #[must_use]
    pub fn cookie_name(self, name: impl Into<Box<str>>) -> Self {
        Self { cookie: name.into(), ..self }
    }
}

impl<S: Clone + Send + Sync + 'static> Authenticate for TowerSession<S> {
    fn places(&self) -> Vec<Place> {
        vec![Place::Cookie(self.cookie.clone())]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move {
            if has_alias(&presented.head().headers, &self.cookie) {
                return Verdict::Rejected(Rejection::invalid_request("the session cookie is given twice"));
            }
            let Some(session) = presented.head().extensions.get::<S>() else {
                let detail = format!(
                    "there is no `{}` among the request's extensions: the session layer must run before the authentication",
                    type_name::<S>()
                );
                return Verdict::Rejected(Rejection::unavailable("no_session_layer", RETRY).detail(detail));
            };
            match (self.ask)(session.clone()).await {
                Ok(Some(principal)) => Verdict::Accepted(principal.authenticated_by(Scheme::Session)),
                Ok(None) => Verdict::NotMine,
                Err(error) => Verdict::Rejected(Rejection::unavailable("session_store", RETRY).detail(error)),
            }
        })
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        if is_plain_name(&self.cookie) {
            return Vec::new();
        }
        let name = self.cookie.escape_debug();
        vec![format!("`{name}` is no name of a session cookie: only the characters A-Z a-z 0-9 - _ . are allowed")]
    }
}

/// Is there another cookie that is read as this one once its name is percent-decoded? `tower-cookies` does so, and the last one
/// counts there: a neighbouring site that sets `%69d` could put its own session in the place of the one that was judged here.
fn has_alias(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(COOKIE).iter();
    let pairs = values.flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    let mut names = pairs.filter_map(|pair| pair.split(|b| *b == b'=').next());
    names.any(|other| other.contains(&b'%') && percent_decoded(other.trim_ascii()).eq(name.bytes()))
}

fn percent_decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let [b'%', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = tail;
            return Some(high << 4 | low);
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(*first)
    })
}

/// A name that is the same before and after percent-decoding.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

impl<S> fmt::Debug for TowerSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSession").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_they_are_decoded() {
        let of = |cookies: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(COOKIE, http::HeaderValue::from_static(cookie));
            }
            has_alias(&headers, "id")
        };
        for alias in [&["%69d=a"][..], &["id=a; %69%64=b"], &["id=a", "x=y;\ti%64 =b"], &["i%64"]] {
            assert!(of(alias), "{alias:?}");
        }
        for other in [&[][..], &["id=a"], &["%69=a"], &["id=%69d"], &["%2569d=a"], &["%69d%=a"], &["%6=a; %"], &["%20id=a"]] {
            assert!(!of(other), "{other:?}");
        }
    }
}

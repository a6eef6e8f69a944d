//! Django's sessions as credentials.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(any(test, feature = "redis"))]
use super::cache::CacheKeys;
use super::csrf;
use super::delegated::Delegated;
use super::direct::{self, Direct, Store};
use super::table::{Name, UserTable};
use crate::authority::Credentials;
use crate::{
    Authenticate, AuthenticateFuture, Fetch, Place, Presented, Principal, Rejection, Resource, Scheme, Verdict, is_scope_token,
};

/// `SESSION_COOKIE_NAME`, unless a site changes it.
const COOKIE: &str = "sessionid";

/// Who is logged in to a Django site, by the site's session cookie.
///
/// Browsers send the cookie with requests of any page, so the chain takes it only from pages of this server's origin and of
/// the [origins](Resource::origins) that it is given. Sessions are read, never made, renewed or ended.
///
/// Ask the site ([`delegated`](Self::delegated)) unless there is a reason not to: every other way needs its `SECRET_KEY`, and
/// who has that can be any user of the site.
///
/// ```
/// use mcp_auth::{Auth, DjangoSession};
///
/// let auth = Auth::chain().with(
///     DjangoSession::database("postgres://mcp_reader@localhost/site", "the SECRET_KEY of the site")
///         .issuer("https://www.example.com")
///         .scopes(["notes:read"]),
/// );
/// ```
///
/// The principal's subject is the user's primary key. Claims are `username`, and `groups` where the site is asked.
///
/// A session must be one in which a user of the site logged in by an allowed [backend](Self::backends), who may still log in,
/// and whose password is the one that they logged in with. The database is read, and never written. These grants are enough
/// for a role of its own, the second one for [`database`](Self::database) alone:
///
/// ```sql
/// GRANT SELECT (id, username, password, is_active) ON auth_user TO mcp_reader;
/// GRANT SELECT (session_key, session_data, expire_date) ON django_session TO mcp_reader;
/// ```
///
/// SQLite is opened for reading alone. Its dates have no zone: the site must have `USE_TZ = True`, which is Django's default.
pub struct DjangoSession {
    mode: Mode,
    cookie: Box<str>,
    scopes: Vec<Box<str>>,
    issuer: Option<Box<str>>,
    csrf: bool,
    /// Settings that another way of reading sessions has.
    misplaced: Vec<&'static str>,
}

enum Mode {
    Direct(Box<Direct>),
    Delegated(Box<Delegated>),
}

impl DjangoSession {
    fn new(mode: Mode) -> Self {
        Self { mode, cookie: COOKIE.into(), scopes: Vec::new(), issuer: None, csrf: false, misplaced: Vec::new() }
    }

    /// Asks the site, by a view at this URL: `https://www.example.com/rs/session/`. All engines work, pickled caches included,
    /// and the site's keys stay there. The view must know who asks, by [`client_credentials`](Self::client_credentials) or
    /// [`bearer`](Self::bearer).
    ///
    /// ```
    /// use mcp_auth::{Auth, DjangoSession};
    ///
    /// let auth = Auth::chain().with(
    ///     DjangoSession::delegated("https://www.example.com/rs/session/")
    ///         .client_credentials("https://www.example.com/o/token/", "mcp-server", "its secret", "introspection")
    ///         .issuer("https://www.example.com/o")
    ///         .scopes(["notes:read"]),
    /// );
    /// ```
    ///
    /// The view is sent `session=<cookie>` as a form, and a bearer token by which it knows this server. It answers 200 and, as
    /// `application/json` of at most 64 KiB,
    ///
    /// ```json
    /// {"active": true, "sub": "1", "username": "alice", "iss": "https://www.example.com", "exp": 1781524800, "groups": []}
    /// ```
    ///
    /// where all but `active` and `sub` may be missing or null; `exp` is in seconds of the Unix time. For a session that does
    /// not hold it answers `{"active": false}`, and with `"anonymous": true` beside it for one in which nobody is logged in.
    /// Any other answer means that the site does not tell now: 503.
    ///
    /// Answers are believed for at most 30 seconds, so a log-out is seen so much later; `{"active": false}` for 2 seconds. A site
    /// that does not answer is asked again after a second. At most 64 questions are open, and one about each cookie.
    #[must_use]
    pub fn delegated(view: &str) -> Self {
        Self::new(Mode::Delegated(Box::new(Delegated::new(view))))
    }

    /// Reads the table of the engines `db` and `cached_db`, in the database of this URL: `sqlite:///srv/site/db.sqlite3` or
    /// `postgres://reader:password@db.example.com/site`. A log-out counts at once.
    #[must_use]
    pub fn database(database: &str, secret_key: &str) -> Self {
        let store = Store::Table(Name::new("django_session"));
        Self::new(Mode::Direct(Box::new(Direct::new(store, direct::TABLE_SALT, database, secret_key))))
    }

    /// Reads the sessions of the engine `signed_cookies` from the cookie itself, and their users from the database.
    ///
    /// **A log-out does not end such a session**, here or in Django: whoever copied the cookie can use it until it is as old as
    /// [`age`](Self::age), or until the password changes.
    #[must_use]
    pub fn signed_cookies(database: &str, secret_key: &str) -> Self {
        let store = Store::Cookie(direct::AGE);
        Self::new(Mode::Direct(Box::new(Direct::new(store, direct::COOKIE_SALT, database, secret_key))))
    }

    /// Reads the sessions of the engine `cache` from Redis, `redis://:password@cache.example.com:6379/1`, and their users from
    /// the database. A log-out counts at once.
    ///
    /// Django pickles what it caches, and a pickle is a program: it is not read. The site's cache needs a serializer that
    /// writes JSON (`OPTIONS: {"serializer": ..}` in `CACHES`; with django-redis, its `JSONSerializer`, compressed by zlib or
    /// not). A user of Redis that may send `GETRANGE` and `PTTL` is enough, and `SELECT` where the URL names another database
    /// than 0.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis(redis: &str, database: &str, secret_key: &str) -> Self {
        let store = Store::Cache(Box::new(super::redis::Redis::new(redis)), CacheKeys::default());
        Self::new(Mode::Direct(Box::new(Direct::new(store, direct::TABLE_SALT, database, secret_key))))
    }

    /// In a cache of the test's own.
    #[cfg(test)]
    pub(super) fn cache(cache: impl super::cache::Cache + 'static, database: &str, secret_key: &str) -> Self {
        let store = Store::Cache(Box::new(cache), CacheKeys::default());
        Self::new(Mode::Direct(Box::new(Direct::new(store, direct::TABLE_SALT, database, secret_key))))
    }

    /// With keys that the current one replaced: the site's `SECRET_KEY_FALLBACKS`.
    #[must_use]
    pub fn fallback_keys<K: AsRef<str>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.directly("fallback_keys", |direct| keys.into_iter().for_each(|key| direct.keys.add(key.as_ref())))
    }

    /// With another name of the cookie: the site's `SESSION_COOKIE_NAME`. `sessionid` otherwise.
    #[must_use]
    pub fn cookie_name(self, name: impl Into<Box<str>>) -> Self {
        Self { cookie: name.into(), ..self }
    }

    /// The site's `AUTHENTICATION_BACKENDS`, of which users may have logged in by any. Django's `ModelBackend` otherwise.
    #[must_use]
    pub fn backends<B: Into<Box<str>>>(self, backends: impl IntoIterator<Item = B>) -> Self {
        self.directly("backends", |direct| direct.backends = backends.into_iter().map(Into::into).collect())
    }

    /// What users of the site may do: sessions have no scopes of their own. None otherwise.
    #[must_use]
    pub fn scopes<S: Into<Box<str>>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        Self { scopes: scopes.into_iter().map(Into::into).collect(), ..self }
    }

    /// Whose users these are: `https://www.example.com`. Give what vouches for them elsewhere, the issuer of the site's tokens
    /// for example, and they are the same callers by either. A site that is asked is known by the origin of its view otherwise.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<Box<str>>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// With another table of users, where `AUTH_USER_MODEL` names one.
    #[must_use]
    pub fn user_table(self, users: impl Into<UserTable>) -> Self {
        self.directly("user_table", |direct| direct.users = users.into())
    }

    /// With another table of sessions. `django_session` otherwise.
    #[must_use]
    pub fn session_table(self, table: &str) -> Self {
        self.store("session_table", |store| {
            let Store::Table(name) = store else { return false };
            *name = Name::new(table);
            true
        })
    }

    /// How old a session in a cookie may become: the site's `SESSION_COOKIE_AGE`. Two weeks otherwise.
    #[must_use]
    pub fn age(self, most: Duration) -> Self {
        self.store("age", |store| {
            let Store::Cookie(age) = store else { return false };
            *age = most;
            true
        })
    }

    /// With the `KEY_PREFIX` and `VERSION` of the cache. Empty and 1 otherwise.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn cache_keys(self, prefix: impl Into<Box<str>>, version: u32) -> Self {
        self.store("cache_keys", |store| {
            let Store::Cache(_, keys) = store else { return false };
            (keys.prefix, keys.version) = (prefix.into(), version);
            true
        })
    }

    /// In the half of the engine `cached_db` that is in the cache. Its other half, which [`database`](Self::database) reads,
    /// has sessions that the cache forgot as well.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn cached_db(self) -> Self {
        self.store("cached_db", |store| {
            let Store::Cache(_, keys) = store else { return false };
            keys.engine = CacheKeys::CACHED_DB;
            true
        })
    }

    /// With Django's double submit as well: requests that may change something name the secret of the cookie `csrftoken` in
    /// `X-CSRFToken`, masked or not. For sites whose pages send it anyway.
    #[must_use]
    pub fn csrf(self) -> Self {
        Self { csrf: true, ..self }
    }

    /// Asks with a token that this client gets for itself at the site's token endpoint (RFC 6749 section 4.4), with this scope,
    /// once an hour. An empty scope is not asked for.
    #[must_use]
    pub fn client_credentials(
        self,
        token_url: impl Into<Box<str>>,
        id: impl Into<Box<str>>,
        secret: impl Into<Box<str>>,
        scope: impl Into<Box<str>>,
    ) -> Self {
        let own = Credentials::own(token_url.into(), id.into(), secret.into(), scope.into());
        self.delegating("client_credentials", |delegated| delegated.credentials = own)
    }

    /// Asks with this token, which does not change.
    #[must_use]
    pub fn bearer(self, token: impl Into<Box<str>>) -> Self {
        let token = Credentials::Bearer(token.into());
        self.delegating("bearer", |delegated| delegated.credentials = token)
    }

    /// Asks through this client: one with other permissions, or a test's. Without the feature `fetch` it is needed.
    #[must_use]
    pub fn fetching_with(self, fetch: impl Fetch) -> Self {
        self.delegating("fetching_with", |delegated| delegated.fetch = Arc::new(fetch))
    }

    fn directly(mut self, setting: &'static str, set: impl FnOnce(&mut Direct)) -> Self {
        match &mut self.mode {
            Mode::Direct(direct) => set(direct),
            Mode::Delegated(_) => self.misplaced.push(setting),
        }
        self
    }

    fn delegating(mut self, setting: &'static str, set: impl FnOnce(&mut Delegated)) -> Self {
        match &mut self.mode {
            Mode::Delegated(delegated) => set(delegated),
            Mode::Direct(_) => self.misplaced.push(setting),
        }
        self
    }

    /// `set` tells whether this store has such a setting.
    fn store(mut self, setting: &'static str, set: impl FnOnce(&mut Store) -> bool) -> Self {
        let has_it = match &mut self.mode {
            Mode::Direct(direct) => set(&mut direct.store),
            Mode::Delegated(_) => false,
        };
        if !has_it {
            self.misplaced.push(setting);
        }
        self
    }

    /// `None`: nobody is logged in.
    async fn judge(&self, presented: Presented<'_>) -> Result<Option<Principal>, Rejection> {
        if self.csrf {
            csrf::check(presented.head())?;
        }
        let (cookie, now) = (presented.credential(), presented.now());
        let principal = match &self.mode {
            Mode::Direct(direct) => {
                let Some(found) = direct.judge(cookie, now).await? else { return Ok(None) };
                let mut principal = Principal::user(found.user.id);
                if let Some(issuer) = &self.issuer {
                    principal = principal.issued_by(issuer.clone());
                }
                if let Some(until) = found.until {
                    principal = principal.valid_until(until);
                }
                match found.user.username {
                    Some(username) => principal.claim("username", username),
                    None => principal,
                }
            }
            Mode::Delegated(delegated) => {
                let issuer = self.issuer.as_deref().unwrap_or_else(|| delegated.origin());
                let Some(told) = delegated.judge(presented, issuer).await? else { return Ok(None) };
                let mut principal = Principal::user(told.subject).issued_by(issuer).claim("groups", told.groups);
                if let Some(until) = told.until {
                    principal = principal.valid_until(until);
                }
                match told.username {
                    Some(username) => principal.claim("username", username),
                    None => principal,
                }
            }
        };
        Ok(Some(principal.scopes(self.scopes.iter().cloned()).authenticated_by(Scheme::Session)))
    }
}

impl Authenticate for DjangoSession {
    fn places(&self) -> Vec<Place> {
        vec![Place::Cookie(self.cookie.clone())]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move {
            match self.judge(presented).await {
                Ok(Some(principal)) => Verdict::Accepted(principal),
                Ok(None) => Verdict::NotMine,
                Err(rejection) => Verdict::Rejected(rejection),
            }
        })
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        let (mut problems, ways) = match &self.mode {
            Mode::Direct(direct) => (direct.problems(), "read directly"),
            Mode::Delegated(delegated) => (delegated.problems(), "asked for at the site"),
        };
        let is_direct = matches!(self.mode, Mode::Direct(_));
        if self.issuer.as_deref().map_or(is_direct, str::is_empty) {
            problems.push(
                "whose users the sessions are of is not said: give the site with `.issuer(\"https://www.example.com\")`"
                    .to_owned(),
            );
        }
        let misplaced = self.misplaced.iter();
        problems.extend(misplaced.map(|setting| format!("`.{setting}(..)` means nothing for sessions that are {ways} so")));
        if !crate::bearer::is_token(&self.cookie) {
            problems.push(format!("`{}` is no name of a session cookie", self.cookie));
        }
        let wrong = self.scopes.iter().filter(|scope| !is_scope_token(scope));
        problems.extend(wrong.map(|scope| format!("`{scope}` is no scope: one word, without quotes and backslashes")));
        problems
    }
}

/// Without the URLs, which may hold passwords.
impl fmt::Debug for DjangoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoSession")
            .field("cookie", &self.cookie)
            .field("issuer", &self.issuer)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

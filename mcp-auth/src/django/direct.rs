//! Sessions that are read where Django keeps them, and verified here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(any(test, feature = "redis"))]
use super::cache::{self, Cache, CacheKeys};
use super::database::{Database, Key};
use super::keys::SiteKeys;
use super::payload::{Expiry, Session};
use super::table::{Name, UserTable};
use super::user::User;
use crate::Rejection;
use crate::signing::{self, MAX_TEXT};

/// The salts of Django's engines.
pub(super) const TABLE_SALT: &str = "django.contrib.sessions.SessionStore";
pub(super) const COOKIE_SALT: &str = "django.contrib.sessions.backends.signed_cookies";

/// `SESSION_COOKIE_AGE`, unless a site changes it.
pub(super) const AGE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The backend of a site that names none.
pub(super) const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

/// The site's store of sessions, and all that is needed to believe one.
pub(super) struct Direct {
    pub(super) store: Store,
    pub(super) keys: SiteKeys,
    pub(super) database: Database,
    pub(super) users: UserTable,
    pub(super) backends: Vec<Box<str>>,
}

/// Where sessions are.
pub(super) enum Store {
    /// The engines `db` and `cached_db`.
    Table(Name),
    /// The engine `signed_cookies`: in the cookie itself, for so long.
    Cookie(Duration),
    /// The engine `cache`.
    #[cfg(any(test, feature = "redis"))]
    Cache(Box<dyn Cache>, CacheKeys),
}

/// Who is logged in, and until when.
pub(super) struct LoggedIn {
    pub(super) user: User,
    pub(super) until: Option<SystemTime>,
}

impl Direct {
    pub(super) fn new(store: Store, salt: &str, database: &str, secret_key: &str) -> Self {
        Self {
            store,
            keys: SiteKeys::new(salt, secret_key),
            database: Database::new(database),
            users: UserTable::default(),
            backends: Vec::new(),
        }
    }

    /// Who is logged in in the session of this cookie. `None`: nobody.
    ///
    /// # Errors
    /// There is no such session, it ended, or its user may not log in, or not with it.
    pub(super) async fn judge(&self, cookie: &str, now: SystemTime) -> Result<Option<LoggedIn>, Rejection> {
        let found = match &self.store {
            Store::Table(table) => self.in_table(table, cookie, now).await?,
            Store::Cookie(age) => self.in_cookie(*age, cookie, now)?,
            #[cfg(any(test, feature = "redis"))]
            Store::Cache(cache, keys) => cache::session(&**cache, keys, cookie, now).await?,
        };
        let Some((session, until)) = found else { return Ok(None) };
        let is_allowed = |backend: &str| backend == session.backend;
        let allowed = match &*self.backends {
            [] => is_allowed(BACKEND),
            backends => backends.iter().any(|backend| is_allowed(backend)),
        };
        if !allowed {
            return Err(Rejection::invalid_token("backend_not_allowed"));
        }
        let user = self.users.find(&self.database, &session.user_id).await?;
        // It changes with the password, so that a new one ends all sessions.
        if session.hash.is_empty() || !self.keys.hash_holds(&user.password, &session.hash) {
            return Err(Rejection::invalid_token("auth_hash_mismatch").detail(user.id));
        }
        Ok(Some(LoggedIn { user, until }))
    }

    async fn in_table(
        &self,
        table: &Name,
        key: &str,
        now: SystemTime,
    ) -> Result<Option<(Session, Option<SystemTime>)>, Rejection> {
        let key = session_key(key)?;
        let expire_date = self.database.select_moment("s.expire_date");
        let sql = format!(
            "SELECT CASE WHEN LENGTH(s.session_data) <= {MAX_TEXT} THEN s.session_data END, {expire_date} FROM {table} s WHERE s.session_key = $1"
        );
        let row = self.database.row(sql, Key::Text(key)).await?.ok_or_else(|| Rejection::invalid_token("session_not_found"))?;
        let (data, until) = (row.first().cloned().flatten(), row.get(1).cloned().flatten());
        let until = self.database.moment(until.as_deref())?;
        if until <= now {
            return Err(Rejection::invalid_token("expired"));
        }
        let data = data.ok_or_else(|| Rejection::invalid_token("session_too_large"))?;
        // When it was signed does not matter: the row has its own end.
        let signed = self.keys.unsign(&data).ok_or_else(|| Rejection::invalid_token("bad_signature"))?;
        Ok(payload(signed.payload)?.map(|session| (session, Some(until))))
    }

    fn in_cookie(
        &self,
        age: Duration,
        cookie: &str,
        now: SystemTime,
    ) -> Result<Option<(Session, Option<SystemTime>)>, Rejection> {
        let signed = self.keys.unsign(cookie).ok_or_else(|| Rejection::invalid_token("bad_signature"))?;
        let expired = || Rejection::invalid_token("expired");
        let since = UNIX_EPOCH.checked_add(Duration::from_secs(signed.timestamp)).ok_or_else(expired)?;
        if since > now {
            return Err(Rejection::invalid_token("signed_in_the_future"));
        }
        let Some(session) = payload(signed.payload)? else { return Ok(None) };
        let most = since.checked_add(age).ok_or_else(expired)?;
        // Django itself does not look at it here (ticket 19201), so that a short session would last for the whole age.
        let last = match session.expiry {
            Expiry::Default => most,
            Expiry::Seconds(seconds) => {
                let seconds = Duration::from_secs(u64::try_from(seconds).map_err(|_| expired())?);
                since.checked_add(seconds).map_or(most, |own| own.min(most))
            }
            Expiry::At(own) => own.min(most),
            Expiry::Unreadable => return Err(Rejection::invalid_token("session_expiry_unreadable")),
        };
        if now > last {
            return Err(expired());
        }
        // The last moment still counts.
        Ok(Some((session, last.checked_add(Duration::from_nanos(1)))))
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<_> = self.users.problems().collect();
        problems.extend(self.database.problem());
        problems.extend(self.keys.problem());
        match &self.store {
            Store::Table(table) => problems.extend(table.problem("table")),
            Store::Cookie(age) if age.is_zero() => {
                problems.push("sessions of the age 0 are over at once: give `SESSION_COOKIE_AGE`".to_owned());
            }
            Store::Cookie(_) => {}
            #[cfg(any(test, feature = "redis"))]
            Store::Cache(cache, _) => problems.extend(cache.problem()),
        }
        problems
    }
}

/// The key of a session: Django makes 32 of these characters, and takes from 8 on. Its tables have room for 40.
pub(super) fn session_key(cookie: &str) -> Result<&str, Rejection> {
    let is_key = (8..=40).contains(&cookie.len()) && cookie.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if is_key { Ok(cookie) } else { Err(Rejection::invalid_token("bad_session_key")) }
}

fn payload(payload: &str) -> Result<Option<Session>, Rejection> {
    let json = signing::json(payload, MAX_TEXT).ok_or_else(|| Rejection::invalid_token("malformed_session"))?;
    Session::read(&json)
}

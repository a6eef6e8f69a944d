//! Sessions in a cache, as Django's engine `cache` keeps them: unsigned, and readable only where they are JSON.

use std::borrow::Cow;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use super::direct::session_key;
use super::payload::Session;
use crate::signing::inflate;
use crate::{Rejection, signing};

/// What [`Cache::get`] returns.
pub(super) type CacheFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<Cached>, Rejection>> + Send + 'a>>;

/// Where the values of a cache are.
pub(super) trait Cache: Send + Sync {
    /// The value of a key, as the cache has it.
    fn get<'a>(&'a self, key: String) -> CacheFuture<'a>;

    fn problem(&self) -> Option<String>;
}

/// What a cache has.
pub(super) struct Cached {
    /// At most [`MAX_TEXT`](signing::MAX_TEXT) bytes and one.
    pub(super) value: Vec<u8>,
    /// How long it will be there. `None`: until it is taken out.
    pub(super) lifetime: Option<Duration>,
}

/// How Django's caches name what they keep.
#[derive(Clone, Debug)]
pub(super) struct CacheKeys {
    pub(super) prefix: Box<str>,
    pub(super) version: u32,
    pub(super) engine: &'static str,
}

impl CacheKeys {
    pub(super) const CACHE: &'static str = "django.contrib.sessions.cache";
    #[cfg(feature = "redis")]
    pub(super) const CACHED_DB: &'static str = "django.contrib.sessions.cached_db";

    pub(super) fn key(&self, session: &str) -> String {
        let Self { prefix, version, engine } = self;
        format!("{prefix}:{version}:{engine}{session}")
    }
}

/// `KEY_PREFIX` and `VERSION` as Django has them.
impl Default for CacheKeys {
    fn default() -> Self {
        Self { prefix: "".into(), version: 1, engine: Self::CACHE }
    }
}

/// The session of this cookie in a cache, and until when it is there. `None`: nobody is logged in.
pub(super) async fn session(
    cache: &dyn Cache,
    keys: &CacheKeys,
    key: &str,
    now: SystemTime,
) -> Result<Option<(Session, Option<SystemTime>)>, Rejection> {
    let key = session_key(key)?;
    let cached = cache.get(keys.key(key)).await?.ok_or_else(|| Rejection::invalid_token("session_not_found"))?;
    let until = cached.lifetime.and_then(|lifetime| now.checked_add(lifetime));
    let session = Session::read(&json(&cached.value)?)?;
    Ok(session.map(|session| (session, until)))
}

/// The JSON text of a session in a cache.
///
/// # Errors
/// It is something else. A pickle is a program of Python's, and whoever writes to the cache writes it: it is not read.
pub(super) fn json(value: &[u8]) -> Result<Cow<'_, [u8]>, Rejection> {
    if value.len() > signing::MAX_TEXT {
        return Err(Rejection::invalid_token("session_too_large"));
    }
    // The compressor of django-redis.
    let json = match value {
        [b'x', ..] => Cow::Owned(inflate(value, signing::MAX_TEXT).ok_or_else(|| Rejection::invalid_token("malformed_session"))?),
        _ => Cow::Borrowed(value),
    };
    if is_pickle(&json) {
        return Err(Rejection::invalid_token("pickled_session").detail(
            "sessions in this cache are pickled, which is not read: give the cache of the site a JSON serializer \
             (`OPTIONS: {\"serializer\": ..}` in `CACHES`), or use `DjangoSession::delegated`, or the engine `cached_db` and `DjangoSession::database`",
        ));
    }
    Ok(json)
}

/// Pickles begin with their protocol, from the second on, and all end with a dot: JSON does neither.
fn is_pickle(value: &[u8]) -> bool {
    value.first() == Some(&0x80) || value.last() == Some(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_djangos() {
        assert_eq!(CacheKeys::default().key("abc"), ":1:django.contrib.sessions.cacheabc");
        let keys = CacheKeys { prefix: "site1".into(), version: 7, ..CacheKeys::default() };
        assert_eq!(keys.key("abc"), "site1:7:django.contrib.sessions.cacheabc");
    }

    #[test]
    fn json_is_read_and_pickles_are_named() {
        assert_eq!(json(b"{\"a\": 1}").expect("JSON").as_ref(), b"{\"a\": 1}");
        // `pickle.dumps({}, protocol)` for 5, 2, 1 and 0, and one that calls a function.
        for pickle in [&b"\x80\x05}\x94."[..], b"\x80\x02}q\x00.", b"}q\x00.", b"(dp0\n.", b"cos\ngetenv\n(S'HOME'\ntR."] {
            let rejection = json(pickle).expect_err("a pickle");
            assert_eq!(rejection.reason(), "pickled_session");
            assert!(rejection.to_string().contains("serializer"), "{rejection}");
        }
        // `zlib.compress(b"{}")`, and `zlib.compress(pickle.dumps({}))`.
        assert_eq!(json(b"\x78\x9c\xab\xae\x05\x00\x01\x75\x00\xf9").expect("JSON").as_ref(), b"{}");
        assert_eq!(json(b"x").expect_err("no zlib").reason(), "malformed_session");
        assert_eq!(json(&vec![b' '; signing::MAX_TEXT + 1]).expect_err("long").reason(), "session_too_large");
    }
}

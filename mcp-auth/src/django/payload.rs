//! What Django keeps in a session.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::moment::Written;
use crate::Rejection;

/// A session in which somebody is logged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) user_id: String,
    pub(super) backend: String,
    /// Empty where the session has none.
    pub(super) hash: String,
    pub(super) expiry: Expiry,
}

/// What the session itself says of its end: `_session_expiry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It ends as all do.
    Default,
    /// So many seconds after it was last saved.
    Seconds(i64),
    At(SystemTime),
    /// It ends on its own, but when can not be read: a date without a zone, for example.
    Unreadable,
}

impl Session {
    /// Reads the JSON text of a session. `None` where nobody is logged in.
    ///
    /// # Errors
    /// It is no session.
    pub(super) fn read(json: &[u8]) -> Result<Option<Self>, Rejection> {
        let malformed = || Rejection::invalid_token("malformed_session");
        let facts: Map<String, Value> = serde_json::from_slice(json).map_err(|_| malformed())?;
        let Some(user_id) = facts.get("_auth_user_id") else { return Ok(None) };
        let user_id = match user_id {
            Value::String(id) => id.clone(),
            // Django takes numbers too.
            Value::Number(id) if id.is_i64() => id.to_string(),
            _ => return Err(malformed()),
        };
        let text = |name: &str| match facts.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(malformed()),
        };
        let expiry = match facts.get("_session_expiry") {
            None | Some(Value::Null) => Expiry::Default,
            Some(Value::Number(seconds)) => match seconds.as_i64() {
                // It ends with the browser, which nobody here can tell.
                Some(0) => Expiry::Default,
                Some(seconds) => Expiry::Seconds(seconds),
                None => Expiry::Unreadable,
            },
            Some(Value::String(date)) => {
                Written::parse(date).and_then(Written::in_its_zone).map_or(Expiry::Unreadable, Expiry::At)
            }
            Some(_) => Expiry::Unreadable,
        };
        Ok(Some(Self { user_id, backend: text("_auth_user_backend")?, hash: text("_auth_user_hash")?, expiry }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<Session>, Rejection> {
        Session::read(json.as_bytes())
    }

    #[test]
    fn sessions_are_read() {
        let session = read(r#"{"_auth_user_id":"1","_auth_user_backend":"b","_auth_user_hash":"h","x":[1,{}]}"#);
        let session = session.expect("a session").expect("somebody");
        assert_eq!((session.user_id.as_str(), session.backend.as_str(), session.hash.as_str()), ("1", "b", "h"));
        assert_eq!(session.expiry, Expiry::Default);
        assert_eq!(read(r#"{"_auth_user_id":7}"#).expect("a session").expect("somebody").user_id, "7");
        assert!(read(r#"{"_auth_user_hash":"h","theme":"dark"}"#).expect("a session").is_none(), "nobody is logged in");
    }

    #[test]
    fn what_django_never_writes_is_refused() {
        let deep = format!(r#"{{"_auth_user_id":"1","x":{}{}}}"#, "[".repeat(4000), "]".repeat(4000));
        for other in [
            "",
            "[]",
            "1",
            "{",
            "\u{80}\u{5}}.",
            r#"{"_auth_user_id":null}"#,
            r#"{"_auth_user_id":true}"#,
            r#"{"_auth_user_id":1.5}"#,
            r#"{"_auth_user_id":["1"]}"#,
            r#"{"_auth_user_id":"1","_auth_user_hash":0}"#,
            r#"{"_auth_user_id":"1","_auth_user_backend":["b"]}"#,
            &deep,
        ] {
            assert!(read(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_session_may_end_on_its_own() {
        let expiry = |json: &str| {
            let session = read(&format!(r#"{{"_auth_user_id":"1","_session_expiry":{json}}}"#));
            session.expect("a session").expect("somebody").expiry
        };
        assert_eq!(
            ["null", "0", "60", "-1"].map(expiry),
            [Expiry::Default, Expiry::Default, Expiry::Seconds(60), Expiry::Seconds(-1)]
        );
        for other in [r#""soon""#, "1.5", r#""2026-06-15T12:00:00""#, "true", "[]"] {
            assert_eq!(expiry(other), Expiry::Unreadable, "{other}");
        }
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_781_524_800);
        assert_eq!(expiry(r#""2026-06-15T14:00:00+02:00""#), Expiry::At(at));
    }
}

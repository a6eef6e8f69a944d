//! The users in a site's database.

use super::database::{Database, Key};
use super::table::{UserKey, UserTable};
use crate::Rejection;
use crate::digest::{hex, sha256};

/// The longest key that is a text, in bytes.
const MAX_TEXT_KEY: usize = 255;

/// A user that may log in.
pub(super) struct User {
    /// The primary key, as Python writes it.
    pub(super) id: String,
    pub(super) username: Option<String>,
    /// The whole column: algorithm, salt and hash.
    pub(super) password: String,
}

impl UserTable {
    /// The user with this primary key, as Python writes it.
    ///
    /// # Errors
    /// There is none, they may not log in, or the database does not answer.
    pub(super) async fn find(&self, database: &Database, id: &str) -> Result<User, Rejection> {
        let malformed = || Rejection::invalid_token("malformed_user_id");
        let (table, column) = (&self.table, format!("u.{}", self.key));
        let uuid;
        let (condition, key) = match self.key_type {
            UserKey::Integer => (format!("{column} = $1"), Key::Integer(integer(id).ok_or_else(malformed)?)),
            UserKey::Uuid => {
                uuid = uuid_digits(id).filter(|digits| hyphenated(digits) == id).ok_or_else(malformed)?;
                (database.is_uuid(&column), Key::Text(&uuid))
            }
            UserKey::Text if id.is_empty() || id.len() > MAX_TEXT_KEY || id.contains('\0') => return Err(malformed()),
            UserKey::Text => (format!("{column} = $1"), Key::Text(id)),
        };
        let (username, password, active) = (&self.username, &self.password, self.active());
        let sql = format!(
            "SELECT CAST({column} AS TEXT), CAST(u.{username} AS TEXT), CAST(u.{password} AS TEXT), {active} FROM {table} u WHERE {condition}"
        );
        let Some(row) = database.row(sql, key).await? else { return Err(Rejection::invalid_token("user_not_found")) };
        let [found, username, password, active] =
            <[_; 4]>::try_from(row).map_err(|_| Rejection::invalid_token("user_not_found"))?;
        // A collation may take another user's key for this one.
        if found.and_then(|found| self.id(&found)).as_deref() != Some(id) {
            return Err(Rejection::invalid_token("user_not_found"));
        }
        if active.as_deref() != Some("1") {
            return Err(Rejection::invalid_token("user_inactive"));
        }
        Ok(User { id: id.to_owned(), username, password: password.unwrap_or_default() })
    }

    /// A key as the database writes it, as Python does.
    pub(super) fn id(&self, written: &str) -> Option<String> {
        match self.key_type {
            UserKey::Integer => integer(written).map(|id| id.to_string()),
            UserKey::Uuid => uuid_digits(written).map(|digits| hyphenated(&digits)),
            UserKey::Text => Some(written.to_owned()),
        }
    }
}

/// A whole number, written as Python does: Django would take blanks, signs and zeros before it as well.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// The 32 digits of a UUID, with hyphens or without.
fn uuid_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let is_uuid = text.len() <= 36 && digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_uuid.then_some(digits)
}

fn hyphenated(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// What tables of tokens have in place of a token: they may hold no token at all, and time tells nothing of a checksum.
pub(super) fn checksum(token: &str) -> String {
    hex(&sha256(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_spelling() {
        for (text, number) in [("1", Some(1)), ("0", Some(0)), ("-7", Some(-7)), ("9223372036854775807", Some(i64::MAX))] {
            assert_eq!(integer(text), number, "{text}");
        }
        for other in ["", " 1 ", "+1", "01", "1.0", "1e3", "-0", "9223372036854775808", "１", "abc"] {
            assert_eq!(integer(other), None, "{other}");
        }
        let uuid = "c9bf9e57-1685-4c89-bafb-ff5af830be8a";
        let users = UserTable::default().key("id", UserKey::Uuid);
        assert_eq!(users.id("c9bf9e5716854c89bafbff5af830be8a").as_deref(), Some(uuid));
        assert_eq!(users.id(uuid).as_deref(), Some(uuid));
        for other in ["", "c9bf", "C9BF9E5716854C89BAFBFF5AF830BE8A", "g9bf9e5716854c89bafbff5af830be8a"] {
            assert_eq!(users.id(other), None, "{other}");
        }
    }
}

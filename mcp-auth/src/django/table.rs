//! Names of tables and columns, and the table of users.

use std::fmt;

/// The longest name that PostgreSQL keeps whole.
const MAX_NAME: usize = 63;

/// The name of a table or column, quoted as SQL wants it.
///
/// Names come from the operator, who has them from Django's `db_table`: one word, or two with a dot between, the first of
/// which is a schema. Words may stand in double quotes.
#[derive(Clone)]
pub(super) struct Name {
    /// As it was given, for messages.
    given: Box<str>,
    /// `None` where it is no name.
    quoted: Option<Box<str>>,
}

impl Name {
    pub(super) fn new(given: &str) -> Self {
        Self { given: given.into(), quoted: quoted(given) }
    }

    /// What is wrong with it.
    pub(super) fn problem(&self, what: &str) -> Option<String> {
        let given = &self.given;
        self.quoted.is_none().then(|| {
            format!("`{given}` is no name of a {what}: one word of A-Z a-z 0-9 _, or `schema.table`, each of at most 63 bytes")
        })
    }
}

/// Its place in a query. What is no name is never sent: it is a column that no table has.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.quoted.as_deref().unwrap_or(r#""""#))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

fn quoted(given: &str) -> Option<Box<str>> {
    let word = |word: &str| {
        let word = word.strip_prefix('"').map_or(Some(word), |word| word.strip_suffix('"'))?;
        let is_word = (1..=MAX_NAME).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_word.then(|| format!("\"{word}\""))
    };
    Some(match given.split_once('.') {
        None => word(given)?.into(),
        Some((schema, table)) => format!("{}.{}", word(schema)?, word(table)?).into(),
    })
}

/// What the primary keys of users are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserKey {
    /// Whole numbers, as Django makes them.
    Integer,
    /// A `UUIDField`.
    Uuid,
    /// A `CharField`.
    Text,
}

/// Where the users of a site are: `auth_user`, unless `AUTH_USER_MODEL` says otherwise.
///
/// ```
/// # use mcp_auth::{UserKey, UserTable};
/// let users = UserTable::named("accounts_person").key("id", UserKey::Uuid).username("email");
/// ```
#[derive(Clone, Debug)]
pub struct UserTable {
    pub(super) table: Name,
    pub(super) key: Name,
    pub(super) key_type: UserKey,
    pub(super) username: Name,
    pub(super) password: Name,
    pub(super) is_active: Option<Name>,
}

impl UserTable {
    /// The table of this name, with the columns `id`, `username`, `password` and `is_active`.
    #[must_use]
    pub fn named(table: &str) -> Self {
        Self {
            table: Name::new(table),
            key: Name::new("id"),
            key_type: UserKey::Integer,
            username: Name::new("username"),
            password: Name::new("password"),
            is_active: Some(Name::new("is_active")),
        }
    }

    /// With another primary key.
    #[must_use]
    pub fn key(self, column: &str, key_type: UserKey) -> Self {
        Self { key: Name::new(column), key_type, ..self }
    }

    /// With another column of the names to log in by: the model's `USERNAME_FIELD`.
    #[must_use]
    pub fn username(self, column: &str) -> Self {
        Self { username: Name::new(column), ..self }
    }

    /// With another column of password hashes.
    #[must_use]
    pub fn password(self, column: &str) -> Self {
        Self { password: Name::new(column), ..self }
    }

    /// With another column that tells who may log in. `None` for a model that has no such field: all of its users may.
    #[must_use]
    pub fn is_active(self, column: Option<&str>) -> Self {
        Self { is_active: column.map(Name::new), ..self }
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let columns = [Some(&self.key), Some(&self.username), Some(&self.password), self.is_active.as_ref()];
        self.table.problem("table").into_iter().chain(columns.into_iter().flatten().filter_map(|name| name.problem("column")))
    }

    /// `1` for a user that may log in, as `u` in a query.
    pub(super) fn active(&self) -> String {
        // A user that is not there has no key either.
        let (key, one) = (&self.key, |condition: String| format!("CASE WHEN {condition} THEN '1' ELSE '0' END"));
        self.is_active.as_ref().map_or_else(|| one(format!("u.{key} IS NOT NULL")), |column| one(format!("u.{column}")))
    }
}

impl From<&str> for UserTable {
    fn from(table: &str) -> Self {
        Self::named(table)
    }
}

/// The Django app `django.contrib.auth` makes it.
impl Default for UserTable {
    fn default() -> Self {
        Self::named("auth_user")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_or_refused() {
        for (given, sql) in [
            ("auth_user", r#""auth_user""#),
            ("Site.People", r#""Site"."People""#),
            (r#""site"."people""#, r#""site"."people""#),
            (r#"site"."people"#, r#""""#),
        ] {
            assert_eq!(Name::new(given).to_string(), sql);
        }
        let long = "a".repeat(64);
        for other in ["", ".", "a.", "a.b.c", "a b", "a;b", "a\"", "\"a", "\"", "a\"\"b", "a--b", "a'b", "naïve", &long] {
            assert_eq!(Name::new(other).to_string(), r#""""#, "{other}");
            assert!(Name::new(other).problem("table").is_some_and(|problem| problem.contains(other)));
        }
    }

    #[test]
    fn every_name_is_looked_at() {
        let users = UserTable::named("a b").key("c d", UserKey::Text).username("e f").password("g h").is_active(Some("i j"));
        let problems: Vec<_> = users.problems().collect();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert_eq!(UserTable::default().problems().count(), 0);
    }
}

//! Keys in a table.

use std::time::{Duration, SystemTime};

use super::{ApiKey, ApiKeyFuture, ApiKeyStore, ApiKeyStoreError};
use crate::database::{Database, Key, Row};

/// The casts let the last column be of any type of integers.
const QUERY: &str =
    "SELECT id, sha256, owner, label, scopes, CAST(CAST(expires_at AS BIGINT) AS TEXT) FROM mcp_api_key WHERE id = $1";

/// API keys in a table, which is read with one short query for each request, and never written. The database is `SQLite` or
/// `PostgreSQL`:
///
/// ```sql
/// CREATE TABLE mcp_api_key (
///     id         TEXT PRIMARY KEY,         -- the part of the key that names it
///     sha256     TEXT NOT NULL,            -- of the whole key, in 64 hex digits
///     owner      TEXT NOT NULL,            -- the subject of the principal
///     label      TEXT,                     -- what people call it
///     scopes     TEXT NOT NULL DEFAULT '', -- separated by spaces
///     expires_at BIGINT                    -- seconds since 1970-01-01 in UTC; NULL: it does not end
/// );
/// ```
///
/// A key is revoked by deleting its row, and is then over at once. `GRANT SELECT ON mcp_api_key` is all that the server needs.
///
/// ```
/// use mcp_auth::{ApiKeyTable, ApiKeys, Auth};
///
/// let keys = ApiKeys::prefix("acme").store(ApiKeyTable::at("postgres://reader:password@db.example.com/app"));
/// assert!(Auth::chain().with(keys).problems().is_empty());
/// ```
///
/// It connects when it is first asked, so a server starts while its database is down.
#[derive(Debug)]
pub struct ApiKeyTable(Database);

impl ApiKeyTable {
    /// The table in the database of this URL: `sqlite:///srv/app/keys.sqlite3`, `postgres://reader:password@host/app`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self(Database::new(url))
    }
}

impl ApiKeyStore for ApiKeyTable {
    fn find<'a>(&'a self, id: &'a str) -> ApiKeyFuture<'a> {
        Box::pin(async move {
            let row = self.0.row(QUERY.to_owned(), Key::Text(id)).await.map_err(ApiKeyStoreError::new)?;
            row.map(key).transpose()
        })
    }

    fn problems(&self) -> Vec<String> {
        self.0.problem().map(|problem| format!("API keys: {problem}")).into_iter().collect()
    }
}

fn key(row: Row) -> Result<ApiKey, ApiKeyStoreError> {
    let unreadable = |what: &str| ApiKeyStoreError::new(format!("a row of `mcp_api_key` {what}"));
    let columns = <[Option<String>; 6]>::try_from(row).map_err(|_| unreadable("has other columns"))?;
    let [Some(id), Some(sha256), Some(owner), label, scopes, expires_at] = columns else {
        return Err(unreadable("has no id, hash or owner"));
    };
    let mut key = ApiKey::new(id, sha256).owner(owner).scopes(scopes.unwrap_or_default().split_ascii_whitespace());
    if let Some(label) = label {
        key = key.label(label);
    }
    let Some(seconds) = expires_at else { return Ok(key) };
    let no_time = || ApiKeyStoreError::new(format!("`expires_at` of API key `{}` is no time", key.id()));
    // What ended before 1970 has ended.
    let since = Duration::from_secs(u64::try_from(seconds.parse::<i64>().map_err(|_| no_time())?).unwrap_or(0));
    let end = SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(no_time)?;
    Ok(key.expires_at(end))
}

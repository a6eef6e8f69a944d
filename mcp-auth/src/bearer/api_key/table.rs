//! Keys in a table.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::{ApiKey, ApiKeyFuture, ApiKeyStore, ApiKeyStoreError};

/// How long a query may take, the connection included.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A query takes a connection for less than a millisecond.
const MAX_CONNECTIONS: u32 = 5;

/// The cast lets the column be of any type of integers.
const QUERY: &str = "SELECT id, sha256, owner, label, scopes, CAST(expires_at AS BIGINT) FROM mcp_api_key WHERE id = $1";

type Row = (String, String, String, Option<String>, String, Option<i64>);

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
pub struct ApiKeyTable {
    options: Result<Options, String>,
    pool: OnceLock<Pool>,
}

enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl ApiKeyTable {
    /// The table in the database of this URL: `sqlite:///srv/app/keys.sqlite3`, `postgres://reader:password@host/app`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { options: options(url), pool: OnceLock::new() }
    }

    async fn row(&self, id: &str) -> Result<Option<Row>, ApiKeyStoreError> {
        let options = self.options.as_ref().map_err(|problem| ApiKeyStoreError::new(problem.as_str()))?;
        let pool = self.pool.get_or_init(|| match options {
            Options::Sqlite(options) => Pool::Sqlite(lazy((**options).clone())),
            Options::Postgres(options) => Pool::Postgres(lazy((**options).clone())),
        });
        let answer = tokio::time::timeout(TIMEOUT, async {
            match pool {
                Pool::Sqlite(pool) => sqlx::query_as(QUERY).bind(id).fetch_optional(pool).await,
                Pool::Postgres(pool) => sqlx::query_as(QUERY).bind(id).fetch_optional(pool).await,
            }
        });
        match answer.await {
            Ok(row) => row.map_err(|error| ApiKeyStoreError::new(error.to_string())),
            Err(_) => Err(ApiKeyStoreError::new(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }
}

impl ApiKeyStore for ApiKeyTable {
    fn find<'a>(&'a self, id: &'a str) -> ApiKeyFuture<'a> {
        Box::pin(async move { self.row(id).await?.map(key).transpose() })
    }

    fn problems(&self) -> Vec<String> {
        self.options.as_ref().err().cloned().into_iter().collect()
    }
}

fn key((id, sha256, owner, label, scopes, expires_at): Row) -> Result<ApiKey, ApiKeyStoreError> {
    let mut key = ApiKey::new(id, &sha256).owner(owner).scopes(scopes.split_ascii_whitespace());
    if let Some(label) = label {
        key = key.label(label);
    }
    let Some(seconds) = expires_at else { return Ok(key) };
    // What ended before 1970 has ended.
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let end = SystemTime::UNIX_EPOCH.checked_add(since);
    let end = end.ok_or_else(|| ApiKeyStoreError::new(format!("`expires_at` of API key `{}` is no time", key.id())))?;
    Ok(key.expires_at(end))
}

fn lazy<D: sqlx::Database>(options: <D::Connection as sqlx::Connection>::Options) -> sqlx::Pool<D> {
    PoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(TIMEOUT).connect_lazy_with(options)
}

/// Reads the URL. It may hold a password, so it is not shown.
fn options(url: &str) -> Result<Options, String> {
    let unreadable = |example: &str| format!("the URL of the database of API keys can not be read: `{example}`, for example");
    match url.split(':').next() {
        Some("sqlite") => match url.parse::<SqliteConnectOptions>() {
            Ok(options) => Ok(Options::Sqlite(Box::new(options.read_only(true).create_if_missing(false)))),
            Err(_) => Err(unreadable("sqlite:///srv/app/keys.sqlite3")),
        },
        Some("postgres" | "postgresql") => match url.parse() {
            Ok(options) => Ok(Options::Postgres(Box::new(options))),
            Err(_) => Err(unreadable("postgres://reader:password@db.example.com/app")),
        },
        _ => Err("the URL of the database of API keys is of no kind that is read: `sqlite:` and `postgres:` are".to_owned()),
    }
}

/// The URL may hold a password.
impl fmt::Debug for ApiKeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.options {
            Ok(Options::Sqlite(_)) => "SQLite",
            Ok(Options::Postgres(_)) => "PostgreSQL",
            Err(_) => "unknown",
        };
        f.debug_struct("ApiKeyTable").field("database", &kind).finish_non_exhaustive()
    }
}

//! Somebody's database: SQLite or PostgreSQL, read with short queries and never written.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row as _};

/// How long a query may take, the connection included.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A query takes a connection for less than a millisecond.
const MAX_CONNECTIONS: u32 = 5;

/// The database by its URL. Connects when it is first asked, so that a server starts while its database is down.
pub(crate) struct Database {
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

/// What a row is looked up by.
#[cfg_attr(not(feature = "django"), expect(dead_code, reason = "tables of keys are read by text alone"))]
pub(crate) enum Key<'k> {
    Integer(i64),
    Text(&'k str),
}

/// A row, all of whose columns are texts.
pub(crate) type Row = Vec<Option<String>>;

impl Database {
    pub(crate) fn new(url: &str) -> Self {
        Self { options: options(url), pool: OnceLock::new() }
    }

    /// Why it will never be read, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        self.options.as_ref().err().cloned()
    }

    #[cfg_attr(not(feature = "django"), expect(dead_code, reason = "Django's columns are of other types in each"))]
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.options, Ok(Options::Postgres(_)))
    }

    /// The only row that the query finds, whose columns are texts. `sql` holds the operator's names, checked; all else that
    /// varies is the key.
    ///
    /// # Errors
    /// The database does not answer in time, or something that the query names is not there; in words for the log.
    pub(crate) async fn row(&self, sql: String, key: Key<'_>) -> Result<Option<Row>, String> {
        let options = self.options.as_ref().map_err(Clone::clone)?;
        let pool = self.pool.get_or_init(|| match options {
            Options::Sqlite(options) => Pool::Sqlite(lazy((**options).clone())),
            Options::Postgres(options) => Pool::Postgres(lazy((**options).clone())),
        });
        // One text for both, since a query's type names its database.
        macro_rules! texts {
            ($pool:expr) => {{
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = match key {
                    Key::Integer(key) => query.bind(key),
                    Key::Text(key) => query.bind(key),
                };
                let row = query.fetch_optional($pool).await?;
                row.map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).transpose()
            }};
        }
        let answer = tokio::time::timeout(TIMEOUT, async {
            match pool {
                Pool::Sqlite(pool) => texts!(pool),
                Pool::Postgres(pool) => texts!(pool),
            }
        });
        match answer.await {
            Ok(row) => row.map_err(|error| sqlx::Error::to_string(&error)),
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }
}

fn lazy<D: sqlx::Database>(options: <D::Connection as sqlx::Connection>::Options) -> sqlx::Pool<D> {
    PoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(TIMEOUT).connect_lazy_with(options)
}

/// Reads the URL. It may hold a password, so errors show no more of it than its scheme.
fn options(url: &str) -> Result<Options, String> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        "sqlite" => url
            .parse::<SqliteConnectOptions>()
            .map(|options| Options::Sqlite(Box::new(options.read_only(true).create_if_missing(false))))
            .map_err(|_| "the database's URL can not be read: `sqlite:///srv/site/db.sqlite3`, for example".to_owned()),
        "postgres" | "postgresql" => url.parse().map(|options| Options::Postgres(Box::new(options))).map_err(|_| {
            "the database's URL can not be read: `postgres://reader:password@db.example.com/site`, for example".to_owned()
        }),
        // What stands before a colon that is missing may be anything.
        _ if url.contains("://") && scheme.len() <= 16 => {
            Err(format!("databases of the kind `{scheme}` are not read: `sqlite` and `postgres` are"))
        }
        _ => Err("the database's URL has no scheme that is known: `sqlite:` and `postgres:` are".to_owned()),
    }
}

/// The URL may hold a password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.options {
            Ok(Options::Sqlite(_)) => "SQLite",
            Ok(Options::Postgres(_)) => "PostgreSQL",
            Err(_) => "no database",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_their_secrets_kept() {
        assert_eq!(Database::new("sqlite:///srv/site/db.sqlite3").problem(), None);
        assert_eq!(Database::new("postgres://reader:hunter2@db.example.com/site?sslmode=require").problem(), None);
        for (url, named) in [
            ("mysql://reader:hunter2@db.example.com/site", "`mysql`"),
            ("postgres://reader:hunter2@db.example.com:port/site", "`postgres://"),
            ("hunter2", "no scheme"),
            ("", "no scheme"),
        ] {
            let database = Database::new(url);
            let problem = database.problem().expect(url);
            assert!(problem.contains(named) && !format!("{problem} {database:?}").contains("hunter2"), "{problem}");
        }
    }
}

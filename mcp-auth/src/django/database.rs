//! The site's database: SQLite or PostgreSQL, read with short queries and never written.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row as _};

use super::moment::{Written, moment};
use crate::Rejection;

/// How long a query may take, the connection included.
const TIMEOUT: Duration = Duration::from_secs(2);
/// When to ask again where the database does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A query takes a connection for less than a millisecond.
const MAX_CONNECTIONS: u32 = 5;
/// Enough to tell what is wrong.
const MAX_DETAIL: usize = 300;

/// The database by its URL. Connects when it is first asked, so that a server starts while its database is down.
pub(super) struct Database {
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
pub(super) enum Key<'k> {
    Integer(i64),
    Text(&'k str),
}

/// A row, all of whose columns are texts.
pub(super) type Row = Vec<Option<String>>;

impl Database {
    pub(super) fn new(url: &str) -> Self {
        Self { options: options(url), pool: OnceLock::new() }
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.options.as_ref().err().cloned()
    }

    fn is_postgres(&self) -> bool {
        matches!(self.options, Ok(Options::Postgres(_)))
    }

    /// The expression that selects a column of dates for [`moment`](Self::moment).
    pub(super) fn select_moment(&self, column: &str) -> String {
        if self.is_postgres() {
            // How PostgreSQL writes a date is a setting of the connection.
            format!("CAST(CAST(EXTRACT(EPOCH FROM {column}) * 1000000 AS BIGINT) AS TEXT)")
        } else {
            format!("CAST({column} AS TEXT)")
        }
    }

    /// Reads what [`select_moment`](Self::select_moment) selected.
    ///
    /// # Errors
    /// It is no date in UTC: the site has `USE_TZ = False`, for which its zone would have to be known.
    pub(super) fn moment(&self, text: Option<&str>) -> Result<SystemTime, Rejection> {
        let at = text.and_then(|text| {
            if self.is_postgres() { text.parse().ok().and_then(moment) } else { Written::parse(text).and_then(Written::in_utc) }
        });
        at.ok_or_else(|| {
            Rejection::unavailable("django_date_unreadable", RETRY_AFTER)
                .detail("a date in the database is not in UTC as Django writes it: the site must have `USE_TZ = True`")
        })
    }

    /// The expression that compares a column of UUIDs with a key of 32 hex digits.
    pub(super) fn is_uuid(&self, column: &str) -> String {
        if self.is_postgres() { format!("{column} = CAST($1 AS uuid)") } else { format!("{column} = $1") }
    }

    /// The only row that the query finds, whose columns are texts. `sql` holds the operator's names, checked; all else that
    /// varies is the key.
    ///
    /// # Errors
    /// The database does not answer in time, or something that the query names is not there.
    pub(super) async fn row(&self, sql: String, key: Key<'_>) -> Result<Option<Row>, Rejection> {
        let down = |detail: String| {
            let end = (0..=MAX_DETAIL.min(detail.len())).rev().find(|at| detail.is_char_boundary(*at)).unwrap_or(0);
            Rejection::unavailable("django_database", RETRY_AFTER).detail(&detail[..end])
        };
        let pool = self.pool().ok_or_else(|| down("the database's URL can not be read".to_owned()))?;
        let sql = AssertSqlSafe(sql);
        let answer = tokio::time::timeout(TIMEOUT, async {
            match pool {
                Pool::Sqlite(pool) => {
                    let query = sqlx::query(sql);
                    let query = match key {
                        Key::Integer(key) => query.bind(key),
                        Key::Text(key) => query.bind(key),
                    };
                    let row = query.fetch_optional(pool).await?;
                    row.map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).transpose()
                }
                Pool::Postgres(pool) => {
                    let query = sqlx::query(sql);
                    let query = match key {
                        Key::Integer(key) => query.bind(key),
                        Key::Text(key) => query.bind(key),
                    };
                    let row = query.fetch_optional(pool).await?;
                    row.map(|row| (0..row.len()).map(|at| row.try_get(at)).collect()).transpose()
                }
            }
        });
        match answer.await {
            Ok(Ok(row)) => Ok(row),
            Ok(Err(error)) => Err(down(sqlx::Error::to_string(&error))),
            Err(_) => Err(down(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    fn pool(&self) -> Option<&Pool> {
        let options = self.options.as_ref().ok()?;
        Some(self.pool.get_or_init(|| match options {
            Options::Sqlite(options) => Pool::Sqlite(lazy((**options).clone())),
            Options::Postgres(options) => Pool::Postgres(lazy((**options).clone())),
        }))
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
            let problem = Database::new(url).problem().expect(url);
            assert!(problem.contains(named) && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_date_in_another_form_is_a_fault_of_the_site() {
        let sqlite = Database::new("sqlite://x");
        assert!(sqlite.moment(Some("2026-06-15 12:00:00")).is_ok());
        for other in [None, Some(""), Some("2026-06-15 12:00:00+02:00"), Some("1781524800000000")] {
            assert_eq!(sqlite.moment(other).expect_err("no date").kind(), crate::RejectionKind::Unavailable);
        }
        let postgres = Database::new("postgres://x/y");
        assert_eq!(postgres.moment(Some("1781524800000000")).ok(), moment(1_781_524_800_000_000));
        assert!(postgres.moment(Some("2026-06-15 12:00:00")).is_err());
    }
}

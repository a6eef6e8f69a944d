//! The site's database.

use std::time::{Duration, SystemTime};

use super::moment::{Written, moment};
use crate::Rejection;
use crate::database;
pub(super) use crate::database::{Key, Row};

/// When to ask again where the database does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The database by its URL.
pub(super) struct Database(database::Database);

impl Database {
    pub(super) fn new(url: &str) -> Self {
        Self(database::Database::new(url))
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    /// The expression that selects a column of dates for [`moment`](Self::moment).
    pub(super) fn select_moment(&self, column: &str) -> String {
        if self.0.is_postgres() {
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
            if self.0.is_postgres() { text.parse().ok().and_then(moment) } else { Written::parse(text).and_then(Written::in_utc) }
        });
        at.ok_or_else(|| {
            Rejection::unavailable("django_date_unreadable", RETRY_AFTER)
                .detail("a date in the database is not in UTC as Django writes it: the site must have `USE_TZ = True`")
        })
    }

    /// The expression that compares a column of UUIDs with a key of 32 hex digits.
    pub(super) fn is_uuid(&self, column: &str) -> String {
        if self.0.is_postgres() { format!("{column} = CAST($1 AS uuid)") } else { format!("{column} = $1") }
    }

    /// The only row that the query finds; see [`database::Database::row`].
    ///
    /// # Errors
    /// The database does not answer in time, or something that the query names is not there.
    pub(super) async fn row(&self, sql: String, key: Key<'_>) -> Result<Option<Row>, Rejection> {
        let row = self.0.row(sql, key).await;
        row.map_err(|detail| Rejection::unavailable("django_database", RETRY_AFTER).detail(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! Keys in a table: read by id, over when their row is gone.

use std::path::PathBuf;

use http::Request;
use mcp_auth::{ApiKey, ApiKeyTable, ApiKeys, Auth, Authenticate, Decision, RejectionKind};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

/// As the documentation of `ApiKeyTable` has it.
const TABLE: &str = "CREATE TABLE mcp_api_key (
    id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, owner TEXT NOT NULL, label TEXT, scopes TEXT NOT NULL DEFAULT '', expires_at BIGINT
)";

/// A database of the test of this name.
async fn database(name: &str) -> (SqliteConnection, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.sqlite3", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.expect("a database");
    sqlx::query(TABLE).execute(&mut connection).await.expect("a table");
    (connection, format!("sqlite://{}", path.display()))
}

async fn insert(connection: &mut SqliteConnection, key: &ApiKey, expires_at: Option<i64>) {
    let query = sqlx::query("INSERT INTO mcp_api_key VALUES ($1, $2, 'ci', 'nightly build', 'reports:read  notes', $3)");
    query.bind(key.id()).bind(key.sha256()).bind(expires_at).execute(connection).await.expect("a row");
}

async fn decide(auth: &Auth, key: &str) -> Decision {
    let request = Request::builder().header("authorization", format!("Bearer {key}"));
    auth.decide(&request.body(()).expect("a valid request").into_parts().0).await
}

async fn refused(auth: &Auth, key: &str) -> (RejectionKind, &'static str) {
    match decide(auth, key).await {
        Decision::Rejected(rejection) => (rejection.kind(), rejection.reason()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_row_is_a_key_until_it_ends_or_goes() {
    let (mut connection, url) = database("rows").await;
    let auth = Auth::chain().with(ApiKeys::prefix("acme").store(ApiKeyTable::at(&url)));
    assert_eq!(auth.problems(), Vec::<String>::new());
    let [one, past, absurd, unknown] = std::array::from_fn(|_| ApiKeys::generate("acme").expect("a key"));
    insert(&mut connection, &one.1, None).await;
    insert(&mut connection, &past.1, Some(-1)).await;
    insert(&mut connection, &absurd.1, Some(i64::MAX)).await;

    let Decision::Accepted(principal) = decide(&auth, &one.0).await else { panic!("must be accepted") };
    assert_eq!((principal.subject(), principal.expires_at()), ("ci", None));
    assert_eq!(principal.granted().iter().collect::<Vec<_>>(), ["notes", "reports:read"]);
    assert_eq!(principal.claims()["api_key_label"], "nightly build");
    assert_eq!(refused(&auth, &past.0).await, (RejectionKind::InvalidToken, "expired"));
    assert_eq!(refused(&auth, &unknown.0).await, (RejectionKind::InvalidToken, "unknown_api_key"));
    assert!(!matches!(decide(&auth, &absurd.0).await, Decision::Rejected(r) if r.kind() == RejectionKind::InvalidToken));

    sqlx::query("DELETE FROM mcp_api_key WHERE id = $1").bind(one.1.id()).execute(&mut connection).await.expect("no row");
    assert_eq!(refused(&auth, &one.0).await, (RejectionKind::InvalidToken, "unknown_api_key"));
    sqlx::query("DROP TABLE mcp_api_key").execute(&mut connection).await.expect("no table");
    assert_eq!(refused(&auth, &one.0).await, (RejectionKind::Unavailable, "api_key_store"));
}

#[tokio::test]
async fn a_database_that_is_not_there_makes_no_key_wrong() {
    let (key, _) = ApiKeys::generate("acme").expect("a key");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-file.sqlite3");
    let table = ApiKeyTable::at(&format!("sqlite://{}", path.display()));
    let auth = Auth::chain().with(ApiKeys::prefix("acme").store(table));
    assert_eq!(refused(&auth, &key).await, (RejectionKind::Unavailable, "api_key_store"));
    assert!(!path.exists(), "nothing is made there");
}

#[test]
fn a_url_that_is_none_is_a_problem_that_shows_no_password() {
    for url in ["mysql://reader:hunter2@db/app", "postgres://reader:hunter2@db:port/app", "hunter2", ""] {
        let table = ApiKeyTable::at(url);
        assert!(!format!("{table:?}").contains("hunter2"));
        let problems = ApiKeys::prefix("acme").store(table).problems(None);
        assert_eq!(problems.len(), 1, "{url}");
        assert!(problems[0].starts_with("API keys: ") && !problems[0].contains("hunter2"), "{problems:?}");
    }
    let table = ApiKeyTable::at("postgres://reader:hunter2@db/app");
    assert!(!format!("{table:?}").contains("hunter2"));
}

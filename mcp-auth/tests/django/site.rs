//! A Django site's database, and what the site signs. Each test binary has its own use for it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use orion::hazardous::hash::sha2::sha256::Sha256;
use orion::hazardous::mac::hmac::sha256::{HmacSha256, SecretKey};
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// The time of all tests: 2026-06-15 12:00:00 UTC.
pub(crate) const NOW: u64 = 1_781_524_800;

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The tables as Django 5.2 and Django OAuth Toolkit 3.4 make them, by the columns that matter here.
const TABLES: &str = "
CREATE TABLE auth_user (id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login datetime, is_superuser bool,
    username varchar(150) NOT NULL UNIQUE, last_name varchar(150), email varchar(254), is_staff bool, is_active bool NOT NULL,
    date_joined datetime, first_name varchar(150));
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date datetime NOT NULL);
CREATE TABLE oauth2_provider_application (id integer PRIMARY KEY, client_id varchar(100) NOT NULL UNIQUE);
CREATE TABLE oauth2_provider_accesstoken (id integer PRIMARY KEY, token text NOT NULL, token_checksum varchar(64) NOT NULL UNIQUE,
    expires datetime NOT NULL, scope text NOT NULL, resource text NOT NULL, user_id integer, application_id bigint,
    created datetime, updated datetime, source_refresh_token_id bigint, id_token_id bigint);
";

/// A database of its own in a file that goes with it.
pub(crate) struct Site {
    path: PathBuf,
    pool: SqlitePool,
}

impl Site {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mcp-auth-django-{}-{}.sqlite3", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path).create_if_missing(true)).await;
        let site = Self { path, pool: pool.expect("a file for the database") };
        sqlx::raw_sql(TABLES).execute(&site.pool).await.expect("tables");
        site
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.expect(sql);
    }

    pub(crate) async fn insert(&self, table: &str, row: &Map<String, Value>) {
        let columns = row.keys().cloned().collect::<Vec<_>>().join(", ");
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) VALUES ({places})");
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
        for value in row.values() {
            query = match value {
                Value::String(text) => query.bind(text.clone()),
                Value::Null => query.bind(None::<String>),
                Value::Bool(bool) => query.bind(i64::from(*bool)),
                number => query.bind(number.as_i64().expect("a whole number")),
            };
        }
        query.execute(&self.pool).await.expect(&sql);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = Sha256::digest(bytes).expect("a short text");
    digest.as_ref().try_into().expect("32 bytes")
}

pub(crate) fn salted_hmac(salt: &str, value: &str, secret: &str) -> [u8; 32] {
    let key = sha256(format!("{salt}{secret}").as_bytes());
    let key = SecretKey::try_from(key.as_slice()).expect("32 bytes");
    let tag = HmacSha256::hmac(&key, value.as_bytes()).expect("a short text");
    tag.unprotected_as_ref().try_into().expect("32 bytes")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As `django.core.signing.dumps` does, at a time.
pub(crate) fn dumps(json: &str, salt: &str, secret: &str, at: u64) -> String {
    let value = format!("{}:{}", BASE64_URL_SAFE_NO_PAD.encode(json), base62(at));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(salted_hmac(&format!("{salt}signer"), &value, secret));
    format!("{value}:{signature}")
}

pub(crate) fn session_auth_hash(password: &str, secret: &str) -> String {
    hex(&salted_hmac("django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash", password, secret))
}

fn base62(mut number: u64) -> String {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    while number > 0 {
        text.insert(0, char::from(digits[(number % 62) as usize]));
        number /= 62;
    }
    text
}

//! The users of a Django site: by the tokens that Django OAuth Toolkit issues, and by Django's own sessions.
//!
//! The database is read, never written: no session is created, renewed or flushed. Give the server a role of its own. These
//! grants are enough for PostgreSQL; with them it can read neither tokens nor the secrets of clients:
//!
//! ```sql
//! GRANT SELECT (id, username, password, is_active) ON auth_user TO mcp_reader;                 -- `password` for sessions alone
//! GRANT SELECT (session_key, session_data, expire_date) ON django_session TO mcp_reader;       -- for `DjangoSession::database`
//! GRANT SELECT (token_checksum, expires, scope, resource, user_id, application_id)
//!     ON oauth2_provider_accesstoken TO mcp_reader;                                            -- for `DjangoOAuth`
//! GRANT SELECT (id, client_id) ON oauth2_provider_application TO mcp_reader;                   -- for `DjangoOAuth`
//! ```
//!
//! SQLite is opened for reading alone. Dates must be in UTC there: the site has `USE_TZ = True`, Django's default.

mod audience;
#[cfg(any(test, feature = "redis"))]
mod cache;
mod csrf;
mod database;
mod delegated;
mod direct;
mod keys;
mod moment;
mod oauth;
mod payload;
mod recall;
#[cfg(feature = "redis")]
mod redis;
mod session;
mod table;
#[cfg(test)]
mod tests;
mod user;
#[cfg(test)]
mod vectors;

pub use oauth::DjangoOAuth;
pub use session::DjangoSession;
pub use table::{UserKey, UserTable};

/// Lower-case digits.
fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

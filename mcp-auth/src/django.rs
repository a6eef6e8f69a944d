//! The users of a Django site: by the tokens that Django OAuth Toolkit issues, and by Django's own sessions.
//!
//! The database is read, never written: no session is created, renewed or flushed.

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

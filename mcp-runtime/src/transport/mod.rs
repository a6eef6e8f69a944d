//! How bytes come and go.

mod body;
mod cors;
pub(crate) mod http;
#[cfg(feature = "fetch")]
pub(crate) mod mirror;
mod relay;
mod sse;
pub(crate) mod stdio;
pub(crate) mod write_limit;

//! How bytes come and go.

mod cors;
pub(crate) mod http;
mod sse;

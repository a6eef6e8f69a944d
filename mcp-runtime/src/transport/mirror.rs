//! The authorization server's metadata, at the place where clients of MCP 2025-03-26 look for it.

use std::sync::Arc;

use ::http::{Method, Response, StatusCode};

use super::body::ReplyBody;
use super::http::empty;
use crate::endpoint::Endpoint;

/// On the origin itself: what those clients ask knows no path (MCP 2025-03-26, "Authorization", "Server Metadata Discovery").
pub(crate) const PATH: &str = "/.well-known/oauth-authorization-server";

/// For everybody, from any page.
pub(super) async fn answer(endpoint: &Arc<Endpoint>, method: &Method) -> Response<ReplyBody> {
    let Some(mirror) = &endpoint.access.mirror else { return empty(StatusCode::NOT_FOUND) };
    let answer = mirror.answer(method).await;
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        let failure = mirror.failure().unwrap_or_default();
        tracing::warn!(target: "mcp_runtime::auth", issuer = mirror.issuer(), failure, "no metadata of the authorization server to show");
    }
    answer.map(ReplyBody::whole)
}

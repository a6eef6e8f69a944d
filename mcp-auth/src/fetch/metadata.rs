//! The metadata of an authorization server (RFC 8414, or OIDC Discovery), and where it is found.

use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use serde_json::Value;

use super::{Fetch, Trust};
use crate::resource::origin_of;

/// No document of this kind is longer, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// What `take` makes of the issuer's metadata, at one of the URLs that MCP 2026-07-28 lists ("Authorization",
/// "Authorization Server Metadata Discovery"), in its order: of the first document that it finds something in.
///
/// # Errors
/// For the log: no URL has such metadata of this issuer.
pub(crate) async fn find<T>(
    fetch: &dyn Fetch,
    issuer: &str,
    take: impl Fn(&Value) -> Result<T, &'static str>,
) -> Result<T, String> {
    let mut failures = Vec::new();
    for url in urls(issuer).ok_or_else(|| format!("{issuer}: no URL"))? {
        let found = get(fetch, &url, Trust::Configured).await.and_then(|document| {
            let document = of_issuer(&document, issuer).map_err(|what| format!("{url}: {what}"))?;
            take(&document).map_err(|what| format!("{url}: {what}"))
        });
        match found {
            Ok(found) => return Ok(found),
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures.join("; "))
}

/// RFC 8414 section 3.3: metadata of another issuer must not be used.
fn of_issuer(document: &[u8], issuer: &str) -> Result<Value, &'static str> {
    let document: Value = serde_json::from_slice(document).map_err(|_| "no JSON")?;
    if document.get("issuer").and_then(Value::as_str) == Some(issuer) { Ok(document) } else { Err("metadata of another issuer") }
}

/// Reads a JSON document, as the bytes that it is sent in.
///
/// # Errors
/// For the log: it does not come, or is too long.
pub(crate) async fn get(fetch: &dyn Fetch, url: &str, trust: Trust) -> Result<Vec<u8>, String> {
    let request = Request::get(url).header(ACCEPT, "application/json").body(Vec::new()).map_err(|_| format!("{url}: no URL"))?;
    let answer = fetch.fetch(request, trust).await.map_err(|error| format!("{url}: {error}"))?;
    match answer.status() {
        StatusCode::OK if answer.body().len() <= MAX_DOCUMENT => Ok(answer.into_body()),
        StatusCode::OK => Err(format!("{url}: too long")),
        status => Err(format!("{url}: {status}")),
    }
}

/// Scheme, host and port of a URL.
pub(crate) fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    origin_of(uri.scheme_str()?, uri.authority()?.as_str())
}

/// The well-known URLs of an issuer (RFC 8414 sections 3.1 and 5). `None` where it is no URL that could have them.
pub(crate) fn urls(issuer: &str) -> Option<Vec<String>> {
    origin(issuer)?;
    if issuer.contains(['?', '#']) {
        return None;
    }
    // RFC 8414 section 3.1: a slash at the end goes first.
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let host = issuer.find("://")? + "://".len();
    let (origin, path) = issuer.split_at(issuer[host..].find('/').map_or(issuer.len(), |at| host + at));
    let mut urls = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        urls.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    Some(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_mcp_says() {
        assert_eq!(
            urls("https://a.example/tenant/1").expect("a URL"),
            [
                "https://a.example/.well-known/oauth-authorization-server/tenant/1",
                "https://a.example/.well-known/openid-configuration/tenant/1",
                "https://a.example/tenant/1/.well-known/openid-configuration",
            ]
        );
        for root in ["https://a.example:8443", "https://a.example:8443/"] {
            assert_eq!(
                urls(root).expect("a URL"),
                [
                    "https://a.example:8443/.well-known/oauth-authorization-server",
                    "https://a.example:8443/.well-known/openid-configuration",
                ]
            );
        }
        for none in
            ["", "auth", "https://", "ftp://a.example", "https://u@a.example", "https://a.example?x", "https://a.example/#x"]
        {
            assert_eq!(urls(none), None, "{none}");
        }
    }
}

//! Where an authorization server publishes its keys.

use std::sync::Arc;

use http::header::ACCEPT;
use http::{Request, StatusCode, Uri};
use serde_json::Value;

use super::key_set::KeySet;
use crate::resource::origin_of;
use crate::{Fetch, Trust};

/// No document of this kind is longer, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// What is asked, and how.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) issuer: Arc<str>,
    /// Where the keys are, if the operator said so.
    pub(super) jwks_url: Option<Arc<str>>,
    pub(super) fetch: Arc<dyn Fetch>,
}

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: Arc<str>,
    pub(super) trust: Trust,
}

impl Source {
    /// Reads the keys at a place.
    ///
    /// # Errors
    /// For the log: there is no answer, or no key in it.
    pub(super) async fn keys(&self, place: &Place) -> Result<KeySet, String> {
        let document = self.get(&place.url, place.trust).await?;
        KeySet::parse(&document).ok_or_else(|| format!("{}: no JWK Set with a key for signatures", place.url))
    }

    /// Finds the place: in the metadata of the authorization server, at one of the URLs that MCP 2026-07-28 lists
    /// ("Authorization", "Authorization Server Metadata Discovery"), in its order.
    ///
    /// # Errors
    /// For the log: no URL has metadata of this issuer.
    pub(super) async fn place(&self) -> Result<Place, String> {
        if let Some(url) = &self.jwks_url {
            return Ok(Place { url: url.clone(), trust: Trust::Configured });
        }
        let mut failures = Vec::new();
        for url in metadata_urls(&self.issuer).ok_or_else(|| format!("{}: no URL", self.issuer))? {
            let document = self.get(&url, Trust::Configured).await;
            match document.and_then(|document| self.place_in(&document).map_err(|what| format!("{url}: {what}"))) {
                Ok(place) => return Ok(place),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures.join("; "))
    }

    /// Takes the place out of a metadata document (RFC 8414 section 3.3: of another issuer's it must not be used).
    fn place_in(&self, document: &[u8]) -> Result<Place, &'static str> {
        let document: Value = serde_json::from_slice(document).map_err(|_| "no JSON")?;
        if document.get("issuer").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err("metadata of another issuer");
        }
        let url = document.get("jwks_uri").and_then(Value::as_str).ok_or("no jwks_uri")?;
        let theirs = origin(url).ok_or("its jwks_uri is no URL")?;
        let trust = if Some(theirs) == origin(&self.issuer) { Trust::Configured } else { Trust::Discovered };
        Ok(Place { url: url.into(), trust })
    }

    /// Why its keys would never be fetched, if so.
    pub(super) fn problem(&self) -> Option<String> {
        self.fetch.problem(self.jwks_url.as_deref().unwrap_or(&self.issuer), Trust::Configured)
    }

    async fn get(&self, url: &str, trust: Trust) -> Result<Vec<u8>, String> {
        let request =
            Request::get(url).header(ACCEPT, "application/json").body(Vec::new()).map_err(|_| format!("{url}: no URL"))?;
        let answer = self.fetch.fetch(request, trust).await.map_err(|error| format!("{url}: {error}"))?;
        match answer.status() {
            StatusCode::OK if answer.body().len() <= MAX_DOCUMENT => Ok(answer.into_body()),
            StatusCode::OK => Err(format!("{url}: too long")),
            status => Err(format!("{url}: {status}")),
        }
    }
}

/// Scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    origin_of(uri.scheme_str()?, uri.authority()?.as_str())
}

/// The well-known URLs of an issuer (RFC 8414 sections 3.1 and 5). `None` where it is no URL that could have them.
pub(super) fn metadata_urls(issuer: &str) -> Option<Vec<String>> {
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
            metadata_urls("https://a.example/tenant/1").expect("a URL"),
            [
                "https://a.example/.well-known/oauth-authorization-server/tenant/1",
                "https://a.example/.well-known/openid-configuration/tenant/1",
                "https://a.example/tenant/1/.well-known/openid-configuration",
            ]
        );
        for root in ["https://a.example:8443", "https://a.example:8443/"] {
            assert_eq!(
                metadata_urls(root).expect("a URL"),
                [
                    "https://a.example:8443/.well-known/oauth-authorization-server",
                    "https://a.example:8443/.well-known/openid-configuration",
                ]
            );
        }
        for none in
            ["", "auth", "https://", "ftp://a.example", "https://u@a.example", "https://a.example?x", "https://a.example/#x"]
        {
            assert_eq!(metadata_urls(none), None, "{none}");
        }
    }

    #[test]
    fn only_keys_on_the_issuers_own_origin_are_trusted_as_it_is() {
        let source = Source { issuer: "https://a.example/o".into(), jwks_url: None, fetch: crate::HttpsClient::shared() };
        let place = |jwks_uri: &str| {
            let document = serde_json::json!({ "issuer": "https://a.example/o", "jwks_uri": jwks_uri });
            source.place_in(document.to_string().as_bytes()).map(|place| place.trust)
        };
        for own in ["https://a.example/keys?p=1", "https://A.example:443/keys"] {
            assert_eq!(place(own), Ok(Trust::Configured), "{own}");
        }
        for other in
            ["http://a.example/keys", "https://a.example:8443/keys", "https://b.example/keys", "https://a.example.b/keys"]
        {
            assert_eq!(place(other), Ok(Trust::Discovered), "{other}");
        }
        assert!(place("/keys").is_err() && place("https://u:p@a.example/keys").is_err());
    }
}

//! Where an authorization server publishes its keys.

use std::sync::Arc;

use serde_json::Value;

use super::key_set::KeySet;
use crate::fetch::metadata::{find, get, origin};
use crate::{Fetch, Trust};

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
        let document = get(&*self.fetch, &place.url, place.trust).await?;
        KeySet::parse(&document).ok_or_else(|| format!("{}: no JWK Set with a key for signatures", place.url))
    }

    /// Finds the place: in the metadata of the authorization server.
    ///
    /// # Errors
    /// For the log: no URL has metadata of this issuer.
    pub(super) async fn place(&self) -> Result<Place, String> {
        if let Some(url) = &self.jwks_url {
            return Ok(Place { url: url.clone(), trust: Trust::Configured });
        }
        find(&*self.fetch, &self.issuer, |document| self.place_in(document)).await
    }

    /// Takes the place out of the issuer's metadata.
    fn place_in(&self, document: &Value) -> Result<Place, &'static str> {
        let url = document.get("jwks_uri").and_then(Value::as_str).ok_or("no jwks_uri")?;
        let theirs = origin(url).ok_or("its jwks_uri is no URL")?;
        let trust = if Some(theirs) == origin(&self.issuer) { Trust::Configured } else { Trust::Discovered };
        Ok(Place { url: url.into(), trust })
    }

    /// Why its keys would never be fetched, if so.
    pub(super) fn problem(&self) -> Option<String> {
        self.fetch.problem(self.jwks_url.as_deref().unwrap_or(&self.issuer), Trust::Configured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_on_the_issuers_own_origin_are_trusted_as_it_is() {
        let source = Source { issuer: "https://a.example/o".into(), jwks_url: None, fetch: crate::HttpsClient::shared() };
        let place = |jwks_uri: &str| {
            let document = serde_json::json!({ "issuer": "https://a.example/o", "jwks_uri": jwks_uri });
            source.place_in(&document).map(|place| place.trust)
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

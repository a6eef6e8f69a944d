//! Protected resource metadata (RFC 9728): how clients find who issues tokens for this server.

use serde_json::{Map, Value, json};

use crate::Auth;

impl Auth {
    /// The document that [`Resource::metadata_url`](crate::Resource::metadata_url) names. `None` where nobody issues tokens: what is not protected by OAuth has
    /// no such document (MCP requires at least one authorization server in it).
    ///
    /// The scopes are those that every caller needs, and no others: clients that are told nothing better ask for all of them.
    #[must_use]
    pub fn metadata(&self) -> Option<Map<String, Value>> {
        let (resource, issuers) = (self.resource()?, self.issuers());
        if issuers.is_empty() {
            return None;
        }
        let scopes: Vec<_> = self.required_scopes().collect();
        let mut document = Map::new();
        document.insert("resource".to_owned(), resource.uri().into());
        document.insert("authorization_servers".to_owned(), json!(issuers));
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        if !scopes.is_empty() {
            document.insert("scopes_supported".to_owned(), json!(scopes));
        }
        Some(document)
    }
}

//! Where keys are kept.

use std::fmt;
use std::pin::Pin;

use super::ApiKey;

/// What [`ApiKeyStore::find`] returns.
pub type ApiKeyFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<ApiKey>, ApiKeyStoreError>> + Send + 'a>>;

/// Where API keys are kept, for more of them than a configuration should hold: a table, a service.
///
/// A function from an id to a future is a store too:
///
/// ```
/// use mcp_auth::{ApiKey, ApiKeyStoreError, ApiKeys};
/// # #[derive(Clone)]
/// # struct Table;
/// # struct Row { sha256: String, owner: String, scopes: String }
/// # impl Table {
/// #     async fn row(&self, _: &str) -> Result<Option<Row>, std::io::Error> { Ok(None) }
/// # }
/// # let table = Table;
///
/// let keys = ApiKeys::prefix("acme").store(move |id: &str| {
///     let (table, id) = (table.clone(), id.to_owned());
///     async move {
///         // SELECT sha256, owner, scopes FROM api_key WHERE id = $1
///         let row = table.row(&id).await.map_err(|error| ApiKeyStoreError::new(error.to_string()))?;
///         Ok(row.map(|row| ApiKey::new(id, row.sha256).owner(row.owner).scopes(row.scopes.split_whitespace())))
///     }
/// });
/// ```
pub trait ApiKeyStore: Send + Sync + 'static {
    /// The key of this id, which has at most 64 of the characters `A-Z a-z 0-9 -`; `None` where there is none, or no more.
    ///
    /// # Errors
    /// The store does not answer. The client is told to try again, and not that its key is wrong.
    fn find<'a>(&'a self, id: &'a str) -> ApiKeyFuture<'a>;

    /// What is wrong with the configuration, one sentence each; asked once, before the server starts.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<F, R> ApiKeyStore for F
where
    F: Fn(&str) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<ApiKey>, ApiKeyStoreError>> + Send + 'static,
{
    fn find<'a>(&'a self, id: &'a str) -> ApiKeyFuture<'a> {
        Box::pin(self(id))
    }
}

/// The store does not answer. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyStoreError(Box<str>);

impl ApiKeyStoreError {
    /// With what went wrong; no credential.
    #[must_use]
    pub fn new(what: impl Into<Box<str>>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for ApiKeyStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ApiKeyStoreError {}

//! Who is calling, and what may they do.
//!
//! [`Auth`] finds the one credential of a request that counts, and knows whose it is; the [`Authenticate`] that it belongs to
//! answers *accepted* or *rejected*. The rule that keeps a chain safe: **a credential that is present and wrong ends the
//! request**; it never falls through to the next scheme, and never becomes an anonymous call.
//!
//! ```
//! use mcp_auth::{Auth, Principal, StaticTokens};
//!
//! let auth = Auth::chain().with(
//!     StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci").scopes(["reports:read"])),
//! );
//! assert!(auth.problems().is_empty());
//! ```

mod answer;
mod attempts;
mod authenticate;
#[cfg(any(feature = "introspection", feature = "django"))]
mod authority;
mod bearer;
mod chain;
mod challenge;
mod cookie;
#[cfg(any(feature = "django", feature = "sql-keys"))]
mod database;
mod digest;
#[cfg(feature = "django")]
mod django;
mod fetch;
#[cfg(feature = "layer")]
mod layer;
mod metadata;
#[cfg(feature = "fetch")]
mod mirror;
mod network;
mod principal;
mod proxy;
mod rate;
mod recent;
mod rejection;
mod resource;
mod scope;
mod seal;
mod session;
mod signing;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "introspection", feature = "django"))]
mod unbound;

pub use attempts::Attempts;
pub use authenticate::{Authenticate, AuthenticateFuture, Peer, Place, Presented, Verdict};
#[cfg(feature = "sql-keys")]
pub use bearer::ApiKeyTable;
#[cfg(feature = "jwt")]
pub use bearer::Jwt;
pub use bearer::{ApiKey, ApiKeyError, ApiKeyFuture, ApiKeyStore, ApiKeyStoreError, ApiKeys, Look, StaticTokens};
#[cfg(feature = "introspection")]
pub use bearer::{GoogleTokens, Introspection};
pub use chain::{Auth, Decision};
pub use challenge::{Challenge, ChallengeError};
pub use digest::{digest, sha256};
#[cfg(feature = "django")]
pub use django::{DjangoOAuth, DjangoSession, UserKey, UserTable};
#[cfg(feature = "fetch")]
pub use fetch::HttpsClient;
pub use fetch::{Fetch, FetchError, FetchFuture, Trust};
#[cfg(feature = "layer")]
pub use layer::{AuthLayer, AuthLayerError, AuthService};
#[cfg(feature = "fetch")]
pub use mirror::MetadataMirror;
pub use network::Network;
pub use principal::{Principal, Scheme};
pub use proxy::{
    Caller, Issued, MemoryReplays, MemoryRevocations, ProxyToken, Recheck, RecheckFuture, RelayError, RelaySessions, Replay,
    ReplayStore, RevocationStore, Standing, StoreError, StoreFuture,
};
pub use rate::{RateLimit, Rates};
pub use rejection::{Rejection, RejectionKind};
pub use resource::Resource;
pub use scope::{Scopes, is_scope_token};
pub use seal::{KeyError, KeyRing, Opened, Seal, SealError, Sealer};
pub use session::TowerSession;
#[cfg(any(feature = "introspection", feature = "django"))]
pub use unbound::Unbound;

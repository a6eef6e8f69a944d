//! Who is calling, and what may they do.
//!
//! An [`Authenticate`] looks at the head of an HTTP request and answers *not mine*, *accepted* or *rejected*. [`Auth`] asks
//! a list of them in order. The rule that keeps a chain safe: **a credential that is present and wrong ends the request**;
//! it never falls through to the next scheme, and never becomes an anonymous call.
//!
//! ```
//! use mcp_auth::{Auth, Principal, StaticTokens};
//!
//! let auth = Auth::chain().with(
//!     StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci").scopes(["reports:read"])),
//! );
//! assert!(auth.problems().is_empty());
//! ```

mod authenticate;
mod bearer;
mod challenge;
mod digest;
mod principal;
mod scope;
mod seal;

pub use authenticate::{Auth, Authenticate, AuthenticateFuture, Decision, Rejection, RejectionKind, Verdict};
pub use bearer::{StaticTokens, bearer_token};
pub use challenge::{Challenge, ChallengeError};
pub use digest::digest;
pub use principal::{Principal, Scheme};
pub use scope::{Scopes, is_scope_token};
pub use seal::{KeyError, KeyRing, Opened, Seal, SealError, Sealer};

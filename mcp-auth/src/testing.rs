//! What an application's tests need: an authorization server in their own process, without a network.

mod authority;
#[cfg(feature = "jwt")]
mod signer;
mod token;

pub use authority::Authority;
pub use token::TokenBuilder;

//! Whose a sealed statement is.

use mcp_auth::Principal;

/// One byte that says whether the caller is known, then the caller's digest.
pub(crate) const LENGTH: usize = 1 + 32;

/// How a statement names the caller it was made for. An anonymous caller is somebody else than every known one.
pub(crate) fn sealed(principal: Option<&Principal>) -> [u8; LENGTH] {
    let mut owner = [0; LENGTH];
    if let Some(principal) = principal {
        owner[0] = 1;
        owner[1..].copy_from_slice(&principal.digest());
    }
    owner
}

//! What stands for texts that shall not be kept, or are too long to be.

/// SHA-256 over these fields, each with its length before it: no two lists of fields run together into the same text.
///
/// ```
/// assert_ne!(mcp_auth::digest([b"ab".as_slice(), b"c"]), mcp_auth::digest([b"a".as_slice(), b"bc"]));
/// ```
#[must_use]
pub fn digest<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> [u8; 32] {
    let mut text = Vec::new();
    for field in fields {
        text.extend_from_slice(&(field.len() as u64).to_le_bytes());
        text.extend_from_slice(field);
    }
    sha256(&text)
}

/// SHA-256 of a text.
#[cfg(not(feature = "jwt"))]
#[must_use]
pub fn sha256(text: &[u8]) -> [u8; 32] {
    let hash = orion::hazardous::hash::sha2::sha256::Sha256::digest(text).expect("SHA-256 takes 2^61 bytes");
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.as_ref());
    digest
}

/// SHA-256 of a text: by the library that verifies signatures, where it is there. Processors have instructions for it, which the
/// one in portable Rust does not use.
#[cfg(feature = "jwt")]
#[must_use]
pub fn sha256(text: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text).as_ref());
    digest
}

/// As lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

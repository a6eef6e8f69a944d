//! Names that are nothing but bytes: random ones, and digests.

use std::fmt::Write as _;

/// 128 random bits, in hex.
pub(crate) fn random_name() -> String {
    let mut bytes = [0; 16];
    // A system without randomness can not seal anything either; a name that repeats would be worse than none.
    getrandom::fill(&mut bytes).expect("the system has randomness");
    hex(&bytes)
}

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

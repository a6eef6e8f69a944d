//! What is derived from a site's `SECRET_KEY` and `SECRET_KEY_FALLBACKS`. The texts themselves are not kept.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

use crate::digest::hex;
use crate::signing::{Signed, Signer, derived_key, mac};

/// Django's salt of `_auth_user_hash`, whatever the user model is.
const HASH_SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// The keys of a site: the current one, and those that it replaced.
pub(super) struct SiteKeys {
    signer: Signer,
    hashes: Vec<[u8; 32]>,
    has_empty: bool,
}

impl SiteKeys {
    /// For sessions that are signed with this salt.
    pub(super) fn new(salt: &str, secret_key: &str) -> Self {
        let mut keys = Self { signer: Signer::new(salt, [""; 0]), hashes: Vec::new(), has_empty: false };
        keys.add(secret_key);
        keys
    }

    pub(super) fn add(&mut self, secret_key: &str) {
        self.signer.add(secret_key);
        self.hashes.push(derived_key(HASH_SALT, secret_key));
        self.has_empty |= secret_key.is_empty();
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.has_empty
            .then(|| "a key of the site is empty: give its `SECRET_KEY`, and `SECRET_KEY_FALLBACKS` where it has some".to_owned())
    }

    pub(super) fn unsign<'t>(&self, text: &'t str) -> Option<Signed<'t>> {
        self.signer.unsign(text)
    }

    /// Was the session opened with the password that the user has now? `password` is the whole column, an unusable password
    /// included.
    pub(super) fn hash_holds(&self, password: &str, hash: &str) -> bool {
        let mut holds = Choice::from(0);
        for key in &self.hashes {
            holds |= hex(&mac(key, password.as_bytes())).as_bytes().ct_eq(hash.as_bytes());
        }
        holds.into()
    }
}

impl fmt::Debug for SiteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteKeys").field("keys", &self.hashes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python's hashlib, for this key and password.
    const KEY: &str = "a key of at least thirty-two bytes";
    const PASSWORD: &str = "pbkdf2_sha256$1000$salt$c29tZXRoaW5n";
    const HASH: &str = "1771a3e1feed35a0f51ef6c395257871d7dc7faf2d661a1b8287b24d0fac29d6";

    #[test]
    fn the_hash_is_djangos() {
        let mut keys = SiteKeys::new("", "a newer key");
        assert!(!keys.hash_holds(PASSWORD, HASH));
        keys.add(KEY);
        assert!(keys.hash_holds(PASSWORD, HASH));
        for other in ["", &HASH[1..], &HASH.to_uppercase(), &format!("{HASH}0")] {
            assert!(!keys.hash_holds(PASSWORD, other), "{other}");
        }
        assert!(!keys.hash_holds("pbkdf2_sha256$1000$salt$another", HASH));
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = SiteKeys::new("", KEY);
        assert_eq!(format!("{keys:?}"), "SiteKeys { keys: 1, .. }");
        assert!(keys.problem().is_none() && SiteKeys::new("", "").problem().is_some());
    }
}

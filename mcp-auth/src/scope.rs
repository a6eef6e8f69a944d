//! OAuth scopes as a set.

use std::collections::BTreeSet;
use std::fmt;

/// Is `text` one scope token: one or more of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 section 3.3)?
#[must_use]
pub fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

/// The scopes a caller was granted. Compared by case-sensitive text (RFC 6749 section 3.3), in a hierarchy: `notes` grants
/// `notes:read` and all else behind its colon (MCP 2026-07-28, "Authorization", "Step-Up").
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Box<str>>);

impl Scopes {
    /// No scope at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The scopes of a list in which white space parts them, as the `scope` claim and parameter carry them.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        list.split_ascii_whitespace().collect()
    }

    /// Was this scope granted, by itself or by one that stands above it?
    #[must_use]
    pub fn grants(&self, scope: &str) -> bool {
        let above = scope.match_indices(':').map(|(at, _)| &scope[..at]);
        self.0.contains(scope) || above.into_iter().any(|above| self.0.contains(above))
    }

    /// Those of `required` that were not granted, in their order.
    pub fn missing<'r>(&self, required: &'r [&'r str]) -> impl Iterator<Item = &'r str> {
        required.iter().copied().filter(|scope| !self.grants(scope))
    }

    /// The scopes, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl<S: Into<Box<str>>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(Into::into).collect())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_rfc_6749() {
        assert!(is_scope_token("orders:refund"));
        assert!(is_scope_token("https://api.example/read"));
        for bad in ["", "two words", "quo\"te", "back\\slash", "é", "a\n"] {
            assert!(!is_scope_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn missing_names_every_scope_at_once() {
        let scopes = Scopes::parse("a  b");
        assert_eq!(scopes.missing(&["b", "c", "d"]).collect::<Vec<_>>(), ["c", "d"]);
        assert!(!scopes.grants("A"), "scopes are case-sensitive");
    }

    #[test]
    fn a_scope_grants_what_stands_below_it() {
        let scopes = Scopes::parse("notes files:read");
        for granted in ["notes", "notes:read", "notes:read:own", "files:read", "files:read:own"] {
            assert!(scopes.grants(granted), "{granted}");
        }
        for other in ["note", "notesx", "notes-read", "files", "files:write", "files:reads", ":", ""] {
            assert!(!scopes.grants(other), "{other}");
        }
    }
}

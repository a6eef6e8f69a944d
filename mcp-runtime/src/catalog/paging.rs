//! Pages of a list, and the cursors between them.
//!
//! A cursor is a sealed statement: whose list it goes on, which one, and after which name. Any instance with the key goes on from there,
//! also when the list has changed in between.

use mcp_auth::{Principal, Seal, SealError};

use crate::owner;
use crate::protocol::Kind;

#[derive(Debug)]
pub(crate) struct Paging {
    /// At least one.
    size: usize,
    seal: Seal,
}

/// A cursor that this server did not give to this caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadCursor;

impl Paging {
    pub(crate) fn new(size: usize, seal: Seal) -> Self {
        Self { size, seal }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Where the list goes on after this name.
    pub(super) fn cursor(&self, kind: Kind, principal: Option<&Principal>, name: &str) -> Result<String, SealError> {
        self.seal.seal(&[&owner::sealed(principal), [kind.tag()].as_slice(), name.as_bytes()].concat())
    }

    /// The name that a cursor stands for.
    pub(super) fn after(&self, kind: Kind, principal: Option<&Principal>, cursor: &str) -> Result<String, BadCursor> {
        let opened = self.seal.open(cursor).ok_or(BadCursor)?;
        let (sealed_for, rest) = opened.statement.split_first_chunk().ok_or(BadCursor)?;
        let (tag, name) = rest.split_first().ok_or(BadCursor)?;
        if *sealed_for != owner::sealed(principal) || *tag != kind.tag() {
            return Err(BadCursor);
        }
        String::from_utf8(name.to_vec()).map_err(|_| BadCursor)
    }
}

#[cfg(test)]
mod tests {
    use mcp_auth::{KeyRing, Sealer};

    use super::*;

    #[test]
    fn a_cursor_is_its_callers_and_its_purposes() {
        let sealer = Sealer::new(KeyRing::ephemeral().expect("randomness"), "https://a.example/mcp");
        let (here, sessions) = (Paging::new(1, sealer.purpose("cursor")), Paging::new(1, sealer.purpose("session id")));
        let (alice, bob) = (Principal::user("alice"), Principal::user("bob"));
        let cursor = here.cursor(Kind::Tools, Some(&alice), "echo").expect("a cursor");
        assert_eq!(here.after(Kind::Tools, Some(&alice), &cursor).as_deref(), Ok("echo"));
        for stranger in [None, Some(&bob)] {
            assert_eq!(here.after(Kind::Tools, stranger, &cursor), Err(BadCursor));
        }
        assert_eq!(sessions.after(Kind::Tools, Some(&alice), &cursor), Err(BadCursor));
        assert_eq!(here.after(Kind::Prompts, Some(&alice), &cursor), Err(BadCursor));
        for forged in ["", "echo", &cursor[1..]] {
            assert_eq!(here.after(Kind::Tools, Some(&alice), forged), Err(BadCursor), "{forged}");
        }
        assert_eq!(here.after(Kind::Tools, None, &here.cursor(Kind::Tools, None, "").expect("a cursor")).as_deref(), Ok(""));
    }
}

//! One kind of what a server offers: sorted, found by key, listed.

use mcp_auth::Principal;
use serde_json::Value;

use super::Location;
use super::listing::List;
use super::listing::Lists;
use super::paging::{BadCursor, Paging};
use crate::call::{Capability, Limits};
use crate::protocol::{Era, Kind};
use crate::schema;

/// What every entry has, whatever it is.
#[derive(Debug)]
pub(crate) struct Common {
    /// `tool`, `prompt`, `resource`.
    pub(crate) noun: &'static str,
    /// What clients know it by: a name, or a URI.
    pub(crate) key: &'static str,
    /// What logs and handlers know it by.
    pub(crate) name: &'static str,
    pub(crate) scopes: &'static [&'static str],
    pub(crate) hidden: bool,
    pub(crate) requires: &'static [Capability],
    /// A parameter of the function is the caller.
    pub(crate) needs_principal: bool,
    /// May the function ask its client?
    pub(crate) asks: bool,
    pub(crate) limits: Limits,
    pub(crate) location: Location,
}

impl Common {
    /// Those scopes that the caller was not granted.
    pub(crate) fn lacks_scopes(&self, principal: Option<&Principal>) -> bool {
        match principal {
            Some(principal) => principal.granted().missing(self.scopes).next().is_some(),
            None => !self.scopes.is_empty(),
        }
    }

    pub(crate) fn visible_to(&self, principal: Option<&Principal>) -> bool {
        !self.hidden || !self.lacks_scopes(principal)
    }

    /// What a caller needs to see it, if it is hidden from some: callers see all that need the same, or none of it.
    fn to_be_seen(&self) -> Option<&'static [&'static str]> {
        self.hidden.then_some(self.scopes)
    }

    /// May this caller use it?
    pub(crate) fn allows(&self, principal: Option<&Principal>) -> bool {
        !self.lacks_scopes(principal) && (principal.is_some() || !self.needs_principal)
    }
}

/// What stands on a shelf.
pub(crate) trait Entry {
    fn common(&self) -> &Common;
}

/// All entries of one kind, sorted by key.
#[derive(Debug)]
pub(crate) struct Shelf<E> {
    kind: Kind,
    entries: Vec<E>,
    lists: Lists,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) kind: Kind,
    /// JSON text of an array.
    pub(crate) list: List,
    /// Where the list goes on.
    pub(crate) next: Option<String>,
}

impl<E: Entry> Shelf<E> {
    /// Of entries and their JSON, both in the order of the keys.
    pub(super) fn new(kind: Kind, entries: Vec<E>, listed: &[Value]) -> Self {
        let lists = Lists::new(kind, entries.iter().map(|entry| entry.common().to_be_seen()), listed);
        Self { kind, entries, lists }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entries(&self) -> &[E] {
        &self.entries
    }

    /// By key, unless it is hidden from this caller.
    pub(crate) fn find(&self, key: &str, principal: Option<&Principal>) -> Option<&E> {
        let index = self.entries.binary_search_by(|entry| entry.common().key.cmp(key)).ok()?;
        Some(&self.entries[index]).filter(|entry| entry.common().visible_to(principal))
    }

    /// The key that comes nearest to an unknown one, among those the caller may know.
    pub(crate) fn closest(&self, key: &str, principal: Option<&Principal>) -> Option<&'static str> {
        let visible = self.entries.iter().map(E::common).filter(|common| common.visible_to(principal));
        schema::closest(key, visible.map(|common| common.key))
    }

    /// What this caller may see, as the revision writes it: the first page, or the one that a cursor stands for.
    pub(super) fn page(
        &self,
        paging: Option<&Paging>,
        era: Era,
        principal: Option<&Principal>,
        cursor: Option<&str>,
    ) -> Result<Page, BadCursor> {
        let page = |list, next| Ok(Page { kind: self.kind, list, next });
        let visible_to = |index: usize| self.entries[index].common().visible_to(principal);
        let Some(paging) = paging else {
            return match cursor {
                Some(_) => Err(BadCursor),
                None => page(self.lists.for_caller(era, visible_to), None),
            };
        };
        let after = cursor.map(|cursor| paging.after(self.kind, principal, cursor)).transpose()?;
        let start = after.map_or(0, |after| self.entries.partition_point(|entry| *entry.common().key <= *after));
        let visible: Vec<usize> = (start..self.entries.len()).filter(|&index| visible_to(index)).collect();
        let Some((shown, [_, ..])) = visible.split_at_checked(paging.size()) else {
            return page(self.lists.of(era, &visible), None);
        };
        let last = shown.last().map_or("", |&last| self.entries[last].common().key);
        match paging.cursor(self.kind, principal, last) {
            Ok(next) => page(self.lists.of(era, shown), Some(next)),
            Err(error) => {
                // Too long a page is better than half a list.
                tracing::error!(target: "mcp_runtime::server", %error, "cannot make a cursor");
                page(self.lists.of(era, &visible), None)
            }
        }
    }
}

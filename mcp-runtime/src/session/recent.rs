//! Session ids that were opened of late.
//!
//! A client sends its id with every request, and to decrypt it costs a fifth of the instructions of a small one. What was
//! opened is kept in a fixed number of places, found by the id's own random text; a newcomer takes the place of who was there.
//! It is a memory of pure computation: to lose it costs time and nothing else.

use std::sync::{Mutex, PoisonError};

use super::Session;

/// In about 64 KiB.
const PLACES: usize = 256;

#[derive(Debug)]
pub(super) struct Recent(Box<[Mutex<Place>]>);

/// An id and what it says.
type Place = Option<(Box<str>, Session)>;

impl Recent {
    /// What the id says, from memory or by `open`.
    ///
    /// The comparison takes longer the more of an id is right. That tells a stranger nothing of use: an id is no credential,
    /// and is worth nothing without its owner's.
    pub(super) fn get_or_open(&self, id: &str, open: impl FnOnce() -> Option<Session>) -> Option<Session> {
        let mut place = self.0[place_of(id)].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, session)) = &*place
            && **known == *id
        {
            return Some(*session);
        }
        let session = open()?;
        *place = Some((id.into(), session));
        Some(session)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Mutex::new(None)).collect())
    }
}

/// Two characters from where the sealed text is random.
fn place_of(id: &str) -> usize {
    let at = |index: usize| usize::from(id.as_bytes().get(index).copied().unwrap_or_default());
    (at(12) * 64 + at(13)) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session;

    #[test]
    fn an_id_is_opened_once_until_another_takes_its_place() {
        let recent = Recent::default();
        let (first, second) = ("0123456789abXYfirst", "0123456789abXYsecond");
        assert_eq!(place_of(first), place_of(second));
        assert_eq!(recent.get_or_open(first, || None), None);
        assert_eq!(recent.get_or_open(first, || Some(session(1))), Some(session(1)));
        assert_eq!(recent.get_or_open(first, || panic!("it is known")), Some(session(1)));
        assert_eq!(recent.get_or_open(second, || Some(session(2))), Some(session(2)));
        assert_eq!(recent.get_or_open(first, || None), None);
        assert_eq!(recent.get_or_open("", || None), None);
    }
}

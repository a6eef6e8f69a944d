//! What was used of late, in bounded memory.
//!
//! Two maps. The young one takes what is put or used; once it is full, it becomes the old one, and what the old one had is
//! forgotten. So whatever was put or used among the latest half of the bound is there, nothing outlives a whole bound of others,
//! and each costs a few look-ups: there is no list to keep in order, and no search for the oldest.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    /// Of so many at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    /// A look alone, which keeps nothing in memory.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// A use: it stays for as long as what is put now.
    pub(crate) fn used(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.put(key, value);
        }
        self.young.get(key)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        // Each is in one of them.
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut recent = Recent::new(8);
        for other in 0..1000 {
            recent.put(-1, other);
            recent.put(other, other);
            assert_eq!((recent.get(&-1), recent.get(&other)), (Some(&other), Some(&other)));
            assert!(recent.len() <= 8);
        }
        assert_eq!((recent.get(&998), recent.get(&990)), (Some(&998), None));
    }

    #[test]
    fn to_be_used_is_enough_to_stay() {
        let mut recent = Recent::new(8);
        recent.put(-1, 'a');
        for other in 0..1000 {
            recent.put(other, 'b');
            assert_eq!(recent.used(&-2), None);
            assert_eq!(recent.used(&-1), Some(&'a'));
            assert!(recent.len() <= 8);
        }
    }

    #[test]
    fn the_latest_value_counts() {
        let mut recent = Recent::new(4);
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c'), (1, 'd')] {
            recent.put(key, value);
        }
        assert_eq!(recent.get(&1), Some(&'d'));
        assert_eq!(recent.used(&1), Some(&'d'));
    }
}

//! What was used of late, in bounded memory.
//!
//! Two maps. The young one takes what is put; once it is full, it becomes the old one, and what the old one had is forgotten.
//! So whatever was put among the latest half of the bound is there, nothing outlives a whole bound of others, and a put costs
//! two look-ups at most: there is no list to keep in order, and no search for the oldest.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V: Copy> Recent<K, V> {
    /// Of so many at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
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
            assert_eq!((recent.get(&-1), recent.get(&other)), (Some(other), Some(other)));
            assert!(recent.young.len() + recent.old.len() <= 8);
        }
        assert_eq!((recent.get(&998), recent.get(&990)), (Some(998), None));
    }

    #[test]
    fn the_latest_value_counts() {
        let mut recent = Recent::new(4);
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c'), (1, 'd')] {
            recent.put(key, value);
        }
        assert_eq!(recent.get(&1), Some('d'));
    }
}

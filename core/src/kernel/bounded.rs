//! Collections with a maximum, an overflow policy and a counter.

use alloc::collections::{BTreeMap, VecDeque};

/// Takes how full each collection is: its name, how much it holds, how much it may hold.
pub type Gauge<'a> = &'a mut dyn FnMut(&'static str, usize, usize);

/// The first of some rules that does not hold.
///
/// # Errors
/// What it says.
pub fn first_broken(rules: &[(bool, &'static str)]) -> Result<(), &'static str> {
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, broken)) => Err(broken),
        None => Ok(()),
    }
}

/// A queue that drops its oldest item when full, and counts what it dropped.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct RingLog<T> {
    items: VecDeque<T>,
    max: usize,
    dropped: u64,
}

impl<T> RingLog<T> {
    /// An empty log of at most `max` items.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            items: VecDeque::new(),
            max,
            dropped: 0,
        }
    }

    /// Adds an item; the oldest goes if the log is full.
    pub fn push(&mut self, item: T) {
        if self.items.len() >= self.max {
            self.dropped = self.dropped.saturating_add(1);
            self.items.pop_front();
        }
        // A log without room keeps nothing, but counts what it dropped.
        if self.max > 0 {
            self.items.push_back(item);
        }
    }

    /// The items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter()
    }

    /// How many items it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many items were dropped since the start.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// A map that refuses new keys when full, and counts what it refused.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "K: Ord + serde::Deserialize<'de>, V: serde::Deserialize<'de>"))]
pub struct BoundedMap<K, V> {
    entries: BTreeMap<K, V>,
    max: usize,
    refused: u64,
}

impl<K: Ord, V> BoundedMap<K, V> {
    /// An empty map of at most `max` keys.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            max,
            refused: 0,
        }
    }

    /// Inserts or replaces; answers the value back if the map is full and the key is new.
    ///
    /// # Errors
    /// The value itself, when it was refused; the map is unchanged.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, V> {
        // A known key takes no new room, so it may change even in a full map.
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            self.refused = self.refused.saturating_add(1);
            return Err(value);
        }
        Ok(self.entries.insert(key, value))
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// The value under `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key)
    }

    /// The entries in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// How many keys it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many inserts were refused since the start.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_log_drops_the_oldest_and_counts() {
        let mut log = RingLog::new(2);
        for item in 0..5 {
            log.push(item);
        }
        assert_eq!(log.iter().copied().collect::<alloc::vec::Vec<_>>(), [3, 4]);
        assert_eq!(log.dropped(), 3);
    }

    #[test]
    fn a_full_map_refuses_new_keys_and_still_replaces() {
        let mut map = BoundedMap::new(1);
        assert_eq!(map.insert("a", 1), Ok(None));
        assert_eq!(map.insert("b", 2), Err(2));
        assert_eq!(map.insert("a", 3), Ok(Some(1)));
        assert_eq!((map.get(&"a"), map.refused()), (Some(&3), 1));
    }
}

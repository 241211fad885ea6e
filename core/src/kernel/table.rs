//! A map of what all nodes of a mesh know alike, whose copies share memory.

use crate::kernel::id::NodeId;
use alloc::{collections::BTreeMap, sync::Arc};
use core::ops::Bound;

/// A key that says which part it belongs to.
pub trait Sharded: Ord + Clone {
    /// The number of its part; never smaller than that of a smaller key.
    fn shard(&self) -> u8;
}

impl Sharded for NodeId {
    fn shard(&self) -> u8 {
        let [first, ..] = *self.as_bytes();
        first
    }
}

/// By the number's highest byte.
impl Sharded for (u64, NodeId) {
    fn shard(&self) -> u8 {
        let [first, ..] = self.0.to_be_bytes();
        first
    }
}

/// A map in key order, whose keys are spread evenly, as hashes are.
///
/// A clone costs one counted reference a part, and a change of one copies at most a part. So a process
/// that simulates thousands of nodes keeps what they all know once. Where there is only one copy,
/// nothing is ever copied.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    parts: BTreeMap<u8, Arc<BTreeMap<K, V>>>,
    len: usize,
}

impl<K: Sharded, V: Clone> Default for Table<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Sharded, V: Clone> Table<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            parts: BTreeMap::new(),
            len: 0,
        }
    }

    /// How many keys it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.parts.get(&key.shard())?.get(key)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        // Looked up first: `make_mut` would copy a shared part even for a key that is not there.
        if !self.contains_key(key) {
            return None;
        }
        let part = self.parts.get_mut(&key.shard())?;
        Arc::make_mut(part).get_mut(key)
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; answers the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let part = self.parts.entry(key.shard()).or_default();
        // Copies the part only while another table shares it.
        let before = Arc::make_mut(part).insert(key, value);
        self.len = self.len.saturating_add(usize::from(before.is_none()));
        before
    }

    /// Takes a key out; answers its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if !self.contains_key(key) {
            return None;
        }
        let part = self.parts.get_mut(&key.shard())?;
        let gone = Arc::make_mut(part).remove(key);
        // No part is ever empty: `before` takes the last entry of a part without looking further.
        if part.is_empty() {
            self.parts.remove(&key.shard());
        }
        self.len = self.len.saturating_sub(usize::from(gone.is_some()));
        gone
    }

    /// The entries in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        // In the order of keys: the number of a part never falls from one key to the next
        // (`Sharded`).
        self.parts.values().flat_map(|part| part.iter())
    }

    /// The keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The entries after a key, in order.
    pub fn after<'a>(&'a self, key: &K) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let part = self.parts.get(&key.shard());
        let beyond = (Bound::Excluded(key.clone()), Bound::Unbounded);
        // The rest of the key's own part, then all parts after it: parts are in the order of keys.
        let rest = part.map(|part| part.range(beyond));
        let later = (Bound::Excluded(key.shard()), Bound::Unbounded);
        let later = self.parts.range(later);
        let later = later.flat_map(|(_, part)| part.iter());
        rest.into_iter().flatten().chain(later)
    }

    /// The last entry before a key.
    #[must_use]
    pub fn before(&self, key: &K) -> Option<(&K, &V)> {
        let part = self.parts.get(&key.shard());
        let same = part.and_then(|part| part.range(..key).next_back());
        same.or_else(|| {
            let (_, part) = self.parts.range(..key.shard()).next_back()?;
            part.last_key_value()
        })
    }
}

/// In a recording: its entries in order.
impl<K: Sharded + serde::Serialize, V: Clone + serde::Serialize> serde::Serialize for Table<K, V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        // Postcard wants the length first, and an iterator over parts doesn't know it.
        let mut map = serializer.serialize_map(Some(self.len))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, K, V> serde::Deserialize<'de> for Table<K, V>
where
    K: Sharded + serde::Deserialize<'de>,
    V: Clone + serde::Deserialize<'de>,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Self::new();
        for (key, value) in BTreeMap::deserialize(deserializer)? {
            table.insert(key, value);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, vec::Vec};
    use core::ops::Bound;
    use proptest::prelude::*;

    fn id(number: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_key_order(
            steps in proptest::collection::vec((any::<u16>(), any::<bool>(), 0_u8..9), 1..200),
            asked in any::<u16>(),
        ) {
            let mut table = Table::new();
            let mut model = BTreeMap::new();
            for (number, add, value) in steps {
                let key = id(number.wrapping_mul(16));
                if add {
                    prop_assert_eq!(table.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(table.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.get(&key), model.get(&key));
            }
            let asked = id(asked);
            prop_assert!(table.iter().eq(model.iter()));
            prop_assert!(table.iter().rev().eq(model.iter().rev()));
            prop_assert!(table.keys().eq(model.keys()));
            let later = model.range((Bound::Excluded(asked), Bound::Unbounded));
            prop_assert!(table.after(&asked).eq(later));
            prop_assert_eq!(table.before(&asked), model.range(..asked).next_back());
        }
    }

    #[test]
    fn a_change_of_a_copy_is_not_seen_by_the_others() {
        let mut one: Table<NodeId, u16> = Table::new();
        for number in 0..1_000 {
            one.insert(id(number * 64), number);
        }
        let mut two = one.clone();
        two.insert(id(64), 7);
        two.remove(&id(128));
        if let Some(value) = two.get_mut(&id(192)) {
            *value = 9;
        }
        assert_eq!(one.get(&id(64)), Some(&1));
        assert_eq!(one.get(&id(128)), Some(&2));
        assert_eq!(one.get(&id(192)), Some(&3));
        let seen: Vec<_> = [64, 128, 192].map(|n| two.get(&id(n)).copied()).into();
        assert_eq!(seen, [Some(7), None, Some(9)]);
        assert_eq!((one.len(), two.len()), (1_000, 999));
    }

    #[test]
    fn a_recording_holds_a_table_of_several_parts_as_a_map() {
        let entries = (0..1_000).map(|number| (id(number * 64), number));
        let map: BTreeMap<NodeId, u16> = entries.collect();
        let mut table: Table<NodeId, u16> = Table::new();
        for (key, value) in &map {
            table.insert(*key, *value);
        }
        let kept = postcard::to_allocvec(&table).unwrap();
        assert_eq!(kept, postcard::to_allocvec(&map).unwrap());
        let again: Table<NodeId, u16> = postcard::from_bytes(&kept).unwrap();
        assert!(again.iter().eq(map.iter()));
    }
}

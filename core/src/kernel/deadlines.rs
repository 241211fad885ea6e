//! Timers inside a machine, keyed by an enum.

use crate::kernel::time::Time;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// At most one deadline per key, popped in the order (time, key).
///
/// Bounded by the number of distinct keys, which the owning machine bounds. Most machines have some
/// forty: to look through one short array when the earliest goes is quicker than to keep trees. Many have
/// a tree by key and one by time, until there are none left: a relay that is home to thousands of tabs
/// has timers by the ten thousand, and to look through 20,000 takes 65 µs.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    /// In the order of keys, while they are few.
    few: Vec<(K, Time)>,
    /// Many of them; empty while they are few.
    by_key: BTreeMap<K, Time>,
    /// The same in the order of time.
    by_time: BTreeSet<(Time, K)>,
    /// The earliest of them: asked for with every input, of machines by the thousand.
    next: Option<Time>,
}

/// From how many deadlines on they are kept in trees: well above the forty of most machines. Where
/// exactly the two ways are equal was not measured.
const MANY: usize = 128;

impl<K: Ord + Clone> Deadlines<K> {
    /// No deadline.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            few: Vec::new(),
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
            next: None,
        }
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Time) {
        let old = if self.are_many() {
            self.set_among_many(key, at)
        } else {
            self.set_among_few(key, at)
        };
        // Only where the earliest itself moves to later must the next one be searched for.
        if self.next.is_none_or(|next| at <= next) {
            self.next = Some(at);
        } else if old == self.next {
            self.find_next();
        }
    }

    fn set_among_many(&mut self, key: K, at: Time) -> Option<Time> {
        let old = self.by_key.insert(key.clone(), at);
        if let Some(old) = old {
            // Else the key would still be popped at the moment before.
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((at, key));
        old
    }

    fn set_among_few(&mut self, key: K, at: Time) -> Option<Time> {
        let place = match self.place(&key) {
            Ok(place) => {
                let known = self.few.get_mut(place)?;
                return Some(core::mem::replace(&mut known.1, at));
            }
            Err(place) => place,
        };
        self.few.insert(place, (key, at));
        // There is no way back until all are gone: a machine near the bound must not change its
        // mind with every timer.
        if self.few.len() >= MANY {
            self.by_key = core::mem::take(&mut self.few).into_iter().collect();
            let entries = self.by_key.iter();
            self.by_time = entries.map(|(key, at)| (*at, key.clone())).collect();
        }
        None
    }

    /// Sets the deadline of `key` unless it already has an earlier one.
    pub fn set_earlier(&mut self, key: K, at: Time) {
        if self.at(&key).is_none_or(|current| at < current) {
            self.set(key, at);
        }
    }

    /// Forgets the deadline of `key`; answers when it would have been due.
    pub fn clear(&mut self, key: &K) -> Option<Time> {
        let at = if self.are_many() {
            let at = self.by_key.remove(key)?;
            self.by_time.remove(&(at, key.clone()));
            at
        } else {
            self.few.remove(self.place(key).ok()?).1
        };
        if Some(at) == self.next {
            self.find_next();
        }
        Some(at)
    }

    /// When `key` is due.
    #[must_use]
    pub fn at(&self, key: &K) -> Option<Time> {
        if self.are_many() {
            return self.by_key.get(key).copied();
        }
        let (_, at) = self.few.get(self.place(key).ok()?)?;
        Some(*at)
    }

    /// The earliest deadline.
    #[must_use]
    pub const fn next(&self) -> Option<Time> {
        self.next
    }

    fn are_many(&self) -> bool {
        !self.by_key.is_empty()
    }

    /// Where a key is among the few, or would be.
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.few.binary_search_by(|(known, _)| known.cmp(key))
    }

    fn find_next(&mut self) {
        self.next = match self.by_time.first() {
            Some((at, _)) => Some(*at),
            None => self.few.iter().map(|(_, at)| *at).min(),
        };
    }

    /// Removes and answers the earliest key that is due at `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let next = self.next.filter(|next| *next <= now)?;
        // Empty as long as there are few.
        if let Some((at, key)) = self.by_time.pop_first() {
            debug_assert_eq!(at, next);
            self.by_key.remove(&key);
            self.find_next();
            return Some(key);
        }
        // The first in the order of keys, as in the tree: both ways pop in the order (time, key).
        let place = self.few.iter().position(|(_, at)| *at == next)?;
        let (key, _) = self.few.remove(place);
        self.find_next();
        Some(key)
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.few.len().max(self.by_key.len())
    }

    /// Whether no deadline is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Ord + Clone> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The keys with their moments; the order in time follows from them.
impl<K: serde::Serialize> serde::Serialize for Deadlines<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.by_key.is_empty() {
            serializer.collect_map(self.few.iter().map(|(key, at)| (key, at)))
        } else {
            self.by_key.serialize(serializer)
        }
    }
}

impl<'de, K: Ord + Clone + serde::Deserialize<'de>> serde::Deserialize<'de> for Deadlines<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut deadlines = Self::new();
        for (key, at) in BTreeMap::<K, Time>::deserialize(deserializer)? {
            deadlines.set(key, at);
        }
        Ok(deadlines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::Rng;
    use alloc::collections::BTreeMap;
    use core::time::Duration;

    #[test]
    fn a_moved_deadline_fires_once_at_its_new_time() {
        let mut deadlines = Deadlines::new();
        deadlines.set("a", Time::from_micros(5));
        deadlines.set("a", Time::from_micros(9));
        deadlines.set_earlier("a", Time::from_micros(12));
        assert_eq!(deadlines.pop_due(Time::from_micros(8)), None);
        assert_eq!(deadlines.pop_due(Time::from_micros(9)), Some("a"));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn equal_times_pop_in_key_order() {
        let mut deadlines = Deadlines::new();
        deadlines.set("b", Time::from_micros(1));
        deadlines.set("a", Time::from_micros(1));
        assert_eq!(deadlines.pop_due(Time::from_micros(1)), Some("a"));
        assert_eq!(deadlines.pop_due(Time::from_micros(1)), Some("b"));
    }

    /// Beside a plain table that is looked through each time: few, many, and few again.
    #[test]
    fn any_timers_pop_in_the_order_of_time_and_key() {
        let mut rng = Rng::from_number(1);
        let mut deadlines = Deadlines::new();
        let mut expected: BTreeMap<u64, Time> = BTreeMap::new();
        let mut most = 0;
        for step in 0..12_000_u64 {
            let keys = if step / 3_000 % 2 == 0 { 40 } else { 400 };
            let (key, now) = (rng.below(keys), Time::from_micros(step));
            // Several are due at the same moment.
            let at = now + Duration::from_micros(rng.below(keys * 8) / 4 * 4);
            match rng.below(4) {
                0 | 1 => {
                    deadlines.set(key, at);
                    expected.insert(key, at);
                }
                2 => assert_eq!(deadlines.clear(&key), expected.remove(&key)),
                _ => {
                    let due = expected.iter().filter(|(_, at)| **at <= now);
                    let due = due
                        .min_by_key(|(key, at)| (**at, **key))
                        .map(|(key, _)| *key);
                    assert_eq!(deadlines.pop_due(now), due);
                    due.and_then(|key| expected.remove(&key));
                }
            }
            assert_eq!(deadlines.next(), expected.values().min().copied());
            assert_eq!(deadlines.len(), expected.len());
            most = most.max(deadlines.len());
            if step % 3_000 == 2_999 {
                while let Some(key) = deadlines.pop_due(Time::MAX) {
                    expected.remove(&key);
                }
                assert!(deadlines.is_empty() && expected.is_empty());
            }
        }
        assert!(most > MANY, "both ways were taken: {most}");
    }
}

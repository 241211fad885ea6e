//! Timers inside a machine, keyed by an enum.

use crate::kernel::ordered::{Map, Set};
use crate::kernel::time::Time;

/// At most one deadline per key, popped in the order (time, key).
///
/// Bounded by the number of distinct keys, which the owning machine bounds.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    by_key: Map<K, Time>,
    by_time: Set<(Time, K)>,
    /// The earliest of them: asked for with every input, of machines by the thousand.
    next: Option<Time>,
}

impl<K: Ord + Clone> Deadlines<K> {
    /// No deadline.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            by_key: Map::new(),
            by_time: Set::new(),
            next: None,
        }
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Time) {
        if let Some(old) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((at, key));
        self.find_next();
    }

    /// Sets the deadline of `key` unless it already has an earlier one.
    pub fn set_earlier(&mut self, key: K, at: Time) {
        if self.by_key.get(&key).is_none_or(|current| at < *current) {
            self.set(key, at);
        }
    }

    /// Forgets the deadline of `key`; answers when it would have been due.
    pub fn clear(&mut self, key: &K) -> Option<Time> {
        let at = self.by_key.remove(key)?;
        self.by_time.remove(&(at, key.clone()));
        self.find_next();
        Some(at)
    }

    /// When `key` is due.
    #[must_use]
    pub fn at(&self, key: &K) -> Option<Time> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline.
    #[must_use]
    pub const fn next(&self) -> Option<Time> {
        self.next
    }

    fn find_next(&mut self) {
        self.next = self.by_time.first().map(|(at, _)| *at);
    }

    /// Removes and answers the earliest key that is due at `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        self.find_next();
        Some(key)
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no deadline is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

impl<K: Ord + Clone> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The keys with their moments; the order in time follows from them.
#[cfg(feature = "recording")]
impl<K: serde::Serialize> serde::Serialize for Deadlines<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.by_key.serialize(serializer)
    }
}

#[cfg(feature = "recording")]
impl<'de, K: Ord + Clone + serde::Deserialize<'de>> serde::Deserialize<'de> for Deadlines<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut deadlines = Self::new();
        for (key, at) in Map::<K, Time>::deserialize(deserializer)? {
            deadlines.set(key, at);
        }
        Ok(deadlines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

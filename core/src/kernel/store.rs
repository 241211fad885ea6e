//! The one storage effect.
//!
//! A machine that needs something to be durable emits a batch under a [`Ticket`] and keeps what
//! depends on it until the host says that the ticket is persisted. Batches are atomic and are made
//! durable in ticket order. At start the host hands back everything as [`Stored`].

use crate::kernel::{bytes::Bytes, id::Ticket};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// One change of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreOp {
    /// Sets the value of a key (at most 255 bytes of ASCII).
    Put {
        /// The key, with its owner's prefix, such as `meta/incarnation`.
        key: String,
        /// The value.
        value: Bytes,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The key.
        key: String,
    },
    /// Appends a record to the journal. Sequences are consecutive, from 1.
    Append {
        /// The record's place in the journal.
        sequence: u64,
        /// The record, checksummed by its owner.
        record: Bytes,
    },
    /// Removes the journal's records from `from` on; the next append takes that sequence.
    Truncate {
        /// The first sequence that goes.
        from: u64,
    },
    /// Removes the journal's records before `before`, and gives their room back.
    DropBefore {
        /// The first sequence that stays.
        before: u64,
    },
}

/// Changes that become durable together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreBatch {
    /// Comes back when the batch is durable.
    pub ticket: Ticket,
    /// The changes, in order.
    pub ops: Vec<StoreOp>,
}

/// What the store held when the host started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Every key with its value, in key order.
    pub entries: Vec<(String, Bytes)>,
    /// The journal, in sequence order.
    pub journal: Vec<(u64, Bytes)>,
}

impl Stored {
    /// The value under `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Bytes> {
        self.entries
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The entries whose keys begin with `prefix`.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Vec<(String, Bytes)> {
        let matching = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        matching.cloned().collect()
    }
}

/// A store in memory: what a simulated disk keeps, and all that a host without a disk needs.
///
/// A host that keeps its data applies each batch to its own store in the same way, makes it durable, and
/// only then answers that the ticket is persisted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    pub(crate) entries: BTreeMap<String, Bytes>,
    pub(crate) journal: BTreeMap<u64, Bytes>,
}

impl MemoryStore {
    /// Applies the changes of one batch, in order.
    pub fn apply(&mut self, ops: &[StoreOp]) {
        for op in ops {
            match op {
                StoreOp::Put { key, value } => {
                    self.entries.insert(key.clone(), value.clone());
                }
                StoreOp::Delete { key } => {
                    self.entries.remove(key);
                }
                StoreOp::Append { sequence, record } => {
                    self.journal.insert(*sequence, record.clone());
                }
                // The journal's numbers stay without a gap: only its ends are ever cut off.
                StoreOp::Truncate { from } => drop(self.journal.split_off(from)),
                StoreOp::DropBefore { before } => self.journal = self.journal.split_off(before),
            }
        }
    }

    /// The journal's records at these places; those that are missing are left out.
    #[must_use]
    pub fn load(&self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        let known = |at: &u64| Some((*at, self.journal.get(at)?.clone()));
        sequences.iter().filter_map(known).collect()
    }

    /// Everything, as a host hands it to a node at start.
    #[must_use]
    pub fn stored(&self) -> Stored {
        let entries = self.entries.iter();
        let journal = self.journal.iter();
        Stored {
            entries: entries
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            journal: journal.map(|(at, record)| (*at, record.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_in_memory_is_handed_back_at_start() {
        let mut store = MemoryStore::default();
        let append = |sequence: u64| StoreOp::Append {
            sequence,
            record: Bytes::from(&[1, 2][..]),
        };
        let put = |key: &str| StoreOp::Put {
            key: key.into(),
            value: Bytes::from(&[3][..]),
        };
        store.apply(&[put("a"), put("b"), append(1), append(2), append(3)]);
        store.apply(&[
            StoreOp::Delete { key: "a".into() },
            StoreOp::Truncate { from: 2 },
        ]);
        let stored = store.stored();
        assert_eq!(stored.entries, [("b".into(), Bytes::from(&[3][..]))]);
        assert_eq!(stored.journal, [(1, Bytes::from(&[1, 2][..]))]);
        assert_eq!(store.load(&[1, 2]), stored.journal);
        store.apply(&[append(2), append(3), StoreOp::DropBefore { before: 3 }]);
        assert_eq!(store.stored().journal, [(3, Bytes::from(&[1, 2][..]))]);
    }
}

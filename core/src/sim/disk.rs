//! What a host's store does, in memory: atomic batches in order, and everything back at start.

use crate::kernel::{
    bytes::Bytes,
    store::{StoreOp, Stored},
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};

/// A store that survives its process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    entries: BTreeMap<String, Bytes>,
    journal: BTreeMap<u64, Bytes>,
}

impl Disk {
    /// Applies a batch at once.
    pub fn apply(&mut self, ops: &[StoreOp]) {
        for op in ops {
            match op {
                StoreOp::Put { key, value } => {
                    drop(self.entries.insert(key.clone(), value.clone()))
                }
                StoreOp::Delete { key } => drop(self.entries.remove(key)),
                StoreOp::Append { sequence, record } => {
                    self.journal.insert(*sequence, record.clone());
                }
                StoreOp::Truncate { from } => drop(self.journal.split_off(from)),
            }
        }
    }

    /// What a host hands to a node that starts.
    #[must_use]
    pub fn stored(&self) -> Stored {
        Stored {
            entries: self
                .entries
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            journal: self
                .journal
                .iter()
                .map(|(at, record)| (*at, record.clone()))
                .collect(),
        }
    }

    /// The records that a load asks for, those that are there.
    #[must_use]
    pub fn load(&self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        let found = |at: &u64| self.journal.get(at).map(|record| (*at, record.clone()));
        sequences.iter().filter_map(found).collect()
    }
}

//! Read-only questions to a replica.

use crate::{
    kernel::{
        crypto::Hash,
        text::{Key, Namespace},
    },
    replication::{
        batch::{SHARDS, Writer},
        cells::EntryView,
        log::Head,
        replica::Replica,
        stats::Stats,
    },
};
use alloc::vec::Vec;

impl Replica {
    /// A key's value and conflicts, also if it was deleted; `None` if it was never written.
    #[must_use]
    pub fn entry(&self, namespace: &str, key: &str) -> Option<EntryView> {
        self.cells.entry(namespace, key)
    }

    /// Keys that begin with `prefix` and have a value, after `after`, in key order, at most `limit`.
    #[must_use]
    pub fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Vec<(Key, EntryView)> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.cells.list(namespace, prefix, after, limit)
    }

    /// Namespaces with at least one value, in order, with their numbers of keys that have one.
    #[must_use]
    pub fn namespaces(&self) -> Vec<(Namespace, u64)> {
        self.cells.namespaces()
    }

    /// Namespaces that this tab follows, in order.
    pub fn opened(&self) -> impl Iterator<Item = &Namespace> {
        self.opened.iter()
    }

    /// Keys with a value, and batches in the log.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.cells.live(), self.log.batches())
    }

    /// The number of the last change in this run.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.cells.revision()
    }

    /// The changes after a revision, oldest first; `None` if some of them are no longer known, or
    /// the revision is not of this run: list again then.
    #[must_use]
    pub fn changes_since(&self, revision: u64) -> Option<Vec<(u64, Namespace, Key)>> {
        self.cells.changes_since(revision)
    }

    /// A hash over how far every chain is held; equal on relays that hold the same.
    #[must_use]
    pub fn frontier_digest(&self) -> Hash {
        (0..SHARDS).fold(Hash::ZERO, |sum, shard| {
            let shard = self.log.shard_hash(shard);
            Hash::of(
                "sporenet 2026 frontier",
                &[sum.as_bytes(), shard.as_bytes()],
            )
        })
    }

    /// A hash over every key's value, writer and stamp, deletions included; the same for the same
    /// data in whatever order it came.
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        self.cells.state_hash()
    }

    /// The latest stamp that its clock gave or saw.
    #[must_use]
    pub const fn latest_stamp(&self) -> crate::replication::clock::Hlc {
        self.clock.latest()
    }

    /// How far a chain is held here durably.
    #[must_use]
    pub fn head(&self, shard: u16, writer: Writer) -> Head {
        self.log.head((shard, writer))
    }

    /// Whether nothing waits for the journal, a peer's answer or a relay's confirmation.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.queue.len() == 0
            && self.staging.bytes() == 0
            && self.fetches.is_empty()
            && self.awaiting.is_empty()
    }

    /// What was counted, and how full things are.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sends_dropped: self.outbox.sends_dropped(),
            conflicts: self.cells.conflicts(),
            conflicts_dropped: self.cells.conflicts_dropped(),
            aside: u64::try_from(self.log.aside().len()).unwrap_or(u64::MAX),
            cells_bytes: self.cells.bytes(),
            writes_waiting: u64::try_from(self.queue.len()).unwrap_or(u64::MAX),
            ..self.stats
        }
    }
}

//! Read-only questions to a replica.

use crate::{
    kernel::{
        crypto::Hash,
        text::{Key, Namespace},
    },
    replication::{
        batch::{SHARDS, Writer},
        cells::{EntryView, Page, PageMax},
        clock::Hlc,
        log::Head,
        replica::{machine::Replica, subscriptions::Following},
        stats::Stats,
    },
};
use alloc::vec::Vec;

impl Replica {
    /// A key's value and conflicts, also if it was deleted; `None` if it was never written.
    #[must_use]
    pub fn entry(&self, namespace: &str, key: &str) -> Option<EntryView> {
        self.db.cells.entry(namespace, key)
    }

    /// Keys that begin with `prefix` and have a value, after `after`, in key order, at most
    /// `limit`.
    #[must_use]
    pub fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Vec<(Key, EntryView)> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.db.cells.list(namespace, prefix, after, limit)
    }

    /// A page of the keys that begin with `prefix` and have a value, after `after`, in key order.
    #[must_use]
    pub fn page(&self, namespace: &str, prefix: &str, after: Option<&str>, max: PageMax) -> Page {
        self.db.cells.page(namespace, prefix, after, max)
    }

    /// Namespaces with at least one value, in order, with their numbers of keys that have one.
    #[must_use]
    pub fn namespaces(&self) -> Vec<(Namespace, u64)> {
        self.db.cells.namespaces()
    }

    /// Namespaces that this tab follows, in order.
    pub fn opened(&self) -> impl Iterator<Item = &Namespace> {
        self.db.opened.iter()
    }

    /// How much this tab knows of a namespace.
    #[must_use]
    pub fn following(&self, namespace: &Namespace) -> Following {
        self.subscriptions.following(&self.db, namespace)
    }

    /// Keys with a value, and batches in the log.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.db.cells.live(), self.db.log.batches())
    }

    /// How many batches the log holds in each shard, in the order of the shards.
    #[must_use]
    pub fn batches_by_shard(&self) -> Vec<u64> {
        let of_shard = |shard| {
            let heads = self.db.log.heads(shard, None);
            heads.fold(0_u64, |sum, head| sum.saturating_add(head.sequence))
        };
        (0..SHARDS).map(of_shard).collect()
    }

    /// The number of the last change in this run.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.db.cells.revision()
    }

    /// The changes after a revision, oldest first; `None` if some of them are no longer known, or
    /// the revision is not of this run: list again then.
    #[must_use]
    pub fn changes_since(&self, revision: u64) -> Option<Vec<(u64, Namespace, Key)>> {
        self.db.cells.changes_since(revision)
    }

    /// A hash over how far every chain is held; equal on relays that hold the same.
    #[must_use]
    pub fn frontier_digest(&self) -> Hash {
        (0..SHARDS).fold(Hash::ZERO, |sum, shard| {
            let shard = self.db.log.shard_hash(shard);
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
        self.db.cells.state_hash()
    }

    /// The latest stamp that its clock gave or saw.
    #[must_use]
    pub const fn latest_stamp(&self) -> Hlc {
        self.db.clock.latest()
    }

    /// How far a chain is held here durably.
    #[must_use]
    pub fn head(&self, shard: u16, writer: Writer) -> Head {
        self.db.log.head((shard, writer))
    }

    /// Whether nothing waits for the journal, a peer's answer or a relay's confirmation.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.db.queue.len() == 0
            && self.db.staging.bytes() == 0
            && self.anti_entropy.fetches().len() == 0
            && self.writes.awaiting_writes() == 0
    }

    /// What was counted, and how full things are.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // Levels are read where they live; only counters are kept in `Stats`.
        Stats {
            sends_dropped: self.cx.outbox.sends_dropped(),
            conflicts: self.db.cells.conflicts(),
            conflicts_dropped: self.db.cells.conflicts_dropped(),
            side_branches: u64::try_from(self.db.log.branches().len()).unwrap_or(u64::MAX),
            cells_bytes: self.db.cells.bytes(),
            writes_waiting: u64::try_from(self.db.queue.len()).unwrap_or(u64::MAX),
            ..self.cx.stats
        }
    }
}

//! Read-only questions to a replica.

use crate::{
    kernel::{
        crypto::Hash,
        id::{NodeId, Role},
        text::{Key, Namespace},
    },
    replication::{
        batch::{SHARDS, Writer},
        cells::{EntryView, Page, PageMax},
        clock::Hlc,
        log::Head,
        replica::{machine::Replica, subscriptions::Following},
        stats::Stats,
        typed::PartsPage,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use serde::{Deserialize, Serialize};

/// What the data takes. Bytes are those of signed batches, and about right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Keys with a value.
    pub keys: u64,
    /// What keys and values take in memory.
    pub cells_bytes: u64,
    /// The most that they may take; further writes are refused.
    pub cells_bytes_max: u64,
    /// Batches that are held.
    pub batches: u64,
    /// Their bytes.
    pub held_bytes: u64,
    /// The bytes of all records of the journal, those that are of no use included.
    pub journal_bytes: u64,
    /// The shards that hold something, in order.
    pub shards: Vec<ShardFootprint>,
    /// The bytes of each author's batches, and how many these are.
    pub authors: BTreeMap<NodeId, (u64, u64)>,
    /// How many shards are being written anew, or wait for it.
    pub to_compact: usize,
    /// Whether the front of the journal is being moved.
    pub is_trimming: bool,
}

/// What a shard takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFootprint {
    /// Which one.
    pub shard: u16,
    /// Batches of all authors.
    pub batches: u64,
    /// Their bytes.
    pub held_bytes: u64,
    /// How many bytes of this node's own batches were overwritten.
    pub own_overwritten_bytes: u64,
}

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

    /// A page of the parts of a typed value, after `after`, at most `limit` and 1,000; `None` if the key
    /// holds nothing that has named parts.
    #[must_use]
    pub fn parts(
        &self,
        namespace: &str,
        key: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Option<PartsPage> {
        self.db.cells.parts(namespace, key, after, limit)
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
        let of_shard = |shard| self.db.log.batches_in(shard);
        (0..SHARDS).map(of_shard).collect()
    }

    /// What the data takes, and where room can be won.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let shards = (0..SHARDS).map(|shard| {
            let (batches, bytes) = match self.cx.role {
                Role::Relay => (0, 0),
                Role::Tab => self.db.log.partial_in(shard),
            };
            ShardFootprint {
                shard,
                batches: self.db.log.batches_in(shard).saturating_add(batches),
                held_bytes: self.db.log.held_in(shard).saturating_add(bytes),
                own_overwritten_bytes: self.overwritten_bytes(shard),
            }
        });
        Footprint {
            keys: self.db.cells.live(),
            cells_bytes: self.db.cells.bytes(),
            cells_bytes_max: self.cx.config.cells_bytes_max,
            batches: self.db.log.batches(),
            held_bytes: self.db.log.bytes(),
            journal_bytes: self.trim.bytes(),
            shards: shards.filter(|shard| shard.batches > 0).collect(),
            authors: self.db.log.held_by(),
            to_compact: self.compaction.to_do(),
            is_trimming: self.trim.is_running(),
        }
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

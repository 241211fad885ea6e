//! The newest report of each node, in the order of nodes and of what is new.
//!
//! Every change has a number. A peer is told what has a higher number than the last that it was told of, so that
//! one number for each peer is all that has to be kept, and a new peer, with number 0, is told everything.

use super::Report;
use crate::kernel::{
    crypto::Verified,
    id::NodeId,
    time::{Duration, Time},
};
use alloc::collections::{BTreeMap, BTreeSet};

/// Of how many peers it is remembered that they know a report; more are told it again.
const TELLERS_MAX: usize = 16;

/// What is known of one node.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    pub(super) report: Verified<Report>,
    heard_at: Time,
    /// How old it was when it was heard.
    aged: Duration,
    change: u64,
    /// Peers that have told this very report.
    tellers: BTreeSet<NodeId>,
}

impl Entry {
    pub(super) fn age(&self, now: Time) -> Duration {
        self.aged.saturating_add(now.since(self.heard_at))
    }

    /// Whether a peer needs not be told.
    pub(super) fn is_known_to(&self, peer: &NodeId) -> bool {
        self.report.node == *peer || self.tellers.contains(peer)
    }

    pub(super) fn note_teller(&mut self, peer: NodeId) {
        if self.tellers.len() < TELLERS_MAX {
            self.tellers.insert(peer);
        }
    }
}

#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Table {
    entries: BTreeMap<NodeId, Entry>,
    by_change: BTreeMap<u64, NodeId>,
    changes: u64,
}

impl Table {
    pub(super) fn get(&self, node: &NodeId) -> Option<&Entry> {
        self.entries.get(node)
    }

    pub(super) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Entry> {
        self.entries.get_mut(node)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Entry)> {
        self.entries.iter()
    }

    /// The number of the last change that is still there; 0 if there is none.
    pub(super) fn newest(&self) -> u64 {
        self.by_change.last_key_value().map_or(0, |(last, _)| *last)
    }

    /// Takes a report in place of the one of its node, as told by a peer or made here.
    pub(super) fn put(
        &mut self,
        report: Verified<Report>,
        teller: Option<NodeId>,
        aged: Duration,
        now: Time,
    ) {
        let node = report.node;
        self.changes = self.changes.saturating_add(1);
        let entry = Entry {
            report,
            heard_at: now,
            aged,
            change: self.changes,
            tellers: teller.into_iter().collect(),
        };
        self.by_change.insert(self.changes, node);
        if let Some(before) = self.entries.insert(node, entry) {
            self.by_change.remove(&before.change);
        }
    }

    pub(super) fn remove(&mut self, node: &NodeId) {
        if let Some(entry) = self.entries.remove(node) {
            self.by_change.remove(&entry.change);
        }
    }

    pub(super) fn retain(&mut self, keeps: impl Fn(&NodeId) -> bool) {
        self.entries.retain(|node, _| keeps(node));
        self.by_change.retain(|_, node| keeps(node));
    }

    /// What is newer than a change, with its number, oldest first.
    pub(super) fn after(&self, change: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let newer = self.by_change.range(change.saturating_add(1)..);
        newer.filter_map(|(change, node)| Some((*change, self.entries.get(node)?)))
    }

    /// Whether both orders hold the same.
    pub(super) fn is_consistent(&self) -> bool {
        let is_there = |(node, entry): (&NodeId, &Entry)| {
            self.by_change.get(&entry.change) == Some(node) && entry.report.node == *node
        };
        self.by_change.len() == self.entries.len() && self.entries.iter().all(is_there)
    }
}

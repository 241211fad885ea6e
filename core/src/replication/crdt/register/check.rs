//! What must hold in a register at any time.

use super::{CONFLICTS_MAX, CONTEXT_MAX, Register, newest_first};
use crate::{
    kernel::{bounded::first_broken, id::NodeId},
    replication::clock::Hlc,
};
use core::cmp::Ordering;

impl Register {
    pub(in crate::replication) fn check(&self, latest: Hlc) -> Result<(), &'static str> {
        // Strictly less: two equal versions would be a duplicate.
        let ordered = |a, b| newest_first(a, b) == Ordering::Less;
        let overwritten = |author: NodeId| self.context.iter().any(|(who, _)| *who == author);
        first_broken(&[
            (
                self.versions.iter().is_sorted_by(|a, b| ordered(a, b)),
                "the value of a key is not its newest write",
            ),
            (
                !self
                    .versions
                    .iter()
                    .any(|version| overwritten(version.author)),
                "a write of a key is there and overwritten",
            ),
            (
                self.versions.len() <= CONFLICTS_MAX.saturating_add(1)
                    && self.context.len() <= CONTEXT_MAX,
                "a key has too many conflicts",
            ),
            (
                self.versions.iter().all(|version| version.stamp <= latest),
                "a write is shown that the clock has not seen",
            ),
        ])
    }

    /// Whether a node's writes are there, or known to be overwritten.
    pub(in crate::replication) fn accounts_for(&self, author: NodeId) -> bool {
        let there = self.versions.iter().any(|version| version.author == author);
        there || self.context.iter().any(|(who, _)| *who == author)
    }
}

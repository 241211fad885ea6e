//! Side branches: what stands beyond the forks of chains and was not issued again yet.
//!
//! Every node keeps the branches that it has, and names them when frontiers are compared; who lacks
//! one of them asks for it. So they reach their author over several links too, who issues them
//! again in its next writer epoch, and with that they are forgotten here.
//!
//! Source: ADR 0012 (side branches are visible and finite; their author issues them again).

use crate::{
    kernel::{
        crypto::{Hash, Signed},
        id::NodeId,
    },
    replication::{
        batch::{Batch, Root, root_of},
        log::{ChainId, cost_in_memory},
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// An author in a shard, whatever its epoch.
pub(in crate::replication) type Owner = (u16, NodeId);

/// Where a batch of a side branch is.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum Place {
    /// In the log. `doubtful`: the journal could not give it.
    Held {
        chain: ChainId,
        sequence: u64,
        doubtful: bool,
    },
    /// In memory, from a peer.
    Pooled(Box<Signed<Batch>>),
}

/// All side branches.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct SideBranches {
    places: BTreeMap<(Owner, Root), Place>,
    /// Those in memory whose writes are not visible yet.
    unread: BTreeSet<(Owner, Root)>,
    /// Epoch and sequence of each batch that issued it again: two epochs may have, if the later one
    /// did not know of the earlier one.
    reissued: BTreeSet<(Owner, Root, (u32, u64))>,
    /// Author and bytes of each that is in memory.
    pooled: Vec<(NodeId, u64)>,
}

impl SideBranches {
    /// A batch of the log is beyond a fork now.
    pub(in crate::replication) fn hold(&mut self, chain: ChainId, sequence: u64, root: Root) {
        let owner = owner_of(chain);
        let held = Place::Held {
            chain,
            sequence,
            doubtful: false,
        };
        // A batch of the log needs no copy in memory: a pooled one is dropped first.
        if !self.is_reissued(owner, root) {
            self.forget(owner, root);
            self.places.insert((owner, root), held);
        }
    }

    /// Keeps a peer's batch in memory, if it is new and `bytes_max` allows; one author may take an
    /// eighth of that, `is_own` all.
    pub(in crate::replication) fn pool(
        &mut self,
        signed: Signed<Batch>,
        bytes_max: u64,
        is_own: bool,
    ) -> bool {
        let owner = (signed.claims().shard, signed.claims().author);
        let root = root_of(&signed);
        // The same batch, or one that issues the same writes again, is kept once: they have one
        // root.
        if !self.lacks(owner, root) {
            return false;
        }
        let bytes = wide(cost_in_memory(&signed));
        // The share keeps one lying author from taking all room. A node's own branches may take
        // all: it alone can issue them again.
        let share = if is_own { bytes_max } else { bytes_max / 8 };
        let (mut all, mut of_author) = (bytes, bytes);
        for (author, bytes) in &self.pooled {
            all = all.saturating_add(*bytes);
            if *author == owner.1 {
                of_author = of_author.saturating_add(*bytes);
            }
        }
        if all > bytes_max || of_author > share {
            return false;
        }
        self.pooled.push((owner.1, bytes));
        let place = Place::Pooled(Box::new(signed));
        self.places.insert((owner, root), place);
        self.unread.insert((owner, root));
        true
    }

    /// The writes of one in memory are visible now.
    pub(in crate::replication) fn mark_read(&mut self, owner: Owner, root: Root) {
        self.unread.remove(&(owner, root));
    }

    /// Those in memory whose writes are not visible yet.
    pub(in crate::replication) fn unread(&self) -> Vec<(Owner, Root)> {
        self.unread.iter().copied().collect()
    }

    /// Whether every branch that waits to become visible is still in memory.
    pub(in crate::replication) fn keeps_unread(&self) -> bool {
        let is_pooled = |key| matches!(self.places.get(key), Some(Place::Pooled(_)));
        self.unread.iter().all(is_pooled)
    }

    /// All, by author and shard.
    pub(in crate::replication) fn places(&self) -> impl Iterator<Item = (Owner, Root, &Place)> {
        let places = self.places.iter();
        places.map(|((owner, root), place)| (*owner, *root, place))
    }

    /// A batch was issued again, at a place that counts.
    pub(in crate::replication) fn reissue(&mut self, owner: Owner, root: Root, at: (u32, u64)) {
        self.reissued.insert((owner, root, at));
        self.forget(owner, root);
    }

    /// An author closed its epochs below one: of what they hold nothing is needed any more.
    pub(in crate::replication) fn close(&mut self, owner: Owner, below: u32) {
        let is_gone = |place: &Place| match place {
            Place::Held { chain, .. } => chain.1.epoch < below,
            Place::Pooled(_) => false,
        };
        self.places
            .retain(|(of, _), place| *of != owner || !is_gone(place));
    }

    /// A chain forked: what it issued again from there on has to be issued once more.
    // Only what this epoch said from the fork on is taken back. The same root stays issued if
    // another epoch did it too.
    pub(in crate::replication) fn revoke(&mut self, chain: ChainId, from: u64) {
        let (owner, epoch) = (owner_of(chain), chain.1.epoch);
        self.reissued.retain(|(of, _, (in_epoch, sequence))| {
            *of != owner || *in_epoch != epoch || *sequence < from
        });
    }

    pub(in crate::replication) fn is_reissued(&self, owner: Owner, root: Root) -> bool {
        let places = (owner, root, (0, 0))..=(owner, root, (u32::MAX, u64::MAX));
        self.reissued.range(places).next().is_some()
    }

    /// Whether a peer's copy of it is of use.
    pub(in crate::replication) fn lacks(&self, owner: Owner, root: Root) -> bool {
        // A damaged record of ours is as good as none: a peer's copy may replace it.
        let here = match self.get(owner, root) {
            Some(Place::Held { doubtful, .. }) => !doubtful,
            Some(Place::Pooled(_)) => true,
            None => false,
        };
        !here && !self.is_reissued(owner, root)
    }

    pub(in crate::replication) fn get(&self, owner: Owner, root: Root) -> Option<&Place> {
        self.places.get(&(owner, root))
    }

    /// The journal could not give what the log holds.
    pub(in crate::replication) fn doubt(&mut self, owner: Owner, root: Root) {
        if let Some(Place::Held { doubtful, .. }) = self.places.get_mut(&(owner, root)) {
            *doubtful = true;
        }
    }

    pub(in crate::replication) fn forget(&mut self, owner: Owner, root: Root) {
        self.unread.remove(&(owner, root));
        if let Some(Place::Pooled(signed)) = self.places.remove(&(owner, root)) {
            let bytes = wide(cost_in_memory(&signed));
            let of_this = (owner.1, bytes);
            // Any entry of this author and size does: only the sums are of interest.
            if let Some(place) = self.pooled.iter().position(|of| *of == of_this) {
                self.pooled.swap_remove(place);
            }
        }
    }

    /// The first one of an author in a shard from `from` on, in a fixed order.
    pub(in crate::replication) fn next(&self, owner: Owner, from: Root) -> Option<Root> {
        // Roots are hashes, so the order has no meaning; it only lets the author go through all of
        // them.
        let ((of, root), _) = self.places.range((owner, from)..).next()?;
        (*of == owner).then_some(*root)
    }

    /// The side branches of an author in a shard, at most `most`.
    pub(in crate::replication) fn roots(&self, owner: Owner, most: usize) -> Vec<Root> {
        let mut roots = Vec::new();
        for ((of, root), _) in self.places.range((owner, 0)..) {
            if *of != owner || roots.len() >= most {
                break;
            }
            roots.push(*root);
        }
        roots
    }

    /// The authors of whom there are side branches in a shard.
    pub(in crate::replication) fn owners(&self, shard: u16) -> Vec<Owner> {
        let mut owners: Vec<Owner> = Vec::new();
        let first = ((shard, NodeId::from_bytes([0; 32])), 0);
        for ((owner, _), _) in self.places.range(first..) {
            if owner.0 != shard {
                break;
            }
            if owners.last() != Some(owner) {
                owners.push(*owner);
            }
        }
        owners
    }

    /// The bytes of those in memory.
    pub(in crate::replication) fn pooled_bytes(&self) -> u64 {
        let bytes = self.pooled.iter().map(|(_, bytes)| *bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// How many batches there are.
    pub(in crate::replication) fn len(&self) -> usize {
        self.places.len()
    }

    /// A hash that differs when the side branches in a shard do.
    pub(in crate::replication) fn digest(&self, shard: u16) -> Hash {
        let mut sum = Hash::ZERO;
        let first = ((shard, NodeId::from_bytes([0; 32])), 0);
        for (((of, author), root), _) in self.places.range(first..) {
            if *of != shard {
                break;
            }
            // Only names count, not places: a branch in the log of one node may be in the memory of
            // another.
            let parts: [&[u8]; 3] = [sum.as_bytes(), author.as_bytes(), &root.to_le_bytes()];
            sum = Hash::of("sporenet 2026 aside", &parts);
        }
        sum
    }
}

pub(in crate::replication) const fn owner_of((shard, writer): ChainId) -> Owner {
    (shard, writer.node)
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::batch::Writer;

    #[test]
    fn what_was_issued_again_is_forgotten_until_that_is_beyond_a_fork_too() {
        let mut branches = SideBranches::default();
        let node = NodeId::from_bytes([1; 32]);
        let epoch = |epoch| (3, Writer { node, epoch });
        let owner = (3, node);
        for root in [7, 9] {
            branches.hold(epoch(0), 5, root);
        }
        branches.reissue(owner, 7, (1, 2));
        assert_eq!(branches.roots(owner, 9), [9]);
        branches.hold(epoch(0), 5, 7);
        assert!(branches.is_reissued(owner, 7) && branches.len() == 1);
        branches.revoke(epoch(1), 3);
        branches.revoke(epoch(2), 1);
        assert!(branches.is_reissued(owner, 7));
        branches.revoke(epoch(1), 2);
        branches.hold(epoch(1), 2, 7);
        assert_eq!(branches.roots(owner, 9), [7, 9]);
        assert_eq!(
            (branches.next(owner, 8), branches.next(owner, 10)),
            (Some(9), None)
        );
        assert_eq!(branches.owners(3), [owner]);
        assert_eq!(branches.owners(2), []);
        assert_ne!(branches.digest(3), branches.digest(2));
    }

    #[test]
    fn what_the_journal_can_not_give_is_lacking_again() {
        let mut branches = SideBranches::default();
        let node = NodeId::from_bytes([1; 32]);
        branches.hold((3, Writer::first(node)), 5, 7);
        assert!(!branches.lacks((3, node), 7));
        branches.doubt((3, node), 7);
        assert!(branches.lacks((3, node), 7));
    }

    #[test]
    fn what_two_epochs_issued_again_is_so_until_both_have_forked() {
        let node = NodeId::from_bytes([1; 32]);
        let epoch = |epoch| (3, Writer { node, epoch });
        let owner = (3, node);
        // In whatever order they came.
        for places in [[(1, 2), (2, 5)], [(2, 5), (1, 2)]] {
            let mut branches = SideBranches::default();
            branches.hold(epoch(0), 5, 7);
            for at in places {
                branches.reissue(owner, 7, at);
            }
            branches.revoke(epoch(1), 1);
            assert!(branches.is_reissued(owner, 7), "{places:?}");
            branches.revoke(epoch(2), 5);
            assert!(!branches.is_reissued(owner, 7), "{places:?}");
        }
    }
}

//! What stands beyond the forks of chains and was not issued again yet.
//!
//! Every node keeps the branches that it has, and names them when frontiers are compared; who lacks
//! one of them asks for it. So they reach their author over several links too, who issues them again in its
//! next life, and with that they are forgotten here.
//!
//! Source: DESIGN §6 (branches are set aside, visible and finite; the author issues them again).

use crate::{
    kernel::{
        crypto::{Hash, Signed},
        id::NodeId,
        ordered::Map,
    },
    replication::{
        batch::{Batch, Root, root_of},
        log::{ChainId, cost_in_memory},
    },
};
use alloc::{boxed::Box, vec::Vec};

/// An author in a shard, whatever its life.
pub(in crate::replication) type Owner = (u16, NodeId);

/// Where a batch that is set aside is.
#[derive(Clone, Debug)]
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

/// All that is set aside.
#[derive(Clone, Debug, Default)]
pub(in crate::replication) struct Aside {
    open: Map<Owner, Map<Root, Place>>,
    /// Life and sequence of the batch that issued it again.
    reissued: Map<Owner, Map<Root, (u32, u64)>>,
    /// By author; none at zero.
    pooled: Map<NodeId, u64>,
    pooled_bytes: u64,
}

impl Aside {
    /// A batch of the log is beyond a fork now.
    pub(in crate::replication) fn hold(&mut self, chain: ChainId, sequence: u64, root: Root) {
        let owner = owner_of(chain);
        let held = Place::Held {
            chain,
            sequence,
            doubtful: false,
        };
        if !self.is_reissued(owner, root) {
            self.forget(owner, root);
            self.open.entry(owner).or_default().insert(root, held);
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
        if !self.lacks(owner, root) {
            return false;
        }
        let bytes = wide(cost_in_memory(&signed));
        let share = if is_own { bytes_max } else { bytes_max / 8 };
        let of_author = self.pooled.get(&owner.1).copied().unwrap_or(0);
        let of_author = of_author.saturating_add(bytes);
        if self.pooled_bytes.saturating_add(bytes) > bytes_max || of_author > share {
            return false;
        }
        self.pooled_bytes = self.pooled_bytes.saturating_add(bytes);
        self.pooled.insert(owner.1, of_author);
        let place = Place::Pooled(Box::new(signed));
        self.open.entry(owner).or_default().insert(root, place);
        true
    }

    /// A batch was issued again, at a place that counts.
    pub(in crate::replication) fn reissue(&mut self, owner: Owner, root: Root, at: (u32, u64)) {
        let known = self.reissued.entry(owner).or_default();
        known.entry(root).or_insert(at);
        self.forget(owner, root);
    }

    /// A chain forked: what it issued again from there on has to be issued once more.
    pub(in crate::replication) fn revoke(&mut self, chain: ChainId, from: u64) {
        let (_, writer) = chain;
        if let Some(known) = self.reissued.get_mut(&owner_of(chain)) {
            known.retain(|_, (life, sequence)| *life != writer.life || *sequence < from);
        }
    }

    pub(in crate::replication) fn is_reissued(&self, owner: Owner, root: Root) -> bool {
        let known = self.reissued.get(&owner);
        known.is_some_and(|known| known.contains_key(&root))
    }

    /// Whether a peer's copy of it is of use.
    pub(in crate::replication) fn lacks(&self, owner: Owner, root: Root) -> bool {
        let here = match self.get(owner, root) {
            Some(Place::Held { doubtful, .. }) => !doubtful,
            Some(Place::Pooled(_)) => true,
            None => false,
        };
        !here && !self.is_reissued(owner, root)
    }

    pub(in crate::replication) fn get(&self, owner: Owner, root: Root) -> Option<&Place> {
        self.open.get(&owner)?.get(&root)
    }

    /// The journal could not give what the log holds.
    pub(in crate::replication) fn doubt(&mut self, owner: Owner, root: Root) {
        let place = self
            .open
            .get_mut(&owner)
            .and_then(|open| open.get_mut(&root));
        if let Some(Place::Held { doubtful, .. }) = place {
            *doubtful = true;
        }
    }

    pub(in crate::replication) fn forget(&mut self, owner: Owner, root: Root) {
        let Some(open) = self.open.get_mut(&owner) else {
            return;
        };
        if let Some(Place::Pooled(signed)) = open.remove(&root) {
            let bytes = wide(cost_in_memory(&signed));
            self.pooled_bytes = self.pooled_bytes.saturating_sub(bytes);
            let of_author = self.pooled.remove(&owner.1).unwrap_or(0);
            let left = of_author.saturating_sub(bytes);
            if left > 0 {
                self.pooled.insert(owner.1, left);
            }
        }
        if open.is_empty() {
            self.open.remove(&owner);
        }
    }

    /// What of an author is set aside in a shard, from `from` on, in a fixed order.
    pub(in crate::replication) fn open(
        &self,
        owner: Owner,
        from: Root,
    ) -> impl Iterator<Item = Root> {
        let open = self.open.get(&owner);
        open.into_iter()
            .flat_map(move |open| open.range(from..).map(|(root, _)| *root))
    }

    /// The authors of whom something is set aside in a shard.
    pub(in crate::replication) fn owners(&self, shard: u16) -> impl Iterator<Item = Owner> {
        let first = (shard, NodeId::from_bytes([0; 32]));
        self.open
            .range(first..)
            .map(|(owner, _)| *owner)
            .take_while(move |(of, _)| *of == shard)
    }

    /// The shards in which something of an author is set aside.
    pub(in crate::replication) fn shards(&self, author: NodeId) -> Vec<u16> {
        let of_author = |owner: &&Owner| owner.1 == author;
        let owners = self.open.keys().filter(of_author);
        owners.map(|(shard, _)| *shard).collect()
    }

    /// How many batches are set aside.
    pub(in crate::replication) fn len(&self) -> usize {
        let counts = self.open.values().map(Map::len);
        counts.fold(0, usize::saturating_add)
    }

    /// Hashes that differ when what is set aside in a shard does.
    pub(in crate::replication) fn parts(&self, shard: u16) -> impl Iterator<Item = Hash> {
        self.owners(shard).flat_map(|owner| {
            self.open(owner, 0).map(move |root| {
                let parts: [&[u8]; 2] = [owner.1.as_bytes(), &root.to_le_bytes()];
                Hash::of("sporenet 2026 aside", &parts)
            })
        })
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
        let mut aside = Aside::default();
        let node = NodeId::from_bytes([1; 32]);
        let life = |life| (3, Writer { node, life });
        let owner = (3, node);
        for root in [7, 9] {
            aside.hold(life(0), 5, root);
        }
        aside.reissue(owner, 7, (1, 2));
        assert_eq!(aside.open(owner, 0).collect::<Vec<_>>(), [9]);
        aside.hold(life(0), 5, 7);
        assert!(aside.is_reissued(owner, 7) && aside.len() == 1);
        aside.revoke(life(1), 3);
        aside.revoke(life(2), 1);
        assert!(aside.is_reissued(owner, 7));
        aside.revoke(life(1), 2);
        aside.hold(life(1), 2, 7);
        assert_eq!(aside.open(owner, 0).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(aside.open(owner, 8).collect::<Vec<_>>(), [9]);
    }

    #[test]
    fn what_the_journal_can_not_give_is_lacking_again() {
        let mut aside = Aside::default();
        let node = NodeId::from_bytes([1; 32]);
        aside.hold((3, Writer::first(node)), 5, 7);
        assert!(!aside.lacks((3, node), 7));
        aside.doubt((3, node), 7);
        assert!(aside.lacks((3, node), 7));
    }
}

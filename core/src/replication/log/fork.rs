//! Chains that forked, and the proofs of it.

use super::{ChainId, Fork, Log, Proof, cost_in_memory};
use crate::kernel::planted::{self, Planted};
use alloc::vec::Vec;

/// The most bytes of proofs of forks that are kept; of later ones only the fork point is.
pub(super) const PROOF_BYTES_MAX: usize = 32 << 20;

impl Log {
    /// From which sequence on a chain has forked: what stands there is side branches.
    pub(in crate::replication) fn forked_at(&self, chain: ChainId) -> Option<u64> {
        self.chains.get(&chain)?.fork.as_ref().map(|fork| fork.at)
    }

    /// The proof of a fork, if it was kept.
    pub(in crate::replication) fn proof(&self, chain: ChainId) -> Option<&Proof> {
        self.chains.get(&chain)?.fork.as_ref()?.proof.as_ref()
    }

    /// Notes that a chain forks at `at`: what stands from there on is side branches. Answers
    /// whether it was whole until now. An earlier fork point replaces a later one, so that all
    /// nodes end at the same.
    pub(in crate::replication) fn fork(&mut self, chain: ChainId, at: u64, proof: Proof) -> bool {
        let entry = self.chains.entry(chain).or_default();
        let first = entry.fork.is_none();
        if entry.fork.as_ref().is_some_and(|fork| fork.at <= at) {
            return false;
        }
        let old = entry.fork.as_ref();
        let freed = old.and_then(|fork| fork.proof.as_ref()).map_or(0, size_of);
        self.proof_bytes = self.proof_bytes.saturating_sub(freed);
        let bytes = self.proof_bytes.saturating_add(size_of(&proof));
        let keep = bytes <= PROOF_BYTES_MAX;
        if keep {
            self.proof_bytes = bytes;
        }
        entry.fork = Some(Fork {
            at,
            proof: keep.then_some(proof),
        });
        // Order matters: what this chain issued again beyond the fork must not count as issued
        // again when its batches are held as side branches below.
        self.branches.revoke(chain, at);
        let beyond = entry.roots_from(at).into_iter();
        for (sequence, root) in beyond.filter(|_| !planted::is(Planted::BranchForgotten)) {
            self.branches.hold(chain, sequence, root);
        }
        self.touch(chain.0);
        first
    }

    /// The proofs of forks that are kept.
    pub(in crate::replication) fn proofs(&self) -> Vec<Proof> {
        let forks = self.chains.values().filter_map(|chain| chain.fork.as_ref());
        forks.filter_map(|fork| fork.proof.clone()).collect()
    }
}

pub(super) fn size_of(proof: &Proof) -> usize {
    cost_in_memory(&proof.0).saturating_add(cost_in_memory(&proof.1))
}

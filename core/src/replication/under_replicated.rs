//! Own batches that few others have, kept in memory: until they are elsewhere, a record of the
//! journal that rots takes with it what everyone else was promised.
//!
//! A batch is shared once two relays have confirmed it; one of them may lie, or lose it.

use crate::{
    kernel::{bounded::first_broken, crypto::Signed},
    replication::{
        batch::Batch,
        log::{ChainId, chain_of, cost_in_memory},
    },
};
use alloc::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct UnderReplicated {
    /// By their places in the journal.
    batches: BTreeMap<u64, Signed<Batch>>,
    /// The same places by chain and sequence: what is released of a chain is found without a look
    /// at the others.
    places: BTreeSet<(ChainId, u64, u64)>,
    bytes: usize,
    bytes_max: usize,
}

impl UnderReplicated {
    /// None yet; of more than `bytes_max` bytes the oldest go.
    pub(in crate::replication) const fn new(bytes_max: usize) -> Self {
        Self {
            batches: BTreeMap::new(),
            places: BTreeSet::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The bytes in memory, about.
    pub(in crate::replication) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A batch by its place in the journal, if it is here.
    pub(in crate::replication) fn get(&self, journal: u64) -> Option<&Signed<Batch>> {
        self.batches.get(&journal)
    }

    /// Keeps one of our own batches.
    pub(in crate::replication) fn keep(&mut self, journal: u64, signed: Signed<Batch>) {
        let (chain, sequence) = chain_of(signed.claims());
        // A place is new unless something is wrong; then the old batch is taken off the sum first.
        self.drop_at(journal);
        self.bytes = self.bytes.saturating_add(cost_in_memory(&signed));
        self.places.insert((chain, sequence, journal));
        self.batches.insert(journal, signed);
        // The oldest place goes first: it has had the most time to be confirmed.
        while self.bytes > self.bytes_max {
            let oldest = self.batches.first_key_value();
            let Some((&oldest, _)) = oldest else { return };
            self.drop_at(oldest);
        }
    }

    /// Two relays hold a chain durably up to a batch.
    pub(in crate::replication) fn release(&mut self, chain: ChainId, up_to: u64) {
        // The third part is the place in the journal, which may be any.
        let shared = (chain, 0, 0)..=(chain, up_to, u64::MAX);
        loop {
            let next = self.places.range(shared.clone()).next().copied();
            let Some(place) = next else { return };
            // `drop_at` does nothing for a place without a batch, so this entry is removed here:
            // the loop ends.
            self.places.remove(&place);
            self.drop_at(place.2);
        }
    }

    /// A batch has another place now.
    pub(in crate::replication) fn forget(&mut self, journal: u64) {
        self.drop_at(journal);
    }

    fn drop_at(&mut self, journal: u64) {
        if let Some(signed) = self.batches.remove(&journal) {
            let (chain, sequence) = chain_of(signed.claims());
            self.places.remove(&(chain, sequence, journal));
            self.bytes = self.bytes.saturating_sub(cost_in_memory(&signed));
        }
    }

    /// What must hold at any time.
    pub(in crate::replication) fn check(&self) -> Result<(), &'static str> {
        let bytes: usize = self.batches.values().map(cost_in_memory).sum();
        first_broken(&[
            (
                bytes == self.bytes && bytes <= self.bytes_max,
                "bytes of batches that few have are counted wrongly",
            ),
            (
                self.places.len() == self.batches.len(),
                "batches that few have are found in one way only",
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use crate::{
        kernel::{
            crypto::{Hash, Keypair, Verified},
            id::NetworkId,
            text::{Key, Namespace},
        },
        replication::{
            batch::{Op, shard_of},
            clock::Hlc,
        },
    };
    use alloc::vec::Vec;

    fn batch(sequence: u64, value_bytes: usize) -> Signed<Batch> {
        let keypair = Keypair::from_seed(&[7; 32]);
        let namespace = Namespace::new("n").unwrap();
        let key = Key::new("k").unwrap();
        let op = Op {
            key: key.clone(),
            stamp: Hlc {
                millis: sequence,
                counter: 0,
            },
            value: Some(alloc::vec![1; value_bytes].into()),
            seen: Vec::new(),
        };
        let batch = Batch {
            shard: shard_of(&namespace, &key),
            author: keypair.id(),
            epoch: 0,
            sequence,
            previous: Hash::ZERO,
            namespace,
            namespace_previous: 0,
            reissue: None,
            ops: alloc::vec![op],
            closed: 0,
        };
        Verified::seal(batch, &keypair, NetworkId::from_bytes([1; 32])).to_signed()
    }

    #[test]
    fn a_batch_is_kept_until_its_chain_is_released_that_far() {
        let mut under_replicated = UnderReplicated::new(4 << 20);
        for sequence in 1..=4 {
            under_replicated.keep(sequence * 10, batch(sequence, 10));
        }
        let (chain, _) = chain_of(batch(1, 10).claims());
        let kept = |under_replicated: &UnderReplicated| {
            [10, 20, 30, 40].map(|at| under_replicated.get(at).is_some())
        };
        under_replicated.release((chain.0 ^ 1, chain.1), 4);
        assert_eq!(kept(&under_replicated), [true; 4]);
        under_replicated.release(chain, 2);
        assert_eq!(kept(&under_replicated), [false, false, true, true]);
        under_replicated.release(chain, 9);
        assert_eq!(kept(&under_replicated), [false; 4]);
        assert_eq!(
            (under_replicated.check(), under_replicated.bytes),
            (Ok(()), 0)
        );
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut under_replicated = UnderReplicated::new(4 << 20);
        for sequence in 1..=50 {
            under_replicated.keep(sequence, batch(sequence, 100 << 10));
            assert_eq!(under_replicated.check(), Ok(()));
        }
        let oldest = under_replicated.batches.keys().next().copied();
        assert_eq!(under_replicated.batches.keys().next_back(), Some(&50));
        assert!(oldest > Some(10) && oldest < Some(40), "{oldest:?}");
    }
}

//! Own batches that few others have, kept in memory: until they are elsewhere, a record of the journal
//! that rots takes with it what everyone else was promised.
//!
//! A batch is shared once two relays have confirmed it; one of them may lie, or lose it.

use crate::{
    kernel::{bounded::first_broken, crypto::Signed, id::NodeId, ordered::Map},
    replication::{
        batch::Batch,
        intake::chain_of,
        log::{ChainId, cost_in_memory},
    },
};
use alloc::vec::Vec;

/// How many relays must have a batch.
const HOLDERS: usize = 2;

/// See the module.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Unshared {
    /// By their places in the journal.
    batches: Map<u64, Signed<Batch>>,
    journals: Map<(ChainId, u64), u64>,
    bytes: usize,
    bytes_max: usize,
    /// Who has confirmed the most of a chain, and how much; the chain has batches here.
    holders: Map<ChainId, Vec<(NodeId, u64)>>,
}

impl Unshared {
    /// None yet; of more than `bytes_max` bytes the oldest go.
    pub(in crate::replication) const fn new(bytes_max: usize) -> Self {
        Self {
            batches: Map::new(),
            journals: Map::new(),
            bytes: 0,
            bytes_max,
            holders: Map::new(),
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
        self.bytes = self.bytes.saturating_add(cost_in_memory(&signed));
        self.journals.insert(chain_of(signed.claims()), journal);
        self.batches.insert(journal, signed);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.batches.keys().next().copied() else {
                break;
            };
            self.forget(oldest);
        }
    }

    /// Whether a chain has batches here.
    pub(in crate::replication) fn has_any(&self, chain: ChainId) -> bool {
        self.journals
            .range((chain, 0)..=(chain, u64::MAX))
            .next()
            .is_some()
    }

    /// A relay holds a chain durably up to a batch.
    pub(in crate::replication) fn confirmed(&mut self, by: NodeId, chain: ChainId, up_to: u64) {
        if !self.has_any(chain) {
            return;
        }
        let holders = self.holders.entry(chain).or_default();
        let before = holders.iter().position(|(holder, _)| *holder == by);
        let before = before.map_or(0, |place| holders.swap_remove(place).1);
        holders.push((by, before.max(up_to)));
        holders.sort_unstable_by_key(|(_, up_to)| core::cmp::Reverse(*up_to));
        holders.truncate(HOLDERS);
        let shared = holders.get(HOLDERS.saturating_sub(1));
        let shared = shared.map_or(0, |(_, up_to)| *up_to);
        while let Some((_, journal)) = self.journals.range((chain, 0)..=(chain, shared)).next() {
            self.forget(*journal);
        }
    }

    fn forget(&mut self, journal: u64) {
        let Some(signed) = self.batches.remove(&journal) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(cost_in_memory(&signed));
        let place = chain_of(signed.claims());
        self.journals.remove(&place);
        if !self.has_any(place.0) {
            self.holders.remove(&place.0);
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
                self.journals.len() == self.batches.len(),
                "a batch that few have can not be found",
            ),
            (
                self.holders.keys().all(|chain| self.has_any(*chain)),
                "holders are known of what all have",
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
            batch::{Op, Writer, shard_of},
            clock::Hlc,
        },
    };

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
            life: 0,
            sequence,
            previous: Hash::ZERO,
            namespace,
            namespace_previous: 0,
            reissue: None,
            ops: alloc::vec![op],
        };
        Verified::seal(batch, &keypair, NetworkId::from_bytes([1; 32])).to_signed()
    }

    #[test]
    fn a_batch_is_kept_until_two_relays_have_it() {
        let mut unshared = Unshared::new(4 << 20);
        for sequence in 1..=4 {
            unshared.keep(sequence * 10, batch(sequence, 10));
        }
        let signed = batch(1, 10);
        let chain = (signed.claims().shard, Writer::first(signed.claims().author));
        let [one, two, three] = [1, 2, 3].map(|byte| NodeId::from_bytes([byte; 32]));
        let kept = |unshared: &Unshared| [10, 20, 30, 40].map(|at| unshared.get(at).is_some());
        unshared.confirmed(one, chain, 4);
        unshared.confirmed(one, chain, 3);
        assert_eq!(kept(&unshared), [true; 4], "one holder may lie");
        unshared.confirmed(two, chain, 2);
        assert_eq!(kept(&unshared), [false, false, true, true]);
        unshared.confirmed(three, chain, 1);
        assert_eq!(kept(&unshared), [false, false, true, true]);
        unshared.confirmed(three, chain, 4);
        assert_eq!(kept(&unshared), [false; 4]);
        assert_eq!(unshared.check(), Ok(()));
        assert!(unshared.holders.is_empty() && unshared.bytes == 0);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let mut unshared = Unshared::new(4 << 20);
        for sequence in 1..=50 {
            unshared.keep(sequence, batch(sequence, 100 << 10));
            assert_eq!(unshared.check(), Ok(()));
        }
        let oldest = unshared.batches.keys().next().copied();
        assert_eq!(unshared.batches.keys().next_back(), Some(&50));
        assert!(oldest > Some(10) && oldest < Some(40), "{oldest:?}");
    }
}

//! What must hold in the log at any time.

use super::{Chain, ChainId, Log, TAIL_MAX, cost_in_memory, fork::PROOF_BYTES_MAX};
use crate::{
    kernel::bounded::first_broken,
    replication::{batch::half, side_branches::owner_of},
};

/// How many of the latest batches are looked at: about as many as a node takes between two looks.
/// Fewer miss some; each costs a search among the chains.
const LINKED_MAX: usize = 32;

impl Log {
    pub(in crate::replication) fn check(&self) -> Result<(), &'static str> {
        let slots: usize = self.chains.values().map(|chain| chain.slots.len()).sum();
        let streams: usize = self.streams.values().map(|s| s.sequences.len()).sum();
        let recent: usize = self.recent.values().map(cost_in_memory).sum();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let ends = self.streams.values().all(|stream| {
            let rises = stream.sequences.is_sorted_by(|a, b| a < b);
            let last = stream.sequences.last().copied();
            rises && last.is_none_or(|last| last == stream.end.sequence)
        });
        let partial = self.streams.values().map(|stream| stream.partial.1);
        let held = self.held_bytes.values().copied();
        let all: u64 = partial.chain(held).sum();
        let tails = |max| self.streams.values().all(|stream| stream.tail.len() <= max);
        first_broken(&[
            (
                slots == streams,
                "chains and their streams differ in length",
            ),
            // Batches of streams without whole chains are counted too, but have no slot.
            (wide(slots) <= self.batches, "batches are counted wrongly"),
            (all == self.bytes, "bytes of batches are counted wrongly"),
            (ends, "a stream does not end where it says"),
            (
                self.are_linked(),
                "a batch names another than the one before it",
            ),
            (tails(TAIL_MAX), "a stream's tail is too long"),
            (
                recent == self.recent_bytes,
                "bytes of recent batches are counted wrongly",
            ),
            (
                recent <= self.recent_bytes_max,
                "too many recent batches are kept",
            ),
            (
                self.proof_bytes <= PROOF_BYTES_MAX,
                "too many proofs are kept",
            ),
            (
                self.branches.keeps_unread(),
                "what waits to be shown is not there",
            ),
        ])?;
        self.under_replicated.check()?;
        let mut chains = self.chains.iter();
        chains.try_for_each(|(id, chain)| self.check_chain(*id, chain))
    }

    /// Whether the latest batches of whole chains name those before them.
    fn are_linked(&self) -> bool {
        let mut latest = self.recent.iter().rev().take(LINKED_MAX);
        latest.all(|(journal, signed)| {
            let batch = signed.claims();
            let chain = self.chains.get(&(batch.shard, batch.writer()));
            let slot = |sequence| chain.and_then(|chain| chain.slot(sequence));
            // Batches of streams (in a tab) have no slot: nothing can be checked of them here.
            let is_held = slot(batch.sequence).is_some_and(|slot| slot.journal == *journal);
            let before = slot(batch.sequence.saturating_sub(1));
            !is_held || before.map_or(0, |slot| slot.hash_half) == half(batch.previous)
        })
    }

    fn check_chain(&self, id: ChainId, chain: &Chain) -> Result<(), &'static str> {
        let beyond = chain.fork.as_ref().map(|fork| chain.roots_from(fork.at));
        let owner = owner_of(id);
        // Every batch beyond a fork is a side branch until it counts as issued again: none may be
        // lost.
        let kept = |(_, root): &(u64, u128)| {
            self.branches.get(owner, *root).is_some() || self.branches.is_reissued(owner, *root)
        };
        first_broken(&[
            (
                chain.head.is_some() != chain.slots.is_empty(),
                "a chain has no head, or nothing else",
            ),
            (
                beyond.unwrap_or_default().iter().all(kept),
                "what stands beyond a fork is neither set aside nor issued again",
            ),
            (
                chain.slots.iter().all(|slot| slot.journal > 0),
                "a batch in the log has no place in the journal",
            ),
        ])
    }

    /// The last place in the journal that a batch of a chain, or of the part of one that a tab holds, has.
    pub(in crate::replication) fn journal_last(&self) -> u64 {
        let slots = self.chains.values().flat_map(|chain| &chain.slots);
        let tails = self.streams.values().flat_map(|stream| &stream.tail);
        let tails = tails.map(|(_, journal, _)| *journal);
        let places = slots.map(|slot| slot.journal).chain(tails);
        places.max().unwrap_or(0)
    }
}

//! Rumours, and how often each is told.
//!
//! A fresh rumour is told to the linked peers in a message of its own; after that it rides on pings
//! and acknowledgements until it has been told λ·log₂(n) times. Those told least often go first, then
//! the more important, then the newer. A rumour about the same thing replaces the older one.
//!
//! Source: Das, Gupta, Motivala, "SWIM", DSN 2002, section 4.1 (infection-style dissemination, each
//! rumour at most λ·log n times, the least told first).

use crate::{
    kernel::{crypto::Signed, id::NodeId},
    membership::member::{Accusation, Lease, MemberRecord},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;
use serde::{Deserialize, Serialize};

/// Something signed that everyone should hear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rumour {
    /// A member's word about itself.
    Record(Signed<MemberRecord>),
    /// One member's word against another.
    Accusation(Signed<Accusation>),
    /// A home's word about a tab.
    Lease(Signed<Lease>),
}

/// A signature, and what postcard adds around it.
const ENVELOPE_BYTES: usize = 70;

impl Rumour {
    /// About how many bytes it takes on the wire (never less than it really takes).
    #[must_use]
    pub fn size(&self) -> usize {
        let body = match self {
            Self::Record(record) => record.bytes().len(),
            Self::Accusation(accusation) => accusation.bytes().len(),
            Self::Lease(lease) => lease.bytes().len(),
        };
        body.saturating_add(ENVELOPE_BYTES)
    }

    /// What it is about: a newer rumour with the same key replaces it.
    fn key(&self) -> Key {
        match self {
            // Records come first: without them neither an accusation nor a lease can be judged.
            Self::Record(record) => (0, record.claims().id, record.claims().id),
            Self::Accusation(word) => (1, word.claims().subject, word.claims().accuser),
            Self::Lease(lease) => (2, lease.claims().tab, lease.claims().home),
        }
    }
}

/// Importance (0 is the highest), subject, speaker.
type Key = (u8, NodeId, NodeId);
/// Times told, importance, newest first.
type Rank = (u32, u8, Reverse<u64>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    rumour: Rumour,
    source: Option<NodeId>,
    rank: Rank,
}

/// The rumours this node still tells.
///
/// Bounded in number; when full, the one told most often goes, and is counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RumourQueue {
    entries: BTreeMap<Key, Entry>,
    ranking: BTreeSet<(Rank, Key)>,
    fresh: BTreeSet<(u8, Reverse<u64>, Key)>,
    order: u64,
    max: usize,
    dropped: u64,
}

impl RumourQueue {
    /// No rumours, and room for `max` (at least one).
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            ranking: BTreeSet::new(),
            fresh: BTreeSet::new(),
            order: 0,
            max,
            dropped: 0,
        }
    }

    /// Adds a rumour heard from `source` (to whom it won't be told), or our own.
    pub fn push(&mut self, rumour: Rumour, source: Option<NodeId>) {
        let key = rumour.key();
        // A newer word about the same thing starts at zero: what was told of the old one brought
        // nobody the new one.
        self.forget(key);
        // What was told most often is the least loss: others tell it by now.
        if self.entries.len() >= self.max.max(1)
            && let Some((_, most_told)) = self.ranking.last().copied()
        {
            self.forget(most_told);
            self.dropped = self.dropped.saturating_add(1);
        }
        self.order = self.order.saturating_add(1);
        let rank = (0, key.0, Reverse(self.order));
        self.ranking.insert((rank, key));
        self.fresh.insert((rank.1, rank.2, key));
        let entry = Entry {
            rumour,
            source,
            rank,
        };
        self.entries.insert(key, entry);
    }

    /// The records among the rumours.
    pub fn records(&self) -> impl Iterator<Item = &MemberRecord> {
        self.entries
            .values()
            .filter_map(|entry| match &entry.rumour {
                Rumour::Record(record) => Some(record.claims()),
                Rumour::Accusation(_) | Rumour::Lease(_) => None,
            })
    }

    /// Forgets what was said against `subject`: it refuted, or is gone.
    pub fn forget_accusations(&mut self, subject: NodeId) {
        // Keys are (kind, subject, speaker), so the accusations of one subject stand side by side.
        let from = (1, subject, NodeId::from_bytes([0; 32]));
        let to = (1, subject, NodeId::from_bytes([u8::MAX; 32]));
        let keys: Vec<Key> = self.entries.range(from..=to).map(|(key, _)| *key).collect();
        for key in keys {
            self.forget(key);
        }
    }

    /// Rumours for `to`, at most `bytes_max` or one that is larger, each counted as told once and forgotten
    /// when that makes `told_max` times.
    pub fn take(&mut self, to: NodeId, bytes_max: usize, told_max: u32) -> Vec<Rumour> {
        let mut bytes = 0_usize;
        let mut chosen = Vec::new();
        for (_, key) in self.ranking.iter().take(SCAN_MAX) {
            let Some(entry) = self.entries.get(key).filter(|e| e.source != Some(to)) else {
                continue;
            };
            let with = bytes.saturating_add(entry.rumour.size());
            // Whatever does not fit ends the message and is not skipped, so that the next message
            // begins with it. At least one goes out, however large: a record with many long addresses
            // would block all rumours behind it for ever.
            if with > bytes_max && !chosen.is_empty() {
                break;
            }
            bytes = with;
            chosen.push(*key);
        }
        let rumours = chosen.iter().filter_map(|key| self.entries.get(key));
        let rumours = rumours.map(|entry| entry.rumour.clone()).collect();
        for key in chosen {
            self.told(key, 1, told_max);
        }
        rumours
    }

    /// Rumours that have not been told in a message of their own yet, with whom each came from, most
    /// important first, at most `bytes_max`; counted as told `times`.
    pub fn take_fresh(
        &mut self,
        bytes_max: usize,
        times: u32,
        told_max: u32,
    ) -> Vec<(Rumour, Option<NodeId>)> {
        let mut bytes = 0_usize;
        let mut taken = Vec::new();
        while let Some((importance, order, key)) = self.fresh.first().copied() {
            // Cannot be: `forget` and `told` remove from both. Should it be, the loop must still
            // end.
            let Some(entry) = self.entries.get(&key) else {
                self.fresh.remove(&(importance, order, key));
                continue;
            };
            bytes = bytes.saturating_add(entry.rumour.size());
            // At least one goes out, however large, so that no rumour blocks those behind it for
            // ever.
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            taken.push((entry.rumour.clone(), entry.source));
            self.fresh.remove(&(importance, order, key));
            self.told(key, times, told_max);
        }
        taken
    }

    /// Whether a rumour waits to be told in a message of its own.
    #[must_use]
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// How many rumours are told.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no rumour is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many rumours were dropped because there were too many.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn told(&mut self, key: Key, times: u32, told_max: u32) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        self.ranking.remove(&(entry.rank, key));
        // The rank is the place in the order: out, changed, and in again.
        entry.rank.0 = entry.rank.0.saturating_add(times);
        if entry.rank.0 >= told_max {
            self.fresh.remove(&(entry.rank.1, entry.rank.2, key));
            self.entries.remove(&key);
        } else {
            self.ranking.insert((entry.rank, key));
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.ranking.remove(&(entry.rank, key));
            self.fresh.remove(&(entry.rank.1, entry.rank.2, key));
        }
    }
}

/// How many rumours one piggyback looks at: more than fit, however small they are, and few enough
/// that those that came from the receiver don't make it slow.
const SCAN_MAX: usize = 64;

/// λ·⌈log₂(n + 1)⌉: how often a rumour is told in a mesh of `n`.
#[must_use]
pub fn told_max(lambda: u32, n: usize) -> u32 {
    // The number of binary digits of n is ⌈log₂(n + 1)⌉.
    let log = usize::BITS.saturating_sub(n.leading_zeros());
    lambda.saturating_mul(log.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::{
        kernel::{
            crypto::{Keypair, Verified, encode},
            id::{Incarnation, NetworkId},
        },
        membership::member::Evidence,
    };

    fn accusation(accuser: u8, subject: u8) -> Rumour {
        let keypair = Keypair::from_seed(&[accuser; 32]);
        let body = Accusation {
            accuser: keypair.id(),
            subject: NodeId::from_bytes([subject; 32]),
            incarnation: Incarnation(u64::MAX),
            evidence: Evidence::Silence,
        };
        let network = NetworkId::from_bytes([1; 32]);
        Rumour::Accusation(Verified::seal(body, &keypair, network).to_signed())
    }

    const PEER: NodeId = NodeId::from_bytes([200; 32]);

    #[test]
    fn a_rumour_is_told_as_often_as_its_budget_and_no_more() {
        let mut queue = RumourQueue::new(10);
        queue.push(accusation(1, 2), None);
        let told = (0..20).filter(|_| !queue.take(PEER, 1_200, 5).is_empty());
        assert_eq!(told.count(), 5);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_newer_rumour_about_the_same_thing_replaces_the_older() {
        let mut queue = RumourQueue::new(10);
        queue.push(accusation(1, 2), None);
        queue.push(accusation(1, 2), None);
        queue.push(accusation(1, 3), None);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn nobody_is_told_what_it_told_us() {
        let mut queue = RumourQueue::new(10);
        queue.push(accusation(1, 2), Some(PEER));
        assert!(queue.take(PEER, 1_200, 5).is_empty());
        assert_eq!(queue.take(NodeId::from_bytes([9; 32]), 1_200, 5).len(), 1);
    }

    #[test]
    fn piggybacks_stay_within_their_bytes() {
        let mut queue = RumourQueue::new(100);
        for subject in 0..50 {
            queue.push(accusation(1, subject), None);
        }
        let rumours = queue.take(PEER, 1_200, 5);
        assert!(!rumours.is_empty());
        assert!(
            rumours
                .iter()
                .map(|rumour| encode(rumour).len())
                .sum::<usize>()
                <= 1_200
        );
    }

    #[test]
    fn a_rumour_larger_than_a_piggyback_blocks_none_behind_it() {
        let mut queue = RumourQueue::new(100);
        queue.push(accusation(1, 1), None);
        queue.push(accusation(1, 2), None);
        // Neither fits into ten bytes; each goes alone, as often as its budget.
        let told: Vec<_> = (0..4).map(|_| queue.take(PEER, 10, 2)).collect();
        for subject in [1, 2] {
            let alone = alloc::vec![accusation(1, subject)];
            assert_eq!(told.iter().filter(|rumours| **rumours == alone).count(), 2);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn the_least_told_goes_first_and_the_newest_of_those() {
        let mut queue = RumourQueue::new(100);
        queue.push(accusation(1, 1), None);
        assert_eq!(queue.take(PEER, 250, 5), [accusation(1, 1)]);
        queue.push(accusation(1, 2), None);
        queue.push(accusation(1, 3), None);
        assert_eq!(queue.take(PEER, 250, 5), [accusation(1, 3)]);
        assert_eq!(queue.take(PEER, 250, 5), [accusation(1, 2)]);
    }

    #[test]
    fn a_full_queue_drops_the_most_told_and_counts() {
        let mut queue = RumourQueue::new(3);
        queue.push(accusation(1, 0), None);
        queue.take(PEER, 1_200, 9);
        for subject in 1..4 {
            queue.push(accusation(1, subject), None);
        }
        assert_eq!((queue.len(), queue.dropped()), (3, 1));
        assert!(!queue.take(PEER, 9_999, 9).contains(&accusation(1, 0)));
    }

    #[test]
    fn a_fresh_rumour_is_told_in_a_message_of_its_own_once() {
        let mut queue = RumourQueue::new(10);
        queue.push(accusation(1, 2), None);
        assert!(queue.has_fresh());
        assert_eq!(queue.take_fresh(16_384, 4, 9).len(), 1);
        assert!(!queue.has_fresh());
        assert_eq!(queue.take(PEER, 1_200, 9).len(), 1);
        queue.forget_accusations(NodeId::from_bytes([2; 32]));
        assert!(queue.is_empty());
    }

    #[test]
    fn the_budget_grows_with_the_logarithm_of_the_mesh() {
        assert_eq!(told_max(3, 1), 3);
        assert_eq!(told_max(3, 5), 9);
        assert_eq!(told_max(3, 1_023), 30);
    }
}

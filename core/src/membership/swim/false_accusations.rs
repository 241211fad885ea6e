//! How often each accuser was wrong about each member.
//!
//! Source: docs/faults.md, F8 (no cascade of false verdicts by slow observers); the count decays, since
//! who was slow
//! once need not be slow for ever.

use crate::kernel::{
    id::NodeId,
    time::{Duration, Time},
};
use alloc::{collections::BTreeMap, vec::Vec};

/// The most pairs of accuser and accused that are remembered; when full, pairs that are forgiven by
/// now go, and else the newcomer is not counted.
pub(super) const PAIRS_MAX: usize = 4_096;

/// How often one accuser was wrong about one member, when it was counted last.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Count {
    count: u32,
    at: Time,
}

/// The counts of all pairs of accuser and accused.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct FalseAccusations {
    pairs: BTreeMap<(NodeId, NodeId), Count>,
    /// One is forgotten in so long.
    decay: Duration,
}

impl FalseAccusations {
    pub(super) const fn new(decay: Duration) -> Self {
        Self {
            pairs: BTreeMap::new(),
            decay,
        }
    }

    /// How many pairs are remembered.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// How often an accuser was wrong about a member, as far as that is not forgiven.
    pub(super) fn count(&self, now: Time, accuser: NodeId, subject: NodeId) -> u32 {
        let Some(known) = self.pairs.get(&(accuser, subject)) else {
            return 0;
        };
        let decay = self.decay.as_millis().max(1);
        let passed = now.since(known.at).as_millis().checked_div(decay);
        let forgiven = u32::try_from(passed.unwrap_or(0)).unwrap_or(u32::MAX);
        // Computed when it is asked for, so that no timer is needed to forget.
        known.count.saturating_sub(forgiven)
    }

    /// Counts a refuted accusation; answers how many there are now, `None` if there is no room to count.
    pub(super) fn add(&mut self, now: Time, accuser: NodeId, subject: NodeId) -> Option<u32> {
        let count = self.count(now, accuser, subject).saturating_add(1);
        let pair = (accuser, subject);
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&pair) {
            self.forget_forgiven(now);
            if self.pairs.len() >= PAIRS_MAX {
                return None;
            }
        }
        // What was forgiven by now is already taken off the count, so decay goes on from here.
        self.pairs.insert(pair, Count { count, at: now });
        Some(count)
    }

    fn forget_forgiven(&mut self, now: Time) {
        let pairs: Vec<_> = self.pairs.keys().copied().collect();
        for (accuser, subject) in pairs {
            if self.count(now, accuser, subject) == 0 {
                self.pairs.remove(&(accuser, subject));
            }
        }
    }
}

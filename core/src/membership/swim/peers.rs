//! The linked peers: when each was heard, and how much of this node's work it used up.

use crate::kernel::{
    id::{NodeId, Role},
    time::{Duration, Time},
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A linked peer.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Peer {
    role: Role,
    heard_at: Time,
    /// The last time it was told what is held against it.
    told_at: Option<Time>,
    /// The second in which `verifies` and `comparisons` count.
    window_at: Time,
    verifies: u32,
    comparisons: u32,
    /// How often tables were compared since the link came up.
    rounds: u8,
}

/// All linked peers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Peers {
    linked: BTreeMap<NodeId, Peer>,
}

impl Peers {
    pub(super) const fn new() -> Self {
        Self {
            linked: BTreeMap::new(),
        }
    }

    /// A link to a peer is up.
    pub(super) fn insert(&mut self, peer: NodeId, role: Role, now: Time) {
        // A new link begins anew, counters included.
        let link = Peer {
            role,
            heard_at: now,
            told_at: None,
            window_at: now,
            verifies: 0,
            comparisons: 0,
            rounds: 0,
        };
        self.linked.insert(peer, link);
    }

    /// A peer's link is down; answers its role if it had one.
    pub(super) fn remove(&mut self, peer: NodeId) -> Option<Role> {
        self.linked.remove(&peer).map(|link| link.role)
    }

    pub(super) fn contains(&self, peer: NodeId) -> bool {
        self.linked.contains_key(&peer)
    }

    pub(super) fn len(&self) -> usize {
        self.linked.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.linked.is_empty()
    }

    /// The peers in the order of identities.
    pub(super) fn iter(&self) -> impl Iterator<Item = NodeId> {
        self.linked.keys().copied()
    }

    /// Those of one role, in the order of identities.
    pub(super) fn of_role(&self, role: Role) -> impl Iterator<Item = NodeId> {
        let linked = self.linked.iter();
        linked
            .filter(move |(_, link)| link.role == role)
            .map(|(id, _)| *id)
    }

    /// The same in a list, to be shuffled.
    pub(super) fn list(&self, role: Role) -> Vec<NodeId> {
        self.of_role(role).collect()
    }

    pub(super) fn has_relay(&self) -> bool {
        self.of_role(Role::Relay).next().is_some()
    }

    pub(super) fn role(&self, peer: NodeId) -> Option<Role> {
        Some(self.linked.get(&peer)?.role)
    }

    /// When something last came in on a peer's link.
    pub(super) fn heard_at(&self, peer: NodeId) -> Option<Time> {
        Some(self.linked.get(&peer)?.heard_at)
    }

    pub(super) fn heard(&mut self, peer: NodeId, now: Time) {
        if let Some(link) = self.linked.get_mut(&peer) {
            link.heard_at = now;
        }
    }

    /// The next round of comparing tables on a link; `None` without one.
    pub(super) fn next_round(&mut self, peer: NodeId) -> Option<u8> {
        let link = self.linked.get_mut(&peer)?;
        link.rounds = link.rounds.saturating_add(1);
        Some(link.rounds)
    }

    /// Whether one more signature of a peer may be checked in this second.
    pub(super) fn may_verify(&mut self, peer: NodeId, now: Time, max: u32) -> bool {
        self.window_of(peer, now).is_some_and(|link| {
            // Refused ones count too: the budget comes back with the next second only.
            link.verifies = link.verifies.saturating_add(1);
            link.verifies <= max
        })
    }

    /// Whether one more message about tables may be answered in this second.
    pub(super) fn may_compare(&mut self, peer: NodeId, now: Time, max: u32) -> bool {
        self.window_of(peer, now).is_some_and(|link| {
            link.comparisons = link.comparisons.saturating_add(1);
            link.comparisons <= max
        })
    }

    /// Whether a peer may be told what is held against it: not again within `pause`.
    pub(super) fn may_tell(&mut self, peer: NodeId, now: Time, pause: Duration) -> bool {
        let Some(link) = self.linked.get_mut(&peer) else {
            return false;
        };
        // Every message of an accused peer leads here, and each could cost an answer of several
        // hundred bytes.
        if link.told_at.is_some_and(|told_at| told_at + pause > now) {
            return false;
        }
        link.told_at = Some(now);
        true
    }

    /// A link with its counters for the present second.
    fn window_of(&mut self, peer: NodeId, now: Time) -> Option<&mut Peer> {
        let link = self.linked.get_mut(&peer)?;
        // Fixed windows let through up to twice the maximum around their border. That is close
        // enough for a bound on work, and takes two numbers instead of a list.
        if now.since(link.window_at) >= Duration::from_secs(1) {
            link.window_at = now;
            link.verifies = 0;
            link.comparisons = 0;
        }
        Some(link)
    }
}

//! K pseudo-random rings over the relays: who is linked to whom, and who observes whom.
//!
//! Each ring orders the relays by a hash of (ring, relay). A relay's neighbours are its successor and
//! its predecessor on every ring: at most 2K relays, the same edge seen from both ends. The union of
//! the rings is an expander with high probability, so that no small set of failures cuts it and the
//! expected fraction of a failed set's observers that are healthy is high.
//!
//! Up to 2K + 1 relays the mesh is full: the rings would leave edges out without saving any.
//!
//! Source: Suresh et al., "Stable and Consistent Membership at Scale with Rapid", USENIX ATC 2018,
//! section 4.1 (K-ring expander overlay).

use crate::kernel::{
    crypto::Hash,
    id::NodeId,
    planted::{self, Planted},
    table::Table,
};
use alloc::{collections::BTreeSet, vec::Vec};

/// The relays on K rings. Insertion, removal and the question for neighbours cost O(K log n).
///
/// Bounded by the number of relays that its owner inserts.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Rings {
    members: Table<NodeId, ()>,
    orders: Vec<Table<(u64, NodeId), ()>>,
}

impl Rings {
    /// `count` empty rings (at least one).
    #[must_use]
    pub fn new(count: u8) -> Self {
        let orders = (0..count.max(1)).map(|_| Table::new()).collect();
        Self {
            members: Table::new(),
            orders,
        }
    }

    /// Puts a relay on every ring; answers whether it was not there yet.
    pub fn insert(&mut self, id: NodeId) -> bool {
        if self.members.contains_key(&id) {
            return false;
        }
        // Zero but for a defect that tests plant: a place depends on the identity alone, never on
        // history.
        let arrival = if planted::is(Planted::RingByArrival) {
            u64::try_from(self.members.len()).unwrap_or(0)
        } else {
            0
        };
        self.members.insert(id, ());
        for (ring, order) in (0_u8..).zip(&mut self.orders) {
            order.insert((place(ring, id) ^ arrival, id), ());
        }
        true
    }

    /// Takes a relay off every ring; answers whether it was there.
    pub fn remove(&mut self, id: NodeId) -> bool {
        if self.members.remove(&id).is_none() {
            return false;
        }
        for (ring, order) in (0_u8..).zip(&mut self.orders) {
            order.remove(&(place(ring, id), id));
        }
        true
    }

    /// Whether a relay is on the rings.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.members.contains_key(&id)
    }

    /// How many relays are on the rings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether no relay is on the rings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The relays on the rings, in the order of their identities.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.keys().copied()
    }

    /// The most neighbours a relay has: two on every ring.
    #[must_use]
    pub fn neighbours_max(&self) -> usize {
        self.orders.len().saturating_mul(2)
    }

    /// Successor and predecessor of `id` on every ring, without `id` itself; everybody where that is
    /// no more than [`Rings::neighbours_max`]. `id` need not be on the rings: then these are the
    /// neighbours that it would have.
    #[must_use]
    pub fn neighbours(&self, id: NodeId) -> BTreeSet<NodeId> {
        // A full mesh up to 2K + 1 relays, as the module's page says.
        let others = self.len().saturating_sub(usize::from(self.contains(id)));
        if others <= self.neighbours_max() {
            return self.iter().filter(|other| *other != id).collect();
        }
        let mut neighbours = BTreeSet::new();
        for (ring, order) in (0_u8..).zip(&self.orders) {
            // The identity breaks ties between equal hashes, so that every node puts the ring in
            // the same order.
            let at = (place(ring, id), id);
            let successor = order.after(&at).next().map(|(key, ())| key.1);
            let predecessor = order.before(&at).map(|(key, ())| key.1);
            // The order is a ring: after the last comes the first. `id` itself may stand at the
            // end.
            let first = || order.keys().map(|key| key.1).find(|other| *other != id);
            let last = || order.keys().map(|key| key.1).rfind(|other| *other != id);
            neighbours.extend(successor.or_else(first));
            neighbours.extend(predecessor.or_else(last));
        }
        neighbours
    }

    /// Every pair of neighbours once, the smaller identity first, in order.
    #[must_use]
    pub fn edges(&self) -> Vec<(NodeId, NodeId)> {
        let mut edges = Vec::new();
        for one in self.iter() {
            let others = self.neighbours(one);
            // Being neighbours is mutual, so each pair is seen from both ends and kept once.
            edges.extend(others.range(one..).map(|other| (one, *other)));
        }
        edges
    }
}

impl Rings {
    /// Whether every ring has every relay once: must hold at any time.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let len = self.members.len();
        self.orders.iter().all(|order| order.len() == len)
    }
}

/// Where a relay stands on a ring.
fn place(ring: u8, id: NodeId) -> u64 {
    Hash::of("sporenet 2026 ring", &[&[ring], id.as_bytes()]).prefix()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn id(number: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes)
    }

    fn rings(count: u16) -> Rings {
        let mut rings = Rings::new(4);
        for number in 0..count {
            rings.insert(id(number));
        }
        rings
    }

    #[test]
    fn up_to_nine_relays_are_a_full_mesh() {
        let small = rings(9);
        assert!(small.iter().all(|one| small.neighbours(one).len() == 8));
        assert_eq!(small.edges().len(), 36);
    }

    #[test]
    fn nobody_has_more_than_two_neighbours_on_each_ring() {
        let large = rings(200);
        for one in large.iter() {
            let degree = large.neighbours(one).len();
            assert!((2..=8).contains(&degree), "{degree}");
        }
    }

    /// Rapid, section 4.1: the union of the rings stays connected when a fraction of the relays is
    /// gone. A defect that this guards against: rings that are correlated (the same order twice).
    #[test]
    fn the_rings_stay_connected_without_a_quarter_of_the_relays() {
        let all = rings(200);
        let gone = |one: NodeId| one.as_bytes()[1].is_multiple_of(4);
        let healthy: BTreeSet<_> = all.iter().filter(|one| !gone(*one)).collect();
        let mut seen: BTreeSet<NodeId> = healthy.iter().take(1).copied().collect();
        let mut frontier: Vec<NodeId> = seen.iter().copied().collect();
        while let Some(one) = frontier.pop() {
            for other in all.neighbours(one) {
                if !gone(other) && seen.insert(other) {
                    frontier.push(other);
                }
            }
        }
        assert_eq!(seen, healthy);
    }

    proptest! {
        #[test]
        fn being_neighbours_is_mutual(members in proptest::collection::btree_set(0_u16..500, 2..60)) {
            let mut rings = Rings::new(4);
            for number in &members {
                rings.insert(id(*number));
            }
            for one in rings.iter() {
                for other in rings.neighbours(one) {
                    prop_assert!(rings.neighbours(other).contains(&one));
                    prop_assert!(other != one);
                }
            }
        }

        #[test]
        fn the_rings_depend_on_the_set_and_not_on_its_history(
            members in proptest::collection::vec(0_u16..300, 1..80),
            gone in proptest::collection::vec(0_u16..300, 0..40),
        ) {
            let mut one = Rings::new(4);
            for number in &members {
                one.insert(id(*number));
            }
            for number in &gone {
                one.remove(id(*number));
            }
            let mut two = Rings::new(4);
            for number in members.iter().rev().filter(|number| !gone.contains(number)) {
                two.insert(id(*number));
            }
            prop_assert_eq!(one.edges(), two.edges());
        }
    }
}

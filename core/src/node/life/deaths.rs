//! When members died, by the wall clock, so that a restart of this node makes no death younger.
//!
//! A restarted node finds each dead member dead anew. What it says of it must not begin anew: a death
//! of last week would degrade the mesh for another day after each restart.

use crate::{
    kernel::{
        id::{Incarnation, NodeId},
        time::{Duration, WallTime},
    },
    membership::member::MemberState,
    node::machine::Node,
};
use alloc::collections::BTreeMap;

/// The key under which the deaths are stored.
pub(in crate::node) const DEATHS_KEY: &str = "node/deaths";

/// The most deaths that are remembered; of more, the time since this node's start counts. About 50
/// bytes each in the store.
const DEATHS_MAX: usize = 1_024;

/// Who died at which incarnation, and when.
pub(in crate::node) type Deaths = BTreeMap<NodeId, (Incarnation, WallTime)>;

impl Node {
    /// A member's state changed.
    pub(in crate::node) fn note_life(&mut self, member: NodeId, to: MemberState) {
        let Some(incarnation) = self.swim.record(&member).map(|record| record.incarnation) else {
            return;
        };
        let is_known = self
            .deaths
            .get(&member)
            .is_some_and(|(died, _)| *died == incarnation);
        let changed = match to {
            MemberState::Dead if is_known => false,
            MemberState::Dead => {
                let has_room = self.deaths.len() < DEATHS_MAX || self.deaths.contains_key(&member);
                let wall = self.wall_now();
                has_room
                    && self.deaths.insert(member, (incarnation, wall)) != Some((incarnation, wall))
            }
            // At one incarnation it may be taken for alive after a restart, until it is tried.
            MemberState::Alive | MemberState::Suspect if is_known => false,
            MemberState::Alive | MemberState::Suspect | MemberState::Left | MemberState::Parked => {
                self.deaths.remove(&member).is_some()
            }
        };
        if changed {
            let deaths = self.deaths.clone();
            self.put(DEATHS_KEY, &deaths);
        }
    }

    /// How long a dead member has been dead: at least `seen`, and over restarts as far as it is
    /// remembered.
    pub(in crate::node) fn dead_for(&self, member: NodeId, seen: Duration) -> Duration {
        let Some((incarnation, died_at)) = self.deaths.get(&member) else {
            return seen;
        };
        let record = self.swim.record(&member);
        if record.is_none_or(|record| record.incarnation != *incarnation) {
            return seen;
        }
        let now = self.wall_now().as_millis();
        // A wall clock that went back makes it younger, but never than what was seen.
        Duration::from_millis(now.saturating_sub(died_at.as_millis())).max(seen)
    }
}

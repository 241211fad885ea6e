//! When a snapshot carries its long lists.
//!
//! A thousand members with five thousand paths are 2 MB, and the page takes tens of milliseconds to take them
//! in. A small mesh sends them with every snapshot. A large one sends them as soon as they say something new,
//! and otherwise every two seconds: until then only ages and round trips have moved.

use core::{
    hash::{Hash, Hasher},
    time::Duration,
};
use sporenet_core::{
    kernel::time::Time,
    node::snapshot::{Edge, Member},
};
use std::hash::DefaultHasher;

/// Up to so many members, every snapshot carries everything.
const SMALL_MAX: usize = 200;
/// Between two times that a large mesh sends long lists without news, for the ages in them.
const LONG_INTERVAL: Duration = Duration::from_secs(2);

/// What was sent last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sparing {
    digest: u64,
    sent_at: Option<Time>,
}

impl Sparing {
    /// Nothing was sent yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            digest: 0,
            sent_at: None,
        }
    }

    /// Whether the long lists are to be sent now; takes for granted that they are, then.
    pub fn is_due(&mut self, now: Time, members: &[Member], edges: &[Edge]) -> bool {
        if members.len() <= SMALL_MAX {
            *self = Self::new();
            return true;
        }
        let digest = digest(members, edges);
        let is_old = self.sent_at.is_none_or(|at| now.since(at) >= LONG_INTERVAL);
        let is_due = is_old || digest != self.digest;
        if is_due {
            *self = Self {
                digest,
                sent_at: Some(now),
            };
        }
        is_due
    }
}

/// A number of all that is no age and no round trip.
fn digest(members: &[Member], edges: &[Edge]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for member in members {
        member.id.hash(&mut hasher);
        member.state.hash(&mut hasher);
        (member.incarnation, member.linked, &member.reason).hash(&mut hasher);
        member.place.map(|place| place.estimated).hash(&mut hasher);
    }
    for edge in edges {
        (&edge.a, &edge.b, edge.own).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sporenet_core::{
        kernel::{id::Role, text::Text},
        membership::member::MemberState,
    };

    fn members(count: usize) -> Vec<Member> {
        let member = |number: usize| Member {
            id: format!("{number:064x}"),
            name: Text::new("node").unwrap(),
            role: Role::Tab,
            state: MemberState::Alive,
            incarnation: 1,
            zone: None,
            place: None,
            addresses: Vec::new(),
            rtt_ms: None,
            last_heard_ms: Some(1),
            reason: None,
            since_ms: 1,
            homes: Vec::new(),
            this_node: false,
            linked: false,
        };
        (0..count).map(member).collect()
    }

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_small_mesh_is_sent_every_time() {
        let (mut sparing, members) = (Sparing::new(), members(SMALL_MAX));
        assert!((0..5).all(|step| sparing.is_due(at(step * 250), &members, &[])));
    }

    #[test]
    fn a_large_mesh_is_sent_every_two_seconds_while_only_ages_change() {
        let (mut sparing, mut members) = (Sparing::new(), members(SMALL_MAX + 1));
        let due = (0..=16).filter(|step| {
            members[7].since_ms += 250;
            members[8].rtt_ms = Some(0.5);
            sparing.is_due(at(step * 250), &members, &[])
        });
        assert_eq!(due.collect::<Vec<_>>(), [0, 8, 16]);
    }

    #[test]
    fn news_of_a_large_mesh_are_sent_at_once() {
        let (mut sparing, mut members) = (Sparing::new(), members(SMALL_MAX + 1));
        assert!(sparing.is_due(at(0), &members, &[]));
        members[9].state = MemberState::Dead;
        assert!(sparing.is_due(at(250), &members, &[]));
        assert!(!sparing.is_due(at(500), &members, &[]));
        let edge = Edge {
            a: "a".into(),
            b: "b".into(),
            own: true,
        };
        assert!(sparing.is_due(at(750), &members, &[edge]));
        members.pop();
        members.pop();
        assert!(sparing.is_due(at(1_000), &members, &[]));
    }
}

//! What must hold in a node, and between its machines, at any time; simulators and tests ask.

use crate::{
    kernel::{
        bounded::{Gauge, first_broken},
        id::{Incarnation, InstanceId, NodeId, Role},
        time::Time,
    },
    membership::{member::MemberState, roster::Roster},
    node::{life::Phase, machine::Node, read::timeline::ENTRIES_MAX},
    overlay::links::Links,
    replication::replica::Replica,
};
use alloc::{format, string::String};

impl Node {
    /// What this node believes of a member; `None` if it does not know it.
    #[must_use]
    pub fn state_of(&self, member: NodeId) -> Option<MemberState> {
        self.swim.state(&member)
    }

    /// The incarnation at which it knows a member.
    #[must_use]
    pub fn incarnation_of(&self, member: NodeId) -> Option<Incarnation> {
        self.swim.record(&member).map(|record| record.incarnation)
    }

    /// Knows all members of a table from now on, and itself.
    pub(crate) fn acquaint(&mut self, now: Time, members: &Roster) {
        self.now = self.now.max(now);
        self.swim.acquaint(self.now, members);
        self.pump();
    }

    /// Checks what must hold in and between the machines, whatever happened.
    ///
    /// # Errors
    /// What does not hold, in words: a bug of the node.
    pub fn check(&self) -> Result<(), String> {
        for machine in self.components() {
            let name = machine.name();
            machine.check().map_err(|what| format!("{name}: {what}"))?;
            // A machine with output is due at once; the pump leaves none.
            if machine.due_at() == Some(Time::ZERO) {
                return Err(format!("{name}: what it says is not taken"));
            }
        }
        self.check_phase().map_err(String::from)?;
        self.check_links().map_err(String::from)?;
        self.check_store().map_err(String::from)
    }

    /// Where it is in its life decides what it may do.
    fn check_phase(&self) -> Result<(), &'static str> {
        let may_write = match &self.phase {
            // What a broken store can't keep must not be acknowledged.
            Phase::Running => !self.journal.is_broken(),
            Phase::Joining | Phase::Fenced(_) | Phase::Leaving { .. } | Phase::Departed => false,
        };
        let flushed = self.journal.is_idle() || self.journal.is_broken();
        let is_joining = self.phase == Phase::Joining;
        let linked = self.links.peers().next().is_some();
        let state = self.swim.state(&self.id());
        first_broken(&[
            (!linked || !self.is_fenced(), "it is fenced and holds links"),
            (!linked || !is_joining, "it was not let in and holds links"),
            (
                may_write || self.replica.is_blocked(),
                "it must not write and takes writes",
            ),
            (
                !may_write || !self.replica.is_blocked(),
                "it refuses writes although nothing is wrong",
            ),
            (
                self.phase != Phase::Departed || flushed,
                "it departed while something waited to become durable",
            ),
            (
                self.phase != Phase::Running || state != Some(MemberState::Dead),
                "it believes itself dead",
            ),
            (
                self.swim.own_record().id == self.id(),
                "it speaks for somebody else",
            ),
        ])
    }

    /// All machines agree on which peers are linked, and no peer is linked that must not be.
    fn check_links(&self) -> Result<(), &'static str> {
        let is_linked = |peer: NodeId| self.links.is_linked(peer);
        let runs = self.phase == Phase::Running;
        let relays_known = |linked: &Links, replica: &Replica| {
            let relays = linked.peers().filter(|peer| peer.role == Role::Relay);
            relays
                .map(|peer| peer.id)
                .all(|id| replica.peers().any(|known| known == id))
        };
        let gone = |peer: NodeId| {
            matches!(
                self.swim.state(&peer),
                Some(MemberState::Dead | MemberState::Left)
            )
        };
        let dials_gone = !self.is_tab() && self.links.targets().any(gone);
        first_broken(&[
            (
                self.swim.linked().all(is_linked),
                "membership counts on a link that does not exist",
            ),
            (
                !runs || self.links.peers().count() == self.swim.linked().count(),
                "a link is not known to membership",
            ),
            (
                self.replica.peers().all(is_linked),
                "replication counts on a link that does not exist",
            ),
            (
                !runs || relays_known(&self.links, &self.replica),
                "a link to a relay is not known to replication",
            ),
            (
                !dials_gone,
                "a relay that is dead or left is dialled as if it took part",
            ),
        ])
    }

    /// What the replica holds, the journal has.
    fn check_store(&self) -> Result<(), &'static str> {
        let last = self.replica.journal_last();
        first_broken(&[(
            last < self.journal.next_sequence(),
            "the log points beyond the end of the journal",
        )])
    }

    /// Tells how full every collection is.
    pub fn gauge(&self, tell: Gauge<'_>) {
        for machine in self.components() {
            machine.gauges(tell);
        }
        tell("timeline", self.timeline.len(), ENTRIES_MAX);
    }

    /// Its replica, to compare what several nodes hold.
    #[must_use]
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Its links, to compare what both ends hold.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// Its incarnation, and the run of the process that has it; `None` while nobody may hear of it.
    #[must_use]
    pub fn life(&self) -> Option<(u64, InstanceId)> {
        let is_used = self.swim.may_announce();
        is_used.then(|| (self.swim.incarnation().0, self.instance))
    }

    /// The place of the next record of its journal.
    #[must_use]
    pub const fn journal_next(&self) -> u64 {
        self.journal.next_sequence()
    }

    /// How new what this node knows of each member is.
    pub fn incarnations(&self) -> impl Iterator<Item = (NodeId, Incarnation)> {
        self.swim.incarnations()
    }

    /// A member's place in this node's table: two nodes with the same answer agree on everyone.
    #[must_use]
    pub fn table_digest(&self) -> [u8; 32] {
        *self.swim.table_digest().as_bytes()
    }

    /// Who should be linked to whom among the relays that take part.
    #[must_use]
    pub fn ring_edges(&self) -> alloc::vec::Vec<(NodeId, NodeId)> {
        self.swim.ring_edges()
    }
}

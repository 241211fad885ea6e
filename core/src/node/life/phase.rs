//! The phases of a node's life.

use crate::{
    kernel::{
        planted::{self, Planted},
        time::Time,
    },
    membership::swim,
    node::{
        contract::{FenceCause, Notice},
        machine::Node,
    },
    overlay::links,
    replication::{replica, write::WriteBlock},
    wire::close::CloseReason,
};

/// Where a node is in its life.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::node) enum Phase {
    /// It was not let in yet: no peers, no writes.
    Joining,
    /// It is a member.
    Running,
    /// Another process has this identity: no links and no writes for the rest of this run.
    Fenced(FenceCause),
    /// On its way out. `flushed` once membership has said goodbye: from then on only the journal
    /// is waited for.
    Leaving { flushed: bool },
    /// Everything is durable, or the store is broken: the host may exit.
    Departed,
}

impl Node {
    /// Whether it belongs to the network, rather than waiting to be let in.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        !matches!(self.phase, Phase::Joining)
    }

    /// Whether it belongs to the network and knows the members as far as it can: a newcomer that was
    /// just let in asks first, for at most 2 s.
    #[must_use]
    pub fn is_acquainted(&self, now: Time) -> bool {
        let asked = |by| self.swim.has_compared() || now >= by;
        self.is_admitted() && self.acquainted_by.is_none_or(asked)
    }

    /// Whether another process took this identity over. A fenced node judges nobody: it has no links
    /// to judge by.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        matches!(self.phase, Phase::Fenced(_))
    }

    pub(in crate::node) fn leave(&mut self) {
        if matches!(self.phase, Phase::Leaving { .. } | Phase::Departed) {
            return;
        }
        // Writes end first: each would put off the moment at which the journal is idle.
        self.tell_replica(replica::Command::Block(WriteBlock::Leaving));
        let was_member = self.phase == Phase::Running;
        self.phase = Phase::Leaving { flushed: false };
        // Membership answers with `Departed`, which calls `finish_leaving`. A newcomer or a fenced
        // node has nobody to say goodbye to.
        if was_member {
            self.tell_swim(swim::Command::Leave);
        } else {
            self.finish_leaving();
        }
    }

    /// Membership has said goodbye: close the links, then wait for the journal.
    pub(in crate::node) fn finish_leaving(&mut self) {
        self.phase = Phase::Leaving { flushed: true };
        self.tell_links(links::Command::Stop(CloseReason::Leaving));
    }

    /// The last step of leaving, once nothing waits for the store.
    pub(in crate::node) fn depart_when_durable(&mut self) {
        if self.phase == (Phase::Leaving { flushed: true })
            && (self.journal.is_idle()
                // A broken store confirms nothing more: waiting for it would never end.
                || self.journal.is_broken()
                || planted::is(Planted::StopsUnflushed))
        {
            self.phase = Phase::Departed;
            self.note(Notice::Departed);
        }
    }

    /// Another process carries this identity: no more links and writes from here.
    pub(in crate::node) fn fence(&mut self, cause: FenceCause) {
        // A node that leaves takes no writes and closes its links already: it goes on leaving.
        if matches!(
            self.phase,
            Phase::Fenced(_) | Phase::Leaving { .. } | Phase::Departed
        ) {
            return;
        }
        self.phase = Phase::Fenced(cause.clone());
        self.tell_replica(replica::Command::Block(WriteBlock::Fenced));
        self.tell_links(links::Command::Stop(CloseReason::Superseded));
        self.note(Notice::Fenced(cause));
    }
}

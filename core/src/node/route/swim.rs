//! Where the outputs of [`Swim`](crate::membership::swim::Swim) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer |
//! | changed | the timeline; vitals: who belongs |
//! | neighbours, try | links: whom to be linked to |
//! | persist | the journal |
//! | roster changed | admission: what newcomers are told; the journal: what the stored members replace |
//! | stalled, offence, conflict | the timeline; our own conflict: the node is fenced |
//! | departed | links: stop |

use crate::{
    kernel::{
        id::NodeId,
        machine::Output,
        persist::Persisted,
        planted::{self, Planted},
    },
    membership::{member::MemberState, swim},
    node::{
        contract::{FenceCause, Notice, Offence},
        machine::Node,
        message::Message,
        start,
    },
    observe::vitals,
    overlay::links,
    recovery::record::Origin,
};

impl Node {
    pub(in crate::node) fn route_swim(&mut self, output: Output<swim::Message, swim::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.send(to, Message::Swim(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            swim::Event::Changed {
                member,
                from,
                to,
                why,
            } => {
                let belongs = to != MemberState::Left;
                self.tell_vitals(vitals::Command::Member { member, belongs });
                self.note(Notice::MemberChanged {
                    member,
                    from,
                    to,
                    why,
                });
            }
            swim::Event::Neighbours(neighbours) => {
                self.tell_links(links::Command::Targets(neighbours));
            }
            swim::Event::Try { member, addresses } => {
                self.tell_links(links::Command::Try {
                    peer: member,
                    addresses,
                });
            }
            swim::Event::Persist(persist)
                if persist.token != 0 && planted::is(Planted::IncarnationNotStored) =>
            {
                let token = persist.token;
                // The planted bug: membership is told that its bound is stored, and nothing stores
                // it.
                let sequence = None;
                self.tell_swim(swim::Command::Persisted(Persisted { token, sequence }));
            }
            swim::Event::Persist(persist) => self.persist(Origin::Swim, persist),
            swim::Event::RosterChanged => {
                if self.is_admitted() && self.swim.has_compared() {
                    // From here on the stored members say whom to dial at the next start. Before
                    // tables were compared they may name fewer relays than the spore does.
                    for key in [start::KEY_JOIN, start::KEY_SPORE] {
                        self.remove(key);
                    }
                }
                self.tell_spore();
            }
            swim::Event::Stalled { by } => {
                self.note(Notice::Stalled { by });
            }
            swim::Event::Offence { peer, offence } => {
                self.note_offence(peer, Offence::Swim(offence));
            }
            swim::Event::Conflict { member } => self.on_member_conflict(member),
            swim::Event::Departed => self.finish_leaving(),
        }
    }

    fn on_member_conflict(&mut self, member: NodeId) {
        if member == self.id() {
            self.fence(FenceCause::SecondProcess);
            return;
        }
        self.note(Notice::IdentityConflict {
            identity: member,
            reason: None,
            told_by: None,
        });
    }

    /// Counts an offence and tells it.
    pub(in crate::node) fn note_offence(&mut self, peer: NodeId, offence: Offence) {
        self.counters.offences = self.counters.offences.saturating_add(1);
        self.note(Notice::Offence { peer, offence });
    }
}

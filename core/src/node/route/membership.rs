//! Where the outputs of [`Swim`](crate::membership::swim::Swim) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the host |
//! | changed | the timeline |
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
    membership::{member::MemberState, swim, why::Why},
    node::{machine::Node, message::Message, snapshot::Severity, start, timeline::in_words},
    overlay::links,
    recovery::{journal, record::Origin},
};
use alloc::format;

impl Node {
    pub(in crate::node) fn route_swim(&mut self, output: Output<swim::Message, swim::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.outbox.send(to, Message::Swim(message));
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
                self.on_member_changed(member, from, to, &why);
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
            swim::Event::Persist(request)
                if request.token != 0 && planted::is(Planted::IncarnationNotStored) =>
            {
                let token = request.token;
                let done = Persisted {
                    token,
                    sequence: None,
                };
                self.tell_swim(swim::Command::Persisted(done));
            }
            swim::Event::Persist(request) => self.persist(Origin::Swim, request),
            swim::Event::RosterChanged => {
                if self.is_admitted() && self.swim.has_compared() {
                    // Only now does the store know whom to dial without them: before tables were
                    // compared it may know fewer relays than the spore does.
                    for key in [start::KEY_JOIN, start::KEY_SPORE] {
                        self.tell_journal(journal::Command::Delete {
                            origin: Origin::Node,
                            token: 0,
                            key: key.into(),
                        });
                    }
                }
                self.tell_spore();
            }
            swim::Event::Stalled { by } => {
                let text = format!(
                    "This node did not run for {}; nobody is blamed.",
                    in_words(by)
                );
                self.note(Severity::Warn, "stalled", None, text);
            }
            swim::Event::Offence { peer, offence } => {
                self.on_offence(peer, &format!("{offence:?}"));
            }
            swim::Event::Conflict { member } => self.on_member_conflict(member),
            swim::Event::Departed => self.finish_leaving(),
        }
    }

    fn on_member_changed(
        &mut self,
        member: NodeId,
        from: Option<MemberState>,
        to: MemberState,
        why: &Why,
    ) {
        let (severity, code, verb) = match to {
            MemberState::Alive if from.is_none() => (Severity::Info, "member_joined", "is there"),
            MemberState::Alive => (Severity::Info, "member_alive", "is alive"),
            MemberState::Suspect => (Severity::Warn, "member_suspect", "is suspect"),
            MemberState::Dead => (Severity::Error, "member_dead", "is dead"),
            MemberState::Left => (Severity::Info, "member_left", "has left"),
            MemberState::Parked => (Severity::Info, "member_parked", "is parked"),
        };
        let text = format!(
            "{} {verb}: {}.",
            self.display_name(member),
            self.say_why(why)
        );
        self.note(severity, code, Some(member), text);
    }

    fn on_member_conflict(&mut self, member: NodeId) {
        if member == self.id() {
            self.fence("Fenced: another process runs with this identity; a data directory must not be copied.".into());
            return;
        }
        let text = format!(
            "Two processes show the identity of {}.",
            self.display_name(member)
        );
        self.note(Severity::Warn, "identity_conflict", Some(member), text);
    }

    pub(in crate::node) fn on_offence(&mut self, peer: NodeId, what: &str) {
        self.counters.offences = self.counters.offences.saturating_add(1);
        let text = format!("{} broke the rules: {what}.", self.display_name(peer));
        self.note(Severity::Warn, "offence", Some(peer), text);
    }
}

//! Where the outputs of [`Links`](crate::overlay::links::Links) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer |
//! | dial | the host, with the credential of admission |
//! | close | the host; admission: the link is gone |
//! | peer up, peer down | membership, replication, dialling back, vitals |
//! | dial refused | membership: evidence of a crash |
//! | elsewhere | membership: a dead member is not sought there any more |
//! | dial failed | the timeline |
//! | persist | the journal |
//! | identity conflict | the timeline; ours, and seen: the node is fenced |
//! | prove | a member's record, over the link of who claims to be it |

use crate::{
    kernel::{
        id::{LinkId, NodeId},
        machine::Output,
    },
    membership::{admission, dissemination::Rumour, swim},
    node::{
        contract::{Dial, FenceCause, LinkOutput, Notice},
        machine::Node,
        message::Message,
    },
    observe::vitals,
    overlay::{links, reach},
    recovery::record::Origin,
    replication::replica,
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::vec;

impl Node {
    pub(in crate::node) fn route_links(&mut self, output: Output<links::Message, links::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.send(to, Message::Links(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            links::Event::Dial {
                dial,
                address,
                expect,
            } => {
                // Without a key there is nothing to prove: the dial fails before a connection is
                // made.
                if let Some((hint, key)) = self.admission.credential() {
                    let dial = Dial {
                        dial,
                        address,
                        expect,
                        hint,
                        key,
                    };
                    self.outbox.event(LinkOutput::Dial(dial).into());
                } else {
                    let reason = CloseReason::WrongKey;
                    // Told as an answer to the dial: the dialler counts and waits as after any
                    // failure.
                    self.tell_links(links::Command::DialFailed { dial, reason });
                }
            }
            links::Event::Close { link, reason } => {
                if reason.is_security() {
                    self.note_refusal(&reason, Notice::LinkRefused);
                }
                // Told here: not every host reports the end of a link that it was told to close.
                self.tell_admission(admission::Command::LinkDown { link });
                self.close(link, reason);
            }
            links::Event::PeerUp(peer) => self.on_peer_up(peer),
            links::Event::PeerDown {
                peer,
                reason,
                abrupt,
            } => self.on_peer_down(peer, reason, abrupt),
            links::Event::DialRefused { peer } => {
                self.tell_swim(swim::Command::DialRefused { peer });
            }
            links::Event::Elsewhere { peer, address } => {
                self.tell_swim(swim::Command::Elsewhere { peer, address });
            }
            links::Event::DialFailed {
                address,
                expect,
                reason,
            } => self.note(Notice::DialFailed {
                address,
                expect,
                reason,
            }),
            links::Event::Persist(persist) => self.persist(Origin::Links, persist),
            links::Event::IdentityConflict {
                identity,
                reason,
                told_by,
            } => self.on_identity_conflict(identity, reason, told_by),
            links::Event::Prove { peer, link } => self.prove(peer, link),
        }
    }

    fn on_peer_up(&mut self, peer: PeerIdentity) {
        let PeerIdentity { id, role, .. } = peer;
        self.tell_swim(swim::Command::PeerUp { peer: id, role });
        self.tell_replica(replica::Command::PeerUp { peer: id, role });
        self.tell_reach(reach::Command::PeerUp { peer: id, role });
        self.tell_vitals(vitals::Command::PeerUp { peer: id });
        self.note(Notice::LinkUp(id));
    }

    fn on_peer_down(&mut self, peer: PeerIdentity, reason: CloseReason, abrupt: bool) {
        let peer = peer.id;
        self.tell_swim(swim::Command::PeerDown { peer, abrupt });
        self.tell_replica(replica::Command::PeerDown { peer });
        self.tell_reach(reach::Command::PeerDown { peer });
        self.tell_vitals(vitals::Command::PeerDown { peer });
        self.note(Notice::LinkDown { peer, reason });
    }

    /// Fences this node if a link of its own met a process with its identity that is at least as
    /// new: the older of two gives way. What a peer says of such a process fences nobody: with its
    /// word comes the record that the other process signed, and membership judges that.
    fn on_identity_conflict(
        &mut self,
        identity: NodeId,
        reason: CloseReason,
        told_by: Option<NodeId>,
    ) {
        let is_own = told_by.is_none() && identity == self.id();
        if is_own {
            if self.is_older_than(&reason) {
                self.fence(FenceCause::Superseded(reason));
            }
            return;
        }
        self.note(Notice::IdentityConflict {
            identity,
            reason: Some(reason),
            told_by,
        });
    }

    /// Whether the process that a link met under our identity is at least as new as this one.
    fn is_older_than(&self, reason: &CloseReason) -> bool {
        if let CloseReason::IdentityInUse { incarnation } = reason {
            // At equal incarnations this one gives way too: two processes must not both write.
            *incarnation >= self.swim.incarnation()
        } else {
            true
        }
    }

    /// Sends what a peer said of itself over a link that does not lead to it.
    fn prove(&mut self, peer: NodeId, link: LinkId) {
        let Some(record) = self.swim.record(&peer) else {
            return;
        };
        let rumours = vec![Rumour::Record(record.to_signed())];
        let message = Message::Swim(swim::Message::Gossip { rumours });
        self.send_over(link, peer, message);
    }
}

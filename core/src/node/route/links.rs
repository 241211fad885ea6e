//! Where the outputs of [`Links`](crate::overlay::links::Links) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the host |
//! | dial | the host, with the credential of admission |
//! | close | the host; admission: the link is gone |
//! | route, unroute | the host |
//! | peer up, peer down | membership, replication |
//! | dial refused | membership: evidence of a crash |
//! | dial failed | the timeline |
//! | persist | the journal |
//! | identity conflict | the timeline; ours, and seen: the node is fenced |
//! | prove | the host: a member's record for who claims to be it |

use crate::{
    kernel::{
        id::{LinkId, NodeId},
        machine::Output,
    },
    membership::{admission, dissemination::Rumour, swim},
    node::{event::Event, machine::Node, message::Message, snapshot::Severity},
    overlay::links,
    recovery::record::Origin,
    replication::replica,
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::{format, vec};

impl Node {
    pub(in crate::node) fn route_links(&mut self, output: Output<links::Message, links::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.outbox.send(to, Message::Links(message));
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
                if let Some((hint, key)) = self.admission.credential() {
                    self.outbox.event(Event::Dial {
                        dial,
                        address,
                        expect,
                        hint,
                        key,
                    });
                } else {
                    let reason = CloseReason::WrongKey;
                    self.tell_links(links::Command::DialFailed { dial, reason });
                }
            }
            links::Event::Close { link, reason } => {
                if reason.is_security() {
                    self.on_refused(&reason, "a link");
                }
                self.tell_admission(admission::Command::LinkDown { link });
                self.close(link, reason);
            }
            links::Event::Route { peer, link } => self.outbox.event(Event::Route { peer, link }),
            links::Event::Unroute { peer } => self.outbox.event(Event::Unroute { peer }),
            links::Event::PeerUp(peer) => self.on_peer_up(peer),
            links::Event::PeerDown {
                peer,
                reason,
                abrupt,
            } => self.on_peer_down(peer, &reason, abrupt),
            links::Event::DialRefused { peer } => {
                self.tell_swim(swim::Command::DialRefused { peer });
            }
            links::Event::DialFailed {
                address,
                expect,
                reason,
            } => {
                let whom = expect.map_or_else(|| "a relay".into(), |peer| self.display_name(peer));
                let severity = if reason.is_security() {
                    Severity::Warn
                } else {
                    Severity::Info
                };
                let text = format!("Could not link to {whom} at {address}: {reason}.");
                self.note(severity, "dial_failed", expect, text);
            }
            links::Event::Persist(request) => self.persist(Origin::Links, request),
            links::Event::IdentityConflict {
                identity,
                reason,
                told_by,
            } => self.on_identity_conflict(identity, &reason, told_by),
            links::Event::Prove { peer, link, routed } => self.prove(peer, link, routed),
        }
    }

    fn on_peer_up(&mut self, peer: PeerIdentity) {
        let PeerIdentity { id, role, .. } = peer;
        self.tell_swim(swim::Command::PeerUp { peer: id, role });
        self.tell_replica(replica::Command::PeerUp { peer: id, role });
        let text = format!("Linked to {}.", self.display_name(id));
        self.note(Severity::Info, "link_up", Some(id), text);
    }

    fn on_peer_down(&mut self, peer: PeerIdentity, reason: &CloseReason, abrupt: bool) {
        let peer = peer.id;
        self.tell_swim(swim::Command::PeerDown { peer, abrupt });
        self.tell_replica(replica::Command::PeerDown { peer });
        let text = format!("The link to {} ended: {reason}.", self.display_name(peer));
        self.note(Severity::Info, "link_down", Some(peer), text);
    }

    /// Ours only if the other process is not older: the older one is told the same and gives way. What
    /// others say of it is no reason yet: with their word comes what the other process signed, and
    /// membership judges that.
    fn on_identity_conflict(
        &mut self,
        identity: NodeId,
        reason: &CloseReason,
        told_by: Option<NodeId>,
    ) {
        let theirs = if let CloseReason::IdentityInUse { incarnation } = reason {
            Some(*incarnation)
        } else {
            None
        };
        let text = if let Some(peer) = told_by {
            format!("{} says: {reason}.", self.display_name(peer))
        } else if identity != self.id() {
            let whose = self.display_name(identity);
            format!("Two processes show the identity of {whose}: {reason}.")
        } else if theirs.is_none_or(|theirs| theirs >= self.swim.incarnation()) {
            self.fence(format!("Fenced: {reason}."));
            return;
        } else {
            return;
        };
        self.note(Severity::Warn, "identity_conflict", Some(identity), text);
    }

    /// Sends what a peer said of itself over a link that does not lead to it.
    fn prove(&mut self, peer: NodeId, link: LinkId, routed: LinkId) {
        let Some(record) = self.swim.record(&peer) else {
            return;
        };
        let rumours = vec![Rumour::Record(record.to_signed())];
        let message = Message::Swim(swim::Message::Gossip { rumours });
        self.outbox.event(Event::Route { peer, link });
        self.outbox.send(peer, message);
        self.outbox.event(Event::Route { peer, link: routed });
    }
}

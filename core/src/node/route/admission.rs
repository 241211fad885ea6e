//! Where the outputs of [`Admission`](crate::membership::admission::Admission) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the host |
//! | key | the host: an inbound handshake goes on or ends |
//! | issued, refused | the host: the reply to an invite request |
//! | admit | links: the newcomer's link is up from now on |
//! | reject | the host: close; the timeline |
//! | persist | the journal |
//! | joined | links and membership: the real life begins |
//! | offence | the timeline |

use crate::{
    kernel::{
        id::{LinkId, NodeId},
        machine::Output,
        time::Duration,
    },
    membership::admission,
    node::{
        event::{Event, Refusal, Reply},
        machine::{Node, Phase},
        message::Message,
        snapshot::Severity,
        start,
    },
    overlay::links,
    recovery::record::Origin,
    replication::replica,
    wire::identity::PeerIdentity,
};
use alloc::format;

/// How long a newcomer waits for the first comparison of the member table: many round trips. Too short
/// and it takes the relay that let it in for the whole mesh; too long and an only relay that is lost
/// at this moment keeps it waiting.
const ACQUAINT_PATIENCE: Duration = Duration::from_secs(2);

impl Node {
    pub(in crate::node) fn route_admission(
        &mut self,
        output: Output<admission::Message, admission::Event>,
    ) {
        let event = match output {
            Output::Send { to, message } => {
                self.send_to_newcomer(to, message);
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            admission::Event::Key { link, key } => {
                if let Err(reason) = &key {
                    self.on_refused(reason, "an incoming link");
                }
                self.outbox.event(Event::Key { link, key });
            }
            admission::Event::Issued {
                request,
                invitation,
                key,
            } => {
                let reply = Reply::Invited { invitation, key };
                self.outbox.event(Event::Reply { request, reply });
            }
            admission::Event::InviteRefused { request, refusal } => {
                let reply = Reply::Refused(Refusal::Invite(refusal));
                self.outbox.event(Event::Reply { request, reply });
            }
            admission::Event::Admit { link, peer } => self.on_admit(link, peer),
            admission::Event::Reject { link, reason } => {
                let ended = links::Command::Down {
                    link,
                    reason: reason.clone(),
                };
                self.tell_links(ended);
                self.on_refused(&reason, "a newcomer");
                self.close(link, reason);
            }
            admission::Event::Persist(request) => self.persist(Origin::Admission, request),
            admission::Event::Joined { spore, .. } => self.on_joined(&spore),
            admission::Event::Offence { peer, offence } => {
                self.on_offence(peer, offence.code());
            }
        }
    }

    /// A welcome goes out before the newcomer's link is up for anything else.
    fn send_to_newcomer(&mut self, to: NodeId, message: admission::Message) {
        let arriving = self.links.arriving_link(to);
        if let Some(link) = arriving.filter(|_| !self.links.is_linked(to)) {
            self.outbox.event(Event::Route { peer: to, link });
        }
        self.outbox.send(to, Message::Admission(message));
    }

    /// The newcomer is a member: from now on its link is like any other.
    fn on_admit(&mut self, link: LinkId, peer: PeerIdentity) {
        if self.links.is_arriving(link) {
            let text = format!("Let the {} {} in.", peer.role, peer.id.short());
            self.note(Severity::Info, "admitted", Some(peer.id), text);
            self.tell_links(links::Command::Admitted { link });
        }
    }

    /// We are a member: what waited for it begins.
    fn on_joined(&mut self, spore: &crate::membership::spore::Spore) {
        if self.phase == Phase::Joining {
            self.phase = Phase::Running;
            self.acquainted_by = Some(self.now + ACQUAINT_PATIENCE);
            self.tell_replica(replica::Command::Unfreeze);
        }
        self.put(start::KEY_SPORE, spore);
        for address in spore.addresses() {
            self.tell_links(links::Command::Entry(address.clone()));
        }
        let text = "Let into the network.";
        self.note(Severity::Info, "joined", Some(self.id()), text.into());
        self.outbox.event(Event::Admitted);
        self.tell_links(links::Command::Joined);
    }
}

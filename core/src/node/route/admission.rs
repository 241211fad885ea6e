//! Where the outputs of [`Admission`](crate::membership::admission::Admission) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer, over the link that it arrived on |
//! | key | the host: an inbound handshake goes on or ends |
//! | issued, refused | the host: the reply to an invite request |
//! | admit | links: the newcomer's link is up from now on |
//! | reject | the host: close; the timeline |
//! | persist | the journal |
//! | joined | links and membership: the real life begins |
//! | offence | the timeline |

use crate::{
    kernel::{id::LinkId, machine::Output, time::Duration},
    membership::admission,
    node::{
        contract::{HostOutput, LinkOutput, Notice, Offence, Refusal, Reply},
        life::Phase,
        machine::Node,
        message::Message,
        start,
    },
    overlay::links,
    recovery::record::Origin,
    replication::{replica, write::WriteBlock},
    wire::identity::PeerIdentity,
};

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
                self.send(to, Message::Admission(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            admission::Event::Key { link, key } => {
                if let Err(reason) = &key {
                    self.note_refusal(reason, Notice::HandshakeRefused);
                }
                self.outbox.event(LinkOutput::Key { link, key }.into());
            }
            admission::Event::Issued {
                request: id,
                invitation,
                key,
            } => {
                let reply = Reply::Invited { invitation, key };
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
            admission::Event::InviteRefused {
                request: id,
                refusal,
            } => {
                let reply = Reply::Refused(Refusal::Invite(refusal));
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
            admission::Event::Admit { link, peer } => self.on_admit(link, peer),
            admission::Event::Reject { link, reason } => {
                let ended = links::Command::Down {
                    link,
                    reason: reason.clone(),
                };
                // Told here: not every host reports the end of a link that it was told to close.
                self.tell_links(ended);
                self.note_refusal(&reason, Notice::NewcomerRefused);
                self.close(link, reason);
            }
            admission::Event::Persist(persist) => self.persist(Origin::Admission, persist),
            admission::Event::Joined { spore, .. } => self.on_joined(&spore),
            admission::Event::Offence { peer, offence } => {
                self.note_offence(peer, Offence::Admission(offence));
            }
        }
    }

    /// The newcomer is a member: from now on its link is like any other.
    fn on_admit(&mut self, link: LinkId, peer: PeerIdentity) {
        // The link may have ended before admission decided.
        if self.links.is_arriving(link) {
            self.note(Notice::Admitted {
                peer: peer.id,
                role: peer.role,
            });
            self.tell_links(links::Command::Admitted { link });
        }
    }

    /// We are a member: what waited for it begins.
    fn on_joined(&mut self, spore: &crate::membership::spore::Spore) {
        // A welcome can come while the node leaves already: it goes on leaving.
        if self.phase == Phase::Joining {
            self.phase = Phase::Running;
            self.acquainted_by = Some(self.now + ACQUAINT_PATIENCE);
            self.tell_replica(replica::Command::Unblock(WriteBlock::NotAdmitted));
        }
        self.put(start::KEY_SPORE, spore);
        for address in spore.addresses() {
            self.tell_links(links::Command::Entry(address.clone()));
        }
        self.note(Notice::Joined);
        self.tell_links(links::Command::Joined);
    }
}

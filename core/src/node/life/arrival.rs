//! Links that come up and go, and messages that come in.

use crate::{
    kernel::{
        id::{DialId, LinkId, NodeId},
        machine::{Input, Machine as _},
        time::Duration,
    },
    membership::{admission, swim},
    node::{
        contract::{LinkInput, LinkOutput, Notice},
        envelope::Envelope,
        life::Phase,
        machine::Node,
        message::Message,
    },
    overlay::links,
    wire::{close::CloseReason, identity::PeerIdentity, invitation::Invitation},
};
use alloc::collections::BTreeMap;

/// The most handshakes under an invite that wait to be decided; further ones are refused as busy.
pub(in crate::node) const ARRIVING_MAX: usize = 256;

/// Traffic of a peer is told to membership at most this often: fresh evidence of life need not be
/// fresher than a fraction of the probe period.
const HEARD_INTERVAL: Duration = Duration::from_millis(200);

/// A link under an invite's key whose peer may not talk yet.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::node) struct Arriving {
    pub(in crate::node) peer: PeerIdentity,
    pub(in crate::node) dial: Option<DialId>,
}

impl Node {
    pub(in crate::node) fn on_link(&mut self, input: LinkInput) {
        match input {
            LinkInput::Up {
                link,
                peer,
                dial,
                invitation,
            } => self.on_link_up(link, peer, dial, invitation),
            LinkInput::Down { link, reason } => self.on_link_down(link, reason),
            LinkInput::DialFailed { dial, reason } => {
                self.tell_links(links::Command::DialFailed { dial, reason });
            }
            LinkInput::HandshakeRefused { reason } => {
                self.note_refusal(&reason, Notice::HandshakeRefused);
            }
            LinkInput::KeyWanted { link, hint } => {
                self.tell_admission(admission::Command::KeyWanted { link, hint });
            }
        }
    }

    fn on_link_up(
        &mut self,
        link: LinkId,
        peer: PeerIdentity,
        dial: Option<DialId>,
        invitation: Option<Invitation>,
    ) {
        let Some(invitation) = invitation else {
            self.tell_links(links::Command::Up { link, peer, dial });
            return;
        };
        if self.arriving.len() >= ARRIVING_MAX {
            self.close(link, CloseReason::Busy);
            return;
        }
        self.arriving.insert(link, Arriving { peer, dial });
        if dial.is_none() {
            self.tell_spore();
        }
        self.tell_admission(if dial.is_none() {
            admission::Command::Arrived {
                link,
                peer,
                invitation,
            }
        } else {
            admission::Command::Entered {
                link,
                peer: peer.id,
            }
        });
    }

    fn on_link_down(&mut self, link: LinkId, reason: CloseReason) {
        let Some(arriving) = self.arriving.remove(&link) else {
            self.tell_links(links::Command::Down { link, reason });
            return;
        };
        self.tell_admission(admission::Command::LinkDown { link });
        if let Some(dial) = arriving.dial {
            self.tell_links(links::Command::DialFailed { dial, reason });
        }
    }

    /// A message is opened here, just before its machine gets it.
    pub(in crate::node) fn on_envelope(&mut self, from: NodeId, envelope: Envelope) {
        let counters = &mut self.counters;
        let link = envelope.link();
        match envelope.open() {
            Ok(Some(message)) => {
                counters.messages_in = counters.messages_in.saturating_add(1);
                #[cfg(any(test, feature = "sim"))]
                self.mask.hear(&message);
                self.on_message(from, message);
            }
            Ok(None) => counters.unknown = counters.unknown.saturating_add(1),
            Err(_) => {
                counters.undecodable = counters.undecodable.saturating_add(1);
                self.close(link, CloseReason::Protocol);
                self.on_link_down(link, CloseReason::Protocol);
            }
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        if !self.links.is_linked(from) {
            self.on_message_before_admission(from, message);
            return;
        }
        let last = self.links.heard_at(from).unwrap_or_default();
        self.tell_links(links::Command::Heard(from));
        if self.now.since(last) >= HEARD_INTERVAL {
            self.tell_swim(swim::Command::Heard { peer: from });
        }
        let now = self.now;
        match message {
            Message::Links(message) => {
                self.links
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Swim(message) => {
                self.swim
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Replica(message) => {
                self.replica
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Admission(message) => {
                self.admission
                    .handle_input(now, Input::Message { from, message });
            }
        }
    }

    /// Before we are let in, only the relay that we dialled under the invite may talk, and only
    /// about that.
    fn on_message_before_admission(&mut self, from: NodeId, message: Message) {
        let invited = self.phase == Phase::Joining
            && self
                .arriving
                .values()
                .any(|link| link.dial.is_some() && link.peer.id == from);
        match message {
            Message::Admission(message) if invited => {
                let input = Input::Message { from, message };
                self.admission.handle_input(self.now, input);
            }
            Message::Admission(_) | Message::Links(_) | Message::Swim(_) | Message::Replica(_) => {
                let count = &mut self.counters.messages_from_strangers;
                *count = count.saturating_add(1);
            }
        }
    }

    /// Frames of linked peers that are no message of their kind, since the start.
    #[must_use]
    pub const fn undecodable(&self) -> u64 {
        self.counters.undecodable
    }

    /// Takes the links that waited to be let in together with us.
    pub(in crate::node) fn take_arriving(&mut self) -> BTreeMap<LinkId, Arriving> {
        core::mem::take(&mut self.arriving)
    }

    pub(in crate::node) fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.outbox.event(LinkOutput::Close { link, reason }.into());
    }

    /// Counts a refusal and tells it.
    pub(in crate::node) fn note_refusal(
        &mut self,
        reason: &CloseReason,
        notice: fn(CloseReason) -> Notice,
    ) {
        let refusals = &mut self.counters.refusals;
        let count = refusals.entry(reason.code().into()).or_default();
        *count = count.saturating_add(1);
        self.note(notice(reason.clone()));
    }
}

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
    overlay::{links, reach},
    wire::{close::CloseReason, identity::PeerIdentity, invitation::Invitation},
};

/// Traffic of a peer is told to membership at most this often: fresh evidence of life need not be
/// fresher than a fraction of the probe period.
const HEARD_INTERVAL: Duration = Duration::from_millis(200);

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
            LinkInput::Probed { dial, failed } => {
                self.tell_reach(reach::Command::Probed { dial, failed });
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
        // Without an invite the handshake ran under the isolation key, which only members hold.
        let Some(invitation) = invitation else {
            self.tell_links(links::Command::Up { link, peer, dial });
            return;
        };
        self.tell_links(links::Command::Arrived { link, peer, dial });
        // Links may have refused it at once, for example because too many wait to be let in.
        if !self.links.holds(link) {
            return;
        }
        // The side that dialled under an invite is the newcomer; the other side decides about it.
        if dial.is_some() {
            let peer = peer.id;
            self.tell_admission(admission::Command::Entered { link, peer });
        } else {
            // The welcome carries the spore: admission gets a fresh one before it can write a
            // welcome.
            self.tell_spore();
            self.tell_admission(admission::Command::Arrived {
                link,
                peer,
                invitation,
            });
        }
    }

    fn on_link_down(&mut self, link: LinkId, reason: CloseReason) {
        self.tell_admission(admission::Command::LinkDown { link });
        self.tell_links(links::Command::Down { link, reason });
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
                if self.links.is_standby(link) {
                    self.tell_links(links::Command::Spoke { link });
                }
                self.on_message(from, message);
            }
            Ok(None) => counters.unknown = counters.unknown.saturating_add(1),
            Err(_) => {
                counters.undecodable = counters.undecodable.saturating_add(1);
                // A known kind that does not decode is a breach. The machines are told here: not
                // every host reports the end of a link that it was told to close.
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
        // Whatever a peer says proves that it lives.
        self.tell_links(links::Command::Heard(from));
        let told_at = self.swim.heard_at(from).unwrap_or_default();
        if self.now.since(told_at) >= HEARD_INTERVAL {
            self.tell_swim(swim::Command::Heard { peer: from });
        }
        let now = self.now;
        match message {
            Message::Links(message) => {
                let is_reading = matches!(message, links::Message::Wall { .. });
                self.links
                    .handle_input(now, Input::Message { from, message });
                if is_reading {
                    self.compare_clocks();
                }
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
            Message::Reach(message) => {
                self.reach
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Vitals(message) => {
                self.vitals
                    .handle_input(now, Input::Message { from, message });
            }
        }
    }

    /// Before we are let in, only the relay that we dialled under the invite may talk, and only
    /// about that.
    fn on_message_before_admission(&mut self, from: NodeId, message: Message) {
        let invited = self.phase == Phase::Joining && self.links.may_welcome(from);
        match message {
            Message::Admission(message) if invited => {
                let input = Input::Message { from, message };
                self.admission.handle_input(self.now, input);
            }
            Message::Admission(_)
            | Message::Links(_)
            | Message::Swim(_)
            | Message::Replica(_)
            | Message::Reach(_)
            | Message::Vitals(_) => {
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

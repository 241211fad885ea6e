//! The one way out for messages.

use crate::{
    kernel::id::{LinkId, NodeId},
    node::{envelope::Envelope, machine::Node, message::Message},
};

impl Node {
    /// Sends a message over its receiver's link. Without a link it is dropped and counted: every
    /// protocol here repairs a lost message.
    pub(super) fn send(&mut self, to: NodeId, message: Message) {
        match self.link_to(to) {
            Some(link) => self.send_over(link, to, message),
            None => self.counters.unsent = self.counters.unsent.saturating_add(1),
        }
    }

    /// Sends a message over a link that is not (or not yet) its receiver's usual one.
    pub(super) fn send_over(&mut self, link: LinkId, to: NodeId, message: Message) {
        self.outbox.send(to, Envelope::of(link, message));
    }

    /// The peer's link, or else the one on which it (or this node) waits to be let in.
    fn link_to(&self, to: NodeId) -> Option<LinkId> {
        let usual = self.links.link_of(to);
        usual.or_else(|| self.links.arriving_link(to))
    }
}

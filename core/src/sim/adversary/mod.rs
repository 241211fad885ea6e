//! Members that break the rules. A liar is a genuine node with genuine keys that says, besides or in
//! place of what it means, what no honest node says.
//!
//! | file | what lives there |
//! |---|---|
//! | `liar` | one liar: what it does, and when |
//! | `rumours` | lies about members |
//! | `batches` | lies in signed batches, and equivocation |
//! | `flood` | one kind of message, far too often |
//! | `checker` | what must hold about the honest, whatever liars do |
//!
//! Invariants: what a liar says goes through the codec, so no signature in it counts as checked; a liar
//! signs with its own key only.
//!
//! Not here: what someone on a path does (`network`, `shell`).
//!
//! Source: Lamport, Shostak, Pease, "The Byzantine Generals Problem", 1982 (two-faced members);
//! Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022 (what must hold all the same).

pub(super) mod batches;
pub(super) mod checker;
mod flood;
pub(super) mod liar;
mod rumours;
#[cfg(test)]
mod tests;

use crate::{
    kernel::id::NodeId,
    node::{Node, mask::Mask, message::Message},
    sim::{host::HostId, shell::Shell, world::World},
};
use alloc::vec::Vec;

impl<S: Shell> World<S> {
    /// Says something in the name of a host's node that the node does not mean.
    pub fn say(&mut self, host: HostId, to: NodeId, message: &Message) {
        self.misuse(host, |node| node.say(to, message));
    }

    /// Ends all links of a host's node for good, and tells each peer as the reason that the peer's own
    /// identity runs elsewhere.
    pub fn slander(&mut self, host: HostId) {
        self.misuse(host, Node::slander);
    }

    fn misuse(&mut self, host: HostId, act: impl FnOnce(&mut Node)) {
        let now = self.now;
        let state = self.host_mut(host);
        let local = state.clock.local(now);
        if let Some(shell) = state.shell.as_mut().filter(|_| state.paused.is_none()) {
            act(shell.node_mut());
            shell.handle_timeout(local);
            self.drain(host);
        }
    }

    /// The mask of a running host's node.
    pub fn mask(&mut self, host: HostId) -> Option<&mut Mask> {
        let shell = self.host_mut(host).shell.as_mut()?;
        Some(shell.node_mut().mask_mut())
    }

    /// The protocol versions that a host's node claims to speak from its next start on; its own if
    /// `None`.
    pub fn set_versions(&mut self, host: HostId, versions: Option<(u16, u16)>) {
        self.host_mut(host).versions = versions;
    }

    /// Authenticated messages that a running host could not read.
    #[must_use]
    pub fn undecodable(&self, host: HostId) -> u64 {
        let shell = self.hosts[usize::from(host)].shell.as_ref();
        shell.map_or(0, S::undecodable)
    }

    /// The peers that a running host talks to: who it takes each for, and which host it is.
    pub fn ends(&self, host: HostId) -> impl Iterator<Item = (NodeId, HostId)> {
        let state = &self.hosts[usize::from(host)];
        let routes = state.shell.as_ref().map_or_else(Vec::new, S::routes);
        routes.into_iter().filter_map(|(peer, link)| {
            let connection = state.connections.get(&link)?;
            Some((peer, connection.other))
        })
    }
}

/// Says something to each of some peers.
fn say_all<S: Shell>(world: &mut World<S>, host: HostId, peers: &[NodeId], message: &Message) {
    for peer in peers {
        world.say(host, *peer, message);
    }
}

/// The peers of a host's node.
fn peers<S: Shell>(world: &World<S>, host: HostId) -> Vec<NodeId> {
    world.node(host).map(Node::linked).unwrap_or_default()
}

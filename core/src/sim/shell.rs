//! What the world drives: a node behind links, either down to the bytes or with typed messages.

use crate::{
    kernel::{
        bytes::Bytes,
        id::{LinkId, NodeId},
        rng::Rng,
        time::Time,
    },
    node::{
        Node,
        endpoint::{Endpoint, EndpointInput, EndpointOutput},
        setup::{Setup, StartError},
        tuning::Tuning,
    },
    sim::trace::Trace,
};
use alloc::{string::String, vec::Vec};
use core::fmt::Debug;

/// A node behind links.
pub trait Shell: Sized + Debug {
    /// What travels on a connection.
    type Packet: Clone + Debug;

    /// Whether connections are streams, which lose and reorder nothing; otherwise each packet travels
    /// on its own, and the algorithms meet every loss themselves.
    const STREAMS: bool;

    /// Starts a node.
    ///
    /// # Errors
    /// As [`Node::start`].
    fn start(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError>;

    /// The node.
    fn node(&self) -> &Node;

    /// The node, to put a mask on it, or to record it.
    fn node_mut(&mut self) -> &mut Node;

    /// Checks what must hold in the node and in its sessions.
    ///
    /// # Errors
    /// What does not hold, in words.
    fn check(&self) -> Result<(), String>;

    /// The peers that it talks to, and over which links.
    fn routes(&self) -> Vec<(NodeId, LinkId)>;

    /// Authenticated messages that nobody could read: no honest peer sends any.
    fn undecodable(&self) -> u64;

    /// Takes a connection that another side opened.
    fn accept(&mut self, now: Time) -> Option<LinkId>;

    /// Takes one input.
    fn handle_input(&mut self, now: Time, input: EndpointInput<Self::Packet>);

    /// Runs the timers that are due.
    fn handle_timeout(&mut self, now: Time);

    /// When the next timer is due.
    fn poll_timeout(&self) -> Option<Time>;

    /// The next output.
    fn poll_output(&mut self) -> Option<EndpointOutput<Self::Packet>>;

    /// How many bytes a packet has.
    fn size(packet: &Self::Packet) -> usize;

    /// Feeds what a packet says to the trace.
    fn trace(packet: &Self::Packet, trace: &mut Trace);

    /// The packet with a random bit flipped.
    fn corrupted(packet: &Self::Packet, rng: &mut Rng) -> Self::Packet;

    /// What arrives in a packet's place when someone without keys holds it in their hands, together
    /// with what they overheard elsewhere.
    fn tampered(
        packet: &Self::Packet,
        overheard: &[Self::Packet],
        rng: &mut Rng,
    ) -> Vec<Self::Packet>;
}

impl Shell for Endpoint {
    type Packet = Bytes;

    const STREAMS: bool = true;

    fn start(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError> {
        Self::start_tuned(setup, tuning, now)
    }

    fn node(&self) -> &Node {
        self.node()
    }

    fn node_mut(&mut self) -> &mut Node {
        self.node_mut()
    }

    fn check(&self) -> Result<(), String> {
        self.check()
    }

    fn routes(&self) -> Vec<(NodeId, LinkId)> {
        self.routes()
    }

    fn undecodable(&self) -> u64 {
        self.node().undecodable()
    }

    fn accept(&mut self, now: Time) -> Option<LinkId> {
        self.accept(now)
    }

    fn handle_input(&mut self, now: Time, input: EndpointInput) {
        self.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.poll_timeout()
    }

    fn poll_output(&mut self) -> Option<EndpointOutput> {
        self.poll_output()
    }

    fn size(packet: &Bytes) -> usize {
        packet.len()
    }

    fn trace(packet: &Bytes, trace: &mut Trace) {
        trace.add(packet);
    }

    fn corrupted(packet: &Bytes, rng: &mut Rng) -> Bytes {
        let mut bytes = packet.to_vec();
        let place = rng.index(bytes.len());
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << rng.below(8);
        }
        bytes.into()
    }

    fn tampered(packet: &Bytes, overheard: &[Bytes], rng: &mut Rng) -> Vec<Bytes> {
        let other = overheard.get(rng.index(overheard.len())).cloned();
        let other = other.unwrap_or_default();
        let cut = |bytes: &Bytes, rng: &mut Rng| bytes[..rng.index(bytes.len() + 1)].to_vec();
        match rng.below(7) {
            0 => [Self::corrupted(packet, rng)].into(),
            1 => [cut(packet, rng).into()].into(),
            2 => {
                let mut spliced = cut(packet, rng);
                spliced.extend_from_slice(&other[rng.index(other.len() + 1)..]);
                [spliced.into()].into()
            }
            3 => [packet.clone(), packet.clone()].into(),
            4 => [other, packet.clone()].into(),
            5 => [packet.clone(), other].into(),
            _ => Vec::new(),
        }
    }
}

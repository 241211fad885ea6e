//! What an adversary does in a node's name (tests, feature `sim`): a genuine node, but for its words.

use crate::{
    kernel::{
        crypto::{Keypair, Signed, Verified},
        id::{Incarnation, NodeId},
        machine::Output,
    },
    membership::{
        member::{MemberRecord, MemberState},
        swim,
    },
    node::{contract::Event, envelope::Envelope, machine::Node, message::Message},
    overlay::links,
    replication::{batch::Writer, clock::Hlc, log::Head},
    wire::{body::Body, close::CloseReason, session::SessionParams},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

/// The most heard messages that are kept until they are taken.
const HEARD_MAX: usize = 256;

/// How a node's words differ from what it means; by default not at all.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    /// The protocol versions it claims to speak, in place of its own.
    pub versions: Option<(u16, u16)>,
    /// Whose identity it claims in new handshakes, without having that node's key.
    pub poses_as: Option<NodeId>,
    /// Of a thousand messages, how many it swallows in place of saying them. It always answers pings.
    pub swallows_permille: u32,
    /// Whether it remembers what it hears.
    pub listens: bool,
    spoken: u64,
    heard: VecDeque<Message>,
}

impl Mask {
    /// The node says what it means again; the versions that it claims stay.
    pub fn take_off(&mut self) {
        *self = Self {
            versions: self.versions,
            ..Self::default()
        };
    }

    /// Takes what was heard since it was asked last, oldest first; at most 256 messages are kept.
    pub fn take_heard(&mut self) -> Vec<Message> {
        core::mem::take(&mut self.heard).into()
    }

    pub(super) fn hear(&mut self, message: &Message) {
        if !self.listens {
            return;
        }
        if self.heard.len() >= HEARD_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(message.clone());
    }

    fn swallows(&mut self, envelope: &Envelope) -> bool {
        let Some(message) = envelope.message() else {
            return false;
        };
        // Answers keep its links up and its probes answered, so nobody finds it dead.
        let is_answer = matches!(
            message,
            Message::Links(
                links::Message::Ping { .. }
                    | links::Message::Pong { .. }
                    | links::Message::Wall { .. }
            ) | Message::Swim(swim::Message::Ack { .. })
        );
        if self.swallows_permille == 0 || is_answer {
            return false;
        }
        // Spread evenly, not drawn: a message is swallowed where the running share passes a whole
        // number. A mask needs no generator, and a replay swallows the same ones.
        let share = |spoken: u64| spoken.saturating_mul(self.swallows_permille.into()) / 1_000;
        let (before, after) = (share(self.spoken), share(self.spoken.saturating_add(1)));
        self.spoken = self.spoken.saturating_add(1);
        after > before
    }

    pub(super) fn disguise(&self, mut params: SessionParams) -> SessionParams {
        params.versions = self.versions.unwrap_or(params.versions);
        if let Some(whom) = self.poses_as {
            params.keypair = params.keypair.posing_as(whom);
        }
        params
    }
}

impl Node {
    /// Its mask.
    pub const fn mask_mut(&mut self) -> &mut Mask {
        &mut self.mask
    }

    /// Says something in the node's name, as the next thing it says. Signatures in it are what they
    /// would be on the wire: unchecked.
    pub fn say(&mut self, to: NodeId, message: &Message) {
        if let Ok(Some(message)) = Message::decode(message.kind(), &message.encode()) {
            self.send(to, message);
        }
    }

    /// Ends all its links for good, and tells each peer as the reason that the peer's own identity runs
    /// elsewhere.
    pub fn slander(&mut self) {
        let incarnation = Incarnation(u64::MAX);
        let reason = CloseReason::IdentityInUse { incarnation };
        self.tell_links(links::Command::Stop(reason));
        self.pump();
    }

    /// Its key pair.
    #[must_use]
    pub const fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The peers it has links to.
    #[must_use]
    pub fn linked(&self) -> Vec<NodeId> {
        self.links.peers().map(|peer| peer.id).collect()
    }

    /// Its word about itself.
    #[must_use]
    pub const fn own_record(&self) -> &Verified<MemberRecord> {
        self.swim.own_record()
    }

    /// All members that it knows, with what it believes of them.
    #[must_use]
    pub fn known(&self) -> BTreeMap<NodeId, (Signed<MemberRecord>, MemberState)> {
        let members = self.swim.members();
        members
            .map(|member| (member.record.id, (member.record.to_signed(), member.state)))
            .collect()
    }

    /// How far it holds a chain.
    #[must_use]
    pub fn head(&self, shard: u16, writer: Writer) -> Head {
        self.replica.head(shard, writer)
    }

    /// The latest stamp that its clock gave or saw.
    #[must_use]
    pub const fn latest_stamp(&self) -> Hlc {
        self.replica.latest_stamp()
    }

    pub(super) fn pop_output(&mut self) -> Option<Output<Envelope, Event>> {
        loop {
            let output = self.outbox.pop()?;
            match &output {
                Output::Send { message, .. } if self.mask.swallows(message) => {}
                Output::Send { .. } | Output::Event(_) => return Some(output),
            }
        }
    }
}

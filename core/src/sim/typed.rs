//! A node behind links that carry its messages as values: no bytes, no ciphers, one handshake of two
//! packets. Thousands of these fit in one world; and since packets travel on their own, the
//! algorithms meet losses, doubles and reorderings that a session would hide from them.

use crate::{
    kernel::{
        crypto::Secret,
        id::{DialId, LinkId, NetworkId, NodeId},
        machine::{Input, Machine, Output},
        rng::Rng,
        time::{Duration, Time},
    },
    membership::roster::Roster,
    node::{
        Node,
        contract::{Command, Dial, Event, LinkInput, LinkOutput},
        endpoint::{EndpointInput, EndpointOutput},
        envelope::Envelope,
        message::Message,
        setup::{Setup, StartError},
        tuning::Tuning,
    },
    sim::{shell::Shell, trace::Trace},
    wire::{
        body::Body,
        close::CloseReason,
        hello::common_version,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
        session::Proven,
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

/// What travels between two typed nodes.
#[derive(Clone, Debug)]
pub enum Packet {
    /// The side that dialled says who it is and what it can prove.
    Hello(Box<Hello>),
    /// The other side lets it in and says who it is.
    Welcome(Box<Claim>),
    /// The link ends, and why.
    Bye(CloseReason),
    /// A message.
    Message(Box<Envelope>),
    /// What is left of a corrupted packet.
    Garbage,
}

/// Who someone says to be.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    peer: PeerIdentity,
    /// It has the key of who it says to be.
    proven: bool,
}

impl Claim {
    const fn proves(&self) -> Proven {
        if self.proven {
            Proven::Peer
        } else {
            Proven::KeyHolder
        }
    }
}

/// What the side that dialled says.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Its network.
    pub network: NetworkId,
    /// The key it offers to prove.
    pub hint: KeyHint,
    /// That key.
    pub key: Secret,
    /// The oldest and the newest protocol version that it speaks.
    pub versions: (u16, u16),
    /// Who it is.
    pub from: Claim,
}

#[derive(Debug)]
enum State {
    Connecting,
    /// A connection that only has to open.
    Probing,
    /// We dialled and said hello.
    Greeted,
    /// We were dialled and wait for the hello.
    Silent,
    /// The hello waits for the node's key.
    Asked {
        key: Secret,
        from: Claim,
    },
    Up(NodeId),
}

#[derive(Debug)]
struct Link {
    state: State,
    dial: Option<DialId>,
    expect: Option<NodeId>,
    hint: Option<KeyHint>,
    key: Option<Secret>,
    /// What the other side has proved.
    proven: Proven,
}

/// A node with its links.
#[derive(Debug)]
pub struct Typed {
    node: Node,
    links: BTreeMap<LinkId, Link>,
    /// When a handshake in progress has taken too long.
    deadlines: BTreeMap<LinkId, Time>,
    next_link: LinkId,
    now: Time,
    outputs: VecDeque<EndpointOutput<Packet>>,
}

const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
const LINKS_MAX: usize = 1_024;

impl Typed {
    fn claim(&self) -> Claim {
        let params = self.node.session_params();
        let peer = PeerIdentity {
            id: params.keypair.id(),
            incarnation: params.incarnation,
            instance: params.instance,
            role: params.role,
            version: params.versions.1,
            features: params.features,
        };
        let proven = params.keypair.is_genuine();
        Claim { peer, proven }
    }

    fn tell(&mut self, command: impl Into<Command>) {
        let command = Input::Command(command.into());
        self.node.handle_input(self.now, command);
        self.pump();
    }

    fn transmit(&mut self, link: LinkId, packet: Packet) {
        self.outputs.push_back(EndpointOutput::Transmit {
            link,
            message: packet,
        });
    }

    /// Its node knows all members of a table from now on.
    pub(super) fn acquaint(&mut self, now: Time, members: &Roster) {
        self.now = self.now.max(now);
        self.node.acquaint(self.now, members);
        self.pump();
    }

    /// Ends a link from this side, and tells the node.
    fn end(&mut self, link: LinkId, reason: CloseReason) {
        if self.links.contains_key(&link) {
            self.transmit(link, Packet::Bye(reason.clone()));
            let last = reason.clone();
            self.outputs
                .push_back(EndpointOutput::Disconnect { link, reason: last });
            self.on_ended(link, reason);
        }
    }

    fn on_ended(&mut self, link: LinkId, reason: CloseReason) {
        self.deadlines.remove(&link);
        let Some(ended) = self.links.remove(&link) else {
            return;
        };
        self.tell(match (ended.state, ended.dial) {
            (State::Probing, Some(dial)) => LinkInput::Probed {
                dial,
                failed: Some(reason),
            },
            (State::Up(_), _) => LinkInput::Down { link, reason },
            (_, Some(dial)) => LinkInput::DialFailed { dial, reason },
            (_, None) => LinkInput::HandshakeRefused { reason },
        });
    }

    fn on_opened(&mut self, link: LinkId) {
        let from = self.claim();
        let versions = self.node.session_params().versions;
        let network = self.node.network();
        let deadline = self.now + HANDSHAKE_PATIENCE;
        let Some(opened) = self.links.get_mut(&link) else {
            return;
        };
        if let (State::Probing, Some(dial)) = (&opened.state, opened.dial) {
            self.links.remove(&link);
            let reason = CloseReason::Unwanted;
            self.outputs
                .push_back(EndpointOutput::Disconnect { link, reason });
            self.tell(LinkInput::Probed { dial, failed: None });
            return;
        }
        if let (State::Connecting, Some(hint), Some(key)) =
            (&opened.state, opened.hint.clone(), opened.key.take())
        {
            opened.state = State::Greeted;
            self.deadlines.insert(link, deadline);
            let hello = Hello {
                network,
                hint,
                key,
                versions,
                from,
            };
            self.transmit(link, Packet::Hello(Box::new(hello)));
        }
    }

    fn on_packet(&mut self, link: LinkId, packet: Packet) {
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        match (packet, &known.state) {
            (Packet::Bye(reason), _) => {
                let reason = known.proven.believed(reason);
                let last = reason.clone();
                self.outputs
                    .push_back(EndpointOutput::Disconnect { link, reason: last });
                self.on_ended(link, reason);
            }
            (Packet::Message(message), State::Up(from)) => {
                let (from, message) = (*from, message.on(link));
                self.node
                    .handle_input(self.now, Input::Message { from, message });
                self.pump();
            }
            (Packet::Hello(hello), State::Silent) => {
                let Hello {
                    network,
                    hint,
                    key,
                    versions,
                    from,
                } = *hello;
                known.proven = from.proves();
                let (min, max) = self.node.session_params().versions;
                if common_version((min, max), versions).is_none() {
                    self.end(link, CloseReason::VersionMismatch { min, max });
                } else if network == self.node.network() {
                    known.state = State::Asked { key, from };
                    known.hint = Some(hint.clone());
                    self.tell(LinkInput::KeyWanted { link, hint });
                } else {
                    self.end(link, CloseReason::WrongNetwork);
                }
            }
            (Packet::Welcome(from), State::Greeted) => {
                known.proven = from.proves();
                if known.expect.is_none_or(|expect| expect == from.peer.id) {
                    self.up(link, *from);
                } else {
                    self.end(link, CloseReason::UnexpectedPeer);
                }
            }
            // A packet of the handshake that came twice, or a message that overtook it.
            (Packet::Hello(_) | Packet::Welcome(_) | Packet::Message(_), _) => {}
            (Packet::Garbage, _) => self.end(link, CloseReason::Protocol),
        }
    }

    fn on_key(&mut self, link: LinkId, given: Result<Secret, CloseReason>) {
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let State::Asked { key, from } = &known.state else {
            return;
        };
        let from = *from;
        match given {
            Ok(right) if right == *key => {
                let welcome = Packet::Welcome(Box::new(self.claim()));
                self.transmit(link, welcome);
                self.up(link, from);
            }
            Ok(_) => self.end(link, CloseReason::WrongKey),
            Err(reason) => self.end(link, reason),
        }
    }

    fn up(&mut self, link: LinkId, claim: Claim) {
        let (own, peer) = (self.claim().peer, claim.peer);
        if !claim.proven {
            self.end(link, CloseReason::BadIdentity);
            return;
        }
        if peer.id == own.id {
            let reason = if peer.instance == own.instance {
                CloseReason::SelfDial
            } else {
                let incarnation = own.incarnation;
                CloseReason::IdentityInUse { incarnation }
            };
            self.end(link, reason);
            return;
        }
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        known.state = State::Up(peer.id);
        self.deadlines.remove(&link);
        let (dial, invitation) = (known.dial, invitation_of(known.hint.as_ref()));
        self.tell(LinkInput::Up {
            link,
            peer,
            dial,
            invitation,
        });
    }

    fn pump(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { message, .. } => {
                    self.transmit(message.link(), Packet::Message(Box::new(message)));
                }
                Output::Event(Event::Link(output)) => self.on_link_output(output),
                Output::Event(Event::Host(output)) => {
                    self.outputs.push_back(EndpointOutput::Host(output));
                }
            }
        }
    }

    fn on_link_output(&mut self, output: LinkOutput) {
        match output {
            LinkOutput::Dial(Dial {
                dial,
                address,
                expect,
                hint,
                key,
            }) => {
                let link = self.number_link();
                let state = State::Connecting;
                let dialled = Link {
                    state,
                    dial: Some(dial),
                    expect,
                    hint: Some(hint),
                    key: Some(key),
                    proven: Proven::KeyHolder,
                };
                self.links.insert(link, dialled);
                self.outputs
                    .push_back(EndpointOutput::Connect { link, address });
            }
            LinkOutput::Probe { dial, address } => {
                let link = self.number_link();
                let probed = Link {
                    state: State::Probing,
                    dial: Some(dial),
                    expect: None,
                    hint: None,
                    key: None,
                    proven: Proven::KeyHolder,
                };
                self.links.insert(link, probed);
                self.outputs
                    .push_back(EndpointOutput::Connect { link, address });
            }
            LinkOutput::Key { link, key } => self.on_key(link, key),
            LinkOutput::Close { link, reason } => {
                self.deadlines.remove(&link);
                if self.links.remove(&link).is_some() {
                    self.transmit(link, Packet::Bye(reason.clone()));
                    self.outputs
                        .push_back(EndpointOutput::Disconnect { link, reason });
                }
            }
        }
    }

    const fn number_link(&mut self) -> LinkId {
        let link = self.next_link;
        self.next_link = link.next();
        link
    }
}

fn invitation_of(hint: Option<&KeyHint>) -> Option<Invitation> {
    match hint {
        Some(KeyHint::Invite(invitation)) => Some(invitation.clone()),
        Some(KeyHint::Isolation { .. }) | None => None,
    }
}

impl Shell for Typed {
    type Packet = Packet;

    const STREAMS: bool = false;

    fn start(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError> {
        let mut typed = Self {
            node: Node::start_tuned(setup, tuning, now)?,
            links: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            next_link: LinkId(1),
            now,
            outputs: VecDeque::new(),
        };
        typed.pump();
        Ok(typed)
    }

    fn node(&self) -> &Node {
        &self.node
    }

    fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    fn check(&self) -> Result<(), String> {
        self.node.check()
    }

    fn routes(&self) -> Vec<(NodeId, LinkId)> {
        let peers = self.node.links().peers();
        let routes = peers.filter_map(|peer| Some((peer.id, self.node.links().link_of(peer.id)?)));
        routes
            .filter(|(_, link)| self.links.contains_key(link))
            .collect()
    }

    fn undecodable(&self) -> u64 {
        0
    }

    fn accept(&mut self, now: Time) -> Option<LinkId> {
        self.now = self.now.max(now);
        if self.links.len() >= LINKS_MAX {
            return None;
        }
        let link = self.number_link();
        let accepted = Link {
            state: State::Silent,
            dial: None,
            expect: None,
            hint: None,
            key: None,
            proven: Proven::KeyHolder,
        };
        self.links.insert(link, accepted);
        self.deadlines.insert(link, self.now + HANDSHAKE_PATIENCE);
        Some(link)
    }

    fn handle_input(&mut self, now: Time, input: EndpointInput<Packet>) {
        self.now = self.now.max(now);
        match input {
            EndpointInput::Opened { link } => self.on_opened(link),
            EndpointInput::Ended { link, reason } => self.on_ended(link, reason),
            EndpointInput::Received { link, message } => self.on_packet(link, message),
            EndpointInput::Host(input) => self.tell(input),
            EndpointInput::Blocked { .. } | EndpointInput::Writable { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        let late = self.deadlines.iter().filter(|(_, at)| **at <= now);
        let late: Vec<LinkId> = late.map(|(link, _)| *link).collect();
        for link in late {
            self.end(link, CloseReason::HandshakeTimeout);
        }
        self.node.handle_timeout(self.now);
        self.pump();
    }

    fn poll_timeout(&self) -> Option<Time> {
        if !self.outputs.is_empty() {
            return Some(Time::ZERO);
        }
        let deadlines = self.deadlines.values().copied();
        deadlines.chain(self.node.poll_timeout()).min()
    }

    fn poll_output(&mut self) -> Option<EndpointOutput<Packet>> {
        self.outputs.pop_front()
    }

    fn size(packet: &Packet) -> usize {
        match packet {
            Packet::Message(message) => message.encode().len() + 24,
            Packet::Hello(_) | Packet::Welcome(_) | Packet::Bye(_) | Packet::Garbage => 100,
        }
    }

    fn trace(packet: &Packet, trace: &mut Trace) {
        match packet {
            Packet::Message(message) => {
                trace.add(&message.kind().to_le_bytes());
                trace.add(&message.encode());
            }
            Packet::Hello(hello) => {
                trace.add(hello.from.peer.id.as_bytes());
            }
            Packet::Welcome(from) => {
                trace.add(from.peer.id.as_bytes());
            }
            Packet::Bye(reason) => {
                trace.add(reason.code().as_bytes());
            }
            Packet::Garbage => {}
        }
    }

    fn corrupted(packet: &Packet, rng: &mut Rng) -> Packet {
        match packet {
            Packet::Message(envelope) if envelope.message().is_some_and(is_signed) => {
                let flipped = flip(envelope, rng);
                flipped.map_or(Packet::Garbage, |flipped| {
                    Packet::Message(Box::new(flipped))
                })
            }
            Packet::Message(_)
            | Packet::Hello { .. }
            | Packet::Welcome(_)
            | Packet::Bye(_)
            | Packet::Garbage => Packet::Garbage,
        }
    }

    /// Whoever has no keys can do no more here than a session notices.
    fn tampered(_: &Packet, _: &[Packet], rng: &mut Rng) -> Vec<Packet> {
        if rng.chance(500) {
            [Packet::Garbage].into()
        } else {
            Vec::new()
        }
    }
}

/// Whether all that counts in a message is signed by its author, so that a peer whose memory flips bits
/// can do no more harm than one that forges.
const fn is_signed(message: &Message) -> bool {
    use crate::{membership::swim, replication::replica};
    matches!(
        message,
        Message::Replica(replica::Message::Push { .. } | replica::Message::Batches { .. })
            | Message::Swim(swim::Message::Gossip { .. })
    )
}

/// The message with a bit flipped, if it is still one.
fn flip(envelope: &Envelope, rng: &mut Rng) -> Option<Envelope> {
    let mut bytes = envelope.encode();
    let place = rng.index(bytes.len());
    *bytes.get_mut(place)? ^= 1 << rng.below(8);
    let message = Message::decode(envelope.kind(), &bytes).ok()??;
    Some(Envelope::of(envelope.link(), message))
}

//! A node behind links and bytes: one [`Session`] per link, for hosts with a single thread (the
//! browser) and for tests down to the bytes.
//!
//! A host with many threads runs each session on its link's own task instead, and feeds the
//! [`Node`] typed messages.
//!
//! | link is | an input moves it |
//! |---|---|
//! | connecting | opened: a session starts; ended: the dial failed |
//! | in handshake | up: the node is told; closed or ended: the dial failed, or a refusal is counted |
//! | up | frames become messages; closed or ended: the node is told |
//!
//! What the node sends to a peer without a link is dropped and counted: every protocol repairs it.
//!
//! A link's next message is chosen when [`Endpoint::poll_output`] answers it, so that what is urgent
//! overtakes what is not. A host whose connection holds back too much says so: nothing more comes for
//! it, and the session's queues, bounded by class, keep the rest or refuse it.

use crate::{
    kernel::{
        address::Address,
        bytes::Bytes,
        crypto::Secret,
        id::{DialId, LinkId, NodeId, RequestId, Ticket},
        machine::{Input, Machine, Output},
        rng::Rng,
        store::StoreBatch,
        text::{Key, Namespace},
        time::Time,
    },
    node::{
        Node,
        command::Command,
        event::{Event, Reply},
        message::Message,
        setup::{Setup, StartError},
        snapshot::TimelineEntry,
        tuning::Tuning,
    },
    wire::{
        body::Body,
        class::Class,
        close::CloseReason,
        identity::PeerIdentity,
        invitation::KeyHint,
        session::{SendError, Session, SessionEvent},
    },
};
#[cfg(any(test, feature = "sim"))]
use alloc::format;
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};

/// What goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointInput {
    /// The connection asked for by `Connect` is open.
    Opened {
        /// Which.
        link: LinkId,
    },
    /// It could not be opened, or it ended.
    Ended {
        /// Which.
        link: LinkId,
        /// Why; `Lost` for an open one that ended without a word.
        reason: CloseReason,
    },
    /// A connection brought one link message.
    Received {
        /// Which.
        link: LinkId,
        /// The message.
        message: Bytes,
    },
    /// A connection holds back too much already: no `Transmit` for it, until it is writable or
    /// disconnected.
    Blocked {
        /// Which.
        link: LinkId,
    },
    /// A blocked connection takes messages again.
    Writable {
        /// Which.
        link: LinkId,
    },
    /// Everything that is not about links: requests, store, clock, parking. The link commands are
    /// the endpoint's own and are ignored here.
    Command(Command),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointOutput {
    /// Open a connection; answer `Opened` or `Ended`.
    Connect {
        /// Its number.
        link: LinkId,
        /// Where to.
        address: Address,
    },
    /// Send one link message.
    Transmit {
        /// Over which connection.
        link: LinkId,
        /// The message.
        message: Bytes,
    },
    /// Send what is queued, then close the connection; no answer is expected.
    Disconnect {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// See [`Event::Persist`].
    Persist(StoreBatch),
    /// See [`Event::Load`].
    Load {
        /// Comes back in the answer.
        ticket: Ticket,
        /// The records' sequences.
        sequences: Vec<u64>,
    },
    /// See [`Event::Reply`].
    Reply {
        /// Which request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// See [`Event::Changed`].
    Changed {
        /// The number of the change.
        revision: u64,
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
    },
    /// See [`Event::Timeline`].
    Timeline(TimelineEntry),
    /// See [`Event::Admitted`].
    Admitted,
    /// See [`Event::Fenced`].
    Fenced {
        /// Why, in words.
        why: String,
    },
    /// See [`Event::Departed`].
    Departed,
}

/// The most links at once, in whatever state; further ones are refused.
const LINKS_MAX: usize = 1_024;

#[derive(Debug)]
enum Link {
    Connecting {
        dial: DialId,
        expect: Option<NodeId>,
        hint: KeyHint,
        key: Secret,
    },
    Open {
        session: Box<Session>,
        dial: Option<DialId>,
        peer: Option<PeerIdentity>,
        blocked: bool,
    },
}

/// A node with its sessions.
#[derive(Debug)]
pub struct Endpoint {
    node: Node,
    links: BTreeMap<LinkId, Link>,
    routes: BTreeMap<NodeId, LinkId>,
    next_link: LinkId,
    rng: Rng,
    now: Time,
    outputs: VecDeque<EndpointOutput>,
    /// The links that may have something to send and are not blocked.
    ready: BTreeSet<LinkId>,
    undecodable: u64,
    unsent: u64,
}

impl Endpoint {
    /// Starts a node; see [`Node::start`].
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start(setup: Setup, now: Time) -> Result<Self, StartError> {
        let tuning = Tuning::of(setup.config.role);
        Self::start_tuned(setup, tuning, now)
    }

    /// The same with other settings than the usual ones.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_tuned(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError> {
        let rng = Rng::from_seed(setup.entropy).fork("sessions");
        let mut endpoint = Self {
            node: Node::start_tuned(setup, tuning, now)?,
            links: BTreeMap::new(),
            routes: BTreeMap::new(),
            next_link: LinkId(1),
            rng,
            now,
            outputs: VecDeque::new(),
            ready: BTreeSet::new(),
            undecodable: 0,
            unsent: 0,
        };
        endpoint.pump();
        Ok(endpoint)
    }

    /// The node, for read-only questions.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The node, to start, stop and save its recording, or to put a mask on it.
    #[cfg(any(test, feature = "recording", feature = "sim"))]
    pub const fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// The peers that it talks to, and over which links (tests, feature `sim`).
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn routes(&self) -> Vec<(NodeId, LinkId)> {
        let up = self
            .routes
            .iter()
            .filter(|(_, link)| self.links.contains_key(link));
        up.map(|(peer, link)| (*peer, *link)).collect()
    }

    /// Checks what must hold in the node and in its sessions, whatever happened (tests, feature `sim`).
    ///
    /// # Errors
    /// What does not hold, in words: a bug of the node.
    #[cfg(any(test, feature = "sim"))]
    pub fn check(&self) -> Result<(), String> {
        self.node.check()?;
        let sessions = self.links.values().filter_map(|link| match link {
            Link::Open { session, .. } => Some(session),
            Link::Connecting { .. } => None,
        });
        for session in sessions {
            session.check().map_err(|what| format!("session: {what}"))?;
        }
        Ok(())
    }

    /// Frames that did not decode or were of an unknown kind, and messages that found no link or no
    /// room, since the start.
    #[must_use]
    pub const fn dropped(&self) -> (u64, u64) {
        (self.undecodable, self.unsent)
    }

    /// Takes a connection that another side opened; answers its number, or `None` when there are too
    /// many and it has to be closed.
    pub fn accept(&mut self, now: Time) -> Option<LinkId> {
        self.now = self.now.max(now);
        if self.links.len() >= LINKS_MAX {
            return None;
        }
        let link = self.number_link();
        let session = Box::new(Session::accept(
            self.node.session_params(),
            self.rng.bytes32(),
            self.now,
        ));
        self.links.insert(
            link,
            Link::Open {
                session,
                dial: None,
                peer: None,
                blocked: false,
            },
        );
        Some(link)
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Time, input: EndpointInput) {
        self.now = self.now.max(now);
        match input {
            EndpointInput::Opened { link } => self.on_opened(link),
            EndpointInput::Ended { link, reason } => self.on_ended(link, reason),
            EndpointInput::Received { link, message } => {
                if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
                    session.handle_bytes(self.now, &message);
                    self.drain_session(link);
                }
            }
            EndpointInput::Blocked { link } => self.on_room(link, false),
            EndpointInput::Writable { link } => self.on_room(link, true),
            EndpointInput::Command(command) => match command {
                Command::LinkUp { .. }
                | Command::LinkDown { .. }
                | Command::DialFailed { .. }
                | Command::HandshakeRefused { .. }
                | Command::KeyWanted { .. } => {}
                command @ (Command::WallClock(_)
                | Command::NetworkChanged
                | Command::Persisted(_)
                | Command::PersistFailed { .. }
                | Command::Loaded { .. }
                | Command::Write { .. }
                | Command::Open(_)
                | Command::Close(_)
                | Command::Invite { .. }
                | Command::Park
                | Command::Unpark
                | Command::Leave
                | Command::Stop) => self.tell(command),
            },
        }
        self.pump();
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        let late: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| match link {
                Link::Open { session, .. } => {
                    session.poll_timeout().is_some_and(|at| at <= self.now)
                }
                Link::Connecting { .. } => false,
            })
            .map(|(link, _)| *link)
            .collect();
        for link in late {
            if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
                session.handle_timeout(self.now);
            }
            self.drain_session(link);
        }
        self.node.handle_timeout(self.now);
        self.pump();
    }

    /// When [`Endpoint::handle_timeout`] wants to be called; [`Time::ZERO`] while output is queued.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.outputs.is_empty() || !self.ready.is_empty() {
            return Some(Time::ZERO);
        }
        let sessions = self.links.values().filter_map(|link| match link {
            Link::Open { session, .. } => session.poll_timeout(),
            Link::Connecting { .. } => None,
        });
        sessions.chain(self.node.poll_timeout()).min()
    }

    /// The next output, oldest first; link messages come last and are chosen now.
    pub fn poll_output(&mut self) -> Option<EndpointOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        while let Some(link) = self.ready.first().copied() {
            if let Some(output) = self.next_message(link) {
                return Some(output);
            }
            self.ready.remove(&link);
        }
        None
    }

    const fn number_link(&mut self) -> LinkId {
        let link = self.next_link;
        self.next_link = link.next();
        link
    }

    fn tell(&mut self, command: Command) {
        self.node.handle_input(self.now, Input::Command(command));
    }

    fn on_opened(&mut self, link: LinkId) {
        let Some(Link::Connecting { .. }) = self.links.get(&link) else {
            return;
        };
        let Some(Link::Connecting {
            dial,
            expect,
            hint,
            key,
        }) = self.links.remove(&link)
        else {
            return;
        };
        let params = self.node.session_params();
        let entropy = self.rng.bytes32();
        let session = Box::new(Session::initiate(
            params, hint, key, expect, entropy, self.now,
        ));
        self.links.insert(
            link,
            Link::Open {
                session,
                dial: Some(dial),
                peer: None,
                blocked: false,
            },
        );
        self.drain_session(link);
    }

    fn on_ended(&mut self, link: LinkId, reason: CloseReason) {
        match self.links.remove(&link) {
            Some(Link::Connecting { dial, .. }) => self.tell(Command::DialFailed { dial, reason }),
            Some(Link::Open { dial, peer, .. }) => self.tell_end(link, dial, peer, reason),
            None => {}
        }
    }

    fn tell_end(
        &mut self,
        link: LinkId,
        dial: Option<DialId>,
        peer: Option<PeerIdentity>,
        reason: CloseReason,
    ) {
        match (peer, dial) {
            (Some(_), _) => self.tell(Command::LinkDown { link, reason }),
            (None, Some(dial)) => self.tell(Command::DialFailed { dial, reason }),
            (None, None) => self.tell(Command::HandshakeRefused { reason }),
        }
    }

    /// Moves what a session says to the node and to the connection.
    fn drain_session(&mut self, link: LinkId) {
        while let Some(Link::Open {
            session,
            dial,
            peer,
            ..
        }) = self.links.get_mut(&link)
        {
            let (dial, from) = (*dial, peer.map(|peer| peer.id));
            let Some(event) = session.poll_event() else {
                break;
            };
            match event {
                SessionEvent::KeyWanted(hint) => self.tell(Command::KeyWanted { link, hint }),
                SessionEvent::Up {
                    peer: identity,
                    invitation,
                } => {
                    *peer = Some(identity);
                    self.tell(Command::LinkUp {
                        link,
                        peer: identity,
                        dial,
                        invitation,
                    });
                }
                SessionEvent::Frame { kind, body } => self.on_frame(link, from, kind, &body),
                SessionEvent::Closed(reason) => {
                    self.flush(link);
                    let peer = match self.links.remove(&link) {
                        Some(Link::Open { peer, .. }) => peer,
                        Some(Link::Connecting { .. }) | None => None,
                    };
                    self.tell_end(link, dial, peer, reason.clone());
                    self.outputs
                        .push_back(EndpointOutput::Disconnect { link, reason });
                }
            }
            self.pump();
        }
        self.offer(link);
    }

    fn on_frame(&mut self, link: LinkId, from: Option<NodeId>, kind: u16, body: &[u8]) {
        match (Message::decode(kind, body), from) {
            (Ok(Some(message)), Some(from)) => {
                self.node
                    .handle_input(self.now, Input::Message { from, message });
            }
            (Ok(_), _) => self.undecodable = self.undecodable.saturating_add(1),
            (Err(_), _) => {
                self.undecodable = self.undecodable.saturating_add(1);
                if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
                    session.close(self.now, CloseReason::Protocol);
                }
            }
        }
    }

    /// The link may have something to send.
    fn offer(&mut self, link: LinkId) {
        if let Some(Link::Open { blocked: false, .. }) = self.links.get(&link) {
            self.ready.insert(link);
        }
    }

    fn on_room(&mut self, link: LinkId, writable: bool) {
        if let Some(Link::Open { blocked, .. }) = self.links.get_mut(&link) {
            *blocked = !writable;
        }
        self.ready.remove(&link);
        self.offer(link);
    }

    fn next_message(&mut self, link: LinkId) -> Option<EndpointOutput> {
        let Some(Link::Open { session, .. }) = self.links.get_mut(&link) else {
            return None;
        };
        let message = session.poll_transmit()?.into();
        Some(EndpointOutput::Transmit { link, message })
    }

    /// The last words of a link that ends, blocked or not.
    fn flush(&mut self, link: LinkId) {
        while let Some(output) = self.next_message(link) {
            self.outputs.push_back(output);
        }
    }

    fn pump(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Send { to, message } => self.send(to, &message),
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn send(&mut self, to: NodeId, message: &Message) {
        let link = self.routes.get(&to).copied();
        let open = link.and_then(|link| Some((link, self.links.get_mut(&link)?)));
        let Some((link, Link::Open { session, .. })) = open else {
            self.unsent = self.unsent.saturating_add(1);
            return;
        };
        match session.send(message.class(), message.kind(), message.encode()) {
            Ok(()) => self.offer(link),
            Err(SendError::Full {
                class: Class::Critical,
            }) => {
                session.close(self.now, CloseReason::Overload);
            }
            Err(
                SendError::Full { .. }
                | SendError::TooLarge
                | SendError::NotUp
                | SendError::ReservedKind,
            ) => {
                self.unsent = self.unsent.saturating_add(1);
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Dial {
                dial,
                address,
                expect,
                hint,
                key,
            } => {
                let link = self.number_link();
                self.links.insert(
                    link,
                    Link::Connecting {
                        dial,
                        expect,
                        hint,
                        key,
                    },
                );
                self.outputs
                    .push_back(EndpointOutput::Connect { link, address });
            }
            Event::Key { link, key } => {
                if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
                    session.provide_key(self.now, key);
                    self.drain_session(link);
                }
            }
            Event::Route { peer, link } => drop(self.routes.insert(peer, link)),
            Event::Unroute { peer } => drop(self.routes.remove(&peer)),
            Event::Close { link, reason } => self.on_close(link, reason),
            Event::Persist(batch) => self.outputs.push_back(EndpointOutput::Persist(batch)),
            Event::Load { ticket, sequences } => {
                self.outputs
                    .push_back(EndpointOutput::Load { ticket, sequences });
            }
            Event::Reply { request, reply } => {
                self.outputs
                    .push_back(EndpointOutput::Reply { request, reply });
            }
            Event::Changed {
                revision,
                namespace,
                key,
            } => {
                self.outputs.push_back(EndpointOutput::Changed {
                    revision,
                    namespace,
                    key,
                });
            }
            Event::Timeline(entry) => self.outputs.push_back(EndpointOutput::Timeline(entry)),
            Event::Admitted => self.outputs.push_back(EndpointOutput::Admitted),
            Event::Fenced { why } => self.outputs.push_back(EndpointOutput::Fenced { why }),
            Event::Departed => self.outputs.push_back(EndpointOutput::Departed),
        }
    }

    /// The node has forgotten the link already, so it is not told of its end.
    fn on_close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
            session.close(self.now, reason.clone());
            self.flush(link);
            self.links.remove(&link);
            self.outputs
                .push_back(EndpointOutput::Disconnect { link, reason });
        }
    }
}

#[cfg(test)]
mod tests;

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
//! What the node sends over a link that has just ended is dropped and counted: every protocol repairs it.
//!
//! A link's next message is chosen when [`Endpoint::poll_output`] answers it, so that what is urgent
//! overtakes what is not. A host whose connection holds back too much says so: nothing more comes for
//! it, and the session's queues, bounded by class, keep the rest or refuse it.

use crate::{
    kernel::{
        address::Address,
        bytes::Bytes,
        id::{DialId, LinkId, NodeId},
        machine::{Input, Machine, Output},
        rng::Rng,
        time::Time,
    },
    node::{
        Node,
        contract::{Command, Dial, Event, HostInput, HostOutput, LinkInput, LinkOutput},
        envelope::Envelope,
        setup::{Setup, StartError},
        tuning::Tuning,
    },
    wire::{
        class::Class,
        close::CloseReason,
        identity::PeerIdentity,
        session::{SendError, Session, SessionEvent},
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
#[cfg(any(test, feature = "sim"))]
use alloc::{format, string::String};

/// What goes into a node behind links; `M` is what travels on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointInput<M = Bytes> {
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
        message: M,
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
    /// Everything that is not about links: requests, store, clock, parking.
    Host(HostInput),
}

/// What comes out of a node behind links; `M` is what travels on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointOutput<M = Bytes> {
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
        message: M,
    },
    /// Send what is queued, then close the connection; no answer is expected.
    Disconnect {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Everything that is not about links: for the store, replies, changes, notices.
    Host(HostOutput),
}

/// The most links at once, in whatever state; further ones are refused.
const LINKS_MAX: usize = 1_024;

#[derive(Debug)]
enum Link {
    Connecting(Dial),
    /// A connection that only has to open.
    Probing(DialId),
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
    next_link: LinkId,
    rng: Rng,
    now: Time,
    outputs: VecDeque<EndpointOutput>,
    /// The links that may have something to send and are not blocked.
    ready: BTreeSet<LinkId>,
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
            next_link: LinkId(1),
            rng,
            now,
            outputs: VecDeque::new(),
            ready: BTreeSet::new(),
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
    pub const fn node_mut(&mut self) -> &mut Node {
        &mut self.node
    }

    /// The peers that it talks to, and over which links (tests, feature `sim`).
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn routes(&self) -> Vec<(NodeId, LinkId)> {
        let peers = self.node.links().peers();
        let routes = peers.filter_map(|peer| Some((peer.id, self.node.links().link_of(peer.id)?)));
        routes
            .filter(|(_, link)| self.links.contains_key(link))
            .collect()
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
            Link::Connecting(_) | Link::Probing(_) => None,
        });
        for session in sessions {
            session.check().map_err(|what| format!("session: {what}"))?;
        }
        Ok(())
    }

    /// Messages that found no room in their link's queue, since the start.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Takes a connection that another side opened; answers its number, or `None` when there are too
    /// many and it has to be closed.
    pub fn accept(&mut self, now: Time) -> Option<LinkId> {
        self.now = self.now.max(now);
        // Links in a handshake count too: strangers can't hold more than this either.
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
            EndpointInput::Host(input) => self.tell(Command::Host(input)),
        }
        self.pump();
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        // Collected first: draining a session may remove its link.
        let late: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| match link {
                Link::Open { session, .. } => {
                    session.poll_timeout().is_some_and(|at| at <= self.now)
                }
                Link::Connecting(_) | Link::Probing(_) => false,
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
            Link::Connecting(_) | Link::Probing(_) => None,
        });
        sessions.chain(self.node.poll_timeout()).min()
    }

    /// The next output, oldest first; link messages come last and are chosen now.
    pub fn poll_output(&mut self) -> Option<EndpointOutput> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        // A link is asked until it has nothing more, or until the host says that it is blocked.
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

    fn tell(&mut self, command: impl Into<Command>) {
        let command = Input::Command(command.into());
        self.node.handle_input(self.now, command);
    }

    fn on_opened(&mut self, link: LinkId) {
        if let Some(Link::Probing(dial)) = self.links.get(&link) {
            let (dial, failed) = (*dial, None);
            self.links.remove(&link);
            let reason = CloseReason::Unwanted;
            self.outputs
                .push_back(EndpointOutput::Disconnect { link, reason });
            self.tell(LinkInput::Probed { dial, failed });
            return;
        }
        // Only looked at: an `Opened` that comes twice must not take an open link out.
        let Some(Link::Connecting(wanted)) = self.links.get(&link) else {
            return;
        };
        let Dial {
            dial,
            expect,
            hint,
            key,
            ..
        } = wanted.clone();
        // Taken now and not when the dial was asked for: the incarnation may have moved.
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
            Some(Link::Connecting(Dial { dial, .. })) => {
                self.tell(LinkInput::DialFailed { dial, reason })
            }
            Some(Link::Probing(dial)) => {
                let failed = Some(reason);
                self.tell(LinkInput::Probed { dial, failed });
            }
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
            (Some(_), _) => self.tell(LinkInput::Down { link, reason }),
            (None, Some(dial)) => self.tell(LinkInput::DialFailed { dial, reason }),
            // A stranger's attempt that never came up: it is counted and noted.
            (None, None) => self.tell(LinkInput::HandshakeRefused { reason }),
        }
    }

    /// Moves what a session says to the node and to the connection.
    fn drain_session(&mut self, link: LinkId) {
        // Looked up anew for every event: what the node is told may close this very link.
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
                SessionEvent::KeyWanted(hint) => self.tell(LinkInput::KeyWanted { link, hint }),
                SessionEvent::Up {
                    peer: identity,
                    invitation,
                } => {
                    *peer = Some(identity);
                    self.tell(LinkInput::Up {
                        link,
                        peer: identity,
                        dial,
                        invitation,
                    });
                }
                SessionEvent::Frame { kind, body } => self.on_frame(link, from, kind, body),
                // The session's last words are taken out before it is dropped with its link.
                SessionEvent::Closed(reason) => {
                    self.flush(link);
                    let peer = match self.links.remove(&link) {
                        Some(Link::Open { peer, .. }) => peer,
                        Some(Link::Connecting(_) | Link::Probing(_)) | None => None,
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

    fn on_frame(&mut self, link: LinkId, from: Option<NodeId>, kind: u16, body: Vec<u8>) {
        // A session gives frames only after `Up`, which named the peer.
        if let Some(from) = from {
            let message = Envelope::sealed(link, kind, body.into());
            self.node
                .handle_input(self.now, Input::Message { from, message });
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
                Output::Send { message, .. } => self.send(&message),
                Output::Event(Event::Link(output)) => self.on_link_output(output),
                Output::Event(Event::Host(output)) => {
                    self.outputs.push_back(EndpointOutput::Host(output));
                }
            }
        }
    }

    fn send(&mut self, message: &Envelope) {
        let link = message.link();
        let Some(Link::Open { session, .. }) = self.links.get_mut(&link) else {
            self.unsent = self.unsent.saturating_add(1);
            return;
        };
        match session.send(message.class(), message.kind(), message.encode()) {
            Ok(()) => self.offer(link),
            Err(SendError::Full {
                class: Class::Critical,
            }) => {
                // Critical messages are small: where 1 MiB of them waits, the link does not move,
                // and dropping probes would make live peers look dead. The session has an event
                // now, so it is due at once, and `handle_timeout` drains it.
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

    fn on_link_output(&mut self, output: LinkOutput) {
        match output {
            LinkOutput::Dial(dial) => {
                let link = self.number_link();
                let address = dial.address.clone();
                self.links.insert(link, Link::Connecting(dial));
                self.outputs
                    .push_back(EndpointOutput::Connect { link, address });
            }
            LinkOutput::Probe { dial, address } => {
                let link = self.number_link();
                self.links.insert(link, Link::Probing(dial));
                self.outputs
                    .push_back(EndpointOutput::Connect { link, address });
            }
            LinkOutput::Key { link, key } => {
                if let Some(Link::Open { session, .. }) = self.links.get_mut(&link) {
                    // This may run within `drain_session` of the same link, which looks it up anew.
                    session.provide_key(self.now, key);
                    self.drain_session(link);
                }
            }
            LinkOutput::Close { link, reason } => self.on_close(link, reason),
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

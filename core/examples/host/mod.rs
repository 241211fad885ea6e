//! The half of a host that needs no runtime: clock, store, framing.
//!
//! The examples `blocking` and `tokio` share it. Bytes of connections go in; what to do with
//! connections comes out. The store is in memory: a node that ends is forgotten.
#![expect(clippy::disallowed_types, reason = "a host has the clocks")]
pub(crate) mod story;

use sporenet_core::kernel::{address::*, id::*, store::MemoryStore, text::Name, time::*};
use sporenet_core::membership::join_link::JoinLink;
use sporenet_core::node::endpoint::{Endpoint, EndpointInput as In, EndpointOutput as Out};
use sporenet_core::node::{config::Config, contract::*, setup::Setup};
use sporenet_core::wire::length::{LengthDecoder, length_prefixed};
use sporenet_core::wire::{close::CloseReason, session::LINK_MESSAGE_BYTES_MAX};
use std::{collections::BTreeMap, error::Error, net::SocketAddr, time::Instant, time::SystemTime};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What a node's owner does with it, after every input.
pub(crate) type Story = Box<dyn FnMut(&mut Host) -> Result<(), Failure> + Send>;

/// What the runtime does with a connection.
pub(crate) enum Action {
    Connect(LinkId, Address),
    Write(LinkId, Vec<u8>),
    Close(LinkId),
}

pub(crate) struct Host {
    pub(crate) node: Endpoint,
    pub(crate) reply: Option<Reply>,
    begun: Instant,
    store: MemoryStore,
    streams: BTreeMap<LinkId, LengthDecoder>,
}

impl Host {
    /// A relay that others reach at an address. Without a join link it founds a network.
    pub(crate) fn start(
        name: &str,
        at: SocketAddr,
        join: Option<JoinLink>,
    ) -> Result<Self, Failure> {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy)?;
        let config = Config::new(Role::Relay, Name::new(name)?);
        let mut setup = Setup::new(config, entropy, wall());
        setup.config.addresses.push(format!("tcp://{at}").parse()?);
        setup.join = join;
        Ok(Self {
            node: Endpoint::start(setup, Time::ZERO)?,
            reply: None,
            begun: Instant::now(),
            store: MemoryStore::default(),
            streams: BTreeMap::new(),
        })
    }

    fn now(&self) -> Time {
        Time::ZERO + self.begun.elapsed()
    }

    fn feed(&mut self, input: In) {
        self.node.handle_input(self.now(), input);
    }

    /// Tells the node something that is not about connections.
    pub(crate) fn tell(&mut self, input: impl Into<HostInput>) {
        self.feed(In::Host(input.into()));
    }

    /// Takes bytes of a connection; none when it has ended.
    pub(crate) fn receive(&mut self, link: LinkId, mut bytes: &[u8]) {
        if bytes.is_empty() {
            self.end(link);
        }
        let new = || LengthDecoder::new(LINK_MESSAGE_BYTES_MAX);
        while !bytes.is_empty() {
            let stream = self.streams.entry(link).or_insert_with(new);
            bytes = bytes.get(stream.push(bytes)..).unwrap_or_default();
            match stream.next() {
                Ok(Some(message)) => self.feed(In::Received {
                    link,
                    message: message.into(),
                }),
                Ok(None) => {}
                Err(_) => return self.end(link),
            }
        }
    }

    /// Someone opened a connection; `None` if there are too many.
    pub(crate) fn accept(&mut self) -> Option<LinkId> {
        self.node.accept(self.now())
    }

    pub(crate) fn opened(&mut self, link: LinkId) {
        self.feed(In::Opened { link });
    }

    /// A connection has ended, or could not be opened.
    pub(crate) fn end(&mut self, link: LinkId) {
        self.streams.remove(&link);
        self.feed(In::Ended {
            link,
            reason: CloseReason::Lost,
        });
    }

    /// Drains the node: serves its store, keeps its reply, passes on what is for connections.
    pub(crate) fn next(&mut self) -> Option<Action> {
        loop {
            match self.node.poll_output()? {
                Out::Connect { link, address } => return Some(Action::Connect(link, address)),
                Out::Transmit { link, message } => {
                    return Some(Action::Write(link, length_prefixed(&message)));
                }
                Out::Disconnect { link, reason: _ } => return Some(Action::Close(link)),
                Out::Host(HostOutput::Store(StoreOutput::Persist(batch))) => {
                    self.store.apply(&batch.ops);
                    self.tell(StoreInput::Persisted(batch.ticket));
                }
                Out::Host(HostOutput::Store(StoreOutput::Load { ticket, sequences })) => {
                    let records = self.store.load(&sequences);
                    self.tell(StoreInput::Loaded { ticket, records });
                }
                Out::Host(HostOutput::Reply { id: _, reply }) => self.reply = Some(reply),
                Out::Host(
                    HostOutput::Changed(_) | HostOutput::Notice(_) | HostOutput::Notify(_),
                ) => {}
            }
        }
    }

    /// How long to wait for something to happen: until the deadline, at most a second.
    pub(crate) fn wait(&self) -> Duration {
        let second = self.now() + Duration::from_secs(1);
        self.node
            .poll_timeout()
            .unwrap_or(second)
            .min(second)
            .since(self.now())
    }

    /// Runs the timers that are due, and tells the wall clock.
    pub(crate) fn tick(&mut self) {
        self.node.handle_timeout(self.now());
        self.tell(Signal::WallClock(wall()));
    }
}

fn wall() -> WallTime {
    WallTime::from_millis(millis(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()))
}

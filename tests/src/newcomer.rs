//! A real node of our own over real sockets, many at once in one process: its disk is memory.

use crate::stranger::entropy;
use sporenet_core::{
    kernel::{
        address::Address,
        id::{LinkId, Role},
        store::Stored,
        text::Name,
        time::{Time, WallTime},
    },
    membership::join_link::JoinLink,
    node::{
        config::Config,
        contract::{HostOutput, Notice, Signal, StoreInput, StoreOutput},
        endpoint::{Endpoint, EndpointInput, EndpointOutput},
        setup::Setup,
    },
    wire::{
        close::CloseReason,
        length::{LengthDecoder, length_prefixed},
        session::LINK_MESSAGE_BYTES_MAX,
    },
};
use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What came of an attempt to join.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Whether it was let in.
    pub admitted: bool,
    /// The codes and texts of its timeline.
    pub timeline: Vec<String>,
}

struct Socket {
    stream: TcpStream,
    decoder: LengthDecoder,
}

struct Newcomer {
    endpoint: Endpoint,
    start: Instant,
    sockets: BTreeMap<LinkId, Socket>,
    attempt: Attempt,
}

/// Joins by a link and goes on until it was let in, its timeline speaks of `word`, or `limit` is over.
///
/// # Panics
/// When the link is none, or the node can't start.
#[must_use]
pub fn join(link: &str, name: &str, word: &str, limit: Duration) -> Attempt {
    let mut newcomer = Newcomer::start(link, name);
    while newcomer.start.elapsed() < limit
        && !newcomer.attempt.admitted
        && !newcomer
            .attempt
            .timeline
            .iter()
            .any(|entry| entry.contains(word))
    {
        newcomer.turn();
    }
    newcomer.attempt
}

/// Joins by a link and stays a member until it is told to stop.
///
/// # Panics
/// As [`join`].
pub fn stay(link: &str, name: &str, stop: &AtomicBool) {
    let mut newcomer = Newcomer::start(link, name);
    while !stop.load(Ordering::Relaxed) {
        newcomer.turn();
    }
}

impl Newcomer {
    fn start(link: &str, name: &str) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970");
        let wall = WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let link: JoinLink = link.parse().expect("a join link");
        let setup = Setup {
            may_found: true,
            config: Config {
                role: Role::Relay,
                name: Name::new(name).expect("a name"),
                zone: None,
                location: None,
                addresses: Vec::new(),
                version: "0".into(),
                network_name: Name::new("none").expect("a name"),
                entries: Vec::new(),
                history_bytes_max: 0,
            },
            entropy: entropy(),
            wall,
            stored: Stored::default(),
            join: Some(link),
        };
        let mut newcomer = Self {
            endpoint: Endpoint::start(setup, Time::ZERO).expect("a newcomer starts"),
            start: Instant::now(),
            sockets: BTreeMap::new(),
            attempt: Attempt::default(),
        };
        newcomer.input(EndpointInput::Host(Signal::WallClock(wall).into()));
        newcomer
    }

    fn now(&self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    fn input(&mut self, input: EndpointInput) {
        self.endpoint.handle_input(self.now(), input);
        self.drain();
    }

    fn turn(&mut self) {
        let links: Vec<LinkId> = self.sockets.keys().copied().collect();
        let heard: Vec<bool> = links.into_iter().map(|link| self.listen(link)).collect();
        if self
            .endpoint
            .poll_timeout()
            .is_some_and(|due| due <= self.now())
        {
            self.endpoint.handle_timeout(self.now());
            self.drain();
        }
        if !heard.contains(&true) {
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Takes what one socket brought; whether it brought anything.
    fn listen(&mut self, link: LinkId) -> bool {
        let Some(socket) = self.sockets.get_mut(&link) else {
            return false;
        };
        let mut buffer = [0; 16 * 1024];
        let read = match socket.stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Ok(0) | Err(_) => {
                self.sockets.remove(&link);
                self.input(EndpointInput::Ended {
                    link,
                    reason: CloseReason::Lost,
                });
                return true;
            }
            Ok(read) => read,
        };
        let mut bytes = &buffer[..read];
        while let Some(socket) = self.sockets.get_mut(&link) {
            let taken = socket.decoder.push(bytes);
            bytes = &bytes[taken..];
            let Ok(Some(message)) = socket.decoder.next() else {
                break;
            };
            self.input(EndpointInput::Received {
                link,
                message: message.into(),
            });
        }
        true
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            let input = match output {
                EndpointOutput::Connect { link, address } => Some(self.connect(link, &address)),
                EndpointOutput::Transmit { link, message } => {
                    if let Some(socket) = self.sockets.get_mut(&link) {
                        let _ = socket.stream.write_all(&length_prefixed(&message));
                    }
                    None
                }
                EndpointOutput::Disconnect { link, .. } => {
                    self.sockets.remove(&link);
                    None
                }
                EndpointOutput::Host(HostOutput::Store(StoreOutput::Persist(batch))) => {
                    let persisted = StoreInput::Persisted(batch.ticket);
                    Some(EndpointInput::Host(persisted.into()))
                }
                EndpointOutput::Host(HostOutput::Notice(entry)) => {
                    self.attempt.admitted |= entry.notice == Notice::Joined;
                    let told = self.endpoint.node().describe(&entry);
                    let line = format!("{}: {}", told.code, told.text);
                    self.attempt.timeline.push(line);
                    None
                }
                EndpointOutput::Host(_) => None,
            };
            if let Some(input) = input {
                self.endpoint.handle_input(self.now(), input);
            }
        }
    }

    fn connect(&mut self, link: LinkId, address: &Address) -> EndpointInput {
        let place = (address.host(), address.port())
            .to_socket_addrs()
            .ok()
            .and_then(|mut all| all.next());
        let stream = place.and_then(|place| TcpStream::connect(place).ok());
        let Some(stream) = stream.filter(|stream| stream.set_nonblocking(true).is_ok()) else {
            return EndpointInput::Ended {
                link,
                reason: CloseReason::ConnectionRefused,
            };
        };
        let decoder = LengthDecoder::new(LINK_MESSAGE_BYTES_MAX);
        self.sockets.insert(link, Socket { stream, decoder });
        EndpointInput::Opened { link }
    }
}

//! A bad path on loopback: a TCP proxy before one relay. It may treat what one process dials unlike the rest, so
//! that only the path between two relays is bad.
//!
//! | fault | what the ends see |
//! |---|---|
//! | slices, delay, bandwidth | the same bytes, in small pieces, later, slowly |
//! | a flipped bit | one bit of the stream differs |
//! | stalled | nothing, as while all packets are lost; then everything |
//! | half-open | nothing, and never again on this connection; what they send is taken |
//! | broken off | a reset or an orderly end; a new connection is reset while the path is cut |

use crate::relay::free_address;
use nix::{
    libc::linger,
    sys::socket::{setsockopt, sockopt::Linger},
};
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often a pump looks what has changed while nothing comes.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How long an end may take nothing before its connection is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// The most pieces on their way in one direction of a connection; then nothing is taken before one has arrived.
const PIECES_MAX: usize = 256;

/// What the path does to connections and bytes from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// How much later each piece comes.
    pub delay: Duration,
    /// The most bytes written at once; 0 for as many as came.
    pub slice_bytes: usize,
    /// The most bytes a second, each way; 0 for no limit.
    pub bytes_per_second: u32,
    /// Whether anything passes.
    pub passage: Passage,
}

/// Whether anything passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    #[default]
    Open,
    /// Nothing now, everything later.
    Stalled,
    /// Nothing, and never again on those connections that are there: they are half-open.
    HalfOpen,
    /// No connection is kept: those that come are reset.
    Cut,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a reset (RST).
    Reset,
    /// In order (FIN).
    Finish,
}

/// The proxy; it ends with all its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    path: Mutex<Path>,
    /// Paths of single diallers, by their process.
    paths_from: Mutex<BTreeMap<u32, Path>>,
    connections: Mutex<Vec<Arc<Connection>>>,
    stopped: AtomicBool,
    accepted: AtomicU64,
    flips_wanted: AtomicU64,
    flips_done: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    dialler: TcpStream,
    relay: TcpStream,
    origin: Origin,
    ended: AtomicBool,
    half_open: AtomicBool,
    flipped: AtomicBool,
}

impl Proxy {
    /// A path to a relay, which need not listen yet.
    ///
    /// # Panics
    /// When there is no port or thread for it.
    #[must_use]
    pub fn before(target: SocketAddr) -> Self {
        let address = free_address();
        let listener = TcpListener::bind(address).expect("a free address can be bound");
        let shared = Arc::new(Shared {
            target,
            path: Mutex::default(),
            paths_from: Mutex::default(),
            connections: Mutex::default(),
            stopped: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            flips_wanted: AtomicU64::new(0),
            flips_done: AtomicU64::new(0),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.accept(&listener))
        };
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Changes the path, for connections that are there too.
    pub fn set(&self, path: Path) {
        *lock(&self.shared.path) = path;
    }

    /// Changes the path of what one process dials; other processes keep theirs.
    pub fn set_from(&self, process: u32, path: Path) {
        lock(&self.shared.paths_from).insert(process, path);
    }

    /// Changes whether anything passes.
    pub fn set_passage(&self, passage: Passage) {
        lock(&self.shared.path).passage = passage;
    }

    /// Ends all connections that are there; answers how many.
    ///
    /// # Panics
    /// When a socket refuses to be set up for a reset.
    pub fn end_all(&self, how: End) -> usize {
        let connections = std::mem::take(&mut *lock(&self.shared.connections));
        let running = connections
            .iter()
            .filter(|connection| !connection.is_ended());
        running.map(|connection| connection.end(how)).count()
    }

    /// How many connections are there.
    #[must_use]
    pub fn live(&self) -> usize {
        let connections = lock(&self.shared.connections);
        connections.iter().filter(|each| !each.is_ended()).count()
    }

    /// How many connections are there and half-open.
    #[must_use]
    pub fn half_open(&self) -> usize {
        let connections = lock(&self.shared.connections);
        let half_open =
            |each: &&Arc<Connection>| each.half_open.load(Ordering::SeqCst) && !each.is_ended();
        connections.iter().filter(half_open).count()
    }

    /// Flips a bit in the next piece that passes, whichever way it goes.
    pub fn flip(&self) {
        self.shared.flips_wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// How many bits were flipped so far.
    #[must_use]
    pub fn flipped(&self) -> u64 {
        self.shared.flips_done.load(Ordering::SeqCst)
    }

    /// How many connections go on although a bit was flipped in them.
    #[must_use]
    pub fn damaged(&self) -> usize {
        let connections = lock(&self.shared.connections);
        let goes_on =
            |each: &&Arc<Connection>| each.flipped.load(Ordering::SeqCst) && !each.is_ended();
        connections.iter().filter(goes_on).count()
    }

    /// How many connections came so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.end_all(End::Finish);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut pumps = Vec::new();
        while let Ok((dialler, _)) = listener.accept() {
            if self.stopped.load(Ordering::SeqCst) {
                break;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let Ok(origin) = Origin::of(&dialler) else {
                continue;
            };
            let cut = self.path(&origin).passage == Passage::Cut;
            let relay = (!cut).then(|| TcpStream::connect(self.target));
            let Some(Ok(relay)) = relay else {
                // Nobody listens there, or nobody is to be reached.
                reset_when_dropped(&dialler);
                continue;
            };
            let Ok(connection) = Connection::new(dialler, relay, origin) else {
                continue;
            };
            let connection = Arc::new(connection);
            lock(&self.connections).push(Arc::clone(&connection));
            for up in [true, false] {
                let (shared, connection) = (Arc::clone(self), Arc::clone(&connection));
                pumps.push(thread::spawn(move || shared.pump(&connection, up)));
            }
        }
        for pump in pumps {
            drop(pump.join());
        }
    }

    fn path(&self, origin: &Origin) -> Path {
        let paths = lock(&self.paths_from);
        let own = if paths.is_empty() {
            None
        } else {
            origin.process().and_then(|process| paths.get(&process))
        };
        own.copied().unwrap_or_else(|| *lock(&self.path))
    }

    /// Carries bytes one way until an end is gone.
    fn pump(&self, connection: &Connection, up: bool) {
        let (mut from, mut to) = if up {
            (&connection.dialler, &connection.relay)
        } else {
            (&connection.relay, &connection.dialler)
        };
        let mut buffer = vec![0; PIECE_BYTES_MAX];
        let mut late: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        while !connection.is_ended() && !self.stopped.load(Ordering::SeqCst) {
            let path = self.path(&connection.origin);
            match path.passage {
                Passage::Open => {}
                Passage::Stalled => {
                    pause(LOOK_INTERVAL);
                    continue;
                }
                Passage::HalfOpen => connection.half_open.store(true, Ordering::SeqCst),
                Passage::Cut => return connection.end(End::Reset),
            }
            if connection.half_open.load(Ordering::SeqCst) {
                late.clear();
            }
            if deliver(&mut late, path, &mut to).is_err() {
                return connection.end(End::Reset);
            }
            if late.len() >= PIECES_MAX {
                pause(LOOK_INTERVAL);
                continue;
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => {
                    if let Some((last, _)) = late.back() {
                        pause(last.saturating_duration_since(Instant::now()));
                    }
                    // Whether or not the rest arrives: it ends.
                    let _ = deliver(&mut late, path, &mut to);
                    return connection.end(End::Finish);
                }
                Ok(read) => read,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(_) => return connection.end(End::Reset),
            };
            if connection.half_open.load(Ordering::SeqCst) {
                continue;
            }
            let piece = &mut buffer[..read];
            self.flip_if_wanted(connection, piece);
            late.push_back((Instant::now() + path.delay, piece.to_vec()));
        }
    }

    fn flip_if_wanted(&self, connection: &Connection, piece: &mut [u8]) {
        let one_less = |wanted: u64| wanted.checked_sub(1);
        let wanted = self
            .flips_wanted
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if wanted.is_ok() {
            connection.flipped.store(true, Ordering::SeqCst);
            // Each time somewhere else, so that lengths, bodies and tags are all hit.
            let done = self.flips_done.fetch_add(1, Ordering::SeqCst);
            let at = (done as usize).wrapping_mul(31) % piece.len();
            piece[at] ^= 1 << (done % 8);
        }
    }
}

/// Hands over the pieces that have been on their way for long enough.
fn deliver(
    late: &mut VecDeque<(Instant, Vec<u8>)>,
    path: Path,
    to: &mut &TcpStream,
) -> io::Result<()> {
    while late.front().is_some_and(|(due, _)| *due <= Instant::now())
        && let Some((_, piece)) = late.pop_front()
    {
        let slice_bytes = match path.slice_bytes {
            0 => piece.len(),
            bytes => bytes,
        };
        for slice in piece.chunks(slice_bytes) {
            to.write_all(slice)?;
        }
        if path.bytes_per_second > 0 {
            let seconds = piece.len() as f64 / f64::from(path.bytes_per_second);
            pause(Duration::from_secs_f64(seconds));
        }
    }
    Ok(())
}

/// Who dialled, by both ends of its connection.
#[derive(Debug)]
struct Origin {
    from: SocketAddr,
    to: SocketAddr,
    process: OnceLock<Option<u32>>,
}

impl Origin {
    fn of(dialler: &TcpStream) -> io::Result<Self> {
        Ok(Self {
            from: dialler.peer_addr()?,
            to: dialler.local_addr()?,
            process: OnceLock::new(),
        })
    }

    /// The process, looked for once; `None` where the system does not tell.
    fn process(&self) -> Option<u32> {
        *self.process.get_or_init(|| {
            let socket = format!("socket:[{}]", inode(self.from, self.to)?);
            let processes = fs::read_dir("/proc").ok()?.flatten();
            let mut processes =
                processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
            processes.find(|process| holds(*process, &socket))
        })
    }
}

/// The inode of the socket of this machine that dialled from one address to another.
///
/// Source: the manual page proc_pid_net(5), `tcp`.
fn inode(from: SocketAddr, to: SocketAddr) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let [from, to] = [from, to].map(|end| format!(":{:04X}", end.port()));
    let mut lines = table.lines().map(|line| line.split_whitespace().collect());
    lines.find_map(|words: Vec<&str>| {
        let is_it = words.get(1)?.ends_with(&from) && words.get(2)?.ends_with(&to);
        is_it.then(|| words.get(9).map(ToString::to_string))?
    })
}

fn holds(process: u32, socket: &str) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    let mut open = open.flatten().map(|entry| fs::read_link(entry.path()));
    open.any(|link| link.is_ok_and(|link| link.as_os_str() == socket))
}

impl Connection {
    fn new(dialler: TcpStream, relay: TcpStream, origin: Origin) -> io::Result<Self> {
        for stream in [&dialler, &relay] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK_INTERVAL))?;
            stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        }
        Ok(Self {
            dialler,
            relay,
            origin,
            ended: AtomicBool::new(false),
            half_open: AtomicBool::new(false),
            flipped: AtomicBool::new(false),
        })
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// The pumps leave, and the sockets are closed with the last of them.
    fn end(&self, how: End) {
        for stream in [&self.dialler, &self.relay] {
            match how {
                End::Reset => reset_when_dropped(stream),
                // An end that is gone already needs no goodbye.
                End::Finish => drop(stream.shutdown(Shutdown::Both)),
            }
        }
        self.ended.store(true, Ordering::SeqCst);
    }
}

/// A socket that lingers for no time is closed with a reset.
fn reset_when_dropped(stream: &TcpStream) {
    let now = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // Fails only for a socket that is gone already.
    let _ = setsockopt(stream, Linger, &now);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets time pass on the path.
fn pause(span: Duration) {
    let start = Instant::now();
    while let Some(rest) = span
        .checked_sub(start.elapsed())
        .filter(|rest| !rest.is_zero())
    {
        thread::park_timeout(rest);
    }
}

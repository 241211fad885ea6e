//! Links: sockets on one side, typed messages for the core on the other.
//!
//! | file | what lives there |
//! |---|---|
//! | `listener` | one port for TCP links, WebSocket links and HTTP, told apart by the first byte |
//! | `peek` | that first byte |
//! | `tcp`, `ws` | how messages travel on each transport |
//! | `task` | one link: its session, its queues, its end |
//! | `dial` | connecting to a relay |
//! | `race` | all addresses of a name, raced |
//! | `tls` | TLS below WebSocket links and HTTP |
//!
//! A link's task owns its session: encryption, framing, decoding and signature checks happen there,
//! on any core of the machine. The core task gets typed messages through one bounded channel.

pub(crate) mod dial;
pub(crate) mod listener;
pub(crate) mod peek;
pub(crate) mod race;
pub(crate) mod task;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod ws;

use crate::{clock::Clock, driver::Handle};
use sporenet_core::{kernel::crypto::Secret, node::envelope::Envelope, wire::close::CloseReason};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// The most messages from the core that wait for a link's task; a full queue ends the link. The task
/// moves them at once into the session's queues, which are bounded in bytes by priority class.
pub(crate) const OUTGOING_MAX: usize = 1_024;
/// What a connection may send before it has proved who it is, in bytes.
pub(crate) const PREAUTH_BYTES_MAX: usize = 64 << 10;
/// How long a connection may take to say its first byte. Together with what follows, a stranger is
/// gone within 10 s.
pub(crate) const FIRST_BYTE_PATIENCE: Duration = Duration::from_secs(3);
/// How long an HTTP request's header may take.
pub(crate) const HEADER_PATIENCE: Duration = Duration::from_secs(6);
/// How long a connection may take to prove who it is.
pub(crate) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(9);

/// A host as resolvers and certificates have it: an IPv6 address without its brackets.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// What the core tells a link's task.
#[derive(Debug)]
pub(crate) enum ToLink {
    /// Say this to the peer.
    Message(Box<Envelope>),
    /// The answer to `KeyWanted`.
    Key(Result<Secret, CloseReason>),
    /// Tell the peer why, flush, and end.
    Close(CloseReason),
}

/// The receiving half of a connection.
pub(crate) trait Receive: Send {
    /// The next message. Cancelling it loses nothing.
    fn receive(&mut self) -> impl Future<Output = Result<Vec<u8>, CloseReason>> + Send;

    /// The peer has proved who it is: the limit on what it may send is lifted.
    fn trust(&mut self);
}

/// The sending half of a connection.
pub(crate) trait Transmit: Send + 'static {
    /// Sends messages and flushes.
    fn transmit(&mut self, messages: Vec<Vec<u8>>) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends the connection towards the peer.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
}

/// How much a connection may still send before it has proved who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(Option<usize>);

impl Budget {
    /// The whole of it.
    pub(crate) const fn new() -> Self {
        Self(Some(PREAUTH_BYTES_MAX))
    }

    /// Lifts the limit.
    pub(crate) const fn lift(&mut self) {
        self.0 = None;
    }

    /// Takes received bytes into account.
    ///
    /// # Errors
    /// `Oversized` when they are more than is left.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), CloseReason> {
        if let Some(left) = &mut self.0 {
            // Refused as a whole: what came with the excess is not looked at.
            *left = left.checked_sub(bytes).ok_or(CloseReason::Oversized)?;
        }
        Ok(())
    }
}

/// What every link's task needs.
#[derive(Clone, Debug)]
pub(crate) struct LinkContext {
    /// The core task.
    pub(crate) core: Handle,
    /// The clock.
    pub(crate) clock: Clock,
    /// Connections that have not proved who they are.
    pub(crate) handshakes: Arc<Semaphore>,
    /// How TLS addresses are dialled.
    pub(crate) tls: tls::Dialling,
    /// What the links count.
    pub(crate) counters: Arc<Counters>,
    /// Messages that wait in the links' queues, counted every second.
    pub(crate) queued: Arc<AtomicU64>,
}

/// What links and listener count, for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections accepted.
    pub(crate) accepted: AtomicU64,
    /// Connections turned away for want of room.
    pub(crate) turned_away: AtomicU64,
    /// Accepts that failed, for example for want of file descriptors.
    pub(crate) accept_failed: AtomicU64,
    /// Frames of a kind that this version does not know.
    pub(crate) unknown_frames: AtomicU64,
    /// Messages that a link's full queue dropped.
    pub(crate) sends_dropped: AtomicU64,
    /// Links ended because their queue stayed full.
    pub(crate) overloaded: AtomicU64,
    /// Bytes of link messages received.
    pub(crate) link_bytes_received: AtomicU64,
    /// Bytes of link messages sent.
    pub(crate) link_bytes_sent: AtomicU64,
    /// HTTP connections closed because their peer took no bytes.
    pub(crate) http_stalled: AtomicU64,
    /// HTTP connections of strangers closed because newer ones needed the place.
    pub(crate) http_displaced: AtomicU64,
    /// HTTP requests.
    pub(crate) requests: AtomicU64,
    /// HTTP requests refused by Host, Origin or token.
    pub(crate) requests_refused: AtomicU64,
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts the bytes of a message.
pub(crate) fn count_bytes(counter: &AtomicU64, message: &[u8]) {
    counter.fetch_add(
        u64::try_from(message.len()).unwrap_or(u64::MAX),
        Ordering::Relaxed,
    );
}

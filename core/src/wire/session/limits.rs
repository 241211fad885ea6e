//! What a session is given, what it may cost, and what it tells its owner.

use crate::{
    kernel::{
        crypto::Keypair,
        id::{Incarnation, InstanceId, NetworkId, Role},
    },
    wire::{
        class::Class,
        close::CloseReason,
        frame::HEADER_BYTES_MAX,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
        noise::{NOISE_BYTES_MAX, TAG_BYTES},
    },
};
use alloc::vec::Vec;
use core::{fmt, time::Duration};

/// The newest protocol version that this code speaks.
pub const VERSION: u16 = 1;

/// The oldest and the newest.
pub const VERSIONS: (u16, u16) = (1, 1);

/// The most bytes of one link message: a tag byte and the longest Noise message. What a host hands
/// to a session, and what a length prefix announces, is never more.
pub const LINK_MESSAGE_BYTES_MAX: u32 = NOISE_BYTES_MAX + 1;

/// The most bytes of one link message before authentication. The longest honest one is the proof of
/// identity, with about 270.
pub const HANDSHAKE_MESSAGE_BYTES_MAX: u32 = 1_024;

/// The largest fragment that still fits one Noise message with its header.
pub const FRAGMENT_BYTES_CEILING: u32 = NOISE_BYTES_MAX - TAG_BYTES - HEADER_BYTES_MAX;

/// What one session may cost. Both sides have their own; the longest body is settled in the
/// handshake as the smaller of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// The longest body sent or accepted, in bytes; default 512 KiB. It must hold the largest value
    /// (256 KiB) with its batch. Too small: peers are told `TooLarge` and large values never travel;
    /// too large: a peer can make this node hold four bodies of that size per link. Sensible: 300 KiB
    /// to 4 MiB.
    pub message_bytes_max: u32,
    /// Bytes waiting to be sent, per class, most urgent first, headers included; default 1, 1, 2 and
    /// 2 MiB. A body over it is refused with `Full` and counted. Each should hold at least one body
    /// of `message_bytes_max`, or such bodies are `TooLarge` in that class. Too small: bursts are
    /// refused; too large: a slow peer costs that much memory and its data are that old.
    pub queue_bytes_max: [u32; 4],
    /// Bytes received and not yet polled by the owner, 64 per event included; default 4 MiB. Over it
    /// the link closes with `Overload`. An owner that polls after every message needs about four
    /// times `message_bytes_max`.
    pub inbox_bytes_max: u32,
    /// How long a handshake may take, from the session's construction to the proof of identity;
    /// default 10 s. Too short: slow links and throttled tabs never get in; too long: strangers hold
    /// connections for free.
    pub handshake_patience: Duration,
    /// Bytes accepted before the proof of identity; default 64 KiB. An honest handshake takes less
    /// than 1 KiB. Over it the link closes with `Oversized`.
    pub preauth_bytes_max: u32,
    /// The longest fragment sent, in bytes; default 16 KiB, from 1 to [`FRAGMENT_BYTES_CEILING`]
    /// (what is outside is brought inside). A critical message waits behind at most one fragment:
    /// 16 KiB take 131 ms at 1 Mbit/s. Too small: overhead (25 bytes per fragment); too large:
    /// heartbeats wait. It need not be the same on both sides.
    pub fragment_bytes_max: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 512 << 10,
            queue_bytes_max: [1 << 20, 1 << 20, 2 << 20, 2 << 20],
            inbox_bytes_max: 4 << 20,
            handshake_patience: Duration::from_secs(10),
            preauth_bytes_max: 64 << 10,
            fragment_bytes_max: 16 << 10,
        }
    }
}

impl SessionLimits {
    /// Whether the limits make sense together.
    ///
    /// # Errors
    /// The name of the first field that does not, with the reason.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.message_bytes_max == 0 {
            return Err("message_bytes_max must not be 0");
        }
        let longest = self.message_bytes_max.saturating_add(HEADER_BYTES_MAX);
        // Else the longest body could be queued in some classes and never in others.
        if self.queue_bytes_max.iter().any(|bytes| *bytes < longest) {
            return Err("queue_bytes_max must hold message_bytes_max and a header in each class");
        }
        // One message can hold the last fragments of a body in each of the four classes.
        if u64::from(self.inbox_bytes_max) < u64::from(longest).saturating_mul(4) {
            return Err("inbox_bytes_max must be at least four times message_bytes_max");
        }
        if self.handshake_patience.is_zero() {
            return Err("handshake_patience must not be 0");
        }
        if self.preauth_bytes_max < HANDSHAKE_MESSAGE_BYTES_MAX {
            return Err("preauth_bytes_max must be at least 1024");
        }
        if self.fragment_bytes_max == 0 || self.fragment_bytes_max > FRAGMENT_BYTES_CEILING {
            return Err("fragment_bytes_max must be from 1 to 65507");
        }
        Ok(())
    }
}

/// Who this node is in a session, and how it behaves in it.
#[derive(Clone, Debug)]
pub struct SessionParams {
    /// The network that both sides must belong to.
    pub network: NetworkId,
    /// This node's identity.
    pub keypair: Keypair,
    /// Its incarnation when the link opens.
    pub incarnation: Incarnation,
    /// Its process.
    pub instance: InstanceId,
    /// Relay or tab.
    pub role: Role,
    /// The oldest and the newest protocol version it speaks; normally [`VERSIONS`].
    pub versions: (u16, u16),
    /// The features it has; the session settles on those that both sides have.
    pub features: u64,
    /// What the session may cost.
    pub limits: SessionLimits,
}

/// Why a body was not taken for sending. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The class's queue is full; its lower classes may have room.
    Full {
        /// Which class.
        class: Class,
    },
    /// The body is longer than this side sends, the peer accepts, or the class's queue holds.
    TooLarge,
    /// The session is not up, or not any more.
    NotUp,
    /// Kind 0 is the session's own.
    ReservedKind,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full { .. } => "the send queue of the class is full",
            Self::TooLarge => "the message is larger than the link carries",
            Self::NotUp => "the link is not up",
            Self::ReservedKind => "frame kind 0 is reserved for the session",
        })
    }
}

impl core::error::Error for SendError {}

/// What a session tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A responder wants the key for this hint; answer with
    /// [`provide_key`](crate::wire::session::Session::provide_key).
    KeyWanted(KeyHint),
    /// The peer proved who it is; bodies flow from now on.
    Up {
        /// Who it is.
        peer: PeerIdentity,
        /// The invite under whose key the handshake ran, if it was not the isolation key; on both
        /// sides.
        invitation: Option<Invitation>,
    },
    /// A whole body arrived.
    Frame {
        /// Which machine's enum it is; never 0, and perhaps not known here.
        kind: u16,
        /// Its bytes.
        body: Vec<u8>,
    },
    /// The session is over; the last event, and exactly once.
    Closed(CloseReason),
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Link messages received.
    pub messages_in: u64,
    /// Link messages handed out.
    pub messages_out: u64,
    /// Bytes of link messages received.
    pub bytes_in: u64,
    /// Bytes of link messages handed out.
    pub bytes_out: u64,
    /// Whole bodies received.
    pub bodies_in: u64,
    /// Whole bodies sent.
    pub bodies_out: u64,
    /// Frames received, fragments counted one by one.
    pub frames_in: u64,
    /// Frames sent, fragments counted one by one.
    pub frames_out: u64,
    /// Bodies refused with `Full`, per class, most urgent first.
    pub refused_full: [u64; 4],
    /// Bodies refused with `TooLarge`.
    pub refused_large: u64,
    /// Bodies that were queued and dropped because the session closed first.
    pub dropped: u64,
    /// Keys replaced, both directions together.
    pub rekeys: u64,
}

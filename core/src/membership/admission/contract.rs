//! What goes into admission and what comes out: credentials, messages, commands, events, counters.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Secret,
        id::{LinkId, NetworkId, NodeId, RequestId, Role},
        persist::{Persist, PersistFailed, Persisted},
        time::WallTime,
    },
    membership::spore::Spore,
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
    },
};
use alloc::{format, string::String, vec::Vec};
use core::{fmt, time::Duration};
use serde::{Deserialize, Serialize};

/// The key of the stored genesis document.
pub const GENESIS_KEY: &str = "genesis";

/// What the keys of stored isolation keys begin with; the epoch follows in decimal.
pub const ISOLATION_PREFIX: &str = "isolation/";

/// The shortest life of an invite.
pub const TTL_MIN: Duration = Duration::from_secs(1);

/// The longest life of an invite.
pub const TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The key under which the isolation key of an epoch is stored; its value is the 32 bytes.
#[must_use]
pub fn isolation_key_name(epoch: u32) -> String {
    format!("{ISOLATION_PREFIX}{epoch}")
}

/// Who a node is to admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The node.
    pub id: NodeId,
    /// Only relays issue invites.
    pub role: Role,
    /// The network that it belongs to, or wants to join.
    pub network: NetworkId,
}

/// What a node has to show, of what was stored or given to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The isolation key with its epoch; without it the node is a newcomer.
    pub isolation: Option<(u32, Secret)>,
    /// The invite that it was given, with its key.
    pub invitation: Option<(Invitation, Secret)>,
    /// The signed genesis document.
    pub genesis: Option<Bytes>,
    /// The stored entries under [`INVITE_PREFIX`](super::INVITE_PREFIX).
    pub invites: Vec<(String, Bytes)>,
}

/// What admission says to a newcomer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Everything that makes the newcomer a member.
    Welcome {
        /// The network's signed genesis document.
        genesis: Bytes,
        /// The epoch of the isolation key.
        epoch: u32,
        /// The isolation key; only ever sent inside a session under an invite's key.
        isolation_key: Secret,
        /// Where to find the others.
        spore: Spore,
    },
}

/// What the node asks of admission and tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Issue an invite. Answered by `Issued` or `InviteRefused`.
    Invite {
        /// Comes back in the answer.
        request: RequestId,
        /// How long it is honoured, 1 s to 30 days.
        ttl: Duration,
        /// How many newcomers it lets in, 1 to 1 000; unlimited if `None`.
        uses_max: Option<u16>,
        /// Only for that role, or for both.
        role: Option<Role>,
    },
    /// A handshake wants the key for its hint. Answered by `Key`.
    KeyWanted {
        /// The link.
        link: LinkId,
        /// What the initiator says it can prove.
        hint: KeyHint,
    },
    /// A handshake under an invite's key succeeded. Answered by `Admit` or `Reject`, unless the link
    /// goes down first.
    Arrived {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerIdentity,
        /// The invite.
        invitation: Invitation,
    },
    /// A link that this node dialled under its own invite is up: its peer may welcome it.
    Entered {
        /// The link.
        link: LinkId,
        /// The peer.
        peer: NodeId,
    },
    /// A link is gone.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// What it asked to persist is durable.
    Persisted(Persisted),
    /// What it asked to persist was not kept.
    PersistFailed(PersistFailed),
    /// The pointers to hand to newcomers from now on.
    SporeChanged(Spore),
    /// The wall clock, about every second.
    WallClock(WallTime),
}

/// What admission tells the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An invite. If it is limited, its counter is durable.
    Issued {
        /// The request.
        request: RequestId,
        /// What it says of itself.
        invitation: Invitation,
        /// Its key.
        key: Secret,
    },
    /// No invite was issued.
    InviteRefused {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: InviteRefusal,
    },
    /// The answer to `KeyWanted`.
    Key {
        /// The link.
        link: LinkId,
        /// The key, or why there is none.
        key: Result<Secret, CloseReason>,
    },
    /// The newcomer is let in; its welcome was sent just before.
    Admit {
        /// Its link.
        link: LinkId,
        /// The newcomer.
        peer: PeerIdentity,
    },
    /// The newcomer is not let in: close the link.
    Reject {
        /// Its link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Make this durable: an invite, the genesis document or the isolation key.
    Persist(Persist),
    /// This node was let in, and what it was given is durable.
    Joined {
        /// The epoch of the isolation key, and the key.
        isolation: (u32, Secret),
        /// Where the others are, as heard from a peer.
        spore: Spore,
    },
    /// A peer broke the rules.
    Offence {
        /// Who.
        peer: NodeId,
        /// How.
        offence: Offence,
    },
}

/// Why no invite was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteRefusal {
    /// Its lifetime or number of uses is out of range.
    OutOfRange,
    /// The node is no relay, or no member yet.
    CannotInvite,
    /// Too many limited invites are open.
    TooMany,
    /// Its counter could not be stored.
    NotStored,
}

impl fmt::Display for InviteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "an invite lasts from 1 s to 30 days and lets in 1 to 1000 nodes",
            Self::CannotInvite => "only a relay that is a member can invite",
            Self::TooMany => "too many limited invites are open; wait until some expire",
            Self::NotStored => "the invite's counter could not be stored; free some space",
        })
    }
}

/// How a peer broke the rules of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Offence {
    /// It welcomed a node that did not ask it to.
    UnexpectedWelcome,
    /// The genesis document it gave is not this network's, or its signature does not hold.
    WrongGenesis,
    /// The isolation key it gave is not the one that our invite was made from.
    WrongKey,
    /// Its spore is of another network.
    WrongSpore,
}

impl Offence {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnexpectedWelcome => "unexpected_welcome",
            Self::WrongGenesis => "wrong_genesis",
            Self::WrongKey => "wrong_isolation_key",
            Self::WrongSpore => "wrong_spore",
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Invites issued.
    pub issued: u64,
    /// Newcomers let in.
    pub admitted: u64,
    /// Newcomers turned away after their handshake.
    pub rejected: u64,
    /// Handshakes refused a key.
    pub keys_refused: u64,
    /// Uses given back because the newcomer went away before it got anything.
    pub released: u64,
    /// Stored invites that could not be read; they let nobody in.
    pub unreadable: u64,
    /// Offences.
    pub offences: u64,
}

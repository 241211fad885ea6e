//! What a node tells its host.

use crate::{
    kernel::{
        address::Address,
        crypto::Secret,
        id::{DialId, LinkId, NodeId, RequestId, Ticket},
        store::StoreBatch,
        text::{Key, Namespace},
    },
    membership::admission::InviteRefusal,
    node::snapshot::TimelineEntry,
    replication::write::WriteRefusal,
    wire::{
        close::CloseReason,
        invitation::{Invitation, KeyHint},
    },
};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// An output for the node's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Open a link; answer with `LinkUp` or `DialFailed`.
    Dial {
        /// Comes back in the answer.
        dial: DialId,
        /// Where to.
        address: Address,
        /// Who must answer there, if known.
        expect: Option<NodeId>,
        /// Which key to offer.
        hint: KeyHint,
        /// That key.
        key: Secret,
    },
    /// The answer to `KeyWanted`.
    Key {
        /// The link that asked.
        link: LinkId,
        /// The key, or why there is none.
        key: Result<Secret, CloseReason>,
    },
    /// From now on messages to `peer` go over `link`.
    Route {
        /// The peer.
        peer: NodeId,
        /// Its link.
        link: LinkId,
    },
    /// `peer` has no link any more.
    Unroute {
        /// The peer.
        peer: NodeId,
    },
    /// Tell the other side why, flush, and close.
    Close {
        /// Which link, or handshake in progress.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// Make this durable; answer with `Persisted` or `PersistFailed`.
    Persist(StoreBatch),
    /// Read these journal records; answer with `Loaded`.
    Load {
        /// Comes back in the answer.
        ticket: Ticket,
        /// The records' sequences.
        sequences: Vec<u64>,
    },
    /// The answer to a request.
    Reply {
        /// Which request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// A value changed here. Revisions are consecutive within a run.
    Changed {
        /// The number of the change.
        revision: u64,
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
    },
    /// Something an operator may want to read happened.
    Timeline(TimelineEntry),
    /// The newcomer was let in: its secrets are in the batch that was just persisted, and its own
    /// handshakes use the isolation key from now on.
    Admitted,
    /// The node may not go on: its identity runs elsewhere. It takes no more writes.
    Fenced {
        /// Why, in words.
        why: String,
    },
    /// Leaving or stopping is complete; the host may exit.
    Departed,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The write is acknowledged at the level that was asked for.
    Written {
        /// The revision that made it visible here.
        revision: u64,
    },
    /// An invite.
    Invited {
        /// What it says of itself.
        invitation: Invitation,
        /// Its key.
        key: Secret,
    },
    /// The request was refused; nothing changed, except where the refusal says so.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A write was refused.
    Write(WriteRefusal),
    /// An invite was refused.
    Invite(InviteRefusal),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(refusal) => fmt::Display::fmt(refusal, f),
            Self::Invite(refusal) => fmt::Display::fmt(refusal, f),
        }
    }
}

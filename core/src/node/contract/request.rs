//! What users ask of a node, and what it answers.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Secret,
        id::Role,
        text::{Key, Namespace},
    },
    membership::admission::InviteRefusal,
    overlay::reach::Report,
    replication::write::{AckLevel, WriteRefusal},
    wire::invitation::Invitation,
};
use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Request {
    /// Write a value. Answered by [`Reply::Written`] or [`Refusal::Write`].
    Write {
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// The value, at most 256 KiB; `None` deletes.
        value: Option<Bytes>,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Issue an invite. Answered by [`Reply::Invited`] or [`Refusal::Invite`].
    Invite {
        /// How long it is honoured; at most 30 days.
        ttl: Duration,
        /// How many newcomers it lets in; unlimited if `None`.
        uses_max: Option<u16>,
        /// Only for that role, or for both.
        role: Option<Role>,
    },
    /// Find out whether linked relays reach the addresses that this node announces. Answered by
    /// [`Reply::Reach`].
    Reach,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The write is acknowledged at the level that was asked for.
    Written {
        /// The revision that made it visible here.
        revision: u64,
        /// What is wrong with this node's clock, or with its stamps, as a sentence.
        warning: Option<String>,
    },
    /// An invite.
    Invited {
        /// What it says of itself.
        invitation: Invitation,
        /// Its key.
        key: Secret,
    },
    /// What linked relays found when they dialled this node; empty where none is linked.
    Reach(Vec<Report>),
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

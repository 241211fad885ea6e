//! What users ask of a node, and what it answers.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Secret,
        id::{NodeId, Role},
        text::{Key, Namespace},
    },
    membership::{admission::InviteRefusal, member::MemberState},
    observe::alerts::{Wish, WishRefusal},
    overlay::reach::Report,
    replication::{
        replica::{Verified, VerifyRefusal},
        typed::Change,
        write::{AckLevel, WriteRefusal},
    },
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
    /// Do something about alerts or settings. Answered by [`Reply::Written`] or [`Refusal::Wish`].
    Wish(Wish),
    /// A dead member won't come back. Answered by [`Reply::Forgotten`] or [`Refusal::Forget`].
    Forget {
        /// Who.
        member: NodeId,
    },
    /// Change a typed value. Answered by [`Reply::Written`] or [`Refusal::Write`].
    Change {
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// What changes.
        change: Change,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Find out whether a linked relay holds the same. Answered by [`Reply::Verified`] or [`Refusal::Verify`].
    Verify {
        /// The relay.
        peer: NodeId,
        /// Only of this namespace.
        namespace: Option<Namespace>,
    },
    /// Give the room of what was overwritten back, also where it is little. Answered by [`Reply::Compacting`].
    Compact,
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
    /// The member counts as one that left, here and soon at all nodes.
    Forgotten,
    /// It has begun; the view of the data says when it is over.
    Compacting,
    /// What came of comparing with a relay.
    Verified(Verified),
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
    /// A member was not forgotten.
    Forget(ForgetRefusal),
    /// Nothing was done about alerts or settings.
    Wish(WishRefusal),
    /// Nothing is known of what a relay holds.
    Verify(VerifyRefusal),
}

/// Why a member was not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetRefusal {
    /// No member has this name or identity.
    NotKnown,
    /// Several dead members are called so.
    Several,
    /// It is not dead but something else.
    NotDead(MemberState),
    /// This node is a tab.
    OnTab,
}

impl fmt::Display for ForgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self {
            Self::NotKnown => return f.write_str("no member has this name or identity"),
            Self::Several => {
                return f.write_str(
                    "several dead members are called so; write more digits of the identity",
                );
            }
            Self::OnTab => return f.write_str("a tab can't forget members; ask a relay"),
            Self::NotDead(MemberState::Alive) => "alive",
            Self::NotDead(MemberState::Suspect) => "only suspect so far; wait until it is dead",
            Self::NotDead(MemberState::Parked) => "parked: it announced its absence",
            Self::NotDead(MemberState::Left | MemberState::Dead) => "gone already",
        };
        write!(f, "only a dead member can be forgotten, and it is {state}")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(refusal) => fmt::Display::fmt(refusal, f),
            Self::Invite(refusal) => fmt::Display::fmt(refusal, f),
            Self::Forget(refusal) => fmt::Display::fmt(refusal, f),
            Self::Wish(refusal) => fmt::Display::fmt(refusal, f),
            Self::Verify(refusal) => fmt::Display::fmt(refusal, f),
        }
    }
}

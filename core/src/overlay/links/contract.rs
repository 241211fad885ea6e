//! What goes into the links and what comes out: messages, commands, events, counters.

use crate::{
    kernel::{
        address::Address,
        id::{DialId, LinkId, NodeId},
        persist::Persist,
        time::WallTime,
    },
    overlay::{backoff::Backoff, dialer::Destination},
    wire::{class::Class, close::CloseReason, identity::PeerIdentity},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The key under which the failures of destinations are stored, and until when they wait.
pub const BACKOFFS_KEY: &str = "node/backoffs";

/// What the two ends of a link say about the link itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Are you there?
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
    /// Yes.
    Pong {
        /// The ping's.
        nonce: u64,
    },
    /// What the wall clock says; before the pong of the same ping.
    Wall {
        /// The ping's.
        nonce: u64,
        /// The wall clock, uncorrected.
        wall: WallTime,
    },
}

impl Message {
    /// Never waits for anything.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::Critical
    }
}

/// What the owner asks or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A link came up and its peer may talk.
    Up {
        /// The link.
        link: LinkId,
        /// The peer.
        peer: PeerIdentity,
        /// The dial that opened it, if it was ours.
        dial: Option<DialId>,
    },
    /// A link came up under an invite's key: its peer may talk of admission only.
    Arrived {
        /// The link.
        link: LinkId,
        /// The peer.
        peer: PeerIdentity,
        /// The dial that opened it, if this node is the newcomer.
        dial: Option<DialId>,
    },
    /// The newcomer at the other end of a link was let in: its peer may talk.
    Admitted {
        /// The link.
        link: LinkId,
    },
    /// This node was let in: the peers that it dialled for that may talk.
    Joined,
    /// The peer said something on a link that [stands by](super::Links::is_standby).
    Spoke {
        /// The link.
        link: LinkId,
    },
    /// A link ended.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A dial ended without a link.
    DialFailed {
        /// The dial.
        dial: DialId,
        /// Why.
        reason: CloseReason,
    },
    /// The members to be linked to, from now on.
    Targets(Vec<(NodeId, Vec<Address>)>),
    /// Dial a member once.
    Try {
        /// The member.
        peer: NodeId,
        /// Where it may be.
        addresses: Vec<Address>,
    },
    /// An address to dial while there is no link at all.
    Entry(Address),
    /// The backoffs of an earlier run; before any target or entry.
    Remember(Vec<(Destination, Backoff)>),
    /// Something was heard on a peer's link.
    Heard(NodeId),
    /// The wall clock, about every second.
    WallClock(WallTime),
    /// Dial again at once.
    NetworkChanged,
    /// Close every link with this reason and dial no more.
    Stop(CloseReason),
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Open a link.
    Dial {
        /// Its number.
        dial: DialId,
        /// Where to.
        address: Address,
        /// Who must answer.
        expect: Option<NodeId>,
    },
    /// Close a link.
    Close {
        /// Which.
        link: LinkId,
        /// Why; the peer is told.
        reason: CloseReason,
    },
    /// A peer's first link is routed.
    PeerUp(PeerIdentity),
    /// A peer's link ended and none is left.
    PeerDown {
        /// The peer.
        peer: PeerIdentity,
        /// Why.
        reason: CloseReason,
        /// Whether it ended without a word of the peer.
        abrupt: bool,
    },
    /// A member's address refused the connection: no process listens there.
    DialRefused {
        /// The member.
        peer: NodeId,
    },
    /// Another node than the member proved itself at the member's address.
    Elsewhere {
        /// The member.
        peer: NodeId,
        /// Where it is not, as it was dialled.
        address: Address,
    },
    /// A dial failed for a reason other than the time before.
    DialFailed {
        /// Where to.
        address: Address,
        /// Who was expected.
        expect: Option<NodeId>,
        /// Why.
        reason: CloseReason,
    },
    /// Make this durable: the backoffs under [`BACKOFFS_KEY`](super::BACKOFFS_KEY). At most once in
    /// `save_interval`, and once when the links stop.
    Persist(Persist),
    /// Another process shows this identity.
    IdentityConflict {
        /// The identity; our own if we are the one to give way.
        identity: NodeId,
        /// Why, as the peers of both processes are told.
        reason: CloseReason,
        /// Who says so of our own identity; `None` if the other process showed itself.
        told_by: Option<NodeId>,
    },
    /// A link is about to be refused since a peer has another: show who is there what that peer said
    /// of itself, so that nobody has to take our word.
    Prove {
        /// The peer.
        peer: NodeId,
        /// The link that is refused.
        link: LinkId,
    },
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Dials started.
    pub dials: u64,
    /// Dials that ended without a link.
    pub dials_failed: u64,
    /// Links closed because another was kept.
    pub duplicates: u64,
    /// Links closed as silent.
    pub silent: u64,
    /// Links refused because there were too many.
    pub refused: u64,
}

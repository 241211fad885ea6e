//! What goes into [`Vitals`](super::Vitals) and what comes out: messages, commands, events, counters.

use super::{Path, Report, Sample};
use crate::{
    kernel::{
        crypto::Signed,
        id::{Incarnation, NodeId},
        time::WallTime,
    },
    wire::class::Class,
};
use alloc::{boxed::Box, vec::Vec};
use serde::{Deserialize, Serialize};

/// What nodes say to each other about how nodes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// What the receiver may not know.
    Reports {
        /// Reports of any nodes.
        reports: Vec<Passed>,
    },
}

impl Message {
    /// Nobody waits for it.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::Low
    }
}

/// A report on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// How long ago it was made as far as the sender knows, in milliseconds: clocks may be apart.
    pub age_ms: u32,
    /// The report.
    pub report: Signed<Report>,
}

/// What the owner asks or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A peer is linked.
    PeerUp {
        /// Who.
        peer: NodeId,
    },
    /// A peer is no longer linked.
    PeerDown {
        /// Who.
        peer: NodeId,
    },
    /// What the host measured, about every second.
    Sample(Box<Sample>),
    /// A node became a member, or no longer is one.
    Member {
        /// Who.
        member: NodeId,
        /// Whether it belongs to the mesh.
        belongs: bool,
    },
    /// The answer to [`Event::Wanted`].
    Around(Around),
}

/// What a report says beside the sample, and who may be reported of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// The wall clock.
    pub wall: WallTime,
    /// This node's incarnation.
    pub incarnation: Incarnation,
    /// All members that have not left.
    pub members: Vec<NodeId>,
    /// The paths to linked peers, those first that matter most; the first
    /// [`PATHS_MAX`](super::PATHS_MAX) count.
    pub paths: Vec<Path>,
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A report is due. Answered by [`Command::Around`].
    Wanted,
    /// Another node told anew how it is.
    Told {
        /// Which.
        node: NodeId,
    },
    /// A peer did what no honest peer does.
    Offence {
        /// Who.
        peer: NodeId,
        /// What.
        offence: Offence,
    },
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Offence {
    /// It passed on a report whose signature does not hold.
    BadSignature,
    /// It passed on a report with too many paths.
    Malformed,
}

impl Offence {
    /// A stable word for logs and scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Malformed => "malformed",
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Reports that this node signed.
    pub made: u64,
    /// Reports of others that were newer than what was known.
    pub heard: u64,
    /// Reports that said nothing new.
    pub stale: u64,
    /// Reports sent to peers, own and others'.
    pub passed: u64,
    /// Bytes of those.
    pub passed_bytes: u64,
    /// Reports of nodes for which there was no room.
    pub unknown: u64,
    /// Reports dropped because their sender sent too many, or has no link.
    pub refused: u64,
    /// Reports whose signature does not hold, or that can't be.
    pub bad: u64,
}

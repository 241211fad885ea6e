//! What goes into [`Reach`](super::Reach) and what comes out: messages, commands, events, counters.

use crate::{
    kernel::{
        address::Address,
        id::{DialId, NodeId, RequestId, Role},
        time::Time,
    },
    wire::{class::Class, close::CloseReason},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What relays say to each other about being reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Dial the addresses of my record, and tell me what came of it.
    Ask {
        /// Comes back in the answer.
        id: u64,
    },
    /// What came of it.
    Told {
        /// The request's.
        id: u64,
        /// Each address that was dialled; at most 8.
        dialled: Vec<Dialled>,
    },
}

impl Message {
    /// A person waits, nothing else.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::Normal
    }
}

/// What came of dialling an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialled {
    /// Where to.
    pub address: Address,
    /// Why no connection opened; `None` if one did.
    pub failed: Option<CloseReason>,
}

/// What one relay found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who dialled.
    pub peer: NodeId,
    /// What came of each address; empty if it has not answered in time.
    pub dialled: Vec<Dialled>,
}

/// What is known of an address of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Why nobody who was asked could open a connection; `None` if somebody could.
    pub failed: Option<CloseReason>,
    /// Who found that.
    pub by: NodeId,
    /// When.
    pub at: Time,
}

/// What the owner asks or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A peer is linked.
    PeerUp {
        /// Who.
        peer: NodeId,
        /// What it is; only relays are asked and dialled back.
        role: Role,
    },
    /// A peer is no longer linked.
    PeerDown {
        /// Who.
        peer: NodeId,
    },
    /// Find out whether others reach this node; answered by [`Event::Checked`].
    Check {
        /// Comes back in the answer.
        request: RequestId,
    },
    /// The answer to [`Event::Wanted`]: what that peer's record announces.
    Addresses {
        /// The peer.
        peer: NodeId,
        /// Its addresses.
        addresses: Vec<Address>,
    },
    /// A connection was opened and closed again, or could not be opened.
    Probed {
        /// Which.
        dial: DialId,
        /// Why not; `None` if it opened.
        failed: Option<CloseReason>,
    },
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Which addresses does this peer announce? Answered by [`Command::Addresses`].
    Wanted {
        /// The peer.
        peer: NodeId,
    },
    /// Open a connection and close it again; answered by [`Command::Probed`].
    Probe {
        /// Its number, in a count of its own.
        dial: DialId,
        /// Where to.
        address: Address,
    },
    /// What the relays that were asked have found; empty where none is linked.
    Checked {
        /// The request.
        request: RequestId,
        /// One for each relay that was asked.
        reports: Vec<Report>,
    },
    /// Whether an address of this node can be reached is another than before, or is known now.
    Changed {
        /// Which.
        address: Address,
        /// Who found it.
        by: NodeId,
        /// Why it can't be reached; `None` if it can.
        failed: Option<CloseReason>,
    },
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Relays that were dialled back.
    pub served: u64,
    /// Requests of relays that were refused: too often, or too many at once.
    pub refused: u64,
}

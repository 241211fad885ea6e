//! What goes into [`Alerts`](super::Alerts) and what comes out: commands, events, counters.

use super::{
    board::Written,
    record::{Channel, Deed, Id, Note, Place, ToldKey},
    rule::Metric,
};
use crate::kernel::{
    bytes::Bytes,
    id::{NodeId, Role},
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What the owner asks or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How things are now, about every second.
    Look(Look),
    /// What stands at a place of the reserved namespaces: the value in force, then those that lost.
    Record {
        /// Where.
        place: Place,
        /// What; empty if nothing stands there any more.
        written: Vec<Written>,
    },
    /// Over which channels this node's host can notify; at most
    /// [`CHANNELS_MAX`](super::record::CHANNELS_MAX) count.
    Channels(Vec<Channel>),
    /// What came of [`Event::Notify`].
    Delivered(Delivered),
}

/// How things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The wall clock, in milliseconds.
    pub wall_ms: u64,
    /// All members that are known, this node included.
    pub members: Vec<Seen>,
    /// What was measured here, and what of others is this node's to judge.
    pub readings: Vec<Reading>,
}

/// A member, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who.
    pub node: NodeId,
    /// Relay or tab.
    pub role: Role,
    /// Whether it is there.
    pub presence: Presence,
    /// Whether its store takes writes, as far as is known: who can't write judges and notifies nobody.
    pub writes: bool,
}

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// It takes part.
    Here,
    /// It is missed.
    Missed,
    /// It said that it is away.
    Away,
}

/// A value that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Of what.
    pub metric: Metric,
    /// Of which node.
    pub node: NodeId,
    /// To which other, for paths.
    pub peer: Option<NodeId>,
    /// The value in thousandths; `None` if that is not known.
    pub value_milli: Option<i64>,
    /// How far it can be trusted, in percent.
    pub confidence: u8,
    /// Which of several values it is, for metrics that take the worst of several.
    pub of: Option<Metric>,
}

/// What came of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Which.
    pub key: ToldKey,
    /// Why it did not arrive; `None` if it did.
    pub error: Option<String>,
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Write this to a place of a reserved namespace; `None` deletes.
    Write {
        /// Where.
        place: Place,
        /// What.
        value: Option<Bytes>,
    },
    /// Notify over a channel. Answered by [`Command::Delivered`].
    Notify(ToldKey),
    /// An alert began here or elsewhere, or is worse than before.
    Fires(Id),
    /// An alert ended.
    Ended(Id),
    /// Somebody did something about alerts.
    Acted {
        /// Who.
        by: NodeId,
        /// What.
        deed: Deed,
        /// About which.
        alerts: Vec<Id>,
        /// With which words.
        note: Option<Note>,
    },
    /// The mesh's settings changed.
    SettingsChanged {
        /// Which.
        name: String,
        /// Who changed it.
        by: NodeId,
    },
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Alerts that this node raised.
    pub raised: u64,
    /// Alerts that this node ended.
    pub ended: u64,
    /// Alerts that were kept up because they flap.
    pub flapping: u64,
    /// Values that were not judged, for want of room.
    pub unjudged: u64,
    /// Records of reserved namespaces that can't be, or for which there was no room.
    pub refused: u64,
    /// Notifications that this node's host was asked to send.
    pub notified: u64,
    /// Of those, how many arrived.
    pub delivered: u64,
    /// Of those, how many did not.
    pub undelivered: u64,
}

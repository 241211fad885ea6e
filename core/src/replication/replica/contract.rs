//! What the replica is asked for and told, what it tells, and how peers break its protocol.

use crate::{
    kernel::{
        bytes::Bytes,
        id::{NodeId, RequestId, Role},
        persist::{Persist, PersistFailed, Persisted},
        text::{Key, Namespace},
        time::WallTime,
    },
    replication::{
        typed::Change,
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::vec::Vec;
use core::{fmt, time::Duration};

/// What the replica's owner asks for or tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A link to a peer is up.
    PeerUp {
        /// Who.
        peer: NodeId,
        /// Relay or tab.
        role: Role,
    },
    /// The last link to a peer is gone.
    PeerDown {
        /// Who.
        peer: NodeId,
    },
    /// A reading of the wall clock, at start and then about every second.
    WallClock(WallTime),
    /// Whether the wall clock is known to be right: then stamps that ran ahead of it are left behind.
    TrustClock(bool),
    /// Write a value. Answered by [`Event::Replied`].
    Write {
        /// Comes back in the reply.
        request: RequestId,
        /// The namespace; a tab opens it.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// The value, at most 256 KiB; `None` deletes.
        value: Option<Bytes>,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Change a typed value. Answered by [`Event::Replied`], once all of it is as durable as asked for.
    Change {
        /// Comes back in the reply.
        request: RequestId,
        /// The namespace; a tab opens it.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// What changes.
        change: Change,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Find out whether a linked relay holds the same. Answered by [`Event::Verified`].
    Verify {
        /// Comes back in the answer.
        request: RequestId,
        /// The relay.
        peer: NodeId,
        /// Only of this namespace.
        namespace: Option<Namespace>,
    },
    /// Give the room of what was overwritten back, also where it is little.
    Compact,
    /// Use a namespace: a tab follows it (a relay holds all anyway). The one used longest ago, and
    /// that nobody holds, is closed when there are too many.
    Open(Namespace),
    /// Stop following a namespace that nobody holds. What is stored stays.
    Close(Namespace),
    /// As [`Command::Open`], and it stays open until [`Command::Release`]: somebody watches it or
    /// waits for it. Refused when as many are held as may be open; see [`Replica::following`].
    ///
    /// [`Replica::following`]: crate::replication::replica::Replica::following
    Hold(Namespace),
    /// One that held it watches or waits no longer.
    Release(Namespace),
    /// What [`Event::Persist`] asked for is durable.
    Persisted(Persisted),
    /// What [`Event::Persist`] asked for was not kept.
    PersistFailed(PersistFailed),
    /// The records that [`Event::Load`] asked for; missing ones are left out.
    Loaded {
        /// Which load.
        token: u64,
        /// Journal sequence and body.
        records: Vec<(u64, Bytes)>,
    },
    /// Refuse writes for this reason too, until [`Command::Unblock`] takes it back.
    Block(WriteBlock),
    /// Take a reason back. Writes are taken again once there is none left.
    Unblock(WriteBlock),
}

/// What the replica tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Append a record to the journal; answer with `Persisted` or `PersistFailed`. Its body has at
    /// most [`BATCH_BYTES_MAX`] plus signature (the proof of a fork has two batches).
    ///
    /// [`BATCH_BYTES_MAX`]: crate::replication::batch::BATCH_BYTES_MAX
    Persist(Persist),
    /// Read these records from the journal; answer with `Loaded`.
    Load {
        /// Comes back in the answer.
        token: u64,
        /// Journal sequences.
        sequences: Vec<u64>,
    },
    /// The answer to a write: the revision that made it visible here, or why it was refused.
    Replied {
        /// Which write.
        request: RequestId,
        /// The answer.
        result: Result<u64, WriteRefusal>,
    },
    /// Whether a relay holds the same, or why that is not known.
    Verified {
        /// Which question.
        request: RequestId,
        /// The answer.
        result: Result<Verified, VerifyRefusal>,
    },
    /// A relay holds keys differently, although both have seen the same.
    Differs {
        /// Which relay.
        peer: NodeId,
        /// How many keys.
        keys: u64,
    },
    /// A value or its conflict record changed here. Revisions are consecutive from 1 in a run.
    Changed {
        /// The number of the change.
        revision: u64,
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
    },
    /// A node broke the protocol.
    Offence {
        /// Who.
        peer: NodeId,
        /// How.
        offence: Offence,
    },
    /// An author signed two batches with one sequence; from there on its chain is a side branch,
    /// until the author issues it again. Once per chain.
    Equivocation {
        /// Whose chain; this node's own if its store went back in time or its identity was copied.
        author: NodeId,
        /// In which shard.
        shard: u16,
        /// From which batch on.
        sequence: u64,
    },
    /// A peer gave what was missing here.
    CaughtUp {
        /// Who gave it.
        peer: NodeId,
        /// How many batches.
        batches: u64,
        /// How many bytes of batches.
        bytes: u64,
        /// How long it took.
        took: Duration,
    },
    /// Memory is full, and what others write is not taken for now. At most once in 10 s.
    Full {
        /// Bytes in use.
        bytes: u64,
    },
}

/// What came of comparing with a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which relay.
    pub peer: NodeId,
    /// How many keys were compared, as they are stored here, deleted ones included.
    pub keys: u64,
    /// The keys that differ, twice and in the same way; at most 1,000.
    pub differing: Vec<Difference>,
    /// How many keys differed, but not in the same way each time: they are being written.
    pub changing: u64,
    /// Whether so many differ that the rest was not looked at.
    pub is_cut: bool,
    /// How long it took.
    pub took: Duration,
}

/// A key that two relays hold differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The namespace.
    pub namespace: Namespace,
    /// The key as it is stored; of a typed value a part of it.
    pub key: Key,
    /// Whether it was ever written here.
    pub here: bool,
    /// Whether it was ever written there.
    pub there: bool,
}

/// Why it is not known whether a relay holds the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyRefusal {
    /// No relay of this identity is linked.
    NotLinked,
    /// Another comparison is going on.
    Busy,
    /// The relay does not answer, or not what was asked.
    NoAnswer,
    /// This node is a tab, which does not hold all.
    OnTab,
}

impl fmt::Display for VerifyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLinked => "there is no link to that relay",
            Self::Busy => "another comparison is going on; try again in a moment",
            Self::NoAnswer => {
                "the relay has not answered; see whether it runs this version, and try again"
            }
            Self::OnTab => "a tab does not hold all; ask a relay",
        })
    }
}

/// How a node broke the protocol.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Offence {
    /// It sent a batch whose signature does not hold.
    BadSignature,
    /// It sent what no honest node sends.
    Malformed,
    /// A tab passed on what another wrote.
    NotItsOwn,
    /// An author's batch does not fit its own chain.
    BrokenChain,
    /// An author's stamps are too far ahead of the clock here.
    ClockAhead {
        /// How far.
        ahead_ms: u64,
    },
}

impl Offence {
    /// A stable word for logs, metrics and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Malformed => "malformed",
            Self::NotItsOwn => "not_its_own",
            Self::BrokenChain => "broken_chain",
            Self::ClockAhead { .. } => "clock_ahead",
        }
    }
}

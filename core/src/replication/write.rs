//! What a writer asks for, and why a write may be refused.

use crate::{kernel::time::WallTime, replication::typed::Kind};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How durable a write has to be before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckLevel {
    /// Durable on this node.
    #[default]
    Local,
    /// Durable on this node and on one other relay.
    Relay,
}

/// Why a write was refused. Nothing changed, except for [`WriteRefusal::NotReplicated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteRefusal {
    /// The value is larger than allowed.
    ValueTooLarge {
        /// The most bytes a value may have.
        max: u32,
    },
    /// Memory or the store is full.
    Full,
    /// Too many writes wait already.
    Busy,
    /// The write is durable here, but no other relay confirmed it in time. It is not undone.
    NotReplicated,
    /// The key's last write is stamped so far ahead of the time that a write now would lose to it, or
    /// be held back as that one is.
    KeyAhead {
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
        /// When the key can be written again.
        until: WallTime,
    },
    /// The namespace begins with `sys.`: commands write there, and nobody else.
    Reserved,
    /// The key contains what separates a key from its parts.
    KeyReserved,
    /// The key holds something else.
    OtherKind {
        /// What it holds.
        kind: Kind,
    },
    /// Too many elements or fields at once, or more bytes than a batch may have.
    TooMany {
        /// The most elements or fields.
        max: u32,
    },
    /// The key and an element or field of it are too long together.
    PartTooLong {
        /// The most bytes of both.
        max: u32,
    },
    /// The node takes no writes, or none of this kind.
    NotWritable {
        /// Why; at least one reason, in order, each once.
        blocks: Vec<WriteBlock>,
    },
}

/// Why a node takes no writes. Who sets a reason also takes it back; the last four are found by the
/// replica for one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WriteBlock {
    /// The node has not been let into the network yet. Set and taken back by who lets it start.
    NotAdmitted,
    /// Another process runs with its identity. Never taken back.
    Fenced,
    /// The node is leaving the mesh. Never taken back.
    Leaving,
    /// The store broke. Never taken back.
    StoreBroken,
    /// The store's files are gone from their place.
    StoreLost,
    /// The tab holds as many namespaces as it may.
    NamespacesFull,
    /// The store did not keep this write.
    NotStored,
    /// The node's own chain in the shard forked; the next writer epoch begins later.
    LogForked,
    /// A part of the node's own chain in the shard is missing.
    LogDamaged,
    /// All writer epochs of the node in the shard are used up.
    EpochsUsedUp,
}

impl fmt::Display for WriteBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAdmitted => "it has not been let into the network yet",
            Self::Fenced => {
                "it is fenced: another process runs with its identity; a data directory must not be copied"
            }
            Self::Leaving => "it is leaving the mesh",
            Self::StoreBroken => "its store failed; check the disk and start it again",
            Self::StoreLost => {
                "its data directory is gone; stop it, put the directory back and start it again"
            }
            Self::NamespacesFull => "as many namespaces as it may hold are watched or waited for; end a watch first",
            Self::NotStored => "the store does not keep what it is given",
            Self::LogForked => {
                "this node's own log is forked here (its store went back in time, or another process \
                 uses its identity); writes are taken again in a while"
            }
            Self::LogDamaged => {
                "a part of this node's own log is damaged and not yet back from its peers"
            }
            Self::EpochsUsedUp => {
                "this node's own log has forked here too often; give the node a new identity"
            }
        })
    }
}

impl From<WriteBlock> for WriteRefusal {
    fn from(block: WriteBlock) -> Self {
        let blocks = alloc::vec![block];
        Self::NotWritable { blocks }
    }
}

/// Days, hours and minutes.
const fn split(minutes: u64) -> (u64, u64, u64) {
    (minutes / 1_440, minutes / 60 % 24, minutes % 60)
}

impl fmt::Display for WriteRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ValueTooLarge { max } => {
                write!(f, "the value is too large; a value may have {max} bytes")
            }
            Self::Full => f.write_str("there is no room left; delete something or add space"),
            Self::Busy => f.write_str("too many writes are waiting; try again"),
            Self::NotReplicated => f.write_str(
                "the write is stored here, but no other relay confirmed it in time; \
                 it will still be replicated",
            ),
            Self::KeyAhead { ahead_ms, until } => {
                let (days, hours, minutes) = split(ahead_ms.div_ceil(60_000));
                f.write_str("the last write of this key carries a time ")?;
                if days > 0 {
                    write!(f, "{days} d ")?;
                }
                if days > 0 || hours > 0 {
                    write!(f, "{hours} h ")?;
                }
                write!(f, "{minutes} min ahead; it can be written again at ")?;
                let (_, hour, minute) = split(until.as_millis().div_ceil(60_000));
                write!(f, "{hour:02}:{minute:02} UTC")?;
                if days > 0 {
                    write!(f, " in {days} d")?;
                }
                Ok(())
            }
            Self::Reserved => f.write_str(
                "namespaces that begin with sys. are written by commands such as `settings` and `ack`",
            ),
            Self::KeyReserved => f.write_str(
                "a key can't contain a space followed by the character U+241F: parts of typed values \
                 are stored so",
            ),
            Self::OtherKind { kind } => write!(
                f,
                "the key holds a {kind}; delete it first, or choose another key"
            ),
            Self::TooMany { max } => write!(
                f,
                "that is too much at once; at most {max} elements or fields, which fit into one \
                 batch together"
            ),
            Self::PartTooLong { max } => write!(
                f,
                "the key and its element or field are too long; together they may have {max} bytes"
            ),
            Self::NotWritable { blocks } => {
                f.write_str("this node takes no writes: ")?;
                for (index, block) in blocks.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{block}")?;
                }
                Ok(())
            }
        }
    }
}

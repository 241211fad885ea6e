//! What a writer asks for, and why a write may be refused.

use alloc::string::String;
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
    /// The node is fenced, leaving, or not yet admitted.
    NotWritable {
        /// Why, in words.
        why: String,
    },
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
            Self::NotWritable { why } => write!(f, "this node takes no writes: {why}"),
        }
    }
}

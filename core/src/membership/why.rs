//! Why a member is believed to be what it is, as data and in plain words.

use crate::{
    kernel::id::{Incarnation, NodeId},
    membership::member::Evidence,
};
use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};

/// The reason for a member's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is this node.
    ThisNode,
    /// It stands in the store or in a spore; nothing was heard of it in this run.
    Remembered,
    /// It was heard of for the first time in this run.
    Joined {
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// Another process of it took over.
    Restarted {
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// It raised its incarnation against what was said of it.
    Refuted {
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// It says that it is back.
    Returned {
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// It is accused, but was heard here moments ago.
    Heard,
    /// It is accused.
    Accused {
        /// By whom.
        accuser: NodeId,
        /// Of what.
        evidence: Evidence,
    },
    /// It did not refute in time.
    Unrefuted {
        /// Who accused it.
        accusers: Vec<NodeId>,
        /// The strongest evidence.
        evidence: Evidence,
        /// How long it had.
        after: Duration,
    },
    /// It was dead before this node heard of it.
    FoundDead {
        /// Who said so.
        by: NodeId,
        /// Who accused it.
        accusers: Vec<NodeId>,
    },
    /// It announced its absence.
    SaidParked,
    /// It said goodbye.
    SaidGoodbye,
    /// A relay holds its link.
    Attached {
        /// Which relay.
        home: NodeId,
    },
    /// No living relay vouches for it.
    Unattached,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisNode => f.write_str("it is this node"),
            Self::Remembered => f.write_str("remembered from an earlier run or a spore"),
            Self::Joined { incarnation } => write!(f, "it joined (incarnation {incarnation})"),
            Self::Restarted { incarnation } => {
                write!(f, "it restarted (incarnation {incarnation})")
            }
            Self::Refuted { incarnation } => {
                write!(
                    f,
                    "it answered what was said of it (incarnation {incarnation})"
                )
            }
            Self::Returned { incarnation } => {
                write!(f, "it is back (incarnation {incarnation})")
            }
            Self::Heard => f.write_str("others miss it, but it was heard here moments ago"),
            Self::Accused { accuser, evidence } => match evidence {
                Evidence::Silence => write!(f, "it does not answer {}", accuser.short()),
                Evidence::Crash => write!(
                    f,
                    "its link to {} broke and a new connection was refused",
                    accuser.short()
                ),
            },
            Self::Unrefuted {
                accusers,
                evidence,
                after,
            } => match evidence {
                Evidence::Silence => write!(
                    f,
                    "it answered neither {} nor anyone asked, for {} ms after the first report",
                    names(accusers),
                    after.as_millis()
                ),
                Evidence::Crash => write!(
                    f,
                    "its process is gone: links broke and new connections were refused, by {}",
                    names(accusers)
                ),
            },
            Self::FoundDead { by, accusers } => write!(
                f,
                "it was dead before this node heard of it, by {}, accused by {}",
                by.short(),
                names(accusers)
            ),
            Self::SaidParked => f.write_str("it announced its absence"),
            Self::SaidGoodbye => f.write_str("it said goodbye"),
            Self::Attached { home } => write!(f, "it is linked to {}", home.short()),
            Self::Unattached => f.write_str("no relay holds a link to it"),
        }
    }
}

fn names(ids: &[NodeId]) -> String {
    let names: Vec<String> = ids.iter().map(NodeId::short).collect();
    names.join(", ")
}

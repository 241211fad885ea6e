//! Why a member is believed to be what it is, as data and in plain words.

use crate::{
    kernel::id::{Incarnation, NodeId},
    membership::member::Evidence,
};
use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

/// The reason for a member's state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    /// It was dead, and an operator said that it won't come back.
    Forgotten {
        /// At which relay.
        by: NodeId,
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

impl Why {
    /// The reason as a person reads it, without the member itself and without a full stop; `call`
    /// says what people call a node.
    #[must_use]
    pub fn in_words(&self, call: impl Fn(NodeId) -> String) -> String {
        match self {
            Self::ThisNode => "it is this node".into(),
            Self::Remembered => "remembered from an earlier run or a spore".into(),
            Self::Joined { incarnation } => format!("it joined (incarnation {incarnation})"),
            Self::Restarted { incarnation } => {
                format!("it restarted (incarnation {incarnation})")
            }
            Self::Refuted { incarnation } => {
                format!("it answered what was said of it (incarnation {incarnation})")
            }
            Self::Returned { incarnation } => format!("it is back (incarnation {incarnation})"),
            Self::Heard => "others miss it, but it was heard here moments ago".into(),
            Self::Accused { accuser, evidence } => accused(&call(*accuser), *evidence),
            Self::Unrefuted {
                accusers,
                evidence,
                after,
            } => unrefuted(&names(accusers, call), *evidence, *after),
            Self::FoundDead { by, accusers } => format!(
                "it was dead before this node heard of it, by {}, accused by {}",
                call(*by),
                names(accusers, call)
            ),
            Self::Forgotten { by } => format!("it was dead, and was forgotten at {}", call(*by)),
            Self::SaidParked => "it announced its absence".into(),
            Self::SaidGoodbye => "it said goodbye".into(),
            Self::Attached { home } => format!("it is linked to {}", call(*home)),
            Self::Unattached => "no relay holds a link to it".into(),
        }
    }
}

fn accused(accuser: &str, evidence: Evidence) -> String {
    match evidence {
        Evidence::Silence => format!("it does not answer {accuser}"),
        Evidence::Forgotten => format!("an operator at {accuser} says that it won't come back"),
        Evidence::Crash => {
            format!("its link to {accuser} broke and a new connection was refused")
        }
    }
}

fn unrefuted(accusers: &str, evidence: Evidence, after: Duration) -> String {
    match evidence {
        Evidence::Silence | Evidence::Forgotten => format!(
            "it answered neither {accusers} nor anyone asked, for {} ms after the first report",
            after.as_millis()
        ),
        Evidence::Crash => format!(
            "its process is gone: links broke and new connections were refused, by {accusers}"
        ),
    }
}

fn names(ids: &[NodeId], call: impl Fn(NodeId) -> String) -> String {
    let names: Vec<String> = ids.iter().map(|id| call(*id)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_node_is_called_by_its_name() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let call = |id: NodeId| if id == a { "ann" } else { "bob" }.into();
        let (accusers, after) = (alloc::vec![a, b], Duration::from_millis(900));
        let whys = [Evidence::Silence, Evidence::Crash].map(|evidence| Why::Unrefuted {
            accusers: accusers.clone(),
            evidence,
            after,
        });
        for why in whys {
            assert!(why.in_words(call).contains("ann, bob"), "{why:?}");
        }
        let evidence = Evidence::Silence;
        let accused = Why::Accused {
            accuser: b,
            evidence,
        };
        assert_eq!(accused.in_words(call), "it does not answer bob");
        let found = Why::FoundDead { by: b, accusers };
        assert!(
            found
                .in_words(call)
                .ends_with("by bob, accused by ann, bob")
        );
        assert_eq!(
            Why::Attached { home: a }.in_words(call),
            "it is linked to ann"
        );
    }
}

//! What membership says on the wire. Variants and fields are only appended.

use crate::{
    kernel::{
        crypto::{Hash, Signed},
        id::{Incarnation, NodeId},
    },
    membership::{
        dissemination::Rumour,
        member::{Accusation, Lease, MemberRecord, MemberState},
    },
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What membership says to membership on a peer.
///
/// Sizes: a ping, an acknowledgement and a request to help stay below 3 KiB, gossip below 17 KiB, a
/// comparison of tables below 48 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Are you there?
    Ping {
        /// Comes back in the answer.
        sequence: u64,
        /// What is held against the receiver, so that it hears of it first (Lifeguard's buddy rule).
        accusations: Vec<Signed<Accusation>>,
        /// Rumours.
        rumours: Vec<Rumour>,
    },
    /// I am; or: the one you asked me about is.
    Ack {
        /// The ping's, or the request's.
        sequence: u64,
        /// Rumours.
        rumours: Vec<Rumour>,
    },
    /// Is `target` there?
    PingReq {
        /// Comes back in the answer.
        sequence: u64,
        /// Who is asked about.
        target: NodeId,
        /// Rumours.
        rumours: Vec<Rumour>,
    },
    /// I am, but it did not answer me (Lifeguard).
    Nack {
        /// The request's.
        sequence: u64,
    },
    /// Fresh rumours.
    Gossip {
        /// At least one.
        rumours: Vec<Rumour>,
    },
    /// Is your table the same?
    SyncHash {
        /// The sender's digest.
        hash: Hash,
    },
    /// A page of the sender's table, because the digests differ.
    SyncTable {
        /// The page starts after this member; at the first if `None`.
        after: Option<NodeId>,
        /// The page ends with this member; at the last if `None`.
        through: Option<NodeId>,
        /// Identity, incarnation and state, in the order of identities.
        entries: Vec<(NodeId, Incarnation, MemberState)>,
    },
    /// The answer to a page.
    SyncDiff {
        /// The page was compared up to this member; to its end and the table's if `None`.
        through: Option<NodeId>,
        /// What the sender knows better.
        entries: Vec<SyncEntry>,
        /// What the sender wants to know.
        want: Vec<NodeId>,
    },
    /// What was wanted.
    SyncEntries {
        /// In the order of identities.
        entries: Vec<SyncEntry>,
    },
}

/// All that the sender knows of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncEntry {
    /// The member's own word.
    pub record: Signed<MemberRecord>,
    /// What the sender believes it to be; believed only with `accusations`.
    pub state: MemberState,
    /// What is held against it, at most 4.
    pub accusations: Vec<Signed<Accusation>>,
    /// Who vouches for it, if it is a tab.
    pub leases: Vec<Signed<Lease>>,
}

impl SyncEntry {
    /// About how many bytes it takes on the wire.
    #[must_use]
    pub fn size(&self) -> usize {
        let accusations = self.accusations.iter().map(|word| word.bytes().len());
        let leases = self.leases.iter().map(|lease| lease.bytes().len());
        accusations
            .chain(leases)
            .chain([self.record.bytes().len()])
            .fold(8, |sum, len| {
                len.saturating_add(ENVELOPE_BYTES).saturating_add(sum)
            })
    }
}

/// A signature, and what postcard adds around it.
const ENVELOPE_BYTES: usize = 70;

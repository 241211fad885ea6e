//! What goes into membership and what comes out: identity, messages, commands, events, counters.
//!
//! Messages go on the wire: their variants and fields are only appended.

use crate::{
    kernel::{
        address::Address,
        crypto::{Hash, Keypair, Signed},
        id::{Incarnation, InstanceId, NetworkId, NodeId, Role},
        persist::{Persist, PersistFailed, Persisted},
        text::{Name, Zone},
    },
    membership::{
        dissemination::Rumour,
        member::{Accusation, Lease, Location, MemberRecord, MemberState},
        why::Why,
    },
};
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The key under which the highest incarnation that may be in use is stored.
pub const INCARNATION_KEY: &str = "node/incarnation";

/// The key under which the members' records are stored.
pub const MEMBERS_KEY: &str = "node/members";

/// Who this node is, for as long as its process runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Its key pair.
    pub keypair: Keypair,
    /// Its network.
    pub network: NetworkId,
    /// This run of its process.
    pub instance: InstanceId,
    /// Relay or tab.
    pub role: Role,
    /// Its name, for people.
    pub name: Name,
    /// Its failure domain.
    pub zone: Option<Zone>,
    /// Where it is, if it says so.
    pub location: Option<Location>,
    /// Where it accepts links; ignored for a tab, the first
    /// [`ADDRESSES_MAX`](crate::membership::member::ADDRESSES_MAX) count.
    pub addresses: Vec<Address>,
}

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
    TableDigest {
        /// The sender's digest.
        hash: Hash,
    },
    /// A page of the sender's table, because the digests differ.
    TablePage {
        /// The page starts after this member; at the first if `None`.
        after: Option<NodeId>,
        /// The page ends with this member; at the last if `None`.
        through: Option<NodeId>,
        /// Identity, incarnation and state, in the order of identities.
        entries: Vec<(NodeId, Incarnation, MemberState)>,
    },
    /// The answer to a page.
    TableDiff {
        /// The page was compared up to this member; to its end and the table's if `None`.
        through: Option<NodeId>,
        /// What the sender knows better.
        entries: Vec<TableEntry>,
        /// What the sender wants to know.
        want: Vec<NodeId>,
    },
    /// What was wanted.
    TableEntries {
        /// In the order of identities.
        entries: Vec<TableEntry>,
    },
}

/// All that the sender knows of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// The member's own word.
    pub record: Signed<MemberRecord>,
    /// What the sender believes it to be; believed only with `accusations`.
    pub state: MemberState,
    /// What is held against it, at most 4.
    pub accusations: Vec<Signed<Accusation>>,
    /// Who vouches for it, if it is a tab.
    pub leases: Vec<Signed<Lease>>,
}

impl TableEntry {
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

/// What the owner tells and asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A link to `peer` is up. Messages only travel on links.
    PeerUp {
        /// Who.
        peer: NodeId,
        /// What it says it is.
        role: Role,
    },
    /// The last link to `peer` is down.
    PeerDown {
        /// Who.
        peer: NodeId,
        /// It ended without a word: `false` when the peer said that it leaves or parks, or this side
        /// closed it.
        abrupt: bool,
    },
    /// A redial of a known member was refused: nothing listens there.
    DialRefused {
        /// Who should have listened.
        peer: NodeId,
    },
    /// Another node proved itself at an address of a member.
    Elsewhere {
        /// The member.
        peer: NodeId,
        /// Where it is not.
        address: Address,
    },
    /// Anything came in on the peer's link.
    Heard {
        /// From whom.
        peer: NodeId,
    },
    /// Records out of a spore; they may be old.
    Learned(Vec<Signed<MemberRecord>>),
    /// A dead member won't come back. Without effect on a tab, and unless it is dead.
    Forget(NodeId),
    /// Say goodbye; ends with [`Event::Departed`].
    Leave,
    /// Announce absence.
    Park,
    /// Announce return.
    Unpark,
    /// This node accepts links elsewhere from now on.
    Addresses(Vec<Address>),
    /// What it asked to persist is durable.
    Persisted(Persisted),
    /// What it asked to persist was not kept.
    PersistFailed(PersistFailed),
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member's state changed, or another process of it took over.
    Changed {
        /// Who.
        member: NodeId,
        /// What it was; `None` if it was not known.
        from: Option<MemberState>,
        /// What it is.
        to: MemberState,
        /// Why.
        why: Why,
    },
    /// The relays that this node should open links to, all of them, in place of any earlier list.
    /// Links that others opened to this node stay, and so does one that a try brought.
    Neighbours(Vec<(NodeId, Vec<Address>)>),
    /// Try to reach a remembered relay that is not linked; rare, for ever.
    Try {
        /// Who.
        member: NodeId,
        /// Where it used to accept links.
        addresses: Vec<Address>,
    },
    /// Make this durable: the highest incarnation that may be in use under [`INCARNATION_KEY`], the
    /// members' records under [`MEMBERS_KEY`].
    Persist(Persist),
    /// The members' records changed and were given out to be stored just before.
    RosterChanged,
    /// This node woke up far too late.
    Stalled {
        /// By how much.
        by: Duration,
    },
    /// A peer did what no honest peer does.
    Offence {
        /// Who.
        peer: NodeId,
        /// What.
        offence: Offence,
    },
    /// One identity runs in two processes: this node's own or another's.
    Conflict {
        /// Whose.
        member: NodeId,
    },
    /// Goodbye has been said; nothing follows.
    Departed,
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Offence {
    /// It passed on something whose signature does not hold.
    BadSignature,
    /// It accused a living member again and again.
    FalseAccusation,
    /// It sent a record, lease or accusation that can't be.
    Malformed,
}

impl Offence {
    /// A stable word for logs and scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::FalseAccusation => "false_accusation",
            Self::Malformed => "malformed",
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Pings sent to neighbours of our own accord.
    pub probes: u64,
    /// Helpers asked to reach a neighbour.
    pub helpers_asked: u64,
    /// Probes that nobody answered.
    pub probes_failed: u64,
    /// Times this node helped another to reach a third.
    pub helped: u64,
    /// Accusations by this node.
    pub accusations: u64,
    /// Refutations by this node.
    pub refutations: u64,
    /// Accusations by others that this node's own evidence contradicted.
    pub doubted: u64,
    /// Accusations of accusers that were wrong too often.
    pub distrusted: u64,
    /// Rumours received.
    pub rumours: u64,
    /// Rumours that said nothing new.
    pub rumours_stale: u64,
    /// Rumours about or by members that this node does not know.
    pub rumours_unknown: u64,
    /// Signatures checked.
    pub verifies: u64,
    /// Rumours dropped because their sender sent too many.
    pub verifies_refused: u64,
    /// Signatures that did not hold.
    pub signatures_bad: u64,
    /// Table comparisons refused because a peer asked too often.
    pub comparisons_refused: u64,
    /// Messages of peers without a link.
    pub unlinked: u64,
    /// Links ignored because there are too many.
    pub links_refused: u64,
    /// Wake-ups that came far too late.
    pub stalls: u64,
    /// Members refused because the table is full.
    pub members_refused: u64,
    /// Members that made room for others.
    pub members_evicted: u64,
    /// Rumours dropped because there were too many to tell.
    pub rumours_dropped: u64,
    /// Sends dropped because too many were undelivered.
    pub sends_dropped: u64,
}

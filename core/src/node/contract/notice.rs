//! What happened, as data with its causes. `read/sentences` says it in words.

use crate::{
    kernel::{
        address::Address,
        id::{Incarnation, NodeId, Role},
        text::Name,
        time::{Duration, Time, WallTime},
    },
    membership::{admission, member::MemberState, swim, why::Why},
    observe::{
        alerts::record::{Alert, Deed, Grade, Id, Note},
        series::{Series, Unusual},
        vitals,
    },
    overlay::links::ClockOff,
    replication::replica,
    wire::close::CloseReason,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth reading.
    Info,
    /// Odd.
    Warn,
    /// Broken.
    Error,
}

/// A notice with its number and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeEntry {
    /// Consecutive within a run, from 1.
    pub id: u64,
    /// When, since the node's start.
    pub at: Time,
    /// When, by the wall clock.
    pub wall: WallTime,
    /// What happened.
    pub notice: Notice,
}

/// Something that an operator may want to read happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The node founded a network and started.
    Founded {
        /// The network's name.
        network: Name,
    },
    /// The node started as a newcomer that asks to be let in.
    StartedJoining,
    /// The node started as the member that it was.
    Started {
        /// Its incarnation.
        incarnation: Incarnation,
        /// Records that the journal held.
        records: u64,
    },
    /// The newcomer was let in: its secrets are in the batch that was just persisted, and its own
    /// handshakes use the isolation key from now on.
    Joined,
    /// The node may not go on: its identity runs elsewhere. It takes no more writes.
    Fenced(FenceCause),
    /// Leaving or stopping is complete; the host may exit.
    Departed,
    /// The process did not run when it should have.
    Stalled {
        /// For how long.
        by: Duration,
    },

    /// A newcomer was let in here.
    Admitted {
        /// Who.
        peer: NodeId,
        /// As what.
        role: Role,
    },
    /// An incoming handshake was refused.
    HandshakeRefused(CloseReason),
    /// A newcomer was refused.
    NewcomerRefused(CloseReason),
    /// A link was closed for a reason that concerns security.
    LinkRefused(CloseReason),
    /// A dial ended without a link.
    DialFailed {
        /// Where to.
        address: Address,
        /// Who was expected there, if it was known.
        expect: Option<NodeId>,
        /// Why.
        reason: CloseReason,
    },
    /// A peer is linked.
    LinkUp(NodeId),
    /// A peer is no longer linked.
    LinkDown {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: CloseReason,
    },

    /// A member's state changed, or it was heard of for the first time.
    MemberChanged {
        /// Who.
        member: NodeId,
        /// What it was taken for; `None` if nothing was known of it.
        from: Option<MemberState>,
        /// What it is taken for.
        to: MemberState,
        /// Why.
        why: Why,
    },
    /// Two processes show one identity.
    IdentityConflict {
        /// Whose.
        identity: NodeId,
        /// What a link to one of them ended with, where that is how it was noticed.
        reason: Option<CloseReason>,
        /// The peer that says so, if it is hearsay.
        told_by: Option<NodeId>,
    },
    /// A peer did what no honest node does.
    Offence {
        /// Who.
        peer: NodeId,
        /// What.
        offence: Offence,
    },

    /// The last write of the journal was cut off; it was never acknowledged.
    JournalTorn {
        /// The first record that is gone.
        from: u64,
    },
    /// Stored records are damaged and set aside.
    JournalDamaged {
        /// How many.
        records: u64,
        /// Whether it was found at the start, or when they were asked for.
        at_start: bool,
    },
    /// Stored records are intact and of no use to this version.
    JournalUnusable {
        /// How many.
        records: u64,
    },
    /// A stored entry is damaged and set aside; the node does without.
    EntryDamaged {
        /// Its key.
        key: String,
    },
    /// The store has no room: writes are refused.
    StoreFull,
    /// The store has room again.
    StoreRecovered,
    /// The store failed: nothing is written until the process starts again.
    StoreBroken,
    /// The store's files are gone from their place: nothing is written until the process starts again.
    StoreLost,
    /// Data of other nodes is not taken for now: memory is used up.
    MemoryFull {
        /// Bytes in use.
        bytes: u64,
    },
    /// An author signed two batches with one sequence.
    Equivocation {
        /// Whose chain.
        author: NodeId,
        /// In which shard.
        shard: u16,
        /// From which batch on.
        sequence: u64,
    },
    /// Most clocks agree, and this node's is away from them.
    ClockWrong {
        /// How far ahead it is; behind, if negative.
        ahead_ms: i64,
    },
    /// The clock of a peer is away: it is wrong, or one of two is.
    ClockOfPeer(ClockOff),
    /// Another relay reached an address of this node, or could not.
    AddressReached {
        /// Which.
        address: Address,
        /// Who tried.
        by: NodeId,
        /// Why it could not; `None` if it could.
        failed: Option<CloseReason>,
    },
    /// A series of this node is unlike what it was before.
    Anomaly(Unusual),
    /// Several series of this node are unlike what they were together before; the farthest first.
    UnusualTogether(Vec<Series>),
    /// Something of this node runs full.
    RunsFull {
        /// What.
        series: Series,
        /// In about which time.
        after: Duration,
    },
    /// An alert fires, or has ended.
    Alert(Box<Alert>),
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
    /// A setting of the mesh was changed.
    SettingChanged {
        /// Which.
        name: String,
        /// By whom.
        by: NodeId,
    },
    /// A clock that was away agrees again.
    ClockRight {
        /// Whose; `None` for this node's.
        peer: Option<NodeId>,
    },
    /// A peer gave what was missing here.
    CaughtUp {
        /// Who.
        peer: NodeId,
        /// How many batches.
        batches: u64,
        /// How many bytes of batches.
        bytes: u64,
        /// How long it took.
        took: Duration,
    },
    /// Another relay holds keys differently, although both have seen the same.
    Differs {
        /// Which relay.
        peer: NodeId,
        /// How many keys.
        keys: u64,
    },
}

/// Why a node is fenced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FenceCause {
    /// A link ended because a later process has this identity.
    Superseded(CloseReason),
    /// Membership holds the signed word of another process with this identity.
    SecondProcess,
}

/// What a peer did, by the machine that noticed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offence {
    /// Against membership.
    Swim(swim::Offence),
    /// Against admission.
    Admission(admission::Offence),
    /// Against replication.
    Replica(replica::Offence),
    /// Against how nodes tell how they are.
    Vitals(vitals::Offence),
}

impl Offence {
    /// A stable word for logs and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Swim(offence) => offence.code(),
            Self::Admission(offence) => offence.code(),
            Self::Replica(offence) => offence.code(),
            Self::Vitals(offence) => offence.code(),
        }
    }
}

impl Notice {
    /// How serious it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Founded { .. }
            | Self::StartedJoining
            | Self::Started { .. }
            | Self::Joined
            | Self::Departed
            | Self::Admitted { .. }
            | Self::LinkUp(_)
            | Self::LinkDown { .. }
            | Self::StoreRecovered
            | Self::ClockRight { .. }
            | Self::SettingChanged { .. }
            | Self::Acted { .. }
            | Self::AddressReached { failed: None, .. }
            | Self::CaughtUp { .. } => Severity::Info,
            Self::Alert(alert) => match (alert.ended_ms, alert.grade) {
                (Some(_), _) => Severity::Info,
                (None, Grade::Low | Grade::Medium) => Severity::Warn,
                (None, Grade::High | Grade::Critical) => Severity::Error,
            },
            Self::HandshakeRefused(reason)
            | Self::NewcomerRefused(reason)
            | Self::LinkRefused(reason)
            | Self::DialFailed { reason, .. } => {
                // Anyone can cause refusals: only those that hint at an attack or a wrong key are
                // odd.
                if reason.is_security() {
                    Severity::Warn
                } else {
                    Severity::Info
                }
            }
            Self::MemberChanged { to, .. } => match to {
                MemberState::Alive | MemberState::Left | MemberState::Parked => Severity::Info,
                MemberState::Suspect => Severity::Warn,
                MemberState::Dead => Severity::Error,
            },
            Self::Stalled { .. }
            | Self::ClockWrong { .. }
            | Self::ClockOfPeer(_)
            | Self::Anomaly(_)
            | Self::UnusualTogether(_)
            | Self::RunsFull { .. }
            | Self::AddressReached {
                failed: Some(_), ..
            }
            | Self::IdentityConflict { .. }
            | Self::Offence { .. }
            // Torn is odd, not broken: nothing that was acknowledged is lost.
            | Self::JournalTorn { .. } => Severity::Warn,
            Self::Fenced(_)
            | Self::JournalDamaged { .. }
            | Self::JournalUnusable { .. }
            | Self::EntryDamaged { .. }
            | Self::StoreFull
            | Self::StoreBroken
            | Self::StoreLost
            | Self::MemoryFull { .. }
            | Self::Differs { .. }
            | Self::Equivocation { .. } => Severity::Error,
        }
    }

    /// A stable word for logs and scripts, such as `member_dead` or `link_refused`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Founded { .. } | Self::StartedJoining | Self::Started { .. } => "started",
            Self::Joined => "joined",
            Self::Fenced(_) => "fenced",
            Self::Departed => "departed",
            Self::Stalled { .. } => "stalled",
            Self::Admitted { .. } => "admitted",
            Self::HandshakeRefused(_) | Self::NewcomerRefused(_) | Self::LinkRefused(_) => {
                "link_refused"
            }
            Self::DialFailed { .. } => "dial_failed",
            Self::LinkUp(_) => "link_up",
            Self::LinkDown { .. } => "link_down",
            Self::MemberChanged { from, to, .. } => match to {
                MemberState::Alive if from.is_none() => "member_joined",
                MemberState::Alive => "member_alive",
                MemberState::Suspect => "member_suspect",
                MemberState::Dead => "member_dead",
                MemberState::Left => "member_left",
                MemberState::Parked => "member_parked",
            },
            Self::IdentityConflict { .. } => "identity_conflict",
            Self::Offence { .. } => "offence",
            Self::JournalTorn { .. } => "journal_torn",
            Self::JournalDamaged { .. } => "journal_damaged",
            Self::JournalUnusable { .. } => "journal_unusable",
            Self::EntryDamaged { .. } => "entry_damaged",
            Self::Alert(alert) if alert.ended_ms.is_some() => "alert_ended",
            Self::Alert(_) => "alert",
            Self::SettingChanged { .. } => "setting_changed",
            Self::Acted { deed, .. } => match deed {
                Deed::Acknowledged => "acknowledged",
                Deed::Resolved => "resolved",
            },
            Self::StoreFull => "store_full",
            Self::StoreRecovered => "store_recovered",
            Self::StoreBroken => "store_broken",
            Self::StoreLost => "store_lost",
            Self::MemoryFull { .. } => "memory_full",
            Self::Differs { .. } => "differs",
            Self::Equivocation { .. } => "equivocation",
            Self::ClockWrong { .. } | Self::ClockOfPeer(_) => "clock_wrong",
            Self::ClockRight { .. } => "clock_right",
            Self::Anomaly(_) | Self::UnusualTogether(_) => "anomaly",
            Self::RunsFull { .. } => "runs_full",
            Self::AddressReached { failed: None, .. } => "address_reached",
            Self::AddressReached {
                failed: Some(_), ..
            } => "address_unreached",
            Self::CaughtUp { .. } => "caught_up",
        }
    }

    /// Whom it is about; `None` for the node itself where no other could be meant.
    #[must_use]
    pub const fn subject(&self) -> Option<NodeId> {
        match self {
            Self::Admitted { peer, .. }
            | Self::LinkUp(peer)
            | Self::LinkDown { peer, .. }
            | Self::Offence { peer, .. }
            | Self::Differs { peer, .. }
            | Self::CaughtUp { peer, .. } => Some(*peer),
            Self::ClockOfPeer(off) => Some(off.peer),
            Self::ClockRight { peer } => *peer,
            Self::Alert(alert) => Some(alert.about.node),
            Self::SettingChanged { by, .. } | Self::Acted { by, .. } => Some(*by),
            Self::DialFailed { expect, .. } => *expect,
            Self::MemberChanged { member, .. } => Some(*member),
            Self::IdentityConflict { identity, .. } => Some(*identity),
            Self::Equivocation { author, .. } => Some(*author),
            Self::Founded { .. }
            | Self::StartedJoining
            | Self::Started { .. }
            | Self::Joined
            | Self::Fenced(_)
            | Self::Departed
            | Self::Stalled { .. }
            | Self::Anomaly(_)
            | Self::UnusualTogether(_)
            | Self::RunsFull { .. }
            | Self::AddressReached { .. }
            | Self::ClockWrong { .. }
            | Self::HandshakeRefused(_)
            | Self::NewcomerRefused(_)
            | Self::LinkRefused(_)
            | Self::JournalTorn { .. }
            | Self::JournalDamaged { .. }
            | Self::JournalUnusable { .. }
            | Self::EntryDamaged { .. }
            | Self::StoreFull
            | Self::StoreRecovered
            | Self::StoreBroken
            | Self::StoreLost
            | Self::MemoryFull { .. } => None,
        }
    }

    /// Whether it is about this node itself, which is then the subject.
    #[must_use]
    pub const fn is_about_this_node(&self) -> bool {
        matches!(
            self,
            Self::Founded { .. }
                | Self::StartedJoining
                | Self::Started { .. }
                | Self::Joined
                | Self::Fenced(_)
                | Self::Departed
                | Self::Anomaly(_)
                | Self::UnusualTogether(_)
                | Self::RunsFull { .. }
                | Self::AddressReached { .. }
                | Self::ClockWrong { .. }
                | Self::ClockRight { peer: None }
        )
    }
}

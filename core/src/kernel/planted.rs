//! Bugs planted on purpose: the test of the tests. They are in the core's own tests, and in a program
//! that is built with the feature `planted-bugs`.
//!
//! Each is one condition at the place where a tired programmer would have made the mistake. The
//! swarm has to find every one of them (`sim/swarm/planted.rs`, docs/testing.md). Elsewhere [`is`] is a
//! constant `false`, and nothing of this is there.
//!
//! Which bug is there is chosen for the whole program: the one exception to "no global state".
//!
//! Source: docs/faults.md (classes F1 to F24 of failures, T1 to T20 of advisories).

macro_rules! planted {
    ($($(#[$doc:meta])+ $variant:ident $name:literal $class:literal;)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Planted {
            $($(#[$doc])+ $variant,)+
        }

        impl Planted {
            /// All of them, room by room.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// What it is called on a command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The class of failures or advisories that it stands for.
            #[must_use]
            pub const fn class(self) -> &'static str {
                match self { $(Self::$variant => $class,)+ }
            }
        }
    };
}

planted! {
    /// Membership takes a record of an earlier incarnation for news.
    OldIncarnation "old-incarnation" "F23";
    /// An accused node does not raise its incarnation.
    NeverRefutes "never-refutes" "F8";
    /// A link that broke without a word is taken for a death.
    LostLinkIsVerdict "lost-link-is-verdict" "F9";
    /// Who is suspected is dead at once.
    NoSuspicionWindow "no-suspicion-window" "F8";
    /// Dead relays are not tried any more: a split is for ever.
    DeadForgotten "dead-forgotten" "F4";
    /// What was held against a member stays although it was refuted.
    SuspicionSticks "suspicion-sticks" "F8";
    /// The lease of a tab's home neither runs out nor can it be withdrawn.
    LeaseForEver "lease-for-ever" "F3";
    /// A relay's place on the rings depends on when it was heard of.
    RingByArrival "ring-by-arrival" "F7";
    /// Dead relays stay on the rings, and so among those to be linked to.
    DeadOnRing "dead-on-ring" "F9";
    /// The bound of used incarnations is never stored.
    IncarnationNotStored "incarnation-not-stored" "F24";

    /// A deletion does not replace an older value.
    TombstoneLoses "tombstone-loses" "F6";
    /// The write that arrived last wins.
    LastArrivalWins "last-arrival-wins" "F2";
    /// The concurrent write that lost is not kept as a conflict.
    ConflictDropped "conflict-dropped" "F2";
    /// Of two changes of a counter that are sealed together, the first is lost.
    AddLost "add-lost" "F2";
    /// A batch is taken whatever predecessor it names.
    ChainUnchecked "chain-unchecked" "F19";
    /// A batch is taken although some before it are missing.
    FrontierGap "frontier-gap" "F11";
    /// Signatures are not looked at.
    SignatureUnchecked "signature-unchecked" "T8";
    /// Two batches with one number are no reason to set a chain aside.
    EquivocationIgnored "equivocation-ignored" "F19";
    /// What stands beyond a fork is not kept for its author.
    BranchForgotten "branch-forgotten" "F4";
    /// What was set aside is kept for its author only: who reads does not see it.
    BranchUnread "branch-unread" "F4";
    /// Chains are closed before what is left of them was issued again.
    ClosedTooEarly "closed-too-early" "F12";
    /// The front of the journal is dropped before what is needed of it was copied.
    FrontNotCopied "front-not-copied" "F12";
    /// Stamps that were seen do not push the clock here.
    ClockNotPushed "clock-not-pushed" "F2";
    /// The clock does not remember the stamps of the journal at start.
    ClockNotRestored "clock-not-restored" "F2";
    /// Stamps from the far future are taken.
    FarFuture "far-future" "F20";
    /// A write is acknowledged when it is handed to the journal.
    AckBeforePersisted "ack-before-persisted" "F1";
    /// A batch is confirmed to its giver when it is handed to the journal.
    ConfirmedBeforePersisted "confirmed-before-persisted" "F1";
    /// Who watches is not told of deletions.
    ChangeMissed "change-missed" "F11";
    /// Who watches is told twice of what was fetched.
    ChangeTwice "change-twice" "F10";
    /// Frontiers that differ are taken for equal: what a push left out is never fetched.
    NeverCompares "never-compares" "F12";
    /// An answer that was read from the journal is kept as if it were still being read.
    LoadLeak "load-leak" "F15";
    /// The bytes of batches that became durable are never given back to the budget.
    StagedBytesLeak "staged-bytes-leak" "T4";

    /// The place of a record that was cut off is skipped instead of written again.
    TornTailKept "torn-tail-kept" "F14";
    /// A journal record's checksum is not compared.
    ChecksumUnverified "checksum-unverified" "F5";
    /// A store entry's checksum is not compared.
    EntryUnsealed "entry-unsealed" "F5";
    /// The journal is replayed from its end.
    ReplayBackwards "replay-backwards" "F14";
    /// A batch that found no room counts as written.
    FullIsPersisted "full-is-persisted" "F22";
    /// A batch whose flush failed counts as written.
    FailedIsPersisted "failed-is-persisted" "F1";
    /// The numbers of records that found no room are not used again.
    SequenceSkipped "sequence-skipped" "F16";

    /// A link that holds does not forgive the failures before it.
    BackoffKept "backoff-kept" "F12";
    /// A failed dial is repeated at once.
    BackoffIgnored "backoff-ignored" "F12";
    /// Of two links to a peer, the one that is not used stays open.
    SupersededKept "superseded-kept" "F15";
    /// A link on which nothing comes any more is kept.
    SilenceForgiven "silence-forgiven" "T6";

    /// A node that must not write takes writes.
    ReadOnlyWrites "read-only-writes" "F3";
    /// A node that leaves does not wait for its journal.
    StopsUnflushed "stops-unflushed" "F1";

    /// What is fine again stays an alert.
    AlertSticks "alert-sticks" "F8";
    /// Of what was done on both sides of a cut, each keeps its own.
    AckLost "ack-lost" "F4";
    /// Of whom nothing is known is well.
    UnknownHealthy "unknown-healthy" "F9";
    /// A node is as healthy as it says.
    SelfScore "self-score" "F19";
    /// Every relay with a channel notifies.
    EveryoneNotifies "everyone-notifies" "F10";

    /// The last fragment of a large body is left out.
    LastFragmentLost "last-fragment-lost" "T3";
    /// A body that was put together still counts as in progress.
    ReassemblyLeak "reassembly-leak" "T4";

    /// The order of peers depends on a counter of the process.
    OutsideCounter "outside-counter" "F13";
    /// The order of peers depends on where something lies in memory.
    OutsideAddress "outside-address" "F13";
}

impl Planted {
    /// The bug with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

#[cfg(any(test, feature = "planted-bugs"))]
mod chosen {
    use super::Planted;
    use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

    /// What is planted.
    struct Choice {
        /// The bug that is there, counted from 1; 0 is none.
        bug: AtomicU32,
        /// How often [`outside`] was asked.
        asked: AtomicUsize,
    }

    impl Choice {
        const fn none() -> Self {
            Self {
                bug: AtomicU32::new(0),
                asked: AtomicUsize::new(0),
            }
        }
    }

    /// A program has one choice for all its threads.
    #[cfg(not(test))]
    fn choice<T>(look: impl FnOnce(&Choice) -> T) -> T {
        static CHOICE: Choice = Choice::none();
        look(&CHOICE)
    }

    /// Tests run side by side: each thread has a choice of its own.
    #[cfg(test)]
    fn choice<T>(look: impl FnOnce(&Choice) -> T) -> T {
        // Tests run side by side in one process: each thread has its own bug.
        std::thread_local! {
            static CHOICE: Choice = const { Choice::none() };
        }
        CHOICE.with(look)
    }

    const fn number(bug: Planted) -> u32 {
        // Zero stands for "no bug".
        (bug as u32).saturating_add(1)
    }

    /// Plants one bug, or none.
    pub fn plant(bug: Option<Planted>) {
        choice(|choice| choice.bug.store(bug.map_or(0, number), Ordering::SeqCst));
    }

    /// Whether this bug is there.
    #[must_use]
    pub fn is(bug: Planted) -> bool {
        choice(|choice| choice.bug.load(Ordering::Relaxed) == number(bug))
    }

    /// A number that no seed decides: how often it was asked for while `bug` is there.
    #[must_use]
    pub fn outside(bug: Planted) -> usize {
        if is(bug) {
            choice(|choice| choice.asked.fetch_add(1, Ordering::Relaxed))
        } else {
            0
        }
    }
}

#[cfg(any(test, feature = "planted-bugs"))]
pub use chosen::{is, outside, plant};

/// Whether this bug is there: never.
#[cfg(not(any(test, feature = "planted-bugs")))]
#[must_use]
pub const fn is(_: Planted) -> bool {
    false
}

/// A number that no seed decides: none.
#[cfg(not(any(test, feature = "planted-bugs")))]
#[must_use]
pub const fn outside(_: Planted) -> usize {
    0
}

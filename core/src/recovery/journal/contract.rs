//! What goes into the journal and what comes out: commands, events, counters.

use crate::{
    kernel::{
        bytes::Bytes,
        id::Ticket,
        persist::{Persist, PersistFailed, Persisted},
        store::StoreBatch,
        time::Time,
    },
    recovery::record::Origin,
};
use alloc::vec::Vec;

/// What other machines ask for, and what the store reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make something durable. Answered once by `Persisted` or `PersistFailed`.
    Persist {
        /// Who asks.
        origin: Origin,
        /// What.
        persist: Persist,
    },
    /// The store made a batch durable.
    Stored(Ticket),
    /// The store did not make a batch durable; nothing of it was kept.
    Failed {
        /// Which.
        ticket: Ticket,
        /// Space ran out; otherwise the store broke.
        full: bool,
    },
    /// The store's files are gone from their place: nothing written from now on would be found again.
    Lost,
    /// Read records again. Answered by `Loaded` or `LoadRefused`.
    Load {
        /// Who asks.
        origin: Origin,
        /// Comes back in the answer.
        token: u64,
        /// Which records.
        sequences: Vec<u64>,
    },
    /// The store read records; those missing are left out.
    Loaded {
        /// Which load.
        ticket: Ticket,
        /// Sequence and stored bytes.
        records: Vec<(u64, Bytes)>,
    },
}

/// What the journal tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// To the store: make this durable, in ticket order; answer `Stored` or `Failed`.
    Store(StoreBatch),
    /// To the store: read these; answer `Loaded`.
    Load {
        /// Comes back in the answer.
        ticket: Ticket,
        /// The records' sequences, ascending.
        sequences: Vec<u64>,
    },
    /// Something is durable. In the order in which it was asked for.
    Persisted {
        /// Who asked.
        origin: Origin,
        /// The answer.
        persisted: Persisted,
    },
    /// Something was not kept, now or ever.
    PersistFailed {
        /// Who asked.
        origin: Origin,
        /// The answer.
        failed: PersistFailed,
    },
    /// What a load found.
    Loaded {
        /// Who asked.
        origin: Origin,
        /// Its token.
        token: u64,
        /// Sequence and body of the intact records, ascending.
        records: Vec<(u64, Bytes)>,
        /// The sequences that are damaged or missing, ascending.
        damaged: Vec<u64>,
    },
    /// A load was not started: too many wait, or it is too large. Nothing is known of its records.
    LoadRefused {
        /// Who asked.
        origin: Origin,
        /// Its token.
        token: u64,
    },
    /// The store ran out of space. Once, until `Recovered`.
    Full {
        /// When the first batch failed.
        since: Time,
    },
    /// The store has space again.
    Recovered,
    /// The store broke; nothing is written until the process starts again.
    Broken,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// Batches made durable.
    pub batches: u64,
    /// Operations made durable.
    pub durable: u64,
    /// Operations not kept, refused ones included.
    pub failed: u64,
    /// Operations refused because the queue was full or the store broken.
    pub refused: u64,
    /// Batches written a second time after one before them failed.
    pub rewritten: u64,
    /// Loads refused.
    pub loads_refused: u64,
    /// Loaded records that were damaged or missing.
    pub damaged: u64,
    /// Answers of the store that belong to no question.
    pub strays: u64,
}

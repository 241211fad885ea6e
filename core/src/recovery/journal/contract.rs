//! What goes into the journal and what comes out: settings, commands, events, counters.

use crate::{
    kernel::{bytes::Bytes, id::Ticket, store::StoreBatch, time::Time},
    recovery::record::Origin,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

/// Settings of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// Batches with the store at a time, 1 to 4. One gives the largest groups; more hide a store's
    /// latency, but only for a store that, once a batch has failed, fails those already behind it:
    /// otherwise a crash before they are written again leaves a gap that replay may refuse.
    pub in_flight_max: u8,
    /// The most operations in a batch, 1 to 1 000 000. Too few cost flushes, too many delay the
    /// first one's acknowledgement.
    pub batch_ops_max: u32,
    /// The most bytes in a batch; one larger operation still goes alone. Below `queue_bytes_max`.
    pub batch_bytes_max: u64,
    /// The most bytes that wait for a batch (64 bytes are added for each operation). What comes
    /// beyond is refused with `AppendFailed { full: true }`. Too small refuses bursts, too large
    /// hides a slow store behind memory.
    pub queue_bytes_max: u64,
    /// The most loads with the store at a time; what comes beyond is refused. 1 to 65 536.
    pub loads_max: u32,
    /// The most records in one load; a larger one is refused. 1 to 65 536.
    pub load_records_max: u32,
    /// How often an idle journal looks whether a full store has space again. Seconds; too small
    /// wears the disk, too large keeps the node read-only for longer than needed.
    pub full_retry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_flight_max: 1,
            batch_ops_max: 16_384,
            batch_bytes_max: 16 << 20,
            queue_bytes_max: 64 << 20,
            loads_max: 256,
            load_records_max: 4_096,
            full_retry: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Checks the ranges above.
    ///
    /// # Errors
    /// The name of the first field that is out of range.
    pub const fn validate(&self) -> Result<(), &'static str> {
        if self.in_flight_max == 0 || self.in_flight_max > 4 {
            return Err("journal.in_flight_max");
        }
        if self.batch_ops_max == 0 || self.batch_ops_max > 1_000_000 {
            return Err("journal.batch_ops_max");
        }
        if self.batch_bytes_max == 0 || self.batch_bytes_max > self.queue_bytes_max {
            return Err("journal.batch_bytes_max");
        }
        if self.queue_bytes_max > 1 << 30 {
            return Err("journal.queue_bytes_max");
        }
        if self.loads_max == 0 || self.loads_max > 65_536 {
            return Err("journal.loads_max");
        }
        if self.load_records_max == 0 || self.load_records_max > 65_536 {
            return Err("journal.load_records_max");
        }
        if self.full_retry.as_millis() < 100 {
            return Err("journal.full_retry");
        }
        Ok(())
    }
}

/// What other machines ask for, and what the store reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Append a record. Answered by `Durable` with its sequence, or `AppendFailed`.
    Append {
        /// Who asks.
        origin: Origin,
        /// Comes back in the answer.
        token: u64,
        /// The record's body.
        body: Bytes,
    },
    /// Set a key. Answered by `Durable` or `AppendFailed`.
    Put {
        /// Who asks.
        origin: Origin,
        /// Comes back in the answer.
        token: u64,
        /// The key, with its owner's prefix.
        key: String,
        /// The value.
        value: Bytes,
    },
    /// Remove a key. Answered by `Durable` or `AppendFailed`.
    Delete {
        /// Who asks.
        origin: Origin,
        /// Comes back in the answer.
        token: u64,
        /// The key.
        key: String,
    },
    /// The store made a batch durable.
    Persisted(Ticket),
    /// The store did not make a batch durable; nothing of it was kept.
    Failed {
        /// Which.
        ticket: Ticket,
        /// Space ran out; otherwise the store broke.
        full: bool,
    },
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
    /// To the store: make this durable, in ticket order; answer `Persisted` or `Failed`.
    Persist(StoreBatch),
    /// To the store: read these; answer `Loaded`.
    Load {
        /// Comes back in the answer.
        ticket: Ticket,
        /// The records' sequences, ascending.
        sequences: Vec<u64>,
    },
    /// An operation is durable. In the order in which they were asked for.
    Durable {
        /// Who asked.
        origin: Origin,
        /// Its token.
        token: u64,
        /// The record's sequence; `None` for a put or delete.
        sequence: Option<u64>,
    },
    /// An operation was not kept, now or ever.
    AppendFailed {
        /// Who asked.
        origin: Origin,
        /// Its token.
        token: u64,
        /// There is no room now (in the store or the queue); otherwise the store is broken.
        full: bool,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
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

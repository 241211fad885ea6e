//! What a host's store is asked, and what it answers.

use crate::kernel::{bytes::Bytes, id::Ticket, store::StoreBatch};
use alloc::vec::Vec;

/// The store answers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum StoreInput {
    /// A batch is durable.
    Persisted(Ticket),
    /// A batch could not be made durable; nothing of it was kept.
    PersistFailed {
        /// Which.
        ticket: Ticket,
        /// Whether space ran out (then it is tried again later) rather than the store broke.
        full: bool,
    },
    /// The journal records that a load asked for; those missing are left out.
    Loaded {
        /// Which load.
        ticket: Ticket,
        /// Sequence and record.
        records: Vec<(u64, Bytes)>,
    },
    /// The store's files are gone from their place, or others stand there: what is written would be
    /// lost with the process.
    Lost,
}

/// Something for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOutput {
    /// Make this durable, in ticket order; answer with [`StoreInput::Persisted`] or
    /// [`StoreInput::PersistFailed`].
    Persist(StoreBatch),
    /// Read these journal records; answer with [`StoreInput::Loaded`].
    Load {
        /// Comes back in the answer.
        ticket: Ticket,
        /// The records' sequences, ascending.
        sequences: Vec<u64>,
    },
}

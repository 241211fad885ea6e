//! How a machine makes something durable: one way for all of them.
//!
//! A machine tells its owner [`Persist`] and keeps what depends on it until [`Persisted`] or
//! [`PersistFailed`] comes back with the same token. The journal answers every request exactly once, in the
//! order in which they were asked.

use crate::kernel::bytes::Bytes;
use alloc::string::String;

/// A request of a machine: make this durable.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Persist {
    /// Comes back in the answer. The machine numbers its own requests; 0 where it waits for none.
    pub token: u64,
    /// What to do.
    pub op: PersistOp,
}

/// What to make durable.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PersistOp {
    /// Append a record with this body to the journal.
    Append(Bytes),
    /// Set a key, whose name begins with its owner's prefix.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Bytes,
    },
    /// Remove a key.
    Delete {
        /// The key.
        key: String,
    },
    /// Remove the journal's records before this sequence: nothing in them is needed any more. Those of
    /// others in them are gone as well, so only the owner of all records may ask for it.
    DropBefore(u64),
}

impl Persist {
    /// Appends a record.
    #[must_use]
    pub const fn append(token: u64, body: Bytes) -> Self {
        Self {
            token,
            op: PersistOp::Append(body),
        }
    }

    /// Sets a key.
    pub fn put(token: u64, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            token,
            op: PersistOp::Put {
                key: key.into(),
                value: value.into(),
            },
        }
    }

    /// Removes a key.
    pub fn delete(token: u64, key: impl Into<String>) -> Self {
        Self {
            token,
            op: PersistOp::Delete { key: key.into() },
        }
    }
}

/// The answer: it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persisted {
    /// Which request.
    pub token: u64,
    /// An appended record's place in the journal; `None` for a put or delete.
    pub sequence: Option<u64>,
}

/// The answer: it was not kept, now or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersistFailed {
    /// Which request.
    pub token: u64,
    /// There is no room now (in the store or its queue); otherwise the store is broken.
    pub full: bool,
}

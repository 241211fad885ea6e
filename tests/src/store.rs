//! What every store must do: one list of cases and one judge for the simulated disk, SQLite and
//! IndexedDB.
//!
//! | file | what lives there |
//! |---|---|
//! | `cases` | the list |
//! | `judge` | the model that says what a store may answer and hold |
//! | `simulated` | the simulator's disk, put before the judge |
//! | `drawn` | drawn runs with crashes, against a reference model (native only) |
//!
//! A host's own tests put its store before the judge: `host-native/src/store.rs`,
//! `host-web/tests/store.rs`.

pub mod cases;
#[cfg(not(target_arch = "wasm32"))]
pub mod drawn;
pub mod judge;
pub mod simulated;

use cases::{Case, Step};
use judge::Judge;
use sporenet_core::kernel::{
    bytes::Bytes,
    id::Ticket,
    store::{StoreBatch, StoreOp, Stored},
};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a store said about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable.
    Kept(Ticket),
    /// Nothing of it was kept.
    Refused {
        /// Which.
        ticket: Ticket,
        /// Space ran out; otherwise the store broke.
        full: bool,
    },
}

/// What can be wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no room for [`cases::LARGE`] bytes more.
    Full,
    /// Nothing can be written.
    Failing,
}

/// A store with its host's way to write and read it. One that never waits answers at once.
pub trait Store {
    /// The faults that it can be given.
    const FAULTS: &'static [Fault];

    /// Hands these batches over, and waits until each is answered.
    fn write(&mut self, batches: &[StoreBatch]) -> impl Future<Output = Vec<Answer>>;

    /// Reads records.
    fn load(&mut self, sequences: &[u64]) -> impl Future<Output = Vec<(u64, Bytes)>>;

    /// Closes it and opens it again; what it held.
    fn reopen(&mut self) -> impl Future<Output = Stored>;

    /// Something is wrong with it from now on, or nothing any more. It is not opened again for that,
    /// unless it broke.
    fn set_fault(&mut self, fault: Option<Fault>) -> impl Future<Output = ()>;
}

/// Puts a new, empty store through a case.
///
/// # Errors
/// What the store did wrong, in words.
pub async fn judged(case: &Case, store: &mut impl Store) -> Result<(), String> {
    let mut judge = Judge::default();
    for (at, step) in case.steps.iter().enumerate() {
        let verdict = match step {
            Step::Write(hand) => {
                let batches: Vec<StoreBatch> =
                    hand.iter().map(|(batch, _)| batch.clone()).collect();
                judge.written(hand, &store.write(&batches).await)
            }
            Step::Load(sequences) => judge.loaded(sequences, &store.load(sequences).await),
            Step::Reopen => judge.opened(&store.reopen().await),
            Step::Suffer(fault) => {
                store.set_fault(*fault).await;
                Ok(())
            }
        };
        verdict.map_err(|fault| format!("{}, step {at}: {fault}", case.name))?;
    }
    judge
        .opened(&store.reopen().await)
        .map_err(|fault| format!("{}, in the end: {fault}", case.name))
}

/// The outcome of a future that never waits, as a store has that answers at once.
///
/// # Panics
/// When it waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

/// A batch.
#[must_use]
pub fn batch(ticket: u64, ops: Vec<StoreOp>) -> StoreBatch {
    StoreBatch {
        ticket: Ticket(ticket),
        ops,
    }
}

/// Sets a key.
#[must_use]
pub fn put(key: &str, value: &[u8]) -> StoreOp {
    StoreOp::Put {
        key: key.to_owned(),
        value: value.into(),
    }
}

/// Removes a key.
#[must_use]
pub fn delete(key: &str) -> StoreOp {
    StoreOp::Delete {
        key: key.to_owned(),
    }
}

/// Appends a record.
#[must_use]
pub fn append(sequence: u64, record: &[u8]) -> StoreOp {
    StoreOp::Append {
        sequence,
        record: record.into(),
    }
}

/// Drops the front of the journal.
#[must_use]
pub const fn drop_before(before: u64) -> StoreOp {
    StoreOp::DropBefore { before }
}

/// Cuts the journal.
#[must_use]
pub const fn truncate(from: u64) -> StoreOp {
    StoreOp::Truncate { from }
}

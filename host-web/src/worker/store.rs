//! The core's storage effect in a browser: an atomic batch, then an acknowledgement.
//!
//! Two object stores, `entries` (text key to bytes) and `journal` (sequence to bytes). One batch is one
//! transaction with strict durability. Batches are written one after the other; when one fails, those
//! that already wait behind it fail with it, so that the journal never has a gap.
//!
//! Where the page is not a secure context there are no locks, so two tabs could share an identity:
//! such a tab keeps everything in memory, and says so.

use crate::small::SmallMap;
use idb::{
    Database, DatabaseEvent as _, Factory, KeyRange, ObjectStoreParams, Query, Transaction,
    TransactionMode,
};
use sporenet_core::kernel::{
    bytes::Bytes,
    store::{StoreBatch, StoreOp, Stored},
};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{IdbDatabase, IdbTransaction};

const ENTRIES: &str = "entries";
const JOURNAL: &str = "journal";
const SCHEMA: u32 = 1;

#[wasm_bindgen]
extern "C" {
    /// A database whose transactions can be asked to be durable when they say that they are done.
    #[wasm_bindgen(extends = IdbDatabase)]
    #[derive(Clone, Debug)]
    type RawDatabase;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn transaction_with_options(
        this: &RawDatabase,
        stores: &js_sys::Array,
        mode: &str,
        options: &js_sys::Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// Why the store could not do it. Nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// Whether the browser's quota is used up.
    pub full: bool,
    /// What the browser said.
    pub text: String,
}

impl From<idb::Error> for StoreError {
    fn from(error: idb::Error) -> Self {
        let text = error.to_string();
        Self {
            full: text.contains("QuotaExceeded"),
            text,
        }
    }
}

/// Where a tab keeps its identity and journal.
#[derive(Debug)]
pub enum Store {
    /// In IndexedDB.
    Durable(Durable),
    /// In memory: gone with the tab.
    Volatile(RefCell<SmallMap<u64, Bytes>>),
}

/// An open database: as its wrapper, and as the browser's own object for what the wrapper lacks.
#[derive(Debug)]
pub struct Durable {
    database: Database,
    raw: RawDatabase,
}

impl Store {
    /// Opens the database `name`, creating it if it is not there, and reads all of it.
    ///
    /// # Errors
    /// [`StoreError`] when the browser refuses storage or the database is damaged.
    pub async fn open(name: &str) -> Result<(Self, Stored), StoreError> {
        let mut request = Factory::new()?.open(name, Some(SCHEMA))?;
        request.on_upgrade_needed(|event| {
            let Ok(database) = event.database() else {
                return;
            };
            for store in [ENTRIES, JOURNAL] {
                // A store that can't be created shows when it is first used.
                let _ = database.create_object_store(store, ObjectStoreParams::new());
            }
        });
        let raw = IdbDatabase::from(request.await?);
        let database = Database::from(raw.clone());
        let stored = read_all(&database).await?;
        let raw = raw.unchecked_into();
        Ok((Self::Durable(Durable { database, raw }), stored))
    }

    /// An empty store in memory.
    #[must_use]
    pub const fn volatile() -> Self {
        Self::Volatile(RefCell::new(SmallMap::new()))
    }

    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch was kept.
    pub async fn write(&self, batch: &StoreBatch) -> Result<(), StoreError> {
        match self {
            Self::Durable(durable) => write(&durable.raw, batch).await,
            Self::Volatile(journal) => {
                let mut journal = journal.borrow_mut();
                for op in &batch.ops {
                    match op {
                        StoreOp::Append { sequence, record } => {
                            journal.insert(*sequence, record.clone());
                        }
                        StoreOp::Truncate { from } => journal.retain(|sequence| sequence < from),
                        // Entries are read only at the next start, and there is none.
                        StoreOp::Put { .. } | StoreOp::Delete { .. } => {}
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads journal records; those missing are left out.
    ///
    /// # Errors
    /// [`StoreError`] when the browser can't read.
    pub async fn load(&self, sequences: &[u64]) -> Result<Vec<(u64, Bytes)>, StoreError> {
        match self {
            Self::Durable(durable) => load(&durable.database, sequences).await,
            Self::Volatile(journal) => Ok(sequences
                .iter()
                .filter_map(|sequence| Some((*sequence, journal.borrow().get(sequence)?.clone())))
                .collect()),
        }
    }

    /// Calls `lost` when the browser closes the database under the tab, as it does when the user
    /// clears the site's data.
    pub fn on_lost(&mut self, lost: impl FnOnce() + 'static) {
        if let Self::Durable(durable) = self {
            durable.database.on_close(move |_| lost());
        }
    }

    /// Closes the database; nothing can be written any more.
    pub fn close(&self) {
        if let Self::Durable(durable) = self {
            durable.database.close();
        }
    }
}

async fn read_all(database: &Database) -> Result<Stored, StoreError> {
    let transaction = database.transaction(&[ENTRIES, JOURNAL], TransactionMode::ReadOnly)?;
    let entries = transaction.object_store(ENTRIES)?;
    let journal = transaction.object_store(JOURNAL)?;
    // All four are asked for before the first is awaited: they read one moment.
    let entry_keys = entries.get_all_keys(None, None)?;
    let entry_values = entries.get_all(None, None)?;
    let journal_keys = journal.get_all_keys(None, None)?;
    let journal_values = journal.get_all(None, None)?;
    let (entry_keys, entry_values) = (entry_keys.await?, entry_values.await?);
    let (journal_keys, journal_values) = (journal_keys.await?, journal_values.await?);

    let entries = entry_keys.iter().zip(&entry_values);
    let journal = journal_keys.iter().zip(&journal_values);
    Ok(Stored {
        entries: entries
            .filter_map(|(key, value)| Some((key.as_string()?, to_bytes(value)?)))
            .collect(),
        journal: journal
            .filter_map(|(key, value)| Some((to_sequence(key)?, to_bytes(value)?)))
            .collect(),
    })
}

async fn write(database: &RawDatabase, batch: &StoreBatch) -> Result<(), StoreError> {
    let transaction = strict(database)?;
    let entries = transaction.object_store(ENTRIES)?;
    let journal = transaction.object_store(JOURNAL)?;
    for op in &batch.ops {
        // The requests' own outcomes are the transaction's: it commits only if all succeed.
        match op {
            StoreOp::Put { key, value } => drop(entries.put(
                &js_sys::Uint8Array::from(&**value),
                Some(&JsValue::from_str(key)),
            )?),
            StoreOp::Delete { key } => drop(entries.delete(JsValue::from_str(key))?),
            StoreOp::Append { sequence, record } => drop(journal.put(
                &js_sys::Uint8Array::from(&**record),
                Some(&from_sequence(*sequence)),
            )?),
            StoreOp::Truncate { from } => {
                let gone = KeyRange::lower_bound(&from_sequence(*from), None)?;
                drop(journal.delete(gone)?);
            }
        }
    }
    if transaction.commit()?.await?.is_committed() {
        return Ok(());
    }
    Err(StoreError {
        full: false,
        text: "the browser aborted the transaction".into(),
    })
}

/// A transaction that counts as done only when it is on the disk.
fn strict(database: &RawDatabase) -> Result<Transaction, StoreError> {
    let stores = js_sys::Array::of2(&ENTRIES.into(), &JOURNAL.into());
    let options = js_sys::Object::new();
    js_sys::Reflect::set(&options, &"durability".into(), &"strict".into())
        .and_then(|_| database.transaction_with_options(&stores, "readwrite", &options))
        .map(Transaction::from)
        .map_err(|error| StoreError::from(idb::Error::TransactionOpenFailed(error)))
}

async fn load(database: &Database, sequences: &[u64]) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let transaction = database.transaction(&[JOURNAL], TransactionMode::ReadOnly)?;
    let journal = transaction.object_store(JOURNAL)?;
    let asked = sequences
        .iter()
        .map(|sequence| {
            Ok((
                *sequence,
                journal.get(Query::Key(from_sequence(*sequence)))?,
            ))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut records = Vec::with_capacity(asked.len());
    for (sequence, request) in asked {
        if let Some(record) = request.await?.as_ref().and_then(to_bytes) {
            records.push((sequence, record));
        }
    }
    Ok(records)
}

fn to_bytes(value: &JsValue) -> Option<Bytes> {
    value
        .dyn_ref::<js_sys::Uint8Array>()
        .map(|array| Bytes::from(array.to_vec()))
}

/// IndexedDB orders numbers as numbers; 2^53 records are out of any tab's reach.
#[expect(clippy::cast_precision_loss, reason = "sequences stay below 2^53")]
fn from_sequence(sequence: u64) -> JsValue {
    JsValue::from_f64(sequence as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only what from_sequence made is read back"
)]
fn to_sequence(key: &JsValue) -> Option<u64> {
    key.as_f64().map(|number| number as u64)
}

//! The core's storage effect in a browser: an atomic batch, then an acknowledgement.
//!
//! Two object stores, `entries` (text key to bytes) and `journal` (sequence to bytes). One batch is one
//! transaction with strict durability. Batches are written one after the other; when one fails, those
//! that already wait behind it fail with it, so that the journal never has a gap.
//!
//! Where the page is not a secure context there are no locks, so two tabs could share an identity:
//! such a tab keeps everything in memory, and says so.

use sporenet_core::kernel::{
    bytes::Bytes,
    store::{StoreBatch, StoreOp, Stored},
};
use std::{cell::RefCell, collections::BTreeMap};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

const ENTRIES: &str = "entries";
const JOURNAL: &str = "journal";
const SCHEMA: u32 = 1;

#[wasm_bindgen]
extern "C" {
    /// A database whose transactions can be asked to be durable when they say that they are done.
    #[wasm_bindgen(extends = IdbDatabase)]
    type RawDatabase;

    #[wasm_bindgen(method, catch, js_name = transaction)]
    fn transaction_with_options(
        this: &RawDatabase,
        stores: &js_sys::Array,
        mode: &str,
        options: &js_sys::Object,
    ) -> Result<RawTransaction, JsValue>;

    /// A transaction that can be told that nothing more comes.
    #[wasm_bindgen(extends = IdbTransaction)]
    type RawTransaction;

    #[wasm_bindgen(method, catch)]
    fn commit(this: &RawTransaction) -> Result<(), JsValue>;
}

/// Why the store could not do it. Nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// Whether the browser's quota is used up.
    pub full: bool,
    /// What the browser said.
    pub text: String,
}

impl From<JsValue> for StoreError {
    fn from(error: JsValue) -> Self {
        // Such as `QuotaExceededError: …`.
        let text = match error.dyn_ref::<js_sys::Object>() {
            Some(error) => String::from(error.to_string()),
            None => "the browser gave no reason".into(),
        };
        Self {
            full: text.starts_with("QuotaExceeded"),
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
    Volatile(RefCell<BTreeMap<u64, Bytes>>),
}

/// An open database.
#[derive(Debug)]
pub struct Durable(IdbDatabase);

impl Store {
    /// Opens the database `name`, creating it if it is not there, and reads all of it.
    ///
    /// # Errors
    /// [`StoreError`] when the browser refuses storage or the database is damaged.
    pub async fn open(name: &str) -> Result<(Self, Stored), StoreError> {
        let factory = js_sys::Reflect::get(&js_sys::global(), &"indexedDB".into())?;
        let factory: IdbFactory = factory.dyn_into()?;
        let request = factory.open_with_u32(name, SCHEMA)?;
        let upgraded = request.clone();
        let upgrade = Closure::once_into_js(move || {
            let database = upgraded.result().and_then(JsCast::dyn_into::<IdbDatabase>);
            for store in [ENTRIES, JOURNAL] {
                // A store that can't be created shows when it is first used.
                if let Ok(database) = &database {
                    let _ = database.create_object_store(store);
                }
            }
        });
        request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
        let database: IdbDatabase = Asked::of(request.into()).answer().await?.dyn_into()?;
        let stored = read_all(&database).await?;
        Ok((Self::Durable(Durable(database)), stored))
    }

    /// An empty store in memory.
    #[must_use]
    pub const fn volatile() -> Self {
        Self::Volatile(RefCell::new(BTreeMap::new()))
    }

    /// Makes a batch durable, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch was kept.
    pub async fn write(&self, batch: &StoreBatch) -> Result<(), StoreError> {
        match self {
            Self::Durable(Durable(database)) => write(database, batch).await,
            Self::Volatile(journal) => {
                let mut journal = journal.borrow_mut();
                for op in &batch.ops {
                    match op {
                        StoreOp::Append { sequence, record } => {
                            journal.insert(*sequence, record.clone());
                        }
                        StoreOp::Truncate { from } => drop(journal.split_off(from)),
                        StoreOp::DropBefore { before } => *journal = journal.split_off(before),
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
            Self::Durable(Durable(database)) => load(database, sequences).await,
            Self::Volatile(journal) => Ok(sequences
                .iter()
                .filter_map(|sequence| Some((*sequence, journal.borrow().get(sequence)?.clone())))
                .collect()),
        }
    }

    /// Calls `lost` when the browser closes the database under the tab, as it does when the user
    /// clears the site's data.
    pub fn on_lost(&self, lost: impl FnOnce() + 'static) {
        if let Self::Durable(Durable(database)) = self {
            let lost = Closure::once_into_js(lost);
            database.set_onclose(Some(lost.unchecked_ref()));
        }
    }

    /// Closes the database; nothing can be written any more.
    pub fn close(&self) {
        if let Self::Durable(Durable(database)) = self {
            database.close();
        }
    }
}

/// A request that runs.
struct Asked {
    request: IdbRequest,
    done: JsFuture,
}

impl Asked {
    fn of(request: IdbRequest) -> Self {
        let done = js_sys::Promise::new(&mut |resolve, reject| {
            // In the same turn as the request, so that its outcome can't be missed.
            request.set_onsuccess(Some(&resolve));
            request.set_onerror(Some(&reject));
        });
        Self {
            request,
            done: done.into(),
        }
    }

    async fn answer(self) -> Result<JsValue, StoreError> {
        match self.done.await {
            Ok(_) => Ok(self.request.result()?),
            Err(_) => Err(said(self.request.error().ok().flatten())),
        }
    }

    async fn list(self) -> Result<js_sys::Array, StoreError> {
        Ok(self.answer().await?.dyn_into()?)
    }
}

/// What the browser says about a request or transaction that failed.
fn said(error: Option<web_sys::DomException>) -> StoreError {
    let error = error.map_or(JsValue::UNDEFINED, JsValue::from);
    error.into()
}

async fn read_all(database: &IdbDatabase) -> Result<Stored, StoreError> {
    let names = js_sys::Array::of2(&ENTRIES.into(), &JOURNAL.into());
    let transaction = database.transaction_with_str_sequence(&names)?;
    let entries = transaction.object_store(ENTRIES)?;
    let journal = transaction.object_store(JOURNAL)?;
    // All four are asked for before the first is awaited: they read one moment.
    let keys = |store: &IdbObjectStore| store.get_all_keys().map(Asked::of);
    let values = |store: &IdbObjectStore| store.get_all().map(Asked::of);
    let (entry_keys, entry_values) = (keys(&entries)?, values(&entries)?);
    let (journal_keys, journal_values) = (keys(&journal)?, values(&journal)?);
    let (entry_keys, entry_values) = (entry_keys.list().await?, entry_values.list().await?);
    let (journal_keys, journal_values) = (journal_keys.list().await?, journal_values.list().await?);

    let entries = entry_keys.iter().zip(entry_values.iter());
    let journal = journal_keys.iter().zip(journal_values.iter());
    Ok(Stored {
        entries: entries
            .filter_map(|(key, value)| Some((key.as_string()?, to_bytes(&value)?)))
            .collect(),
        journal: journal
            .filter_map(|(key, value)| Some((to_sequence(&key)?, to_bytes(&value)?)))
            .collect(),
    })
}

async fn write(database: &IdbDatabase, batch: &StoreBatch) -> Result<(), StoreError> {
    let transaction = strict(database)?;
    if let Err(error) = ask(&transaction, &batch.ops) {
        // Left alone, the browser would commit what was asked for before it threw. A transaction
        // that can't be aborted is over already.
        let _ = transaction.abort();
        return Err(error.into());
    }
    let done = js_sys::Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    let done = JsFuture::from(done);
    // Nothing more comes: the browser need not wait for this turn to end.
    transaction.commit()?;
    match done.await {
        Ok(_) => Ok(()),
        Err(_) => Err(said(transaction.error())),
    }
}

fn ask(transaction: &IdbTransaction, ops: &[StoreOp]) -> Result<(), JsValue> {
    let entries = transaction.object_store(ENTRIES)?;
    let journal = transaction.object_store(JOURNAL)?;
    for op in ops {
        // The requests' own outcomes are the transaction's: it commits only if all succeed.
        match op {
            StoreOp::Put { key, value } => {
                entries.put_with_key(&js_sys::Uint8Array::from(&**value), &key.as_str().into())?
            }
            StoreOp::Delete { key } => entries.delete(&key.as_str().into())?,
            StoreOp::Append { sequence, record } => journal.put_with_key(
                &js_sys::Uint8Array::from(&**record),
                &from_sequence(*sequence),
            )?,
            StoreOp::Truncate { from } => {
                // The bound itself goes too.
                journal.delete(&IdbKeyRange::lower_bound(&from_sequence(*from))?.into())?
            }
            StoreOp::DropBefore { before } => {
                let range = IdbKeyRange::upper_bound_with_open(&from_sequence(*before), true)?;
                journal.delete(&range.into())?
            }
        };
    }
    Ok(())
}

/// A transaction that counts as done only when it is on the disk.
fn strict(database: &IdbDatabase) -> Result<RawTransaction, StoreError> {
    let stores = js_sys::Array::of2(&ENTRIES.into(), &JOURNAL.into());
    let options = js_sys::Object::new();
    js_sys::Reflect::set(&options, &"durability".into(), &"strict".into())?;
    let database: &RawDatabase = database.unchecked_ref();
    Ok(database.transaction_with_options(&stores, "readwrite", &options)?)
}

async fn load(database: &IdbDatabase, sequences: &[u64]) -> Result<Vec<(u64, Bytes)>, StoreError> {
    let transaction = database.transaction_with_str(JOURNAL)?;
    let journal = transaction.object_store(JOURNAL)?;
    let mut asked = Vec::with_capacity(sequences.len());
    // All are asked for before the first is awaited: a transaction without requests ends itself.
    for sequence in sequences {
        let request = journal.get(&from_sequence(*sequence))?;
        asked.push((*sequence, Asked::of(request)));
    }
    let mut records = Vec::with_capacity(asked.len());
    for (sequence, request) in asked {
        if let Some(record) = to_bytes(&request.answer().await?) {
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

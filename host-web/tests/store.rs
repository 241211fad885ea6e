//! The store of a tab, in a real browser's IndexedDB, before the judge of all stores.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use sporenet_core::kernel::{
    bytes::Bytes,
    store::{StoreBatch, Stored},
};
use sporenet_tests::store::{
    Answer, Fault, append, batch,
    cases::{LARGE, cases},
    judged,
};
use sporenet_web::worker::store::Store;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// A database and its host, which writes batches one after the other as a tab's worker does.
struct Tab {
    name: String,
    store: Store,
    broken: bool,
}

impl Tab {
    async fn new(name: String) -> Self {
        let (store, stored) = Store::open(&name).await.unwrap();
        assert_eq!(stored, Stored::default());
        Self {
            name,
            store,
            broken: false,
        }
    }
}

impl sporenet_tests::store::Store for Tab {
    const FAULTS: &'static [Fault] = &[Fault::Full, Fault::Failing];

    async fn write(&mut self, batches: &[StoreBatch]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for batch in batches {
            let ticket = batch.ticket;
            answers.push(match self.store.write(batch).await {
                Ok(()) => Answer::Kept(ticket),
                Err(error) => Answer::Refused {
                    ticket,
                    full: error.full,
                },
            });
        }
        answers
    }

    async fn load(&mut self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        self.store.load(sequences).await.unwrap()
    }

    async fn reopen(&mut self) -> Stored {
        self.store.close();
        let (store, stored) = Store::open(&self.name).await.unwrap();
        self.store = store;
        stored
    }

    async fn set_fault(&mut self, fault: Option<Fault>) {
        refuse_from(match fault {
            Some(Fault::Full) => LARGE,
            Some(Fault::Failing) | None => usize::MAX,
        });
        if fault == Some(Fault::Failing) {
            // Nothing can be written through a connection that is closed.
            self.store.close();
            self.broken = true;
        } else if self.broken {
            self.reopen().await;
            self.broken = false;
        }
    }
}

/// From now on the browser throws when it is given a value of so many bytes, as it does when it can't
/// copy one. No page can set its own quota; what is seen here is what becomes of the rest of a batch.
fn refuse_from(bytes: usize) {
    let code = format!(
        "globalThis.plainPut ??= IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (value, key) {{
            if (value.byteLength >= {bytes}) {{
                throw new DOMException('no room', 'QuotaExceededError');
            }}
            return globalThis.plainPut.call(this, value, key);
        }};"
    );
    js_sys::eval(&code).unwrap();
}

#[wasm_bindgen_test]
async fn it_does_what_every_store_must() {
    use sporenet_tests::store::Store;
    for (at, case) in cases(Tab::FAULTS).iter().enumerate() {
        let mut tab = Tab::new(format!("case-{at}")).await;
        assert_eq!(judged(case, &mut tab).await, Ok(()));
        tab.store.close();
    }
}

#[wasm_bindgen_test]
async fn a_store_in_memory_loads_what_was_written_and_leaves_out_what_is_missing() {
    let store = Store::volatile();
    let record = |sequence: u64| sequence.to_string().into_bytes();
    let ops = (1..=3).map(|sequence| append(sequence, &record(sequence)));
    store.write(&batch(1, ops.collect())).await.unwrap();
    let loaded = store.load(&[3, 9, 1]).await.unwrap();
    assert_eq!(loaded, [(3, record(3).into()), (1, record(1).into())]);
}

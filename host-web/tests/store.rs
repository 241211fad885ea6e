//! The store of a tab, in a real browser's IndexedDB.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use sporenet_core::kernel::{
    bytes::Bytes,
    id::Ticket,
    store::{StoreBatch, StoreOp, Stored},
};
use sporenet_web::worker::store::Store;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn batch(ops: Vec<StoreOp>) -> StoreBatch {
    StoreBatch {
        ticket: Ticket(1),
        ops,
    }
}

fn put(key: &str, value: &str) -> StoreOp {
    StoreOp::Put {
        key: key.into(),
        value: value.as_bytes().into(),
    }
}

fn append(sequence: u64) -> StoreOp {
    StoreOp::Append {
        sequence,
        record: record(sequence),
    }
}

fn record(sequence: u64) -> Bytes {
    format!("record {sequence}").into_bytes().into()
}

async fn open(name: &str) -> (Store, Stored) {
    Store::open(name).await.unwrap()
}

#[wasm_bindgen_test]
async fn what_was_written_is_read_back_in_order_after_a_reload() {
    let (store, stored) = open("test-round-trip").await;
    assert_eq!(stored, Stored::default());
    let ops = vec![
        append(1),
        put("meta/b", "2"),
        append(2),
        put("meta/a", "1"),
        put("gone", "x"),
    ];
    store.write(&batch(ops)).await.unwrap();
    let delete = StoreOp::Delete { key: "gone".into() };
    let more = (3..=12).map(append).chain([delete, put("meta/b", "3")]);
    store.write(&batch(more.collect())).await.unwrap();
    store.close();

    let (store, stored) = open("test-round-trip").await;
    let entries = [
        ("meta/a".into(), b"1"[..].into()),
        ("meta/b".into(), b"3"[..].into()),
    ];
    assert_eq!(stored.entries, entries);
    // In the order of numbers, not of their digits.
    let journal: Vec<_> = (1..=12)
        .map(|sequence| (sequence, record(sequence)))
        .collect();
    assert_eq!(stored.journal, journal);
    store.close();
}

#[wasm_bindgen_test]
async fn a_batch_that_fails_leaves_nothing_behind() {
    let (store, _) = open("test-atomic").await;
    store.write(&batch(vec![append(1)])).await.unwrap();
    // Nothing can be written through a connection that is closed.
    store.close();
    let refused = store
        .write(&batch(vec![put("meta/a", "1"), append(2)]))
        .await;
    assert!(refused.is_err_and(|error| !error.full));

    let (store, stored) = open("test-atomic").await;
    assert_eq!(stored.entries, []);
    assert_eq!(stored.journal, [(1, record(1))]);
    store.close();
}

#[wasm_bindgen_test]
async fn a_truncated_journal_goes_on_where_it_was_cut() {
    let (store, _) = open("test-truncate").await;
    store
        .write(&batch((1..=5).map(append).collect()))
        .await
        .unwrap();
    let ops = vec![StoreOp::Truncate { from: 3 }, put("meta/a", "1")];
    store.write(&batch(ops)).await.unwrap();
    store.write(&batch(vec![append(3)])).await.unwrap();
    store.close();
    let (store, stored) = open("test-truncate").await;
    let sequences: Vec<_> = stored
        .journal
        .iter()
        .map(|(sequence, _)| *sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    store.close();
}

#[wasm_bindgen_test]
async fn a_load_leaves_out_what_is_missing() {
    for store in [open("test-load").await.0, Store::volatile()] {
        store
            .write(&batch((1..=3).map(append).collect()))
            .await
            .unwrap();
        let loaded = store.load(&[3, 9, 1]).await.unwrap();
        assert_eq!(loaded, [(3, record(3)), (1, record(1))]);
        store.close();
    }
}

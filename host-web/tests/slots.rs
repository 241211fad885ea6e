//! One identity per tab, by the browser's locks.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use sporenet_web::worker::slot;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn no_two_tabs_hold_one_slot_and_a_freed_one_is_taken_again() {
    let first = slot::take(None, 0).await.unwrap();
    let second = slot::take(None, 0).await.unwrap();
    assert_eq!((first.number, second.number), (0, 1));

    // A reloaded tab waits for its own slot; while another tab has it, it takes a free one.
    let third = slot::take(Some(0), 0).await.unwrap();
    assert_eq!(third.number, 2);

    second.release();
    let again = slot::take(Some(1), 0).await.unwrap();
    assert_eq!(again.number, 1);

    // A slot whose identity is another network's is passed over.
    let other = slot::take(None, 3).await.unwrap();
    assert_eq!(other.number, 3);
    for slot in [first, third, again, other] {
        slot.release();
    }
}

//! The same seed and inputs give the same outputs, byte for byte, natively and in a browser.
//!
//! The run is the core's rehearsal: relays and a tab that join, write, are cut apart, crash and agree
//! again. `tests/run` takes the native hash from the example `rehearsal` and builds this test for the
//! browser with it in `SPORENET_RUN_HASH`.

use sporenet_core::sim::rehearsal;

/// The run that is compared.
const SEED: u64 = 2026;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let run = rehearsal::run(SEED).unwrap();
    assert!(run.converged && run.outputs > 1_000, "{run:?}");
    assert_eq!(rehearsal::run(SEED).unwrap(), run);
    assert_ne!(rehearsal::run(SEED + 1).unwrap().trace, run.trace);
}

#[cfg(target_arch = "wasm32")]
#[test]
fn a_browser_runs_as_a_native_node_does() {
    let native = option_env!("SPORENET_RUN_HASH");
    let run = rehearsal::run(SEED).unwrap();
    assert_eq!(
        Some(run.trace.as_str()),
        native,
        "start this through tests/run"
    );
}

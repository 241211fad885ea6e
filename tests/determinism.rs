//! The same seed and inputs give the same outputs, byte for byte, natively and in a browser.
//!
//! The run is the core's rehearsal: relays and a tab that join, write, are cut apart, crash and agree
//! again; and 200 short seeds of the swarm. `tests/run` takes the native hashes from the example
//! `rehearsal` and builds this test for the browser with them in `SPORENET_RUN_HASH` and
//! `SPORENET_SHORT_HASH`.

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

#[cfg(target_arch = "wasm32")]
#[test]
fn a_browser_runs_two_hundred_seeds_as_a_native_node_does() {
    let native = option_env!("SPORENET_SHORT_HASH");
    assert_eq!(Some(rehearsal::short_runs(0, 200).as_str()), native);
}

/// Half as many seeds as the swarm has (`SPORENET_SEEDS`, 600 if it is not set).
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn many_seeds_run_twice_give_the_same_traces() {
    let seeds = std::env::var("SPORENET_SEEDS").map_or(600, |text| text.parse().unwrap()) / 2;
    let both = || std::thread::spawn(move || rehearsal::short_runs(0, seeds));
    let (one, two) = (both(), both());
    assert_eq!(one.join().unwrap(), two.join().unwrap());
    assert_ne!(rehearsal::short_runs(0, 2), rehearsal::short_runs(1, 2));
}

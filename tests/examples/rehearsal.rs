//! Prints the hashes of the runs that `tests/determinism.rs` compares: one long run, many short ones.
//!
//! Built for wasm32 it is also the proof that the core needs nothing from its host: the module must
//! have no imports (`tests/wasm_imports.rs`).

use sporenet_core::sim::rehearsal;

fn main() {
    let run = rehearsal::run(2026).expect("the nodes start");
    println!("{}", run.trace);
    println!("{}", rehearsal::short_runs(0, 200));
}

//! Prints the hash of the run that `tests/determinism.rs` compares.
//!
//! Built for wasm32 it is also the proof that the core needs nothing from its host: the module must
//! have no imports (`tests/wasm_imports.rs`).

use sporenet_core::sim::rehearsal;

fn main() {
    let run = rehearsal::run(2026).expect("the nodes start");
    println!("{}", run.trace);
}

//! The mesh in a box: real nodes under virtual time (feature `sim`).
//!
//! | file | what lives there |
//! |---|---|
//! | `wheel` | what happens next |
//! | `clock`, `disk`, `network` | a host's clocks and store, the paths between hosts, and their faults |
//! | `shell`, `typed` | what the world drives: endpoints down to the bytes, or nodes with typed messages |
//! | `host`, `wires`, `world` | machines with processes, their connections, and all that happens to them |
//! | `settled` | a mesh of thousands that know each other from the start |
//! | `trace` | a hash over all that the nodes put out |
//! | `fault`, `inject` | what goes wrong, in a readable form, and how it is done |
//! | `adversary/` | members that break the rules, and what must hold all the same |
//! | `settings` | settings drawn wide |
//! | `plan`, `scenario` | what a seed does, and the same as a readable file |
//! | `workload`, `asking`, `ledger` | clients that write and ask, and what they were promised |
//! | `checkers`, `alert_checks` | what must hold at any time, in nodes and between them |
//! | `run` | one run from warm-up to final reads |
//! | `shrink` | the few faults of a plan that matter |
//! | `swarm` | what many runs came to |
//! | `rehearsal` | one recorded run whose trace has the same hash on every target |
//!
//! Invariants: one seed, one run: the trace (every output of every node with its time) depends on
//! nothing else.
//!
//! Not here: anything that a production host uses.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers here are the simulator's own, not a peer's; a simulator that goes wrong stops"
)]

mod adversary;
mod alert_checks;
mod asking;
pub mod checkers;
pub mod clock;
pub mod disk;
pub mod fault;
mod host;
pub mod inject;
pub mod ledger;
pub mod network;
pub mod plan;
pub mod rehearsal;
pub mod run;
pub mod scenario;
pub mod settings;
mod settled;
pub mod shell;
pub mod shrink;
pub mod swarm;
pub mod trace;
pub mod typed;
pub mod wheel;
mod wires;
pub mod workload;
pub mod world;

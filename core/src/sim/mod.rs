//! The mesh in a box: real nodes under virtual time (feature `sim`).
//!
//! | file | what lives there |
//! |---|---|
//! | `wheel` | what happens next |
//! | `clock`, `disk`, `network` | a host's clocks and store, the paths between hosts, and their faults |
//! | `shell` | what the world drives: endpoints down to the bytes, or nodes with typed messages |
//! | `host`, `world` | machines with processes, and everything that happens to them |
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
    reason = "numbers here are the simulator's own, not a peer's; a simulator that goes wrong stops"
)]

pub mod clock;
pub mod disk;
mod host;
pub mod network;
pub mod rehearsal;
pub mod shell;
pub mod wheel;
pub mod world;

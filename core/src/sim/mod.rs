//! The mesh in a box: real endpoints under virtual time (feature `sim`).
//!
//! | file | what lives there |
//! |---|---|
//! | `disk` | what a host's store does, in memory |
//! | `mesh` | several endpoints joined by a network with latency, cuts, crashes and restarts |
//! | `rehearsal` | one recorded run whose trace has the same hash on every target |
//!
//! Invariants: one seed, one run: the trace (every output of every node with its time) depends on
//! nothing else.
//!
//! Not here: anything that a production host uses.

pub mod disk;
pub mod mesh;
pub mod rehearsal;

//! The sans-IO core of Sporenet.
//!
//! Every fault-tolerance algorithm of the mesh lives here as a pure state machine: no clock, socket,
//! thread, file or randomness of its own. Time, entropy, bytes and stored records come in as inputs;
//! sends, dials, writes and events go out as outputs. The same inputs give the same outputs, byte for
//! byte, on every target.
//!
//! Start with [`kernel::machine`] (the four verbs), then [`node`] (the sum of all machines).
#![no_std]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod detection;
pub mod kernel;
pub mod membership;
pub mod node;
pub mod observe;
pub mod overlay;
pub mod recovery;
pub mod replication;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod wire;

//! What a node got, in one file: a host keeps the last of it, and any node can go through it again.
//!
//! | file | what lives there |
//! |---|---|
//! | `frozen` | a node's whole state as bytes, without its keys, and back |
//! | `entry` | one input, or one check, as bytes |
//! | `digest` | a cheap number over what the node said |
//! | `segment` | a snapshot and what the node got after it |
//! | `recorder` | the ring of segments, bounded in bytes |
//! | `record` | a node with its recorder: started, stopped, saved |
//! | `file` | segments as a file, and back (`docs/recording.md`) |
//! | `replay` | the file's node, one input at a time, forwards and backwards |
//! | `describe` | an input in a few words |
//!
//! Invariants: no key is in a recording; recording changes nothing that a node does; what was recorded
//! replays to the same state, byte for byte, or the first difference is told; no file makes a replay
//! panic or allocate more than a few times its own length.
//!
//! Not here: where a file is kept, and how it is shown (the hosts).
//!
//! Source: Engblom, "A Review of Reverse Debugging", S4D 2012, section 3 (snapshots, and going forward
//! from them to go back).

mod describe;
mod digest;
mod entry;
pub mod file;
mod frozen;
mod record;
pub(in crate::node) mod recorder;
pub mod replay;
mod segment;
#[cfg(test)]
mod tests;

pub use self::{
    file::{About, OpenError, Saving},
    frozen::{NotDrained, ThawError},
    record::RecordingStatus,
    recorder::{BYTES_MAX_DEFAULT, BYTES_MAX_MIN, Stopped},
    replay::{Mismatch, Outcome, Replay, Step, What},
};

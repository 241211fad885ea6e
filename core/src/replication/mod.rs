//! The same data in several places.
//!
//! | file | what lives there |
//! |---|---|
//! | `replica/` | the machine and its parts |
//! | `config`, `stats`, `message`, `write` | its settings, counters, messages; write refusals |
//! | `clock` | hybrid logical clocks |
//! | `crdt/` | what a cell can hold |
//! | `batch` | signed, hash-chained groups of writes; shards; journal records |
//! | `log`, `side_branches` | chains, frontiers, forks; what stands beyond forks |
//! | `under_replicated` | own batches that few others have |
//! | `cells` | the key space in memory: list, changes |
//! | `typed` | counters, sets, maps, flags: values made of registers at parts of a key |
//! | `queue` | writes that wait, batches that are with the journal |
//!
//! Papers: Kulkarni et al., "Logical Physical Clocks", 2014 (clock); Preguiça et al., "Dotted Version
//! Vectors", 2010 (versions); Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022 (log); Demers et
//! al., "Epidemic Algorithms for Replicated Database Maintenance", 1987 (anti-entropy).
//!
//! Invariants: nothing is visible, confirmed or passed on before it is durable here; only side
//! branches are shown and given from memory. A chain is held without gaps. A node's own chain has
//! at most one batch of a shard with the journal. What a chain says from a fork on is a side branch
//! until its author issues it again. Two relays with equal frontiers and no side branches have
//! equal state. Memory, queues and answers are bounded by `Config`.
//!
//! Not here: the journal's format (`recovery`), who is linked (`overlay`), who is a member.

pub mod batch;
pub mod cells;
pub mod clock;
pub mod config;
pub mod crdt;
pub mod log;
pub mod message;
mod queue;
pub mod replica;
mod side_branches;
pub mod stats;
#[cfg(test)]
mod tests;
pub mod typed;
mod under_replicated;
pub mod write;

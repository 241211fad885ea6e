//! The same data in several places.
//!
//! | file | what lives there |
//! |---|---|
//! | `replica` | the machine: commands, events, peers |
//! | `config`, `stats`, `message`, `write` | its settings, counters, words; acknowledgements, refusals |
//! | `clock` | hybrid logical clocks |
//! | `crdt/` | what a cell can hold |
//! | `batch` | signed, hash-chained groups of writes; shards; journal records |
//! | `log`, `aside` | chains, frontiers, forks; what stands beyond forks |
//! | `cells` | the key space in memory: list, changes |
//! | `queue` | writes that wait, batches that are with the journal |
//! | `intake`, `fork` | checking what comes in; proof of forks |
//! | `lives`, `branches`, `reissue` | after a fork of our own: the next chain; both branches into it |
//! | `commit` | from a write to a visible value |
//! | `push` | fresh batches to peers, confirmations |
//! | `sync` | comparing frontiers, fetching |
//! | `serve`, `unshared` | answers from memory or journal; own batches that few others have |
//! | `interest` | namespaces that tabs follow |
//! | `ahead` | what tabs hold and their homes do not |
//! | `restore`, `views`, `check` | replay at start; read-only questions; what must hold |
//!
//! Papers: Kulkarni 2014 (clock); Preguiça 2010 (versions); Kleppmann 2022 (log); Demers 1987 (sync).
//! Invariants: nothing is visible, confirmed or passed on before it is durable here. A chain is held
//! without gaps. A node's own chain has at most one batch of a shard with the journal. What a chain
//! says from a fork on is not taken until its author issues it again. Two relays with equal frontiers
//! and nothing set aside have equal state. Memory, queues and answers are bounded by `Config`.
//!
//! Not here: the journal's format (`recovery`), who is linked (`overlay`), who is a member.

mod ahead;
mod aside;
pub mod batch;
mod branches;
pub mod cells;
mod check;
pub mod clock;
mod commit;
pub mod config;
pub mod crdt;
mod fork;
mod intake;
mod interest;
mod lives;
pub mod log;
pub mod message;
mod peer;
mod push;
mod queue;
mod reissue;
pub mod replica;
pub mod restore;
mod serve;
pub mod stats;
mod sync;
#[cfg(test)]
mod tests;
mod unshared;
mod views;
pub mod write;

//! Back from a crash: what is durable, and how it is read again.
//!
//! | file | what lives there |
//! |---|---|
//! | `record` | one journal record: checksummed, numbered, chained to the one before |
//! | `entry` | one named entry of the store, sealed |
//! | `journal` | the only way to the store: group commit, failures, loads |
//! | `replay` | the stored journal read at start: a torn tail is cut off, damaged records are set aside |
//!
//! Invariants: nothing is reported durable before the store said so; what was reported durable is
//! found again or reported damaged; a damaged journal is never mistaken for an empty one.
//!
//! Papers: Gray and Reuter, "Transaction Processing", 1993 (write-ahead log, group commit);
//! Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST'18 (a torn tail is
//! not a corrupt middle; a corrupt middle is repaired from replicas, never truncated).
//!
//! Not here: what a record means (the machine that appended it), the store itself (the hosts).

pub mod entry;
pub mod journal;
pub mod record;
pub mod replay;

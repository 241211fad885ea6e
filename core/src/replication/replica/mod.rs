//! The replica: a composite of parts that own their fields and speak to each other through its
//! machine.
//!
//! | file | what it does |
//! |---|---|
//! | `contract` | commands, events, offences |
//! | `machine` | the four verbs; who is linked |
//! | `context` | what all parts share: settings, time, timers, outbox, counters |
//! | `database` | what is held: log, cells, clock; what is with the journal |
//! | `gate`, `intake` | checks of batches that come in; what follows from each |
//! | `writes`, `sealing`, `commit` | writes of this node; from a write to a visible value |
//! | `compaction`, `trim` | chains that are left behind, and their room in the journal |
//! | `verify` | proving that another relay holds the same |
//! | `pushes` | fresh batches to peers, confirmations |
//! | `anti_entropy`, `exchange` | what peers have and we lack; comparisons, fetches, answers |
//! | `naming`, `answers` | telling the frontier; answers from memory or journal |
//! | `subscriptions`, `tabs` | namespaces that tabs follow; what tabs and homes say of them |
//! | `forks/` | chains that forked; a first reader may skip it |
//! | `restore`, `views`, `check` | replay at start; read-only questions; what must hold |
//!
//! `context` and `database` know no part. A part knows these two and few parts below it:
//! `anti_entropy` tells `writes` what a peer holds. `commit`, `intake`, `exchange`, `tabs` and
//! `forks/flow` are steps of the machine that concern several parts.

mod answers;
mod anti_entropy;
mod check;
mod commit;
mod compaction;
mod context;
mod contract;
mod database;
mod exchange;
mod forks;
mod gate;
mod intake;
mod machine;
mod naming;
mod opened;
mod pushes;
pub mod restore;
mod sealing;
mod subscriptions;
mod tabs;
mod trim;
mod verify;
mod views;
mod writes;

pub use crate::replication::message::Message;
pub use contract::{Command, Difference, Event, Offence, Verified, VerifyRefusal};
pub use machine::Replica;
pub use subscriptions::Following;
pub use views::{Footprint, ShardFootprint};

//! The only way to the store: group commit, failures, loads.
//!
//! One batch (configurable) is with the store at a time; everything that arrives meanwhile goes
//! into the next, so that the cost of a flush is shared by all that wait for it.
//!
//! | state | an append, put or delete | the store says |
//! |---|---|---|
//! | writing | joins the next batch | stored: `Persisted` for each, in order |
//! | full | is tried; an idle journal probes | full: `PersistFailed` for each; sequences go back |
//! | broken | refused at once | anything: ignored |
//!
//! After a batch failed for lack of space, batches that were already on their way have the wrong
//! sequences: those that the store still kept are cut off and written again before anything else.
//! Nothing of them was reported durable yet.
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `contract` | settings; commands, events, counters |
//! | `machine` | the machine |
//! | `check` | what must hold, how full it is, what it measures |
//!
//! Source: DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD
//! 1984, section 5.2 (group commit); Rebello et al., "Can Applications Recover from fsync
//! Failures?", ATC'20, section 5 (after a failed flush that was not for lack of space, nothing may
//! be assumed: stop).

mod check;
mod config;
mod contract;
mod machine;
#[cfg(test)]
mod tests;

pub use self::{
    config::Config,
    contract::{Command, Event, Stats},
    machine::{FRONT_KEY, Journal, PROBE_KEY},
};

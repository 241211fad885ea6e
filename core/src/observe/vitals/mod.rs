//! How every node is, known to every node: signed reports that are passed on from link to link.
//!
//! | happens | then |
//! |---|---|
//! | the interval is over, and a peer is linked | the owner is asked for the paths; what was sampled last is signed with them, under the next sequence |
//! | a report is newer than the one that is known | it is checked, kept, and passed on in the next turn to each linked peer that has not told it |
//! | a report is as old as the one that is known, or older | dropped, counted; who told it needs not be told |
//! | a peer is linked | the whole table goes to it, a batch each turn |
//! | a member leaves | its report is forgotten |
//!
//! Newer is a higher incarnation, or the same with a higher sequence. The interval grows with the number of
//! members, so that what one link carries does not: each report crosses a link about once.
//!
//! | file | what lives there |
//! |---|---|
//! | `sample`, `report` | what a node measures of itself; what it signs |
//! | `config`, `contract` | settings; messages, commands, events, counters |
//! | `table` | the newest report of each node, in the order of nodes and of what is new |
//! | `machine` | state, constructor, steps, the four verbs |
//! | `check` | what must hold, gauges, metrics |
//!
//! Source: Demers et al., "Epidemic algorithms for replicated database maintenance", PODC 1987: rumours that
//! are not told to who told them; a rumour here is told once to each peer, since links are reliable.
//!
//! Not here: taking a sample (the hosts), measuring paths (`overlay/links`), how a node's verdict comes about.

mod check;
mod config;
mod contract;
mod machine;
mod report;
mod sample;
mod table;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use contract::{Around, Command, Event, Message, Offence, Passed, Stats};
pub use machine::{Known, Vitals};
pub use report::{PATHS_MAX, Path, Report, Tag};
pub use sample::Sample;

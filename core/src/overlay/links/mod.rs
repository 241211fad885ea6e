//! One link per peer: dials, pings, duplicates, supersession.
//!
//! | happens | then |
//! |---|---|
//! | a link comes up, no other to that peer | it is routed, the peer is up |
//! | another link to the same process of the peer | dialled by different ends: the one dialled by the smaller identity stays; by the same end: the newer stays |
//! | a link to another process of the peer | the higher incarnation stays, the other is told that its identity is in use; with equal incarnations the one that was there stays |
//! | nothing heard for two ping intervals | the link is closed as silent: a half-open link |
//! | a link breaks without a word | the peer is dialled again at once; a refused connection is told as evidence of a crash |
//! | a dial fails, or a link to what failed holds | the backoffs are stored, soon and seldom |
//! | a link comes up under an invite | it carries admission only, until one side has let the other in; after `arrival_patience` it is closed, and a newcomer dials again |
//! | we are told that our identity is in use | the node is told to fence itself |
//!
//! Source: docs/design.md, sessions; half-open detection as in RFC 5880 (BFD, 2010, asynchronous mode);
//! simultaneous open resolved by identity as in RFC 4271 (BGP, 2006, section 6.8).
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `contract` | settings; messages, commands, events, counters |
//! | `machine` | state, constructor, questions, steps, the four verbs |
//! | `dialling` | whom to dial and when, what becomes of each dial, backoffs that are stored |
//! | `path` | how good the path to a peer is |
//! | `arriving` | links under an invite, until one side has let the other in |
//! | `clocks` | wall clocks compared with those of peers |
//! | `check` | what must hold, gauges, metrics |
//!
//! Invariants: at most one link per peer is routed; a peer is up exactly while it has a routed link.
//!
//! Not here: whom to want (`membership`), where to dial next (`dialer`), bytes (`wire`).

mod arriving;
mod check;
mod clocks;
mod config;
mod contract;
mod dialling;
mod machine;
mod path;
mod standby;
#[cfg(test)]
mod tests;

pub use clocks::{CLOCK_OFF_MS, CLOCK_RIGHT_MS, ClockOff, Judgement, ahead_ms};
pub use config::Config;
pub use contract::{BACKOFFS_KEY, Command, Event, Message, Stats};
pub use machine::Links;
use machine::{Peer, Timer};
pub use path::Path;

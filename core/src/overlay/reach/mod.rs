//! Whether others reach this node: linked relays dial back the addresses that it announces, and tell.
//!
//! | happens | then |
//! |---|---|
//! | a relay has had a link for `every` | it asks by itself, and keeps what was found of each address |
//! | the owner wants to know | up to `helpers_max` linked relays are asked; what they found is told when all have answered, or after `patience` |
//! | a relay asks | each address of its record, and the WebSocket at the port of each TCP address, is opened and closed again, without a handshake; what came of each is told to it |
//! | a relay asks again within `interval`, or too many ask | refused, counted; it is told nothing |
//!
//! Only the addresses that a member has signed are dialled, so nobody can make relays dial a third party
//! more often than by announcing its address. A connection that opens shows that something listens there;
//! who it is shows in the next handshake.
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `contract` | settings; messages, commands, events, counters |
//! | `machine` | state, constructor, steps, the four verbs |
//! | `check` | what must hold, gauges, metrics |
//!
//! Source: the dial-back of libp2p's AutoNAT 2 (specification of 2023), with the addresses of the signed
//! record in place of those that the asker names.
//!
//! Not here: dials that become links (`links`), opening connections (the hosts).

mod check;
mod config;
mod contract;
mod machine;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use contract::{Command, Dialled, Event, Message, Report, Standing, Stats};
pub use machine::Reach;

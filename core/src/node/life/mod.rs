//! Where a node is in its life, and what moves it on.
//!
//! | phase | what the node does |
//! |---|---|
//! | joining | dials its entry points under an invite's key and waits to be let in; takes no writes |
//! | running | everything |
//! | fenced | its identity runs elsewhere: no links, no writes; it still answers questions |
//! | leaving | has said goodbye; waits until what is written is durable |
//! | departed | nothing; the host may exit |
//!
//! | file | what lives there |
//! |---|---|
//! | `phase` | the phases, fencing and leaving |
//! | `arrival` | links that come up and go, messages that come in |
//! | `inputs` | what hosts say besides |
//! | `series` | what it writes down over time |
//! | `trips` | quantiles of round trips |
//! | `watching` | what is unusual about that, and what runs full |
//! | `judging` | what of all that is judged by rules, and what people want done about it |
//! | `saving` | what the node itself stores |
//!
//! Not here: starting (`start/`), what machines tell each other (`route/`).

mod arrival;
mod clock;
mod inputs;
mod judging;
mod phase;
mod saving;
mod series;
mod trips;
mod watching;

pub(super) use self::{
    clock::ClockWatch,
    phase::Phase,
    saving::Unsaved,
    series::{History, Measured, shares_used},
};

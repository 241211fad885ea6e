//! The only place where machines meet: where each output of each machine goes.
//!
//! One file a machine: `links`, `admission`, `swim`, `replica`, `reach`, `vitals`, `alerts`,
//! `journal`. Each opens with a
//! table of its outputs and where they go, and matches every variant by its name, so that a new output breaks
//! the build until someone decides where it goes.
//!
//! Not here: who calls this (`node/pump`), what hosts and links say (`node/life`).

mod admission;
mod alerts;
mod journal;
mod links;
mod reach;
mod replica;
mod swim;
mod vitals;

pub(super) use alerts::OwnWrites;

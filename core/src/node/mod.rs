//! The sum: one node of the mesh.
//!
//! Begin with `machine`, `pump`, `route/links` and `send`: they show how machines become a node.
//!
//! | file | what lives there |
//! |---|---|
//! | `machine` | `Node`: the machines as named fields, the four verbs |
//! | `contract/` | what a host feeds and drains, by kind; what happened, as data |
//! | `pump`, `send` | draining the machines in one fixed order; the one way out for messages |
//! | `route/` | the only place where machines meet: one file a machine |
//! | `message`, `envelope` | what nodes say, and how it travels |
//! | `start/` | what a host decides; how a node starts from its store |
//! | `life/` | joining, running, fenced, leaving; links and messages that arrive |
//! | `read/` | what a console, an API or a person reads: views, metrics, sentences, checks |
//! | `recording/` | what a node got, in one file that can be replayed |
//! | `mask` | what an adversary does in a node's name (tests, feature `sim`) |
//! | `endpoint/` | the same node behind links and bytes, for hosts with one thread |
//!
//! Invariants: a message is taken only from a linked peer (or, before admission, from the relay that
//! lets us in); what is sent goes over the link of its receiver; a fenced node emits no write.
//!
//! Not here: any algorithm (the rooms), any IO (the hosts).

pub mod contract;
pub mod endpoint;
pub mod envelope;
mod life;
mod machine;
#[cfg(any(test, feature = "sim"))]
pub mod mask;
pub mod message;
mod pump;
mod read;
pub mod recording;
mod route;
mod send;
pub(crate) mod start;
#[cfg(test)]
mod tests;

pub use self::{
    machine::Node,
    read::{
        alert_views, data, joining, sentences::in_words, snapshot, timeline::TimelinePage,
        views::ChangesPage,
    },
    start::{config, setup, tuning},
};

//! The sum: one node of the mesh.
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `setup`, `tuning`, `start` | what a host decides; how a node starts from its store |
//! | `machine` | `Node`: the machines as named fields, the four verbs |
//! | `pump` | draining the machines in one fixed order, bounded |
//! | `route/` | the only place where machines meet: one file a room |
//! | `command`, `event`, `message` | what a host tells a node, what it hears, what nodes say |
//! | `timeline`, `status`, `views`, `metrics`, `snapshot` | what a console, an API or a person reads |
//! | `check` | what must hold between the machines (tests, feature `sim`) |
//! | `recording/` | what a node got, in one file that can be replayed (feature `recording`) |
//! | `mask` | what an adversary does in a node's name (tests, feature `sim`) |
//! | `endpoint` | the same node behind links and bytes, for hosts with one thread |
//!
//! Invariants: a message is taken only from a linked peer (or, before admission, from the relay that
//! lets us in); what is sent goes to a routed peer; a fenced node emits no write.
//!
//! Not here: any algorithm (the rooms), any IO (the hosts).

#[cfg(any(test, feature = "sim"))]
mod check;
pub mod command;
pub mod config;
pub mod endpoint;
pub mod event;
mod machine;
#[cfg(any(test, feature = "sim"))]
pub mod mask;
pub mod message;
pub mod metrics;
mod pump;
#[cfg(feature = "recording")]
pub mod recording;
mod route;
pub mod setup;
pub mod snapshot;
pub(crate) mod start;
mod status;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod tuning;
mod views;

pub use self::{machine::Node, metrics::Metric, timeline::TimelinePage, views::ChangesPage};

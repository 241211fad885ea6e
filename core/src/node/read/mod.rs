//! What a console, an API or a person reads. Nothing here changes the node.
//!
//! | file | what lives there |
//! |---|---|
//! | `snapshot` | the views as plain data |
//! | `views`, `status` | members, edges, connections and data; one word for all, and why |
//! | `vitals` | how each node is, and the paths between them |
//! | `series`, `outlook` | the same over time; what is unusual about it, and where it goes |
//! | `alerts`, `alert_views` | alerts, incidents and settings; the same as plain data |
//! | `data` | what the data takes, and what holds it |
//! | `health` | one figure for how healthy a node is, and what it consists of |
//! | `joining` | why a node is not let in, and what helps |
//! | `timeline`, `sentences` | what happened, bounded; the same in words |
//! | `metrics` | every measured value |
//! | `check` | what must hold in and between the machines |

pub mod alert_views;
mod alerts;
#[cfg(any(test, feature = "sim"))]
mod check;
pub mod data;
mod health;
pub mod joining;
mod metrics;
mod outlook;
pub(super) mod sentences;
mod series;
pub mod snapshot;
mod status;
pub(super) mod timeline;
pub(super) mod views;
mod vitals;

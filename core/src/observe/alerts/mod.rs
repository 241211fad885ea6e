//! What is wrong in the mesh, who looks after it, and who is told.
//!
//! | happens | then |
//! |---|---|
//! | a value is beyond a rule's threshold for its duration | who judges it writes an alert into a reserved namespace |
//! | it has come back | the same record is written again, with its end |
//! | its node is dead | the same, with that as the reason; it fires anew if the node comes back with it |
//! | alerts begin together and are about the same | they are one incident, on every node that holds them |
//! | a person acknowledges, resolves, silences, sets | that is a record too; sides of a cut keep theirs, and merge |
//! | an incident gathered for a while | the first of the relays with a channel claims the notification, and sends it |
//! | nobody acknowledges it | the next step of the escalation |
//!
//! A node judges what it measures of itself and of its own paths. How a node is, is judged by another: the
//! relay that the highest random weight picks among those that are there. Records are data like others: they
//! are signed, durable, and the same everywhere in a moment.
//!
//! | file | what lives there |
//! |---|---|
//! | `text`, `rule`, `settings` | numbers as people write them; what is watched; what can be set |
//! | `record`, `board` | what stands in the reserved namespaces; all of it, read |
//! | `trial` | one rule and one value over time |
//! | `incident` | which alerts belong together, and why they probably fire |
//! | `duty`, `notify` | who does what; who is told when and by whom |
//! | `acts`, `view` | what people do; what they read |
//! | `config`, `contract`, `machine`, `check` | as in every machine |
//!
//! Source: docs/adr/0020-alerts-are-records.md; the papers on the pages of `duty`.
//!
//! Not here: measuring (`node/life`), sending over a channel (the hosts), sentences (`node/read`).

mod acts;
mod board;
mod check;
mod config;
mod contract;
mod duty;
mod incident;
mod machine;
mod notify;
pub mod record;
pub mod rule;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod text;
mod trial;
mod view;

pub use acts::{Deposit, Wish, WishRefusal, dry_run};
pub use board::{SettingKnown, Written};
pub use config::Config;
pub use contract::{Command, Delivered, Event, Look, Presence, Reading, Seen, Stats};
pub use incident::{Cause, Incident};
pub use machine::Alerts;
pub use view::{AlertKnown, PendingKnown, Standing, arrived};

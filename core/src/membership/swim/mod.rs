//! Who belongs to the mesh, and who is alive: SWIM with Lifeguard over Rapid's rings.
//!
//! | Rule | Source |
//! |---|---|
//! | A relay pings the ring neighbours it has not heard for a period; helpers try on its behalf; then it accuses. | SWIM (Das, Gupta, Motivala, DSN 2002), sections 3.1 and 4 |
//! | Neighbours are successor and predecessor on K pseudo-random rings. | Rapid (Suresh et al., ATC 2018), section 4.1 |
//! | Timeouts stretch with the node's own health; helpers say no; suspicion shrinks with independent accusers; a suspect hears of it first. | Lifeguard (Dadgar et al., 2017), section IV |
//! | An accused member raises its incarnation. | SWIM, section 4.2 |
//! | Everyone decides on its own from signed accusations; nobody believes a verdict. | docs/adr/0002-own-swim.md |
//!
//! Figures with the defaults: silence is accused 2.0 to 2.1 s after the last answer and dead 4.25 s
//! (two relays) to 4.75 s (eight) after enough accusations; a crash (link lost abruptly and a redial
//! refused) is dead 1 s after the accusation; a closed tab is parked 2 s after its link went.
//!
//! Source: the papers above; docs/faults.md, F8 (no cascade of false verdicts by slow observers).
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `contract` | settings; identity, messages, commands, events, counters |
//! | `machine` | state, constructor, questions, the four verbs, timers, stalls |
//! | `own_record` | this node's record: incarnations, refutation, parking, leaving |
//! | `links` | links coming and going, neighbours, whom to try |
//! | `probe` | pings, helpers, verdicts |
//! | `accusations` | accusations, suspicion, refutations by others |
//! | `peers` | the linked peers: when each was heard, what work it used up |
//! | `false_accusations` | how often each accuser was wrong about each member |
//! | `gossip` | rumours in and out |
//! | `anti_entropy` | comparing tables |
//! | `tabs` | vouching for tabs; in a tab, the choice of homes |
//! | `check`, `metrics` | what must hold, gauges; every number that is measured |
//! | `frozen` | what a recording needs when it brings a node back |
//!
//! Invariants: nobody is dead without a signed accusation and a window to refute; no incarnation is
//! announced before it is durable; tabs are never suspect or dead; dead members are never forgotten.
//!
//! Not here: links themselves (`overlay`), the table of members (`roster`), windows (`suspicion`).

mod accusations;
mod anti_entropy;
mod check;
mod config;
mod contract;
mod false_accusations;
mod frozen;
mod gossip;
mod links;
mod machine;
mod metrics;
mod own_record;
mod peers;
mod probe;
mod tabs;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use contract::{
    Command, Event, INCARNATION_KEY, Identity, MEMBERS_KEY, Message, Offence, Stats, TableEntry,
};
pub use machine::Swim;
use machine::Timer;

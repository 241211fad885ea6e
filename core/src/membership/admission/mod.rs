//! Letting newcomers in: invites issued and honoured, the isolation key handed over.
//!
//! | this node | a handshake wants a key | a newcomer arrived | a welcome comes |
//! |---|---|---|---|
//! | newcomer | `Busy` | `Busy` | from where it knocked: checked, stored, then `Joined` |
//! | member | isolation key of its epoch, or the invite's derived key | role, uses; stored, then welcomed | ignored where it knocked, else an offence |
//!
//! An unlimited invite is honoured by every relay, for its key follows from the isolation key. A
//! limited one is honoured by its issuer alone, which counts the uses: a use is taken the moment a
//! newcomer arrives, and durable before anything is handed over, so that neither a crowd nor a
//! crash lets in one too many. It is bound to the newcomer's identity: whose welcome was lost comes
//! again and takes no second use.
//!
//! A newcomer checks that the genesis document is that of the network it wants, and that the key it
//! was given is the one that its invite was derived from.
//!
//! Source: Perrin, "The Noise Protocol Framework", revision 34, 2018, section 9 (pre-shared keys);
//! Gray and Reuter, "Transaction Processing", 1993, section 10.3 (testable, exactly-once actions).
//!
//! | file | what lives there |
//! |---|---|
//! | `config`, `contract` | settings; credentials, messages, commands, events, counters |
//! | `machine` | state, constructor, questions, steps, the four verbs |
//! | `invites` | the limited invites that this relay issued, and who used them |
//! | `blind` | what is different in a recording, which holds no key |
//! | `check` | what must hold, gauges, metrics |
//!
//! Invariants: an invite never lets in more newcomers than it says; nothing is handed over before its use
//! is durable; who has an isolation key in its store has the genesis document too.
//!
//! Not here: handshakes (`wire`), links under an invite (`overlay`), where members are (`node`).

mod blind;
mod check;
mod config;
mod contract;
mod invites;
mod machine;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use contract::{
    Command, Credentials, Event, GENESIS_KEY, ISOLATION_PREFIX, InviteRefusal, Message, Offence,
    Own, Stats, TTL_MAX, TTL_MIN, isolation_key_name,
};
pub use invites::{INVITE_PREFIX, USES_MAX};
pub use machine::Admission;
use machine::{Timer, Waiting};

//! Who belongs, and who is alive.
//!
//! | file | what lives there |
//! |---|---|
//! | `member` | what members say of themselves and of each other, signed |
//! | `swim` | a machine: probing, suspicion, refutation, dissemination, tables compared |
//! | `rings` | K pseudo-random rings: whom to be linked to and to observe |
//! | `roster` | the table of members |
//! | `why` | the reason for a member's state, as data and in words |
//! | `suspicion` | how long an accused member has to refute |
//! | `local_health` | how far this node trusts its own timing |
//! | `dissemination` | rumours, and how often each is told |
//! | `presence` | tabs: who vouches for them, and which relays are their homes |
//! | `admission` | a machine: letting newcomers in: invites, the isolation key handed over |
//! | `genesis` | the document a network begins with, and its identity |
//! | `spore` | a bounded, mergeable set of pointers to members |
//! | `join_link` | a spore with an invite, in one line of text |
//!
//! Invariants: nobody is dead without a signed accusation and a window to refute; no incarnation is
//! announced before it is durable; tabs are never suspect or dead; dead members are never forgotten.
//!
//! Papers: SWIM (2002), Lifeguard (2017), Rapid (2018).
//!
//! Not here: links and dials (`overlay`), the store (`recovery`), what others learn of it (`node/route`).

pub mod admission;
pub mod dissemination;
pub mod genesis;
pub mod join_link;
pub mod local_health;
pub mod member;
pub mod presence;
pub mod rings;
pub mod roster;
pub mod spore;
pub mod suspicion;
pub mod swim;
pub mod why;

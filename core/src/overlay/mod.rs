//! Who is linked to whom.
//!
//! | file | what lives there |
//! |---|---|
//! | `backoff` | full-jitter exponential backoff of one destination |
//! | `budget` | the token bucket that bounds all dials of a node together |
//! | `dialer` | where to dial next, and what became of each dial |
//! | `remembered` | the backoffs across restarts, by the wall clock |
//! | `links` | the machine: one link per peer, pings, duplicates, supersession |
//! | `reach` | the machine: whether others reach this node |
//!
//! Papers: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (full jitter).
//!
//! Invariants: at most one link per peer is routed; a peer is up exactly while it has a routed link;
//! a dial in progress is answered exactly once; what is wanted and not linked is either being dialled
//! or waits for its backoff, for ever.
//!
//! Not here: whom to want (`membership`), bytes (`wire`), sockets (the hosts).

pub mod backoff;
pub mod budget;
pub mod dialer;
pub mod links;
pub mod reach;
pub mod remembered;

//! Membership in a small deterministic world of real machines.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod detection;
mod forgetting;
mod hostile;
mod laws;
mod lifeguard;
mod presence;
mod reunion;
mod world;

//! Behaviour of replicas together, in a box.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "tests"
)]

mod abandoned;
mod compaction;
mod convergence;
mod drawn;
mod fork_corners;
mod forks;
mod golden;
mod hostile;
mod tabs;
mod typed;
mod typed_drawn;
mod verify;
mod world;

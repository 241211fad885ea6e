//! Bytes to types and back: what travels on a link.
//!
//! | file | what lives there |
//! |---|---|
//! | `class` | the four priority classes |
//! | `close` | why a link ends, in a form both sides can show |
//! | `identity` | who is at the other end of an authenticated link |
//! | `invitation` | the clear description of an invite, and its key |
//! | `body` | the contract of a message body: class, encoding |
//! | `length` | link messages on a byte stream: the length prefix |
//! | `hello` | what travels in the clear: hello, answer, refusal |
//! | `noise` | the cipher, with its randomness from a seed |
//! | `frame` | the frame header |
//! | `control` | what sessions say to each other: proof of identity, close |
//! | `session` | one link's session, from the first byte to the last |
//!
//! The layers of a link message, outermost first: length prefix (TCP only), tag, cipher, frames,
//! fragments, bodies. `docs/wire.md` describes them for other implementations, and
//! `tests/golden/*.hex` pins their bytes.
//!
//! Invariants: nothing that a peer sends makes a session panic, loop, or hold more than its limits;
//! a body is delivered whole, in the order of its class, from a proven identity, or not at all; a
//! session ends exactly once, with a reason.
//!
//! Not here: what a message means (its machine's file), which link to use (`overlay`), sockets and
//! reconnecting (the hosts).
//!
//! Papers: Noise Protocol Framework (2018); Shreedhar and Varghese, deficit round robin (1995).

pub mod body;
pub mod class;
pub mod close;
pub mod control;
pub mod frame;
pub mod hello;
pub mod identity;
pub mod invitation;
pub mod length;
mod noise;
pub mod session;

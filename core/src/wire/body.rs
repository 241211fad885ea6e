//! The contract of a message body.

use crate::wire::class::Class;

/// What a node's message type tells the session that carries it.
///
/// A body is one versioned enum: variants are only appended, retired ones stay, and decoding consumes
/// every byte (postcard itself can't evolve; docs/wire.md).
pub trait Body: Sized {
    /// The frame kind: which machine's enum the body is. Unknown kinds are skipped and counted.
    fn kind(&self) -> u16;

    /// How urgent it is.
    fn class(&self) -> Class;

    /// Its bytes, without the frame header.
    fn encode(&self) -> alloc::vec::Vec<u8>;

    /// Decodes a body of `kind`; `Ok(None)` for a kind that this version does not know.
    ///
    /// # Errors
    /// [`DecodeError`](crate::kernel::crypto::DecodeError) when the bytes are not exactly one body
    /// of that kind.
    fn decode(kind: u16, bytes: &[u8]) -> Result<Option<Self>, crate::kernel::crypto::DecodeError>;
}

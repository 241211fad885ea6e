//! The outermost layer of a link message: what kind of message it is.
//!
//! | first byte | what follows |
//! |---|---|
//! | `S` (0x53) of the magic | a clear message (`wire::hello`) |
//! | 1 | a message of the cipher's handshake |
//! | 2 | a sealed message: frames inside the cipher |

use alloc::vec::Vec;

const TAG_HANDSHAKE: u8 = 1;
const TAG_SEALED: u8 = 2;

/// A link message that is not clear.
pub(super) enum LinkMessage<'a> {
    Handshake(&'a [u8]),
    Sealed(&'a [u8]),
}

/// Tells the two apart; `None` for anything else.
pub(super) const fn parse(message: &[u8]) -> Option<LinkMessage<'_>> {
    match message.split_first() {
        Some((&TAG_HANDSHAKE, rest)) => Some(LinkMessage::Handshake(rest)),
        Some((&TAG_SEALED, rest)) => Some(LinkMessage::Sealed(rest)),
        Some(_) | None => None,
    }
}

pub(super) fn handshake(noise: &[u8]) -> Vec<u8> {
    tagged(TAG_HANDSHAKE, noise)
}

pub(super) fn sealed(noise: &[u8]) -> Vec<u8> {
    tagged(TAG_SEALED, noise)
}

fn tagged(tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(rest.len().saturating_add(1));
    message.push(tag);
    message.extend_from_slice(rest);
    message
}

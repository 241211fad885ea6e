//! One input, or one check, as bytes.
//!
//! | bytes | field |
//! |---|---|
//! | varint | microseconds since the entry before, or since the snapshot |
//! | 1 | kind |
//! | varint | length of the body |
//! | … | body |
//! | varint, 64 each | the signatures that the node made; only of what is no check |
//!
//! | kind | is | body |
//! |---|---|---|
//! | 0 | the timers were run | |
//! | 1 | a command | as postcard |
//! | 2 | a message | sender and message, as postcard |
//! | 3 | a check of what was said | digest, 8 bytes |
//! | 4 | a check of the state | state hash, 32 bytes |

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Signature, decode_exactly, encode},
        id::NodeId,
        machine::Input,
    },
    node::{
        contract::Command, envelope::Envelope, machine::Node, message::Message,
        recording::digest::Digest,
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;
use serde::Serialize;

pub(super) type NodeInput = Input<Envelope, Command>;

const KIND_TIMEOUT: u8 = 0;
const KIND_COMMAND: u8 = 1;
const KIND_MESSAGE: u8 = 2;
const KIND_SAID: u8 = 3;
const KIND_STATE: u8 = 4;

const SIGNATURE_BYTES: usize = 64;

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The node got an input, or ran its timers, and made these signatures.
    Input {
        /// The timers were run if `None`.
        input: Option<Box<NodeInput>>,
        signatures: Vec<Signature>,
    },
    /// What the node had said until here.
    Said(Digest),
    /// The state that the node was in.
    State(Hash),
}

/// Bytes that are not an entry of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Appends an input, but for its signatures. `room` is any buffer.
pub(super) fn write_input(
    to: &mut Vec<u8>,
    room: &mut Vec<u8>,
    since: Duration,
    input: Option<&NodeInput>,
    node: &Node,
) {
    match input {
        Some(Input::Message { from, message }) => {
            let message = blinded(message, node);
            let from = *from;
            write_blind(to, room, since, Some(&Input::Message { from, message }));
        }
        Some(Input::Command(_)) | None => write_blind(to, room, since, input),
    }
}

/// A message as it may be kept: what admission says holds keys.
fn blinded(envelope: &Envelope, node: &Node) -> Envelope {
    let opened = envelope.clone().open();
    match opened {
        // Only admission hands keys over.
        Ok(Some(Message::Admission(message))) => {
            let message = Message::Admission(node.admission.blinded(&message));
            Envelope::of(envelope.link(), message)
        }
        Ok(Some(_)) => envelope.clone(),
        // What can't be read may hold a key too, and its bytes decide nothing: without them it
        // can't be read either.
        Ok(None) | Err(_) => {
            Envelope::sealed(envelope.link(), envelope.kind(), Bytes::from(Vec::new()))
        }
    }
}

/// Appends an input that holds no secret, but for its signatures.
pub(super) fn write_blind(
    to: &mut Vec<u8>,
    room: &mut Vec<u8>,
    since: Duration,
    input: Option<&NodeInput>,
) {
    match input {
        None => write(to, since, KIND_TIMEOUT, &[]),
        Some(Input::Command(command)) => write(to, since, KIND_COMMAND, encode_in(room, command)),
        Some(Input::Message { from, message }) => {
            write(to, since, KIND_MESSAGE, encode_in(room, &(from, message)));
        }
    }
}

/// Encodes into a buffer that is used again and again. Our own types always encode.
fn encode_in<'a>(room: &'a mut Vec<u8>, value: &impl Serialize) -> &'a [u8] {
    let mut buffer = core::mem::take(room);
    buffer.clear();
    *room = postcard::to_extend(value, buffer).unwrap_or_default();
    room
}

/// Ends an input.
pub(super) fn write_signatures(to: &mut Vec<u8>, signatures: &[Signature]) {
    write_number(to, length(signatures.len()));
    for signature in signatures {
        to.extend_from_slice(&encode(signature));
    }
}

pub(super) fn write_said(to: &mut Vec<u8>, said: Digest) {
    write(to, Duration::ZERO, KIND_SAID, &said.0.to_le_bytes());
}

pub(super) fn write_state(to: &mut Vec<u8>, hash: Hash) {
    write(to, Duration::ZERO, KIND_STATE, hash.as_bytes());
}

fn write(to: &mut Vec<u8>, since: Duration, kind: u8, body: &[u8]) {
    write_number(to, u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    to.push(kind);
    write_number(to, length(body.len()));
    to.extend_from_slice(body);
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn write_number(to: &mut Vec<u8>, mut number: u64) {
    // LEB128, as postcard writes numbers.
    while let Some(more) = number.checked_shr(7).filter(|more| *more > 0) {
        to.push(number.to_le_bytes()[0] | 0x80);
        number = more;
    }
    to.push(number.to_le_bytes()[0]);
}

/// Entries as they lie one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(entries: &'a [u8]) -> Self {
        Self { rest: entries }
    }

    /// How many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next entry, with the time since the one before; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<(Duration, Entry), Unreadable>> {
        (!self.rest.is_empty()).then(|| self.entry().ok_or(Unreadable))
    }

    /// The time from the entry before to the next one; `None` at the end.
    pub(super) fn peek(mut self) -> Option<Duration> {
        self.number().map(Duration::from_micros)
    }

    fn entry(&mut self) -> Option<(Duration, Entry)> {
        let since = Duration::from_micros(self.number()?);
        let kind = self.take(1)?.first().copied()?;
        let bytes = usize::try_from(self.number()?).ok()?;
        let body = self.take(bytes)?;
        let input = match kind {
            KIND_TIMEOUT => None,
            KIND_COMMAND => Some(Box::new(Input::Command(decode_exactly(body).ok()?))),
            KIND_MESSAGE => {
                let (from, message): (NodeId, Envelope) = decode_exactly(body).ok()?;
                Some(Box::new(Input::Message { from, message }))
            }
            KIND_SAID => {
                let said = Digest(u64::from_le_bytes(*body.first_chunk()?));
                return Some((since, Entry::Said(said)));
            }
            KIND_STATE => {
                let hash = Hash::from_bytes(*body.first_chunk()?);
                return Some((since, Entry::State(hash)));
            }
            _ => return None,
        };
        let signatures = self.signatures()?;
        Some((since, Entry::Input { input, signatures }))
    }

    fn signatures(&mut self) -> Option<Vec<Signature>> {
        let count = usize::try_from(self.number()?).ok()?;
        // The bytes must be there before room is made: a damaged count allocates nothing.
        let bytes = self.take(count.checked_mul(SIGNATURE_BYTES)?)?;
        let (each, _) = bytes.as_chunks::<SIGNATURE_BYTES>();
        each.iter()
            .map(|bytes| decode_exactly(bytes).ok())
            .collect()
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied()?;
            // Ten bytes at most: a longer number is no number.
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_at_every_length() {
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        let mut bytes = Vec::new();
        for number in numbers {
            write_number(&mut bytes, number);
        }
        let mut reader = Reader::new(&bytes);
        for number in numbers {
            assert_eq!(reader.number(), Some(number));
        }
        assert_eq!((reader.left(), reader.number()), (0, None));
    }

    #[test]
    fn an_entry_that_is_cut_off_is_unreadable_and_none_is_the_end() {
        let mut bytes = Vec::new();
        write_state(&mut bytes, Hash::ZERO);
        let entry = (Duration::ZERO, Entry::State(Hash::ZERO));
        assert_eq!(Reader::new(&bytes).next(), Some(Ok(entry)));
        for end in 1..bytes.len() {
            let mut cut = Reader::new(&bytes[..end]);
            assert_eq!(cut.next(), Some(Err(Unreadable)), "cut at {end}");
        }
        assert_eq!(Reader::new(&[]).next(), None);
    }
}

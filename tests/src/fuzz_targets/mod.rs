//! Bytes from strangers, disks and liars against the real decoders.
//!
//! Each function takes any bytes and panics when the code under test breaks a promise. The fuzzer
//! (`tests/fuzz`) and the property tests (`tests/properties.rs`) call the same functions.
//!
//! | target | what it feeds | what must hold |
//! |---|---|---|
//! | [`frame`] | the length prefix and the frame header | splits agree, what decodes encodes back |
//! | [`hello`] | a responder's first message | bounded answer, no key without a hint |
//! | [`session`] | a script for two sessions and a liar between them | no forged body, one end |
//! | [`batch`] | a script of signed, forged and damaged batches | only signed values appear, no flood |
//! | [`journal`] | a script that damages a stored journal | nothing invented, nothing misplaced |
//! | [`recording`] | a script that damages and forges a recording | damage is noticed, nothing panics |

mod batch;
mod journal;
mod recording;
mod session;

pub use batch::batch;
pub use journal::journal;
pub use recording::recording;
pub use session::{hello, session};

use sporenet_core::wire::{
    frame::split_frame,
    length::{LengthDecoder, length_prefixed},
    session::LINK_MESSAGE_BYTES_MAX,
};

/// Reads a script from bytes; zeros when they are used up.
#[derive(Debug)]
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self
            .0
            .split_first()
            .map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The length prefix and the frames behind it.
///
/// # Panics
/// When a promise is broken.
pub fn frame(bytes: &[u8]) {
    frames_encode_back(bytes);
    let (cut, stream) = bytes
        .split_first()
        .map_or((1, bytes), |(cut, rest)| (*cut, rest));
    let pieces = messages(stream, usize::from(cut).max(1));
    assert_eq!(
        pieces,
        messages(stream, stream.len().max(1)),
        "the cut changed the messages"
    );
    let rebuilt: Vec<u8> = pieces
        .iter()
        .flat_map(|message| length_prefixed(message))
        .collect();
    assert!(
        stream.starts_with(&rebuilt),
        "messages that were not in the stream"
    );
}

fn frames_encode_back(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok((frame, after)) = split_frame(rest) {
        let mut encoded = Vec::new();
        frame.header.encode_into(&mut encoded);
        encoded.extend_from_slice(frame.payload);
        assert_eq!(
            encoded,
            rest[..rest.len() - after.len()],
            "a frame encodes differently"
        );
        assert!(after.len() < rest.len(), "no progress");
        rest = after;
    }
}

/// The messages of a stream that arrives in pieces.
fn messages(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut decoder = LengthDecoder::new(LINK_MESSAGE_BYTES_MAX);
    let mut found = Vec::new();
    for mut piece in stream.chunks(piece) {
        loop {
            let taken = decoder.push(piece);
            piece = &piece[taken..];
            assert!(decoder.buffered_bytes() <= LINK_MESSAGE_BYTES_MAX as usize + 4);
            match decoder.next() {
                Ok(Some(message)) => found.push(message),
                Ok(None) if piece.is_empty() => break,
                Ok(None) => assert!(taken > 0, "bytes left and none taken"),
                Err(_) => return found,
            }
        }
    }
    found
}

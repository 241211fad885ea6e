//! One link message on a byte stream: a length prefix.
//!
//! Over WebSocket a binary message is a link message; over TCP each is preceded by its length as a
//! `u32`, big endian.

use alloc::vec::Vec;
use core::fmt;

const PREFIX_BYTES: usize = 4;

/// Cuts a byte stream into link messages. Holds at most one message of the maximum size and its
/// prefix, however the stream is split.
#[derive(Clone, Debug)]
pub struct LengthDecoder {
    buffer: Vec<u8>,
    max: u32,
}

impl LengthDecoder {
    /// A decoder that refuses messages of more than `max` bytes.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self {
            buffer: Vec::new(),
            max,
        }
    }

    /// Refuses messages of more than `max` bytes from now on: small before authentication, larger
    /// after ([`Session::receive_bytes_max`](crate::wire::session::Session::receive_bytes_max)).
    pub const fn set_max(&mut self, max: u32) {
        self.max = max;
    }

    /// Takes bytes from the stream; answers how many it took from the front of `bytes`.
    ///
    /// It takes no more than completes the message in progress; take that out with
    /// [`LengthDecoder::next`], then push the rest. It takes nothing while a whole message waits, or
    /// once a length was announced that is over the maximum.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let mut taken: usize = 0;
        // Two rounds at most: the prefix, then the message that it announces.
        for _ in 0..2 {
            let rest = bytes.get(taken..).unwrap_or_default();
            let missing = self.missing().min(rest.len());
            let (now, _) = rest.split_at_checked(missing).unwrap_or_default();
            self.buffer.extend_from_slice(now);
            taken = taken.saturating_add(now.len());
        }
        taken
    }

    /// The next whole message, if it is complete.
    ///
    /// # Errors
    /// [`Oversized`] when the stream announces a message over the maximum; the stream can't be used
    /// any more, and every later call answers the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is fallible, and more may come after None"
    )]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Oversized> {
        // The length is judged before any byte of the message is taken: a liar costs four bytes.
        let Some(announced) = self.announced() else {
            return Ok(None);
        };
        if announced > self.max {
            return Err(Oversized {
                announced,
                max: self.max,
            });
        }
        if self.missing() > 0 {
            return Ok(None);
        }
        let mut message = core::mem::take(&mut self.buffer);
        message.drain(..PREFIX_BYTES);
        Ok(Some(message))
    }

    /// How many bytes it holds.
    #[must_use]
    pub const fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn announced(&self) -> Option<u32> {
        self.buffer
            .first_chunk::<PREFIX_BYTES>()
            .map(|prefix| u32::from_be_bytes(*prefix))
    }

    /// How many bytes are missing for the prefix, or else for the message.
    fn missing(&self) -> usize {
        match self.announced() {
            None => PREFIX_BYTES.saturating_sub(self.buffer.len()),
            // Nothing of such a message is wanted; `next` says why.
            Some(announced) if announced > self.max => 0,
            Some(announced) => usize::try_from(announced)
                // Never: a `usize` has at least 32 bits here.
                .unwrap_or(usize::MAX)
                .saturating_add(PREFIX_BYTES)
                .saturating_sub(self.buffer.len()),
        }
    }
}

/// A link message with its length before it, as it travels on a byte stream.
///
/// A session's messages are far below the prefix's maximum; a longer one would be cut off there.
#[must_use]
pub fn length_prefixed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(message.len().saturating_add(PREFIX_BYTES));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// A stream announced a message over the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversized {
    /// The length that was announced.
    pub announced: u32,
    /// The maximum.
    pub max: u32,
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a message of {} bytes was announced; at most {} are accepted",
            self.announced, self.max
        )
    }
}

impl core::error::Error for Oversized {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pushes everything and takes every message out.
    fn decode(decoder: &mut LengthDecoder, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Oversized> {
        let mut messages = Vec::new();
        loop {
            let taken = decoder.push(bytes);
            bytes = &bytes[taken..];
            match decoder.next()? {
                Some(message) => messages.push(message),
                None => return Ok(messages),
            }
        }
    }

    #[test]
    fn an_oversized_announcement_is_refused_before_its_bytes_are_held() {
        let mut decoder = LengthDecoder::new(8);
        let refused = Oversized {
            announced: u32::MAX,
            max: 8,
        };
        assert_eq!(decoder.push(&[255; 100]), 4);
        assert_eq!(decoder.next(), Err(refused));
        assert_eq!(decoder.push(&[1; 100]), 0);
        assert_eq!(decoder.next(), Err(refused));
        assert_eq!(decoder.buffered_bytes(), 4);
    }

    #[test]
    fn the_maximum_can_grow_between_messages() {
        let mut decoder = LengthDecoder::new(1);
        assert_eq!(decoder.push(&length_prefixed(b"ab")), 4);
        assert!(decoder.next().is_err());
        decoder.set_max(2);
        assert_eq!(decoder.push(b"ab"), 2);
        assert_eq!(decoder.next(), Ok(Some(b"ab".to_vec())));
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let mut decoder = LengthDecoder::new(8);
        assert_eq!(
            decode(&mut decoder, &[0, 0, 0, 0, 0, 0, 0, 0]),
            Ok(alloc::vec![Vec::new(), Vec::new()])
        );
    }

    proptest! {
        #[test]
        fn messages_come_out_whole_however_the_stream_is_split(
            messages in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in 1_usize..20,
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|m| length_prefixed(m)).collect();
            let mut decoder = LengthDecoder::new(40);
            let mut seen = Vec::new();
            for piece in stream.chunks(cut) {
                seen.extend(decode(&mut decoder, piece).unwrap());
                prop_assert!(decoder.buffered_bytes() <= 44);
            }
            prop_assert_eq!(seen, messages);
        }

        #[test]
        fn any_stream_is_cut_without_panic_and_within_bounds(
            pieces in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40), 0..8),
        ) {
            let mut decoder = LengthDecoder::new(16);
            for piece in pieces {
                let _ = decode(&mut decoder, &piece);
                prop_assert!(decoder.buffered_bytes() <= 20);
            }
        }
    }
}

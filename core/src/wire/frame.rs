//! The frame header: written by hand, so that it can never change by accident.
//!
//! All numbers are big endian. A transport message holds one or more frames back to back.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 2 | kind: which machine's enum the body is; 0 is the session's own control kind |
//! | 2 | 1 | flags: 1 = first fragment, 2 = last fragment, others must be 0 |
//! | 3 | 1 | class: 0 critical, 1 high, 2 normal, 3 low |
//! | 4 | 4 | length of this fragment's bytes |
//! | 8 | 4 | only in a first fragment that is not the last: length of the whole body |

use crate::wire::class::Class;
use alloc::vec::Vec;
use core::fmt;

/// The kind of the session's own frames ([`Control`](crate::wire::control::Control)).
pub const KIND_CONTROL: u16 = 0;

/// Bytes of every frame header.
pub const HEADER_BYTES: u32 = 8;

/// Bytes of the longest frame header: that of a first fragment of several.
pub const HEADER_BYTES_MAX: u32 = 12;

const FLAG_FIRST: u8 = 1;
const FLAG_LAST: u8 = 2;

/// Which part of a body a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its beginning.
    First {
        /// Bytes of the whole body.
        total: u32,
    },
    /// Neither its beginning nor its end.
    Middle,
    /// Its end.
    Last,
}

impl Part {
    const fn flags(self) -> u8 {
        match self {
            Self::Whole => FLAG_FIRST | FLAG_LAST,
            Self::First { .. } => FLAG_FIRST,
            Self::Middle => 0,
            Self::Last => FLAG_LAST,
        }
    }

    /// Bytes of the header of a frame with this part.
    #[must_use]
    pub const fn header_bytes(self) -> u32 {
        match self {
            Self::First { .. } => HEADER_BYTES_MAX,
            Self::Whole | Self::Middle | Self::Last => HEADER_BYTES,
        }
    }
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Which machine's enum the body is.
    pub kind: u16,
    /// Which part of the body follows.
    pub part: Part,
    /// The class that the body was sent in.
    pub class: Class,
    /// Bytes of this part.
    pub length: u32,
}

impl FrameHeader {
    /// Appends the header's bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.kind.to_be_bytes());
        bytes.push(self.part.flags());
        bytes.push(self.class.index());
        bytes.extend_from_slice(&self.length.to_be_bytes());
        if let Part::First { total } = self.part {
            bytes.extend_from_slice(&total.to_be_bytes());
        }
    }
}

/// One frame within received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// Its part of the body; exactly `header.length` bytes.
    pub payload: &'a [u8],
}

/// Splits the first frame off `bytes`; answers it and what follows it.
///
/// # Errors
/// [`FrameError`] when the bytes do not begin with a whole frame; nothing is allocated either way.
pub fn split_frame(bytes: &[u8]) -> Result<(Frame<'_>, &[u8]), FrameError> {
    let (header, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or(FrameError::Truncated)?;
    let [kind_0, kind_1, flags, class, a, b, c, d] = *header;
    // Unknown classes and flags are refused, unlike unknown kinds: they change how frames join.
    let class = Class::from_index(class).ok_or(FrameError::UnknownClass)?;
    let length = u32::from_be_bytes([a, b, c, d]);
    let (part, rest) = match flags {
        FLAG_FIRST => {
            let (total, rest) = rest.split_first_chunk().ok_or(FrameError::Truncated)?;
            let total = u32::from_be_bytes(*total);
            (Part::First { total }, rest)
        }
        FLAG_LAST => (Part::Last, rest),
        0 => (Part::Middle, rest),
        // First and last at once.
        3 => (Part::Whole, rest),
        4..=u8::MAX => return Err(FrameError::UnknownFlags),
    };
    let header = FrameHeader {
        kind: u16::from_be_bytes([kind_0, kind_1]),
        part,
        class,
        length,
    };
    let (payload, rest) = usize::try_from(length)
        .ok()
        // The payload borrows what was received: an announced length allocates nothing.
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(FrameError::Truncated)?;
    Ok((Frame { header, payload }, rest))
}

/// Bytes that are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// They end before the frame does.
    Truncated,
    /// A flag is set that has no meaning.
    UnknownFlags,
    /// The class is not one of the four.
    UnknownClass,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end before the frame does",
            Self::UnknownFlags => "a frame flag is set that has no meaning",
            Self::UnknownClass => "the frame's class is not one of the four",
        })
    }
}

impl core::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            Just(Part::Whole),
            Just(Part::Middle),
            Just(Part::Last),
            any::<u32>().prop_map(|total| Part::First { total }),
        ]
    }

    #[test]
    fn a_frame_of_every_wrong_shape_is_refused() {
        assert_eq!(split_frame(&[0; 7]), Err(FrameError::Truncated));
        assert_eq!(
            split_frame(&[0, 1, 3, 0, 0, 0, 0, 1]),
            Err(FrameError::Truncated)
        );
        assert_eq!(
            split_frame(&[0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(FrameError::Truncated)
        );
        assert_eq!(
            split_frame(&[0, 1, 4, 0, 0, 0, 0, 0]),
            Err(FrameError::UnknownFlags)
        );
        assert_eq!(
            split_frame(&[0, 1, 3, 4, 0, 0, 0, 0]),
            Err(FrameError::UnknownClass)
        );
        let longest = [0, 1, 3, 0, 255, 255, 255, 255, 9];
        assert_eq!(split_frame(&longest), Err(FrameError::Truncated));
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_what_was_written(
            kind in any::<u16>(),
            part in part(),
            class in 0_u8..4,
            payload in proptest::collection::vec(any::<u8>(), 0..64),
            rest in proptest::collection::vec(any::<u8>(), 0..16),
        ) {
            let header = FrameHeader {
                kind,
                part,
                class: Class::from_index(class).unwrap(),
                length: u32::try_from(payload.len()).unwrap(),
            };
            let mut bytes = Vec::new();
            header.encode_into(&mut bytes);
            prop_assert_eq!(bytes.len(), usize::try_from(part.header_bytes()).unwrap());
            bytes.extend_from_slice(&payload);
            bytes.extend_from_slice(&rest);
            let (frame, left) = split_frame(&bytes).unwrap();
            prop_assert_eq!(frame, Frame { header, payload: &payload });
            prop_assert_eq!(left, &rest[..]);
        }

        #[test]
        fn any_bytes_split_without_panic_and_re_encode_alike(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok((frame, rest)) = split_frame(&bytes) {
                let mut again = Vec::new();
                frame.header.encode_into(&mut again);
                again.extend_from_slice(frame.payload);
                again.extend_from_slice(rest);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}

//! What travels in the clear, before the cipher: hello, answer, refusal.
//!
//! All three begin with the magic, the version of this layout, and a type. Numbers are big endian.
//!
//! | hello | | answer | | refusal | |
//! |---|---|---|---|---|---|
//! | 0..4 | `SPOR` | 0..4 | `SPOR` | 0..4 | `SPOR` |
//! | 4 | layout, 1 | 4 | layout, 1 | 4 | layout, 1 |
//! | 5 | type, 1 | 5 | type, 2 | 5 | type, 3 |
//! | 6..14 | network hint | 6..8 | chosen version | 6.. | reason, postcard |
//! | 14..16 | oldest version | 8..16 | common feature bits | | |
//! | 16..18 | newest version | 16..32 | nonce | | |
//! | 18..26 | feature bits | | | | |
//! | 26..28 | bytes of the key hint | | | | |
//! | 28.. | key hint, postcard | | | | |
//! | ..128 | zeros, ignored | | | | |
//!
//! The hello is longer than any answer or refusal, so a stranger who forges its sender can't use a
//! responder to send more bytes than it spends. The nonce makes each handshake's prologue new, so
//! that a recorded first message of the cipher proves nothing.

use crate::{
    kernel::{
        crypto::{DecodeError, Hash, decode_exactly, encode},
        id::NetworkId,
    },
    wire::{close::CloseReason, invitation::KeyHint},
};
use alloc::vec::Vec;
use core::fmt;

/// The first bytes of every clear message.
pub const MAGIC: [u8; 4] = *b"SPOR";

/// The version of the clear messages' layout; apart from the protocol version, which they settle.
pub const LAYOUT: u8 = 1;

/// Bytes of every hello.
pub const HELLO_BYTES: usize = 128;

/// Bytes of every answer.
pub const ANSWER_BYTES: usize = 32;

/// The most bytes of a refusal: its longest reason names a node.
pub const REFUSAL_BYTES_MAX: usize = 40;

const TYPE_HELLO: u8 = 1;
const TYPE_ANSWER: u8 = 2;
const TYPE_REFUSAL: u8 = 3;

/// What an initiator says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which network it belongs to, as a hash that tells strangers nothing.
    pub network_hint: [u8; 8],
    /// The oldest and the newest protocol version it speaks.
    pub versions: (u16, u16),
    /// The features it has.
    pub features: u64,
    hint: Vec<u8>,
}

/// What a responder answers when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The protocol version of this session.
    pub version: u16,
    /// The features that both sides have.
    pub features: u64,
    /// Drawn for this session.
    pub nonce: [u8; 16],
}

/// A clear message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clear {
    /// The initiator's first word.
    Hello(Hello),
    /// The responder's, when it goes on.
    Answer(Answer),
    /// Either side's last, when it does not.
    Refusal(CloseReason),
}

impl Hello {
    /// A hello for a network, offering to prove the key of `hint`.
    #[must_use]
    pub fn new(network: NetworkId, versions: (u16, u16), features: u64, hint: &KeyHint) -> Self {
        Self {
            network_hint: network_hint(network),
            versions,
            features,
            hint: encode(hint),
        }
    }

    /// Which key it offers to prove. Read only after the versions agree: a later version may know
    /// hints that this one does not.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not one hint of this version.
    pub fn hint(&self) -> Result<KeyHint, DecodeError> {
        decode_exactly(&self.hint)
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (network_hint, body) = body.split_first_chunk::<8>()?;
        let ([a, b, c, d], body) = body.split_first_chunk::<4>()?;
        let (features, body) = body.split_first_chunk::<8>()?;
        let (length, body) = body.split_first_chunk::<2>()?;
        Some(Self {
            network_hint: *network_hint,
            versions: (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
            features: u64::from_be_bytes(*features),
            // A length beyond the 128 bytes of the hello ends here.
            hint: body.get(..u16::from_be_bytes(*length).into())?.to_vec(),
        })
    }

    fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.network_hint);
        bytes.extend_from_slice(&self.versions.0.to_be_bytes());
        bytes.extend_from_slice(&self.versions.1.to_be_bytes());
        bytes.extend_from_slice(&self.features.to_be_bytes());
        let length = u16::try_from(self.hint.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.hint);
        // Always as long, so that the hello pays for whatever a responder answers.
        bytes.resize(HELLO_BYTES, 0);
    }
}

impl Answer {
    fn decode(body: &[u8]) -> Option<Self> {
        let (version, body) = body.split_first_chunk()?;
        let (features, body) = body.split_first_chunk()?;
        let (nonce, rest) = body.split_first_chunk()?;
        // Nothing may follow: an answer has exactly 32 bytes (docs/wire.md).
        rest.is_empty().then_some(Self {
            version: u16::from_be_bytes(*version),
            features: u64::from_be_bytes(*features),
            nonce: *nonce,
        })
    }
}

impl Clear {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(LAYOUT);
        match self {
            Self::Hello(hello) => {
                bytes.push(TYPE_HELLO);
                hello.encode_into(&mut bytes);
            }
            Self::Answer(answer) => {
                bytes.push(TYPE_ANSWER);
                bytes.extend_from_slice(&answer.version.to_be_bytes());
                bytes.extend_from_slice(&answer.features.to_be_bytes());
                bytes.extend_from_slice(&answer.nonce);
            }
            Self::Refusal(reason) => {
                bytes.push(TYPE_REFUSAL);
                bytes.extend_from_slice(&encode(reason));
            }
        }
        bytes
    }

    /// Whether `bytes` begin as a clear message does.
    #[must_use]
    pub fn is_clear(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads a clear message.
    ///
    /// # Errors
    /// [`ClearError`] when the bytes are not exactly one.
    pub fn decode(bytes: &[u8]) -> Result<Self, ClearError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ClearError::NotSporenet)?;
        let ([layout, kind], body) = rest.split_first_chunk().ok_or(ClearError::Malformed)?;
        // Not garbage, but a layout that this version does not know.
        if *layout != LAYOUT {
            return Err(ClearError::UnknownLayout);
        }
        match *kind {
            // Shorter hellos would let a stranger get more bytes than it spends.
            TYPE_HELLO if bytes.len() == HELLO_BYTES => Hello::decode(body).map(Self::Hello),
            TYPE_ANSWER => Answer::decode(body).map(Self::Answer),
            TYPE_REFUSAL => decode_exactly(body).ok().map(Self::Refusal),
            _ => None,
        }
        .ok_or(ClearError::Malformed)
    }
}

/// The tag of a network in a hello: it does not reveal the network's identity, and a collision only
/// delays the refusal to the cipher's first message.
#[must_use]
pub fn network_hint(network: NetworkId) -> [u8; 8] {
    Hash::of("sporenet 2026 network hint", &[network.as_bytes()])
        .prefix()
        .to_be_bytes()
}

/// The newest version that both ranges hold.
#[must_use]
pub fn common_version(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    // The ranges overlap exactly where the smaller maximum is in both.
    let newest = ours.1.min(theirs.1);
    (newest >= ours.0 && newest >= theirs.0).then_some(newest)
}

/// Bytes that are not a clear message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearError {
    /// They don't begin with the magic.
    NotSporenet,
    /// They are of another layout.
    UnknownLayout,
    /// They are cut short, too long, or of no known type.
    Malformed,
}

impl fmt::Display for ClearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSporenet => "the bytes don't begin as this protocol's do",
            Self::UnknownLayout => "the hello's layout is of an unknown version",
            Self::Malformed => "the hello is malformed",
        })
    }
}

impl core::error::Error for ClearError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::{
            id::{Incarnation, NodeId, Role},
            time::WallTime,
        },
        wire::invitation::Invitation,
    };
    use proptest::prelude::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

    fn longest_hint() -> KeyHint {
        KeyHint::Invite(Invitation {
            serial: [255; 16],
            issuer: NodeId::from_bytes([255; 32]),
            expires_at: WallTime::from_millis(u64::MAX),
            uses_max: Some(u16::MAX),
            role: Some(Role::Tab),
            epoch: u32::MAX,
        })
    }

    #[test]
    fn the_longest_hint_fits_the_hello() {
        let hello = Hello::new(NETWORK, (1, 2), u64::MAX, &longest_hint());
        let bytes = Clear::Hello(hello.clone()).encode();
        assert_eq!(bytes.len(), HELLO_BYTES);
        assert_eq!(hello.hint(), Ok(longest_hint()));
        assert_eq!(Clear::decode(&bytes), Ok(Clear::Hello(hello)));
    }

    #[test]
    fn no_answer_or_refusal_is_as_long_as_a_hello() {
        let longest = [
            CloseReason::InviteElsewhere {
                issuer: NodeId::from_bytes([255; 32]),
            },
            CloseReason::IdentityInUse {
                incarnation: Incarnation(u64::MAX),
            },
            CloseReason::VersionMismatch {
                min: u16::MAX,
                max: u16::MAX,
            },
        ];
        for reason in longest {
            let bytes = Clear::Refusal(reason.clone()).encode();
            assert!(bytes.len() <= REFUSAL_BYTES_MAX, "{reason:?}");
            assert_eq!(Clear::decode(&bytes), Ok(Clear::Refusal(reason)));
        }
        let answer = Answer {
            version: 1,
            features: 2,
            nonce: [3; 16],
        };
        let bytes = Clear::Answer(answer).encode();
        assert_eq!(bytes.len(), ANSWER_BYTES);
        assert_eq!(Clear::decode(&bytes), Ok(Clear::Answer(answer)));
        const { assert!(ANSWER_BYTES + REFUSAL_BYTES_MAX < HELLO_BYTES) };
    }

    #[test]
    fn the_newest_common_version_is_chosen() {
        assert_eq!(common_version((1, 3), (2, 5)), Some(3));
        assert_eq!(common_version((2, 5), (1, 3)), Some(3));
        assert_eq!(common_version((1, 1), (2, 2)), None);
        assert_eq!(common_version((3, 1), (1, 3)), None);
        assert_eq!(common_version((0, u16::MAX), (7, 7)), Some(7));
    }

    #[test]
    fn a_hello_with_a_hint_past_its_end_is_malformed() {
        let hello = Hello::new(NETWORK, (1, 1), 0, &KeyHint::Isolation { epoch: 0 });
        let mut bytes = Clear::Hello(hello).encode();
        bytes[27] = 101;
        assert_eq!(Clear::decode(&bytes), Err(ClearError::Malformed));
        bytes[27] = 100;
        assert!(matches!(Clear::decode(&bytes), Ok(Clear::Hello(h)) if h.hint().is_err()));
    }

    proptest! {
        #[test]
        fn any_bytes_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..140),
            kind in 0_u8..5,
        ) {
            let _ = Clear::decode(&bytes);
            let mut bytes = bytes;
            bytes.splice(..bytes.len().min(6), [b'S', b'P', b'O', b'R', LAYOUT, kind]);
            let _ = Clear::decode(&bytes);
            bytes.resize(HELLO_BYTES, 7);
            let _ = Clear::decode(&bytes);
        }
    }
}

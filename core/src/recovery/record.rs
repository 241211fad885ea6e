//! One journal record: checksummed, numbered, and chained to the one before.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | format version, [`VERSION`] |
//! | 8 | sequence, little-endian |
//! | 1 | origin code |
//! | 16 | chain: truncated BLAKE3 of the whole previous record; zeros before the first |
//! | 4 | length of the body, little-endian |
//! | … | body |
//! | 16 | checksum: truncated BLAKE3 of everything above, in a purpose of its own |
//!
//! The checksum covers the sequence, so that a record that the disk put elsewhere is noticed; the
//! chain covers the history, so that a stale record with the right sequence is noticed too. Sixteen
//! bytes keep an accidental match out of reach; the journal is no defence against who can rewrite
//! the disk (bodies that matter are signed by their authors).
//!
//! Every later version keeps the first byte as the version and the last sixteen as the checksum, so
//! that a newer record can be told from a damaged one.
//!
//! Source: Bairavasundaram et al., "An Analysis of Data Corruption in the Storage Stack", FAST'08,
//! section 2 (checksum mismatch, misdirected and lost writes).

use crate::kernel::{
    bytes::Bytes,
    crypto::Hash,
    planted::{self, Planted},
};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The format version that this code writes.
pub const VERSION: u8 = 1;

/// The bytes of a record besides its body.
pub const OVERHEAD: usize = HEADER + CHECKSUM;

const HEADER: usize = 1 + 8 + 1 + 16 + 4;
const CHECKSUM: usize = 16;

/// Which machine a record, key or load belongs to. Codes are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// The node itself: identity, incarnation, settings.
    Node,
    /// Membership.
    Swim,
    /// Admission: genesis, isolation keys, invites.
    Admission,
    /// Replicated data.
    Replica,
    /// Links: addresses worth dialling.
    Links,
}

impl Origin {
    /// All origins, in code order.
    pub const ALL: [Self; 5] = [
        Self::Node,
        Self::Swim,
        Self::Admission,
        Self::Replica,
        Self::Links,
    ];

    /// The code in the record.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Node => 1,
            Self::Swim => 2,
            Self::Admission => 3,
            Self::Replica => 4,
            Self::Links => 5,
        }
    }

    /// The origin with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.code() == code)
    }
}

/// The truncated hash of a whole record, which the next record carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chain([u8; 16]);

impl Chain {
    /// Stands before the first record.
    pub const START: Self = Self([0; 16]);

    /// The link that the record after `record` (its whole encoding) carries.
    #[must_use]
    pub fn after(record: &[u8]) -> Self {
        Self(truncated("sporenet 2026 journal chain", record))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Chain({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// A record whose checksum held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the journal, from 1.
    pub sequence: u64,
    /// Who appended it.
    pub origin: Origin,
    /// The link to the record before it.
    pub chain: Chain,
    /// What was appended.
    pub body: Bytes,
}

/// Why bytes are not the record they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It ends too early.
    Torn,
    /// Its checksum does not hold.
    Checksum,
    /// It is intact, but belongs to another place in the journal.
    Sequence,
    /// It is intact, but follows another record than the one before it.
    Chain,
    /// It is intact, but of a version that this program does not know.
    Version,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "the record ends too early",
            Self::Checksum => "the record's checksum does not hold",
            Self::Sequence => "the record belongs to another place in the journal",
            Self::Chain => "the record does not follow the one before it",
            Self::Version => "the record was written by a newer version",
        })
    }
}

impl core::error::Error for RecordError {}

/// The bytes of a record, and the link that the next one carries.
///
/// A body longer than `u32::MAX` bytes can't be told apart from a torn one; the journal's queue
/// bound keeps bodies far below that.
#[must_use]
pub fn encode(sequence: u64, origin: Origin, chain: Chain, body: &[u8]) -> (Bytes, Chain) {
    let mut bytes = Vec::with_capacity(body.len().saturating_add(OVERHEAD));
    bytes.push(VERSION);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.push(origin.code());
    bytes.extend_from_slice(&chain.0);
    // It can't be too long: the journal's queue is bounded far below (`validate`).
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(body);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    // The next link covers the checksum too: the whole record as it is stored.
    let next = Chain::after(&bytes);
    (bytes.into(), next)
}

/// Reads the record that should stand at `sequence` and follow `previous` (`None`: not known, after
/// a damaged record or for a single load).
///
/// # Errors
/// [`RecordError`]: the first of version, length, checksum, sequence and chain that does not fit.
pub fn decode(sequence: u64, previous: Option<Chain>, bytes: &[u8]) -> Result<Record, RecordError> {
    let (covered, sum) = bytes
        .split_last_chunk::<CHECKSUM>()
        .ok_or(RecordError::Torn)?;
    // Computed before the version is looked at: only an intact record may say that it is newer.
    // Every version keeps the checksum at its end.
    let intact = checksum(covered) == *sum || planted::is(Planted::ChecksumUnverified);
    let version = covered.first().copied().ok_or(RecordError::Torn)?;
    if version != VERSION {
        return Err(if intact {
            RecordError::Version
        } else {
            RecordError::Checksum
        });
    }
    let parts = split(covered).ok_or(RecordError::Torn)?;
    // A record that ends before its length was torn by a crash; one of full length has rotted.
    // Alagappan FAST'18 needs the difference, but the length itself may have rotted, so replay
    // decides by what follows, not by this.
    if !intact {
        let complete = u32::try_from(parts.body.len()).is_ok_and(|length| length >= parts.length);
        return Err(if complete {
            RecordError::Checksum
        } else {
            RecordError::Torn
        });
    }
    // Intact, but of another place: a misdirected write (Bairavasundaram FAST'08, section 2).
    if parts.sequence != sequence {
        return Err(RecordError::Sequence);
    }
    // Intact and at its place, but of another history: a lost write left an old record there.
    if previous.is_some_and(|previous| previous != parts.chain) {
        return Err(RecordError::Chain);
    }
    Ok(Record {
        sequence,
        // A code that is not known is of a newer version: it can't be skipped, as its machine would
        // lack it.
        origin: Origin::from_code(parts.origin).ok_or(RecordError::Version)?,
        chain: parts.chain,
        body: parts.body.into(),
    })
}

struct Parts<'a> {
    sequence: u64,
    origin: u8,
    chain: Chain,
    length: u32,
    body: &'a [u8],
}

/// The fields of everything but the checksum; `None` if the header is not complete.
fn split(covered: &[u8]) -> Option<Parts<'_>> {
    let (_, rest) = covered.split_first_chunk::<1>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (origin, rest) = rest.split_first()?;
    let (chain, rest) = rest.split_first_chunk::<16>()?;
    let (length, body) = rest.split_first_chunk::<4>()?;
    Some(Parts {
        sequence: u64::from_le_bytes(*sequence),
        origin: *origin,
        chain: Chain(*chain),
        length: u32::from_le_bytes(*length),
        body,
    })
}

fn checksum(covered: &[u8]) -> [u8; CHECKSUM] {
    truncated("sporenet 2026 journal checksum", covered)
}

fn truncated(purpose: &str, bytes: &[u8]) -> [u8; 16] {
    let hash = Hash::of(purpose, &[bytes]);
    hash.as_bytes()
        .first_chunk::<16>()
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PREVIOUS: Chain = Chain([9; 16]);

    fn sample() -> Bytes {
        encode(7, Origin::Replica, PREVIOUS, b"hello").0
    }

    #[test]
    fn the_format_is_pinned() {
        let hex: alloc::string::String = sample()
            .iter()
            .map(|byte| alloc::format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex.get(..70),
            Some("01070000000000000004090909090909090909090909090909090500000068656c6c6f")
        );
        assert_eq!(sample().len(), OVERHEAD + 5);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = sample();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                decode(7, None, &flipped).is_err(),
                "bit {bit} went unnoticed"
            );
        }
    }

    #[test]
    fn every_truncation_is_torn() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert_eq!(
                decode(7, None, &bytes[..length]),
                Err(RecordError::Torn),
                "{length}"
            );
        }
    }

    #[test]
    fn an_intact_record_in_the_wrong_place_is_named_so() {
        let bytes = sample();
        assert_eq!(
            decode(8, Some(PREVIOUS), &bytes),
            Err(RecordError::Sequence)
        );
        assert_eq!(
            decode(7, Some(Chain::START), &bytes),
            Err(RecordError::Chain)
        );
        assert!(decode(7, Some(PREVIOUS), &bytes).is_ok());
    }

    #[test]
    fn a_record_of_a_newer_version_is_not_called_damaged() {
        let mut newer = sample().to_vec();
        newer.truncate(newer.len() - CHECKSUM);
        newer[0] = 2;
        let sum = checksum(&newer);
        newer.extend_from_slice(&sum);
        assert_eq!(decode(7, None, &newer), Err(RecordError::Version));
    }

    #[test]
    fn origin_codes_are_distinct_and_read_back() {
        for origin in Origin::ALL {
            assert_eq!(Origin::from_code(origin.code()), Some(origin));
        }
        assert_eq!(Origin::from_code(0), None);
    }

    proptest! {
        #[test]
        fn a_record_reads_back(sequence: u64, chain: [u8; 16], body: Vec<u8>) {
            let (bytes, _) = encode(sequence, Origin::Swim, Chain(chain), &body);
            let record = decode(sequence, Some(Chain(chain)), &bytes).unwrap();
            prop_assert_eq!(&*record.body, &body[..]);
            prop_assert_eq!(record.origin, Origin::Swim);
        }

        #[test]
        fn arbitrary_bytes_are_no_record(bytes: Vec<u8>, sequence: u64) {
            prop_assert!(decode(sequence, None, &bytes).is_err());
        }
    }
}

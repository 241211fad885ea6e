//! Segments as a file, and back.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | `sporerec` |
//! | 2 | version of the format: 1 |
//! | 4 | length of the header |
//! | … | header: program version, node, name, network, its name, wall clock when saved, as postcard |
//! | 32 | checksum of all before |
//! | … | segments |
//! | 1 | 0: the end |
//! | 4 | how many segments |
//! | 32 | checksum of all checksums |
//!
//! | bytes | field of a segment |
//! |---|---|
//! | 1 | 1: a segment |
//! | 8 each | from and to (µs of the node's time), wall clock (ms), inputs, length of the snapshot, length of the entries |
//! | 32 | state hash of the snapshot |
//! | … | snapshot |
//! | … | entries |
//! | 32 | checksum of all of the segment before |
//!
//! Numbers are little-endian.

use crate::{
    kernel::{
        crypto::{Hash, decode_exactly, encode},
        id::{NetworkId, NodeId},
        text::Name,
        time::{Time, WallTime},
    },
    node::{
        machine::Node,
        recording::{
            frozen::ThawError,
            segment::{Head, Segment, size},
        },
    },
};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::{fmt, ops::Range};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"sporerec";
const FORMAT: u16 = 1;
const TAG_END: u8 = 0;
const TAG_SEGMENT: u8 = 1;
/// Tag, six numbers, a hash.
const SEGMENT_HEAD_BYTES: usize = 1 + 6 * 8 + 32;
/// The most bytes of a header; a few texts fit many times.
const HEADER_BYTES_MAX: usize = 4_096;
/// The most segments; a ring holds some ten.
const SEGMENTS_MAX: usize = 4_096;

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The version of the program that made it.
    pub version: String,
    /// The recorded node.
    pub node: NodeId,
    /// Its name.
    pub name: Name,
    /// Its network.
    pub network: NetworkId,
    /// The network's name, once the node knows it.
    pub network_name: Option<Name>,
    /// The wall clock when it was saved.
    pub saved_at: WallTime,
}

impl About {
    pub(super) fn of(node: &Node) -> Self {
        let mut version = node.config.version.clone();
        // A host gives the version: it must not make the header longer than a reader takes.
        version.truncate(version.floor_char_boundary(64));
        Self {
            version,
            node: node.id(),
            name: node.config.name.clone(),
            network: node.network(),
            network_name: node.admission.network_name(),
            saved_at: node.wall_now(),
        }
    }

    /// What a whole file says of itself.
    ///
    /// # Errors
    /// [`OpenError`] as [`Replay::open`](super::Replay::open), but for what its snapshot holds.
    pub fn read(bytes: &[u8]) -> Result<Self, OpenError> {
        let contents = read(bytes)?;
        if contents.whole {
            Ok(contents.about)
        } else {
            Err(contents.damaged())
        }
    }

    /// What its file is called: `NAME-20261120T165959Z.sporerec`, in letters that every system takes.
    #[must_use]
    pub fn file_name(&self) -> String {
        let plain = |letter: char| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
            _ => '_',
        };
        let name: String = self.name.chars().map(plain).collect();
        format!("{name}-{}.sporerec", moment(self.saved_at))
    }
}

/// A moment as `20261120T165959Z`.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2021, `civil_from_days`.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "every number is a share of milliseconds in 64 bits"
)]
fn moment(wall: WallTime) -> String {
    let seconds = wall.as_millis() / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0. Years that begin in March end with the leap day.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second % 3_600 / 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A recording on its way into a file. It shares its parts with the recorder.
#[derive(Clone, Debug)]
pub struct Saving {
    about: About,
    segments: Vec<Arc<Segment>>,
}

impl Saving {
    pub(super) const fn new(about: About, segments: Vec<Arc<Segment>>) -> Self {
        Self { about, segments }
    }

    /// What it says of itself.
    #[must_use]
    pub const fn about(&self) -> &About {
        &self.about
    }

    #[cfg(test)]
    pub(super) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// Hands the file's bytes to `sink`, part by part.
    ///
    /// # Errors
    /// The first error of the sink; what it got until then is no whole file.
    pub fn write<E>(&self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut checksums = Vec::new();
        let mut part = Vec::from(MAGIC);
        part.extend_from_slice(&FORMAT.to_le_bytes());
        let header = encode(&self.about);
        part.extend_from_slice(
            &u32::try_from(header.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        part.extend_from_slice(&header);
        // Every part has its own checksum, so that what precedes a damage can still be used.
        let checksum = checksum(&[&part]);
        sink(&part)?;
        sink(checksum.as_bytes())?;
        checksums.push(checksum);
        for segment in &self.segments {
            checksums.push(write_segment(segment, &mut sink)?);
        }
        let count = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        sink(&[TAG_END])?;
        sink(&count.to_le_bytes())?;
        sink(of_checksums(&checksums).as_bytes())
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written: Result<(), core::convert::Infallible> = self.write(|part| {
            bytes.extend_from_slice(part);
            Ok(())
        });
        match written {
            Ok(()) => bytes,
            Err(never) => match never {},
        }
    }
}

fn write_segment<E>(
    segment: &Segment,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Hash, E> {
    let Head {
        from,
        to,
        wall,
        inputs,
        hash,
    } = segment.head;
    let numbers = [
        from.as_micros(),
        to.as_micros(),
        wall.as_millis(),
        inputs,
        segment.snapshot_bytes(),
        segment.entries_bytes(),
    ];
    let mut head = alloc::vec![TAG_SEGMENT];
    for number in numbers {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(hash.as_bytes());
    let mut parts: Vec<&[u8]> = alloc::vec![&head, &segment.snapshot];
    parts.extend(segment.entries());
    for part in &parts {
        sink(part)?;
    }
    let checksum = checksum(&parts);
    sink(checksum.as_bytes())?;
    Ok(checksum)
}

fn checksum(parts: &[&[u8]]) -> Hash {
    Hash::of("sporenet 2026 recording part", parts)
}

fn of_checksums(checksums: &[Hash]) -> Hash {
    let all: Vec<&[u8]> = checksums
        .iter()
        .map(|hash| hash.as_bytes().as_slice())
        .collect();
    Hash::of("sporenet 2026 recording parts", &all)
}

/// Why bytes can't be opened as a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// They are something else.
    NoRecording,
    /// They are of a format that this version does not read.
    Format {
        /// Its version.
        version: u16,
    },
    /// They are cut off or changed.
    Damaged {
        /// How many segments before the damage are whole.
        segments: u64,
        /// The node's time from the first to the last of what is whole.
        span: Option<(Time, Time)>,
    },
    /// There is nothing in it.
    Empty,
    /// Its snapshot is of no use.
    Snapshot(ThawError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecording => f.write_str("this is no recording"),
            Self::Format { version } => {
                write!(
                    f,
                    "this recording has format {version}; this version reads {FORMAT}"
                )
            }
            Self::Damaged {
                segments,
                span: Some((from, to)),
            } => write!(
                f,
                "this recording is damaged or cut off; its first {segments} parts, from {from} to {to}, \
                 are whole"
            ),
            Self::Damaged { span: None, .. } => {
                f.write_str("this recording is damaged or cut off, and no part of it is whole")
            }
            Self::Empty => f.write_str("this recording holds nothing"),
            Self::Snapshot(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for OpenError {}

/// Where a segment lies in a file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) snapshot: Range<usize>,
    pub(super) entries: Range<usize>,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) about: About,
    pub(super) segments: Vec<Found>,
    /// Whether the file is whole.
    pub(super) whole: bool,
}

impl Contents {
    /// The error for a damaged file; it says which segments are whole.
    pub(super) fn damaged(&self) -> OpenError {
        let (first, last) = (self.segments.first(), self.segments.last());
        OpenError::Damaged {
            segments: size(self.segments.len()),
            span: first.zip(last).map(|(a, b)| (a.head.from, b.head.to)),
        }
    }
}

/// Reads what is whole, up to the first damage.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, OpenError> {
    let mut file = Cursor { bytes, at: 0 };
    if file.take(MAGIC.len()) != Some(MAGIC) {
        return Err(OpenError::NoRecording);
    }
    let damaged = OpenError::Damaged {
        segments: 0,
        span: None,
    };
    let version = file
        .array()
        .map(u16::from_le_bytes)
        .ok_or_else(|| damaged.clone())?;
    // Before any checksum: a later format may have another one.
    if version != FORMAT {
        return Err(OpenError::Format { version });
    }
    let (about, header) = file.header().ok_or(damaged)?;
    let mut checksums = alloc::vec![header];
    let mut segments: Vec<Found> = Vec::new();
    // Up to the first segment that is not whole: nothing after it can be trusted to follow.
    while segments.len() < SEGMENTS_MAX
        && let Some((found, checksum)) = file.segment()
    {
        segments.push(found);
        checksums.push(checksum);
    }
    let whole = file.end(&checksums).is_some();
    Ok(Contents {
        about,
        segments,
        whole,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(bytes)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn range(&mut self, bytes: u64) -> Option<Range<usize>> {
        let from = self.at;
        // A length that is a lie ends here: only ranges of the given bytes are made.
        self.take(usize::try_from(bytes).ok()?)?;
        Some(from..self.at)
    }

    /// The checksum that stands here, if it is that of everything since `from`.
    fn checked(&mut self, from: usize) -> Option<Hash> {
        let found = checksum(&[self.bytes.get(from..self.at)?]);
        (Hash::from_bytes(self.array()?) == found).then_some(found)
    }

    fn header(&mut self) -> Option<(About, Hash)> {
        let bytes = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        // Decoded before it is checked, so its size is bounded first.
        let header = self.take(bytes).filter(|_| bytes <= HEADER_BYTES_MAX)?;
        let about = decode_exactly(header).ok()?;
        Some((about, self.checked(0)?))
    }

    /// The segment that stands here, if it is whole; otherwise nothing is taken.
    fn segment(&mut self) -> Option<(Found, Hash)> {
        let from = self.at;
        let found = self.whole_segment(from);
        // The end may stand here instead, which begins at the same byte.
        if found.is_none() {
            self.at = from;
        }
        found
    }

    fn whole_segment(&mut self, begin: usize) -> Option<(Found, Hash)> {
        let mut head = Cursor {
            bytes: self.take(SEGMENT_HEAD_BYTES)?,
            at: 0,
        };
        if head.array()? != [TAG_SEGMENT] {
            return None;
        }
        let (from, to) = (head.number()?, head.number()?);
        let (wall, inputs) = (head.number()?, head.number()?);
        let (snapshot, entries) = (head.number()?, head.number()?);
        let hash = Hash::from_bytes(head.array()?);
        let head = Head {
            from: Time::from_micros(from),
            to: Time::from_micros(to),
            wall: WallTime::from_millis(wall),
            inputs,
            hash,
        };
        let found = Found {
            head,
            snapshot: self.range(snapshot)?,
            entries: self.range(entries)?,
        };
        Some((found, self.checked(begin)?))
    }

    fn end(&mut self, checksums: &[Hash]) -> Option<()> {
        let [tag] = self.array()?;
        let count = u32::from_le_bytes(self.array()?);
        let checksum = Hash::from_bytes(self.array()?);
        // The first checksum is the header's.
        let segments = size(checksums.len()).saturating_sub(1);
        let is_right = tag == TAG_END
            && u64::from(count) == segments
            && checksum == of_checksums(checksums)
            && self.at == self.bytes.len();
        is_right.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_after_node_and_moment() {
        let about = |name: &str, millis| About {
            version: "0".into(),
            node: NodeId::from_bytes([1; 32]),
            name: Name::new(name).unwrap(),
            network: NetworkId::from_bytes([2; 32]),
            network_name: None,
            saved_at: WallTime::from_millis(millis),
        };
        let called = about("relay-1", 1_795_193_999_000).file_name();
        assert_eq!(called, "relay-1-20261120T165959Z.sporerec");
        let called = about("../ü x", 951_782_400_000).file_name();
        assert_eq!(called, "_____x-20000229T000000Z.sporerec");
        assert!(!about("a", u64::MAX).file_name().is_empty());
    }
}

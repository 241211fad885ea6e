//! The stored journal read at start.
//!
//! | what is found | what is done |
//! |---|---|
//! | records behind the last intact one | a torn tail: dropped, reported, cut off in the store |
//! | a damaged, missing or stale one before it | quarantined: reported; replicas repair it |
//! | the front missing, most of it damaged, a newer version | refused, with what to do about it |
//!
//! Two intact neighbours that do not follow each other: the earlier one is stale if the later one
//! is followed by its own successor, else the later one is.
//!
//! Source: Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST'18,
//! section 3 (a torn tail and a corrupt middle must be told apart).

use crate::{
    kernel::{
        bytes::Bytes,
        planted::{self, Planted},
    },
    recovery::record::{Chain, Record, RecordError, decode},
};
use alloc::{collections::BTreeSet, vec::Vec};
use core::fmt;

/// Where the journal goes on, for [`Journal::new`](super::journal::Journal::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tail {
    /// The sequence of the next record.
    pub next: u64,
    /// The link that it carries.
    pub chain: Chain,
    /// What follows the last intact record has to be removed from the store.
    pub truncate: bool,
}

impl Tail {
    /// The tail of an empty journal.
    pub const START: Self = Self {
        next: 1,
        chain: Chain::START,
        truncate: false,
    };
}

/// What replay found, for the timeline and the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Intact records.
    pub records: u64,
    /// The first sequence of the tail that was dropped.
    pub torn_tail: Option<u64>,
    /// How many stored records were dropped with the tail.
    pub tail_dropped: u64,
    /// Sequences before the tail that are damaged, stale or missing; never more than `records`.
    pub damaged: Vec<u64>,
}

/// A journal that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The intact records, in sequence order.
    pub records: Vec<Record>,
    /// Where the journal goes on.
    pub tail: Tail,
    /// What was found.
    pub report: Report,
}

/// Why a node must not start on this journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The journal does not start at its first record.
    FrontMissing {
        /// The first sequence that should be there.
        front: u64,
        /// The first sequence that is there; 0 if none is.
        first: u64,
    },
    /// More is damaged than intact.
    Wholesale {
        /// Intact records.
        intact: u64,
        /// Damaged, stale or missing ones.
        damaged: u64,
    },
    /// A record was written by a newer version.
    Newer {
        /// Its sequence.
        sequence: u64,
    },
    /// The store gave the records out of order or twice.
    Disorder {
        /// The sequence that came too late.
        sequence: u64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrontMissing { front, first } => write!(
                f,
                "the journal begins at record {first} instead of {front}: restore the data directory from \
                 a backup, or move it away and join again with a new invite"
            ),
            Self::Wholesale { intact, damaged } => write!(
                f,
                "the journal is damaged ({damaged} of its records unreadable, {intact} intact): check \
                 the disk, then restore the data directory from a backup, or move it away and join \
                 again with a new invite"
            ),
            Self::Newer { sequence } => write!(
                f,
                "journal record {sequence} was written by a newer version of this program: start \
                 that version, or a newer one"
            ),
            Self::Disorder { sequence } => write!(
                f,
                "the store returned journal record {sequence} out of order: check the store's \
                 integrity and restore it from a backup"
            ),
        }
    }
}

impl core::error::Error for ReplayError {}

/// A stored record that decodes on its own, with the link that its successor should carry.
struct Intact {
    record: Record,
    next_chain: Chain,
}

/// Reads a stored journal that begins at `front`, oldest record first.
///
/// # Errors
/// [`ReplayError`] where going on could lose what was acknowledged: nothing is changed.
pub fn replay(stored: &[(u64, Bytes)], front: u64) -> Result<Replay, ReplayError> {
    check_order(stored)?;
    // A crash between the word that the front goes and its going leaves some of it.
    let gone = stored.partition_point(|(sequence, _)| *sequence < front);
    let stored = stored.get(gone..).unwrap_or_default();
    check_front(stored, front)?;
    // Each on its own, without links: a damaged record must not spoil those behind it.
    let intact = read_each(stored)?;
    let blamed = blame_breaks(&intact);
    let mut records = Vec::with_capacity(intact.len());
    let mut tail = Tail {
        next: front,
        ..Tail::START
    };
    for Intact { record, next_chain } in intact {
        // A blamed record is treated like a damaged one. The last record that is left decides where
        // the journal goes on, so damage at the end is a torn tail and is cut off.
        if !blamed.contains(&record.sequence) {
            tail.next = record.sequence.saturating_add(1);
            tail.chain = next_chain;
            records.push(record);
        }
    }
    // Nothing intact follows these, so they may be a write that a crash tore, and are treated as
    // one (Alagappan FAST'18, section 3). A durable last record that has rotted looks the same.
    let dropped = stored
        .iter()
        .filter(|(sequence, _)| *sequence >= tail.next)
        .count();
    tail.truncate = dropped > 0;
    // Planted bugs: what a wrong replay would do, to prove that the checks find it.
    if planted::is(Planted::TornTailKept) {
        let last = stored.last().map_or(0, |(sequence, _)| *sequence);
        tail.next = last.saturating_add(1);
        tail.truncate = false;
    }
    if planted::is(Planted::ReplayBackwards) {
        records.reverse();
    }
    let report = Report {
        records: count(records.len()),
        torn_tail: tail.truncate.then_some(tail.next),
        tail_dropped: count(dropped),
        damaged: gaps(&records, stored.len(), front)?,
    };
    Ok(Replay {
        records,
        tail,
        report,
    })
}

fn check_order(stored: &[(u64, Bytes)]) -> Result<(), ReplayError> {
    let late = stored
        .iter()
        .zip(stored.iter().skip(1))
        .find(|(a, b)| a.0 >= b.0);
    late.map_or(Ok(()), |(_, (sequence, _))| {
        Err(ReplayError::Disorder {
            sequence: *sequence,
        })
    })
}

fn check_front(stored: &[(u64, Bytes)], front: u64) -> Result<(), ReplayError> {
    // The store keeps where its front was dropped, in the same batch. So another front means that a part
    // of the store is gone. To start over would reuse sequences and forget what was acknowledged. Where
    // the front was dropped, something was left.
    let first = stored.first().map(|(first, _)| *first);
    if first == Some(front) || (first.is_none() && front == 1) {
        return Ok(());
    }
    Err(ReplayError::FrontMissing {
        front,
        first: first.unwrap_or(0),
    })
}

/// The records that decode on their own.
fn read_each(stored: &[(u64, Bytes)]) -> Result<Vec<Intact>, ReplayError> {
    let mut intact = Vec::with_capacity(stored.len());
    for (sequence, bytes) in stored {
        match decode(*sequence, None, bytes) {
            Ok(record) => intact.push(Intact {
                record,
                // From the stored bytes: this is the link that the successor has to carry.
                next_chain: Chain::after(bytes),
            }),
            // An older program must not write behind what it can't read, nor cut it off.
            Err(RecordError::Version) => {
                return Err(ReplayError::Newer {
                    sequence: *sequence,
                });
            }
            // Left out: it shows as a gap, or as the torn tail if nothing intact follows.
            Err(
                RecordError::Torn
                | RecordError::Checksum
                | RecordError::Sequence
                | RecordError::Chain,
            ) => {}
        }
    }
    Ok(intact)
}

/// The sequences at fault for links that do not hold.
fn blame_breaks(intact: &[Intact]) -> BTreeSet<u64> {
    let mut blamed = BTreeSet::new();
    let front = intact.first().map(|first| &first.record);
    // Where the front was dropped, the link of the first one left leads to what is gone.
    // The first record has no record before it to compare with, but has to carry the start's link.
    if front.is_some_and(|front| front.sequence == 1 && front.chain != Chain::START) {
        blamed.insert(1);
    }
    // A break shows only between neighbours: across a gap nothing can be compared.
    for (at, (one, two)) in intact.iter().zip(intact.iter().skip(1)).enumerate() {
        if !breaks(one, two) {
            continue;
        }
        // Of two that do not fit, one is stale. If the later one has its own successor, two records
        // agree against one. Otherwise the earlier one has its predecessor, so the later one is
        // blamed.
        let three = intact.get(at.saturating_add(2));
        let followed = three.is_some_and(|three| adjacent(two, three) && !breaks(two, three));
        blamed.insert(if followed {
            one.record.sequence
        } else {
            two.record.sequence
        });
    }
    blamed
}

fn adjacent(one: &Intact, two: &Intact) -> bool {
    one.record.sequence.checked_add(1) == Some(two.record.sequence)
}

fn breaks(one: &Intact, two: &Intact) -> bool {
    adjacent(one, two) && two.record.chain != one.next_chain
}

/// The sequences before the last intact record that are not there.
fn gaps(records: &[Record], stored: usize, front: u64) -> Result<Vec<u64>, ReplayError> {
    let intact = count(records.len());
    let last = records.last().map_or(0, |record| record.sequence);
    // Gaps at the end are the torn tail; these are all before the last intact record. So the
    // difference between the last sequence and the count is how many are missing.
    let dropped = front.saturating_sub(1);
    let missing = last.saturating_sub(dropped).saturating_sub(intact);
    // One damaged record alone is a first write that was torn: an empty journal.
    let nothing_left = records.is_empty() && stored > 1;
    // More damaged than intact is no rot of single records: the disk or the directory is wrong, and
    // a person has to look. It also bounds the list below by `records`.
    if missing > intact || nothing_left {
        let damaged = if nothing_left { count(stored) } else { missing };
        return Err(ReplayError::Wholesale { intact, damaged });
    }
    let mut gaps = Vec::new();
    let mut expected = front;
    for record in records {
        gaps.extend(expected..record.sequence);
        expected = record.sequence.saturating_add(1);
    }
    Ok(gaps)
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::recovery::record::{Origin, encode};
    use proptest::prelude::*;

    fn journal_of(bodies: &[&[u8]]) -> Vec<(u64, Bytes)> {
        let mut chain = Chain::START;
        let mut stored = Vec::new();
        for (sequence, body) in (1_u64..).zip(bodies) {
            let (bytes, next) = encode(sequence, Origin::Replica, chain, body);
            stored.push((sequence, bytes));
            chain = next;
        }
        stored
    }

    /// Of a journal whose front was never dropped.
    fn replay1(stored: &[(u64, Bytes)]) -> Result<Replay, ReplayError> {
        replay(stored, 1)
    }

    #[test]
    fn a_journal_whose_front_was_dropped_begins_where_it_says() {
        let rest = sample().split_off(2);
        let replay = replay(&rest, 3).unwrap();
        assert_eq!(replay.report.records, 3);
        assert_eq!(replay.report.damaged, [0_u64; 0]);
        assert_eq!(replay.tail.next, 6);
        // A crash may leave some of the front.
        assert_eq!(super::replay(&sample(), 3).unwrap(), replay);
        for (stored, front) in [
            (rest.clone(), 1),
            (rest.clone(), 2),
            (rest, 9),
            (Vec::new(), 3),
        ] {
            let refused = super::replay(&stored, front).unwrap_err();
            assert!(
                matches!(refused, ReplayError::FrontMissing { .. }),
                "{refused}"
            );
        }
        let hurt = sample().split_off(2).into_iter();
        let mut hurt: Vec<_> = hurt.filter(|(sequence, _)| *sequence != 4).collect();
        let found = super::replay(&hurt, 3).unwrap();
        assert_eq!(found.report.damaged, [4]);
        hurt.truncate(1);
        assert_eq!(super::replay(&hurt, 3).unwrap().tail.next, 4);
    }

    fn sample() -> Vec<(u64, Bytes)> {
        journal_of(&[b"one", b"two", b"", b"four", b"five"])
    }

    fn bodies(replay: &Replay) -> Vec<(u64, Vec<u8>)> {
        replay
            .records
            .iter()
            .map(|r| (r.sequence, r.body.to_vec()))
            .collect()
    }

    #[test]
    fn an_intact_journal_reads_back_and_goes_on() {
        let replay = replay1(&sample()).unwrap();
        assert_eq!(replay.report.records, 5);
        assert_eq!((replay.tail.next, replay.tail.truncate), (6, false));
        assert_eq!(replay.tail.chain, Chain::after(&sample()[4].1));
        assert_eq!(replay1(&[]).unwrap().tail, Tail::START);
    }

    #[test]
    fn every_bit_flip_loses_at_most_its_own_record_and_is_reported() {
        let stored = sample();
        for at in 0..stored.len() {
            for bit in 0..stored[at].1.len() * 8 {
                let mut flipped = stored[at].1.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_only_lost(&stored, at, Bytes::from(flipped));
            }
        }
    }

    #[test]
    fn every_truncation_loses_at_most_its_own_record_and_is_reported() {
        let stored = sample();
        for at in 0..stored.len() {
            for length in 0..stored[at].1.len() {
                assert_only_lost(&stored, at, Bytes::from(&stored[at].1[..length]));
            }
        }
    }

    fn assert_only_lost(stored: &[(u64, Bytes)], at: usize, damaged: Bytes) {
        let mut hurt = stored.to_vec();
        hurt[at].1 = damaged;
        let replay = replay1(&hurt).unwrap();
        let mut expected = bodies(&replay1(stored).unwrap());
        let (lost, _) = expected.remove(at);
        assert_eq!(bodies(&replay), expected);
        if at + 1 == stored.len() {
            assert_eq!(replay.report.torn_tail, Some(lost));
            assert_eq!(replay.tail.next, lost);
        } else {
            assert_eq!(replay.report.damaged, [lost]);
            assert_eq!(replay.tail.next, 6);
        }
    }

    #[test]
    fn a_lost_record_in_the_middle_is_reported_as_damaged() {
        let mut stored = sample();
        stored.remove(2);
        let replay = replay1(&stored).unwrap();
        assert_eq!(replay.report.damaged, [3]);
        assert_eq!(replay.report.records, 4);
    }

    #[test]
    fn records_that_swapped_places_are_noticed() {
        let mut stored = journal_of(&[b"a", b"b", b"c", b"d", b"e", b"f"]);
        let (one, two) = (stored[1].1.clone(), stored[2].1.clone());
        stored[1].1 = two;
        stored[2].1 = one;
        assert_eq!(replay1(&stored).unwrap().report.damaged, [2, 3]);
    }

    #[test]
    fn a_stale_record_is_quarantined_and_its_successors_kept() {
        let mut stored = sample();
        stored[2].1 = encode(3, Origin::Replica, Chain::after(&stored[1].1), b"stale").0;
        let replay = replay1(&stored).unwrap();
        assert_eq!(replay.report.damaged, [3]);
        assert_eq!(replay.report.records, 4);
    }

    #[test]
    fn a_stale_record_at_the_end_is_dropped() {
        let mut stored = sample();
        stored[4].1 = encode(5, Origin::Replica, Chain::START, b"stale").0;
        let replay = replay1(&stored).unwrap();
        assert_eq!(replay.report.torn_tail, Some(5));
        assert!(replay.tail.truncate);
    }

    #[test]
    fn a_missing_front_is_refused() {
        let stored = sample().split_off(1);
        assert_eq!(
            replay1(&stored),
            Err(ReplayError::FrontMissing { front: 1, first: 2 })
        );
    }

    #[test]
    fn a_journal_mostly_damaged_is_refused_not_taken_for_empty() {
        let mut stored = sample();
        for (_, bytes) in &mut stored {
            *bytes = Bytes::from(b"garbage".as_slice());
        }
        assert_eq!(
            replay1(&stored),
            Err(ReplayError::Wholesale {
                intact: 0,
                damaged: 5
            })
        );
    }

    #[test]
    fn a_chain_that_holds_nowhere_is_refused() {
        let stored: Vec<_> = (1..=6_u64)
            .map(|sequence| {
                let strange = Chain::after(&sequence.to_le_bytes());
                (sequence, encode(sequence, Origin::Replica, strange, b"x").0)
            })
            .collect();
        assert!(matches!(
            replay1(&stored),
            Err(ReplayError::Wholesale { .. })
        ));
    }

    #[test]
    fn the_first_record_ever_may_be_torn() {
        let stored = [(1, Bytes::from(b"to".as_slice()))];
        let replay = replay1(&stored).unwrap();
        assert_eq!(replay.report.torn_tail, Some(1));
        assert_eq!((replay.tail.next, replay.tail.truncate), (1, true));
    }

    #[test]
    fn absurd_sequences_cost_nothing() {
        let far = encode(u64::MAX, Origin::Node, Chain::START, b"").0;
        let mut stored = journal_of(&[b"a"]);
        stored.push((u64::MAX, far));
        assert!(matches!(
            replay1(&stored),
            Err(ReplayError::Wholesale { .. })
        ));
    }

    #[test]
    fn disorder_is_refused() {
        let mut stored = sample();
        stored.swap(2, 3);
        assert_eq!(replay1(&stored), Err(ReplayError::Disorder { sequence: 3 }));
    }

    proptest! {
        #[test]
        fn arbitrary_stores_never_panic_and_report_everything(
            stored in prop::collection::vec((0_u64..20, prop::collection::vec(any::<u8>(), 0..80)), 0..12),
        ) {
            let stored: Vec<_> = stored.into_iter().map(|(s, b)| (s, Bytes::from(b))).collect();
            if let Ok(replay) = replay1(&stored) {
                prop_assert!(replay.report.damaged.len() <= replay.records.len());
                // What stands before the front is none of it.
                let kept = stored.iter().filter(|(sequence, _)| *sequence > 0).count();
                prop_assert_eq!(replay.records.is_empty(), kept <= 1);
            }
        }

        #[test]
        fn several_damaged_records_are_all_reported(hurt in prop::collection::btree_set(0_usize..20, 0..6)) {
            let owned: Vec<Vec<u8>> = (0..20_u8).map(|n| alloc::vec![n; 3]).collect();
            let slices: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
            let mut stored = journal_of(&slices);
            for at in &hurt {
                let mut bytes = stored[*at].1.to_vec();
                bytes[31] ^= 1;
                stored[*at].1 = bytes.into();
            }
            let replay = replay1(&stored).unwrap();
            let lost = replay.report.damaged.len() + usize::try_from(replay.report.tail_dropped).unwrap();
            prop_assert_eq!(lost, hurt.len());
            prop_assert_eq!(replay.records.len(), 20 - hurt.len());
        }
    }
}

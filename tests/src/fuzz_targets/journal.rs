//! A stored journal, damaged in every way that disks know.

use crate::fuzz_targets::Script;
use sporenet_core::{
    kernel::{bytes::Bytes, rng::Rng},
    recovery::{
        record::{self, Chain, Origin, Record},
        replay::replay,
    },
};

/// The most records of the journal that is damaged.
const RECORDS_MAX: u8 = 12;

/// Writes a journal, damages it as the script says, and replays it.
///
/// # Panics
/// When replay panics, or finds a record that was never written at that place.
pub fn journal(bytes: &[u8]) {
    let mut script = Script(bytes);
    let written = write(&mut script);
    let mut stored: Vec<(u64, Vec<u8>)> = written
        .iter()
        .map(|(record, bytes)| (record.sequence, bytes.to_vec()))
        .collect();
    while !script.is_over() && !stored.is_empty() {
        damage(&mut stored, &mut script);
    }
    let whole = stored
        .iter()
        .map(|(sequence, bytes)| (*sequence, &bytes[..]));
    let is_whole = whole.eq(written
        .iter()
        .map(|(record, bytes)| (record.sequence, &bytes[..])));
    let stored: Vec<(u64, Bytes)> = stored
        .into_iter()
        .map(|(sequence, bytes)| (sequence, bytes.into()))
        .collect();
    let Ok(replayed) = replay(&stored, 1) else {
        assert!(!is_whole, "an intact journal was refused");
        return;
    };
    for found in &replayed.records {
        let original = written
            .iter()
            .find(|(record, _)| record.sequence == found.sequence);
        let is_original = original.is_some_and(|(record, _)| record == found);
        assert!(is_original, "a record was invented: {found:?}");
    }
    assert_eq!(replayed.report.records, replayed.records.len() as u64);
    if is_whole {
        assert_eq!(
            replayed.records.len(),
            written.len(),
            "an intact record was lost"
        );
        assert_eq!(replayed.tail.next, written.len() as u64 + 1);
    }
}

/// A journal of a few records, as [`record::encode`] writes it.
fn write(script: &mut Script<'_>) -> Vec<(Record, Bytes)> {
    let count = script.byte() % RECORDS_MAX + 1;
    let mut chain = Chain::START;
    let mut written = Vec::new();
    for number in 0..count {
        let sequence = u64::from(number) + 1;
        let origin = Origin::ALL[usize::from(script.byte()) % Origin::ALL.len()];
        let length = usize::from(script.byte() % 48);
        let body = Bytes::from(script.bytes(length));
        let (bytes, next) = record::encode(sequence, origin, chain, &body);
        written.push((
            Record {
                sequence,
                origin,
                chain,
                body,
            },
            bytes,
        ));
        chain = next;
    }
    written
}

/// One blow: a flipped bit, a torn, lost, doubled, swapped, stale or foreign record.
fn damage(stored: &mut Vec<(u64, Vec<u8>)>, script: &mut Script<'_>) {
    let kind = script.byte();
    let at = usize::from(script.byte()) % stored.len();
    let other = usize::from(script.byte()) % stored.len();
    match kind % 8 {
        0 => {
            let bytes = &mut stored[at].1;
            let bit = usize::from(script.word());
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        1 => {
            let length = usize::from(script.byte());
            stored[at].1.truncate(length);
        }
        2 => drop(stored.remove(at)),
        3 => stored.truncate(at),
        4 => stored[at].1 = stored[other].1.clone(),
        5 => stored[at].0 = u64::from(script.word()),
        6 => {
            // Noise, not the script's own bytes: a disk does not forge checksums, a fuzzer can.
            let mut noise = vec![0; usize::from(script.byte())];
            Rng::from_number(u64::from(script.word())).fill(&mut noise);
            stored[at].1 = noise;
        }
        _ => {
            let copy = stored[at].clone();
            stored.push(copy);
        }
    }
}

//! What a host's store does, in memory: atomic batches in order, and everything back at start; and
//! what a bad one does.

/// What is on a disk.
pub use crate::kernel::store::MemoryStore as Image;

use crate::kernel::{
    bytes::Bytes,
    rng::Rng,
    store::{StoreBatch, StoreOp},
};
use alloc::{collections::VecDeque, vec::Vec};

/// What a store does to batches while a fault lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskMode {
    /// It works.
    #[default]
    Sound,
    /// It has no room for anything new.
    Full,
    /// Every write fails.
    Failing,
    /// It says that writes are durable, and loses them in a crash.
    Lying,
}

/// A host's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    durable: Image,
    /// Asked for and not yet durable, oldest first.
    pending: VecDeque<StoreBatch>,
    /// Said to be durable by a lying store, and lost in a crash.
    lied: Vec<StoreBatch>,
    mode: DiskMode,
    /// A batch may be applied in part when the host crashes, as on a store that is not atomic.
    tears: bool,
    /// A crash left a part of a new value in the place of the old one.
    spoilt_entry: bool,
}

/// What a simulated disk needs beside what every store in memory does.
impl Image {
    /// Puts a value under a key.
    pub fn set(&mut self, key: &str, value: Bytes) {
        self.entries.insert(key.into(), value);
    }

    /// What stands at a place of the journal.
    #[must_use]
    pub fn record(&self, sequence: u64) -> Option<&Bytes> {
        self.journal.get(&sequence)
    }

    /// All places that hold bytes: entries first, then the journal.
    #[must_use]
    pub fn places(&self) -> usize {
        self.entries.len() + self.journal.len()
    }

    /// The bytes in all places.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries
            .values()
            .chain(self.journal.values())
            .map(|bytes| bytes.len())
            .sum()
    }

    fn place_mut(&mut self, place: usize) -> Option<&mut Bytes> {
        self.entries
            .values_mut()
            .chain(self.journal.values_mut())
            .nth(place)
    }

    /// Flips one bit, counted over all places; false if there is no such bit.
    pub fn flip(&mut self, bit: usize) -> bool {
        let mut byte = bit / 8;
        for value in self.entries.values_mut().chain(self.journal.values_mut()) {
            if byte < value.len() {
                let mut changed = value.to_vec();
                changed[byte] ^= 1 << (bit % 8);
                *value = changed.into();
                return true;
            }
            byte -= value.len();
        }
        false
    }
}

impl Disk {
    /// What is durable.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.durable
    }

    /// What is durable, to damage it.
    pub const fn image_mut(&mut self) -> &mut Image {
        &mut self.durable
    }

    /// Puts an earlier image back, as a restored backup does.
    pub fn restore(&mut self, image: Image) {
        self.durable = image;
        self.lied.clear();
    }

    /// Changes what the store does from now on.
    pub const fn set_mode(&mut self, mode: DiskMode) {
        self.mode = mode;
    }

    /// Whether a crash may apply a batch in part.
    pub const fn set_tears(&mut self, tears: bool) {
        self.tears = tears;
    }

    /// Whether crashes left a part of a value in the place of an older one, since the last question.
    /// No atomic store does that: a node may refuse what it finds.
    pub const fn take_spoilt_entry(&mut self) -> bool {
        core::mem::replace(&mut self.spoilt_entry, false)
    }

    /// A batch was handed to the store.
    pub fn submit(&mut self, batch: StoreBatch) {
        self.pending.push_back(batch);
    }

    /// The oldest batch is through; answers it, and whether it is kept.
    pub fn finish(&mut self) -> Option<(StoreBatch, Result<(), DiskMode>)> {
        let batch = self.pending.pop_front()?;
        let outcome = match self.mode {
            DiskMode::Sound => {
                for lied in core::mem::take(&mut self.lied) {
                    self.durable.apply(&lied.ops);
                }
                self.durable.apply(&batch.ops);
                Ok(())
            }
            DiskMode::Lying => {
                self.lied.push(batch.clone());
                Ok(())
            }
            bad @ (DiskMode::Full | DiskMode::Failing) => Err(bad),
        };
        Some((batch, outcome))
    }

    /// The host crashes: of what was not yet durable a random prefix got through, and where the
    /// store is not atomic the next batch in part. Answers whether anything was torn or lost.
    pub fn crash(&mut self, rng: &mut Rng) -> bool {
        let mut harmed = !self.lied.is_empty();
        self.lied.clear();
        let through = rng.index(self.pending.len() + 1);
        for _ in 0..through {
            if let Some(batch) = self.pending.pop_front() {
                self.durable.apply(&batch.ops);
            }
        }
        if let Some(batch) = self.pending.pop_front().filter(|_| self.tears) {
            harmed = true;
            let whole = batch.ops.clone();
            let ops = torn(batch.ops, rng);
            let (last, meant) = (ops.last(), whole.get(ops.len().saturating_sub(1)));
            let is_put = matches!(last, Some(StoreOp::Put { .. }));
            self.spoilt_entry |= is_put && last != meant;
            self.durable.apply(&ops);
        }
        self.pending.clear();
        harmed
    }

    /// Flips a random bit somewhere; false if there is nothing.
    pub fn rot(&mut self, rng: &mut Rng) -> bool {
        let bits = self.durable.bytes() * 8;
        self.durable.flip(rng.index(bits))
    }

    /// Flips a random bit of a named entry, which are few bytes beside the journal; false if there is
    /// none.
    pub fn rot_entry(&mut self, rng: &mut Rng) -> bool {
        let bytes: usize = self.durable.entries.values().map(|bytes| bytes.len()).sum();
        // The entries come first among the places.
        bytes > 0 && self.durable.flip(rng.index(bytes * 8))
    }

    /// Puts a journal record where another one was, as a misdirected write does.
    pub fn misdirect(&mut self, rng: &mut Rng) -> bool {
        let len = self.durable.journal.len();
        let (from, to) = (rng.index(len), rng.index(len));
        let first = self.durable.entries.len();
        let Some(record) = self.durable.place_mut(first + from).cloned() else {
            return false;
        };
        self.durable.place_mut(first + to).is_some_and(|place| {
            let differs = *place != record;
            *place = record;
            differs
        })
    }

    /// Loses a journal record.
    pub fn lose(&mut self, rng: &mut Rng) -> bool {
        let place = rng.index(self.durable.journal.len());
        let sequence = self.durable.journal.keys().nth(place).copied();
        sequence.is_some_and(|sequence| self.durable.journal.remove(&sequence).is_some())
    }

    /// The records that a load asked for.
    #[must_use]
    pub fn load(&self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        let record = |at: &u64| {
            let lied = self.lied.iter().flat_map(|batch| &batch.ops).rev();
            let mut lied = lied.filter_map(|op| match op {
                StoreOp::Append { sequence, record } if sequence == at => Some(record),
                StoreOp::Append { .. }
                | StoreOp::Put { .. }
                | StoreOp::Delete { .. }
                | StoreOp::Truncate { .. }
                | StoreOp::DropBefore { .. } => None,
            });
            lied.next()
                .or_else(|| self.durable.journal.get(at))
                .cloned()
        };
        let found = |at: &u64| record(at).map(|record| (*at, record));
        sequences.iter().filter_map(found).collect()
    }
}

/// A prefix of a batch, its last operation in part.
fn torn(mut ops: Vec<StoreOp>, rng: &mut Rng) -> Vec<StoreOp> {
    ops.truncate(rng.index(ops.len() + 1));
    match ops.last_mut() {
        Some(StoreOp::Append { record, .. } | StoreOp::Put { value: record, .. }) => {
            let kept = rng.index(record.len() + 1);
            *record = record.iter().take(kept).copied().collect::<Vec<_>>().into();
        }
        Some(StoreOp::Delete { .. } | StoreOp::Truncate { .. } | StoreOp::DropBefore { .. })
        | None => {}
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::Ticket;

    fn batch(ticket: u64) -> StoreBatch {
        let append = |sequence| StoreOp::Append {
            sequence,
            record: Bytes::from(&[7; 9][..]),
        };
        StoreBatch {
            ticket: Ticket(ticket),
            ops: [append(ticket * 2), append(ticket * 2 + 1)].into(),
        }
    }

    #[test]
    fn a_crash_keeps_a_prefix_of_what_was_not_acknowledged() {
        let mut seen = [false; 4];
        for seed in 0..64 {
            let mut disk = Disk::default();
            (0..3).for_each(|ticket| disk.submit(batch(ticket)));
            disk.crash(&mut Rng::from_number(seed));
            let kept: Vec<u64> = disk
                .image()
                .stored()
                .journal
                .iter()
                .map(|(at, _)| *at)
                .collect();
            assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
            assert!(kept.len().is_multiple_of(2));
            seen[kept.len() / 2] = true;
        }
        assert_eq!(seen, [true; 4]);
    }

    #[test]
    fn a_store_that_lies_loses_what_it_acknowledged() {
        let mut disk = Disk::default();
        disk.set_mode(DiskMode::Lying);
        disk.submit(batch(0));
        assert_eq!(disk.finish().unwrap().1, Ok(()));
        assert_eq!(disk.load(&[1]).len(), 1);
        assert!(disk.crash(&mut Rng::from_number(1)));
        assert_eq!(disk.image().places(), 0);
    }

    #[test]
    fn a_torn_value_is_told_of_and_a_torn_record_is_not() {
        let put = |value: &[u8]| StoreOp::Put {
            key: "one".into(),
            value: Bytes::from(value),
        };
        let mut spoilt = 0;
        for seed in 0..64 {
            for op in [put(&[7; 9]), batch(1).ops.remove(0)] {
                let mut disk = Disk::default();
                disk.image_mut().set("one", Bytes::from(&[1; 9][..]));
                disk.set_tears(true);
                let (ticket, ops) = (Ticket(1), [op].into());
                disk.submit(StoreBatch { ticket, ops });
                disk.crash(&mut Rng::from_number(seed));
                let stored = disk.image().stored();
                let value = stored.entry("one").unwrap();
                let is_whole = [&[1; 9][..], &[7; 9][..]].contains(&&value[..]);
                assert_eq!(disk.take_spoilt_entry(), !is_whole);
                assert!(!disk.take_spoilt_entry());
                spoilt += u32::from(!is_whole);
            }
        }
        assert!(spoilt > 8);
    }

    #[test]
    fn what_rots_of_the_entries_is_no_record() {
        let mut disk = Disk::default();
        assert!(!disk.rot_entry(&mut Rng::from_number(1)));
        disk.submit(batch(0));
        disk.finish();
        disk.image_mut().set("one", Bytes::from(&[7; 2][..]));
        let sound = disk.image().clone();
        for seed in 0..64 {
            disk.restore(sound.clone());
            assert!(disk.rot_entry(&mut Rng::from_number(seed)));
            assert_eq!(disk.image().journal, sound.journal);
            assert_ne!(disk.image().entries, sound.entries);
        }
    }

    #[test]
    fn every_bit_can_be_flipped_and_none_beyond() {
        let mut disk = Disk::default();
        disk.submit(batch(0));
        disk.finish();
        let sound = disk.image().clone();
        assert_eq!(sound.bytes(), 18);
        for bit in 0..18 * 8 {
            let mut image = sound.clone();
            assert!(image.flip(bit) && image != sound);
            assert!(image.flip(bit) && image == sound);
        }
        assert!(!sound.clone().flip(18 * 8));
    }
}

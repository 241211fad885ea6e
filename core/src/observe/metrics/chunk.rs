//! Thirty-two slots that stand side by side, packed.
//!
//! Which slots are present is a word of bits; those present stand in one vector without holes. While no
//! slot has more than one sample, a slot is that one value (4 bytes, not 20): so it is in the finest ring
//! of a series that is sampled once a step.

use crate::observe::metrics::slot::{Slot, narrowed};
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize};

/// How many slots a chunk spans: as many as a `u32` has bits. With half as many, the heads of the chunks
/// would take a seventh of a ring; with twice as many, the short rings would keep a half too much.
pub(super) const SLOTS: u64 = 32;
/// By how many slots a vector grows: little is left over, and a full chunk has moved eight times.
const GROWTH: usize = 4;
/// What the head of a chunk takes. A constant, so that every target counts alike.
pub(super) const HEAD_BYTES: u64 = 48;
const _: () = assert!(
    size_of::<Chunk>() as u64 <= HEAD_BYTES,
    "heads are counted too small"
);
const _: () = assert!(
    size_of::<Slot>() == 20,
    "a slot is five words without padding"
);

/// The slots `index · 32` to `index · 32 + 31` of a ring, as far as they have samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Chunk {
    index: u64,
    present: u32,
    cells: Cells,
}

/// The slots that are present, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Cells {
    /// Each has one sample.
    Single(#[serde(deserialize_with = "exact")] Vec<f32>),
    /// Some had more than one.
    Many(#[serde(deserialize_with = "exact")] Vec<Slot>),
}

impl Chunk {
    /// The chunk at `index`, without samples.
    pub(super) const fn new(index: u64) -> Self {
        Self {
            index,
            present: 0,
            cells: Cells::Single(Vec::new()),
        }
    }

    /// The number of its first slot, divided by 32.
    pub(super) const fn index(&self) -> u64 {
        self.index
    }

    /// Adds a sample to the slot at `offset` (0 to 31), whose sum the ring knows as `sum` if it was the
    /// last one written; answers the slot's new sum.
    pub(super) fn add(&mut self, offset: u32, value: f64, sum: Option<f64>) -> f64 {
        let bit = 1_u32.wrapping_shl(offset);
        let rank = (self.present & bit.wrapping_sub(1)).count_ones() as usize;
        if self.present & bit == 0 {
            self.present |= bit;
            self.cells.insert(rank, narrowed(value));
            return value;
        }
        match self.cells.widened().get_mut(rank) {
            Some(slot) => slot.add(value, sum.unwrap_or_else(|| f64::from(slot.sum))),
            None => value,
        }
    }

    /// The slots that are present, oldest first, with their numbers in the ring.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u64, Slot)> {
        let first = self.index.saturating_mul(SLOTS);
        (0..u64::from(u32::BITS))
            .filter(|offset| self.present.wrapping_shr(low_bits(*offset)) & 1 == 1)
            .zip(0_usize..)
            .filter_map(move |(offset, rank)| {
                let slot = self.cells.at(rank)?;
                Some((first.saturating_add(offset), slot))
            })
    }

    /// How many bytes it takes: its head, and the room of its vector.
    pub(super) fn bytes(&self) -> u64 {
        let (len, each) = match &self.cells {
            Cells::Single(values) => (values.len(), size_of::<f32>()),
            Cells::Many(slots) => (slots.len(), size_of::<Slot>()),
        };
        let room = len.next_multiple_of(GROWTH).saturating_mul(each);
        HEAD_BYTES.saturating_add(room as u64)
    }

    /// Checks what must hold in any chunk.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let len = match &self.cells {
            Cells::Single(values) => values.len(),
            Cells::Many(slots) => slots.len(),
        };
        if len == 0 {
            return Err("a chunk without samples is held");
        }
        if len != self.present.count_ones() as usize {
            return Err("a chunk holds more or fewer slots than its bits say");
        }
        self.slots().try_for_each(|(_, slot)| slot.check())
    }
}

impl Cells {
    fn insert(&mut self, rank: usize, value: f32) {
        match self {
            Self::Single(values) => insert(values, rank, value),
            Self::Many(slots) => insert(slots, rank, Slot::of(value)),
        }
    }

    fn at(&self, rank: usize) -> Option<Slot> {
        match self {
            Self::Single(values) => values.get(rank).copied().map(Slot::of),
            Self::Many(slots) => slots.get(rank).copied(),
        }
    }

    /// The cells as slots that can take a second sample.
    fn widened(&mut self) -> &mut [Slot] {
        if let Self::Single(values) = self {
            let mut slots = Vec::new();
            slots.reserve_exact(values.len().next_multiple_of(GROWTH));
            slots.extend(values.iter().copied().map(Slot::of));
            *self = Self::Many(slots);
        }
        match self {
            Self::Many(slots) => slots,
            Self::Single(_) => &mut [],
        }
    }
}

/// Inserts at `rank`, or at the end if there are fewer; takes room for `GROWTH` items at a time.
fn insert<T>(items: &mut Vec<T>, rank: usize, item: T) {
    let rank = rank.min(items.len());
    if items.len() == items.capacity() {
        let room = items.len().saturating_add(1).next_multiple_of(GROWTH);
        items.reserve_exact(room.saturating_sub(items.len()));
    }
    items.insert(rank, item);
}

/// The offset of a slot in its chunk, as a number of bits.
pub(super) fn low_bits(slot: u64) -> u32 {
    // Below 32, so nothing is cut off.
    u32::try_from(slot % SLOTS).unwrap_or(0)
}

/// Reads a vector without room to spare, so that no more is held than is counted.
pub(super) fn exact<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    let mut items = Vec::deserialize(from)?;
    items.shrink_to_fit();
    Ok(items)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use alloc::vec;

    #[test]
    fn samples_in_any_order_stand_in_the_order_of_time() {
        let mut chunk = Chunk::new(2);
        for (offset, value) in [(31, 3.0), (0, 1.0), (7, 2.0)] {
            chunk.add(offset, value, None);
        }
        let found: Vec<_> = chunk
            .slots()
            .map(|(number, slot)| (number, slot.last))
            .collect();
        assert_eq!(found, vec![(64, 1.0), (71, 2.0), (95, 3.0)]);
        assert_eq!(chunk.check(), Ok(()));
    }

    #[test]
    fn a_second_sample_in_a_slot_widens_the_chunk_and_loses_nothing() {
        let mut chunk = Chunk::new(0);
        for (offset, value) in [(1, 1.0), (2, 2.0), (1, 5.0)] {
            chunk.add(offset, value, None);
        }
        let found: Vec<_> = chunk
            .slots()
            .map(|(_, s)| (s.min, s.max, s.sum, s.count))
            .collect();
        assert_eq!(found, vec![(1.0, 5.0, 6.0, 2), (2.0, 2.0, 2.0, 1)]);
        assert_eq!(chunk.check(), Ok(()));
    }

    #[test]
    fn a_chunk_counts_the_room_of_its_vector() {
        let mut chunk = Chunk::new(0);
        for offset in 0..32 {
            chunk.add(offset, 1.0, None);
            let Cells::Single(values) = &chunk.cells else {
                panic!("one sample a slot");
            };
            assert_eq!(chunk.bytes(), HEAD_BYTES + values.capacity() as u64 * 4);
        }
        for _ in 0..2 {
            chunk.add(5, 1.0, None);
            assert_eq!(chunk.bytes(), HEAD_BYTES + 32 * 20);
        }
    }

    #[test]
    fn a_broken_chunk_is_found() {
        let mut chunk = Chunk::new(0);
        assert!(chunk.check().is_err());
        chunk.add(0, 1.0, None);
        chunk.present = 3;
        assert!(chunk.check().is_err());
        assert!((chunk.add(1, 1.0, None) - 1.0).abs() < f64::EPSILON);
    }
}

//! One resolution of a series.
//!
//! A ring keeps as many chunks as the newest `slots` slots can touch, each under its own time; a gap
//! takes no room. When a new chunk would be one too many, the chunk farthest from now gives way: in the
//! run of time the oldest, and after a clock went back, what it left behind in the future. So one stray
//! sample, however far ahead, costs one chunk.

use crate::observe::metrics::{
    chunk::{Chunk, HEAD_BYTES, SLOTS, low_bits},
    slot::Slot,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How fine a ring is, and how much it holds at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    /// The length of a slot, in milliseconds; at least 1.
    pub(super) step_ms: u64,
    /// How many of the newest slots are held at least.
    pub(super) slots: u64,
}

impl Span {
    /// How many chunks so many slots in a row can touch: one more than they fill, unless they are
    /// aligned.
    fn chunks_max(self) -> usize {
        let chunks = self
            .slots
            .saturating_sub(1)
            .div_ceil(SLOTS)
            .saturating_add(1);
        // At most a hundred for the spans in use, which fits any target.
        usize::try_from(chunks).unwrap_or(usize::MAX)
    }

    const fn slot(self, at_ms: u64) -> u64 {
        match at_ms.checked_div(self.step_ms) {
            Some(slot) => slot,
            None => 0,
        }
    }
}

/// The slot last written, with its sum before rounding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    slot: u64,
    sum: f64,
}

/// The samples of one series at one resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    span: Span,
    /// In the order of time.
    chunks: Vec<Chunk>,
    open: Option<Open>,
    /// The first chunk from which on nothing was lost.
    complete_from: u64,
    /// What the chunks take.
    bytes: u64,
}

impl Ring {
    /// A ring without samples; takes no room on the heap.
    pub(super) const fn new(span: Span) -> Self {
        Self {
            span,
            chunks: Vec::new(),
            open: None,
            complete_from: 0,
            bytes: 0,
        }
    }

    /// How fine it is, and how much it holds at least.
    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// Adds a sample; answers whether there was room for it. `now_ms` is where the clock of the series
    /// stands: what is farthest from it gives way first, and that may be the sample itself.
    pub(super) fn put(&mut self, at_ms: u64, value: f64, now_ms: u64) -> bool {
        let slot = self.span.slot(at_ms);
        let index = slot / SLOTS;
        let found = self.find(index);
        let place = match found {
            Ok(place) => place,
            Err(_) if !self.make_room(index, self.span.slot(now_ms) / SLOTS) => return false,
            Err(_) => self.insert(index),
        };
        let Some(chunk) = self.chunks.get_mut(place) else {
            return false;
        };
        let known = self
            .open
            .filter(|open| open.slot == slot)
            .map(|open| open.sum);
        let before = chunk.bytes();
        let sum = chunk.add(low_bits(slot), value, known);
        self.bytes = self
            .bytes
            .saturating_sub(before)
            .saturating_add(chunk.bytes());
        self.open = Some(Open { slot, sum });
        true
    }

    /// Takes it that the clock went back to `now_ms`: from there on nothing is lost yet.
    pub(super) fn rewind(&mut self, now_ms: u64) {
        self.complete_from = self.complete_from.min(self.span.slot(now_ms) / SLOTS);
    }

    /// The moment from which on nothing was lost, in milliseconds; 0 if nothing ever was.
    pub(super) const fn complete_from_ms(&self) -> u64 {
        self.complete_from
            .saturating_mul(SLOTS)
            .saturating_mul(self.span.step_ms)
    }

    /// The slots that begin at `from_ms` to `to_ms` (both included), oldest first, each with the moment
    /// at which it begins.
    pub(super) fn slots(&self, from_ms: u64, to_ms: u64) -> impl Iterator<Item = (u64, Slot)> {
        let first = self.span.slot(from_ms) / SLOTS;
        let start = self.chunks.partition_point(|chunk| chunk.index() < first);
        let step_ms = self.span.step_ms;
        self.chunks
            .get(start..)
            .unwrap_or_default()
            .iter()
            .flat_map(move |chunk| {
                chunk
                    .slots()
                    .map(move |(slot, held)| (slot.saturating_mul(step_ms), held))
            })
            .skip_while(move |(at_ms, _)| *at_ms < from_ms)
            .take_while(move |(at_ms, _)| *at_ms <= to_ms)
    }

    /// How many bytes its chunks take.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Checks what must hold in any ring.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.chunks.len() > self.span.chunks_max() {
            return Err("a ring holds more chunks than it may");
        }
        if !self.chunks.is_sorted_by(|a, b| a.index() < b.index()) {
            return Err("the chunks of a ring are out of order");
        }
        let bytes = self
            .chunks
            .iter()
            .map(Chunk::bytes)
            .fold(0_u64, u64::saturating_add);
        if bytes != self.bytes {
            return Err("a ring counts its bytes wrongly");
        }
        if self.open.is_some_and(|open| !open.sum.is_finite()) {
            return Err("a ring's open sum is not finite");
        }
        self.chunks.iter().try_for_each(Chunk::check)
    }

    /// The place of the chunk at `index`, or where it belongs.
    fn find(&self, index: u64) -> Result<usize, usize> {
        // Nearly every sample is the newest.
        if self.chunks.last().is_some_and(|last| last.index() == index) {
            return Ok(self.chunks.len().saturating_sub(1));
        }
        self.chunks.binary_search_by_key(&index, Chunk::index)
    }

    /// Makes room for a chunk at `index`, which is not held; answers whether there is room.
    fn make_room(&mut self, index: u64, now: u64) -> bool {
        if self.chunks.len() < self.span.chunks_max() {
            return true;
        }
        let oldest = self.chunks.first().map_or(index, Chunk::index);
        let newest = self.chunks.last().map_or(index, Chunk::index);
        let (low, high) = (oldest.min(index), newest.max(index));
        let farthest = if now.abs_diff(low) >= now.abs_diff(high) {
            self.complete_from = self.complete_from.max(low.saturating_add(1));
            low
        } else {
            high
        };
        if farthest == index {
            return false;
        }
        let place = if farthest == oldest {
            0
        } else {
            self.chunks.len().saturating_sub(1)
        };
        let gone = self.chunks.remove(place);
        self.bytes = self.bytes.saturating_sub(gone.bytes());
        true
    }

    /// Inserts an empty chunk where `index` belongs; answers its place.
    fn insert(&mut self, index: u64) -> usize {
        let place = self.chunks.partition_point(|chunk| chunk.index() < index);
        // One head at a time: a chunk more is rare, and nothing is held in reserve.
        if self.chunks.len() == self.chunks.capacity() {
            self.chunks.reserve_exact(1);
        }
        self.chunks.insert(place, Chunk::new(index));
        self.bytes = self.bytes.saturating_add(HEAD_BYTES);
        place
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    const SPAN: Span = Span {
        step_ms: 1_000,
        slots: 60,
    };

    /// A ring with one sample a second, from 0 up to and without `end`.
    fn filled(end: u64) -> Ring {
        let mut ring = Ring::new(SPAN);
        for second in 0..end {
            assert!(ring.put(second * 1_000, 1.0, second * 1_000));
        }
        ring
    }

    fn seconds(ring: &Ring) -> Vec<u64> {
        ring.slots(0, u64::MAX)
            .map(|(at_ms, _)| at_ms / 1_000)
            .collect()
    }

    #[test]
    fn the_newest_slots_are_always_held() {
        for end in 1..300 {
            let ring = filled(end);
            assert!(ring.complete_from_ms() <= end.saturating_sub(60) * 1_000);
            let first = ring.complete_from_ms() / 1_000;
            assert_eq!(seconds(&ring), (first..end).collect::<Vec<_>>());
            assert_eq!(ring.check(), Ok(()));
        }
    }

    #[test]
    fn a_stray_sample_far_ahead_costs_one_chunk() {
        let mut ring = filled(96);
        let far = u64::MAX;
        assert!(ring.put(far, 1.0, far));
        assert_eq!(seconds(&ring).len(), 65);
        // Back at the right time, the stray gives way first.
        assert!(ring.put(96_000, 1.0, 96_000));
        assert_eq!(seconds(&ring), (32..97).collect::<Vec<_>>());
        assert_eq!(ring.check(), Ok(()));
    }

    #[test]
    fn what_is_older_than_a_full_ring_is_refused_and_told() {
        let mut ring = filled(200);
        let before = ring.clone();
        assert!(!ring.put(5_000, 1.0, 199_000));
        assert_eq!(ring, before);
        // The same sample, when the clock went back to it, takes the place of what is in the future.
        ring.rewind(5_000);
        assert!(ring.put(5_000, 1.0, 5_000));
        assert_eq!(ring.complete_from_ms(), 0);
        assert_eq!((ring.chunks.len(), ring.check()), (3, Ok(())));
    }

    #[test]
    fn a_sum_is_exact_while_its_slot_is_filled() {
        let mut ring = Ring::new(SPAN);
        for _ in 0..20_000_000 {
            ring.put(0, 1.0, 0);
        }
        let slot = ring.slots(0, 0).next().unwrap().1;
        assert_eq!((slot.count, slot.sum), (20_000_000, 20_000_000.0));
    }
}

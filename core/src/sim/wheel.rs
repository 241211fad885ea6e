//! A hierarchical timing wheel: what happens next, in the order of time and then of arrival.
//!
//! Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, section 6.2
//! (scheme 7). Nine levels of 64 slots reach 2^54 µs, which is 570 years.

use crate::kernel::time::Time;
use alloc::vec::Vec;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 9;
/// Where no entry is.
const NONE: u32 = u32::MAX;

/// An entry, or room for one.
#[derive(Debug)]
struct Cell<T> {
    at: u64,
    /// The next one of the same list.
    next: u32,
    item: Option<T>,
}

/// Entries in the order in which they were put in.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List {
    first: NONE,
    last: NONE,
};

#[derive(Debug)]
struct Level {
    /// One bit a slot that holds something.
    occupied: u64,
    slots: [List; SLOTS],
}

/// The wheel. At most 2^32 − 1 entries.
#[derive(Debug)]
pub struct Wheel<T> {
    /// No entry is before this.
    now: u64,
    len: u64,
    levels: Vec<Level>,
    /// Entries of the moment `now`.
    due: List,
    /// All entries, and the room of those that were taken: the room that was used last is used first,
    /// since it is in the cache.
    cells: Vec<Cell<T>>,
    free: u32,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        let level = || Level {
            occupied: 0,
            slots: [EMPTY; SLOTS],
        };
        Self {
            now: 0,
            len: 0,
            levels: (0..LEVELS).map(|_| level()).collect(),
            due: EMPTY,
            cells: Vec::new(),
            free: NONE,
        }
    }
}

impl<T> Wheel<T> {
    /// How many entries wait.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an entry in; one in the past is due at once.
    ///
    /// # Panics
    /// If 2^32 − 1 entries wait already.
    pub fn push(&mut self, at: Time, item: T) {
        self.len += 1;
        let at = at.as_micros().max(self.now);
        let cell = Cell {
            at,
            next: NONE,
            item: Some(item),
        };
        let place = self.free;
        if place == NONE {
            let place = self.cells.len();
            assert!(place < NONE as usize, "too much happens at once");
            self.cells.push(cell);
            self.file(at, place as u32);
        } else {
            self.free = self.cells[place as usize].next;
            self.cells[place as usize] = cell;
            self.file(at, place);
        }
    }

    /// Appends an entry to the list of its slot.
    fn file(&mut self, at: u64, place: u32) {
        let differs = (at ^ self.now).checked_ilog2().unwrap_or(0) / SLOT_BITS;
        let level = (differs as usize).min(LEVELS - 1);
        let slot = slot_of(at, level);
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        append(&mut level.slots[slot], &mut self.cells, place);
    }

    /// Takes the next entry that is due by `until`.
    pub fn pop(&mut self, until: Time) -> Option<(Time, T)> {
        while self.due.first == NONE {
            if !self.advance(until.as_micros()) {
                return None;
            }
        }
        let place = self.due.first;
        let cell = &mut self.cells[place as usize];
        self.due.first = cell.next;
        cell.next = self.free;
        self.free = place;
        self.len -= 1;
        let item = cell.item.take();
        debug_assert!(item.is_some(), "what is due is there");
        item.map(|item| (Time::from_micros(self.now), item))
    }

    /// Moves to the next slot that holds something; false if that is after `until`.
    fn advance(&mut self, until: u64) -> bool {
        for level in 0..LEVELS {
            let passed = slot_of(self.now, level);
            let ahead = self.levels[level].occupied & (u64::MAX << passed);
            if ahead == 0 {
                continue;
            }
            let slot = ahead.trailing_zeros() as usize;
            let shift = SLOT_BITS * level as u32;
            let block = (self.now >> shift >> SLOT_BITS) << SLOT_BITS;
            let start = ((block | slot as u64) << shift).max(self.now);
            if start > until {
                return false;
            }
            self.now = start;
            self.levels[level].occupied &= !(1 << slot);
            let list = core::mem::replace(&mut self.levels[level].slots[slot], EMPTY);
            let mut next = list.first;
            while next != NONE {
                let place = next;
                let cell = &mut self.cells[place as usize];
                next = core::mem::replace(&mut cell.next, NONE);
                if cell.at == self.now {
                    append(&mut self.due, &mut self.cells, place);
                } else {
                    let at = cell.at;
                    self.file(at, place);
                }
            }
            return true;
        }
        false
    }
}

fn append<T>(list: &mut List, cells: &mut [Cell<T>], place: u32) {
    if list.first == NONE {
        list.first = place;
    } else {
        cells[list.last as usize].next = place;
    }
    list.last = place;
}

const fn slot_of(at: u64, level: usize) -> usize {
    (at >> (SLOT_BITS * level as u32)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::Rng;
    use alloc::collections::BTreeMap;

    #[test]
    fn entries_come_in_the_order_of_time_and_then_of_arrival() {
        let mut rng = Rng::from_number(1);
        let mut wheel = Wheel::default();
        let mut model: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        let mut now = 0_u64;
        for number in 0..20_000_u64 {
            let reach = 1 << rng.below(40);
            let at = now + rng.below(reach);
            wheel.push(Time::from_micros(at), number);
            model.insert((at, number), number);
            if rng.chance(600) {
                let reach = 1 << rng.below(38);
                let until = now + rng.below(reach);
                let expected = model.first_key_value().map(|(key, item)| (*key, *item));
                let expected = expected.filter(|((at, _), _)| *at <= until);
                let got = wheel.pop(Time::from_micros(until));
                assert_eq!(
                    got,
                    expected.map(|((at, _), item)| (Time::from_micros(at), item))
                );
                now = expected.map_or(until, |((at, _), _)| at);
                if let Some((key, _)) = expected {
                    model.remove(&key);
                }
            }
        }
        for ((at, _), item) in model {
            assert_eq!(wheel.pop(Time::MAX), Some((Time::from_micros(at), item)));
        }
        assert!(wheel.is_empty());
    }

    #[test]
    fn an_entry_for_the_present_moment_comes_after_those_that_wait_for_it() {
        let mut wheel = Wheel::default();
        let at = Time::from_micros(70);
        wheel.push(at, 1);
        wheel.push(at, 2);
        assert_eq!(wheel.pop(at), Some((at, 1)));
        wheel.push(at, 3);
        assert_eq!(wheel.pop(at), Some((at, 2)));
        assert_eq!(wheel.pop(at), Some((at, 3)));
        assert_eq!(wheel.pop(Time::MAX), None);
    }
}

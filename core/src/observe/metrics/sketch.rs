//! Quantiles of many values, within one percent, in at most 2 KiB; sketches can be merged.
//!
//! A bin holds the count of the values between two bounds whose ratio is 2^(1/35) ≈ 1.0200, so every
//! value of a bin is within 0.99 % of the bin's middle (see `bins`).
//!
//! There are at most 480 bins in a row, a ratio of 13 000 between the largest and the smallest (0.1 ms
//! to 1.3 s, or 1 ms to 13 s). What is lower is counted in the lowest bin: low quantiles become too
//! high, high ones stay right.
//!
//! Source: Masson, Rim, Lee, "`DDSketch`: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
//! Guarantees", VLDB 2019: section 2.1 (bins, quantile), 2.2 (collapsing the lowest, algorithms 3, 4).

use crate::observe::metrics::{
    bins::{FIRST_BIN, LAST_BIN, bin_of, middle_of},
    chunk::exact,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How far an answered quantile is from the true one at most, relative to it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// How many bins a sketch has at most: with four bytes each, 2 KiB with what else it holds. Halved, its
/// range falls from 13 000 to 116.
const BINS_MAX: i32 = 480;
/// The counts of values that are not negative, in bins of equal ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    /// All values: the zeros and the bins together.
    count: u32,
    /// Zeros, and what is too small for a normal `f64`.
    zeros: u32,
    /// The number of the first bin.
    first: i32,
    /// The counts of the bins in a row; the first and the last are not zero.
    #[serde(deserialize_with = "exact")]
    bins: Vec<u32>,
    min: f64,
    max: f64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

impl Sketch {
    /// A sketch of no values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            count: 0,
            zeros: 0,
            first: 0,
            bins: Vec::new(),
            min: f64::MAX,
            max: 0.0,
        }
    }

    /// Adds a value; answers whether it could be: it is finite and not negative.
    ///
    /// A sketch holds 2³² − 1 values. Before it would hold more, it forgets half of each bin.
    pub fn add(&mut self, value: f64) -> bool {
        // Also false for what is no number.
        if !(0.0..=f64::MAX).contains(&value) {
            return false;
        }
        if self.count == u32::MAX {
            self.halve();
        }
        self.count = self.count.saturating_add(1);
        match bin_of(value) {
            Some(bin) => self.raise(bin, 1),
            None => self.zeros = self.zeros.saturating_add(1),
        }
        // `abs` makes 0 of -0.
        self.widen(value.abs(), value.abs());
        true
    }

    /// Adds the values of another sketch, as if each had been added here. The order of merging does not
    /// matter, unless counts had to be halved.
    pub fn merge(&mut self, other: &Self) {
        if self.count.checked_add(other.count).is_none() {
            let mut half = other.clone();
            half.halve();
            self.halve();
            // At most twice: two halves of the largest count fit, but for what was rounded up.
            return self.merge(&half);
        }
        self.count = self.count.saturating_add(other.count);
        self.zeros = self.zeros.saturating_add(other.zeros);
        // From the top, so that what is too low is known to be from the start.
        for (bin, count) in other.numbered().rev().filter(|(_, count)| *count > 0) {
            self.raise(bin, count);
        }
        self.widen(other.min, other.max);
    }

    /// The value below or at which a part `q` (0 to 1) of all values lies, within [`RELATIVE_ERROR`];
    /// nothing for a sketch of no values, or for a `q` that is no number.
    ///
    /// Of `n` values in order it is the one at ⌊q·(n − 1)⌋, counted from 0; 0 and 1 give the smallest and
    /// the largest value exactly. Values below the range of the bins answer as their lower end.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.count == 0 || q.is_nan() {
            return None;
        }
        let top = self.count.saturating_sub(1);
        let rank = floor_to_u32(q.clamp(0.0, 1.0) * f64::from(top));
        if rank == 0 {
            return Some(self.min);
        }
        if rank >= top {
            return Some(self.max);
        }
        let mut below = self.zeros;
        if rank < below {
            return Some(0.0);
        }
        for (bin, count) in self.numbered() {
            below = below.saturating_add(count);
            if rank < below {
                return Some(middle_of(bin).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// How many values it holds.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count as u64
    }

    /// The smallest value, exactly.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value, exactly.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// How many bytes it takes; at most 2 048, and so does its postcard.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let bins = self.bins.capacity().saturating_mul(size_of::<u32>());
        size_of::<Self>().saturating_add(bins)
    }

    /// Checks what must hold in any sketch.
    ///
    /// # Errors
    /// What does not hold: a bug, or bytes that were not written by a sketch.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.bins.len() > BINS_MAX.unsigned_abs() as usize {
            return Err("a sketch has more bins than it may");
        }
        if self.bins.first() == Some(&0) || self.bins.last() == Some(&0) {
            return Err("the outermost bins of a sketch are empty");
        }
        let in_bins: u64 = self.bins.iter().map(|count| u64::from(*count)).sum();
        if in_bins.checked_add(u64::from(self.zeros)) != Some(u64::from(self.count)) {
            return Err("a sketch counts its values wrongly");
        }
        let range_holds = if self.count == 0 {
            self.min >= f64::MAX && self.max <= 0.0
        } else {
            0.0 <= self.min && self.min <= self.max && self.max <= f64::MAX
        };
        if !range_holds {
            return Err("the range of a sketch is empty or out of bounds");
        }
        if self.first < FIRST_BIN || self.last() > LAST_BIN {
            return Err("the bins of a sketch are out of the range of numbers");
        }
        Ok(())
    }

    /// The counts of all bins, lowest first, each with the number of its bin.
    fn numbered(&self) -> impl DoubleEndedIterator<Item = (i32, u32)> {
        (self.first..self.last().saturating_add(1)).zip(self.bins.iter().copied())
    }

    /// The number of the last bin; one less than the first if there is none.
    fn last(&self) -> i32 {
        let len = i32::try_from(self.bins.len()).unwrap_or(BINS_MAX);
        self.first.saturating_add(len).saturating_sub(1)
    }

    /// Adds `count` (at least 1) to a bin, or to the lowest if that bin is too low.
    fn raise(&mut self, bin: i32, count: u32) {
        if self.bins.is_empty() {
            self.first = bin;
        }
        if bin > self.last() {
            self.reach_up(bin);
        } else if bin < self.first {
            self.reach_down(bin);
        }
        if let Some(held) = self.bins.get_mut(distance(self.first, bin)) {
            *held = held.saturating_add(count);
        }
    }

    /// Makes `bin` the last, and collapses those that become too low into the lowest.
    fn reach_up(&mut self, bin: i32) {
        let lowest = bin.saturating_sub(BINS_MAX.saturating_sub(1));
        if lowest > self.first {
            let gone = distance(self.first, lowest).min(self.bins.len());
            let collapsed = self.bins.drain(..gone).fold(0_u32, u32::saturating_add);
            self.first = lowest;
            match self.bins.first_mut() {
                Some(held) => *held = held.saturating_add(collapsed),
                None => self.bins.push(collapsed),
            }
        }
        let len = distance(self.first, bin).saturating_add(1);
        // Exactly: doubling would pass what a sketch may take.
        self.bins.reserve_exact(len.saturating_sub(self.bins.len()));
        self.bins.resize(len, 0);
    }

    /// Makes `bin` the first, or the lowest that there is room for.
    fn reach_down(&mut self, bin: i32) {
        let lowest = self.last().saturating_sub(BINS_MAX.saturating_sub(1));
        let target = bin.max(lowest);
        let more = distance(target, self.first);
        self.bins.reserve_exact(more);
        self.bins.splice(0..0, core::iter::repeat_n(0, more));
        self.first = target.min(self.first);
    }

    fn widen(&mut self, min: f64, max: f64) {
        if min < self.min {
            self.min = min;
        }
        if max > self.max {
            self.max = max;
        }
    }

    /// Halves all counts; a bin that has any keeps one, so that rare large values stay known.
    fn halve(&mut self) {
        self.zeros = self.zeros.div_ceil(2);
        self.count = self.zeros;
        for count in &mut self.bins {
            *count = count.div_ceil(2);
            self.count = self.count.saturating_add(*count);
        }
    }
}

/// How far `to` is above `from`; 0 if it is not.
fn distance(from: i32, to: i32) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// The whole part of a number from 0 to 2³² − 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cutting off is what is wanted, and the range is that of u32"
)]
const fn floor_to_u32(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use crate::observe::metrics::tests::drawn;
    use proptest::prelude::*;

    fn sketch_of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::new();
        for value in values {
            assert!(sketch.add(*value));
        }
        assert_eq!(sketch.check(), Ok(()));
        sketch
    }

    fn assert_close(found: f64, exact: f64) {
        assert!(
            (found - exact).abs() <= RELATIVE_ERROR * exact,
            "{found} for {exact}"
        );
    }

    #[test]
    fn what_is_negative_or_not_finite_is_refused() {
        let mut sketch = Sketch::new();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert!(!sketch.add(value));
        }
        assert_eq!(
            (sketch.count(), sketch.quantile(0.5), sketch.min()),
            (0, None, None)
        );
    }

    #[test]
    fn zeros_are_values() {
        let sketch = sketch_of(&[0.0, -0.0, 0.0, 5.0]);
        assert_eq!(sketch.quantile(0.5), Some(0.0));
        assert_eq!((sketch.quantile(1.0), sketch.max()), (Some(5.0), Some(5.0)));
        assert_eq!(sketch.min().map(f64::to_bits), Some(0));
    }

    #[test]
    fn a_wide_range_collapses_the_lowest_and_keeps_the_highest() {
        let values: Vec<f64> = (0..10_000).map(|i| 1.005_f64.powi(i)).collect();
        let sketch = sketch_of(&values);
        assert!(sketch.bytes() <= 2_048);
        for permille in 900..=1_000 {
            let q = f64::from(permille) / 1_000.0;
            let rank = floor_to_u32(q * 9_999.0);
            assert_close(sketch.quantile(q).unwrap(), values[rank as usize]);
        }
        let mut reversed = values.clone();
        reversed.reverse();
        assert_eq!(sketch_of(&reversed), sketch);
    }

    #[test]
    fn the_largest_sketch_is_at_most_two_kibibytes_in_memory_and_written() {
        let mut sketch = Sketch::new();
        // Four bytes a count when written, and five for as many as the number of values allows.
        for bin in 0..480 {
            sketch.raise(bin, 1 << 21);
        }
        for bin in 0..12 {
            sketch.raise(bin, 1 << 28);
        }
        sketch.raise(479, u32::MAX - 480 * (1 << 21) - 12 * (1 << 28));
        sketch.count = u32::MAX;
        sketch.widen(0.000_1, 1e300);
        assert_eq!(sketch.check(), Ok(()));
        assert_eq!((sketch.bins.len(), sketch.bytes() <= 2_048), (480, true));
        assert!(postcard::to_allocvec(&sketch).unwrap().len() <= 2_048);
    }

    #[test]
    fn a_full_sketch_forgets_half_and_keeps_its_quantiles() {
        let mut sketch = sketch_of(&[1.0, 2.0, 3.0]);
        sketch.raise(bin_of(2.0).unwrap(), u32::MAX - 3);
        sketch.count = u32::MAX;
        let other = sketch.clone();
        assert!(sketch.add(2.0));
        assert_eq!((sketch.count(), sketch.check()), (1 << 31 | 2, Ok(())));
        assert_close(sketch.quantile(0.5).unwrap(), 2.0);
        sketch.merge(&other);
        assert_eq!(sketch.check(), Ok(()));
        assert!(sketch.count() > 1 << 31);
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![Just(0.0), 1.0..10_000.0, 0.000_1..1.0, 1e-300..1e300];
        proptest::collection::vec(value, 0..60)
    }

    proptest! {
        #![proptest_config(drawn(256))]

        #[test]
        fn quantiles_are_within_one_percent(
            mut values in proptest::collection::vec(1.0..10_000.0, 1..300),
            q in 0.0..=1.0,
        ) {
            let sketch = sketch_of(&values);
            values.sort_by(f64::total_cmp);
            let top = u32::try_from(values.len() - 1).unwrap();
            let exact = values[floor_to_u32(q * f64::from(top)) as usize];
            assert_close(sketch.quantile(q).unwrap(), exact);
        }

        #[test]
        fn merging_is_adding_in_any_order(a in values(), b in values(), c in values()) {
            let all = sketch_of(&[a.clone(), b.clone(), c.clone()].concat());
            let (a, b, c) = (sketch_of(&a), sketch_of(&b), sketch_of(&c));
            let mut left = a.clone();
            left.merge(&b);
            left.merge(&c);
            let mut right = c;
            right.merge(&b);
            right.merge(&a);
            prop_assert_eq!(&left, &all);
            prop_assert_eq!(&right, &all);
            prop_assert!(all.bytes() <= 2_048);
        }

        #[test]
        fn a_sketch_survives_being_written_and_read(values in values()) {
            let sketch = sketch_of(&values);
            let bytes = postcard::to_allocvec(&sketch).unwrap();
            let read: Sketch = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read.check(), Ok(()));
            prop_assert_eq!(read, sketch);
        }
    }
}

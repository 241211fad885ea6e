//! What is kept of the samples that fall into one step of time.

use serde::{Deserialize, Serialize};

/// One measured value and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The moment, in milliseconds on the clock of the series.
    pub at_ms: u64,
    /// The value, finite, in the unit of the series.
    pub value: f32,
}

/// Minimum, maximum, sum, last and count of one step of time; never without a sample.
///
/// Values are kept as `f32`: 24 bits are a relative error of 6·10⁻⁸, far below a pixel of a chart and
/// below the 1 % of the sketch, and a slot takes 20 bytes in place of 36. Whole numbers are exact up to
/// 16 777 216, so a series wants rates and levels and not counters that grow forever. The sum is rounded
/// once, from the `f64` that the ring keeps while a slot is being filled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    pub(super) min: f32,
    pub(super) max: f32,
    pub(super) sum: f32,
    /// The sample that arrived last, which need not be the newest.
    pub(super) last: f32,
    pub(super) count: u32,
}

impl Slot {
    /// A slot with one sample.
    pub(super) const fn of(value: f32) -> Self {
        Self {
            min: value,
            max: value,
            sum: value,
            last: value,
            count: 1,
        }
    }

    /// Adds a sample to a slot whose sum is known as `sum`; answers the new sum.
    pub(super) fn add(&mut self, value: f64, sum: f64) -> f64 {
        let narrow = narrowed(value);
        let sum = sum + value;
        // Comparisons and not `f32::min`: which of 0 and -0 that returns differs between targets.
        if narrow < self.min {
            self.min = narrow;
        }
        if narrow > self.max {
            self.max = narrow;
        }
        self.sum = narrowed(sum);
        self.last = narrow;
        self.count = self.count.saturating_add(1);
        sum
    }

    /// Checks what must hold in any slot.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let finite = [self.min, self.max, self.sum, self.last]
            .iter()
            .all(|value| value.is_finite());
        if !finite {
            return Err("a slot holds a number that is not finite");
        }
        if self.count == 0 {
            return Err("a slot without samples is held");
        }
        if !(self.min <= self.last && self.last <= self.max) {
            return Err("the last sample of a slot is outside of its range");
        }
        Ok(())
    }
}

/// Whether a value can be held: finite, and so is its `f32`.
pub(super) fn is_holdable(value: f64) -> bool {
    value.abs() <= f64::from(f32::MAX)
}

/// The nearest `f32`; what is out of its range becomes the end of the range.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to nearest is what is wanted, and IEEE defines it for every target"
)]
pub(super) fn narrowed(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_min_max_sum_last_and_count() {
        let mut slot = Slot::of(2.0);
        let sum = slot.add(5.0, 2.0);
        assert!((slot.add(3.0, sum) - 10.0).abs() < f64::EPSILON);
        let expected = Slot {
            min: 2.0,
            max: 5.0,
            sum: 10.0,
            last: 3.0,
            count: 3,
        };
        assert_eq!(slot, expected);
        assert_eq!(slot.check(), Ok(()));
    }

    #[test]
    fn only_numbers_that_stay_finite_as_f32_can_be_held() {
        for value in [0.0, -1.5, f64::from(f32::MAX), f64::MIN_POSITIVE] {
            assert!(is_holdable(value));
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39, -1e39] {
            assert!(!is_holdable(value));
        }
    }

    #[test]
    fn a_sum_out_of_range_stays_finite() {
        let mut slot = Slot::of(f32::MAX);
        slot.add(f64::from(f32::MAX), f64::from(f32::MAX));
        assert_eq!((slot.sum, slot.check()), (f32::MAX, Ok(())));
    }
}

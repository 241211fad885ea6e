//! What a chart asks for and gets.
//!
//! A chart asks for a window of time and for at most so many points. It gets points at whole multiples
//! of a step that people can read (1, 2, 5, 10 s, …, 1 min, …), so that points keep their place and
//! value while the window moves. A step is the shortest that the window allows; slots of the ring are
//! merged into it.

use crate::observe::metrics::slot::{Slot, narrowed};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What a series looked like in a window of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Points {
    /// How long each point's span is, in milliseconds.
    pub step_ms: u64,
    /// The points, oldest first; a span without samples has none: its value is unknown, not zero.
    pub points: Vec<Point>,
}

/// All samples of one span of time, as one point of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where the span begins, in milliseconds; a multiple of the step.
    pub at_ms: u64,
    /// The smallest sample.
    pub min: f32,
    /// The largest sample.
    pub max: f32,
    /// The mean of all samples; between `min` and `max`.
    pub mean: f32,
    /// The sample that arrived last in the newest slot of the span.
    pub last: f32,
    /// How many samples; at least 1.
    pub count: u64,
}

/// The moments from `from_ms` to `to_ms`, both included, and how many points they may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    /// At least 1.
    pub(super) points_max: u64,
}

impl Window {
    /// The shortest readable step that is a multiple of `slot_ms` and gives few enough points.
    pub(super) fn step_ms(self, slot_ms: u64) -> u64 {
        STEPS_S
            .iter()
            .map(|seconds| seconds.saturating_mul(1_000))
            .filter(|step_ms| step_ms.is_multiple_of(slot_ms))
            .find(|step_ms| self.fits(*step_ms))
            .unwrap_or_else(|| self.days_ms())
    }

    /// The first moment of the first point at this step.
    pub(super) const fn start_ms(self, step_ms: u64) -> u64 {
        match self.from_ms.checked_rem(step_ms) {
            Some(past) => self.from_ms.saturating_sub(past),
            None => self.from_ms,
        }
    }

    /// The last moment of the last point at this step.
    pub(super) const fn end_ms(self, step_ms: u64) -> u64 {
        match self.to_ms.checked_rem(step_ms) {
            Some(past) => self
                .to_ms
                .saturating_sub(past)
                .saturating_add(step_ms.saturating_sub(1)),
            None => self.to_ms,
        }
    }

    /// Whether the window has at most `points_max` points at this step.
    fn fits(self, step_ms: u64) -> bool {
        let first = self.from_ms.checked_div(step_ms).unwrap_or(0);
        let last = self.to_ms.checked_div(step_ms).unwrap_or(0);
        last.saturating_sub(first) < self.points_max
    }

    /// One, two, four, … days, until the window fits; the end of time is one step.
    fn days_ms(self) -> u64 {
        core::iter::successors(Some(DAY_MS), |days| days.checked_mul(2))
            .find(|step_ms| self.fits(*step_ms))
            .unwrap_or(u64::MAX)
    }
}

const DAY_MS: u64 = 86_400_000;

/// Steps that people read at a glance, in seconds, below a day.
const STEPS_S: [u64; 20] = [
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600,
    28_800, 43_200, 86_400,
];

/// Merges slots (oldest first, each with its moment) into points of `step_ms`.
pub(super) fn merged(step_ms: u64, slots: impl Iterator<Item = (u64, Slot)>) -> Points {
    let mut points = Vec::new();
    let mut open: Option<Merging> = None;
    for (slot_ms, slot) in slots {
        let past = slot_ms.checked_rem(step_ms).unwrap_or(0);
        let at_ms = slot_ms.saturating_sub(past);
        match &mut open {
            Some(merging) if merging.at_ms == at_ms => merging.add(&slot),
            Some(_) | None => {
                let done = open.replace(Merging::of(at_ms, &slot));
                points.extend(done.map(|merging| merging.point()));
            }
        }
    }
    points.extend(open.map(|merging| merging.point()));
    Points { step_ms, points }
}

/// A point that is being put together.
struct Merging {
    at_ms: u64,
    min: f32,
    max: f32,
    sum: f64,
    last: f32,
    count: u64,
}

impl Merging {
    fn of(at_ms: u64, slot: &Slot) -> Self {
        Self {
            at_ms,
            min: slot.min,
            max: slot.max,
            sum: f64::from(slot.sum),
            last: slot.last,
            count: u64::from(slot.count),
        }
    }

    fn add(&mut self, slot: &Slot) {
        if slot.min < self.min {
            self.min = slot.min;
        }
        if slot.max > self.max {
            self.max = slot.max;
        }
        self.sum += f64::from(slot.sum);
        self.last = slot.last;
        self.count = self.count.saturating_add(u64::from(slot.count));
    }

    fn point(&self) -> Point {
        Point {
            at_ms: self.at_ms,
            min: self.min,
            max: self.max,
            // Rounding may put the mean of equal samples a little outside.
            mean: narrowed(self.sum / as_f64(self.count)).clamp(self.min, self.max),
            last: self.last,
            count: self.count,
        }
    }
}

/// A count of samples as a divisor.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 samples, and rounded to nearest on every target beyond"
)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const fn window(from_ms: u64, to_ms: u64, points_max: u64) -> Window {
        Window {
            from_ms,
            to_ms,
            points_max,
        }
    }

    #[test]
    fn the_step_is_the_shortest_that_fits() {
        assert_eq!(window(0, 599_999, 600).step_ms(1_000), 1_000);
        assert_eq!(window(0, 599_999, 599).step_ms(1_000), 2_000);
        assert_eq!(window(0, 599_999, 100).step_ms(1_000), 10_000);
        assert_eq!(window(0, 599_999, 600).step_ms(60_000), 60_000);
        assert_eq!(window(0, 2 * DAY_MS - 1, 300).step_ms(600_000), 600_000);
        assert_eq!(window(0, 2 * DAY_MS - 1, 287).step_ms(600_000), 1_200_000);
        assert_eq!(window(0, 2 * DAY_MS - 1, 2).step_ms(60_000), DAY_MS);
        assert_eq!(window(0, 2 * DAY_MS - 1, 1).step_ms(60_000), 2 * DAY_MS);
    }

    #[test]
    fn the_widest_window_fits_into_one_point() {
        let all = window(0, u64::MAX - 1, 1);
        assert_eq!(all.step_ms(1_000), u64::MAX);
        assert_eq!(
            (all.start_ms(u64::MAX), all.end_ms(u64::MAX)),
            (0, u64::MAX - 1)
        );
    }

    #[test]
    fn a_window_is_widened_to_whole_points() {
        let moved = window(12_345, 23_456, 5);
        assert_eq!(moved.step_ms(1_000), 5_000);
        assert_eq!(
            (moved.start_ms(5_000), moved.end_ms(5_000)),
            (10_000, 24_999)
        );
    }

    #[test]
    fn slots_become_one_point_a_step_and_a_gap_none() {
        let mut wide = Slot::of(1.0);
        wide.add(4.0, 1.0);
        let slots = [
            (1_000, wide),
            (2_000, Slot::of(7.0)),
            (20_000, Slot::of(-1.0)),
        ];
        let merged = merged(10_000, slots.into_iter());
        let expected = vec![
            Point {
                at_ms: 0,
                min: 1.0,
                max: 7.0,
                mean: 4.0,
                last: 7.0,
                count: 3,
            },
            Point {
                at_ms: 20_000,
                min: -1.0,
                max: -1.0,
                mean: -1.0,
                last: -1.0,
                count: 1,
            },
        ];
        assert_eq!(merged.points, expected);
    }
}

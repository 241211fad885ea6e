//! The forecast, its interval, and the time to a threshold.

use super::{
    holt::{Config, Holt},
    record::{Record, Scored},
};
use crate::detection::num;

/// Follows one series and says what comes next; 416 bytes, no heap.
///
/// ```
/// use sporenet_core::detection::forecast::{Config, Forecast};
///
/// // A disk that gains 1 % every five minutes and stands at 64 %.
/// let mut disk = Forecast::new(Config::default());
/// for i in 0..=24_u64 {
///     disk.observe(i * 300_000, 40.0 + i as f64);
/// }
/// let full = disk.time_to(100.0).unwrap();
/// assert_eq!(full.after_ms / 60_000, 180);
/// ```
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Forecast {
    holt: Holt,
    record: Record,
}

/// What is expected at one moment.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Expected {
    /// In the series' unit.
    pub value: f64,
    /// In about nine of ten cases what comes lies within ± this, if errors stay as they were; at least
    /// 0, and 0 before the first forecast was scored.
    pub within: f64,
}

/// When a threshold is reached, counted from the last sample, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reached {
    /// Where the forecast reaches it; 0 when the last level already has.
    pub after_ms: u64,
    /// Where the near edge of the interval reaches it; at most `after_ms`.
    pub earliest_ms: u64,
    /// Where the far edge does; none when it does not within the horizon.
    pub latest_ms: Option<u64>,
}

/// Samples before anything is forecast: a line through fewer is mostly noise.
const SAMPLES_MIN: u32 = 8;

/// The farthest that a threshold is looked for, in steps; a year of five minutes.
const HORIZON: f64 = 100_000.0;

/// How much farther each look is than the last: a hundredth, and at least half a step.
const STRIDE: f64 = 1.01;

impl Forecast {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            holt: Holt::new(config),
            record: Record::new(),
        }
    }

    /// Scores what was forecast for this moment, then learns from `value`, measured at `at_ms`.
    ///
    /// Answers whether the sample was taken: values that are not finite and moments not after the last
    /// change nothing. Values beyond ±1e100 count as ±1e100. Gaps are welcome, they count as missing
    /// steps.
    pub fn observe(&mut self, at_ms: u64, value: f64) -> bool {
        let Some(value) = num::admissible(value) else {
            return false;
        };
        if self.holt.samples() > 0 && at_ms <= self.holt.last_ms() {
            return false;
        }
        self.record.score(at_ms, value);
        self.holt.learn(at_ms, value);
        if self.holt.samples() >= SAMPLES_MIN {
            let (holt, step_ms) = (&self.holt, self.holt.step_ms());
            self.record.send(|steps| {
                // A sample that comes a little early still counts.
                let due_ms = holt
                    .last_ms()
                    .saturating_add(num::millis((steps - 0.5) * step_ms));
                (due_ms, holt.ahead(steps))
            });
        }
        true
    }

    /// What is expected `after_ms` after the last sample; nothing before the eighth sample.
    #[must_use]
    pub fn expected(&self, after_ms: u64) -> Option<Expected> {
        (self.holt.samples() >= SAMPLES_MIN).then(|| {
            let steps = num::float(after_ms) / self.holt.step_ms().max(1.0);
            Expected {
                value: self.holt.ahead(steps),
                within: self.record.within(steps),
            }
        })
    }

    /// When the forecast reaches `threshold`, from whichever side it is on; nothing when it does not
    /// within 100,000 steps, before the eighth sample, or when `threshold` is not finite.
    #[must_use]
    pub fn time_to(&self, threshold: f64) -> Option<Reached> {
        let threshold = num::admissible(threshold)?;
        if self.holt.samples() < SAMPLES_MIN {
            return None;
        }
        // Positive until reached.
        let side = if self.holt.ahead(0.0) <= threshold {
            1.0
        } else {
            -1.0
        };
        let missing = |steps: f64, widths: f64| {
            side * (threshold - self.holt.ahead(steps)) - widths * self.record.within(steps)
        };
        let after = first_reach(|steps| missing(steps, 0.0))?;
        let earliest = first_reach(|steps| missing(steps, 1.0))
            .unwrap_or(after)
            .min(after);
        let latest = first_reach(|steps| missing(steps, -1.0));
        let in_ms = |steps: f64| num::millis(steps * self.holt.step_ms());
        Some(Reached {
            after_ms: in_ms(after),
            earliest_ms: in_ms(earliest),
            latest_ms: latest.map(|steps| in_ms(steps.max(after))),
        })
    }

    /// How good forecasts over 1, 4, 16 and 64 steps were.
    #[must_use]
    pub fn scored(&self) -> [Scored; 4] {
        self.record.scored()
    }
}

/// The first number of steps, up to the horizon, at which `missing` is no longer positive.
fn first_reach(missing: impl Fn(f64) -> f64) -> Option<f64> {
    if missing(0.0) <= 0.0 {
        return Some(0.0);
    }
    let (mut before, mut after) = (0.0, 0.5);
    while missing(after) > 0.0 {
        if after >= HORIZON {
            return None;
        }
        before = after;
        after = (after * STRIDE).max(after + 0.5);
    }
    // In between it is halved until a thousandth of a step is left.
    while after - before > 0.001 * before.max(1.0) {
        let middle = f64::midpoint(before, after);
        if missing(middle) > 0.0 {
            before = middle;
        } else {
            after = middle;
        }
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_fits_its_budget() {
        assert!(size_of::<Forecast>() <= 2048, "{}", size_of::<Forecast>());
    }
}

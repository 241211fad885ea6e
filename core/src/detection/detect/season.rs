//! What is usual at this hour, learnt on the fly.

use super::lens::Lens;
use crate::detection::num;

/// The usual value for each hour of the day, and how each hour of the week differs from it; about 850 bytes.
///
/// Hours are those of UTC; a series in another time zone is shifted, not blurred.
///
/// Source: Holt-Winters' additive season (Winters, "Forecasting sales by exponentially weighted moving
/// averages", Management Science, 1960), with one update per day in place of one per sample, and the
/// week as a second, shrunk layer.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Season {
    /// In the series' unit: what a deviation is changes too much on the first days.
    day: [f64; 24],
    /// How far each hour's samples usually lie from `day`, in deviations.
    stray: [f32; 24],
    days: [u8; 24],
    /// In 256ths of a deviation.
    week: [[i16; 24]; 7],
    week_samples: [[u8; 24]; 7],
    /// The hour under way, the sum and the number of its samples.
    hour: u8,
    hour_sum: f64,
    hour_stray: f64,
    hour_samples: u32,
}

/// What is usual, as far as it is known.
pub(crate) struct Usual {
    /// In deviations.
    pub(crate) value: f64,
    /// How far samples of this hour usually lie from it, in deviations.
    pub(crate) stray: f64,
    /// On how many days this hour was seen before, at most 255.
    pub(crate) days: u8,
}

const HOUR_MS: u64 = 3_600_000;

/// How many days an hour of the day remembers. 3 to 5 give the best benchmark score, 10 one point less.
const DAYS: f64 = 5.0;

/// How many samples an hour of the week remembers, and how many it takes until it counts half.
const WEEK_SAMPLES: f64 = 30.0;
const WEEK_HALF: f64 = 20.0;

/// Days after which the week is learnt: what remains after a day that is hardly known says nothing
/// about the week. At 0 or 1 the benchmark's score is 2 to 3 points lower.
const WEEK_FROM: u8 = 2;

const WEEK_UNITS: f64 = 256.0;

impl Season {
    pub(crate) const fn new() -> Self {
        Self {
            day: [0.0; 24],
            stray: [0.0; 24],
            days: [0; 24],
            week: [[0; 24]; 7],
            week_samples: [[0; 24]; 7],
            hour: 0,
            hour_sum: 0.0,
            hour_stray: 0.0,
            hour_samples: 0,
        }
    }

    fn hour_of_day(&self, hour: usize, lens: Lens) -> Option<(f64, u8)> {
        let days = *self.days.get(hour)?;
        (days > 0).then(|| {
            (
                lens.inward(self.day.get(hour).copied().unwrap_or(0.0)),
                days,
            )
        })
    }

    /// What is usual at `at_ms`, between the middles of two hours; `otherwise` where this hour was
    /// never seen.
    fn of_day(&self, at_ms: u64, lens: Lens, otherwise: f64) -> Usual {
        let hour = num::index(num::float(at_ms / HOUR_MS % 24), 23);
        let Some((value, days)) = self.hour_of_day(hour, lens) else {
            return Usual {
                value: otherwise,
                stray: 0.0,
                days: 0,
            };
        };
        let from_middle = num::float(at_ms % HOUR_MS) / num::float(HOUR_MS) - 0.5;
        let neighbour = if from_middle < 0.0 {
            hour.saturating_add(23) % 24
        } else {
            hour.saturating_add(1) % 24
        };
        let share = from_middle.abs();
        let value = self
            .hour_of_day(neighbour, lens)
            .map_or(value, |(beside, _)| value * (1.0 - share) + beside * share);
        let stray = f64::from(self.stray.get(hour).copied().unwrap_or(0.0));
        Usual { value, stray, days }
    }

    /// What is usual at `at_ms`, by day and week, before `x`, in deviations, is taken in. `otherwise` stands in for an hour that was never seen.
    pub(crate) fn learn(&mut self, at_ms: u64, x: f64, lens: Lens, otherwise: f64) -> Usual {
        let of_day = self.of_day(at_ms, lens, otherwise);
        let hour = at_ms / HOUR_MS % 24;
        let day = num::index(num::float(at_ms / (24 * HOUR_MS) % 7), 6);
        let hour_index = num::index(num::float(hour), 23);
        let mut usual = of_day.value;
        let week = self
            .week
            .get_mut(day)
            .and_then(|day| day.get_mut(hour_index));
        let seen = self
            .week_samples
            .get_mut(day)
            .and_then(|day| day.get_mut(hour_index));
        if let (Some(week), Some(seen)) = (week, seen)
            && of_day.days >= WEEK_FROM
        {
            let count = f64::from(*seen);
            let differs = f64::from(*week) / WEEK_UNITS;
            usual += differs * (count / (count + WEEK_HALF));
            *seen = seen.saturating_add(1);
            let gain = 1.0 / f64::from(*seen).min(WEEK_SAMPLES);
            let differs = differs + gain * (x - of_day.value - differs);
            *week = num::short(differs * WEEK_UNITS, i16::MAX);
        }
        self.learn_day(
            u8::try_from(hour).unwrap_or(0),
            x,
            (x - of_day.value).abs(),
            lens,
        );
        Usual {
            value: usual,
            ..of_day
        }
    }

    fn learn_day(&mut self, hour: u8, x: f64, stray: f64, lens: Lens) {
        if hour != self.hour || self.hour_samples == u32::MAX {
            let ended = usize::from(self.hour);
            if self.hour_samples > 0
                && let (Some(mean), Some(usual_stray), Some(days)) = (
                    self.day.get_mut(ended),
                    self.stray.get_mut(ended),
                    self.days.get_mut(ended),
                )
            {
                *days = days.saturating_add(1);
                let seen = lens.outward(self.hour_sum / f64::from(self.hour_samples));
                let gain = 1.0 / f64::from(*days).min(DAYS);
                // The first day has nothing to stray from.
                if *days > 1 {
                    let seen = self.hour_stray / f64::from(self.hour_samples);
                    let gain = 1.0 / (f64::from(*days) - 1.0).min(DAYS);
                    *usual_stray = num::single(
                        f64::from(*usual_stray) + gain * (seen - f64::from(*usual_stray)),
                    );
                }
                *mean += gain * (seen - *mean);
            }
            self.hour = hour;
            self.hour_sum = 0.0;
            self.hour_stray = 0.0;
            self.hour_samples = 0;
        }
        self.hour_sum += x;
        self.hour_stray += stray;
        self.hour_samples = self.hour_samples.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_known_by_its_own_past() {
        let mut season = Season::new();
        for step in 0..24 * 12 * 5 {
            let at = step * HOUR_MS / 12;
            let x = if at / HOUR_MS % 24 == 9 { 5.0 } else { 0.0 };
            season.learn(at, x, Lens::new(0.0, 1.0), 0.0);
        }
        let noon = season.of_day(5 * 24 * HOUR_MS + 12 * HOUR_MS, Lens::new(0.0, 1.0), 7.0);
        let nine = season.of_day(
            5 * 24 * HOUR_MS + 9 * HOUR_MS + HOUR_MS / 2,
            Lens::new(0.0, 1.0),
            7.0,
        );
        assert!(noon.value.abs() < 0.1, "{}", noon.value);
        assert!((nine.value - 5.0).abs() < 0.1, "{}", nine.value);
        assert_eq!(nine.days, 5);
    }
}

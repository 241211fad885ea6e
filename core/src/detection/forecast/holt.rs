//! Level, trend and season of the day.

use crate::detection::num;

/// How a series is smoothed.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// The weight of the newest sample in the level, 0 to 1. Default 0.1, a memory of about 20 samples.
    /// Doubled, noise moves the forecast; halved, a change of pace is noticed twice as late. The weight
    /// in the trend follows from it (Benedict and Bordner: gain² / (2 − gain)).
    pub gain: f64,
    /// How the trend goes on. Default linear, what fills at a rate.
    pub trend: Trend,
    /// Whether hours of the day differ. Default not.
    pub season: Season,
}

/// How a trend goes on.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Trend {
    /// For ever (Holt).
    Linear,
    /// Each step is this share of the last, above 0 and below 1 (Gardner and `McKenzie`); 0.9 to 0.99 are
    /// sensible. Safer far ahead, but blind to thresholds that only a steady rise reaches.
    Damped(f64),
}

/// Whether hours of the day differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Season {
    /// They do not.
    None,
    /// Each hour of the day, UTC, has its own offset (Winters, additive).
    Daily,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gain: 0.1,
            trend: Trend::Linear,
            season: Season::None,
        }
    }
}

/// The smoothed state.
///
/// Source: Holt, "Forecasting seasonals and trends by exponentially weighted moving averages", ONR
/// memorandum 52, 1957; Winters, Management Science, 1960; Gardner and `McKenzie`, "Forecasting trends in
/// time series", Management Science, 1985; Wright, "Forecasting data published at irregular time
/// intervals", Management Science, 1986. The first gains are those of a straight line through all
/// samples so far (Brookner, "Tracking and Kalman filtering made easy", 1998, section 1.2.10).
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Holt {
    config: Config,
    level: f64,
    /// Per step.
    trend: f64,
    /// The usual time between samples, in milliseconds; above 0 from the second sample on.
    step_ms: f64,
    last_ms: u64,
    samples: u32,
    offsets: [f32; 24],
    offset_days: [u8; 24],
}

/// A gap counts as at most this many steps, so that one long silence does not decide the trend.
const GAP_MAX: f64 = 100.0;

/// Samples that the usual time between them remembers.
const STEP_MEMORY: f64 = 50.0;

/// The least weight of a sample in its hour's offset; four per hour then remember about ten days.
const OFFSET_GAIN: f64 = 0.025;

const HOUR_MS: u64 = 3_600_000;

impl Holt {
    pub(super) const fn new(config: Config) -> Self {
        Self {
            config,
            level: 0.0,
            trend: 0.0,
            step_ms: 0.0,
            last_ms: 0,
            samples: 0,
            offsets: [0.0; 24],
            offset_days: [0; 24],
        }
    }

    pub(super) const fn samples(&self) -> u32 {
        self.samples
    }

    pub(super) const fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// The usual time between samples, in milliseconds; 0 before the second sample.
    pub(super) const fn step_ms(&self) -> f64 {
        self.step_ms
    }

    /// What is expected `steps` (at least 0) after the last sample.
    pub(super) fn ahead(&self, steps: f64) -> f64 {
        let at_ms = self
            .last_ms
            .saturating_add(num::millis(steps * self.step_ms));
        self.level + self.trend * self.reach(steps) + self.offset(at_ms)
    }

    /// How many first steps `steps` steps are together.
    fn reach(&self, steps: f64) -> f64 {
        match self.config.trend {
            Trend::Linear => steps,
            Trend::Damped(share) => {
                let share = share.clamp(0.01, 0.9999);
                share * (1.0 - libm::pow(share, steps)) / (1.0 - share)
            }
        }
    }

    fn offset(&self, at_ms: u64) -> f64 {
        match self.config.season {
            Season::None => 0.0,
            Season::Daily => f64::from(self.offsets.get(hour(at_ms)).copied().unwrap_or(0.0)),
        }
    }

    /// Takes in `value`, finite, measured at `at_ms`, after the last moment.
    pub(super) fn learn(&mut self, at_ms: u64, value: f64) {
        if self.samples == 0 {
            (self.level, self.last_ms, self.samples) = (value, at_ms, 1);
            return;
        }
        let passed = num::float(at_ms.saturating_sub(self.last_ms)).max(1.0);
        if self.samples == 1 {
            self.step_ms = passed;
        }
        let steps = (passed / self.step_ms).min(GAP_MAX);
        self.samples = self.samples.saturating_add(1);
        let n = f64::from(self.samples);
        self.step_ms += (passed.min(GAP_MAX * self.step_ms) - self.step_ms) / n.min(STEP_MEMORY);

        let offset = self.offset(at_ms);
        let expected = self.level + self.trend * self.reach(steps);
        let error = value - offset - expected;
        // A straight line through n samples; later, a memory of constant length.
        let steady = self.config.gain.clamp(0.001, 1.0);
        let level_gain = (2.0 * (2.0 * n - 1.0) / (n * (n + 1.0))).max(steady);
        let mut trend_gain = (6.0 / (n * (n + 1.0))).max(steady * steady / (2.0 - steady));
        if let Trend::Damped(share) = self.config.trend {
            // What damping forgets, half of it has to be learnt anew, or the level lags behind.
            trend_gain = trend_gain.max((1.0 - share.clamp(0.01, 0.9999)) / 2.0);
        }
        self.level = expected + level_gain.min(1.0) * error;
        if let Trend::Damped(share) = self.config.trend {
            self.trend *= libm::pow(share.clamp(0.01, 0.9999), steps);
        }
        self.trend += trend_gain.min(1.0) * error / steps.max(1.0);
        self.learn_offset(at_ms, value);
        self.last_ms = at_ms;
    }

    fn learn_offset(&mut self, at_ms: u64, value: f64) {
        let hour = hour(at_ms);
        if self.config.season == Season::Daily
            && let (Some(offset), Some(seen)) =
                (self.offsets.get_mut(hour), self.offset_days.get_mut(hour))
        {
            *seen = seen.saturating_add(1);
            let gain = (1.0 / (f64::from(*seen) + 1.0)).max(OFFSET_GAIN);
            let differs = value - self.level - f64::from(*offset);
            *offset = num::single(f64::from(*offset) + gain * differs);
        }
    }
}

fn hour(at_ms: u64) -> usize {
    num::index(num::float(at_ms / HOUR_MS % 24), 23)
}

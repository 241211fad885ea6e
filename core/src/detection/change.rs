//! Whether a level has moved and stayed there.
//!
//! A gray failure is rarely one bad sample: round trips are a third longer than yesterday, all the
//! time. [`ChangePoint`] adds up small deviations until they cannot be chance.

use crate::detection::{num, scale::Scale};

/// How a level is watched. Deviations are mean absolute ones (0.8 standard deviations when normal).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Deviations that a sample may stray without counting. Default 0.75; half the shift that must be
    /// found. Sensible: 0.25 to 2. Halved, noise adds up to false findings; doubled, shifts of less
    /// than 1.5 deviations stay unseen.
    pub slack: f64,
    /// The sum of deviations, beyond slack, that is a finding. Default 15. Sensible: 5 to 50. Halved, a
    /// normal series without change has a finding every few thousand samples in place of millions;
    /// doubled, each takes twice as long.
    pub sum: f64,
    /// What one sample adds at most. Default 4: so a finding takes four samples, and a lone spike is
    /// none. Below `sum`, or one sample is enough. Sensible: 2 to 10.
    pub step_max: f64,
    /// Samples from which the level is learnt at first and after each finding. Default 32. Sensible: 8
    /// to 1000. Halved, the level is off by a fifth of a deviation and noise adds up; doubled, changes
    /// soon after one another merge.
    pub learning: u32,
    /// Samples that the level remembers while nothing is found. Default 1000, at least `learning`.
    /// Too few, and the level follows a slow change unnoticed; too many, and it misses the drift of
    /// months.
    pub memory: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slack: 0.75,
            sum: 15.0,
            step_max: 4.0,
            learning: 32,
            memory: 1000,
        }
    }
}

/// A level that has moved.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Change {
    /// The level before, in the series' unit.
    pub before: f64,
    /// The mean of the samples since the change, in the series' unit.
    pub after: f64,
    /// (`after` − `before`) in mean absolute deviations of the level before, within ±1e9.
    pub deviations: f64,
    /// How many samples ago it began, this one included; at least 1.
    pub samples_ago: u32,
}

/// Watches one series for changes of level; 104 bytes.
///
/// ```
/// use sporenet_core::detection::change::{ChangePoint, Config};
///
/// let mut watch = ChangePoint::new(Config::default());
/// let rtt = |i: u32| if i < 200 { 40.0 } else { 55.0 } + f64::from(i * 7 % 11);
/// let found = (0..400).find_map(|i| watch.observe(rtt(i)).map(|change| (i, change)));
/// let (at, change) = found.unwrap();
/// assert!((200..215).contains(&at));
/// assert!((change.after - change.before - 15.0).abs() < 3.0);
/// ```
///
/// Source: Page, "Continuous inspection schemes", Biometrika, 1954 (two-sided CUSUM); Hawkins,
/// "Self-starting CUSUM charts", The Statistician, 1987 (level and spread learnt from the same series).
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct ChangePoint {
    config: Config,
    level: Scale,
    rise: Run,
    fall: Run,
}

/// Deviations in one direction since they last came to nothing.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Run {
    sum: f64,
    /// Mean of the samples since then, and their number.
    mean: f64,
    samples: u32,
}

impl Run {
    const NONE: Self = Self {
        sum: 0.0,
        mean: 0.0,
        samples: 0,
    };

    /// Adds one sample that strays `by`, slack deducted.
    fn add(&mut self, by: f64, value: f64) {
        self.sum += by;
        if self.sum > 0.0 {
            self.samples = self.samples.saturating_add(1);
            self.mean += (value - self.mean) / f64::from(self.samples);
        } else {
            *self = Self::NONE;
        }
    }
}

impl ChangePoint {
    /// Knows no level yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            level: Scale::new(),
            rise: Run::NONE,
            fall: Run::NONE,
        }
    }

    /// The level that samples are measured against, in the series' unit; 0 before the first sample.
    #[must_use]
    pub const fn level(&self) -> f64 {
        self.level.mean()
    }

    /// Takes a sample in; answers when the level has moved, and then learns the new level from scratch.
    ///
    /// A value that is not finite changes nothing. Values beyond ±1e100 count as ±1e100.
    pub fn observe(&mut self, value: f64) -> Option<Change> {
        let value = num::admissible(value)?;
        // Rounding errors of a constant series are not a spread.
        let least = 1e-9 + self.level.mean().abs() * 1e-6;
        if self.level.samples() >= self.config.learning.max(2) {
            let strayed = self.level.strayed(value, least);
            let most = self.config.step_max;
            self.rise
                .add((strayed - self.config.slack).min(most), value);
            self.fall
                .add((-strayed - self.config.slack).min(most), value);
            for run in [self.rise, self.fall] {
                if run.sum >= self.config.sum {
                    return Some(self.found(run, least));
                }
            }
        }
        self.level.learn(
            value,
            f64::from(self.config.memory.max(self.config.learning)),
        );
        None
    }

    fn found(&mut self, run: Run, least: f64) -> Change {
        let change = Change {
            before: self.level.mean(),
            after: run.mean,
            deviations: self.level.strayed(run.mean, least).clamp(-1e9, 1e9),
            samples_ago: run.samples,
        };
        *self = Self::new(self.config);
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_spike_is_no_change() {
        let mut watch = ChangePoint::new(Config::default());
        for i in 0..500_u32 {
            let value = if i == 300 { 1e6 } else { f64::from(i % 5) };
            assert_eq!(watch.observe(value), None, "{i}");
        }
    }

    #[test]
    fn a_fall_is_found_with_its_beginning() {
        let mut watch = ChangePoint::new(Config::default());
        let value = |i: u32| f64::from(i * 13 % 17) - if i < 100 { 0.0 } else { 20.0 };
        let found = (0..200).find_map(|i| watch.observe(value(i)).map(|change| (i, change)));
        let (at, change) = found.unwrap();
        assert!(at < 110, "{at}");
        assert!(
            (at + 1 - change.samples_ago).abs_diff(100) <= 2,
            "{change:?}"
        );
        assert!(change.deviations < -3.0, "{change:?}");
    }

    #[test]
    fn after_a_finding_the_new_level_is_the_norm() {
        let mut watch = ChangePoint::new(Config::default());
        let value = |i: u32| f64::from(i * 13 % 17) + if i < 100 { 0.0 } else { 50.0 };
        let found: std::vec::Vec<u32> = (0..2000)
            .filter(|&i| watch.observe(value(i)).is_some())
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

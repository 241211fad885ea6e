//! What is unusual about this node's own series, and what runs full.
//!
//! Each watched series goes to its detector as means of ten seconds. What it reports is a notice with its
//! reason. How full the disk is goes to a forecast as means of a minute.

use crate::{
    detection::{
        detect::{Basis, Detector},
        forecast::{Config, Forecast},
    },
    kernel::time::Duration,
    node::{contract::Notice, machine::Node},
    observe::series::{Series, Unusual},
};
use alloc::{boxed::Box, collections::BTreeMap};

/// The series that are watched.
const WATCHED: [Series; 7] = [
    Series::Cpu,
    Series::Memory,
    Series::LoopLag,
    Series::JournalLatency,
    Series::Latency,
    Series::MessagesIn,
    Series::ErrorRate,
];

/// The span of a mean that goes to a detector. Shorter sees shorter peaks and tells more of them.
const STEP_MS: u64 = 10_000;
/// The span of a mean that goes to the forecast.
const FORECAST_STEP_MS: u64 = 60_000;
/// Running full within this time is told; what is further off changes before it comes.
const SOON: Duration = Duration::from_secs(24 * 3_600);
/// The same is told again after this time.
const AGAIN: Duration = Duration::from_secs(6 * 3_600);

/// See the module.
#[derive(Debug)]
pub(in crate::node) struct Watching {
    detectors: BTreeMap<Series, (Box<Detector>, Mean)>,
    disk: Forecast,
    disk_mean: Mean,
    /// When it was last told that the disk runs full, by the wall clock.
    told_ms: Option<u64>,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            detectors: BTreeMap::new(),
            disk: Forecast::new(Config::default()),
            disk_mean: Mean::default(),
            told_ms: None,
        }
    }
}

/// A mean on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    step: u64,
    sum: f64,
    count: u32,
}

impl Mean {
    /// Adds a sample; answers the mean of the step before if this one begins another.
    fn add(&mut self, at_ms: u64, step_ms: u64, value: f64) -> Option<f64> {
        let step = at_ms.checked_div(step_ms).unwrap_or(0);
        let done = (step != self.step && self.count > 0).then(|| self.sum / f64::from(self.count));
        if step != self.step {
            *self = Self {
                step,
                ..Self::default()
            };
        }
        self.sum += value;
        self.count = self.count.saturating_add(1);
        done
    }
}

impl Node {
    /// Looks at a value of this node that was just measured.
    pub(in crate::node) fn watch(&mut self, series: Series, at_ms: u64, value: f64) {
        if series == Series::Disk {
            self.watch_disk(at_ms, value);
        }
        if !WATCHED.contains(&series) {
            return;
        }
        let watched = self.history.watching.detectors.entry(series);
        let (detector, mean) =
            watched.or_insert_with(|| (Box::new(Detector::new()), Mean::default()));
        let Some(mean) = mean.add(at_ms, STEP_MS, value) else {
            return;
        };
        let Ok(verdict) = detector.observe(at_ms, mean) else {
            return;
        };
        if verdict.is_alarm() {
            self.note(Notice::Anomaly(Unusual {
                series,
                value_milli: thousandths(mean),
                expected_milli: thousandths(verdict.expected),
                deviations_milli: thousandths(verdict.deviations),
                at_this_hour: verdict.basis == Basis::ThisHour,
            }));
        }
    }

    fn watch_disk(&mut self, at_ms: u64, percent: f64) {
        let watching = &mut self.history.watching;
        let Some(mean) = watching.disk_mean.add(at_ms, FORECAST_STEP_MS, percent) else {
            return;
        };
        watching.disk.observe(at_ms, mean);
        let Some(full) = watching.disk.time_to(100.0) else {
            return;
        };
        let after = Duration::from_millis(full.after_ms);
        let told = watching
            .told_ms
            .is_some_and(|told| Duration::from_millis(at_ms.saturating_sub(told)) < AGAIN);
        // Where the far edge of the interval never reaches it, it is a guess.
        if told || after > SOON || full.latest_ms.is_none() {
            return;
        }
        watching.told_ms = Some(at_ms);
        self.note(Notice::RunsFull {
            series: Series::Disk,
            after,
        });
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float keeps to the bounds of the integer"
)]
fn thousandths(value: f64) -> i64 {
    (value * 1_000.0) as i64
}

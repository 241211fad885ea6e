//! What is unusual about a node's own series, and where they go.
//!
//! | file | what lives there |
//! |---|---|
//! | `watched` | one series: its detector, how unusual it was of late, its forecast |
//! | `mod` | all of them, the figures taken together, and which findings were followed by an alert |
//!
//! A view for people: no machine decides by it. Detectors see means of ten seconds, forecasts means of a
//! minute.

mod watched;

#[cfg(test)]
mod tests;

use super::series::{Series, Unusual};
use crate::{
    detection::{
        detect::Verdict,
        forecast::{Expected, Scored},
        forest::Forest,
    },
    kernel::time::Duration,
};
use alloc::{boxed::Box, collections::BTreeMap, collections::VecDeque, vec::Vec};
use watched::{Fed, STEP_MS, Watched};

/// The series that are watched.
pub const WATCHED: [Series; 9] = [
    Series::Cpu,
    Series::Memory,
    Series::Disk,
    Series::Descriptors,
    Series::LoopLag,
    Series::JournalLatency,
    Series::Latency,
    Series::MessagesIn,
    Series::ErrorRate,
];

/// Those of which something is used up: they can run full.
const FILLS: [Series; 3] = [Series::Memory, Series::Disk, Series::Descriptors];

/// Those whose detector does not tell. What fills slowly is a matter for the forecast.
const QUIET: [Series; 2] = [Series::Disk, Series::Descriptors];

/// Running full within this time is told; what is further off changes before it comes.
const SOON: Duration = Duration::from_secs(24 * 3_600);
/// The same is told again after this time.
const AGAIN_MS: u64 = 6 * 3_600_000;
/// The most findings that are kept.
pub const FINDINGS_MAX: usize = 64;
/// A finding is borne out by an alert that begins at most so long before it,
const BEFORE_MS: u64 = 60_000;
/// or after it.
const AFTER_MS: u64 = 900_000;
/// A series that was told alone explains for so long why all of them together are unusual.
const EXPLAINS_MS: u64 = 120_000;
/// The most series that are named where several together are unusual.
const NAMED_MAX: usize = 3;

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A value unlike all before it.
    Unusual(Unusual),
    /// Each value may be known, but not all of them together; those that lie farthest from what is usual.
    Together(Vec<Series>),
    /// Something runs full.
    RunsFull {
        /// What.
        series: Series,
        /// In about which time.
        after: Duration,
    },
}

/// Something unusual that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What.
    pub what: Told,
    /// Whether an alert of the node followed within a quarter of an hour; `None` until that is known.
    pub borne_out: Option<bool>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Watch {
    series: BTreeMap<Series, Box<Watched>>,
    together: Together,
    /// When a series was last told that is unusual by itself.
    alone_ms: Option<u64>,
    found: VecDeque<Found>,
    right: u32,
    wrong: u32,
    since_ms: Option<u64>,
}

/// All series as one sample for the forest.
#[derive(Debug, Default)]
struct Together {
    forest: Option<Box<Forest<{ WATCHED.len() }>>>,
    step: u64,
    strays: [f64; WATCHED.len()],
}

impl Watch {
    /// Takes in a value that was just measured, at a moment in milliseconds since 1970.
    pub fn observe(&mut self, series: Series, at_ms: u64, value: f64) -> Vec<Told> {
        let Some(place) = WATCHED.iter().position(|watched| *watched == series) else {
            return Vec::new();
        };
        self.since_ms.get_or_insert(at_ms);
        let mut told = Vec::new();
        let watched = self.series.entry(series);
        let watched = watched.or_insert_with(|| Box::new(Watched::new(series)));
        let Fed {
            verdict,
            minute_over,
        } = watched.observe(at_ms, value);
        if let Some((mean, verdict)) = verdict {
            if verdict.is_alarm() && !QUIET.contains(&series) {
                told.push(Told::Unusual(unusual(series, mean, &verdict)));
            }
            let together = self.together.observe(place, at_ms, &verdict);
            if !told.is_empty() {
                self.alone_ms = Some(at_ms);
            }
            let is_explained = self
                .alone_ms
                .is_some_and(|alone| at_ms.saturating_sub(alone) < EXPLAINS_MS);
            told.extend(together.filter(|_| !is_explained));
        }
        if minute_over && FILLS.contains(&series) {
            told.extend(self.runs_full(series, at_ms));
        }
        for what in &told {
            if !matches!(what, Told::RunsFull { .. }) {
                self.keep(at_ms, what.clone());
            }
        }
        told
    }

    fn runs_full(&mut self, series: Series, at_ms: u64) -> Option<Told> {
        let watched = self.series.get_mut(&series)?;
        let full = watched.forecast().time_to(100.0)?;
        let after = Duration::from_millis(full.after_ms);
        let told = watched.told_ms;
        let is_known = told.is_some_and(|told| at_ms.saturating_sub(told) < AGAIN_MS);
        // Where the far edge of the interval never reaches it, it is a guess.
        if is_known || after > SOON || full.latest_ms.is_none() {
            return None;
        }
        watched.told_ms = Some(at_ms);
        Some(Told::RunsFull { series, after })
    }

    fn keep(&mut self, at_ms: u64, what: Told) {
        if self.found.len() >= FINDINGS_MAX {
            self.found.pop_front();
        }
        self.found.push_back(Found {
            at_ms,
            what,
            borne_out: None,
        });
    }

    /// Whether there are findings of which it is time to say whether an alert followed.
    #[must_use]
    pub fn is_owing(&self, now_ms: u64) -> bool {
        self.found.iter().any(|found| is_due(found, now_ms))
    }

    /// Says of each finding that is old enough whether an alert followed; `began` are the moments at which
    /// alerts of this node began.
    pub fn settle(&mut self, now_ms: u64, began: &[u64]) {
        for found in self.found.iter_mut().filter(|found| is_due(found, now_ms)) {
            let from = found.at_ms.saturating_sub(BEFORE_MS);
            let to = found.at_ms.saturating_add(AFTER_MS);
            let right = began.iter().any(|at| (from..=to).contains(at));
            found.borne_out = Some(right);
            let count = if right {
                &mut self.right
            } else {
                &mut self.wrong
            };
            *count = count.saturating_add(1);
        }
    }

    /// How many findings were followed by an alert, how many were not, and since when that is counted.
    #[must_use]
    pub const fn scores(&self) -> (u32, u32, Option<u64>) {
        (self.right, self.wrong, self.since_ms)
    }

    /// What was found, the oldest first; at most [`FINDINGS_MAX`].
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.found.iter()
    }

    /// How unusual a series was in the last two hours: when each ten seconds began, in milliseconds since 1970, and
    /// from 0 to 1. What is rarer than one in ten thousand is 1.
    pub fn unusual(&self, series: Series) -> impl Iterator<Item = (u64, f64)> {
        let watched = self.series.get(&series);
        watched.into_iter().flat_map(|watched| watched.unusual())
    }

    /// What a series is expected to be so many milliseconds after its last minute; nothing before the eighth.
    #[must_use]
    pub fn expected(&self, series: Series, after_ms: u64) -> Option<(u64, Expected)> {
        let watched = self.series.get(&series)?;
        let expected = watched.forecast().expected(after_ms)?;
        Some((watched.last_minute_ms().saturating_add(after_ms), expected))
    }

    /// When something is full, counted from its last minute; nothing if it is not in sight, or if the series
    /// has no end.
    #[must_use]
    pub fn full_after(&self, series: Series) -> Option<Duration> {
        let watched = self
            .series
            .get(&series)
            .filter(|_| FILLS.contains(&series))?;
        let full = watched.forecast().time_to(100.0)?;
        full.latest_ms?;
        Some(Duration::from_millis(full.after_ms)).filter(|after| *after <= SOON)
    }

    /// How good forecasts over 1, 4, 16 and 64 minutes were.
    #[must_use]
    pub fn scored(&self, series: Series) -> Option<[Scored; 4]> {
        Some(self.series.get(&series)?.forecast().scored())
    }
}

impl Together {
    /// Takes in how far a series strayed; once a step is over, asks the forest about all of them.
    fn observe(&mut self, place: usize, at_ms: u64, verdict: &Verdict) -> Option<Told> {
        let step = at_ms.checked_div(STEP_MS).unwrap_or(0);
        let told = (step != self.step).then(|| self.judge()).flatten();
        self.step = step;
        if let Some(stray) = self.strays.get_mut(place) {
            *stray = verdict.deviations;
        }
        told
    }

    fn judge(&mut self) -> Option<Told> {
        let forest = self.forest.get_or_insert_with(|| Box::new(Forest::new()));
        if !forest.observe(&self.strays) {
            return None;
        }
        let mut named: Vec<(f64, Series)> = WATCHED
            .into_iter()
            .zip(self.strays)
            .map(|(series, stray)| (stray.abs(), series))
            .collect();
        named.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let named = named.into_iter().take(NAMED_MAX).map(|(_, series)| series);
        Some(Told::Together(named.collect()))
    }
}

const fn is_due(found: &Found, now_ms: u64) -> bool {
    found.borne_out.is_none() && now_ms.saturating_sub(found.at_ms) > AFTER_MS
}

fn unusual(series: Series, mean: f64, verdict: &Verdict) -> Unusual {
    Unusual {
        series,
        value_milli: thousandths(mean),
        expected_milli: thousandths(verdict.expected),
        deviations_milli: thousandths(verdict.deviations),
        at_this_hour: verdict.basis == crate::detection::detect::Basis::ThisHour,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float keeps to the bounds of the integer"
)]
fn thousandths(value: f64) -> i64 {
    (value * 1_000.0) as i64
}

//! What a chart shows, borrowed from whoever has it.

use crate::draw::{
    column::Sample,
    shape::Ink,
    time::{Offset, Window},
    unit::Unit,
};
use sporenet_core::node::snapshot::Severity;

/// The most series that a chart draws; who has more has a table.
pub const SERIES_MAX: usize = 12;
/// The most events, anomalies and dry-run spans that it draws of each.
pub const MARKS_MAX: usize = 400;

/// A chart: all that is drawn of it.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// What the values of all series are counted in.
    pub unit: Unit,
    /// The time from left to right. It may reach into the future, where a forecast is.
    pub window: Window,
    /// Local time.
    pub offset: Offset,
    /// The series; the first 12 are drawn.
    pub series: &'a [Series<'a>],
    /// What the first series is expected to be, ahead of now; empty for none.
    pub forecast: &'a [Expected],
    /// Lines that values should not cross.
    pub thresholds: &'a [Threshold],
    /// What happened.
    pub events: &'a [Event<'a>],
    /// When something was unusual. If there is a list at all, there is a band for it.
    pub anomalies: Option<&'a [Anomaly]>,
    /// When a rule that is only tried out would have fired.
    pub dry_run: &'a [Window],
}

/// What was measured of one thing over time.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What was measured, in order of time.
    pub points: &'a [Sample],
    /// How far apart the points are, in milliseconds. Where one is missing, there is a gap.
    pub step_ms: u64,
}

/// What a series is expected to be at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The expected value.
    pub mean: f64,
    /// The lowest that would be usual.
    pub low: f64,
    /// The highest that would be usual.
    pub high: f64,
}

/// A line that values should not cross.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Where.
    pub value: f64,
    /// What it means to be beyond it.
    pub level: Level,
}

/// What it means to be beyond a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth a look.
    Warn,
    /// Something is broken.
    Critical,
}

impl Level {
    /// Its colour.
    #[must_use]
    pub const fn ink(self) -> Ink {
        match self {
            Self::Warn => Ink::Warn,
            Self::Critical => Ink::Bad,
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Critical => "critical",
        }
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// How serious.
    pub severity: Severity,
    /// What, in a sentence.
    pub text: &'a str,
}

/// A time in which something was unusual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    /// When.
    pub window: Window,
    /// How unusual, from 0 to 1; what is beyond is taken for the end.
    pub strength: f64,
}

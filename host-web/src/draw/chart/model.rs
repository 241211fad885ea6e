//! What a chart shows, borrowed from whoever has it.

use crate::draw::{
    column::Sample,
    shape::Ink,
    time::{Dates, Offset, Window},
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
    /// In which language its words are.
    pub words: &'a Words,
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

/// What a chart and its table say beside numbers, in one language. `{}` is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Stands in a chart without points.
    pub nothing_measured: &'static str,
    /// Stands where a value is unknown.
    pub unknown: &'static str,
    /// The forecast.
    pub expected: &'static str,
    /// Beyond the first threshold.
    pub warn: &'static str,
    /// Beyond the second.
    pub critical: &'static str,
    /// A threshold's word and its value: `{} at {}`.
    pub at: &'static str,
    /// From one value or moment to another: `{} to {}`.
    pub to: &'static str,
    /// Something unusual and its strength in percent.
    pub unusual: &'static str,
    /// A rule that is tried out.
    pub would_have_fired: &'static str,
    /// The headings of the table, in their order: when, latest, lowest, highest, mean.
    pub headings: [&'static str; 5],
    /// The severities of events: info, warning, error.
    pub severities: [&'static str; 3],
    /// How days are written.
    pub dates: Dates,
}

impl Words {
    /// English.
    pub const ENGLISH: Self = Self {
        nothing_measured: "nothing measured",
        unknown: "unknown",
        expected: "expected",
        warn: "warn",
        critical: "critical",
        at: "{} at {}",
        to: "{} to {}",
        unusual: "unusual, strength {} %",
        would_have_fired: "would have fired",
        headings: ["when", "latest", "lowest", "highest", "mean"],
        severities: ["info", "warning", "error"],
        dates: Dates::ENGLISH,
    };
    /// German.
    pub const GERMAN: Self = Self {
        nothing_measured: "nicht gemessen",
        unknown: "unbekannt",
        expected: "erwartet",
        warn: "Warnung",
        critical: "kritisch",
        at: "{} bei {}",
        to: "{} bis {}",
        unusual: "ungewöhnlich, Stärke {} %",
        would_have_fired: "hätte angeschlagen",
        headings: ["wann", "zuletzt", "kleinster", "größter", "Mittel"],
        severities: ["Info", "Warnung", "Fehler"],
        dates: Dates::GERMAN,
    };

    /// What it is called to be beyond a threshold.
    #[must_use]
    pub const fn level(&self, level: Level) -> &'static str {
        match level {
            Level::Warn => self.warn,
            Level::Critical => self.critical,
        }
    }

    /// How serious an event is.
    #[must_use]
    pub const fn severity(&self, severity: Severity) -> &'static str {
        let [info, warning, error] = self.severities;
        match severity {
            Severity::Info => info,
            Severity::Warn => warning,
            Severity::Error => error,
        }
    }
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

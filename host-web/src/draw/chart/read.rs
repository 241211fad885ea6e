//! What stands under the cursor, what was brushed, and the table twin.

use crate::catalogue::fill;
use crate::draw::{
    chart::{
        layout::Layout,
        model::{Chart, SERIES_MAX, Series, Words},
    },
    column::{Sample, nearest, shown},
    shape::{Ink, Mark, Point},
    time::{self, Offset, Window},
    twin::{NOTHING, Row},
    unit::Unit,
};

/// A brush narrower than this, in pixels, is a click.
const BRUSH_MIN: f64 = 4.0;
/// An event within so many pixels of the cursor is told with it.
const EVENT_NEAR: f64 = 5.0;

/// What one series says under the cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The series' name.
    pub name: String,
    /// Its colour.
    pub ink: Ink,
    /// Its shape.
    pub mark: Mark,
    /// The value with its unit; `unknown` where there is a gap.
    pub text: String,
    /// Where its point is in the picture; `None` where it is unknown.
    pub at: Option<Point>,
}

/// What stands under the cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Readout {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// When, in local time.
    pub moment: String,
    /// How far to the right.
    pub x: f64,
    /// The series in their order.
    pub readings: Vec<Reading>,
    /// What happened just there, the most serious first; at most three.
    pub events: Vec<String>,
}

impl Layout {
    /// The moment under a pointer, for the cursor that all charts share; `None` left
    /// or right of the plot.
    #[must_use]
    pub fn moment_at(&self, pointer: Point) -> Option<u64> {
        let plot = self.scale.plot;
        (plot.x..=plot.right())
            .contains(&pointer.x)
            .then(|| self.scale.time(pointer.x))
    }

    /// The time between two places to the right, in either order; `None` if they are too near for a brush.
    #[must_use]
    pub fn brushed(&self, one: f64, other: f64) -> Option<Window> {
        let is_brush = (one - other).abs() >= BRUSH_MIN;
        let (from, until) = (
            self.scale.time(one.min(other)),
            self.scale.time(one.max(other)),
        );
        (is_brush && from < until).then_some(Window { from, until })
    }

    /// What the chart says at a moment; `None` outside of its window.
    #[must_use]
    pub fn readout(&self, chart: &Chart<'_>, at: u64) -> Option<Readout> {
        if !chart.window.contains(at) {
            return None;
        }
        let series = chart.series.iter().take(SERIES_MAX).enumerate();
        let mut readings: Vec<Reading> = series
            .map(|(number, series)| self.reading(chart, number, series, at))
            .collect();
        readings.extend(self.expectation(chart, at));
        let x = self.scale.x(at);
        let near = chart
            .events
            .iter()
            .filter(|event| (self.scale.x(event.at) - x).abs() <= EVENT_NEAR);
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|event| core::cmp::Reverse(event.severity));
        Some(Readout {
            at,
            moment: time::moment(at, chart.offset, &chart.words.dates),
            x,
            readings,
            events: near.iter().take(3).map(|event| event.text.into()).collect(),
        })
    }

    fn reading(&self, chart: &Chart<'_>, number: usize, series: &Series<'_>, at: u64) -> Reading {
        let sample = nearest(series.points, series.step_ms, at);
        Reading {
            name: series.name.into(),
            ink: Ink::of_series(number),
            mark: Mark::of_series(number),
            text: chart
                .words
                .known(sample.map(|(_, value)| chart.unit.tell(value))),
            at: sample.map(|(at, value)| Point {
                x: self.scale.x(at),
                y: self.scale.y(value),
            }),
        }
    }

    /// What is expected at a moment, if it is forecast.
    fn expectation(&self, chart: &Chart<'_>, at: u64) -> Option<Reading> {
        let (first, last) = chart.forecast.first().zip(chart.forecast.last())?;
        if at < first.at || at > last.at {
            return None;
        }
        let near = chart
            .forecast
            .iter()
            .min_by_key(|expected| expected.at.abs_diff(at))?;
        let tell = |value| chart.unit.tell(value);
        Some(Reading {
            name: chart.words.expected.into(),
            ink: Ink::Calm,
            mark: Mark::Ring,
            text: format!(
                "{} ({})",
                tell(near.mean),
                fill(chart.words.to, &[&tell(near.low), &tell(near.high)])
            ),
            at: Some(Point {
                x: self.scale.x(near.at),
                y: self.scale.y(near.mean),
            }),
        })
    }
}

impl Chart<'_> {
    /// The chart's table: a row for each series with its latest value in the window, when that was, the
    /// lowest, the highest and the mean; then the end of the forecast, and a row for each threshold,
    /// anomaly, dry-run span and event in the window.
    #[must_use]
    pub fn twin(&self) -> Vec<Row> {
        let words = self.words;
        let told = self.series.iter();
        let mut rows: Vec<Row> = told
            .map(|series| series.twin(self.unit, self.window, self.offset, words))
            .collect();
        let other =
            |name: String, when: String| words.row(name, when, [(); 4].map(|()| NOTHING.into()));
        rows.extend(self.forecast.last().map(|last| {
            let [mean, low, high] =
                [last.mean, last.low, last.high].map(|value| self.unit.tell(value));
            let values = [NOTHING.into(), low, high, mean];
            words.row(words.expected.into(), self.moment(last.at), values)
        }));
        rows.extend(self.thresholds.iter().map(|threshold| {
            let value = self.unit.tell(threshold.value);
            let name = fill(words.at, &[words.level(threshold.level), &value]);
            other(name, NOTHING.into())
        }));
        let inside =
            |window: &Window| window.until >= self.window.from && window.from <= self.window.until;
        let unusual = self.anomalies.unwrap_or_default().iter();
        let unusual = unusual.filter(|anomaly| inside(&anomaly.window));
        rows.extend(unusual.map(|anomaly| {
            let percent = format!("{:.0}", anomaly.strength.clamp(0.0, 1.0) * 100.0);
            let name = fill(words.unusual, &[&percent]);
            other(name, self.in_words(anomaly.window))
        }));
        let fired = self.dry_run.iter().filter(|window| inside(window));
        rows.extend(
            fired.map(|window| other(words.would_have_fired.into(), self.in_words(*window))),
        );
        let events = self.events.iter();
        let events = events.filter(|event| self.window.contains(event.at));
        rows.extend(events.map(|event| {
            let name = format!("{}: {}", words.severity(event.severity), event.text);
            other(name, self.moment(event.at))
        }));
        rows
    }

    fn moment(&self, at: u64) -> String {
        time::moment(at, self.offset, &self.words.dates)
    }

    fn in_words(&self, window: Window) -> String {
        let [from, until] = [window.from, window.until].map(|at| self.moment(at));
        fill(self.words.to, &[&from, &until])
    }
}

impl Words {
    /// A row of a chart's table, under the headings.
    fn row(&self, name: String, when: String, [latest, low, high, mean]: [String; 4]) -> Row {
        let [on, newest, lowest, highest, middle] = self.headings;
        let values = [
            (on, when),
            (newest, latest),
            (lowest, low),
            (highest, high),
            (middle, mean),
        ];
        Row::new(name, values)
    }

    /// A text, or that it is unknown.
    fn known(&self, text: Option<String>) -> String {
        text.unwrap_or_else(|| self.unknown.into())
    }
}

impl Series<'_> {
    /// The series' row of a table: its latest value in a window, when that was, the lowest, the highest and
    /// the mean.
    #[must_use]
    pub fn twin(&self, unit: Unit, window: Window, offset: Offset, words: &Words) -> Row {
        let inside = |(at, value): &&Sample| window.contains(*at) && value.is_finite();
        let values = || {
            shown(self.points, window)
                .iter()
                .filter(inside)
                .map(|(_, value)| *value)
        };
        let (sum, count) =
            values().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        let tell = |value: Option<f64>| words.known(value.map(|value| unit.tell(value)));
        let last = shown(self.points, window).iter().rfind(inside);
        let when = last.map(|(at, _)| time::moment(*at, offset, &words.dates));
        let values = [
            tell(last.map(|(_, value)| *value)),
            tell(values().reduce(f64::min)),
            tell(values().reduce(f64::max)),
            tell((count > 0.0).then(|| sum / count)),
        ];
        words.row(self.name.into(), words.known(when), values)
    }
}

//! What stands under the cursor, what was brushed, and the table twin.

use crate::draw::{
    chart::{
        layout::Layout,
        model::{Chart, SERIES_MAX, Series},
    },
    column::{Sample, nearest, shown},
    shape::{Ink, Mark, Point},
    time::{self, Offset, Window},
    twin::{NOTHING, Row, known},
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
            moment: time::moment(at, chart.offset),
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
            text: known(sample.map(|(_, value)| chart.unit.tell(value))),
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
            name: "expected".into(),
            ink: Ink::Calm,
            mark: Mark::Ring,
            text: format!(
                "{} ({} to {})",
                tell(near.mean),
                tell(near.low),
                tell(near.high)
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
        let mut rows: Vec<Row> = self
            .series
            .iter()
            .map(|series| series.twin(self.unit, self.window, self.offset))
            .collect();
        let row = |name: String, when: String, [latest, low, high, mean]: [String; 4]| {
            Row::new(
                name,
                [
                    ("when", when),
                    ("latest", latest),
                    ("lowest", low),
                    ("highest", high),
                    ("mean", mean),
                ],
            )
        };
        let other = |name: String, when: String| row(name, when, [(); 4].map(|()| NOTHING.into()));
        rows.extend(self.forecast.last().map(|last| {
            let [mean, low, high] =
                [last.mean, last.low, last.high].map(|value| self.unit.tell(value));
            let when = time::moment(last.at, self.offset);
            row("expected".into(), when, [NOTHING.into(), low, high, mean])
        }));
        rows.extend(self.thresholds.iter().map(|threshold| {
            let (word, value) = (threshold.level.word(), self.unit.tell(threshold.value));
            other(format!("{word} at {value}"), NOTHING.into())
        }));
        let inside =
            |window: &Window| window.until >= self.window.from && window.from <= self.window.until;
        let unusual = self.anomalies.unwrap_or_default().iter();
        rows.extend(
            unusual
                .filter(|anomaly| inside(&anomaly.window))
                .map(|anomaly| {
                    let name = format!(
                        "unusual, strength {:.0} %",
                        anomaly.strength.clamp(0.0, 1.0) * 100.0
                    );
                    other(name, self.in_words(anomaly.window))
                }),
        );
        let fired = self.dry_run.iter().filter(|window| inside(window));
        rows.extend(fired.map(|window| other("would have fired".into(), self.in_words(*window))));
        let events = self
            .events
            .iter()
            .filter(|event| self.window.contains(event.at));
        rows.extend(events.map(|event| {
            let name = format!("{}: {}", crate::words::severity(event.severity), event.text);
            other(name, time::moment(event.at, self.offset))
        }));
        rows
    }

    fn in_words(&self, window: Window) -> String {
        let [from, until] = [window.from, window.until].map(|at| time::moment(at, self.offset));
        format!("{from} to {until}")
    }
}

impl Series<'_> {
    /// The series' row of a table: its latest value in a window, when that was, the lowest, the highest and
    /// the mean.
    #[must_use]
    pub fn twin(&self, unit: Unit, window: Window, offset: Offset) -> Row {
        let inside = |(at, value): &&Sample| window.contains(*at) && value.is_finite();
        let values = || {
            shown(self.points, window)
                .iter()
                .filter(inside)
                .map(|(_, value)| *value)
        };
        let (sum, count) =
            values().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        let tell = |value: Option<f64>| known(value.map(|value| unit.tell(value)));
        let last = shown(self.points, window).iter().rfind(inside);
        Row::new(
            self.name,
            [
                ("when", known(last.map(|(at, _)| time::moment(*at, offset)))),
                ("latest", tell(last.map(|(_, value)| *value))),
                ("lowest", tell(values().reduce(f64::min))),
                ("highest", tell(values().reduce(f64::max))),
                ("mean", tell((count > 0.0).then(|| sum / count))),
            ],
        )
    }
}

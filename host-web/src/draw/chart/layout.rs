//! Where everything of a chart goes.

use crate::draw::{
    chart::model::{Chart, MARKS_MAX, SERIES_MAX, Threshold},
    column::{Column, Scale, extent, fill},
    shape::{Ink, Label, Mark, Point, Rect, Size, as_count, text_width},
    time::{self, Window},
    twin,
    unit::Axis,
};

/// Room above the plot, for the marks of events.
const ABOVE: f64 = 12.0;
/// Room below the plot, for times.
const BELOW: f64 = 20.0;
/// Room at the right, for the half of the last time.
const RIGHT: f64 = 12.0;
/// The height of the band that says when something was unusual, with the room above it.
const BAND: (f64, f64) = (7.0, 4.0);
/// How many pixels lie between two lines across, at least.
const ROW_MIN: f64 = 34.0;
/// A threshold at more than so many times the highest value is beyond the plot: the line would lie flat.
const REACH: f64 = 2.0;
/// The room of a time below the plot.
const TIME_WIDTH: f64 = 64.0;

/// Where everything of a chart goes. A layout is kept from frame to frame: [`Layout::update`] uses its room
/// again, so that a frame hardly allocates.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// How large the picture is.
    pub size: Size,
    /// How times and values become pixels.
    pub scale: Scale,
    /// Values at the left: their right ends, half-way up.
    pub values: Vec<Label>,
    /// Times at the bottom: their middles.
    pub times: Vec<Label>,
    /// The series' columns, in the order of the series.
    pub lines: Vec<Line>,
    /// The band in which the first series is expected: upper edge there, lower edge back.
    pub band: Vec<Point>,
    /// The expected values.
    pub mean: Vec<Point>,
    /// Lines that values should not cross, with what they say at their right end.
    pub thresholds: Vec<Rule>,
    /// What happened.
    pub events: Vec<Tick>,
    /// Where the band of the unusual is; `None` without one.
    pub lane: Option<Rect>,
    /// When something was unusual, within the band.
    pub anomalies: Vec<Strength>,
    /// When a rule that is tried out would have fired.
    pub dry_run: Vec<Rect>,
    /// Where the future begins, if the window reaches into it.
    pub now: Option<f64>,
    /// Says that nothing was measured in the window, where that is so: its middle.
    pub note: Option<Label>,
    /// How many series, events, anomalies and spans there was no room for.
    pub left_out: usize,
}

/// A series as columns of pixels.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Its columns, from left to right.
    pub columns: Vec<Column>,
}

/// A line across.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// How far down; `None` where it is beyond the plot.
    pub y: Option<f64>,
    /// Its colour.
    pub ink: Ink,
    /// What it says, if there is room: its right end, half-way up, above the line. Of those beyond the plot
    /// only the first says something, at the upper edge.
    pub label: Option<Label>,
}

/// An event's upright line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    /// How far to the right.
    pub x: f64,
    /// Its colour.
    pub ink: Ink,
    /// Its shape, at the top.
    pub mark: Mark,
}

/// A part of the band of the unusual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// Where.
    pub rect: Rect,
    /// How strong, from 0 to 1.
    pub strength: f64,
}

impl Layout {
    /// Lays a chart out for a size; `now`, in milliseconds since 1970, is where a forecast begins. Below
    /// 80 by 60 pixels there is no room for a plot, and all is squeezed.
    pub fn update(&mut self, chart: &Chart<'_>, size: Size, now: u64) {
        self.size = size;
        self.left_out = chart.series.len().saturating_sub(SERIES_MAX);
        let lane = if chart.anomalies.is_some() {
            BAND.0 + BAND.1
        } else {
            0.0
        };
        let height = (size.height - ABOVE - BELOW - lane).max(1.0);
        let axis = axis(chart, as_count(height / ROW_MIN));
        let widest = axis.ticks.iter().map(|tick| text_width(&tick.text));
        let left = widest.fold(0.0, f64::max) + 10.0;
        let plot = Rect {
            x: left,
            y: ABOVE,
            width: (size.width - left - RIGHT).max(1.0),
            height,
        };
        self.scale = Scale {
            plot,
            window: chart.window,
            axis,
        };
        self.lane = chart.anomalies.is_some().then(|| Rect {
            y: plot.bottom() + BAND.1,
            height: BAND.0,
            ..plot
        });
        self.now =
            (chart.window.contains(now) && now < chart.window.until).then(|| self.scale.x(now));
        self.label();
        self.label_times(chart);
        self.draw_lines(chart);
        self.draw_forecast(chart, now);
        self.mark(chart);
        let is_empty = self.lines.iter().all(|line| line.columns.is_empty());
        let words = [
            chart.words.nothing_measured,
            chart.words.unknown,
            twin::NOTHING,
        ];
        let fitting = words
            .into_iter()
            .find(|text| text_width(text) <= plot.width);
        self.note = fitting.filter(|_| is_empty).map(|text| Label {
            at: Point {
                x: plot.x + plot.width / 2.0,
                y: plot.y + plot.height / 2.0,
            },
            text: text.into(),
        });
    }

    fn label(&mut self) {
        let scale = &self.scale;
        self.values.clear();
        self.values
            .extend(scale.axis.ticks.iter().map(|tick| Label {
                at: Point {
                    x: scale.plot.x - 8.0,
                    y: scale.y(tick.value),
                },
                text: tick.text.clone(),
            }));
    }

    fn label_times(&mut self, chart: &Chart<'_>) {
        let plot = self.scale.plot;
        let y = self.lane.unwrap_or(plot).bottom() + 11.0;
        let ticks = time::ticks(
            chart.window,
            chart.offset,
            &chart.words.dates,
            as_count(plot.width / TIME_WIDTH),
        );
        self.times.clear();
        for tick in ticks {
            let x = self.scale.x(tick.at);
            // Half of it would be beyond the edge.
            let half = text_width(&tick.text) / 2.0;
            if x + half <= self.size.width && x - half >= 0.0 {
                self.times.push(Label {
                    at: Point { x, y },
                    text: tick.text,
                });
            }
        }
    }

    fn draw_lines(&mut self, chart: &Chart<'_>) {
        let count = chart.series.len().min(SERIES_MAX);
        self.lines.resize_with(count, Line::default);
        for (line, series) in self.lines.iter_mut().zip(chart.series) {
            fill(
                &mut line.columns,
                series.points,
                series.step_ms,
                &self.scale,
            );
        }
    }

    fn draw_forecast(&mut self, chart: &Chart<'_>, now: u64) {
        let scale = &self.scale;
        let ahead = || chart.forecast.iter().filter(|expected| expected.at >= now);
        let corner = |at: u64, value: f64| Point {
            x: scale.x(at),
            y: scale.y(value),
        };
        self.band.clear();
        self.band
            .extend(ahead().map(|expected| corner(expected.at, expected.high)));
        self.band.extend(
            ahead()
                .rev()
                .map(|expected| corner(expected.at, expected.low)),
        );
        self.mean.clear();
        self.mean
            .extend(ahead().map(|expected| corner(expected.at, expected.mean)));
    }

    fn mark(&mut self, chart: &Chart<'_>) {
        let scale = &self.scale;
        self.thresholds.clear();
        let mut is_told = false;
        for threshold in chart.thresholds {
            let mut rule = rule(chart, scale, *threshold);
            if rule.y.is_none() && core::mem::replace(&mut is_told, true) {
                rule.label = None;
            }
            self.thresholds.push(rule);
        }
        self.events.clear();
        let seen = chart
            .events
            .iter()
            .filter(|event| chart.window.contains(event.at));
        self.events
            .extend(seen.clone().take(MARKS_MAX).map(|event| Tick {
                x: scale.x(event.at),
                ink: Ink::of_severity(event.severity),
                mark: Mark::of_severity(event.severity),
            }));
        let mut left_out = seen.count().saturating_sub(MARKS_MAX);
        self.anomalies.clear();
        if let (Some(lane), Some(anomalies)) = (self.lane, chart.anomalies) {
            let spans = anomalies.iter().filter_map(|anomaly| {
                let rect = span(scale, anomaly.window, lane)?;
                Some(Strength {
                    rect,
                    strength: anomaly.strength.clamp(0.0, 1.0),
                })
            });
            self.anomalies.extend(spans.take(MARKS_MAX));
            left_out += anomalies.len().saturating_sub(MARKS_MAX);
        }
        self.dry_run.clear();
        let spans = chart
            .dry_run
            .iter()
            .filter_map(|window| span(scale, *window, scale.plot));
        self.dry_run.extend(spans.take(MARKS_MAX));
        left_out += chart.dry_run.len().saturating_sub(MARKS_MAX);
        self.left_out += left_out;
    }
}

/// The values from the smallest to the largest that is drawn, and the thresholds.
fn axis(chart: &Chart<'_>, rows: usize) -> Axis {
    let series = chart.series.iter().take(SERIES_MAX);
    let measured = series.filter_map(|series| extent(series.points, chart.window));
    // What is expected beyond the window is not drawn.
    let expected = chart.forecast.iter();
    let expected = expected.filter(|expected| chart.window.contains(expected.at));
    let expected = expected.map(|expected| (expected.low, expected.high));
    let widen =
        |(low, high): (f64, f64), (from, until): (f64, f64)| (low.min(from), high.max(until));
    let (low, high) = measured.chain(expected).fold((0.0, 0.0), widen);
    let is_empty = low >= high;
    let near = |value: &f64| is_empty || *value <= high * REACH;
    let lines = chart.thresholds.iter().map(|threshold| threshold.value);
    let lines = lines.filter(near).map(|value| (value, value));
    let (low, high) = lines.fold((low, high), widen);
    Axis::new(chart.unit, low, high, rows.clamp(1, 5))
}

fn rule(chart: &Chart<'_>, scale: &Scale, threshold: Threshold) -> Rule {
    let (plot, unit, words) = (scale.plot, chart.unit, chart.words);
    let is_beyond = threshold.value > scale.axis.high || threshold.value < scale.axis.low;
    let y = (!is_beyond).then(|| scale.y(threshold.value));
    let arrow = if is_beyond { "↑ " } else { "" };
    let (word, value) = (words.level(threshold.level), unit.tell(threshold.value));
    let text = format!("{arrow}{word} {value}");
    let at = Point {
        x: plot.right() - 4.0,
        y: y.map_or(plot.y + 8.0, |y| y - 8.0),
    };
    Rule {
        y,
        ink: threshold.level.ink(),
        label: (text_width(&text) <= plot.width - 8.0).then_some(Label { at, text }),
    }
}

/// The part of a rectangle that stands for a span of time; at least two pixels wide, `None` outside of the
/// window.
pub(crate) fn span(scale: &Scale, window: Window, within: Rect) -> Option<Rect> {
    if window.until < scale.window.from || window.from > scale.window.until {
        return None;
    }
    let from = scale.x(window.from).max(within.x);
    let until = scale.x(window.until).min(within.right());
    let width = (until - from).max(2.0);
    Some(Rect {
        x: from.min(within.right() - width),
        width,
        ..within
    })
}

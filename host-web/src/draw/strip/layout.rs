//! Where a line or a band goes, and the band's table twin.

use crate::draw::{
    chart::{layout::span, model::Series},
    column::{Column, Scale, extent, fill},
    shape::{Ink, Point, Rect, Size},
    time::{Window, millis},
    twin::{Row, UNKNOWN},
    unit::{Axis, Unit},
};
use std::collections::BTreeMap;

/// Room above and below a line, so that its ends are not cut.
const MARGIN: f64 = 2.5;
/// The most spans that a band draws.
const SPANS_MAX: usize = 400;

/// A series as a line without axes. It is kept from frame to frame, so that its room is used again.
#[derive(Clone, Debug, Default)]
pub struct Sparkline {
    /// How large the picture is.
    pub size: Size,
    /// The line, from left to right.
    pub columns: Vec<Column>,
    /// The latest point, if it is as new as the window's end asks.
    pub last: Option<Point>,
}

impl Sparkline {
    /// Lays a series out for a size. The line begins at zero, and its highest value is at the top.
    pub fn update(&mut self, series: &Series<'_>, unit: Unit, window: Window, size: Size) {
        self.size = size;
        let (low, high) = extent(series.points, window).unwrap_or_default();
        let plot = Rect {
            x: MARGIN,
            y: MARGIN,
            width: (size.width - 2.0 * MARGIN).max(1.0),
            height: (size.height - 2.0 * MARGIN).max(1.0),
        };
        let mut axis = Axis::new(unit, low, high, 1);
        if high > 0.0 {
            axis.high = high;
        }
        let scale = Scale { plot, window, axis };
        fill(&mut self.columns, series.points, series.step_ms, &scale);
        let newest = series.points.last().filter(|(at, value)| {
            value.is_finite() && at.saturating_add(series.step_ms.saturating_mul(2)) >= window.until
        });
        self.last = newest.map(|(at, value)| Point {
            x: scale.x(*at),
            y: scale.y(*value),
        });
    }
}

/// A time in which something was in one state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<'a> {
    /// When.
    pub window: Window,
    /// The state's word.
    pub word: &'a str,
    /// The state's colour.
    pub ink: Ink,
    /// How much of the band's height it fills, from 0 to 1: what is worse is higher.
    pub part: f64,
}

/// States over time as a band. Where no span is, nothing is known.
#[derive(Clone, Debug, Default)]
pub struct Band {
    /// Where the band is.
    pub rect: Rect,
    /// Its pieces, in the order of the spans.
    pub pieces: Vec<(Rect, Ink)>,
    /// How many spans there was no room for.
    pub left_out: usize,
}

impl Band {
    /// Lays spans out for a size.
    pub fn update(&mut self, spans: &[Span<'_>], window: Window, size: Size) {
        self.rect = Rect {
            x: 0.0,
            y: 0.0,
            width: size.width,
            height: size.height,
        };
        let scale = Scale {
            plot: self.rect,
            window,
            axis: Axis::default(),
        };
        self.pieces.clear();
        let pieces = spans.iter().filter_map(|state| {
            let rect = span(&scale, state.window, self.rect)?;
            let height = rect.height * state.part.clamp(0.0, 1.0);
            Some((
                Rect {
                    y: rect.bottom() - height,
                    height,
                    ..rect
                },
                state.ink,
            ))
        });
        self.pieces.extend(pieces.take(SPANS_MAX));
        self.left_out = spans.len().saturating_sub(SPANS_MAX);
    }
}

/// The band's table: a row for each word, in alphabetical order, with how much of the window it was; then
/// how much is unknown. Spans that overlap count each.
#[must_use]
pub fn twin(spans: &[Span<'_>], window: Window) -> Vec<Row> {
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for span in spans {
        let (from, until) = (
            span.window.from.max(window.from),
            span.window.until.min(window.until),
        );
        *times.entry(span.word).or_default() += until.saturating_sub(from);
    }
    let known: u64 = times.values().sum();
    let row = |word: &str, time: u64| {
        let share = 100.0 * millis(time) / millis(window.span());
        Row::new(
            word,
            [
                ("share", format!("{share:.1} %")),
                ("time", crate::words::span(time)),
            ],
        )
    };
    let mut rows: Vec<Row> = times.iter().map(|(word, time)| row(word, *time)).collect();
    rows.push(row(UNKNOWN, window.span().saturating_sub(known)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window {
        from: 1_000,
        until: 101_000,
    };
    const SIZE: Size = Size {
        width: 100.0,
        height: 20.0,
    };

    fn span_of(from: u64, until: u64, word: &str) -> Span<'_> {
        Span {
            window: Window { from, until },
            word,
            ink: Ink::Good,
            part: 0.5,
        }
    }

    #[test]
    fn a_line_fills_its_height_and_tells_its_latest_point_only_while_it_is_new() {
        let points = [(1_000, 10.0), (51_000, 30.0), (99_000, 20.0)];
        let series = Series {
            name: "cpu",
            points: &points,
            step_ms: 50_000,
        };
        let mut line = Sparkline::default();
        line.update(&series, Unit::Percent, WINDOW, SIZE);
        assert!((line.columns[1].top - MARGIN).abs() < 1e-9);
        assert!(line.last.is_some());
        let old = Series {
            points: &points[..1],
            step_ms: 1_000,
            ..series
        };
        line.update(&old, Unit::Percent, WINDOW, SIZE);
        assert_eq!((line.columns.len(), line.last), (1, None));
        line.update(
            &Series {
                points: &[],
                ..series
            },
            Unit::Percent,
            WINDOW,
            SIZE,
        );
        assert!(line.columns.is_empty() && line.last.is_none());
    }

    #[test]
    fn a_band_shows_spans_where_they_are_and_leaves_the_unknown_empty() {
        let spans = [
            span_of(0, 11_000, "alive"),
            span_of(51_000, 51_001, "dead"),
            span_of(200_000, 300_000, "dead"),
        ];
        let mut band = Band::default();
        band.update(&spans, WINDOW, SIZE);
        let places: Vec<(f64, f64, f64)> = band
            .pieces
            .iter()
            .map(|(rect, _)| (rect.x, rect.width, rect.y))
            .collect();
        assert_eq!(places, [(0.0, 10.0, 10.0), (50.0, 2.0, 10.0)]);
        let rows = twin(&spans, WINDOW);
        let shares: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.values[0].text.as_str()))
            .collect();
        assert_eq!(
            shares,
            [
                ("alive", "10.0 %"),
                ("dead", "0.0 %"),
                ("unknown", "90.0 %")
            ]
        );
    }
}

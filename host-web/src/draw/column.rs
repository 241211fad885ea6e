//! Many points as few columns of pixels, with their spikes.
//!
//! Source: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", 2014. The first, the
//! last, the lowest and the highest point of each column of pixels draw the same line as all points do.

use crate::draw::{
    shape::Rect,
    time::{Window, millis},
    unit::Axis,
};

/// When, in milliseconds since 1970, and what was measured. What is no number is unknown.
pub type Sample = (u64, f64);

/// The points of one column of pixels: where the line comes in, how far it goes up and down, and where it
/// goes out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Where, to the right.
    pub x: f64,
    /// The height of its first point.
    pub first: f64,
    /// The height of its highest value; at most `bottom`, since heights are counted downwards.
    pub top: f64,
    /// The height of its lowest value.
    pub bottom: f64,
    /// The height of its last point.
    pub last: f64,
    /// Whether a line begins here, because what was before is unknown.
    pub starts: bool,
}

/// How times and values become pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// Where the window is drawn.
    pub plot: Rect,
    /// The time from its left to its right edge.
    pub window: Window,
    /// The values from its lower to its upper edge.
    pub axis: Axis,
}

impl Scale {
    /// Where a moment is, to the right.
    #[must_use]
    pub fn x(&self, at: u64) -> f64 {
        self.plot.x + self.plot.width * self.window.part(at)
    }

    /// Where a value is, downwards.
    #[must_use]
    pub fn y(&self, value: f64) -> f64 {
        self.plot.bottom() - self.plot.height * self.axis.part(value)
    }

    /// The moment at a place, within the window.
    #[must_use]
    pub fn time(&self, x: f64) -> u64 {
        self.window.at((x - self.plot.x) / self.plot.width.max(1.0))
    }
}

/// The points that a window shows: those in it, and the next one to each side, to which lines lead.
#[must_use]
pub fn shown(points: &[Sample], window: Window) -> &[Sample] {
    let from = points.partition_point(|(at, _)| *at < window.from);
    let until = points.partition_point(|(at, _)| *at <= window.until);
    let range = from.saturating_sub(1)..until.saturating_add(1).min(points.len());
    points.get(range).unwrap_or_default()
}

/// Whether nothing was measured between two moments, one of which follows the other. A step may be late by
/// half of itself.
#[must_use]
pub(crate) fn is_gap(before: u64, at: u64, step_ms: u64) -> bool {
    at.saturating_sub(before) > step_ms.saturating_add(step_ms / 2)
}

/// How far apart points usually are: the median, and at least the step of the store. Samples come more
/// seldom than the store could hold, and from a node that is one of many more seldom still.
#[must_use]
pub fn usual_step(points: &[Sample], step_ms: u64) -> u64 {
    let mut apart: Vec<u64> = points
        .iter()
        .zip(points.iter().skip(1))
        .map(|((before, _), (at, _))| at.saturating_sub(*before))
        .collect();
    if apart.is_empty() {
        return step_ms;
    }
    let middle = apart.len() / 2;
    let (_, median, _) = apart.select_nth_unstable(middle);
    (*median).max(step_ms)
}

/// Puts the columns of points, which are in order of time, in place of what is in `columns`. There are at
/// most as many as the plot is pixels wide, and two; the room of `columns` is used again.
pub fn fill(columns: &mut Vec<Column>, points: &[Sample], step_ms: u64, scale: &Scale) {
    columns.clear();
    let mut before: Option<u64> = None;
    for (at, value) in shown(points, scale.window) {
        if !value.is_finite() {
            before = None;
            continue;
        }
        let starts = before.is_none_or(|before| is_gap(before, *at, step_ms));
        before = Some(*at);
        let (x, y) = (scale.x(*at), scale.y(*value));
        match columns.last_mut() {
            // A gap that is narrower than a pixel can't be seen.
            Some(last) if x.floor() <= last.x.floor() => {
                last.top = last.top.min(y);
                last.bottom = last.bottom.max(y);
                last.last = y;
            }
            _ => columns.push(Column {
                x,
                first: y,
                top: y,
                bottom: y,
                last: y,
                starts,
            }),
        }
    }
}

/// The smallest and the largest value that a window shows.
#[must_use]
pub fn extent(points: &[Sample], window: Window) -> Option<(f64, f64)> {
    let values = shown(points, window).iter().map(|(_, value)| *value);
    values
        .filter(|value| value.is_finite())
        .fold(None, |known, value| {
            let (low, high) = known.unwrap_or((value, value));
            Some((f64::min(low, value), f64::max(high, value)))
        })
}

/// The point nearest to a moment, if one is within a step and a half of it.
#[must_use]
pub fn nearest(points: &[Sample], step_ms: u64, at: u64) -> Option<Sample> {
    let after = points.partition_point(|(time, _)| *time < at);
    let far = |(time, _): &Sample| time.abs_diff(at);
    let beside = points.get(after.saturating_sub(1)..points.len().min(after.saturating_add(1)));
    let near = beside
        .unwrap_or_default()
        .iter()
        .min_by_key(|sample| far(sample))?;
    let is_close = millis(far(near)) <= millis(step_ms) * 1.5;
    (is_close && near.1.is_finite()).then_some(*near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::unit::Unit;

    fn scale(width: f64, until: u64) -> Scale {
        Scale {
            plot: Rect {
                x: 10.0,
                y: 0.0,
                width,
                height: 100.0,
            },
            window: Window { from: 0, until },
            axis: Axis::new(Unit::Count, 0.0, 100.0, 5),
        }
    }

    fn columns(points: &[Sample], width: f64, until: u64) -> Vec<Column> {
        let mut columns = Vec::new();
        fill(&mut columns, points, 1_000, &scale(width, until));
        columns
    }

    #[test]
    fn a_spike_of_one_point_among_thousands_is_still_as_high() {
        let mut points: Vec<Sample> = (0..20_000).map(|n| (n * 1_000, 20.0)).collect();
        points[12_345].1 = 90.0;
        points[777].1 = 2.0;
        let columns = columns(&points, 300.0, 20_000_000);
        assert!(columns.len() <= 302, "{}", columns.len());
        let tops: Vec<&Column> = columns.iter().filter(|column| column.top < 79.0).collect();
        assert_eq!(tops.len(), 1);
        assert!((tops[0].top - 10.0).abs() < 1e-9 && (tops[0].x - 10.0 - 185.2).abs() < 1.5);
        assert_eq!(
            columns.iter().filter(|column| column.bottom > 97.0).count(),
            1
        );
        assert_eq!(columns.iter().filter(|column| column.starts).count(), 1);
    }

    #[test]
    fn what_is_missing_or_no_number_is_a_gap_and_never_zero() {
        let points = [
            (0, 50.0),
            (1_000, 50.0),
            (5_000, 50.0),
            (6_000, f64::NAN),
            (7_000, 50.0),
            (8_400, 50.0),
        ];
        let columns = columns(&points, 100.0, 10_000);
        let starts: Vec<bool> = columns.iter().map(|column| column.starts).collect();
        assert_eq!(starts, [true, false, true, true, false]);
        assert!(
            columns
                .iter()
                .all(|column| (column.bottom - 50.0).abs() < 1e-9)
        );
    }

    #[test]
    fn points_with_gaps_everywhere_are_no_more_columns_than_pixels() {
        let points: Vec<Sample> = (0..5_000).map(|n| (n * 3_000, 10.0)).collect();
        let columns = columns(&points, 100.0, 15_000_000);
        assert!(columns.len() <= 102 && columns.len() >= 99);
        assert!(columns.iter().all(|column| column.starts));
    }

    #[test]
    fn lines_lead_out_of_the_window_on_both_sides() {
        let points: Vec<Sample> = (0..100).map(|n| (n * 1_000, 1.0)).collect();
        let window = Window {
            from: 10_500,
            until: 20_500,
        };
        let shown = shown(&points, window);
        assert_eq!((shown[0].0, shown[shown.len() - 1].0), (10_000, 21_000));
        assert_eq!(
            extent(
                &points,
                Window {
                    from: 900_000,
                    until: 901_000
                }
            ),
            Some((1.0, 1.0))
        );
        assert_eq!(extent(&[], window), None);
    }

    #[test]
    fn the_nearest_point_counts_only_where_it_is_near() {
        let points = [(1_000, 1.0), (2_000, 2.0), (9_000, 9.0), (10_000, f64::NAN)];
        let at = |at| nearest(&points, 1_000, at).map(|(at, _)| at);
        assert_eq!(at(1_400), Some(1_000));
        assert_eq!(at(1_600), Some(2_000));
        assert_eq!(at(5_000), None);
        assert_eq!(at(7_600), Some(9_000));
        assert_eq!(at(10_000), None);
        assert_eq!(at(0), Some(1_000));
    }

    #[test]
    fn points_each_five_seconds_in_slots_of_one_are_no_gaps() {
        let steady: Vec<Sample> = (0..50).map(|n| (n * 5_000, 1.0)).collect();
        assert_eq!(usual_step(&steady, 1_000), 5_000);
        let mut with_gap = steady.clone();
        with_gap.drain(20..40);
        assert_eq!(usual_step(&with_gap, 1_000), 5_000, "a gap stays one");
        assert_eq!(usual_step(&steady, 10_000), 10_000);
        assert_eq!(usual_step(&steady[..1], 1_000), 1_000);
    }
}

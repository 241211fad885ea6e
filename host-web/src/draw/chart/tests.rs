//! What charts promise.

use super::{
    layout::Layout,
    model::{
        Anomaly, Chart, Event, Expected, Level, MARKS_MAX, SERIES_MAX, Series, Threshold, Words,
    },
};
use crate::draw::{
    column::Sample,
    shape::{Point, Size},
    time::Window,
    unit::Unit,
};
use sporenet_core::node::snapshot::Severity;

const SIZE: Size = Size {
    width: 500.0,
    height: 200.0,
};
const START: u64 = 1_764_460_800_000;
const NOW: u64 = START + 600_000;

/// A point each second for ten minutes.
fn points() -> Vec<Sample> {
    (0..600)
        .map(|n| {
            (
                START + n * 1_000,
                40.0 + f64::from(u32::try_from(n).unwrap() % 7),
            )
        })
        .collect()
}

fn chart<'a>(series: &'a [Series<'a>]) -> Chart<'a> {
    Chart {
        unit: Unit::Millis,
        window: Window {
            from: START,
            until: NOW,
        },
        offset: |_| 60,
        words: &Words::ENGLISH,
        series,
        forecast: &[],
        thresholds: &[],
        events: &[],
        anomalies: None,
        dry_run: &[],
    }
}

fn series<'a>(name: &'a str, points: &'a [Sample]) -> Series<'a> {
    Series {
        name,
        points,
        step_ms: 1_000,
    }
}

fn laid_out(chart: &Chart<'_>) -> Layout {
    let mut layout = Layout::default();
    layout.update(chart, SIZE, NOW);
    layout
}

#[test]
fn everything_is_within_the_picture() {
    let points = points();
    let series = [series("latency", &points)];
    let anomalies = [Anomaly {
        window: Window {
            from: START - 5,
            until: START + 9_000,
        },
        strength: 7.0,
    }];
    let expected = |at, mean| Expected {
        at,
        mean,
        low: mean - 10.0,
        high: mean + 10.0,
    };
    let forecast = [expected(NOW, 43.0), expected(NOW + 60_000, 60.0)];
    let chart = Chart {
        window: Window {
            from: START,
            until: NOW + 120_000,
        },
        forecast: &forecast,
        thresholds: &[Threshold {
            value: 120.0,
            level: Level::Critical,
        }],
        anomalies: Some(&anomalies),
        dry_run: &[Window {
            from: START + 10_000,
            until: START + 10_001,
        }],
        ..chart(&series)
    };
    let layout = laid_out(&chart);
    let plot = layout.scale.plot;
    let inside = |x: f64, y: f64| {
        (plot.x - 0.1..=plot.right() + 0.1).contains(&x)
            && (plot.y - 0.1..=plot.bottom() + 0.1).contains(&y)
    };
    assert!(plot.x > 0.0 && plot.right() < SIZE.width && plot.bottom() < SIZE.height);
    let columns = &layout.lines[0].columns;
    assert!(columns.len() > 200);
    assert!(
        columns
            .iter()
            .all(|c| inside(c.x, c.top) && inside(c.x, c.bottom))
    );
    assert!(
        layout
            .band
            .iter()
            .chain(&layout.mean)
            .all(|p| inside(p.x, p.y))
    );
    assert_eq!((layout.band.len(), layout.mean.len()), (4, 2));
    assert!(layout.now.is_some_and(|x| x > plot.x && x < plot.right()));
    assert!(inside(plot.x, layout.thresholds[0].y.unwrap()));
    assert!(layout.thresholds[0].label.is_some());
    let lane = layout.lane.unwrap();
    assert!(lane.bottom() < SIZE.height && lane.y >= plot.bottom());
    let unusual = layout.anomalies[0];
    assert!((unusual.rect.x - plot.x).abs() < 0.1 && unusual.strength <= 1.0);
    assert!((layout.dry_run[0].width - 2.0).abs() < 0.1);
    assert!(layout.times.iter().all(|label| label.at.y < SIZE.height));
}

#[test]
fn a_threshold_far_above_all_values_is_told_at_the_edge_and_presses_no_line_flat() {
    let points = points();
    let series = [series("latency", &points)];
    let at = |value, level| Threshold { value, level };
    let chart = Chart {
        thresholds: &[
            at(60.0, Level::Warn),
            at(500.0, Level::Warn),
            at(1_000.0, Level::Critical),
        ],
        ..chart(&series)
    };
    let layout = laid_out(&chart);
    assert!(layout.scale.axis.high <= 100.0, "{:?}", layout.scale.axis);
    let told: Vec<(bool, Option<&str>)> = layout
        .thresholds
        .iter()
        .map(|rule| {
            let label = rule.label.as_ref().map(|label| label.text.as_str());
            (rule.y.is_some(), label)
        })
        .collect();
    assert_eq!(
        told,
        [
            (true, Some("warn 60\u{a0}ms")),
            (false, Some("↑ warn 500\u{a0}ms")),
            (false, None)
        ]
    );
}

#[test]
fn a_text_that_would_cover_values_is_left_out() {
    let chart = Chart {
        thresholds: &[Threshold {
            value: 250.0,
            level: Level::Critical,
        }],
        ..chart(&[])
    };
    let mut narrow = Layout::default();
    let size = Size {
        width: 100.0,
        ..SIZE
    };
    narrow.update(&chart, size, NOW);
    assert_eq!(narrow.thresholds[0].label, None);
    assert!(narrow.note.is_none_or(|note| note.text == "–"));
}

#[test]
fn a_layout_that_is_used_again_is_as_a_new_one() {
    let points = points();
    let many = [series("a", &points), series("b", &points[100..300])];
    let few = [series("a", &points[..50])];
    let event = Event {
        at: START + 9_000,
        severity: Severity::Warn,
        text: "late",
    };
    let rich = Chart {
        events: &[event],
        anomalies: Some(&[]),
        ..chart(&many)
    };
    let mut layout = laid_out(&rich);
    layout.update(&chart(&few), SIZE, NOW);
    assert_eq!(
        format!("{layout:?}"),
        format!("{:?}", laid_out(&chart(&few)))
    );
}

#[test]
fn any_chart_has_a_layout_even_an_empty_one_in_no_room() {
    let points = [(5, f64::NAN), (6, f64::INFINITY), (3, 1.0)];
    let odd = [series("odd", &points), series("none", &[])];
    for series in [&odd[..], &[]] {
        for (width, height) in [(0.0, 0.0), (1.0, 1.0), (80.0, 60.0), (9_000.0, 3.0)] {
            for (from, until) in [(0, 0), (10, 0), (0, u64::MAX)] {
                let chart = Chart {
                    window: Window { from, until },
                    anomalies: Some(&[]),
                    ..chart(series)
                };
                let mut layout = Layout::default();
                layout.update(&chart, Size { width, height }, NOW);
                assert!(layout.scale.plot.width >= 1.0 && layout.scale.plot.height >= 1.0);
                assert!(layout.values.iter().all(|label| label.at.y.is_finite()));
                let columns = layout.lines.iter().flat_map(|line| &line.columns);
                assert!(
                    columns
                        .into_iter()
                        .all(|c| c.x.is_finite() && c.top.is_finite())
                );
                assert_eq!(chart.twin().len(), series.len());
            }
        }
    }
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let points = points();
    let series: Vec<Series<'_>> = (0..SERIES_MAX + 3).map(|_| series("x", &points)).collect();
    let event = Event {
        at: START + 1,
        severity: Severity::Info,
        text: "x",
    };
    let events = vec![event; MARKS_MAX + 5];
    let layout = laid_out(&Chart {
        events: &events,
        ..chart(&series)
    });
    assert_eq!(
        (layout.lines.len(), layout.events.len()),
        (SERIES_MAX, MARKS_MAX)
    );
    assert_eq!(layout.left_out, 8);
    assert_eq!(layout.note, None);
    assert!(
        laid_out(&chart(&[])).note.is_some(),
        "an empty chart says so"
    );
}

#[test]
fn the_cursor_finds_the_same_moment_in_charts_of_any_size() {
    let points = points();
    let series = [series("latency", &points)];
    let chart = chart(&series);
    let (wide, mut narrow) = (laid_out(&chart), Layout::default());
    narrow.update(
        &chart,
        Size {
            width: 200.0,
            height: 90.0,
        },
        NOW,
    );
    let at = narrow.moment_at(Point { x: 120.0, y: 50.0 }).unwrap();
    let readout = wide.readout(&chart, at).unwrap();
    assert!(
        wide.moment_at(Point {
            x: readout.x,
            y: 0.0
        })
        .unwrap()
        .abs_diff(at)
            <= 1
    );
    assert_eq!(wide.moment_at(Point { x: 1.0, y: 50.0 }), None);
    assert_eq!(wide.readout(&chart, START - 1), None);
}

#[test]
fn the_cursor_reads_the_nearest_values_and_says_where_they_are_unknown() {
    let points = points();
    let series = [series("here", &points), series("gone", &points[..100])];
    let event = |at, severity, text| Event { at, severity, text };
    let at = START + 300_200;
    let events = [
        event(at + 100, Severity::Info, "a tab joined"),
        event(at, Severity::Error, "a relay died"),
        event(at + 90_000, Severity::Error, "elsewhere"),
    ];
    let chart = Chart {
        events: &events,
        ..chart(&series)
    };
    let layout = laid_out(&chart);
    let readout = layout.readout(&chart, at).unwrap();
    let texts: Vec<&str> = readout.readings.iter().map(|r| r.text.as_str()).collect();
    // 300 seconds in: 40 + 300 % 7.
    assert_eq!(texts, ["46\u{a0}ms", "unknown"]);
    assert_eq!(readout.events, ["a relay died", "a tab joined"]);
    assert_eq!(readout.moment, "30 Nov 01:05:00");
    let dot = readout.readings[0].at.unwrap();
    assert!((dot.x - layout.scale.x(START + 300_000)).abs() < 1e-9);
    assert!((dot.y - layout.scale.y(46.0)).abs() < 1e-9);
    assert_eq!(readout.readings[1].at, None);
}

#[test]
fn a_brush_is_a_span_of_time_in_either_direction() {
    let chart = chart(&[]);
    let layout = laid_out(&chart);
    let plot = layout.scale.plot;
    let (a, b) = (plot.x + plot.width * 0.25, plot.x + plot.width * 0.75);
    let expected = Window {
        from: START + 150_000,
        until: START + 450_000,
    };
    assert_eq!(layout.brushed(a, b), Some(expected));
    assert_eq!(layout.brushed(b, a), Some(expected));
    assert_eq!(layout.brushed(-900.0, 9_000.0), Some(chart.window));
    assert_eq!(layout.brushed(a, a + 3.0), None);
    assert_eq!(layout.brushed(9_000.0, 9_900.0), None);
}

#[test]
fn the_table_says_what_the_chart_says() {
    let points = points();
    let series = [series("latency", &points), series("never", &[])];
    let event = Event {
        at: START + 61_000,
        severity: Severity::Warn,
        text: "late",
    };
    let chart = Chart {
        window: Window {
            from: START + 10_000,
            until: START + 16_000,
        },
        thresholds: &[Threshold {
            value: 250.0,
            level: Level::Warn,
        }],
        events: &[event],
        ..chart(&series)
    };
    let rows = chart.twin();
    let texts = |row: usize| {
        let values = rows[row].values.iter();
        values
            .map(|value| (value.label, value.text.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts(0),
        [
            ("when", "30 Nov 01:00:16"),
            ("latest", "42\u{a0}ms"),
            ("lowest", "40\u{a0}ms"),
            ("highest", "46\u{a0}ms"),
            ("mean", "43\u{a0}ms")
        ]
    );
    assert!(texts(1).iter().all(|(_, text)| *text == "unknown"));
    assert_eq!(rows[2].name, "warn at 250\u{a0}ms");
    assert_eq!(rows.len(), 3, "the event is outside of the window");
}

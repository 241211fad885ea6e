//! A rule that is only tried out, over what was measured: which series are drawn, and when it would have fired.

use crate::draw::{
    chart::{marks, model::Threshold},
    time::Window,
};
use core::cmp::Reverse;
use sporenet_core::{node::alert_views::DryRun, observe::alerts::rule::Rule};
use std::collections::BTreeMap;

/// The most series that are drawn.
const LINES_MAX: usize = 6;
/// The most spans that are drawn. Where there are more, those that are near to each other are one.
const SPANS_MAX: u64 = 200;
/// The longest window, in milliseconds: a series is kept for two days.
const WINDOW_MAX: u64 = 172_800_000;

/// What is drawn of a rule that is tried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// From the first measurement until now, at most two days.
    pub window: Window,
    /// The series for which it would have fired, the worst first, at most 6: beyond the second threshold before
    /// beyond the first only, then the longest. If it would never have fired, this node's own.
    pub lines: Vec<Judged>,
    /// Whether the rule judges several series of a node.
    pub is_of_several: bool,
    /// How many more series it would have fired for.
    pub left_out: usize,
    /// The thresholds of the tried rule, in the unit of the series.
    pub thresholds: Vec<Threshold>,
    /// When it would have fired for any of the lines: in order of time, without overlaps, at most 200.
    pub fired: Vec<Window>,
}

/// A series that a rule judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whose.
    pub node: String,
    /// What people call that node; `None` for this node's own.
    pub node_name: Option<String>,
    /// The series' name in the store.
    pub series: String,
}

/// How bad it would have been: whether beyond the second threshold, and for how long in milliseconds.
#[derive(Default)]
struct Badness<'a> {
    is_critical: bool,
    lasted_ms: u64,
    node_name: &'a str,
}

impl Trial {
    /// What is drawn of a dry run that ended now, in milliseconds since 1970, on the node `own`. `None` if
    /// nothing was measured, or if no history is kept of what the rule judges.
    #[must_use]
    pub fn of(run: &DryRun, now: u64, own: &str) -> Option<Self> {
        let rule: Rule = run.rule.parse().ok()?;
        let series = rule.metric.series();
        let first = series.first()?;
        let window = Window {
            from: run.from_ms?.max(now.saturating_sub(WINDOW_MAX)),
            until: now,
        };
        let (lines, left_out) = lines(run, now);
        let fired = fired(run, &lines, window);
        let lines = if lines.is_empty() {
            own_lines(&rule, own)
        } else {
            lines
        };
        Some(Self {
            window,
            lines,
            is_of_several: series.len() > 1,
            left_out,
            thresholds: marks::of_tried(&rule, first.name()),
            fired,
        })
    }
}

/// The worst series, and how many there are besides.
fn lines(run: &DryRun, now: u64) -> (Vec<Judged>, usize) {
    let mut found: BTreeMap<(&str, &str), Badness<'_>> = BTreeMap::new();
    for time in &run.times {
        let badness = found.entry((&time.node, &time.series)).or_default();
        let lasted = time.ended_ms.unwrap_or(now).saturating_sub(time.since_ms);
        badness.is_critical |= time.critical;
        badness.lasted_ms = badness.lasted_ms.saturating_add(lasted);
        badness.node_name = &time.node_name;
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, badness)| Reverse((badness.is_critical, badness.lasted_ms)));
    let left_out = found.len().saturating_sub(LINES_MAX);
    let worst = found.into_iter().take(LINES_MAX);
    let lines = worst.map(|((node, series), badness)| Judged {
        node: node.into(),
        node_name: Some(badness.node_name.into()),
        series: series.into(),
    });
    (lines.collect(), left_out)
}

fn own_lines(rule: &Rule, own: &str) -> Vec<Judged> {
    let series = rule.metric.series().iter().take(LINES_MAX);
    let lines = series.map(|one| Judged {
        node: own.into(),
        node_name: None,
        series: one.name().into(),
    });
    lines.collect()
}

fn fired(run: &DryRun, lines: &[Judged], window: Window) -> Vec<Window> {
    let is_drawn = |node: &str, series: &str| {
        let mut lines = lines.iter();
        lines.any(|line| line.node == node && line.series == series)
    };
    let drawn = run
        .times
        .iter()
        .filter(|time| is_drawn(&time.node, &time.series));
    let drawn = drawn.map(|time| Window {
        from: time.since_ms.max(window.from),
        until: time.ended_ms.unwrap_or(window.until),
    });
    let mut spans: Vec<Window> = drawn.filter(|span| span.from <= span.until).collect();
    spans.sort_by_key(|span| span.from);
    let spans = joined(spans, 0);
    if u64::try_from(spans.len()).unwrap_or(u64::MAX) <= SPANS_MAX {
        return spans;
    }
    // Gaps that are longer than this part of the window are fewer than there are parts.
    let gap = window.span().div_ceil(SPANS_MAX - 1);
    joined(spans, gap)
}

/// Spans in order of time, where those with at most so long a gap between them are one.
fn joined(spans: Vec<Window>, gap_ms: u64) -> Vec<Window> {
    let mut all: Vec<Window> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if span.from <= last.until.saturating_add(gap_ms) => {
                last.until = last.until.max(span.until);
            }
            Some(_) | None => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::chart::model::Level;
    use sporenet_core::node::alert_views::DryAlert;

    const HOUR: u64 = 3_600_000;
    const NOW: u64 = 1_764_460_800_000;
    const LATENCY: &str = "latency above 50 90";

    /// A time in which a node's series would have fired, from and until so many milliseconds ago.
    fn time(node: &str, series: &str, ago: (u64, Option<u64>), critical: bool) -> DryAlert {
        DryAlert {
            node: node.into(),
            node_name: node.to_uppercase(),
            series: series.into(),
            since_ms: NOW - ago.0,
            ended_ms: ago.1.map(|ago| NOW - ago),
            critical,
        }
    }

    fn run(rule: &str, times: Vec<DryAlert>) -> DryRun {
        DryRun {
            rule: rule.into(),
            fired: u32::try_from(times.len()).unwrap(),
            from_ms: Some(NOW - 40 * HOUR),
            times,
        }
    }

    fn drawn(trial: &Trial) -> Vec<(&str, &str)> {
        let lines = trial.lines.iter();
        lines.map(|line| (&*line.node, &*line.series)).collect()
    }

    fn ago(trial: &Trial) -> Vec<(u64, u64)> {
        let fired = trial.fired.iter();
        let ago = |span: &Window| (NOW - span.from, NOW - span.until);
        fired.map(ago).collect()
    }

    #[test]
    fn the_worst_series_are_drawn_with_the_times_in_which_they_would_have_fired() {
        let short = |node: &str, hour: u64| {
            let span = (hour * HOUR, Some(hour * HOUR - 60_000 * hour));
            time(node, "latency", span, false)
        };
        let mut times: Vec<DryAlert> = ["a", "b", "c", "d", "e", "f"]
            .into_iter()
            .zip(2..)
            .map(|(node, hour)| short(node, hour))
            .collect();
        times.push(time("brief", "latency", (HOUR, Some(HOUR - 1)), true));
        times.push(time("long", "latency", (30 * HOUR, None), false));
        let trial = Trial::of(&run(LATENCY, times), NOW, "me").unwrap();
        let nodes: Vec<&str> = trial.lines.iter().map(|line| &*line.node).collect();
        assert_eq!(nodes, ["brief", "long", "f", "e", "d", "c"]);
        assert_eq!(trial.lines[0].node_name.as_deref(), Some("BRIEF"));
        assert_eq!(trial.left_out, 2);
        assert_eq!(ago(&trial), [(30 * HOUR, 0)]);
        assert_eq!(trial.window.from, NOW - 40 * HOUR);
    }

    #[test]
    fn spans_are_those_of_the_lines_and_overlap_nowhere() {
        let mut times = vec![
            time("a", "cpu", (9 * HOUR, Some(7 * HOUR)), true),
            time("b", "disk", (8 * HOUR, Some(6 * HOUR)), true),
            time("a", "cpu", (3 * HOUR, Some(2 * HOUR)), false),
        ];
        let left = ["c", "d", "e", "f", "g"].map(|node| {
            // As critical and shorter: of these one has no place.
            time(node, "memory", (20 * HOUR, Some(20 * HOUR - 9)), true)
        });
        times.extend(left);
        let trial = Trial::of(&run("resource_usage above 80 95", times), NOW, "me").unwrap();
        assert_eq!(drawn(&trial)[..2], [("a", "cpu"), ("b", "disk")]);
        assert_eq!((trial.lines.len(), trial.left_out), (6, 1));
        let spans = [
            (20 * HOUR, 20 * HOUR - 9),
            (9 * HOUR, 6 * HOUR),
            (3 * HOUR, 2 * HOUR),
        ];
        assert_eq!(ago(&trial), spans);
    }

    #[test]
    fn a_rule_that_would_never_have_fired_is_drawn_over_this_nodes_own_series() {
        let trial = Trial::of(&run("resource_usage above 80 95", vec![]), NOW, "me").unwrap();
        let own = ["cpu", "memory", "disk", "descriptors"].map(|series| ("me", series));
        assert_eq!(drawn(&trial), own);
        assert!(trial.lines.iter().all(|line| line.node_name.is_none()));
        assert_eq!((trial.left_out, trial.fired), (0, vec![]));
    }

    #[test]
    fn thresholds_are_those_of_the_tried_rule_in_the_unit_of_its_series() {
        let told = |rule: &str| {
            let trial = Trial::of(&run(rule, vec![]), NOW, "me").unwrap();
            let told = trial.thresholds.iter().map(|one| (one.value, one.level));
            told.collect::<Vec<_>>()
        };
        let (warn, critical) = (Level::Warn, Level::Critical);
        assert_eq!(told(LATENCY), [(50.0, warn), (90.0, critical)]);
        // A share in the rule, percent in the series.
        assert_eq!(
            told("error_rate above 0.05 0.2"),
            [(5.0, warn), (20.0, critical)]
        );
        assert_eq!(told("resource_usage above - 95"), [(95.0, critical)]);
    }

    #[test]
    fn what_was_never_measured_or_is_not_kept_is_not_drawn() {
        let nothing = DryRun {
            from_ms: None,
            ..run(LATENCY, vec![])
        };
        assert_eq!(Trial::of(&nothing, NOW, "me"), None);
        assert_eq!(
            Trial::of(&run("unreachable above - 1", vec![]), NOW, "me"),
            None
        );
        assert_eq!(Trial::of(&run("this is no rule", vec![]), NOW, "me"), None);
    }

    #[test]
    fn a_window_is_at_most_two_days_and_many_spans_are_bounded() {
        // Three times each half hour, and once long before.
        let minutes = (0..96_u64).flat_map(|half| [1, 3, 5].map(|minute| half * 30 + minute));
        let mut often: Vec<DryAlert> = minutes
            .map(|minute| {
                let at = minute * 60_000;
                time("a", "latency", (at, Some(at - 20_000)), false)
            })
            .collect();
        often.push(time("a", "latency", (80 * HOUR, Some(79 * HOUR)), false));
        let all = DryRun {
            from_ms: Some(NOW - 90 * HOUR),
            ..run(LATENCY, often)
        };
        let trial = Trial::of(&all, NOW, "me").unwrap();
        assert_eq!(trial.window.from, NOW - 48 * HOUR);
        assert_eq!(trial.fired.len(), 96);
        assert_eq!(ago(&trial)[95], (5 * 60_000, 40_000));
    }
}

//! What is drawn around series: the thresholds of rules, and when something was unusual.

use crate::draw::{
    chart::model::{Anomaly, Level, Threshold},
    column::Sample,
    time::Window,
};
use sporenet_core::observe::alerts::rule::{Metric, Rule};

/// What stands before the name of a rule among the settings.
const RULE: &str = "rule.";
/// The most thresholds of a chart.
const THRESHOLDS_MAX: usize = 6;

/// The thresholds of the rules in force that judge a series, the lowest first, at most 6. The settings are
/// names with values; a rule that is switched off, or that can't be read, has none.
pub fn thresholds<'a>(
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    series: &str,
) -> Vec<Threshold> {
    let rules = settings
        .into_iter()
        .filter(|(name, _)| name.starts_with(RULE))
        .filter_map(|(_, value)| value.parse::<Rule>().ok())
        .filter_map(|rule| Some((rule, factor(rule.metric, series)?)));
    let mut found: Vec<Threshold> = rules
        .flat_map(|(rule, factor)| of_rule(&rule, factor))
        .collect();
    found.sort_by(|a, b| a.value.total_cmp(&b.value));
    found.dedup();
    found.truncate(THRESHOLDS_MAX);
    found
}

/// The thresholds of one rule in the unit of a series, the first before the second; none if it judges another
/// series.
#[must_use]
pub fn of_tried(rule: &Rule, series: &str) -> Vec<Threshold> {
    factor(rule.metric, series).map_or_else(Vec::new, |factor| of_rule(rule, factor))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rule's thresholds are exact floats"
)]
fn of_rule(rule: &Rule, factor: f64) -> Vec<Threshold> {
    let levels = [
        (rule.warn_milli, Level::Warn),
        (rule.critical_milli, Level::Critical),
    ];
    let there = levels
        .into_iter()
        .filter_map(|(milli, level)| Some((milli?, level)));
    there
        .map(|(milli, level)| Threshold {
            value: milli as f64 / 1_000.0 * factor,
            level,
        })
        .collect()
}

/// What a metric's values are multiplied by to be those of a series; `None` if it judges another one.
fn factor(metric: Metric, series: &str) -> Option<f64> {
    let is_kept = metric.series().iter().any(|one| one.name() == series);
    let is_health = metric == Metric::NodeHealth && ["health", "lowest_health"].contains(&series);
    // A share in rules, percent in these charts.
    let is_percent = metric == Metric::ErrorRate || series == "lowest_health";
    let factor = if is_percent { 100.0 } else { 1.0 };
    (is_kept || is_health).then_some(factor)
}

/// Strengths over time, from 0 to 1, as at most so many spans in order, each as strong as its strongest
/// moment; calm times are left out. Each moment stands for `step_ms`.
#[must_use]
pub fn unusual(
    strengths: &[Sample],
    step_ms: u64,
    window: Window,
    spans_max: usize,
) -> Vec<Anomaly> {
    let parts = u64::try_from(spans_max.max(1)).unwrap_or(1);
    let part = window.span().div_ceil(parts).max(step_ms).max(1);
    let mut spans: Vec<Anomaly> = Vec::new();
    for (at, strength) in strengths {
        if !(window.from..window.until).contains(at) || strength.is_nan() || *strength <= 0.0 {
            continue;
        }
        let from = at.saturating_sub((at - window.from) % part);
        match spans.last_mut() {
            Some(last) if last.window.from == from => last.strength = last.strength.max(*strength),
            _ => spans.push(Anomaly {
                window: Window {
                    from,
                    until: from.saturating_add(part),
                },
                strength: *strength,
            }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &[(&str, &str)], series: &str) -> Vec<(f64, Level)> {
        let found = thresholds(settings.iter().copied(), series);
        found.iter().map(|one| (one.value, one.level)).collect()
    }

    #[test]
    fn the_rules_in_force_are_lines_in_the_units_of_their_series() {
        let settings = [
            ("rule.error-rate", "error_rate above 0.05 0.1 for 10s"),
            ("rule.resource-usage", "resource_usage above 80 95 for 10s"),
            ("rule.cpu", "cpu above 90 - for 10s"),
            ("rule.health", "node_health below 0.5 0.3 for 10s"),
            ("alerts.keep", "cpu above 1 2"),
            ("rule.memory", "off"),
            ("rule.loop", "this is no rule"),
        ];
        let (warn, critical) = (Level::Warn, Level::Critical);
        assert_eq!(
            told(&settings, "error_rate"),
            [(5.0, warn), (10.0, critical)]
        );
        assert_eq!(
            told(&settings, "cpu"),
            [(80.0, warn), (90.0, warn), (95.0, critical)]
        );
        assert_eq!(told(&settings, "memory"), [(80.0, warn), (95.0, critical)]);
        assert_eq!(told(&settings, "latency"), []);
        assert_eq!(told(&settings, "health"), [(0.3, critical), (0.5, warn)]);
        assert_eq!(
            told(&settings, "lowest_health"),
            [(30.0, critical), (50.0, warn)]
        );
    }

    #[test]
    fn rules_that_are_the_same_are_one_line_and_many_are_bounded() {
        let same = [("rule.a", "cpu above 5 9"), ("rule.b", "cpu above 5 9")];
        assert_eq!(told(&same, "cpu").len(), 2);
        let texts: Vec<String> = (0..50).map(|n| format!("cpu above {n} 90")).collect();
        let many: Vec<(&str, &str)> = texts.iter().map(|text| ("rule.x", &**text)).collect();
        assert_eq!(told(&many, "cpu").len(), THRESHOLDS_MAX);
    }

    #[test]
    fn hours_of_strengths_are_few_spans_that_keep_the_strongest() {
        let odd = |n: u64| if n % 90 == 7 { 0.9 } else { 0.0 };
        let strengths: Vec<Sample> = (0..720).map(|n| (n * 10_000, odd(n))).collect();
        let window = Window {
            from: 0,
            until: 7_200_000,
        };
        let spans = unusual(&strengths, 10_000, window, 200);
        assert_eq!(spans.len(), 8);
        assert!(spans.iter().all(|span| (span.strength - 0.9).abs() < 1e-9));
        assert!(spans[0].window.contains(70_000));
        let all: Vec<Sample> = (0..720).map(|n| (n * 10_000, 0.1)).collect();
        assert!(unusual(&all, 10_000, window, 200).len() <= 200);
        let later = Window {
            from: 9_000_000,
            until: 9_900_000,
        };
        assert_eq!(unusual(&all, 10_000, later, 9), []);
        assert_eq!(unusual(&[(1, f64::NAN)], 10_000, window, 9), []);
    }
}

//! What watching a node's own series promises.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::*;

const SECOND_MS: u64 = 1_000;

/// Something between 0 and 1 that repeats, and is no wave.
fn noise(step: u64) -> f64 {
    f64::from(u32::try_from(step * 7_919 % 101).unwrap()) / 101.0
}

fn told(watch: &mut Watch, series: Series, steps: core::ops::Range<u64>, value: f64) -> Vec<Told> {
    let told = steps.flat_map(|step| {
        let at_ms = step * 10 * SECOND_MS;
        watch.observe(series, at_ms, value + noise(step))
    });
    told.collect()
}

#[test]
fn a_finding_is_borne_out_only_by_an_alert_that_follows() {
    for (began, right) in [(601, true), (200, false)] {
        let mut watch = Watch::default();
        assert!(told(&mut watch, Series::Latency, 0..600, 4.0).is_empty());
        let told = told(&mut watch, Series::Latency, 600..603, 90.0);
        assert!(matches!(told[..], [Told::Unusual(_)]), "{told:?}");
        let at_ms = 600 * 10 * SECOND_MS;
        assert!(!watch.is_owing(at_ms + AFTER_MS));
        let later = at_ms + AFTER_MS + 60 * SECOND_MS;
        assert!(watch.is_owing(later));
        watch.settle(later, &[began * 10 * SECOND_MS]);
        let borne_out: Vec<_> = watch.found().map(|found| found.borne_out).collect();
        assert_eq!(borne_out, [Some(right)]);
        let (rights, wrongs, _) = watch.scores();
        assert_eq!((rights, wrongs), (u32::from(right), u32::from(!right)));
        assert!(!watch.is_owing(later), "each is settled once");
    }
}

#[test]
fn what_was_unusual_of_late_is_kept_step_by_step_and_bounded() {
    let mut watch = Watch::default();
    told(&mut watch, Series::Latency, 0..2_000, 4.0);
    told(&mut watch, Series::Latency, 2_000..2_002, 90.0);
    let unusual: Vec<(u64, f64)> = watch.unusual(Series::Latency).collect();
    assert_eq!(unusual.len(), 720);
    let (at_ms, strength) = *unusual.last().unwrap();
    assert_eq!(at_ms, 2_000 * 10 * SECOND_MS);
    assert!(strength > 0.5, "{strength}");
    let before = unusual.iter().rev().skip(1).take(300);
    assert!(before.clone().all(|(_, strength)| *strength < 0.7));
    assert!(watch.unusual(Series::Cpu).next().is_none());
}

#[test]
fn forecasts_are_scored_by_what_came() {
    let mut watch = Watch::default();
    for second in 0..3 * 3_600_u64 {
        let value = 20.0 + noise(second / 60);
        watch.observe(Series::Cpu, second * SECOND_MS, value);
    }
    let (at_ms, expected) = watch.expected(Series::Cpu, 600_000).unwrap();
    assert!((20.0..21.0).contains(&expected.value), "{expected:?}");
    assert!(at_ms > 3 * 3_600 * SECOND_MS);
    let scored = watch.scored(Series::Cpu).unwrap();
    let hits: u32 = scored.iter().map(|scored| scored.hits).sum();
    let misses: u32 = scored.iter().map(|scored| scored.misses).sum();
    assert!(hits > 100 && misses * 4 < hits, "{hits} and {misses}");
    assert_eq!(watch.full_after(Series::Cpu), None, "it has no end");
}

#[test]
fn findings_are_bounded() {
    let mut watch = Watch::default();
    for at_ms in 0..1_000 {
        watch.keep(at_ms, Told::Together(Vec::new()));
    }
    assert_eq!(watch.found().count(), FINDINGS_MAX);
}

#[test]
fn series_that_never_stood_like_this_together_are_found_and_named() {
    let mut watch = Watch::default();
    let mut told = Vec::new();
    // Processors and messages rise and fall together, for two and a half hours.
    for step in 0..900_u64 {
        let busy = (step / 12).is_multiple_of(2);
        // Then much is done for hardly any message.
        let messages = if step >= 890 { false } else { busy };
        let level = |high: bool| if high { 60.0 } else { 10.0 };
        let at_ms = step * 10 * SECOND_MS;
        let cpu = level(busy || step >= 890) + 3.0 * noise(step);
        let messages = level(messages) + 3.0 * noise(step + 50);
        told.extend(watch.observe(Series::Cpu, at_ms, cpu));
        let more = watch.observe(Series::MessagesIn, at_ms, messages);
        let found = more
            .iter()
            .any(|told| matches!(told, Told::Together(named) if named.contains(&Series::Cpu)));
        assert!(step >= 890 || !found, "{step}: {more:?}");
        told.extend(more);
    }
    let together = told.iter().filter(|told| matches!(told, Told::Together(_)));
    assert_eq!(together.count(), 1, "{told:?}");
}

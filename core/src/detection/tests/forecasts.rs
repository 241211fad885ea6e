//! Forecasts against series whose future is known.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "minutes and seeds are small; a panic is a failed test"
)]

use crate::detection::forecast::{Config, Forecast, Season, Trend};

/// Evenly spread noise in ±1 from a fixed seed.
fn noise(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    f64::from(u32::try_from(*state >> 32).unwrap()) / f64::from(u32::MAX) * 2.0 - 1.0
}

const MINUTE: u64 = 60_000;

#[test]
fn a_filling_disk_is_full_in_about_three_hours() {
    for seed in 0..50 {
        let mut state = seed;
        let mut disk = Forecast::new(Config::default());
        // 0.1 % a minute, 82 % now, so 18 % are left: 180 minutes.
        for minute in 0..=120_u64 {
            let used = 70.0 + 0.1 * minute as f64 + 0.3 * noise(&mut state);
            assert!(disk.observe(minute * MINUTE, used));
        }
        let full = disk.time_to(100.0).expect("it fills");
        let minutes = full.after_ms / MINUTE;
        assert!((144..=216).contains(&minutes), "seed {seed}: {minutes} min");
        assert!(full.earliest_ms <= full.after_ms);
        assert!(full.earliest_ms <= 180 * MINUTE, "seed {seed}: {full:?}");
        assert!(
            full.latest_ms.is_none_or(|latest| latest >= 180 * MINUTE),
            "seed {seed}: {full:?}"
        );
    }
}

#[test]
fn a_disk_that_is_emptied_is_seen_from_the_other_side() {
    let mut disk = Forecast::new(Config::default());
    for minute in 0..60_u64 {
        disk.observe(minute * MINUTE, 90.0 - minute as f64);
    }
    let empty = disk.time_to(0.0).expect("it empties");
    assert_eq!((empty.after_ms + 500) / MINUTE, 31);
}

#[test]
fn what_does_not_move_reaches_nothing() {
    let mut still = Forecast::new(Config::default());
    for minute in 0..1000 {
        still.observe(minute * MINUTE, 42.0);
    }
    assert_eq!(still.time_to(100.0), None);
    assert_eq!(still.time_to(42.0).map(|reached| reached.after_ms), Some(0));
}

#[test]
fn a_damped_trend_stops_short() {
    let mut damped = Forecast::new(Config {
        trend: Trend::Damped(0.9),
        ..Config::default()
    });
    for minute in 0..100_u64 {
        damped.observe(minute * MINUTE, minute as f64);
    }
    assert_eq!(damped.time_to(1000.0), None);
    assert!(damped.expected(MINUTE).unwrap().value > 97.0);
}

#[test]
fn gaps_do_not_bend_the_line() {
    let mut sparse = Forecast::new(Config::default());
    let mut at = 0;
    for i in 0..200_u64 {
        at += if i % 10 == 9 { 12 } else { 1 };
        sparse.observe(at * MINUTE, 2.0 * at as f64);
    }
    let ahead = sparse.expected(60 * MINUTE).unwrap();
    let truth = 2.0 * (at + 60) as f64;
    assert!(
        (ahead.value - truth).abs() < 10.0,
        "{ahead:?}, in truth {truth}"
    );
}

#[test]
fn about_nine_of_ten_samples_lie_in_the_interval() {
    let mut state = 7;
    let mut series = Forecast::new(Config::default());
    for minute in 0..5000_u64 {
        series.observe(minute * MINUTE, 0.05 * minute as f64 + noise(&mut state));
    }
    let [next, soon, ..] = series.scored();
    for scored in [next, soon] {
        let share = f64::from(scored.hits) / f64::from(scored.hits + scored.misses);
        assert!((0.85..=1.0).contains(&share), "{scored:?}");
        assert!((0.4..0.7).contains(&scored.mae), "{scored:?}");
    }
}

#[test]
fn the_hours_of_a_day_are_told_apart() {
    let mut state = 3;
    let daily = Config {
        season: Season::Daily,
        gain: 0.02,
        ..Config::default()
    };
    let (mut with, mut without) = (Forecast::new(daily), Forecast::new(Config::default()));
    for quarter in 0..96 * 14_u64 {
        let busy = if (9..18).contains(&(quarter / 4 % 24)) {
            50.0
        } else {
            10.0
        };
        let value = busy + noise(&mut state);
        with.observe(quarter * 15 * MINUTE, value);
        without.observe(quarter * 15 * MINUTE, value);
    }
    // Two weeks end at midnight; noon is twelve hours ahead.
    let noon = with.expected(12 * 60 * MINUTE).unwrap().value;
    assert!((noon - 50.0).abs() < 10.0, "{noon}");
    let [.., with] = with.scored();
    let [.., without] = without.scored();
    assert!(with.mae < without.mae / 2.0, "{with:?} against {without:?}");
}

//! What holds for every series.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "minutes and seeds are small; a panic is a failed test"
)]

use crate::detection::{
    change::{ChangePoint, Config as Watch},
    detect::{Detector, Kind, Verdict},
    forecast::{Config, Forecast, Season, Trend},
};
use alloc::vec::Vec;
use proptest::prelude::*;

/// Any finite number, the extremes as often as the ordinary.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
        -100.0..100.0_f64,
        Just(0.0),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(f64::MIN_POSITIVE),
    ]
}

fn bits(verdict: Verdict) -> ([u64; 5], Kind) {
    let Verdict {
        score,
        rarity,
        expected,
        spread,
        deviations,
        kind,
        ..
    } = verdict;
    (
        [score, rarity, expected, spread, deviations].map(f64::to_bits),
        kind,
    )
}

/// Evenly spread noise in 0..1 from a seed.
fn noise(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    f64::from(u32::try_from(*state >> 32).unwrap()) / f64::from(u32::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_verdict_is_in_bounds_whatever_comes(
        samples in prop::collection::vec((any::<u64>(), finite()), 0..600)
    ) {
        let mut detector = Detector::new();
        for (at_ms, value) in samples {
            let verdict = detector.observe(at_ms, value).unwrap();
            prop_assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
            prop_assert!(verdict.rarity >= 0.0 && verdict.rarity.is_finite(), "{verdict:?}");
            prop_assert!(verdict.expected.is_finite(), "{verdict:?}");
            prop_assert!(verdict.spread >= 0.0 && verdict.spread.is_finite(), "{verdict:?}");
            prop_assert!(verdict.deviations.abs() <= 1e9, "{verdict:?}");
        }
    }

    #[test]
    fn the_same_samples_give_the_same_bits_even_after_a_rest_in_bytes(
        samples in prop::collection::vec((0..10_000_000_000_u64, finite()), 1..300),
        pause in 0..300_usize,
    ) {
        let (mut one, mut other) = (Detector::new(), Detector::new());
        for (i, (at_ms, value)) in samples.into_iter().enumerate() {
            if i == pause {
                let bytes = postcard::to_allocvec(&other).unwrap();
                other = postcard::from_bytes(&bytes).unwrap();
            }
            let (a, b) = (one.observe(at_ms, value).unwrap(), other.observe(at_ms, value).unwrap());
            prop_assert_eq!(bits(a), bits(b));
        }
    }

    #[test]
    fn a_state_from_any_bytes_does_not_panic(
        bytes in prop::collection::vec(any::<u8>(), 3000..6000),
        samples in prop::collection::vec((any::<u64>(), finite()), 1..100),
    ) {
        if let Ok(mut detector) = postcard::from_bytes::<Detector>(&bytes) {
            for &(at_ms, value) in &samples {
                let _ = detector.observe(at_ms, value);
            }
        }
        if let Ok(mut forecast) = postcard::from_bytes::<Forecast>(&bytes) {
            for &(at_ms, value) in &samples {
                forecast.observe(at_ms, value);
                let _ = (forecast.time_to(value / 2.0), forecast.expected(at_ms));
            }
        }
    }

    #[test]
    fn a_constant_series_never_alarms(value in finite(), step_ms in 1..7_200_000_u64) {
        let (mut detector, mut watch) = (Detector::new(), ChangePoint::new(Watch::default()));
        for i in 0..3000 {
            let verdict = detector.observe(i * step_ms, value).unwrap();
            prop_assert!(!verdict.is_alarm(), "{i}: {verdict:?}");
            prop_assert_eq!(watch.observe(value), None);
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused_and_changes_nothing(
        samples in prop::collection::vec(finite(), 1..100)
    ) {
        let (mut one, mut other) = (Detector::new(), Detector::new());
        for (i, value) in (0_u64..).zip(samples) {
            for refused in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                prop_assert!(other.observe(i, refused).is_err());
            }
            prop_assert_eq!(
                bits(one.observe(i, value).unwrap()),
                bits(other.observe(i, value).unwrap())
            );
        }
    }

    #[test]
    fn a_step_in_a_noisy_series_is_found_within_twenty_samples(
        seed in any::<u64>(), height in 3.0..50.0_f64, down in any::<bool>(), at in 300..1500_u64,
    ) {
        let mut state = seed;
        let (mut detector, mut watch) = (Detector::new(), ChangePoint::new(Watch::default()));
        let (mut alarmed, mut changed) = (None, None);
        for i in 0..at + 20 {
            let step = if i < at { 0.0 } else if down { -height } else { height };
            let value = 100.0 + noise(&mut state) + step;
            let verdict = detector.observe(i * 300_000, value).unwrap();
            let change = watch.observe(value);
            prop_assert!(i >= at || change.is_none(), "{i}: {change:?}");
            if i >= at {
                alarmed = alarmed.or_else(|| verdict.is_alarm().then_some(i));
                changed = changed.or_else(|| change.map(|_| i));
            }
        }
        prop_assert!(alarmed.is_some(), "the detector has not seen it");
        prop_assert!(changed.is_some(), "the change point has not seen it");
    }

    #[test]
    fn a_forecast_is_a_number_whatever_comes(
        samples in prop::collection::vec((any::<u64>(), finite()), 0..300),
        threshold in finite(), gain in finite(), share in finite(), seasonal in any::<bool>(),
    ) {
        let trend = if share > 0.0 { Trend::Damped(share) } else { Trend::Linear };
        let season = if seasonal { Season::Daily } else { Season::None };
        let mut forecast = Forecast::new(Config { gain, trend, season });
        for (at_ms, value) in samples {
            forecast.observe(at_ms, value);
        }
        for after_ms in [0, 1, 1_000_000, u64::MAX] {
            if let Some(expected) = forecast.expected(after_ms) {
                prop_assert!(!expected.value.is_nan() && expected.within >= 0.0, "{expected:?}");
            }
        }
        if let Some(reached) = forecast.time_to(threshold) {
            prop_assert!(reached.earliest_ms <= reached.after_ms, "{reached:?}");
            prop_assert!(reached.latest_ms.is_none_or(|latest| latest >= reached.after_ms));
        }
    }
}

#[test]
fn even_noise_hardly_alarms() {
    let mut state = 11;
    let mut detector = Detector::new();
    let alarms = (0..20_000_u64).filter(|&i| {
        detector
            .observe(i * 60_000, 50.0 + noise(&mut state))
            .unwrap()
            .is_alarm()
    });
    let alarms: Vec<u64> = alarms.collect();
    assert!(alarms.len() <= 5, "{alarms:?}");
}

#[test]
fn a_change_is_hardly_ever_found_in_noise() {
    let mut state = 5;
    let mut watch = ChangePoint::new(Watch::default());
    let found = (0..200_000)
        .filter(|_| watch.observe(noise(&mut state)).is_some())
        .count();
    assert!(found <= 2, "{found}");
}

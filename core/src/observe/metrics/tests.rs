//! The store against an oracle that keeps every sample.
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use crate::observe::metrics::{Detail, Outcome, Point, Points, Sketch, Store};
use proptest::{prelude::*, test_runner::RngSeed};
use std::{collections::BTreeMap, vec, vec::Vec};

/// The aggregates of `samples` (moment and value, in the order of arrival) that lie in the points of a
/// window, at a given step. The last of a point is not told: it depends on the ring that answered.
fn oracle(samples: &[(u64, f64)], from_ms: u64, to_ms: u64, step_ms: u64) -> Vec<Point> {
    let mut spans: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (at_ms, value) in samples {
        let span = at_ms / step_ms;
        if span >= from_ms / step_ms && span <= to_ms / step_ms {
            spans.entry(span).or_default().push(*value);
        }
    }
    let point = |(span, values): (u64, Vec<f64>)| Point {
        at_ms: span * step_ms,
        min: narrow(values.iter().copied().fold(f64::MAX, f64::min)),
        max: narrow(values.iter().copied().fold(f64::MIN, f64::max)),
        mean: narrow(values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())),
        last: 0.0,
        count: values.len() as u64,
    };
    spans.into_iter().map(point).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the oracle rounds as the store does"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Asserts that the answer is what the oracle says, but for the rounding of sums.
fn assert_same(found: &Points, samples: &[(u64, f64)], from_ms: u64, to_ms: u64) {
    let expected = oracle(samples, from_ms, to_ms, found.step_ms);
    assert_eq!(found.points.len(), expected.len());
    for (found, expected) in found.points.iter().zip(&expected) {
        assert_eq!((found.at_ms, found.count), (expected.at_ms, expected.count));
        assert_eq!(
            (found.min.to_bits(), found.max.to_bits()),
            (expected.min.to_bits(), expected.max.to_bits())
        );
        let scale = found.min.abs().max(found.max.abs()).max(1e-30);
        assert!((found.mean - expected.mean).abs() <= scale * 1e-5);
        assert!(found.min <= found.last && found.last <= found.max);
    }
}

/// So many cases, the same in every run.
pub(super) fn drawn(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x5EED),
        ..ProptestConfig::default()
    }
}

/// How long each ring is, finest first: its step and its slots.
const fn rings(detail: Detail) -> [(u64, u64); 3] {
    match detail {
        Detail::Full => [(1_000, 600), (10_000, 720), (60_000, 2_880)],
        Detail::Coarse => [(10_000, 60), (60_000, 120), (600_000, 288)],
    }
}

fn detail() -> impl Strategy<Value = Detail> {
    prop_oneof![Just(Detail::Full), Just(Detail::Coarse)]
}

/// Steps of time between samples, now and then a gap; how late each is told; and its value.
fn told() -> impl Strategy<Value = Vec<(u64, u64, f64)>> {
    let step =
        prop_oneof![8 => 0..3_000_u64, 3 => 3_000..120_000_u64, 1 => 120_000..20_000_000_u64];
    let late = prop_oneof![6 => Just(0_u64), 1 => 0..60_000_u64];
    let value = prop_oneof![-100.0..100.0, Just(0.0), -1e30..1e30];
    proptest::collection::vec((step, late, value), 1..400)
}

proptest! {
    #![proptest_config(drawn(300))]

    #[test]
    fn within_what_a_ring_promises_nothing_is_lost(
        detail in detail(),
        told in told(),
        ring in 0..3_usize,
        part in 0.0..1.0,
        points_max in 1..3_000_usize,
    ) {
        let mut store = Store::default();
        let mut samples = Vec::new();
        let mut now = 0;
        for (step, late, value) in told {
            now += step;
            // Filled in, since ten late ones in a row would move the clock.
            let at_ms = now.saturating_sub(late);
            let outcome = if late == 0 {
                store.record(&0_u8, detail, at_ms, value)
            } else {
                store.fill_in(&0_u8, detail, at_ms, value)
            };
            prop_assert_eq!(outcome, Outcome::Recorded);
            samples.push((at_ms, value));
        }
        prop_assert_eq!(store.check(), Ok(()));
        let newest = samples.iter().map(|(at_ms, _)| *at_ms).max().unwrap();
        prop_assert_eq!(store.latest(&0).map(|latest| latest.at_ms), Some(newest));

        // A window within what the ring holds at least: it or a finer one answers, exactly.
        let (step_ms, slots) = rings(detail)[ring];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "any whole part will do")]
        let back = (part * (slots - 1) as f64) as u64;
        let from_ms = (newest / step_ms).saturating_sub(back) * step_ms;
        let found = store.query(&0, from_ms, newest, points_max).unwrap();
        prop_assert!(found.points.len() <= points_max);
        if newest / step_ms - from_ms / step_ms < points_max as u64 {
            prop_assert!(found.step_ms <= step_ms);
        }
        if found.step_ms <= step_ms || from_ms.is_multiple_of(found.step_ms) {
            assert_same(&found, &samples, from_ms, newest);
        }
    }

    #[test]
    fn whatever_the_clock_does_what_is_held_is_true_and_bounded(
        detail in detail(),
        moves in proptest::collection::vec((any::<bool>(), clock(), 1..40_u64), 1..30),
    ) {
        let mut store = Store::default();
        let mut samples = Vec::new();
        for (live, start, run) in moves {
            for second in 0..run {
                let at_ms = start.saturating_add(second * 1_000);
                let value = f64::from(u32::try_from(samples.len()).unwrap());
                if live {
                    store.record(&0_u8, detail, at_ms, value);
                } else {
                    store.fill_in(&0_u8, detail, at_ms, value);
                }
                samples.push((at_ms, value));
            }
            // Ten samples are enough for any clock to be believed.
            if live && run > 10 {
                let last = samples.last().unwrap();
                prop_assert_eq!(store.latest(&0).unwrap().at_ms, last.0);
                let found = store.query(&0, last.0, last.0, 1).unwrap();
                prop_assert!(found.points.last().is_some_and(|point| point.max >= narrow(last.1)));
            }
        }
        prop_assert_eq!(store.check(), Ok(()));
        let stats = store.stats();
        prop_assert_eq!(stats.recorded + stats.too_old, samples.len() as u64);
        // No point tells of more than there was.
        let found = store.query(&0, 0, u64::MAX, 1_000_000).unwrap();
        let all = oracle(&samples, 0, u64::MAX - 1, found.step_ms);
        for point in found.points {
            let whole = all.iter().find(|whole| whole.at_ms == point.at_ms).unwrap();
            prop_assert!(point.count <= whole.count);
            prop_assert!(point.min >= whole.min && point.max <= whole.max);
        }
    }

    #[test]
    fn a_store_never_holds_more_than_it_may(
        bytes_max in 0..40_000_u64,
        told in proptest::collection::vec((0..30_u8, 0..5_000_u64, any::<bool>()), 1..600),
    ) {
        let mut store = Store::new(bytes_max);
        let mut now = 0;
        for (key, step, ask) in told {
            now += step;
            let before = store.stats().gave_way;
            store.record(&key, Detail::Coarse, now, 1.0);
            if store.stats().gave_way > before && store.len() > 1 {
                // A little more than it must, so that it need not choose again at once.
                prop_assert!(store.bytes() <= bytes_max - bytes_max / 64);
            }
            if ask {
                store.query(&key, 0, now, 100);
            }
            prop_assert!(store.bytes() <= bytes_max);
        }
        prop_assert_eq!(store.check(), Ok(()));
    }

    #[test]
    fn a_store_that_was_written_and_read_goes_on_as_if_it_had_not(
        detail in detail(),
        before in told(),
        after in told(),
    ) {
        let mut store = Store::new(60_000);
        let mut now = 0;
        feed(&mut store, detail, &mut now, before);
        let bytes = postcard::to_allocvec(&store).unwrap();
        let mut read: Store<u8> = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.check(), Ok(()));
        prop_assert_eq!(&read, &store);
        let mut read_now = now;
        feed(&mut store, detail, &mut now, after.clone());
        feed(&mut read, detail, &mut read_now, after);
        prop_assert_eq!(&read, &store);
    }
}

/// Feeds three series in turn.
fn feed(store: &mut Store<u8>, detail: Detail, now: &mut u64, told: Vec<(u64, u64, f64)>) {
    for (key, (step, late, value)) in (0..3_u8).cycle().zip(told) {
        *now += step;
        store.record(&key, detail, now.saturating_sub(late), value);
    }
}

/// A moment on a clock that may be anywhere.
fn clock() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..1_000_000_u64,
        0..1_000_000_000_u64,
        1_700_000_000_000..1_700_001_000_000_u64,
        Just(u64::MAX),
        any::<u64>(),
    ]
}

#[test]
fn what_is_no_number_or_too_large_is_refused_and_counted() {
    let mut store = Store::default();
    for value in [f64::NAN, f64::INFINITY, -1e39] {
        assert_eq!(
            store.record(&0_u8, Detail::Full, 0, value),
            Outcome::NotFinite
        );
    }
    assert_eq!(
        (store.stats().not_finite, store.len(), store.bytes()),
        (3, 0, 0)
    );
}

#[test]
fn an_unknown_series_has_no_answer_and_an_empty_window_no_points() {
    let mut store = Store::default();
    store.record(&0_u8, Detail::Full, 5_000, 1.0);
    assert_eq!(store.query(&1, 0, 10_000, 10), None);
    assert_eq!(store.latest(&1), None);
    assert_eq!(store.query(&0, 10, 9, 10), Some(Points::default()));
    assert_eq!(store.query(&0, 0, 10_000, 0), Some(Points::default()));
    assert!(store.remove(&0) && !store.remove(&0));
    assert_eq!((store.bytes(), store.is_empty()), (0, true));
}

#[test]
fn the_series_that_is_oldest_and_least_asked_for_gives_way_first() {
    let mut store = Store::new(30_000);
    // Key 0 falls silent; 1 to 9 go on, and 0, 1 and 2 are asked for.
    for at_ms in (0..10_000_000).step_by(10_000) {
        let first = u8::from(at_ms >= 1_000_000);
        for key in first..10_u8 {
            store.record(&key, Detail::Coarse, at_ms, 1.0);
        }
        store.query(&0, 0, at_ms, 10);
        store.query(&2, 0, at_ms, 10);
        store.query(&1, 0, at_ms, 10);
        if store.stats().gave_way > 0 {
            break;
        }
    }
    let left: Vec<u8> = store.series().map(|(key, _)| *key).collect();
    assert_eq!(
        (left, store.stats().gave_way),
        (vec![1, 2, 3, 4, 5, 6, 7, 8, 9], 1)
    );
    // Then those that are alive, but not asked for.
    for at_ms in (10_000_000..30_000_000).step_by(10_000) {
        for key in 1..10_u8 {
            store.record(&key, Detail::Coarse, at_ms, 1.0);
        }
        store.query(&2, 0, at_ms, 10);
        store.query(&1, 0, at_ms, 10);
    }
    let oldest = |key| {
        store
            .peek(&key, 0, 0, 1)
            .is_some_and(|found| !found.points.is_empty())
    };
    assert!(oldest(1) && oldest(2));
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn a_hundred_nodes_with_ten_series_each_fit_well() {
    let mut store: Store<(u16, u8)> = Store::default();
    for at_ms in (0..72 * 3_600_000).step_by(30_000) {
        for node in 0..100 {
            for metric in 0..10 {
                store.record(&(node, metric), Detail::Coarse, at_ms, 1.0);
            }
        }
    }
    assert_eq!(
        (store.len(), store.stats().gave_way, store.check()),
        (1_000, 0, Ok(()))
    );
    assert!(store.bytes() < 13_000_000, "{}", store.bytes());
}

#[test]
fn the_largest_series_take_what_their_documents_say() {
    for (detail, bytes_max) in [(Detail::Full, 93_360), (Detail::Coarse, 12_864)] {
        let mut store = Store::default();
        let mut largest = 0;
        for at_ms in (0..72 * 3_600_000).step_by(500) {
            store.record(&0_u8, detail, at_ms, 1.0);
            largest = store.bytes().max(largest);
        }
        assert_eq!(largest, bytes_max);
    }
}

/// A fixed history, hashed: it fails on a target that adds, divides, rounds or counts otherwise, and
/// when the written form changes.
#[test]
fn the_same_calls_give_the_same_bytes_on_every_target() {
    let mut store = Store::new(200_000);
    let mut sketch = Sketch::new();
    let mut seed = 1_u64;
    for round in 0..200_000_u64 {
        // Knuth's multiplier (MMIX); the upper bits are good enough.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let drawn = seed >> 40;
        let value = f64::from(u32::try_from(drawn).unwrap()) / 3.0;
        let key = u8::try_from(drawn % 20).unwrap();
        let detail = if key == 0 {
            Detail::Full
        } else {
            Detail::Coarse
        };
        store.record(
            &key,
            detail,
            (round * 500).saturating_sub(drawn % 5_000),
            value,
        );
        sketch.add(value);
    }
    assert!(store.stats().gave_way > 0);
    let whole = store.query(&0, 0, 100_000_000, 500);
    let bytes = postcard::to_allocvec(&(store, whole, sketch.quantile(0.9), sketch)).unwrap();
    // FNV-1a.
    let hash = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    });
    assert_eq!(hash, 15_590_895_583_512_319_228);
}

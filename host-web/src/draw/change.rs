//! What changed in a window: the series whose mean differs most from the same time before it.

use crate::draw::{column::Sample, time::Window, unit::Unit};

/// The fewest points on each side; below them nothing can be said.
const POINTS_MIN: usize = 3;
/// How far the mean has to move to be told, in times the usual spread.
const STRENGTH_MIN: f64 = 1.0;
/// The spread is taken for at least this share of the mean: a series that stood still is not surprised by
/// the first digit behind the point.
const SPREAD_SHARE: f64 = 0.02;
/// The most series that are looked at.
const SERIES_MAX: usize = 64;

/// A series that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which, by its place in what was given.
    pub place: usize,
    /// Its mean in as long a time before the window.
    pub before: f64,
    /// Its mean in the window.
    pub now: f64,
    /// How far it moved, in times the usual spread; below 0 downwards.
    pub strength: f64,
}

impl Change {
    /// How many times its mean before it is now; `None` where that says nothing, because either is zero or
    /// below.
    #[must_use]
    pub fn times(&self) -> Option<f64> {
        let is_positive = self.before > 0.0 && self.now > 0.0;
        let times = self.now / self.before;
        (is_positive && times.is_finite()).then_some(times)
    }
}

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// How many series could be compared: they were measured before the window and in it.
    pub compared: usize,
    /// Those that changed, the one that moved farthest first.
    pub changes: Vec<Change>,
}

/// The time before a window, as long as it.
#[must_use]
pub const fn before(window: Window) -> Window {
    let span = window.until.saturating_sub(window.from);
    Window {
        from: window.from.saturating_sub(span),
        until: window.from,
    }
}

/// Ranks series by how far they moved. Each is given with its unit and its points
/// in order of time, over the window and as long before; the first 64 are looked at.
///
/// A series moved by the distance of its two means, divided by its spread before the window: the standard
/// deviation of its points, 2 % of their mean, or a least value of its unit, whichever is more. What moved
/// less than its spread is left out, and so is what has fewer than 3 points on either side: nothing is
/// known of it.
#[must_use]
pub fn ranked(series: &[(Unit, &[Sample])], window: Window) -> Ranking {
    let looked_at = series.iter().take(SERIES_MAX).enumerate();
    let mut changes: Vec<Change> = looked_at
        .filter_map(|(place, (unit, points))| change(place, *unit, points, window))
        .collect();
    let compared = changes.len();
    changes.retain(|change| change.strength.abs() >= STRENGTH_MIN);
    changes.sort_by(|a, b| {
        let by_strength = b.strength.abs().total_cmp(&a.strength.abs());
        by_strength.then(a.place.cmp(&b.place))
    });
    Ranking { compared, changes }
}

fn change(place: usize, unit: Unit, points: &[Sample], window: Window) -> Option<Change> {
    let earlier = before(window);
    let split = |inside: &dyn Fn(u64) -> bool| {
        let inside = points
            .iter()
            .filter(|(at, value)| inside(*at) && value.is_finite());
        inside.map(|(_, value)| *value).collect::<Vec<f64>>()
    };
    // The moment at which the window begins is in the window.
    let old = split(&|at| (earlier.from..earlier.until).contains(&at));
    let new = split(&|at| window.contains(at));
    if old.len() < POINTS_MIN || new.len() < POINTS_MIN {
        return None;
    }
    let (before, now) = (mean(&old), mean(&new));
    let squares: Vec<f64> = old.iter().map(|value| (value - before).powi(2)).collect();
    let least = least(unit).max(before.abs() * SPREAD_SHARE);
    let strength = (now - before) / mean(&squares).sqrt().max(least);
    strength.is_finite().then_some(Change {
        place,
        before,
        now,
        strength,
    })
}

fn mean(values: &[f64]) -> f64 {
    let (sum, count) = values
        .iter()
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / f64::max(count, 1.0)
}

/// What nobody would call a change.
const fn least(unit: Unit) -> f64 {
    match unit {
        Unit::Percent => 0.5,
        Unit::Millis | Unit::PerSecond | Unit::Count => 0.1,
        Unit::Bytes | Unit::BytesPerSecond => 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window {
        from: 600_000,
        until: 1_200_000,
    };

    /// A point each 10 s: one value before the window, another in it, and a swing around both.
    fn points(before: f64, now: f64, swing: f64) -> Vec<Sample> {
        (0..120)
            .map(|n| {
                let base = if n < 60 { before } else { now };
                let side = if n % 2 == 0 { swing } else { -swing };
                (n * 10_000, base + side)
            })
            .collect()
    }

    #[test]
    fn what_moved_farthest_by_its_own_spread_comes_first() {
        let calm = points(10.0, 10.1, 1.0);
        let jumped = points(10.0, 41.0, 1.0);
        let noisy = points(100.0, 160.0, 30.0);
        let fell = points(50.0, 5.0, 2.0);
        let all = [
            (Unit::Percent, &calm[..]),
            (Unit::Percent, &noisy),
            (Unit::Percent, &jumped),
            (Unit::Millis, &fell),
        ];
        let Ranking {
            compared,
            changes: ranked,
        } = ranked(&all, WINDOW);
        assert_eq!(compared, 4);
        let places: Vec<usize> = ranked.iter().map(|change| change.place).collect();
        assert_eq!(places, [2, 3, 1]);
        assert!(
            ranked[0]
                .times()
                .is_some_and(|times| (times - 4.1).abs() < 1e-9)
        );
        assert!(ranked[1].strength < 0.0, "it fell");
    }

    #[test]
    fn what_stood_still_before_needs_more_than_a_digit_to_be_told() {
        let hair = points(50.0, 50.4, 0.0);
        let real = points(0.0, 3.0, 0.0);
        let all = [(Unit::Percent, &hair[..]), (Unit::Count, &real)];
        let ranked = ranked(&all, WINDOW).changes;
        assert_eq!(ranked.len(), 1);
        assert_eq!(
            (ranked[0].place, ranked[0].times()),
            (1, None),
            "zero has no times"
        );
    }

    #[test]
    fn what_is_not_known_on_both_sides_is_left_out() {
        let whole = points(1.0, 90.0, 0.0);
        let gone: Vec<Sample> = whole.iter().map(|(at, _)| (*at, f64::NAN)).collect();
        for short in [&whole[..62], &whole[58..], &[], &gone] {
            assert_eq!(
                ranked(&[(Unit::Percent, short)], WINDOW),
                Ranking::default()
            );
        }
        let many = vec![(Unit::Percent, &whole[..]); 500];
        assert_eq!(ranked(&many, WINDOW).changes.len(), SERIES_MAX, "bounded");
        let wide = Window {
            from: 0,
            until: u64::MAX,
        };
        assert_eq!(ranked(&[(Unit::Percent, &whole)], wide), Ranking::default());
    }
}

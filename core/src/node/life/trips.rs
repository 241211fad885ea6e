//! How long round trips to linked peers took lately, as quantiles: means hide what was slow only once.

use crate::{
    kernel::time::{Duration, Time},
    observe::metrics::Sketch,
    overlay::links,
};
use core::mem;

/// A sketch is filled for so long; quantiles are of it and the one before. Half as long makes the 99th of a
/// hundred the slowest of few; twice as long hides for longer that it is better.
const SPAN: Duration = Duration::from_secs(30);

/// The latest round trip of each path at each look, of the last half minute to minute.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Trips {
    young: Sketch,
    old: Sketch,
    turned_at: Time,
}

impl Trips {
    /// Looks at the paths, about every second.
    pub(super) fn look(&mut self, now: Time, paths: impl Iterator<Item = links::Path>) {
        let age = now.since(self.turned_at);
        if age >= SPAN {
            self.old = mem::take(&mut self.young);
            self.turned_at = now;
        }
        if age >= SPAN * 2 {
            // Nobody looked for long: what was before that says nothing of now.
            self.old = Sketch::new();
        }
        for path in paths {
            self.young.add(1_000_000.0 * path.rtt_last.as_secs_f64());
        }
    }

    /// The median, and what 99 of 100 stay below, in microseconds; `None` where there was no round trip.
    pub(super) fn quantiles_us(&self) -> Option<[u64; 2]> {
        let mut all = self.old.clone();
        all.merge(&self.young);
        Some([whole(percentile(&all, 50)?), whole(percentile(&all, 99)?)])
    }
}

/// The smallest value that so many of a hundred do not exceed. Of fewer than a hundred values the 99th
/// percentile is the largest: a sketch itself would take the one before.
fn percentile(sketch: &Sketch, percent: u32) -> Option<f64> {
    let count = u32::try_from(sketch.count()).ok()?;
    let rank = u64::from(count)
        .saturating_mul(percent.into())
        .div_ceil(100);
    let rank = u32::try_from(rank).ok()?.saturating_sub(1);
    // Half a place more, so that rounding can't lead to the place before.
    let place = f64::from(rank) + 0.5;
    sketch.quantile(place / f64::from(count.saturating_sub(1).max(1)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float keeps to the bounds of the integer"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use crate::kernel::{crypto::Keypair, id::Role};

    fn path(millis: u64) -> links::Path {
        links::Path {
            peer: Keypair::from_seed(&[1; 32]).id(),
            role: Role::Relay,
            rtt: Duration::from_millis(10),
            rtt_last: Duration::from_millis(millis),
            rtt_min: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss_permille: 0,
        }
    }

    #[test]
    fn a_slow_trip_in_fifty_is_seen_at_p99_for_a_minute_and_not_in_the_median() {
        let mut trips = Trips::default();
        assert_eq!(trips.quantiles_us(), None);
        let at = |second: u64| Time::ZERO + Duration::from_secs(second);
        let mut slow_until = 0;
        for second in 60..200 {
            let is_slow = second == 100;
            trips.look(
                at(second),
                [path(if is_slow { 900 } else { 20 })].into_iter(),
            );
            let [median, high] = trips.quantiles_us().unwrap();
            assert!((19_000..21_000).contains(&median), "{median}");
            if high > 500_000 {
                slow_until = second;
            }
        }
        assert!((129..160).contains(&slow_until), "{slow_until}");
        trips.look(at(900), core::iter::empty());
        assert_eq!(trips.quantiles_us(), None, "nobody looked for long");
    }
}

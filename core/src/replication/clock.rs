//! Hybrid logical clocks: stamps that follow the wall clock and never go back.
//!
//! Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks and Consistent
//! Snapshots in Globally Distributed Databases", 2014, section 3 (figure 5).
//!
//! Safety never depends on the wall clock: a wrong one only decides who wins a concurrent write.
//! What a peer stamps too far ahead is kept out by [`Clock::ahead`], so that it can't drag everyone
//! along.

use crate::kernel::{
    planted::{self, Planted},
    time::{Duration, Time, WallTime},
};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A stamp: milliseconds of the wall clock, then a counter for what happens within one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Hlc {
    /// Milliseconds since 1970-01-01 UTC, by the fastest clock seen.
    pub millis: u64,
    /// Tells stamps of one millisecond apart.
    pub counter: u32,
}

impl Hlc {
    /// Before every stamp that a clock gives.
    pub const ZERO: Self = Self {
        millis: 0,
        counter: 0,
    };
    /// After every other stamp.
    pub const MAX: Self = Self {
        millis: u64::MAX,
        counter: u32::MAX,
    };

    /// The stamp right after this one; [`Hlc::MAX`] stays.
    #[must_use]
    pub const fn next(self) -> Self {
        // The counter overflows into the milliseconds, so that stamps keep rising even after a
        // peer's stamp with the greatest counter. Only after `MAX` they do not; `ahead` keeps that
        // one out.
        match (self.counter.checked_add(1), self.millis.checked_add(1)) {
            (Some(counter), _) => Self {
                millis: self.millis,
                counter,
            },
            (None, Some(millis)) => Self { millis, counter: 0 },
            (None, None) => Self::MAX,
        }
    }

    /// Its wall-clock part, for people.
    #[must_use]
    pub const fn wall(self) -> WallTime {
        WallTime::from_millis(self.millis)
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.millis, self.counter)
    }
}

/// A node's clock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Clock {
    /// The stamp that the next one comes after: the latest given or seen, but for those left behind.
    latest: Hlc,
    /// The latest stamp ever given or seen.
    greatest: Hlc,
    /// The last reading of the wall clock, and when it was taken.
    wall: Option<(WallTime, Time)>,
    /// Whether the wall clock is known to be right: it may tell that stamps ran ahead.
    is_trusted: bool,
}

impl Clock {
    /// A clock that knows no wall time yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            latest: Hlc::ZERO,
            greatest: Hlc::ZERO,
            wall: None,
            is_trusted: false,
        }
    }

    /// Takes a reading of the wall clock; answers whether it jumped since the one before.
    pub fn set_wall(&mut self, now: Time, wall: WallTime) -> bool {
        let expected = self.wall(now).unwrap_or(wall);
        self.wall = Some((wall, now));
        wall.as_millis().abs_diff(expected.as_millis()) > JUMP_MS
    }

    /// Takes note whether the wall clock is known to be right.
    pub const fn trust(&mut self, is_trusted: bool) {
        self.is_trusted = is_trusted;
    }

    /// Whether a stamp ran ahead: further than `ahead_max` by a wall clock that is known to be right.
    #[must_use]
    pub fn ran_ahead(&self, now: Time, stamp: Hlc, ahead_max: u64) -> bool {
        self.is_trusted
            && self
                .ahead(now, stamp)
                .is_some_and(|ahead| ahead > ahead_max)
    }

    /// Leaves the latest stamp behind if it ran ahead: peers would hold back all that comes after it.
    /// Stamps of one key rise all the same, as who writes it [observes](Self::observe) its last one
    /// first.
    pub fn leave_behind(&mut self, now: Time, ahead_max: u64) {
        if self.ran_ahead(now, self.latest, ahead_max) {
            self.latest = Hlc::ZERO;
        }
    }

    /// The wall clock now: the last reading plus what has passed since; unknown before the first.
    #[must_use]
    pub fn wall(&self, now: Time) -> Option<WallTime> {
        self.wall.map(|(wall, at)| wall.plus(now.since(at)))
    }

    /// A stamp for something that happens here and now; after every stamp given or seen before,
    /// wherever the wall clock went meanwhile.
    pub fn tick(&mut self, now: Time) -> Hlc {
        // Kulkarni 2014, figure 5, send or local event: take the wall clock if it is ahead of
        // everything given or seen, with a counter of 0; else count on.
        let physical = self.wall(now).map_or(0, WallTime::as_millis);
        self.latest = if physical > self.latest.millis {
            Hlc {
                millis: physical,
                counter: 0,
            }
        } else {
            self.latest.next()
        };
        self.greatest = self.greatest.max(self.latest);
        self.latest
    }

    /// Takes note of a stamp that was seen, so that later ones here come after it.
    pub fn observe(&mut self, stamp: Hlc) {
        // Kulkarni 2014, figure 5, receive event, without a stamp of its own: the next `tick` is
        // after the greatest seen, which is all that the order of cause and effect needs.
        if !planted::is(Planted::ClockNotPushed) {
            self.latest = self.latest.max(stamp);
        }
        self.greatest = self.greatest.max(stamp);
    }

    /// How many milliseconds a stamp lies ahead of the wall clock here; 0 if it does not, unknown
    /// while the wall clock is.
    #[must_use]
    pub fn ahead(&self, now: Time, stamp: Hlc) -> Option<u64> {
        // Wall clocks differ by some drift, so stamps a little ahead are usual. The counter does
        // not matter here.
        let wall = self.wall(now)?;
        Some(stamp.millis.saturating_sub(wall.as_millis()))
    }

    /// The latest stamp ever given or seen, those left behind included.
    #[must_use]
    pub const fn greatest(&self) -> Hlc {
        self.greatest
    }

    /// The stamp that the next one comes after.
    #[must_use]
    pub const fn latest(&self) -> Hlc {
        self.latest
    }
}

/// How far ahead of the wall clock a stamp may be before it is kept out, by default. Below the
/// drift of honest clocks, honest writes wait; far above, one wrong clock wins every race for that
/// long.
pub const AHEAD_MAX: Duration = Duration::from_secs(60);

/// A wall clock that moved by more than this beyond what passed was set, in milliseconds.
const JUMP_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wall_clock_that_jumps_back_never_yields_a_smaller_stamp() {
        let mut clock = Clock::new();
        clock.set_wall(Time::ZERO, WallTime::from_millis(5_000));
        let before = clock.tick(Time::from_millis(10));
        assert_eq!(before.millis, 5_010);
        clock.set_wall(Time::from_millis(20), WallTime::from_millis(1));
        let after = clock.tick(Time::from_millis(20));
        assert!(after > before);
        assert_eq!(after.millis, 5_010);
    }

    #[test]
    fn stamps_saturate_instead_of_wrapping() {
        assert_eq!(Hlc::MAX.next(), Hlc::MAX);
        let full = Hlc {
            millis: 7,
            counter: u32::MAX,
        };
        assert_eq!(
            full.next(),
            Hlc {
                millis: 8,
                counter: 0
            }
        );
        let mut clock = Clock::new();
        clock.set_wall(Time::ZERO, WallTime::from_millis(u64::MAX));
        assert_eq!(clock.tick(Time::MAX).millis, u64::MAX);
    }

    #[test]
    fn nothing_is_known_to_be_ahead_before_the_wall_clock_is_known() {
        let mut clock = Clock::new();
        assert_eq!(clock.ahead(Time::ZERO, Hlc::MAX), None);
        clock.set_wall(Time::ZERO, WallTime::from_millis(100));
        let stamp = Hlc {
            millis: 150,
            counter: 0,
        };
        assert_eq!(clock.ahead(Time::ZERO, stamp), Some(50));
        assert_eq!(clock.ahead(Time::from_millis(80), stamp), Some(0));
    }

    proptest! {
        #[test]
        fn every_stamp_is_after_all_that_was_given_or_seen(
            steps in prop::collection::vec((any::<u32>(), any::<u32>(), any::<bool>()), 1..64)
        ) {
            let mut clock = Clock::new();
            let mut latest = Hlc::ZERO;
            for (now, wall, seen) in steps {
                let now = Time::from_micros(u64::from(now));
                if seen {
                    let stamp = Hlc { millis: u64::from(wall), counter: wall };
                    clock.observe(stamp);
                    latest = latest.max(stamp);
                } else {
                    clock.set_wall(now, WallTime::from_millis(u64::from(wall)));
                    let stamp = clock.tick(now);
                    prop_assert!(stamp > latest);
                    latest = stamp;
                }
            }
        }
    }
}

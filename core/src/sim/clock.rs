//! A host's two clocks: a monotonic one that may run too fast or too slow, and a wall clock that may
//! say anything.

use crate::kernel::time::{Duration, Time, WallTime};

/// When all true wall clocks start: 2026-01-01 UTC.
pub const WALL_START: WallTime = WallTime::from_millis(1_767_225_600_000);

const MILLION: u128 = 1_000_000;

/// The clocks of one host. `world` is the true time of the simulated world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostClock {
    /// Since when the present rate holds, in the world's time and in the host's.
    since: Time,
    local: Time,
    /// Local microseconds in a million true ones.
    rate: u32,
    /// What the wall clock is ahead (or behind), in milliseconds.
    wall_offset_ms: i64,
    /// What the wall clock says, if it stands still.
    wall_frozen: Option<WallTime>,
}

impl Default for HostClock {
    fn default() -> Self {
        Self {
            since: Time::ZERO,
            local: Time::ZERO,
            rate: 1_000_000,
            wall_offset_ms: 0,
            wall_frozen: None,
        }
    }
}

impl HostClock {
    /// What the monotonic clock says.
    #[must_use]
    pub fn local(&self, world: Time) -> Time {
        let span = u128::from(world.since(self.since).as_micros() as u64);
        self.local + micros(span * u128::from(self.rate) / MILLION)
    }

    /// When the monotonic clock will say `local`, at the earliest.
    #[must_use]
    pub fn world(&self, local: Time) -> Time {
        let span = local.since(self.local).as_micros();
        self.since + micros((span * MILLION).div_ceil(u128::from(self.rate.max(1))))
    }

    /// Runs at `rate` local microseconds in a million true ones from now on.
    pub fn run_at(&mut self, world: Time, rate: u32) {
        self.local = self.local(world);
        self.since = world;
        self.rate = rate;
    }

    /// The monotonic clock did not count since `from` (a suspended machine).
    pub fn forget(&mut self, from: Time, world: Time) {
        self.local = self.local(from);
        self.since = world;
    }

    /// What the wall clock says.
    #[must_use]
    pub fn wall(&self, world: Time) -> WallTime {
        self.wall_frozen.unwrap_or_else(|| {
            let right = WALL_START.plus(world.since(Time::ZERO)).as_millis();
            WallTime::from_millis(right.saturating_add_signed(self.wall_offset_ms))
        })
    }

    /// Sets the wall clock ahead (or back) of the true time.
    pub const fn set_wall_offset(&mut self, offset_ms: i64) {
        self.wall_offset_ms = offset_ms;
    }

    /// Stops the wall clock, or lets it go on.
    pub fn freeze_wall(&mut self, world: Time, frozen: bool) {
        self.wall_frozen = None;
        self.wall_frozen = frozen.then(|| self.wall(world));
    }

    /// Makes both clocks right again; the monotonic one goes on from where it is.
    pub fn mend(&mut self, world: Time) {
        self.run_at(world, 1_000_000);
        self.wall_offset_ms = 0;
        self.wall_frozen = None;
    }
}

fn micros(span: u128) -> Duration {
    Duration::from_micros(u64::try_from(span).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_never_early_at_any_rate() {
        for rate in [900_000, 999_983, 1_000_000, 1_050_001] {
            let mut clock = HostClock::default();
            clock.run_at(Time::from_micros(17), rate);
            for at in [18, 1_000, 123_457, 99_999_999] {
                let local = Time::from_micros(at);
                let world = clock.world(local);
                assert!(clock.local(world) >= local, "{rate} {at}");
                let before = Time::from_micros(world.as_micros() - 2);
                assert!(clock.local(before) < local, "{rate} {at}");
            }
        }
    }

    #[test]
    fn a_suspended_clock_stands_still_and_a_frozen_wall_clock_too() {
        let mut clock = HostClock::default();
        let (from, to) = (Time::from_millis(1_000), Time::from_millis(61_000));
        clock.freeze_wall(from, true);
        let wall = clock.wall(from);
        clock.forget(from, to);
        assert_eq!(clock.local(to), from);
        assert_eq!(clock.wall(to), wall);
        clock.mend(to);
        assert_eq!(clock.wall(to), WALL_START.plus(to.since(Time::ZERO)));
    }
}

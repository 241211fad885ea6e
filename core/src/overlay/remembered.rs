//! The backoffs across restarts, by the wall clock.
//!
//! Many nodes that restart together, or tabs that are reloaded, must not fall upon the peers that
//! they could not reach a moment ago. A wait that a wrong clock makes long is capped by the
//! [`Dialer`](crate::overlay::dialer::Dialer) that takes it.

use crate::{
    kernel::time::{Duration, Time, WallTime},
    overlay::{backoff::Backoff, dialer::Destination},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The destinations that failed and until when they wait, as they stand in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    written_at: WallTime,
    waits: Vec<Wait>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wait {
    destination: Destination,
    failures: u32,
    until: WallTime,
}

impl Remembered {
    /// The backoffs at `now`, which the wall clock calls `wall`.
    #[must_use]
    pub fn write<'a>(
        backoffs: impl Iterator<Item = (&'a Destination, &'a Backoff)>,
        now: Time,
        wall: WallTime,
    ) -> Self {
        let waits = backoffs.map(|(destination, backoff)| Wait {
            destination: destination.clone(),
            failures: backoff.failures(),
            until: wall.plus(backoff.ready_at().since(now)),
        });
        Self {
            written_at: wall,
            waits: waits.collect(),
        }
    }

    /// The backoffs of the earlier run in this one; none if the wall clock stands before the moment
    /// of writing, since nothing is known then of how much time has passed.
    #[must_use]
    pub fn read(self, now: Time, wall: WallTime) -> Vec<(Destination, Backoff)> {
        if wall < self.written_at {
            return Vec::new();
        }
        let waits = self.waits.into_iter().map(|wait| {
            // A wait that is over leaves the failures: the next one is as long as it would have
            // been.
            let left = wait.until.as_millis().saturating_sub(wall.as_millis());
            let ready_at = now + Duration::from_millis(left);
            (wait.destination, Backoff::resume(wait.failures, ready_at))
        });
        waits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        crypto::{decode_exactly, encode},
        id::NodeId,
    };

    const WALL: WallTime = WallTime::from_millis(1_000_000);

    fn written() -> Remembered {
        let destination = Destination::Member(NodeId::from_bytes([2; 32]));
        let backoff = Backoff::resume(4, Time::from_millis(9_000));
        let backoffs = [(&destination, &backoff)];
        Remembered::write(backoffs.into_iter(), Time::from_millis(1_000), WALL)
    }

    fn read(wall_ms: u64) -> Vec<(u32, Time)> {
        let stored: Remembered = decode_exactly(&encode(&written())).unwrap();
        stored
            .read(Time::from_millis(5), WallTime::from_millis(wall_ms))
            .into_iter()
            .map(|(_, backoff)| (backoff.failures(), backoff.ready_at()))
            .collect()
    }

    #[test]
    fn what_is_left_of_a_wait_is_measured_by_the_wall_clock() {
        assert_eq!(read(1_000_000), [(4, Time::from_millis(8_005))]);
        assert_eq!(read(1_003_000), [(4, Time::from_millis(5_005))]);
        assert_eq!(read(9_000_000), [(4, Time::from_millis(5))]);
    }

    #[test]
    fn a_wall_clock_that_went_back_is_not_believed() {
        assert_eq!(read(999_999), []);
    }
}

//! The two clocks that the core takes as inputs.

use sporenet_core::kernel::time::{Time, WallTime};
use std::time::{Duration, Instant, SystemTime};

/// The longest sleep of the core task; a deadline further away is looked at again then.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// Monotonic time since the process started, as the core counts it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            base: Instant::now(),
        }
    }

    /// The moment.
    pub(crate) fn now(&self) -> Time {
        Time::ZERO + self.base.elapsed()
    }

    /// When to wake for a deadline of the core.
    pub(crate) fn wake_at(&self, deadline: Option<Time>) -> tokio::time::Instant {
        let now = self.now();
        let wait = deadline.map_or(SLEEP_MAX, |at| at.since(now).min(SLEEP_MAX));
        tokio::time::Instant::now() + wait
    }
}

/// The wall clock; the epoch itself if the machine's clock stands before it.
pub(crate) fn wall() -> WallTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// 32 fresh bytes of the operating system's entropy, or `None` if it has none to give.
pub(crate) fn entropy() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

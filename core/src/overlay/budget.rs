//! The token bucket that bounds all dials of a node together.

use crate::kernel::time::{Duration, Time};

/// How many dials a node may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DialBudgetConfig {
    /// The wait per dial in the long run. Default 100 ms (ten a second). Too small lets a node with
    /// many lost peers storm them; too large makes rejoining a large mesh slow.
    pub interval: Duration,
    /// How many may start at once after a quiet time. Default 20; 1 to 1 000.
    pub burst: u32,
}

impl Default for DialBudgetConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(100),
            burst: 20,
        }
    }
}

/// A token bucket in its virtual-scheduling form (GCRA): one moment instead of a counter.
///
/// Source: ITU-T I.371, 2004, annex A.1 (generic cell rate algorithm).
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct DialBudget {
    config: DialBudgetConfig,
    /// When the bucket would be full again.
    full_at: Time,
}

impl DialBudget {
    /// A full bucket.
    #[must_use]
    pub const fn new(config: DialBudgetConfig) -> Self {
        Self {
            config,
            full_at: Time::ZERO,
        }
    }

    /// When the next dial may start: now, or later.
    #[must_use]
    pub fn ready_at(&self, now: Time) -> Time {
        // The tolerance τ of I.371: so far ahead of the long-run rate the dials may run.
        let slack = self
            .config
            .interval
            .saturating_mul(self.config.burst.saturating_sub(1));
        now.max(self.full_at - slack)
    }

    /// Takes one token at `now`; false, and nothing taken, if there is none.
    pub fn take(&mut self, now: Time) -> bool {
        if self.ready_at(now) > now {
            return false;
        }
        // TAT' = max(TAT, now) + T in I.371. A quiet time saves up no more than one full bucket.
        self.full_at = self.full_at.max(now) + self.config.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_long_run_rate() {
        let mut budget = DialBudget::new(DialBudgetConfig::default());
        let now = Time::from_millis(5_000);
        assert_eq!((0..100).filter(|_| budget.take(now)).count(), 20);
        assert_eq!(budget.ready_at(now), now + Duration::from_millis(100));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| budget.take(later)).count(), 10);
    }
}

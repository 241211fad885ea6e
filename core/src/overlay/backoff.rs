//! Full-jitter exponential backoff of one destination.
//!
//! Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015, "Full Jitter".

use crate::kernel::{
    rng::Rng,
    time::{Duration, Time},
};

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BackoffConfig {
    /// The most the first wait may be. Default 500 ms; 50 ms to 10 s. Too small hammers a peer that
    /// restarts, too large makes a short outage long.
    pub base: Duration,
    /// The most any wait may be. Default 30 s; at least `base`. Too large delays the return of a peer
    /// after a long outage by up to this much.
    pub cap: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
        }
    }
}

/// The failures of one destination and when it may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Backoff {
    failures: u32,
    ready_at: Time,
}

impl Backoff {
    /// Goes on where an earlier run stopped.
    #[must_use]
    pub const fn resume(failures: u32, ready_at: Time) -> Self {
        Self { failures, ready_at }
    }

    /// Notes a failure: the next attempt is due after a uniform wait of at most
    /// `base · 2^(failures − 1)`, capped.
    pub fn fail(&mut self, now: Time, config: BackoffConfig, rng: &mut Rng) {
        // 2²⁰ times the smallest base is far above any sensible cap; 2³² would overflow the shift.
        let doublings = self.failures.min(20);
        self.failures = self.failures.saturating_add(1);
        let ceiling = config.base.saturating_mul(1 << doublings).min(config.cap);
        // Full jitter: anywhere from now to the ceiling, so that many that failed together do not
        // come back together.
        self.ready_at = now + rng.span_below(ceiling);
    }

    /// Forgets all failures.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Tries no earlier than `at`, without counting a failure.
    pub fn hold_until(&mut self, at: Time) {
        self.ready_at = self.ready_at.max(at);
    }

    /// When the next attempt may start.
    #[must_use]
    pub const fn ready_at(&self) -> Time {
        self.ready_at
    }

    /// Attempts that failed in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread() {
        let config = BackoffConfig::default();
        let mut rng = Rng::from_number(1);
        let mut longest = [Duration::ZERO; 12];
        for _ in 0..500 {
            let mut backoff = Backoff::default();
            for longest in &mut longest {
                backoff.fail(Time::ZERO, config, &mut rng);
                *longest = (*longest).max(backoff.ready_at().since(Time::ZERO));
            }
        }
        for (failure, longest) in longest.iter().enumerate() {
            let ceiling = config.cap.min(config.base * (1 << failure));
            assert!(
                *longest <= ceiling && *longest > ceiling * 9 / 10,
                "{failure}: {longest:?}"
            );
        }
    }

    #[test]
    fn a_reset_allows_an_attempt_at_once() {
        let mut backoff = Backoff::default();
        backoff.fail(
            Time::from_millis(9),
            BackoffConfig::default(),
            &mut Rng::from_number(1),
        );
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.ready_at()), (0, Time::ZERO));
    }
}

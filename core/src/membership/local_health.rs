//! How far this node trusts its own timing.
//!
//! A node that misses acknowledgements, has to refute suspicions about itself or wakes up late is
//! probably slow itself. It then probes more slowly and waits longer, in place of accusing others.
//!
//! | what happened | score |
//! |---|---|
//! | a probe was answered | −1 |
//! | a probe failed and nobody could be asked | +1 |
//! | a probe failed and helpers did not even say no | +1 each |
//! | it had to refute a suspicion about itself | +1 |
//! | it woke up far too late | +2 |
//!
//! Source: Dadgar, Phillips, Currey, "Lifeguard: SWIM-ing with Situational Awareness", 2017,
//! section IV-A (LHA-Probe).

use core::time::Duration;

/// The local health multiplier's score, from 0 (healthy) to a maximum.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct LocalHealth {
    score: u8,
    score_max: u8,
}

impl LocalHealth {
    /// Healthy, with a score of at most `score_max`.
    #[must_use]
    pub const fn new(score_max: u8) -> Self {
        Self {
            score: 0,
            score_max,
        }
    }

    /// Something points at this node being slow, `by` times.
    pub fn worsen(&mut self, by: u8) {
        self.score = self.score.saturating_add(by).min(self.score_max);
    }

    /// A probe was answered in time.
    pub const fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// 1 when healthy, up to the maximum plus 1.
    #[must_use]
    pub const fn multiplier(&self) -> u32 {
        // Lifeguard, section IV-A: timeouts are multiplied by the score plus 1.
        (self.score as u32).saturating_add(1)
    }

    /// A span, stretched by the multiplier.
    #[must_use]
    pub const fn stretch(&self, span: Duration) -> Duration {
        span.saturating_mul(self.multiplier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_node_stretches_its_timeouts_and_recovers_step_by_step() {
        let mut health = LocalHealth::new(8);
        health.worsen(3);
        assert_eq!(
            health.stretch(Duration::from_millis(500)),
            Duration::from_secs(2)
        );
        health.improve();
        assert_eq!(health.multiplier(), 3);
    }

    #[test]
    fn the_score_stays_between_zero_and_its_maximum() {
        let mut health = LocalHealth::new(8);
        health.improve();
        assert_eq!(health.multiplier(), 1);
        health.worsen(u8::MAX);
        assert_eq!(health.multiplier(), 9);
    }
}

//! The settings of [`Reach`](super::Reach).

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::kernel::{component::Settings, time::Duration};

/// How relays dial each other back.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// How many linked relays are asked. Default 3; 1 to 16. One alone may be the only one that a
    /// firewall lets through.
    pub helpers_max: u32,
    /// How long a relay that dials back waits for its connections; who asked waits half as long
    /// again. Default 10 s; 1 s to 60 s. Longer than a connection takes to be given up.
    pub patience: Duration,
    /// The least time between two requests of one relay that are answered. Default 10 s; 1 s to 600 s.
    /// Too small makes relays dial for whoever asks.
    pub interval: Duration,
    /// The wait between two checks that a relay makes by itself. Default 5 min; 10 s to 1 h, longer than
    /// `interval`. Shorter makes more dials, longer leaves a broken transport unnoticed.
    pub every: Duration,
    /// The most relays that are dialled back at once. Default 8; further ones are refused.
    pub serving_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            helpers_max: 3,
            patience: Duration::from_secs(10),
            interval: Duration::from_secs(10),
            every: Duration::from_secs(300),
            serving_max: 8,
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "reach"
    }

    fn validate(&self) -> Result<(), &'static str> {
        let seconds = Duration::from_secs;
        if !(1..=16).contains(&self.helpers_max) {
            return Err("reach.helpers_max");
        }
        if self.patience < seconds(1) || self.patience > seconds(60) {
            return Err("reach.patience");
        }
        if self.interval < seconds(1) || self.interval > seconds(600) {
            return Err("reach.interval");
        }
        if self.every < seconds(10) || self.every > seconds(3_600) || self.every <= self.interval {
            return Err("reach.every");
        }
        if self.serving_max == 0 {
            return Err("reach.serving_max");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        self.every = rng.span(20_000, 300_000);
        // As they are, for runs are short: `helpers_max`, `patience`, `interval`, `serving_max`.
    }
}

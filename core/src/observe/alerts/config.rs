//! The settings of [`Alerts`](super::Alerts) that are a node's own. Those of the mesh are records.

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::kernel::{component::Settings, time::Duration};

/// How a node judges.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// The most values that are judged at the same time because they are, or lately were, beyond a
    /// threshold. Default 4,096. Beyond it new ones are not judged, which is counted.
    pub trials_max: u32,
    /// For how long after its start a node ends no alert because what it is about is not measured.
    /// Default 60 s; up to 10 min. Too short ends the alerts of paths that are being linked again, too long
    /// leaves alerts of what is gone.
    pub settling: Duration,
    /// How often old records are looked for. Default 60 s; 1 s to 1 h.
    pub tidying: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            trials_max: 4_096,
            settling: Duration::from_secs(60),
            tidying: Duration::from_secs(60),
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn validate(&self) -> Result<(), &'static str> {
        if self.trials_max == 0 {
            return Err("alerts.trials_max");
        }
        if self.settling > Duration::from_secs(600) {
            return Err("alerts.settling");
        }
        let tidying = Duration::from_secs(1)..=Duration::from_secs(3_600);
        if !tidying.contains(&self.tidying) {
            return Err("alerts.tidying");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        // As it is: a bound that no run comes near, `trials_max`.
        self.settling = rng.span(0, 90_000);
        self.tidying = rng.span(5_000, 90_000);
    }
}

//! The settings of [`Admission`](super::Admission).

use crate::kernel::component::Settings;
use core::time::Duration;

/// Settings of admission.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Limited invites that may be open at a time, 1 to 65 536; beyond, issuing is refused.
    pub invites_max: u32,
    /// Newcomers' links that may wait for their use to become durable, 1 to 65 536; beyond, they are
    /// told to come again. Too small turns away a crowd that the store could serve.
    pub redemptions_max: u32,
    /// Links of our own that may wait for a welcome, 1 to 1 024; beyond, a welcome is not expected
    /// there and counts as an offence.
    pub entrances_max: u32,
    /// How long an invite that is used up still opens handshakes, so that a newcomer whose welcome
    /// was lost can fetch it again; nobody else is let in. A minute; too small strands it, too
    /// large costs handshakes that end in a refusal. At most an hour.
    pub retry_grace: Duration,
    /// How long an expired limited invite is kept in the store, for people to look up.
    pub expired_kept: Duration,
    /// When to try again to store what a welcome brought. Seconds.
    pub store_retry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            invites_max: 1_024,
            redemptions_max: 256,
            entrances_max: 64,
            retry_grace: Duration::from_secs(60),
            expired_kept: Duration::from_secs(24 * 3_600),
            store_retry: Duration::from_secs(5),
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn validate(&self) -> Result<(), &'static str> {
        if self.invites_max == 0 || self.invites_max > 65_536 {
            return Err("admission.invites_max");
        }
        if self.redemptions_max == 0 || self.redemptions_max > 65_536 {
            return Err("admission.redemptions_max");
        }
        if self.entrances_max == 0 || self.entrances_max > 1_024 {
            return Err("admission.entrances_max");
        }
        if self.retry_grace.as_secs() > 3_600 {
            return Err("admission.retry_grace");
        }
        if self.store_retry.as_millis() < 100 {
            return Err("admission.store_retry");
        }
        Ok(())
    }

    /// All stay as they are: no run waits for hours or lets thousands in.
    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, _: &mut crate::kernel::rng::Rng) {
        // `invites_max`, `redemptions_max`, `entrances_max`, `retry_grace`, `expired_kept`, `store_retry`.
    }
}

//! How full admission is; simulators and tests ask.

use super::Admission;
use crate::kernel::bounded::Gauge;

impl Admission {
    /// Tells how full its collections are.
    pub fn gauge(&self, tell: Gauge<'_>) {
        let max = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        tell("invites", self.invites.len(), max(self.config.invites_max));
        tell(
            "entrances",
            self.entrances.len(),
            max(self.config.entrances_max),
        );
        let waiting = max(self.config.redemptions_max).saturating_add(max(self.config.invites_max));
        tell(
            "what admission waits for",
            self.waiting.len(),
            waiting.saturating_add(1),
        );
    }
}

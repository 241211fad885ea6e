//! What must hold in admission at any time, how full it is, and what it counted.

use super::{Admission, Stats, Timer, Waiting};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    component::{Component, Settings},
    metrics::Metrics,
};

impl Component for Admission {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        // A welcome is stored one entry after the other: the key must not overtake the document.
        let is_join = |waiting: &&Waiting| matches!(waiting, Waiting::Join);
        let joins = self.waiting.values().filter(is_join).count();
        let is_stored_later = self.deadlines.at(&Timer::StoreWelcome).is_some();
        let numbered = self.waiting.keys().all(|token| *token < self.next_token);
        first_broken(&[
            (
                self.invites.are_within_their_uses(),
                "more newcomers used an invite than it lets in",
            ),
            (
                self.redemptions() <= self.config.redemptions_max,
                "too many newcomers wait for their use to become durable",
            ),
            (
                self.welcome.is_none() || !self.is_member(),
                "a member still stores what a welcome brought",
            ),
            (
                joins <= 1,
                "two entries of a welcome are stored at the same time",
            ),
            (
                self.welcome.is_none() || joins == 1 || is_stored_later,
                "what a welcome brought is never stored",
            ),
            (numbered, "it waits for what it did not ask"),
        ])
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let max = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        tell("invites", self.invites.len(), max(self.config.invites_max));
        tell(
            "entrances",
            self.entrances.len(),
            max(self.config.entrances_max),
        );
        // Redemptions, invites that are being issued, and one entry of a welcome.
        let waiting = max(self.config.redemptions_max).saturating_add(max(self.config.invites_max));
        tell(
            "what admission waits for",
            self.waiting.len(),
            waiting.saturating_add(1),
        );
    }

    fn metrics(&self, to: &mut Metrics) {
        let Stats {
            issued,
            admitted,
            rejected,
            keys_refused,
            released,
            unreadable,
            offences,
        } = self.stats();
        to.gauge(
            "sporenet_invites_open",
            "Limited invites that are open or expired less than a day ago.",
            self.invites_open().into(),
        );
        let counters = [
            ("sporenet_invites_issued", "Invites issued.", issued),
            ("sporenet_newcomers_admitted", "Newcomers let in.", admitted),
            (
                "sporenet_newcomers_rejected",
                "Newcomers turned away after their handshake.",
                rejected,
            ),
            (
                "sporenet_handshake_keys_refused",
                "Handshakes that were refused a key.",
                keys_refused,
            ),
            (
                "sporenet_invite_uses_released",
                "Uses of invites given back because the newcomer went away.",
                released,
            ),
            (
                "sporenet_invites_unreadable",
                "Stored invites that could not be read.",
                unreadable,
            ),
            (
                "sporenet_admission_offences",
                "Welcomes that no honest relay sends.",
                offences,
            ),
            (
                "sporenet_welcomes_dropped",
                "Welcomes dropped because too many were waiting.",
                self.outbox.sends_dropped(),
            ),
        ];
        for (name, help, value) in counters {
            to.counter(name, help, value);
        }
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

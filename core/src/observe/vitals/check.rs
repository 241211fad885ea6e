//! What must hold in [`Vitals`] at any time, how full it is, and what it counted.

use super::{Stats, Vitals, machine::Timer};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    component::{Component, Settings},
    metrics::Metrics,
};

impl Component for Vitals {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        let newest = self.table.newest();
        let is_told = self.peers.values().all(|peer| peer.told >= newest);
        let mut others = self.table.iter().filter(|(node, _)| **node != self.id());
        first_broken(&[
            (
                self.table.is_consistent(),
                "a report is not where it should be",
            ),
            (
                is_told || self.deadlines.at(&Timer::Turn).is_some(),
                "a report is never passed on",
            ),
            (
                self.peers.is_empty() != self.deadlines.at(&Timer::Report).is_some(),
                "it has links and never reports, or the other way round",
            ),
            (
                others
                    .all(|(node, _)| self.members.contains(node) != self.strangers.contains(node)),
                "a report is kept of who does not belong",
            ),
            (
                self.strangers
                    .iter()
                    .all(|node| self.table.get(node).is_some()),
                "a stranger without a report is remembered",
            ),
        ])
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let max = |max: u32| usize::try_from(max).unwrap_or(usize::MAX);
        let members_max = max(self.config.members_max);
        let strangers_max = max(self.config.strangers_max);
        // This node itself is no stranger, and may be no member yet.
        let reports_max = members_max.saturating_add(strangers_max).saturating_add(1);
        tell("reports", self.table.len(), reports_max);
        tell("members to report", self.members.len(), members_max);
        tell("reports of strangers", self.strangers.len(), strangers_max);
    }

    fn metrics(&self, to: &mut Metrics) {
        let Stats {
            made,
            heard,
            stale,
            passed,
            passed_bytes,
            unknown,
            refused,
            bad,
        } = self.stats;
        let known = u64::try_from(self.table.len()).unwrap_or(u64::MAX);
        to.gauge(
            "sporenet_vitals_known",
            "Nodes whose vitals are known.",
            known,
        );
        let counters = [
            ("sporenet_vitals_made", "Own vitals told.", made),
            (
                "sporenet_vitals_heard",
                "Vitals of others that were new.",
                heard,
            ),
            (
                "sporenet_vitals_stale",
                "Vitals that said nothing new.",
                stale,
            ),
            (
                "sporenet_vitals_passed",
                "Vitals sent to peers, own and others'.",
                passed,
            ),
            (
                "sporenet_vitals_passed_bytes",
                "Bytes of the vitals sent to peers.",
                passed_bytes,
            ),
            (
                "sporenet_vitals_unknown",
                "Vitals of nodes for which there was no room.",
                unknown,
            ),
            (
                "sporenet_vitals_refused",
                "Vitals dropped because a peer sent too many.",
                refused,
            ),
            (
                "sporenet_vitals_bad",
                "Vitals with a bad signature or of a form that can't be.",
                bad,
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

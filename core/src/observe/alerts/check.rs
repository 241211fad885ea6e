//! What must hold in [`Alerts`] at any time, how full it is, and what it counted.

use super::{
    board::RECORDS_MAX,
    contract::Stats,
    machine::{Alerts, Timer},
};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    component::{Component, Settings},
    metrics::Metrics,
};

impl Component for Alerts {
    fn name(&self) -> &'static str {
        self.config.name()
    }

    fn check(&self) -> Result<(), &'static str> {
        let good = |(id, (_, alert)): (&super::record::Id, &(_, super::record::Alert))| {
            alert.about.id() == *id && alert.ended_ms.is_none_or(|ended| ended >= alert.since_ms)
        };
        first_broken(&[
            (
                self.board.alerts.iter().all(good),
                "an alert is not under its name, or ended before it began",
            ),
            (
                self.deadlines.at(&Timer::Tidy).is_some(),
                "old records are never looked for",
            ),
            (
                self.incidents
                    .iter()
                    .all(|incident| !incident.causes.is_empty()),
                "an incident has no cause",
            ),
        ])
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let max = usize::try_from(self.config.trials_max).unwrap_or(usize::MAX);
        tell("values on trial", self.trials.len(), max);
        tell("records of alerts", self.board.fullest(), RECORDS_MAX);
    }

    fn metrics(&self, to: &mut Metrics) {
        let Stats {
            raised,
            ended,
            flapping,
            unjudged,
            refused,
            notified,
            delivered,
            undelivered,
        } = self.stats;
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        let open = self.board.alerts.values();
        let open = open.filter(|(_, alert)| alert.ended_ms.is_none()).count();
        let incidents = self.incidents.iter();
        let incidents = incidents.filter(|one| one.ended_ms.is_none()).count();
        to.gauge("sporenet_alerts_firing", "Alerts that fire.", count(open));
        to.gauge(
            "sporenet_incidents_open",
            "Incidents that are not over.",
            count(incidents),
        );
        let counters = [
            (
                "sporenet_alerts_raised",
                "Alerts that this node raised.",
                raised,
            ),
            (
                "sporenet_alerts_ended",
                "Alerts that this node ended.",
                ended,
            ),
            (
                "sporenet_alerts_flapping",
                "Alerts that were kept up because they flap.",
                flapping,
            ),
            (
                "sporenet_alerts_unjudged",
                "Values that were not judged, for want of room.",
                unjudged,
            ),
            (
                "sporenet_alerts_records_refused",
                "Records of reserved namespaces that can't be, or found no room.",
                refused,
            ),
            (
                "sporenet_alerts_notified",
                "Notifications that this node was to send.",
                notified,
            ),
            (
                "sporenet_alerts_delivered",
                "Notifications that arrived.",
                delivered,
            ),
            (
                "sporenet_alerts_undelivered",
                "Notifications that did not arrive.",
                undelivered,
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

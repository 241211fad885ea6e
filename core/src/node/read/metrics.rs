//! Every number the node measures, under the name it has on `/metrics`.

use crate::{
    kernel::{
        metrics::{Metric, Metrics},
        time::Time,
    },
    node::machine::Node,
    observe::series::{Key, Series},
};
use alloc::{string::ToString, vec::Vec};

/// A value of a series that is older is not told as the present one.
const FRESH_MS: u64 = 60_000;

impl Node {
    /// All metrics, those of one name next to each other.
    #[must_use]
    pub fn metrics(&self, now: Time) -> Vec<Metric> {
        let mut metrics = Metrics::new();
        for machine in self.components() {
            machine.metrics(&mut metrics);
        }
        self.message_metrics(&mut metrics);
        self.history_metrics(&mut metrics);
        metrics.gauge(
            "sporenet_uptime_seconds",
            "Time since the node started.",
            now.max(self.now).since(self.started_at).as_secs(),
        );
        let off = self.clock.wrong_by_ms().unwrap_or(0);
        metrics.gauge(
            "sporenet_clock_offset_seconds",
            "How far this clock is from those of its peers, either way; 0 if right or unknown.",
            off.unsigned_abs() / 1_000,
        );
        metrics.gauge(
            "sporenet_clock_peers_off",
            "Linked peers whose clock is away from the others, or from this one.",
            u64::try_from(self.clock.peers().count()).unwrap_or(u64::MAX),
        );
        metrics.gauge(
            "sporenet_writes_held_back_seconds",
            "For how long peers hold back what this node writes or wrote, because of its stamps.",
            self.writes_held_back()
                .max(self.left_behind())
                .unwrap_or_default()
                .as_secs(),
        );
        metrics.counter(
            "sporenet_timeline_dropped",
            "Timeline entries dropped because newer ones needed the room.",
            self.timeline.dropped(),
        );
        metrics.counter(
            "sporenet_offences",
            "Provable faults of peers.",
            self.counters.offences,
        );
        metrics.into_vec()
    }

    fn history_metrics(&self, metrics: &mut Metrics) {
        let store = &self.history.store;
        let size = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        metrics.gauge(
            "sporenet_series",
            "Series of this node and of others that are kept.",
            size(store.len()),
        );
        metrics.gauge(
            "sporenet_series_bytes",
            "Bytes that these series take.",
            store.bytes(),
        );
        let counts = store.stats();
        let counts = [
            (
                "sporenet_series_samples",
                "Samples that were kept.",
                counts.recorded,
            ),
            (
                "sporenet_series_samples_late",
                "Samples that were older than the latest of their series, and kept.",
                counts.late,
            ),
            (
                "sporenet_series_samples_too_old",
                "Samples dropped because they were older than anything that their series held.",
                counts.too_old,
            ),
            (
                "sporenet_series_samples_not_finite",
                "Samples dropped because they were no numbers.",
                counts.not_finite,
            ),
            (
                "sporenet_series_rewound",
                "Times that a series followed a clock that went back.",
                counts.rewound,
            ),
            (
                "sporenet_series_gave_way",
                "Series dropped because others needed the room.",
                counts.gave_way,
            ),
        ];
        for (name, help, value) in counts {
            metrics.counter(name, help, value);
        }
        self.series_metrics(metrics);
    }

    fn series_metrics(&self, metrics: &mut Metrics) {
        let store = &self.history.store;
        let now_ms = self.wall_now().as_millis();
        for series in Series::ALL {
            let key = Key {
                node: self.id(),
                series,
            };
            // What was not measured lately is left out: an old value is no level.
            let latest = store.latest(&key);
            let fresh = latest.filter(|at| now_ms.saturating_sub(at.at_ms) <= FRESH_MS);
            if let Some(latest) = fresh {
                metrics.measured_of(
                    "sporenet_series_value",
                    "The latest value of each series of this node, in the unit of the series.",
                    ("series", series.name()),
                    latest.value.into(),
                );
            }
        }
        let (right, wrong, _) = self.history.watch.scores();
        for (outcome, count) in [("alert_followed", right), ("no_alert_followed", wrong)] {
            metrics.counter_of(
                "sporenet_findings",
                "Unusual values that were told, by whether an alert about this node followed.",
                ("outcome", outcome),
                count.into(),
            );
        }
    }

    fn message_metrics(&self, metrics: &mut Metrics) {
        let counters = &self.counters;
        let counts = [
            (
                "sporenet_messages_received",
                "Messages received from peers.",
                counters.messages_in,
            ),
            (
                "sporenet_messages_sent",
                "Messages sent to peers.",
                counters.messages_out,
            ),
            (
                "sporenet_messages_from_strangers",
                "Messages dropped because their sender has no link.",
                counters.messages_from_strangers,
            ),
            (
                "sporenet_messages_unsent",
                "Messages dropped because their receiver has no link.",
                counters.unsent,
            ),
            (
                "sporenet_messages_unknown",
                "Messages of a kind that this version does not know.",
                counters.unknown,
            ),
            (
                "sporenet_messages_undecodable",
                "Messages that could not be read; their link is closed.",
                counters.undecodable,
            ),
        ];
        for (name, help, count) in counts {
            metrics.counter(name, help, count);
        }
        for (reason, count) in &counters.refusals {
            metrics.counter_of(
                "sporenet_links_refused",
                "Handshakes and links refused, by reason.",
                ("reason", (*reason).to_string()),
                *count,
            );
        }
    }
}

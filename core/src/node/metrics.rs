//! Every number the node measures, under the name it has on `/metrics`.

use crate::{
    kernel::{component::Component, metrics::Metrics, time::Time},
    node::machine::Node,
};
use alloc::{string::ToString, vec::Vec};

pub use crate::kernel::metrics::Metric;

/// For display only; nothing is decided on it.
#[expect(
    clippy::cast_precision_loss,
    reason = "counters below 2^53 are exact, and it is for display"
)]
const fn float(value: u64) -> f64 {
    value as f64
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric {
        name,
        help,
        counter: true,
        label: None,
        value: float(value),
    }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Metric {
    Metric {
        counter: false,
        ..counter(name, help, value)
    }
}

impl Node {
    /// All metrics, those of one name next to each other.
    #[must_use]
    pub fn metrics(&self, now: Time) -> Vec<Metric> {
        let now = now.max(self.now);
        let mut told = Metrics::new();
        self.swim.metrics(&mut told);
        self.links.metrics(&mut told);
        self.admission.metrics(&mut told);
        let mut metrics = told.into_vec();
        metrics.extend(self.message_metrics());
        metrics.extend(self.data_metrics());
        metrics.extend(self.journal_metrics());
        metrics.push(gauge(
            "sporenet_uptime_seconds",
            "Time since the node started.",
            now.since(self.started_at).as_secs(),
        ));
        metrics.push(counter(
            "sporenet_timeline_dropped",
            "Timeline entries dropped because newer ones needed the room.",
            self.timeline.dropped(),
        ));
        metrics.push(counter(
            "sporenet_offences",
            "Provable faults of peers.",
            self.counters.offences,
        ));
        metrics
    }

    fn message_metrics(&self) -> Vec<Metric> {
        let mut metrics = alloc::vec![
            counter(
                "sporenet_messages_received",
                "Messages received from peers.",
                self.counters.messages_in
            ),
            counter(
                "sporenet_messages_sent",
                "Messages sent to peers.",
                self.counters.messages_out
            ),
            counter(
                "sporenet_messages_from_strangers",
                "Messages dropped because their sender has no link.",
                self.counters.messages_from_strangers
            ),
        ];
        for (reason, count) in &self.counters.refusals {
            metrics.push(Metric {
                label: Some(("reason", (*reason).to_string())),
                ..counter(
                    "sporenet_links_refused",
                    "Handshakes and links refused, by reason.",
                    *count,
                )
            });
        }
        metrics
    }

    fn data_metrics(&self) -> Vec<Metric> {
        let (keys, batches) = self.replica.counts();
        let stats = self.replica.stats();
        alloc::vec![
            gauge("sporenet_keys", "Keys with a value.", keys),
            gauge("sporenet_batches", "Batches in the log.", batches),
            counter(
                "sporenet_writes",
                "Writes accepted from this node's users.",
                stats.writes
            ),
            counter(
                "sporenet_writes_refused",
                "Writes refused.",
                stats.writes_refused
            ),
            counter(
                "sporenet_pushed_bytes",
                "Bytes of fresh batches sent to peers.",
                stats.pushed_bytes
            ),
            counter(
                "sporenet_served_bytes",
                "Bytes of batches sent to peers that caught up.",
                stats.served_bytes
            ),
            counter(
                "sporenet_received_bytes",
                "Bytes of fresh batches received.",
                stats.received_bytes
            ),
            counter(
                "sporenet_fetched_bytes",
                "Bytes of batches received while catching up.",
                stats.fetched_bytes
            ),
            counter(
                "sporenet_duplicate_batches",
                "Batches received more than once.",
                stats.duplicate_batches
            ),
            counter(
                "sporenet_equivocations",
                "Authors found to have signed two different batches as one.",
                stats.equivocations
            ),
        ]
    }

    fn journal_metrics(&self) -> Vec<Metric> {
        let stats = self.journal.stats();
        alloc::vec![
            counter(
                "sporenet_store_batches",
                "Batches made durable.",
                stats.batches
            ),
            counter(
                "sporenet_store_operations",
                "Operations made durable.",
                stats.durable
            ),
            counter(
                "sporenet_store_failed",
                "Operations not kept.",
                stats.failed
            ),
            gauge(
                "sporenet_store_queued_bytes",
                "Bytes waiting to become durable.",
                self.journal.queued_bytes()
            ),
            counter(
                "sporenet_store_damaged",
                "Stored records found damaged.",
                stats.damaged
            ),
        ]
    }
}

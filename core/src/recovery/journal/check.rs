//! What must hold in the journal at any time, how full it is, and what it measures.

use super::machine::{Journal, Pending, Timer};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    component::{Component, Settings},
    metrics::Metrics,
};

impl Component for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn check(&self) -> Result<(), &'static str> {
        let bytes: u64 = self.queue.iter().map(Pending::cost).sum();
        // A doomed batch has sequences that the journal gives again, so these may lie beyond its
        // end.
        let sound = self.in_flight.iter().filter(|batch| !batch.doomed);
        let mut places = sound.flat_map(|batch| batch.entries.iter().filter_map(|entry| entry.1));
        let ahead = places.all(|place| place < self.tail.next);
        // Tickets rise in the order of the batches: the store makes them durable in that order.
        let tickets = self
            .in_flight
            .iter()
            .is_sorted_by(|a, b| a.ticket < b.ticket);
        let probes = self.deadlines.at(&Timer::Probe).is_some();
        first_broken(&[
            (
                bytes == self.queue_bytes,
                "bytes that wait for the store are counted wrongly",
            ),
            (
                ahead,
                "a record is written where the journal does not end yet",
            ),
            (tickets, "batches are with the store out of order"),
            (
                !self.broken || self.is_idle(),
                "something waits for a store that broke",
            ),
            (
                self.full_since.is_none() || probes || self.broken,
                "a full store is never tried again",
            ),
        ])
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let wide = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let config = &self.config;
        tell(
            "bytes that wait for the store",
            wide(self.queue_bytes),
            wide(config.queue_bytes_max),
        );
        tell(
            "batches with the store",
            self.in_flight.len(),
            usize::from(config.in_flight_max),
        );
        tell("loads", self.loads.len(), wide(u64::from(config.loads_max)));
    }

    fn metrics(&self, to: &mut Metrics) {
        let stats = self.stats();
        let queued = self.queued_bytes();
        to.counter(
            "sporenet_store_batches",
            "Batches made durable.",
            stats.batches,
        );
        to.counter(
            "sporenet_store_operations",
            "Operations made durable.",
            stats.durable,
        );
        to.counter(
            "sporenet_store_failed",
            "Operations not kept.",
            stats.failed,
        );
        to.counter(
            "sporenet_store_refused",
            "Operations refused because the queue was full or the store broken.",
            stats.refused,
        );
        to.counter(
            "sporenet_store_rewritten",
            "Batches written a second time after one before them failed.",
            stats.rewritten,
        );
        to.counter(
            "sporenet_store_loads_refused",
            "Loads refused.",
            stats.loads_refused,
        );
        to.counter(
            "sporenet_store_damaged",
            "Stored records found damaged.",
            stats.damaged,
        );
        to.counter(
            "sporenet_store_strays",
            "Answers of the store that belong to no question.",
            stats.strays,
        );
        to.gauge(
            "sporenet_store_queued_bytes",
            "Bytes waiting to become durable.",
            queued,
        );
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

//! What must hold in the journal at any time; simulators and tests ask.

use super::{Journal, Pending, Timer};
use crate::kernel::bounded::{Gauge, first_broken};

impl Journal {
    /// What must hold at any time.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), &'static str> {
        let bytes: u64 = self.queue.iter().map(Pending::cost).sum();
        let sound = self.in_flight.iter().filter(|batch| !batch.doomed);
        let mut places = sound.flat_map(|batch| batch.entries.iter().filter_map(|entry| entry.1));
        let ahead = places.all(|place| place < self.tail.next);
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

    /// The place of the next record.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.tail.next
    }

    /// Tells how full its collections are.
    pub fn gauge(&self, tell: Gauge<'_>) {
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
}

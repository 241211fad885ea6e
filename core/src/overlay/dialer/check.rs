//! What must hold among the destinations at any time.

use super::{Destination, Dialer};
use crate::kernel::{
    bounded::{Gauge, first_broken},
    id::NodeId,
};

impl Dialer {
    /// What must hold at any time; `is_wanted` says whom the links want.
    pub(in crate::overlay) fn check(
        &self,
        is_wanted: impl Fn(&NodeId) -> bool,
    ) -> Result<(), &'static str> {
        let wanted = self
            .destinations
            .iter()
            .all(|(destination, attempts)| match destination {
                Destination::Member(peer) => attempts.once || is_wanted(peer),
                Destination::Entry(_) => true,
            });
        let runs = self.destinations.values().all(|attempts| {
            attempts
                .dialling
                .is_none_or(|dial| self.running.contains_key(&dial))
        });
        first_broken(&[
            (wanted, "who is not wanted is dialled"),
            (runs, "a dial that has ended counts as running"),
        ])
    }

    /// How often a destination failed in a row.
    pub(in crate::overlay) fn failures(&self, destination: &Destination) -> u32 {
        self.destinations
            .get(destination)
            .map_or(0, super::Attempts::failures)
    }

    pub(in crate::overlay) fn gauge(&self, tell: Gauge<'_>) {
        tell(
            "destinations",
            self.destinations.len(),
            self.destinations_max(),
        );
        tell(
            "remembered backoffs",
            self.remembered.len(),
            self.destinations_max(),
        );
    }
}

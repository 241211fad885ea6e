//! What must hold in the cells at any time.

use super::{Cells, Measure};
use crate::{kernel::bounded::first_broken, replication::clock::Hlc};

impl Cells {
    /// `latest` is what the clock has given or seen.
    pub(in crate::replication) fn check(&self, latest: Hlc) -> Result<(), &'static str> {
        let mut sum = Measure::default();
        for (key, register) in self.namespaces.values().flat_map(|cells| cells.iter()) {
            register.check(latest)?;
            let one = Measure::of(key, register);
            sum.bytes = sum.bytes.saturating_add(one.bytes);
            sum.live = sum.live.saturating_add(one.live);
            sum.conflicts = sum.conflicts.saturating_add(one.conflicts);
            sum.dropped = sum.dropped.saturating_add(one.dropped);
        }
        let live: u64 = self.live_in.values().sum();
        first_broken(&[
            (
                sum.bytes == self.bytes,
                "bytes of cells are counted wrongly",
            ),
            (
                sum.live == self.live && live == self.live,
                "live keys are counted wrongly",
            ),
            (
                sum.conflicts == self.conflicts,
                "conflicts are counted wrongly",
            ),
            (
                sum.dropped == self.conflicts_dropped,
                "dropped conflicts are counted wrongly",
            ),
        ])
    }
}

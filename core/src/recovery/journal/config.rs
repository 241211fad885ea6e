//! Settings of the journal.

use crate::kernel::component::Settings;
#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use core::time::Duration;

/// Settings of the journal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Batches with the store at a time, 1 to 4. One gives the largest groups; more hide a store's
    /// latency, but only for a store that, once a batch has failed, fails those already behind it:
    /// otherwise a crash before they are written again leaves a gap that replay may refuse.
    pub in_flight_max: u8,
    /// The most operations in a batch, 1 to 1 000 000. Too few cost flushes, too many delay the
    /// first one's acknowledgement.
    pub batch_ops_max: u32,
    /// The most bytes in a batch; one larger operation still goes alone. Below `queue_bytes_max`.
    pub batch_bytes_max: u64,
    /// The most bytes that wait for a batch (64 bytes are added for each operation). What comes
    /// beyond is refused with `PersistFailed { full: true }`. Too small refuses bursts, too large
    /// hides a slow store behind memory.
    pub queue_bytes_max: u64,
    /// The most loads with the store at a time; what comes beyond is refused. 1 to 65 536.
    pub loads_max: u32,
    /// The most records in one load; a larger one is refused. 1 to 65 536.
    pub load_records_max: u32,
    /// How often an idle journal looks whether a full store has space again. Seconds; too small
    /// wears the disk, too large keeps the node read-only for longer than needed.
    pub full_retry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_flight_max: 1,
            batch_ops_max: 16_384,
            batch_bytes_max: 16 << 20,
            queue_bytes_max: 64 << 20,
            loads_max: 256,
            load_records_max: 4_096,
            full_retry: Duration::from_secs(5),
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn validate(&self) -> Result<(), &'static str> {
        if self.in_flight_max == 0 || self.in_flight_max > 4 {
            return Err("journal.in_flight_max");
        }
        if self.batch_ops_max == 0 || self.batch_ops_max > 1_000_000 {
            return Err("journal.batch_ops_max");
        }
        // A batch is filled from the queue, so a larger bound would never be reached.
        if self.batch_bytes_max == 0 || self.batch_bytes_max > self.queue_bytes_max {
            return Err("journal.batch_bytes_max");
        }
        // A body's length has to fit the 32 bits of a record; this bound is far below.
        if self.queue_bytes_max > 1 << 30 {
            return Err("journal.queue_bytes_max");
        }
        if self.loads_max == 0 || self.loads_max > 65_536 {
            return Err("journal.loads_max");
        }
        if self.load_records_max == 0 || self.load_records_max > 65_536 {
            return Err("journal.load_records_max");
        }
        if self.full_retry.as_millis() < 100 {
            return Err("journal.full_retry");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, _: &mut Rng) {
        // Not drawn: bounds on memory that no run comes near (`batch_ops_max`, `batch_bytes_max`,
        // `queue_bytes_max`, `loads_max`, `load_records_max`); what the store can do
        // (`in_flight_max`); `full_retry`, as a run waits for a full store as often as a node.
    }
}

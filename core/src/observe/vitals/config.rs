//! The settings of [`Vitals`](super::Vitals).

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::kernel::{component::Settings, time::Duration};

/// How reports are made and spread.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// The least time between two reports of this node. Default 5 s; 1 s to 10 min. Smaller shows a change
    /// sooner and costs more in small meshes; larger than a minute looks as if nothing were known.
    pub interval_min: Duration,
    /// The interval for each member: in a mesh of n nodes it is n times this, and at least
    /// `interval_min`. Default 600 ms, so that a link carries some 500 bytes a second however many members
    /// there are; 10 ms to 1 min. Halved, the bytes double.
    pub interval_per_member: Duration,
    /// How long what is new waits, give or take a half, before it is passed on. Default 1 s; 100 ms to 10 s.
    /// Below the round trip reports cross each other on a link and are told twice; the last node knows
    /// after this times the diameter of the mesh, so much more shows old values.
    pub turn: Duration,
    /// The most bytes of reports to one peer in a turn; one larger report still goes alone. Default 8 KiB;
    /// 1 KiB to 32 KiB. Too small takes long to tell a new peer the table, too large delays other messages.
    pub batch_bytes_max: u32,
    /// The most signatures of one peer's reports that are checked in a second. Default 200: some 7 ms of a
    /// core. Above what an honest peer sends in batches; the excess is dropped, and the next report repairs it.
    pub verifies_per_second_max: u32,
    /// The most nodes whose reports are kept. Default 10,000, as many as there may be members; further ones
    /// are refused.
    pub members_max: u32,
    /// The most reports of nodes that are not known as members, kept until the interval is over. Default
    /// 256. A new peer may hear of nodes before it knows them as members; 0 makes it wait for their next
    /// reports, much more lets a liar fill memory.
    pub strangers_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval_min: Duration::from_secs(5),
            interval_per_member: Duration::from_millis(600),
            turn: Duration::from_secs(1),
            batch_bytes_max: 8 * 1_024,
            verifies_per_second_max: 200,
            members_max: 10_000,
            strangers_max: 256,
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "vitals"
    }

    fn validate(&self) -> Result<(), &'static str> {
        let millis = Duration::from_millis;
        if self.interval_min < millis(1_000) || self.interval_min > millis(600_000) {
            return Err("vitals.interval_min");
        }
        if self.interval_per_member < millis(10) || self.interval_per_member > millis(60_000) {
            return Err("vitals.interval_per_member");
        }
        if self.turn < millis(100) || self.turn > millis(10_000) {
            return Err("vitals.turn");
        }
        if !(1_024..=32 * 1_024).contains(&self.batch_bytes_max) {
            return Err("vitals.batch_bytes_max");
        }
        if self.verifies_per_second_max == 0 {
            return Err("vitals.verifies_per_second_max");
        }
        if self.members_max == 0 {
            return Err("vitals.members_max");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        // As they are: bounds that no run comes near, `verifies_per_second_max`, `members_max` and
        // `strangers_max`.
        self.interval_min = rng.span(2_000, 20_000);
        self.interval_per_member = rng.span(100, 2_000);
        self.turn = rng.span(100, 4_000);
        self.batch_bytes_max = u32::try_from(rng.number(1_024, 16 * 1_024)).unwrap_or(8 * 1_024);
    }
}

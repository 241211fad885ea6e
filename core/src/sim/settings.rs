//! Settings drawn wide: each node's own, up to a hundred times apart from the next one's.
//!
//! What stays as it is: settings that all nodes have to share (`rings`, `ahead_max`), bounds on memory that
//! no run comes near, and relations that a configuration must keep. Time limits stay below what a run
//! waits for in the end.

use crate::{
    kernel::{component::Settings, id::Role, rng::Rng},
    node::tuning::Tuning,
    replication::{self, batch::BATCH_BYTES_MAX},
};

/// Draws the settings of one node.
#[must_use]
pub fn draw(role: Role, rng: &mut Rng) -> Tuning {
    let mut tuning = Tuning::of(role);
    tuning.swim.draw(rng);
    tuning.links.draw(rng);
    tuning.replica = draw_replica(tuning.replica, rng);
    tuning
}

fn draw_replica(usual: replication::config::Config, rng: &mut Rng) -> replication::config::Config {
    let batch = BATCH_BYTES_MAX as u64;
    replication::config::Config {
        summary_interval: rng.span(1_000, 60_000),
        fetch_patience: rng.span(500, 20_000),
        push_patience: rng.span(200, 20_000),
        ack_patience: rng.span(500, 20_000),
        in_flight_bytes_max: rng.number(batch, batch * 4) as u32,
        in_flight_max: rng.number(1, 1_024) as u32,
        window_bytes: rng.number(1_024, 256 << 10) as u32,
        fetches_max: rng.number(1, 64) as u32,
        loads_max: rng.number(1, 100) as u32,
        recent_bytes_max: rng.number(1, 8 << 20) as u32,
        waiting_max: rng.number(64, 16_384) as u32,
        waiting_bytes_max: rng.number(batch, batch * 100),
        staged_bytes_max: rng.number(batch * 2, batch * 50),
        changes_max: rng.number(16, 65_536) as u32,
        outbox_max: rng.number(1_024, 16_384) as u32,
        life_patience: rng.span(1_000, 60_000),
        aside_bytes_max: rng.number(batch * 8, batch * 80),
        verify_on_restore: rng.chance(500),
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::millis;

    #[test]
    fn what_is_drawn_is_valid_and_far_apart() {
        let mut rng = Rng::from_number(1);
        let mut periods = (u64::MAX, 0);
        for _ in 0..500 {
            let tuning = draw(Role::Relay, &mut rng);
            assert_eq!(tuning.swim.validate(), Ok(()));
            assert_eq!(tuning.replica.validate(), Ok(()));
            let interval = millis(tuning.replica.summary_interval);
            periods = (periods.0.min(interval), periods.1.max(interval));
        }
        assert!(periods.0 * 30 <= periods.1, "{periods:?}");
    }
}

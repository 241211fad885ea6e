//! Settings drawn wide: each node's own, up to a hundred times apart from the next one's.
//!
//! What stays as it is: settings that all nodes have to share (`rings`, `ahead_max`), bounds on memory that
//! no run comes near, and relations that a configuration must keep. Time limits stay below what a run
//! waits for in the end.

use crate::{
    kernel::{component::Settings, id::Role, rng::Rng, time::Duration},
    membership::{suspicion::Windows, swim},
    node::tuning::Tuning,
    overlay::links,
};

/// Draws the settings of one node.
#[must_use]
pub fn draw(role: Role, rng: &mut Rng) -> Tuning {
    let usual = Tuning::of(role);
    Tuning {
        swim: draw_swim(usual.swim, rng),
        links: links::Config {
            ping_interval: span(500, 8_000, rng),
            // A tab gives up after three of its own, a relay pings in its own.
            ping_interval_tab: span(4_000, 9_000, rng),
            save_interval: span(1_000, 60_000, rng),
            ..usual.links
        },
        replica: {
            let mut replica = usual.replica;
            replica.draw(rng);
            replica
        },
    }
}

/// From `least` to `most`, every power of two as likely as the others.
fn number(least: u64, most: u64, rng: &mut Rng) -> u64 {
    let doublings = (most / least.max(1)).max(1).ilog2();
    let low = least << rng.below(u64::from(doublings) + 1);
    (low + rng.below(low.max(1))).min(most)
}

/// The same in milliseconds.
fn span(least: u64, most: u64, rng: &mut Rng) -> Duration {
    Duration::from_millis(number(least, most, rng))
}

fn draw_swim(usual: swim::Config, rng: &mut Rng) -> swim::Config {
    let probe_period = span(200, 2_500, rng);
    let lease_ttl = span(10_000, 100_000, rng);
    let block = number(20, 1_000, rng) as u32;
    swim::Config {
        probe_period,
        probe_timeout: probe_period * number(200, 700, rng) as u32 / 1_000,
        helpers: rng.below(6) as u8,
        health_max: rng.below(17) as u8,
        windows: Windows {
            silence_min: span(1_000, 20_000, rng).max(probe_period),
            silence_per_doubling: span(20, 2_000, rng),
            silence_max_factor: 1 + rng.below(6) as u32,
            confirmations: rng.below(4) as u32,
            crash: span(600, 6_000, rng),
        },
        crash_memory: span(1_000, 100_000, rng),
        unlinked_grace: span(1_000, 10_000, rng),
        gossip_delay: span(5, 500, rng),
        gossip_fanout: number(2, 40, rng) as u8,
        piggyback_bytes_max: number(300, 3_000, rng) as u32,
        retransmit_factor: number(1, 10, rng) as u32,
        sync_interval: span(1_000, 60_000, rng).max(probe_period),
        sync_entries_max: number(4, 256, rng) as u16,
        lease_ttl,
        lease_renewal: lease_ttl / 4,
        lease_grace: span(500, 10_000, rng),
        try_interval: span(3_000, 60_000, rng),
        try_interval_isolated: span(500, 6_000, rng),
        // With one home a tab is parked for everyone who takes a liar for dead.
        homes: 2 + rng.below(2) as u8,
        home_patience: span(1_000, 10_000, rng),
        home_avoidance: span(3_000, 60_000, rng),
        incarnation_block: block,
        incarnation_margin: (block / 4).max(2),
        refute_interval: span(20, 300, rng),
        roster_interval: span(100, 10_000, rng),
        stall: probe_period * 2,
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

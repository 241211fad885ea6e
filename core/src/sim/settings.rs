//! Settings drawn wide: each node's own, up to a hundred times apart from the next one's.
//!
//! Every machine draws its own (`Settings::draw`). What stays as it is: settings that all nodes have to
//! share, bounds on memory that no run comes near, and relations that a configuration must keep. Time
//! limits stay below what a run waits for in the end.

use crate::{
    kernel::{id::Role, rng::Rng},
    node::tuning::Tuning,
};

/// Draws the settings of one node.
#[must_use]
pub fn draw(role: Role, rng: &mut Rng) -> Tuning {
    let mut tuning = Tuning::of(role);
    for settings in tuning.all_mut() {
        settings.draw(rng);
    }
    tuning
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
            let mut tuning = draw(Role::Relay, &mut rng);
            assert_eq!(tuning.validate(), Ok(()));
            let interval = millis(tuning.replica.summary_interval);
            periods = (periods.0.min(interval), periods.1.max(interval));
        }
        assert!(periods.0 * 30 <= periods.1, "{periods:?}");
    }
}

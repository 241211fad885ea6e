//! From a plan that fails to the few faults that matter.
//!
//! Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002
//! (ddmin: remove ever smaller parts as long as the failure stays).

use crate::sim::plan::Plan;

/// The plan with as few faults as `fails` still says yes to; asks at most `runs_max` times.
pub fn shrink(plan: &Plan, runs_max: u32, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut smallest = plan.clone();
    let mut runs = 0;
    let mut part = smallest.faults.len();
    while part > 0 {
        let mut from = 0;
        let mut removed = false;
        while from < smallest.faults.len() {
            if runs >= runs_max {
                return smallest;
            }
            let mut smaller = smallest.clone();
            let to = (from + part).min(smaller.faults.len());
            smaller.faults.drain(from..to);
            runs += 1;
            if fails(&smaller) {
                smallest = smaller;
                removed = true;
            } else {
                from += part;
            }
        }
        if !removed || part > 1 {
            part /= 2;
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::time::Duration,
        sim::{
            fault::{Fault, Planned},
            plan::Wish,
        },
    };

    #[test]
    fn the_two_faults_that_matter_are_left() {
        let mut plan = Plan::draw(1, Wish::default());
        let planned = |host| Planned {
            at: Duration::from_secs(u64::from(host)),
            lasts: Duration::ZERO,
            fault: Fault::Crash(host),
        };
        plan.faults = (0..23).map(planned).collect();
        let has = |plan: &Plan, host| plan.faults.contains(&planned(host));
        let small = shrink(&plan, 1_000, |plan| has(plan, 3) && has(plan, 17));
        assert_eq!(small.faults, [planned(3), planned(17)]);
    }
}

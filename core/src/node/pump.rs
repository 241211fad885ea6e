//! Draining the machines in one fixed order, bounded, until nothing moves.

use crate::{kernel::machine::Machine, node::machine::Node};

/// The most machine outputs routed for one input. What is left over stays in the machines, whose
/// `poll_timeout` then answers "at once". Far above what any input causes.
const STEPS_MAX: u32 = 100_000;

impl Node {
    /// One output at a time, always of the first machine that has one, in the order of
    /// [`Node::components`].
    pub(super) fn pump(&mut self) {
        for _ in 0..STEPS_MAX {
            // Back to the first machine after every output: routing one may make an earlier machine
            // speak, and what that says goes first.
            if let Some(output) = self.links.poll_output() {
                self.route_links(output);
            } else if let Some(output) = self.admission.poll_output() {
                self.route_admission(output);
            } else if let Some(output) = self.swim.poll_output() {
                self.route_swim(output);
            } else if let Some(output) = self.replica.poll_output() {
                self.route_replica(output);
            } else if let Some(output) = self.reach.poll_output() {
                self.route_reach(output);
            } else if let Some(output) = self.vitals.poll_output() {
                self.route_vitals(output);
            } else if let Some(output) = self.alerts.poll_output() {
                self.route_alerts(output);
            } else if let Some(output) = self.journal.poll_output() {
                self.route_journal(output);
            } else {
                break;
            }
        }
        // Only now: the journal may have become idle by what was routed.
        self.depart_when_durable();
    }
}

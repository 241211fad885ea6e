//! What a node asks of every machine alike: one list, and nothing about a new machine is forgotten.
//!
//! [`Machine`] has types of its own, so machines can't stand in one list. A [`Component`] is the part of
//! a machine that needs none of them. The node names its machines as fields and gives one ordered list
//! of them; whoever walks over all machines (timers, checks, gauges, metrics, settings) walks that list.

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::kernel::{bounded::Gauge, machine::Machine, metrics::Metrics, time::Time};

/// The verbs of a [`Machine`] that need none of its types. Every machine has them.
pub trait Driven {
    /// As [`Machine::poll_timeout`].
    fn due_at(&self) -> Option<Time>;

    /// Runs the timers if one is due.
    fn wake(&mut self, now: Time);
}

impl<M: Machine> Driven for M {
    fn due_at(&self) -> Option<Time> {
        self.poll_timeout()
    }

    fn wake(&mut self, now: Time) {
        // An early timeout would be harmless, but most machines have nothing due.
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.handle_timeout(now);
        }
    }
}

/// A machine as the node's list of machines has it.
pub trait Component: Driven {
    /// What it is called in checks, gauges, settings and documents: one lower-case word.
    fn name(&self) -> &'static str;

    /// Checks what must hold in it at any time, whatever happened.
    ///
    /// # Errors
    /// What does not hold: a bug of the machine.
    fn check(&self) -> Result<(), &'static str>;

    /// Tells of each of its collections how much it holds and may hold.
    fn gauges(&self, tell: Gauge<'_>);

    /// Tells its counters and measured values.
    fn metrics(&self, to: &mut Metrics);

    /// Its settings.
    fn settings(&self) -> &dyn Settings;
}

/// The settings of one machine, as the list of all settings has them.
pub trait Settings {
    /// The name of the machine they belong to; see [`Component::name`].
    fn name(&self) -> &'static str;

    /// Checks the range of each setting, and their relations.
    ///
    /// # Errors
    /// The first setting that is out of range, with its bounds where the name does not say them.
    fn validate(&self) -> Result<(), &'static str>;

    /// Draws settings far apart from the usual ones, but valid: simulated nodes get them. What all
    /// nodes have to share stays as it is, and so do bounds on memory that no run comes near.
    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng);
}

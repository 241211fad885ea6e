//! What every machine must satisfy, as one generic check.
//!
//! A room's tests call [`check`] with a way to build its machine and a stream of arbitrary inputs.
//! Checked: an early timeout is harmless, an older `now` is harmless, draining ends, no hot loop (a
//! drained machine is never due again at the same moment without new input), the same inputs give the
//! same outputs, and outputs stay within a bound.

use crate::kernel::{
    machine::{Input, Machine, Output},
    time::Time,
};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Debug;

/// What drives a machine in [`check`]: inputs with the time that passes before each, in
/// microseconds.
pub type Script<M> = Vec<(u64, Input<<M as Machine>::Message, <M as Machine>::Command>)>;

/// Bounds that a machine promises.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most outputs that one input or one due timer may cause.
    pub outputs_per_step_max: usize,
    /// The most timer rounds without input that may follow each other at one moment.
    pub rounds_per_moment_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            outputs_per_step_max: 4_096,
            rounds_per_moment_max: 64,
        }
    }
}

/// Runs `script` twice through machines built by `build`, once with early timeouts and older clocks
/// thrown in, and compares.
///
/// # Errors
/// The law that was broken, in words.
pub fn check<M>(build: impl Fn() -> M, script: &Script<M>, bounds: Bounds) -> Result<(), String>
where
    M: Machine,
    M::Message: Clone + Debug,
    M::Command: Clone + Debug,
    M::Event: Debug,
{
    let plain = run(build(), script, bounds, false)?;
    let teased = run(build(), script, bounds, true)?;
    if plain == teased {
        return Ok(());
    }
    let differs = plain.iter().zip(&teased).position(|(a, b)| a != b);
    let at = differs.unwrap_or_else(|| plain.len().min(teased.len()));
    Err(format!(
        "an early timeout or an older clock changed output {at}: {:?} against {:?}",
        plain.get(at),
        teased.get(at)
    ))
}

fn run<M>(
    mut machine: M,
    script: &Script<M>,
    bounds: Bounds,
    teased: bool,
) -> Result<Vec<String>, String>
where
    M: Machine,
    M::Message: Clone + Debug,
    M::Command: Clone + Debug,
    M::Event: Debug,
{
    let mut trace = Vec::new();
    // Not zero: that is what `poll_timeout` answers while output is queued.
    let mut now = Time::from_micros(1);
    drain(&mut machine, now, bounds, &mut trace)?;
    for (gap, input) in script {
        let until = now + core::time::Duration::from_micros(*gap);
        now = run_timers(&mut machine, now, until, bounds, teased, &mut trace)?;
        machine.handle_input(now, input.clone());
        drain(&mut machine, now, bounds, &mut trace)?;
        if teased {
            // An older clock: the machine has to take it for the latest one that it saw.
            machine.handle_timeout(now - core::time::Duration::from_secs(1));
        }
    }
    Ok(trace)
}

fn run_timers<M: Machine>(
    machine: &mut M,
    mut now: Time,
    until: Time,
    bounds: Bounds,
    teased: bool,
    trace: &mut Vec<String>,
) -> Result<Time, String>
where
    M::Message: Debug,
    M::Event: Debug,
{
    let mut rounds = 0_usize;
    while let Some(due) = machine.poll_timeout().filter(|due| *due <= until) {
        if due > now {
            rounds = 0;
            if teased {
                machine.handle_timeout(now);
                drain(machine, now, bounds, trace)?;
            }
            now = due;
        }
        rounds = rounds.saturating_add(1);
        // Timers may follow from timers at one moment, but not for ever.
        if rounds > bounds.rounds_per_moment_max {
            return Err(format!(
                "hot loop: still due at {now} after {rounds} rounds"
            ));
        }
        machine.handle_timeout(now);
        drain(machine, now, bounds, trace)?;
    }
    Ok(until)
}

fn drain<M: Machine>(
    machine: &mut M,
    now: Time,
    bounds: Bounds,
    trace: &mut Vec<String>,
) -> Result<(), String>
where
    M::Message: Debug,
    M::Event: Debug,
{
    let mut count = 0_usize;
    while let Some(output) = machine.poll_output() {
        count = count.saturating_add(1);
        if count > bounds.outputs_per_step_max {
            return Err(format!("one step at {now} gave more than {count} outputs"));
        }
        trace.push(match output {
            Output::Send { to, message } => format!("{now} to {to:?}: {message:?}"),
            Output::Event(event) => format!("{now} event: {event:?}"),
        });
    }
    Ok(())
}

//! What many runs came to, added up.

use crate::sim::{plan::Plan, run::Outcome};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use serde::Serialize;

/// The median, the 99th percentile and the largest of some times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half are not longer.
    pub median: Option<u64>,
    /// 99 of 100 are not longer.
    pub p99: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
}

impl Spread {
    /// The spread of some numbers; unknown if there are none.
    #[must_use]
    pub fn of(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        let at = |permille: usize| {
            let last = numbers.len().checked_sub(1)?;
            numbers
                .get(numbers.len() * permille / 1_000)
                .or_else(|| numbers.get(last))
                .copied()
        };
        Self {
            median: at(500),
            p99: at(990),
            max: numbers.last().copied(),
        }
    }
}

/// A violation, and how to see it again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The seed of the run.
    pub seed: u64,
    /// What happened, in words.
    pub what: String,
    /// When, in seconds of virtual time.
    pub at_s: f64,
    /// The command that runs it again.
    pub command: String,
}

/// What many runs came to. Serialises to what `sporenet sim --json` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Runs.
    pub seeds: u64,
    /// Nodes of all runs.
    pub nodes: u64,
    /// Hours that nodes lived, in virtual time.
    pub node_hours: f64,
    /// Virtual time of all runs, one after another.
    pub virtual_s: f64,
    /// Real time; the host fills it in.
    pub real_s: f64,
    /// Virtual seconds in a real one.
    pub ratio: f64,
    /// Events of all wheels.
    pub events: u64,
    /// Faults that happened, by class; packets that the network harmed among them.
    pub faults: BTreeMap<String, u64>,
    /// Writes that were acknowledged and checked in the end.
    pub acked_writes: u64,
    /// Broken promises about them.
    pub lost_writes: u64,
    /// Runs whose hosts did not agree in the end.
    pub divergences: u64,
    /// Living relays declared dead while nothing was wrong.
    pub false_deaths: u64,
    /// Verdicts about processes that were down.
    pub true_deaths: u64,
    /// How long those took.
    pub detection_ms: Spread,
    /// How long meshes took to be whole after everything was healed.
    pub heal_ms: Spread,
    /// States of interest that were reached: timeline codes with their counts.
    pub reached: BTreeMap<String, u64>,
    /// What went wrong.
    pub violations: Vec<Finding>,
    /// A hash over the traces of all runs, in the order of their seeds.
    pub state_hash: String,
    #[serde(skip)]
    detections: Vec<u64>,
    #[serde(skip)]
    heals: Vec<u64>,
    #[serde(skip)]
    traces: BTreeMap<u64, String>,
}

const PACKETS: [&str; 5] = [
    "packet lost",
    "packet doubled",
    "packet reordered",
    "packet corrupted",
    "packet held",
];

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, plan: &Plan, outcome: Outcome) {
        self.seeds += 1;
        self.nodes += outcome.nodes;
        let seconds = outcome.virtual_time.as_secs_f64();
        self.virtual_s += seconds;
        self.node_hours += seconds * outcome.nodes as f64 / 3_600.0;
        self.events += outcome.events;
        for (class, count) in outcome.faults {
            *self.faults.entry(class.to_string()).or_default() += count;
        }
        for (name, count) in PACKETS.iter().zip(outcome.packets) {
            *self.faults.entry((*name).to_string()).or_default() += count;
        }
        for (code, count) in outcome.reached {
            *self.reached.entry(code).or_default() += count;
        }
        self.acked_writes += outcome.acknowledged;
        self.lost_writes += outcome.lost;
        self.divergences += outcome.divergences;
        self.false_deaths += outcome.false_deaths;
        self.true_deaths += outcome.true_deaths;
        self.detections.extend(outcome.detection_ms);
        self.heals.extend(outcome.heal_ms);
        self.traces.insert(plan.seed, outcome.trace);
        for violation in outcome.violations {
            self.find(plan, violation.what, violation.at.as_micros() as f64 / 1e6);
        }
    }

    /// Adds something that went wrong in a run.
    pub fn find(&mut self, plan: &Plan, what: String, at_s: f64) {
        self.violations.push(Finding {
            seed: plan.seed,
            what,
            at_s,
            command: plan.command(),
        });
    }

    /// Adds what another thread has added up.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.nodes += other.nodes;
        self.node_hours += other.node_hours;
        self.virtual_s += other.virtual_s;
        self.events += other.events;
        for (class, count) in other.faults {
            *self.faults.entry(class).or_default() += count;
        }
        for (code, count) in other.reached {
            *self.reached.entry(code).or_default() += count;
        }
        self.acked_writes += other.acked_writes;
        self.lost_writes += other.lost_writes;
        self.divergences += other.divergences;
        self.false_deaths += other.false_deaths;
        self.true_deaths += other.true_deaths;
        self.detections.extend(other.detections);
        self.heals.extend(other.heals);
        self.traces.extend(other.traces);
        self.violations.extend(other.violations);
    }

    /// Computes what follows from all runs; `real_s` is how long they took.
    pub fn finish(&mut self, real_s: f64) {
        self.real_s = real_s;
        self.ratio = if real_s > 0.0 {
            self.virtual_s / real_s
        } else {
            0.0
        };
        self.detection_ms = Spread::of(self.detections.clone());
        self.heal_ms = Spread::of(self.heals.clone());
        self.violations.sort_by_key(|finding| finding.seed);
        let mut hasher = blake3::Hasher::new();
        for trace in self.traces.values() {
            hasher.update(trace.as_bytes());
        }
        self.state_hash = hasher.finalize().to_string();
    }
}

#[cfg(test)]
mod planted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_nothing_is_unknown() {
        assert_eq!(Spread::of(Vec::new()), Spread::default());
        let spread = Spread::of((0..1_000).rev().collect());
        assert_eq!(
            (spread.median, spread.p99, spread.max),
            (Some(500), Some(990), Some(999))
        );
        assert_eq!(Spread::of([7].into()).p99, Some(7));
    }
}

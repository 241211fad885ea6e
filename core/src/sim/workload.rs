//! Clients that write, and remember what they were promised.

use crate::{
    kernel::{rng::Rng, time::Duration},
    replication::write::AckLevel,
    sim::{host::HostId, ledger::Ledger, shell::Shell, world::World},
};
use alloc::{collections::BTreeSet, format, string::String};

/// The namespace of all simulated writes.
pub const NAMESPACE: &str = "sim";

/// Keys that several hosts write.
const CONTESTED: u64 = 6;
/// Keys that each host writes again and again.
const OWN: u64 = 4;

/// The clients of all hosts.
#[derive(Debug)]
pub struct Workload {
    writes_per_minute: u32,
    written: u64,
    rng: Rng,
}

impl Workload {
    /// Clients with a mean rate, all hosts together.
    #[must_use]
    pub const fn new(writes_per_minute: u32, rng: Rng) -> Self {
        Self {
            writes_per_minute,
            written: 0,
            rng,
        }
    }

    /// Writes as often as is due in a span of time. Clients stay away from liars: what those write may
    /// end differently everywhere.
    pub fn step<S: Shell>(
        &mut self,
        world: &mut World<S>,
        ledger: &mut Ledger,
        liars: &BTreeSet<HostId>,
        span: Duration,
    ) {
        // Chances below a millionth are lost, which is less than a write a day.
        let micros = span.as_micros() as u64 * u64::from(self.writes_per_minute) / 60;
        let due = micros / 1_000_000 + u64::from(self.rng.below(1_000_000) < micros % 1_000_000);
        for _ in 0..due {
            let trusted = || world.hosts().filter(|host| !liars.contains(host));
            let host = trusted().nth(self.rng.index(trusted().count()));
            if let Some(host) = host {
                self.write(world, ledger, host);
            }
        }
    }

    /// Writes once at a host, if it runs.
    pub fn write<S: Shell>(&mut self, world: &mut World<S>, ledger: &mut Ledger, host: HostId) {
        if !world.runs(host) {
            return;
        }
        self.written += 1;
        let number = self.written;
        let rng = &mut self.rng;
        let key = match rng.below(10) {
            0..=3 => format!("own/{host}/{}", rng.below(OWN)),
            4..=7 => format!("once/{host}/{number}"),
            _ => format!("any/{}", rng.below(CONTESTED)),
        };
        let deletes = key.starts_with("own/") && rng.chance(150);
        let level = if rng.chance(400) {
            AckLevel::Relay
        } else {
            AckLevel::Local
        };
        let padding = match rng.below(50) {
            0 => 20_000,
            1..=5 => 1_000,
            _ => 0,
        };
        let value = (!deletes).then(|| format!("{host}-{number}-{:.<padding$}", ""));
        let bytes = value.as_deref().map(str::as_bytes);
        let node = world.node(host);
        let frozen = node.is_some_and(|node| node.replica().is_blocked());
        let request = world.write(host, NAMESPACE, &key, bytes, level);
        let value = value.as_deref().map(brief);
        ledger.tried((host, request), &key, value, level, frozen);
    }
}

/// The part of a value that tells it from all others.
#[must_use]
pub fn brief(value: &str) -> String {
    value.trim_end_matches('.').into()
}

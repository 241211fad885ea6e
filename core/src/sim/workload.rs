//! Clients that write, and remember what they were promised.

use crate::{
    kernel::{rng::Rng, text::Key, time::Duration},
    node::{Node, contract::Request},
    observe::alerts::{Standing, Wish},
    replication::{
        typed::{Change, Content},
        write::AckLevel,
    },
    sim::{host::HostId, ledger::Ledger, shell::Shell, world::World},
};
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

/// The namespace of all simulated writes.
pub const NAMESPACE: &str = "sim";

/// Keys that several hosts write.
const CONTESTED: u64 = 6;
/// How often who writes also says that it looks after an alert, in thousandths.
const ACKNOWLEDGES: u32 = 100;
/// After so many writes somebody asks a host to give room back.
const COMPACTS: u64 = 20;
/// Keys that each host writes again and again.
const OWN: u64 = 4;

/// How many plans have clients that also change typed values, in thousandths.
const TYPED_PLANS: u32 = 250;
/// How often such a client changes a typed value instead of writing, in thousandths.
const CHANGES: u32 = 350;
/// Counters that all hosts add to.
const COUNTERS: u64 = 2;
/// The key of a set that all hosts change.
const SET: &str = "set";
/// What a ledger knows elements of the set by, before their names.
pub const ELEMENT: &str = "in/";
/// What a ledger, and everyone else, knows counters by, before their numbers.
pub const COUNTER: &str = "sum/";

/// The clients of all hosts.
#[derive(Debug)]
pub struct Workload {
    writes_per_minute: u32,
    written: u64,
    rng: Rng,
    /// What decides on changes of typed values; `None` if there are none in this plan.
    typed: Option<Rng>,
}

impl Workload {
    /// Clients with a mean rate, all hosts together.
    #[must_use]
    pub fn new(writes_per_minute: u32, rng: Rng) -> Self {
        // Draws of their own: what is written besides stays as it is without them.
        let mut typed = rng.fork("typed");
        Self {
            writes_per_minute,
            written: 0,
            rng,
            typed: typed.chance(TYPED_PLANS).then_some(typed),
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
                let changes = self.typed.as_mut().is_some_and(|rng| rng.chance(CHANGES));
                if changes {
                    self.change(world, ledger, host);
                } else {
                    self.write(world, ledger, host);
                }
                if self.rng.chance(ACKNOWLEDGES) {
                    acknowledge(world, host);
                }
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
        if number.is_multiple_of(COMPACTS) {
            world.ask(host, Request::Compact);
        }
        let bytes = value.as_deref().map(str::as_bytes);
        let node = world.node(host);
        let frozen = node.is_some_and(|node| node.replica().is_blocked());
        let request = world.write(host, NAMESPACE, &key, bytes, level);
        let value = value.as_deref().map(brief);
        ledger.tried((host, request), &key, value, level, frozen);
    }

    /// Changes a typed value at a host, if it runs: twice at once now and then, so that two changes are
    /// sealed together.
    fn change<S: Shell>(&mut self, world: &mut World<S>, ledger: &mut Ledger, host: HostId) {
        let Some(rng) = self.typed.as_mut().filter(|_| world.runs(host)) else {
            return;
        };
        let frozen = world
            .node(host)
            .is_some_and(|node| node.replica().is_blocked());
        for _ in 0..=rng.below(3) {
            let level = if rng.chance(400) {
                AckLevel::Relay
            } else {
                AckLevel::Local
            };
            let (key, subject, value, change) = match rng.below(6) {
                0..=2 => {
                    let key = format!("{COUNTER}{}", rng.below(COUNTERS));
                    let by = rng.below(1_000) as i64 - 300;
                    (key.clone(), key, Some(format!("{by}")), Change::Add(by))
                }
                3 => {
                    let element = format!("any-{}", rng.below(CONTESTED));
                    let change = Change::Insert(elements(&element));
                    (
                        SET.into(),
                        format!("{ELEMENT}{element}"),
                        Some(IS_IN.into()),
                        change,
                    )
                }
                _ => {
                    let element = format!("own-{host}-{}", rng.below(OWN));
                    let subject = format!("{ELEMENT}{element}");
                    if rng.chance(600) {
                        let change = Change::Insert(elements(&element));
                        (SET.into(), subject, Some(IS_IN.into()), change)
                    } else {
                        (
                            SET.into(),
                            subject,
                            None,
                            Change::Remove(elements(&element)),
                        )
                    }
                }
            };
            let request = world.change(host, NAMESPACE, &key, change, level);
            ledger.tried((host, request), &subject, value, level, frozen);
        }
    }
}

fn elements(name: &str) -> Vec<Key> {
    Key::new(name).into_iter().collect()
}

/// What a host reads of a subject of the ledger.
#[must_use]
pub fn read<S: Shell>(world: &World<S>, host: HostId, subject: &str) -> Option<String> {
    let Some(element) = subject.strip_prefix(ELEMENT) else {
        let bytes = world.read(host, NAMESPACE, subject)?;
        return Some(brief(&String::from_utf8_lossy(&bytes)));
    };
    let entry = world.node(host)?.entry(NAMESPACE, SET)?;
    let Content::Set { elements, .. } = entry.content else {
        return None;
    };
    let is_in = elements.iter().any(|one| one.as_str() == element);
    is_in.then(|| IS_IN.into())
}

/// What is read of an element that is in the set.
const IS_IN: &str = "in";

/// Somebody looks after the first alert that fires at a host and that nobody looks after, if there is one.
fn acknowledge<S: Shell>(world: &mut World<S>, host: HostId) {
    let alerts = world.node(host).map(Node::alert_views).unwrap_or_default();
    let first = alerts
        .iter()
        .find(|alert| alert.state == Standing::Firing)
        .and_then(|alert| alert.id.parse().ok());
    if let Some(id) = first {
        world.ask(host, Request::Wish(Wish::Acknowledge { id, note: None }));
    }
}

/// The part of a value that tells it from all others.
#[must_use]
pub fn brief(value: &str) -> String {
    value.trim_end_matches('.').into()
}

//! What is judged by rules, and what people want done about it.
//!
//! | metric | measured by | judged by |
//! |---|---|---|
//! | processors, memory, disk, descriptors, event loop, commits, errors, shards | the node | the node |
//! | round trip, loss, slowness of a path between relays | where it begins | where it begins |
//! | how healthy a node is, whether its store takes writes | others, or its own report | the relay whose duty it is |
//! | whether a relay is dead | others | the same; any relay, if nobody does for a while |
//!
//! Values are whole thousandths, so that all targets come to the same.

use crate::{
    kernel::{
        id::{NodeId, RequestId, Role},
        time::{Duration, Time},
    },
    membership::member::MemberState,
    node::{contract::Refusal, life::shares_used, machine::Node},
    observe::{
        alerts::{self, Look, Presence, Reading, Seen, Wish, rule::Metric},
        vitals::{Sample, Tag},
    },
    overlay::links,
    replication::write::WriteBlock,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A path is slow only if it takes that much longer than its shortest round trip.
const SLOWER_MIN: Duration = Duration::from_millis(100);
/// What a relay told of its paths is compared with for so long.
const TOLD_LATELY: Duration = Duration::from_secs(60);
/// How far a value can be trusted, in percent: what a node says of itself, what one end sees of a path,
/// what membership has settled.
const OWN_WORD: u8 = 90;
const ONE_END: u8 = 70;
const SETTLED: u8 = 100;

impl Node {
    /// Has the rules judge how things are.
    pub(in crate::node) fn look(&mut self, sample: &Sample) {
        let members = self.swim.members().map(|member| Seen {
            node: member.record.id,
            role: member.record.role,
            presence: match member.state {
                MemberState::Alive | MemberState::Suspect => Presence::Here,
                MemberState::Dead => Presence::Missed,
                MemberState::Left | MemberState::Parked => Presence::Away,
            },
            writes: self.writes(member.record.id, sample),
        });
        let members: Vec<Seen> = members.collect();
        let mut readings = self.own_readings(sample);
        readings.extend(self.path_readings());
        for seen in &members {
            if seen.role == Role::Relay {
                readings.push(absence(seen));
            }
            if self.alerts.judges(&seen.node) {
                self.read_other(seen, &mut readings);
            }
        }
        self.tell_alerts(alerts::Command::Look(Look {
            wall_ms: self.wall_now().as_millis(),
            members,
            readings,
        }));
        self.settle_findings();
    }

    fn writes(&self, node: NodeId, own: &Sample) -> bool {
        let failed = if node == self.id() {
            own.store_failed
        } else {
            let told = self.told_by(node, self.now);
            told.and_then(|(sample, _)| sample.store_failed)
        };
        failed != Some(true)
    }

    fn own_readings(&self, sample: &Sample) -> Vec<Reading> {
        let me = self.id();
        let mut readings = Vec::from(used(me, sample));
        let whole = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
        let millis = |number| whole(number).map(|number| number.saturating_mul(1_000));
        let more = [
            (Metric::LoopLag, millis(sample.loop_lag_ms)),
            (Metric::JournalLatency, millis(sample.journal_latency_ms)),
            (
                Metric::ErrorRate,
                Some(thousandths(self.measured.error_share())),
            ),
            (
                Metric::ShardVariance,
                self.shard_variance().map(thousandths),
            ),
        ];
        readings.extend(more.map(|(metric, value)| own(me, metric, value)));
        readings
    }

    fn path_readings(&self) -> Vec<Reading> {
        let me = self.id();
        if self.is_tab() {
            return Vec::new();
        }
        let paths = self.links.paths().filter(|path| path.role == Role::Relay);
        let detours = self.detours();
        paths
            .flat_map(|path| {
                let detour = detours.get(&Tag::of(path.peer)).copied();
                let of = |metric, value_milli| Reading {
                    metric,
                    node: me,
                    peer: Some(path.peer),
                    value_milli: Some(value_milli),
                    confidence: ONE_END,
                    of: None,
                };
                let micros = i64::try_from(path.rtt.as_micros()).unwrap_or(i64::MAX);
                let loss = i64::from(path.loss_permille).saturating_mul(100);
                [
                    of(Metric::Latency, micros),
                    of(Metric::SlowPath, slowness(&path, detour)),
                    of(Metric::Loss, loss),
                ]
            })
            .collect()
    }

    /// The shortest way to other relays over one relay between: this node's path to that one, and its path to
    /// them, as it told.
    fn detours(&self) -> BTreeMap<Tag, Duration> {
        let mut detours = BTreeMap::new();
        for first in self.links.paths().filter(|path| path.role == Role::Relay) {
            let Some(known) = self.vitals.known(&first.peer, self.now) else {
                continue;
            };
            if known.age > TOLD_LATELY {
                continue;
            }
            for second in &known.report.paths {
                let second_rtt = Duration::from_micros(second.rtt_us.into());
                let whole = first.rtt.saturating_add(second_rtt);
                let shortest = detours.entry(second.peer).or_insert(whole);
                *shortest = (*shortest).min(whole);
            }
        }
        detours
    }

    /// What is this node's to judge of another.
    fn read_other(&self, seen: &Seen, readings: &mut Vec<Reading>) {
        let node = seen.node;
        match seen.presence {
            Presence::Here => {}
            // Not known is not fine: what fires goes on.
            Presence::Missed => {
                let unknown = [Metric::NodeHealth, Metric::StoreFailed];
                readings.extend(unknown.map(|metric| own(node, metric, None)));
                return;
            }
            Presence::Away => return,
        }
        let (health, confidence) = self.health_reading(node, self.now);
        readings.push(Reading {
            metric: Metric::NodeHealth,
            node,
            peer: None,
            value_milli: health,
            confidence,
            of: None,
        });
        let Some((sample, _)) = self.told_by(node, self.now) else {
            return;
        };
        readings.push(Reading {
            metric: Metric::StoreFailed,
            value_milli: sample
                .store_failed
                .map(|failed| if failed { 1_000 } else { 0 }),
            ..own(node, Metric::StoreFailed, None)
        });
        // Its store takes no writes, so it can't tell itself what else is wrong.
        if sample.store_failed == Some(true) {
            readings.extend(used(node, &sample));
        }
    }

    fn health_reading(&self, node: NodeId, now: Time) -> (Option<i64>, u8) {
        let Some(member) = self.swim.members().find(|member| member.record.id == node) else {
            return (None, 0);
        };
        let health = self.health_of(&member, &self.paths_to(node, now), now);
        let known = health.terms.iter().map(|term| {
            let known = if term.value.is_some() {
                term.confidence
            } else {
                0.0
            };
            term.weight * known
        });
        let confidence = thousandths(known.sum::<f64>() * 100.0) / 1_000;
        (
            health.score.map(thousandths),
            u8::try_from(confidence).unwrap_or(SETTLED).min(SETTLED),
        )
    }

    /// Whether the store takes no writes, by the node's own fault or its disk's.
    pub(in crate::node) fn store_fails(&self) -> bool {
        let fatal = |block| matches!(block, WriteBlock::StoreBroken | WriteBlock::StoreLost);
        self.journal.full_since().is_some() || self.replica.blocks().any(fatal)
    }

    /// A person wants something done.
    pub(in crate::node) fn on_wish(&mut self, request: RequestId, wish: Wish) {
        match self.alerts.plan(wish) {
            Ok(deposit) => self.write_reserved(request, &deposit.place, deposit.value),
            Err(refusal) => self.refuse(request, Refusal::Wish(refusal)),
        }
    }
}

/// How full a node is: each of four, and the fullest.
fn used(node: NodeId, sample: &Sample) -> [Reading; 5] {
    let metrics = [
        Metric::Cpu,
        Metric::Memory,
        Metric::Disk,
        Metric::Descriptors,
    ];
    let values = shares_used(sample).map(|share| share.map(thousandths));
    let named = metrics.into_iter().zip(values);
    let fullest = named
        .clone()
        .filter_map(|(metric, value)| Some((value?, metric)));
    let fullest = fullest.max();
    let [cpu, memory, disk, descriptors] = values;
    [
        Reading {
            of: fullest.map(|(_, metric)| metric),
            ..own(node, Metric::ResourceUsage, fullest.map(|(value, _)| value))
        },
        own(node, Metric::Cpu, cpu),
        own(node, Metric::Memory, memory),
        own(node, Metric::Disk, disk),
        own(node, Metric::Descriptors, descriptors),
    ]
}

/// Whether a relay is missed.
const fn absence(seen: &Seen) -> Reading {
    let value = match seen.presence {
        Presence::Missed => 1_000,
        Presence::Here | Presence::Away => 0,
    };
    Reading {
        confidence: SETTLED,
        ..own(seen.node, Metric::Unreachable, Some(value))
    }
}

const fn own(node: NodeId, metric: Metric, value_milli: Option<i64>) -> Reading {
    Reading {
        metric,
        node,
        peer: None,
        value_milli,
        confidence: OWN_WORD,
        of: None,
    }
}

/// How many times its shortest round trip a path takes, or that of the way over one relay between, in
/// thousandths; 1 while it is hardly longer. So a path that was slow from the start is seen too.
fn slowness(path: &links::Path, detour: Option<Duration>) -> i64 {
    let shortest = detour.map_or(path.rtt_min, |detour| detour.min(path.rtt_min));
    let longer = path.rtt.saturating_sub(shortest);
    let shortest = shortest.as_micros().max(1_000);
    let times = path
        .rtt
        .as_micros()
        .saturating_mul(1_000)
        .checked_div(shortest);
    let times = times.and_then(|times| i64::try_from(times).ok());
    if longer < SLOWER_MIN {
        1_000
    } else {
        times.unwrap_or(i64::MAX)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float keeps to the bounds of the integer"
)]
fn thousandths(value: f64) -> i64 {
    (value * 1_000.0) as i64
}

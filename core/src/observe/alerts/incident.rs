//! Incidents: alerts that began together and are about the same, with their probable cause.
//!
//! They follow from the alerts alone, so every node that holds the same alerts sees the same incidents. An
//! alert joins an incident that is not over, began at most two minutes ago or grew since, and
//!
//! - is about one of its nodes (but a death never joins what is no death), or
//! - says that a relay is out of reach, as the incident says of another within half a minute: one cut or
//!   one outage takes many at once.

use super::{
    record::{Alert, COVERED_MAX, Grade, Id},
    rule::Metric,
};
use crate::kernel::id::NodeId;
use alloc::{collections::BTreeSet, vec::Vec};
use serde::{Deserialize, Serialize};

/// How long after its last alert another joins an incident, in milliseconds.
const JOINS_WITHIN_MS: u64 = 120_000;
/// How long apart relays get out of reach by one cause, in milliseconds.
const TOGETHER_MS: u64 = 30_000;

/// What probably lies behind an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// The mesh is cut in two, or many failed together.
    Partition,
    /// A relay crashed or lost its network.
    NodeDown(NodeId),
    /// A node's store takes no writes.
    StoreFailed(NodeId),
    /// A node's disk is full.
    DiskFull(NodeId),
    /// A node's memory is used up.
    MemoryShort(NodeId),
    /// A node's processors are busy.
    Overload(NodeId),
    /// The way between two nodes is bad.
    PathBad(NodeId, NodeId),
    /// All ways to a node are bad.
    NetworkOf(NodeId),
    /// A node answers, but slowly, to several others.
    Gray(NodeId),
    /// A node refuses or loses much.
    Errors(NodeId),
    /// Data are unevenly spread.
    Uneven(NodeId),
    /// A node is ill, and it is not known why.
    Ill(NodeId),
}

impl Cause {
    /// A stable word for scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::NodeDown(_) => "node_down",
            Self::StoreFailed(_) => "store_failed",
            Self::DiskFull(_) => "disk_full",
            Self::MemoryShort(_) => "memory_short",
            Self::Overload(_) => "overload",
            Self::PathBad(..) => "path_bad",
            Self::NetworkOf(_) => "network_of_node",
            Self::Gray(_) => "gray_failure",
            Self::Errors(_) => "errors",
            Self::Uneven(_) => "uneven",
            Self::Ill(_) => "ill",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What it is called, after its first alert.
    pub id: Id,
    /// Its alerts in the order in which they began.
    pub alerts: Vec<Id>,
    /// The nodes that they are about.
    pub nodes: Vec<NodeId>,
    /// When it began, by the wall clock in milliseconds.
    pub since_ms: u64,
    /// When it ended; `None` while one of its alerts fires.
    pub ended_ms: Option<u64>,
    /// How serious it is.
    pub grade: Grade,
    /// Probable causes with their share in percent, the likeliest first; at least one.
    pub causes: Vec<(Cause, u8)>,
}

struct Building<'a> {
    alerts: Vec<(Id, &'a Alert)>,
    nodes: BTreeSet<NodeId>,
    grown_ms: u64,
    unreachable_ms: Option<u64>,
}

impl<'a> Building<'a> {
    fn ended_ms(&self) -> Option<u64> {
        self.alerts
            .iter()
            .try_fold(0, |last, (_, alert)| Some(alert.ended_ms?.max(last)))
    }

    fn takes(&self, alert: &Alert) -> bool {
        let since = alert.since_ms;
        if self.alerts.len() >= COVERED_MAX
            || self.ended_ms().is_some_and(|ended| ended < since)
            || since.saturating_sub(self.grown_ms) > JOINS_WITHIN_MS
        {
            return false;
        }
        let together = alert.metric == Metric::Unreachable
            && self
                .unreachable_ms
                .is_some_and(|last| since.saturating_sub(last) <= TOGETHER_MS);
        // A death is news, whatever was wrong before it: it begins an incident of its own.
        if alert.metric == Metric::Unreachable && self.unreachable_ms.is_none() {
            return false;
        }
        together || nodes_of(alert).any(|node| self.nodes.contains(&node))
    }

    fn add(&mut self, id: Id, alert: &'a Alert) {
        self.alerts.push((id, alert));
        self.nodes.extend(nodes_of(alert));
        self.grown_ms = alert.since_ms;
        if alert.metric == Metric::Unreachable {
            self.unreachable_ms = Some(alert.since_ms);
        }
    }

    fn done(self, relays: usize) -> Option<Incident> {
        let (first_id, first) = self.alerts.first()?;
        let since = first.since_ms.to_be_bytes();
        let id = Id::of("sporenet 2026 incident", &[&first_id.bytes(), &since]);
        let dead = self.count(Metric::Unreachable);
        let worst = self.alerts.iter().map(|(_, alert)| alert.grade).max();
        let is_mesh_hurt = dead > 1 && dead.saturating_mul(3) >= relays;
        let grade = if is_mesh_hurt {
            Grade::Critical
        } else {
            worst.unwrap_or(Grade::Low)
        };
        Some(Incident {
            id,
            since_ms: first.since_ms,
            ended_ms: self.ended_ms(),
            grade,
            causes: self.causes(relays),
            alerts: self.alerts.iter().map(|(id, _)| *id).collect(),
            nodes: self.nodes.into_iter().collect(),
        })
    }

    fn count(&self, metric: Metric) -> usize {
        let of = |(_, alert): &&(Id, &Alert)| alert.metric == metric;
        self.alerts.iter().filter(of).count()
    }

    /// Each cause with a weight by what speaks for it, made to shares.
    fn causes(&self, relays: usize) -> Vec<(Cause, u8)> {
        let mut weights: Vec<(Cause, u32)> = Vec::new();
        let mut speak =
            |cause: Cause, weight: u32| match weights.iter_mut().find(|(known, _)| *known == cause)
            {
                Some((_, sum)) => *sum = sum.saturating_add(weight),
                None => weights.push((cause, weight)),
            };
        let dead = self.count(Metric::Unreachable);
        if dead > 1 {
            // Several at once have one cause rather than one each; a third of all is more than a rack.
            let is_large = dead.saturating_mul(3) >= relays;
            speak(Cause::Partition, if is_large { 900 } else { 300 });
        }
        let pairs = self.pairs();
        for (_, alert) in &self.alerts {
            let node = alert.about.node;
            match alert.of.unwrap_or(alert.metric) {
                Metric::Unreachable => speak(
                    Cause::NodeDown(node),
                    80_u32.div_ceil(u32::try_from(dead).unwrap_or(u32::MAX).max(1)),
                ),
                Metric::StoreFailed => speak(Cause::StoreFailed(node), 70),
                Metric::Disk => speak(Cause::DiskFull(node), 90),
                Metric::Memory => speak(Cause::MemoryShort(node), 80),
                Metric::Cpu | Metric::ResourceUsage | Metric::LoopLag => {
                    speak(Cause::Overload(node), 80);
                }
                Metric::Descriptors => speak(Cause::Overload(node), 60),
                Metric::JournalLatency => speak(Cause::Overload(node), 30),
                Metric::ErrorRate => speak(Cause::Errors(node), 40),
                Metric::ShardVariance => speak(Cause::Uneven(node), 40),
                Metric::NodeHealth => speak(Cause::Ill(node), 20),
                Metric::Latency | Metric::SlowPath | Metric::Loss => {
                    let Some(peer) = alert.about.peer else {
                        continue;
                    };
                    speak(Cause::PathBad(node.min(peer), node.max(peer)), 40);
                    for end in [node, peer] {
                        let touched = pairs.iter().filter(|(a, b)| *a == end || *b == end);
                        if touched.count() > 1 {
                            // What is lost is lost on the way; who is slow on many ways is slow itself.
                            let is_lost = alert.metric == Metric::Loss;
                            let cause = if is_lost {
                                Cause::NetworkOf(end)
                            } else {
                                Cause::Gray(end)
                            };
                            speak(cause, 45);
                        }
                    }
                }
            }
        }
        shares(weights)
    }

    fn pairs(&self) -> BTreeSet<(NodeId, NodeId)> {
        let of_path = self.alerts.iter().filter_map(|(_, alert)| {
            let peer = alert.about.peer?;
            Some((alert.about.node.min(peer), alert.about.node.max(peer)))
        });
        of_path.collect()
    }
}

/// The most causes of an incident that are told.
const CAUSES_MAX: usize = 5;

fn shares(mut weights: Vec<(Cause, u32)>) -> Vec<(Cause, u8)> {
    weights.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    weights.truncate(CAUSES_MAX);
    // Something that no rule knows may lie behind it: never all of a hundred.
    let sum: u32 = weights
        .iter()
        .fold(10, |sum, (_, w)| sum.saturating_add(*w));
    let share = |weight: u32| weight.saturating_mul(100).checked_div(sum).unwrap_or(0);
    let told = weights.into_iter();
    told.map(|(cause, weight)| (cause, u8::try_from(share(weight)).unwrap_or(100)))
        .collect()
}

fn nodes_of(alert: &Alert) -> impl Iterator<Item = NodeId> {
    [Some(alert.about.node), alert.about.peer]
        .into_iter()
        .flatten()
}

/// The incidents of these alerts, the oldest first; `relays` is how many the mesh has.
pub(super) fn correlate<'a>(
    alerts: impl Iterator<Item = (Id, &'a Alert)>,
    relays: usize,
) -> Vec<Incident> {
    let mut alerts: Vec<(Id, &Alert)> = alerts.collect();
    alerts.sort_by_key(|(id, alert)| (alert.since_ms, *id));
    let mut found: Vec<Building<'_>> = Vec::new();
    for (id, alert) in alerts {
        if let Some(open) = found.iter_mut().rev().find(|one| one.takes(alert)) {
            open.add(id, alert);
        } else {
            let mut new = Building {
                alerts: Vec::new(),
                nodes: BTreeSet::new(),
                grown_ms: alert.since_ms,
                unreachable_ms: None,
            };
            new.add(id, alert);
            found.push(new);
        }
    }
    let done = found.into_iter().filter_map(|one| one.done(relays));
    done.collect()
}

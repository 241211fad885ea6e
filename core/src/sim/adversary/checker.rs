//! What must hold about the honest, whatever liars do.
//!
//! | claim | checked |
//! |---|---|
//! | no link leads to somebody else than the node takes it for | always |
//! | no authenticated message is unreadable | always |
//! | nothing that no node may sign is ever seen | always |
//! | no clock is more than [`AHEAD_MAX`] ahead of the fastest honest wall clock so far | always |
//! | a living honest relay that a lie made dead somewhere is alive there again after 10 s | while nothing else is wrong |
//! | one that was dead there before, as after a long cut, is alive again after 60 s | the same |
//! | a fork of which both branches are with honest nodes is proved at one of them after 10 s | while nothing else is wrong |
//!
//! Source: docs/faults.md, attacks by members; docs/design.md, the log and its forks.

use super::batches::{FORBIDDEN, Fork};
use crate::{
    kernel::{
        id::{NodeId, Role},
        time::{Duration, Time},
    },
    membership::member::MemberState,
    replication::clock::AHEAD_MAX,
    sim::{
        clock::WALL_START, host::HostId, inject::Injector, shell::Shell, workload::NAMESPACE,
        world::World,
    },
};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

/// How long a verdict about a living honest relay may stand.
const REFUTATION: Duration = Duration::from_secs(10);
/// The same where more than lies led to it: both sides may have to find each other again, and try
/// every 30 s.
const REUNION: Duration = Duration::from_secs(60);
/// How long both branches of a fork may be known without a proof.
const PROOF_PATIENCE: Duration = Duration::from_secs(10);
/// The same where the usual network loses messages, so that frontiers have to be compared.
const PROOF_PATIENCE_LOSSY: Duration = Duration::from_secs(45);
/// What a clock may be ahead beyond [`AHEAD_MAX`], in milliseconds: between two readings of a wall
/// clock the monotonic one goes on.
const CLOCK_SLACK_MS: u64 = 2_000;

/// A fork that is not proved yet.
#[derive(Debug)]
struct Open {
    fork: Fork,
    /// Since when both branches are with honest nodes and nothing is in the way of a proof.
    since: Option<Time>,
}

/// Somebody takes another, who lives, for dead.
#[derive(Debug)]
struct Verdict {
    /// Since when nothing but lies is wrong.
    since: Time,
    /// How long it may stand from then on.
    limit: Duration,
}

/// Checks what honest nodes hold and believe.
#[derive(Debug, Default)]
pub(in crate::sim) struct LieChecker {
    forks: Vec<Open>,
    /// By who takes whom for dead.
    verdicts: BTreeMap<(HostId, NodeId), Verdict>,
    proved: u64,
}

impl LieChecker {
    /// A liar made these forks.
    pub(in crate::sim) fn add_forks(&mut self, forks: Vec<Fork>) {
        let since = None;
        self.forks
            .extend(forks.into_iter().map(|fork| Open { fork, since }));
    }

    /// Forks that were proved so far.
    pub(in crate::sim) const fn proved(&self) -> u64 {
        self.proved
    }

    /// What does not hold now, in words. `calm` says that nothing is wrong but lies.
    pub(in crate::sim) fn check<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
        calm: bool,
    ) -> Vec<String> {
        let honest: Vec<HostId> = world
            .hosts()
            .filter(|host| world.runs(*host))
            .filter(|host| !injector.liars().contains(host) && !injector.twins().contains(host))
            .collect();
        // Who lost part of its store may know nobody: it is found again at the rate of the dead.
        let sound: Vec<HostId> = honest
            .iter()
            .copied()
            .filter(|host| !injector.harmed().contains(host))
            .collect();
        let mut wrong = Vec::new();
        for host in &honest {
            wrong.extend(check_host(world, injector, *host));
            wrong.extend(self.check_verdicts(world, (*host, &sound), calm));
        }
        wrong.extend(self.check_forks(world, &honest, calm));
        wrong
    }

    fn check_verdicts<S: Shell>(
        &mut self,
        world: &World<S>,
        (host, sound): (HostId, &[HostId]),
        calm: bool,
    ) -> Option<String> {
        let now = world.now();
        for other in sound {
            let id = world.id(*other)?;
            let is_dead = world.believes(host, id) == Some(MemberState::Dead);
            if !is_dead || world.role(*other) == Role::Tab {
                self.verdicts.remove(&(host, id));
                continue;
            }
            let limit = if calm { REFUTATION } else { REUNION };
            let fresh = || Verdict { since: now, limit };
            let verdict = self.verdicts.entry((host, id)).or_insert_with(fresh);
            if !calm {
                *verdict = fresh();
            }
            let Verdict { since, limit } = *verdict;
            if now.since(since) > limit {
                return Some(format!(
                    "host {host} takes host {other} for dead for {limit:?}"
                ));
            }
        }
        None
    }

    fn check_forks<S: Shell>(
        &mut self,
        world: &World<S>,
        honest: &[HostId],
        calm: bool,
    ) -> Option<String> {
        let now = world.now();
        let lossless = world.usual_path().loss_permille == 0;
        let patience = if lossless {
            PROOF_PATIENCE
        } else {
            PROOF_PATIENCE_LOSSY
        };
        let open = self.forks.len();
        self.forks.retain(|open| {
            let is_proved = |host: &HostId| {
                let head = world.node(*host).map(|node| open.fork.head(node));
                head.is_some_and(|head| head.forked_at != 0)
            };
            !honest.iter().any(is_proved)
        });
        self.proved += (open - self.forks.len()) as u64;
        for open in &mut self.forks {
            let is_with = |end| {
                let ends_there = |host: &&HostId| {
                    let head = world.node(**host).map(|node| open.fork.head(node));
                    head.is_some_and(|head| head.hash == end)
                };
                honest.iter().any(|host| ends_there(&host))
            };
            let is_known = calm && open.fork.ends.into_iter().all(is_with);
            let since = open.since.filter(|_| is_known).unwrap_or(now);
            open.since = is_known.then_some(since);
            if now.since(since) > patience {
                let whose = open.fork.writer.node.short();
                return Some(format!(
                    "a fork of {whose} is not proved after {patience:?}"
                ));
            }
        }
        None
    }
}

fn check_host<S: Shell>(world: &World<S>, injector: &Injector, host: HostId) -> Option<String> {
    let node = world.node(host)?;
    let truth = WALL_START.plus(world.now().since(Time::ZERO)).as_millis();
    let ahead_max = AHEAD_MAX.as_millis() as u64 + CLOCK_SLACK_MS;
    let bound = truth
        .saturating_add(injector.wall_ahead_ms())
        .saturating_add(ahead_max);
    let latest = node.latest_stamp().millis;
    if latest > bound {
        let ms = latest - bound;
        return Some(format!("host {host}'s clock was dragged {ms} ms too far"));
    }
    let impostor = world
        .ends(host)
        .find(|(peer, end)| world.id(*end).is_some_and(|id| id != *peer));
    if let Some((peer, end)) = impostor {
        let peer = peer.short();
        return Some(format!("host {host} takes host {end} for {peer}"));
    }
    if world.undecodable(host) > 0 {
        return Some(format!("host {host} got messages that nobody can read"));
    }
    let seen = node.list(NAMESPACE, FORBIDDEN, None, 1);
    let seen = seen.first().map(|entry| entry.key.to_string());
    seen.map(|key| format!("host {host} holds {key}, which nobody may write"))
}

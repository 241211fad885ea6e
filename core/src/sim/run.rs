//! One run: warm up, chaos, heal, converge, final reads; and what came of it.

use crate::{
    kernel::{
        id::{NodeId, Role},
        memo,
        rng::Rng,
        text::Namespace,
        time::{Duration, Time},
    },
    membership::member::MemberState,
    node::{
        contract::{Changed, HostOutput, Notice, Signal},
        endpoint::Endpoint,
    },
    sim::{
        adversary::{
            batches::{TOLD_ONCE, TWO_FACED},
            checker::LieChecker,
        },
        alert_checks::{AlertChecks, acts_differ, wrong_alert, wrong_health},
        checkers::{Checkers, check_all, check_traces, is_trusted, wrong_store},
        host::HostId,
        inject::Injector,
        ledger::Ledger,
        plan::{Figure, Level, Mode, Plan},
        shell::Shell,
        typed::Typed,
        workload::{self, NAMESPACE, Workload, brief},
        world::{Observation, What, World},
    },
};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Something that must never happen, and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What, in words.
    pub what: String,
    /// When, in the world's time.
    pub at: Time,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Hosts, twins included.
    pub nodes: u64,
    /// How much virtual time passed.
    pub virtual_time: Duration,
    /// Events of the wheel.
    pub events: u64,
    /// Faults that happened, by class.
    pub faults: BTreeMap<&'static str, u64>,
    /// What the network did to packets: lost, doubled, reordered, corrupted, held.
    pub packets: [u64; 5],
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Broken promises about them.
    pub lost: u64,
    /// Hosts that did not end with the same data as the others.
    pub divergences: u64,
    /// Living relays declared dead while nothing was wrong with them or the network.
    pub false_deaths: u64,
    /// Verdicts about processes that were down.
    pub true_deaths: u64,
    /// How long each of these took after the process ended, in milliseconds.
    pub detection_ms: Vec<u64>,
    /// How long the mesh took to be whole after everything was healed.
    pub heal_ms: Option<u64>,
    /// What the nodes told, by code: the states of interest that were reached.
    pub reached: BTreeMap<String, u64>,
    /// What went wrong.
    pub violations: Vec<Violation>,
    /// A hash over every output of every node with its time.
    pub trace: String,
}

/// How finely faults and clients are timed.
const TICK: Duration = Duration::from_millis(20);
/// The mesh must be complete so long after the start.
const WARM_PATIENCE: Duration = Duration::from_secs(60);
/// The mesh must be whole so long after everything was healed (docs/faults.md, G6: 30 s for a core; the
/// longest backoff is what the rest allows for).
const HEAL_PATIENCE: Duration = Duration::from_secs(120);
/// The same where a node may wait ten times as long as usual before it looks.
const HEAL_PATIENCE_WIDE: Duration = Duration::from_secs(600);
/// After a disturbance, verdicts about the living are not held against the mesh for so long.
const AFTERMATH: Duration = Duration::from_secs(12);

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    watch(plan, &mut |_| {})
}

/// Runs a plan and shows each observation, in the order in which they were made.
pub fn watch(plan: &Plan, watcher: Watcher<'_>) -> Outcome {
    match plan.level {
        Level::Bytes => run_level::<Endpoint>(plan, watcher),
        Level::Typed => run_level::<Typed>(plan, watcher),
    }
}

/// Who is shown each observation.
pub type Watcher<'a> = &'a mut dyn FnMut(&Observation);

fn run_level<S: Shell>(plan: &Plan, watcher: Watcher<'_>) -> Outcome {
    let mut run = Run::<S>::new(plan, watcher);
    run.warm();
    if run.outcome.violations.is_empty() {
        run.chaos();
        run.heal();
    }
    run.finish()
}

struct Run<'a, S: Shell> {
    plan: &'a Plan,
    watcher: Watcher<'a>,
    world: World<S>,
    injector: Injector,
    workload: Workload,
    ledger: Ledger,
    outcome: Outcome,
    ended_at: BTreeMap<NodeId, Time>,
    revisions: BTreeMap<HostId, u64>,
    calm_since: Time,
    lie_checker: LieChecker,
    alert_checks: AlertChecks,
    checkers: Checkers,
}

impl<'a, S: Shell> Run<'a, S> {
    fn new(plan: &'a Plan, watcher: Watcher<'a>) -> Self {
        let rng = Rng::from_number(plan.seed);
        let mut world = World::new(plan.seed);
        world.network().set_usual(plan.network);
        if plan.is_wide {
            world.draw_settings_wide();
        }
        Self {
            plan,
            watcher,
            world,
            injector: Injector::new(Vec::new(), Time::ZERO, rng.fork("inject")),
            workload: Workload::new(plan.writes_per_minute, rng.fork("workload")),
            ledger: Ledger::default(),
            outcome: Outcome::default(),
            ended_at: BTreeMap::new(),
            revisions: BTreeMap::new(),
            calm_since: Time::ZERO,
            lie_checker: LieChecker::default(),
            alert_checks: AlertChecks::default(),
            checkers: Checkers::new(plan),
        }
    }

    fn violate(&mut self, what: String) {
        let at = self.world.now();
        if self.outcome.violations.len() < 16 {
            self.outcome.violations.push(Violation { what, at });
        }
    }

    fn warm(&mut self) {
        let Ok(first) = self.world.launch(Role::Relay, None) else {
            self.violate("the first relay does not start".into());
            return;
        };
        self.world.run_for(Duration::from_secs(1));
        let Some(link) = self.world.invite(first, None) else {
            self.violate("the first relay gives no invite".into());
            return;
        };
        let mut rng = Rng::from_number(self.plan.seed).fork("warm");
        for number in 1..self.plan.nodes() {
            let role = if number < self.plan.relays {
                Role::Relay
            } else {
                Role::Tab
            };
            if self.world.launch(role, Some(link.clone())).is_err() {
                self.violate(format!("host {number} does not start"));
                return;
            }
            self.world
                .run_for(rng.span_below(Duration::from_millis(200)));
        }
        for host in self.world.hosts() {
            self.open(host);
        }
        let patience = if self.plan.is_wide {
            WARM_PATIENCE * 10
        } else {
            WARM_PATIENCE
        };
        let until = self.world.now() + patience;
        while let Some(missing) = self.wrong_membership() {
            if self.world.now() >= until {
                self.violate(format!(
                    "the mesh is not complete after {} s: {missing}",
                    patience.as_secs()
                ));
                return;
            }
            self.advance(TICK * 5);
        }
        let begun_at = self.world.now();
        self.calm_since = begun_at;
        let rng = Rng::from_number(self.plan.seed).fork("inject");
        self.injector = Injector::new(self.plan.faults.clone(), begun_at, rng);
    }

    /// What a page does when it is loaded: it opens its namespace.
    fn open(&mut self, host: HostId) {
        if let Ok(namespace) = Namespace::new(NAMESPACE) {
            self.world.command(host, Signal::Open(namespace));
        }
    }

    fn chaos(&mut self) {
        let until = self.world.now() + self.plan.chaos;
        let back_up_at = self.world.now() + self.plan.chaos / 4;
        let mut next_check = self.world.now();
        let mut is_backed_up = false;
        while self.world.now() < until {
            if let Err(what) = self.injector.step(&mut self.world) {
                self.violate(what);
            }
            if !is_backed_up && self.world.now() >= back_up_at {
                is_backed_up = true;
                self.injector.back_up(&mut self.world);
            }
            let liars = self.injector.liars();
            self.workload
                .step(&mut self.world, &mut self.ledger, liars, TICK);
            self.advance(TICK);
            if self.world.now() >= next_check {
                next_check = self.world.now() + Duration::from_secs(1);
                self.check_lies();
                self.check_health();
            }
        }
    }

    fn heal(&mut self) {
        if let Err(what) = self.injector.heal(&mut self.world) {
            self.violate(what);
        }
        let healed_at = self.world.now();
        self.calm_since = healed_at;
        if self.plan.mode == Mode::Unbounded {
            self.advance(Duration::from_secs(20));
            self.check_lies();
            return;
        }
        let patience = if self.plan.is_wide {
            HEAL_PATIENCE_WIDE
        } else {
            HEAL_PATIENCE
        };
        let until = healed_at + patience;
        while let Some(wrong) = self.wrong() {
            if self.world.now() >= until {
                if wrong.starts_with("data") {
                    self.outcome.divergences += 1;
                }
                self.violate(format!(
                    "not whole {} s after healing: {wrong}",
                    patience.as_secs()
                ));
                break;
            }
            self.advance(Duration::from_millis(250));
            self.check_lies();
        }
        self.outcome.heal_ms = Some(self.world.now().since(healed_at).as_millis() as u64);
        self.judge();
    }

    fn judge(&mut self) {
        let (harmed, liars) = (self.injector.harmed(), self.injector.liars());
        let mut broken = Vec::new();
        let relays: Vec<HostId> = self
            .settled()
            .filter(|host| self.world.role(*host) == Role::Relay)
            .collect();
        for host in relays {
            let read = |subject: &str| workload::read(&self.world, host, subject);
            broken = self.ledger.judge(read, harmed, liars);
            if let Some(what) = broken.first() {
                let what = format!("lost at host {host}: {what} ({} in all)", broken.len());
                self.violate(what);
                break;
            }
        }
        self.outcome.lost = broken.len() as u64;
        let traced = check_traces(&self.world, &self.injector, &self.ledger);
        self.hold(traced);
    }

    fn finish(mut self) -> Outcome {
        let checked = check_all(&self.world);
        self.hold(checked);
        if memo::mismatches() > 0 {
            self.violate("a signature that held before does not hold".into());
        }
        if self.plan.canary {
            self.violate("the canary, which is in every run that asks for it".into());
        }
        for (figure, most) in &self.plan.limits {
            let (name, got) = match figure {
                Figure::DetectionMs => (
                    "detection-ms",
                    self.outcome.detection_ms.iter().max().copied(),
                ),
                Figure::HealMs => ("heal-ms", self.outcome.heal_ms),
                Figure::FalseDeaths => ("false-deaths", Some(self.outcome.false_deaths)),
                Figure::TrueDeaths => ("true-deaths", Some(self.outcome.true_deaths)),
            };
            if let Some(got) = got.filter(|got| got > most) {
                self.violate(format!("{name} is {got}; at most {most} was expected"));
            }
        }
        let stats = self.world.network().stats();
        let outcome = &mut self.outcome;
        outcome.nodes = self.world.hosts().count() as u64;
        outcome.virtual_time = self.world.now().since(Time::ZERO);
        outcome.events = self.world.events();
        outcome.faults = self.injector.counts().clone();
        outcome.packets = [
            stats.lost,
            stats.doubled,
            stats.reordered,
            stats.corrupted,
            stats.held,
        ];
        outcome.acknowledged = self.ledger.acknowledged();
        let proofs = self.lie_checker.proved();
        if proofs > 0 {
            outcome.reached.insert("lie_proved".into(), proofs);
        }
        let replicas = self.world.hosts().filter_map(|host| self.world.node(host));
        for stats in replicas.map(|node| node.replica().stats()) {
            for (code, count) in [
                ("chain_closed", stats.compactions),
                ("front_dropped", stats.trims),
            ] {
                if count > 0 {
                    *outcome.reached.entry(code.into()).or_default() += count;
                }
            }
        }
        outcome.trace = self.world.trace_hash();
        self.outcome
    }

    /// Lets time pass and looks at all that was observed.
    fn advance(&mut self, span: Duration) {
        self.world.run_for(span);
        if self.injector.disturbs() {
            self.calm_since = self.world.now();
        }
        while let Some(observation) = self.world.observe() {
            (self.watcher)(&observation);
            let (world, injector) = (&self.world, &self.injector);
            let seen = self
                .checkers
                .see(world, injector, &self.ledger, &observation);
            self.see(observation);
            self.hold(seen);
        }
        let looked = self.checkers.look(&self.world, &self.injector);
        self.hold(looked);
    }

    fn see(&mut self, Observation { at, host, what }: Observation) {
        match what {
            What::Started => {
                self.revisions.remove(&host);
                if let Some(id) = self.world.id(host) {
                    self.ended_at.remove(&id);
                }
                self.open(host);
            }
            What::Ended => {
                if let Some(id) = self.world.id(host) {
                    self.ended_at.insert(id, at);
                }
            }
            What::Told(HostOutput::Reply { id, reply }) => {
                self.ledger.answered(host, id, &reply);
                self.world.take_reply(host, id);
            }
            What::Told(HostOutput::Changed(Changed { revision, .. })) => {
                let last = self.revisions.insert(host, revision);
                if last.is_some_and(|last| revision != last + 1) {
                    self.violate(format!(
                        "host {host}'s changes have a gap: {last:?}, then {revision}"
                    ));
                }
            }
            What::Told(HostOutput::Notice(entry)) => {
                if let Notice::MemberChanged {
                    member,
                    to: MemberState::Dead,
                    ..
                } = &entry.notice
                {
                    self.see_death(at, host, *member);
                }
                let reached = &mut self.outcome.reached;
                *reached.entry(entry.notice.code().into()).or_default() += 1;
            }
            What::Told(HostOutput::Notify(notification)) => {
                *self.outcome.reached.entry("notified".into()).or_default() += 1;
                let told = self.alert_checks.told(host, &notification.key);
                self.hold(told);
            }
            What::Told(HostOutput::Store(_)) => {}
        }
    }

    fn see_death(&mut self, at: Time, host: HostId, subject: NodeId) {
        let lies = |host: &HostId| !self.is_honest(*host);
        let is_about_a_liar = self
            .world
            .hosts()
            .filter(lies)
            .any(|liar| liar == host || self.world.id(liar) == Some(subject));
        if is_about_a_liar {
            return;
        }
        if let Some(ended_at) = self.ended_at.get(&subject) {
            self.outcome.true_deaths += 1;
            self.outcome
                .detection_ms
                .push(at.since(*ended_at).as_millis() as u64);
        } else if at.since(self.calm_since) > AFTERMATH {
            self.outcome.false_deaths += 1;
        }
    }

    /// Notes what a checker found; a run that went wrong once is not looked at any more.
    fn hold(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked
            && self.outcome.violations.is_empty()
        {
            self.violate(what);
        }
    }

    /// How one host, each second another, takes the health of all.
    fn check_health(&mut self) {
        let hosts = self.world.hosts().count().max(1) as u64;
        let turn = self.world.now().since(Time::ZERO).as_secs() % hosts;
        let Some(host) = self.world.hosts().nth(turn as usize) else {
            return;
        };
        let now = self.world.local(host);
        let node = self.world.node(host).filter(|_| self.world.runs(host));
        if let Some(wrong) = node.and_then(|node| wrong_health(node, now)) {
            self.violate(format!("host {host}: {wrong}"));
        }
    }

    /// What honest nodes hold and believe, whatever liars do.
    fn check_lies(&mut self) {
        self.lie_checker.add_forks(self.injector.take_forks());
        let calm = self.world.now().since(self.calm_since) > AFTERMATH && !self.plan.is_wide;
        for what in self.lie_checker.check(&self.world, &self.injector, calm) {
            self.violate(what);
        }
    }

    /// Hosts that take part in the mesh and must agree in the end.
    fn settled(&self) -> impl Iterator<Item = HostId> {
        let hosts = self.world.hosts();
        hosts.filter(|host| self.world.runs(*host) && self.is_settled(*host))
    }

    fn is_settled(&self, host: HostId) -> bool {
        self.is_honest(host) && !self.is_stranded(host)
    }

    /// Whether a host neither lies nor shares its identity.
    fn is_honest(&self, host: HostId) -> bool {
        !self.injector.twins().contains(&host) && !self.injector.liars().contains(&host)
    }

    /// Whether a host could not be let in: nothing obliges the mesh to who was invited by a relay that lies or
    /// has lost what it knew.
    fn is_stranded(&self, host: HostId) -> bool {
        let inviter = self.injector.newcomers().get(&host);
        let node = self.world.node(host);
        inviter.is_some_and(|inviter| !is_trusted(&self.injector, *inviter))
            && node.is_none_or(|node| !node.is_admitted())
    }

    fn wrong(&self) -> Option<String> {
        self.wrong_membership()
            .or_else(|| self.wrong_data())
            .or_else(|| wrong_store(&self.world, &self.injector))
            .or_else(|| self.wrong_alert())
    }

    fn wrong_alert(&self) -> Option<String> {
        // Who lies, or is cut off for good, may say of anybody that it is dead.
        let mut hosts = self.world.hosts();
        if hosts.any(|host| self.world.runs(host) && !self.is_settled(host)) {
            return None;
        }
        let nodes = self
            .settled()
            .filter_map(|host| Some((host, self.world.node(host)?)));
        let mut wrong = nodes.filter_map(|(host, node)| Some((host, wrong_alert(node)?)));
        if let Some((host, what)) = wrong.next() {
            return Some(format!("host {host}: {what}"));
        }
        let mut hosts = self.settled();
        let first = hosts.next()?;
        let at_first = self.world.node(first)?;
        hosts.find_map(|host| {
            let differs = acts_differ(at_first, self.world.node(host)?)?;
            Some(format!("hosts {first} and {host}: {differs}"))
        })
    }

    /// Whom some host takes for something else than it is.
    fn wrong_membership(&self) -> Option<String> {
        for host in self.settled() {
            let node = self.world.node(host)?;
            if !node.is_admitted() {
                return Some(format!("host {host} is not admitted"));
            }
            if node.is_fenced() {
                return Some(format!("host {host} is fenced"));
            }
        }
        for host in self.settled() {
            let node = self.world.node(host)?;
            for other in self.world.hosts() {
                let believed = self.world.id(other).and_then(|id| node.state_of(id));
                let is_right = match (self.world.runs(other), believed) {
                    (true, believed) => believed == Some(MemberState::Alive),
                    (false, believed) => believed != Some(MemberState::Alive),
                };
                if !is_right && self.is_settled(other) {
                    let known = self.world.id(other).and_then(|id| node.incarnation_of(id));
                    let own = self
                        .world
                        .node(other)
                        .map(|other| other.own_record().incarnation);
                    return Some(format!(
                        "host {host} takes host {other} for {believed:?} at {known:?}, it is at {own:?}"
                    ));
                }
            }
        }
        None
    }

    /// Who holds other data than the rest: relays all, and tabs what somebody could give them.
    fn wrong_data(&self) -> Option<String> {
        let relays = |host: &HostId| self.world.role(*host) == Role::Relay;
        let relays = self.settled().filter(relays).collect();
        let mut but = Vec::new();
        if self.settled().any(|host| self.left_branches(host)) {
            but.push(TWO_FACED);
        }
        self.other_data(relays, &but).or_else(|| {
            but.push(TOLD_ONCE);
            self.other_data(self.settled().collect(), &but)
        })
    }

    /// Whether a host had no more room for what stands beyond forks: it leaves that with who has it.
    fn left_branches(&self, host: HostId) -> bool {
        let node = self.world.node(host);
        node.is_some_and(|node| node.replica().stats().side_branches_refused > 0)
    }

    /// Whose data differ, but for keys with some prefixes.
    fn other_data(&self, hosts: Vec<HostId>, but: &[&str]) -> Option<String> {
        let mut first: Option<(HostId, [u8; 32])> = None;
        for host in hosts {
            let hash = data_hash(self.world.node(host)?, but);
            match first {
                None => first = Some((host, hash)),
                Some((_, expected)) if expected == hash => {}
                Some((one, _)) => {
                    let what = self.first_difference(one, host, but).unwrap_or_default();
                    return Some(format!("data of host {one} and host {host} differ: {what}"));
                }
            }
        }
        None
    }

    fn first_difference(&self, one: HostId, other: HostId, but: &[&str]) -> Option<String> {
        let list = |host| {
            let entries = self.world.node(host)?.list(NAMESPACE, "", None, usize::MAX);
            let entries = entries
                .into_iter()
                .map(|entry| (entry.key.to_string(), entry))
                .filter(|(key, _)| !begins(key, but));
            Some(entries.collect::<BTreeMap<_, _>>())
        };
        let (one, other) = (list(one)?, list(other)?);
        let keys = one.keys().chain(other.keys());
        let key = keys
            .into_iter()
            .find(|key| one.get(*key) != other.get(*key))?;
        let show = |entries: &BTreeMap<String, crate::node::snapshot::Entry>| {
            entries.get(key).map(|entry| {
                let text = |bytes: &[u8]| brief(&String::from_utf8_lossy(bytes));
                let value = entry.value.as_ref().map(|bytes| text(bytes));
                (value, entry.conflicts.len())
            })
        };
        Some(format!(
            "{key} is {:?} and {:?} ({} and {} keys)",
            show(&one),
            show(&other),
            one.len(),
            other.len()
        ))
    }
}

fn begins(key: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// A hash over all values and conflicts that a node holds, but for keys with some prefixes.
fn data_hash(node: &crate::node::Node, but: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let entries = node.list(NAMESPACE, "", None, usize::MAX).into_iter();
    for entry in entries.filter(|entry| !begins(&entry.key, but)) {
        hasher.update(entry.key.as_str().as_bytes());
        hasher.update(entry.value.as_deref().unwrap_or_default());
        hasher.update(entry.author.as_bytes());
        for conflict in entry.conflicts {
            hasher.update(conflict.value.as_deref().unwrap_or_default());
            hasher.update(conflict.author.as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

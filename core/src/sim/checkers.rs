//! What must hold in a world at any time, whatever happened to it: in each node, between nodes, and
//! between what a node believes and what is.
//!
//! | when | what |
//! |---|---|
//! | every tick | every collection of a quarter of the nodes is within its maximum |
//! | every second | [`Node::check`], and the sessions, of a quarter of the nodes; no incarnation in two processes; nothing is confirmed that is not held; clocks are not dragged away; nothing leaks between links and connections |
//! | every ten seconds, in the end | equal tables give equal rings, equal frontiers equal data; few dials in vain |
//! | when a node tells something | sound disks have sound journals, honest nodes are not called liars, one process is not taken for two, what a process promised is there after its restart |
//! | in the end | [`Node::check`] of every node; who joined meanwhile comes back from its disk as who it is; no concurrent write is lost without a trace |
//!
//! What is looked at in a quarter of the nodes costs as much as those hold, and what is wrong there stays
//! wrong: a run that looked at all of them each time spent a quarter of its time on that.

use crate::{
    kernel::{
        id::{Incarnation, InstanceId, LinkId, NodeId, Role},
        time::{Duration, Time},
    },
    membership::swim,
    node::{
        Node,
        contract::{HostOutput, Notice, Offence},
    },
    recovery::record,
    replication::replica,
    sim::{
        clock::HostClock,
        fault::{Fault, Lie, PathFault},
        host::HostId,
        inject::Injector,
        ledger::Ledger,
        plan::Plan,
        shell::Shell,
        workload::{self, NAMESPACE},
        world::{Observation, What, World},
    },
    wire::close::CloseReason,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// How far an honest clock may be ahead of the true time: what a stamp of others may be, and the wait
/// until the wall clock is read again.
const AHEAD_MAX: Duration = Duration::from_secs(62);
/// A connection without a link is given up after this: a handshake, a silent end.
const STRAY_MAX: Duration = Duration::from_secs(30);
/// A link that has answered forgives the failures before it after this.
const UNFORGIVEN_MAX: Duration = Duration::from_secs(20);
/// The most dials of a node that fail in ten seconds: the budget allows 120, backoff makes few of them.
const FAILED_DIALS_MAX: u64 = 90;
/// The same for each destination: with waits of up to 0.5, 1, 2, 4 and 8 s five are many. Whoever is cut off
/// from many at once uses up the budget.
const FAILED_DIALS_EACH_MAX: u64 = 5;
/// The most outputs that one input may cause.
const OUTPUTS_MAX: u64 = 20_000;
/// The most events at one moment: more than all that waits at cuts can be.
const AT_ONCE_MAX: u64 = 5_000_000;
/// Of so many hosts one is looked into each time, so that each host's turn comes as often.
const TURNS: u64 = 4;
/// Meshes beyond this are too dear to compare as a whole.
const COMPARED_MAX: usize = 64;

/// The checkers of one run.
#[derive(Debug, Default)]
pub struct Checkers {
    /// Hosts whose wall clock is set wrong in this run.
    misled: BTreeSet<HostId>,
    /// No path damages, doubles or reorders packets in this run, and nobody lies.
    is_faithful: bool,
    /// The settings are drawn wide: what they allow is not known here.
    is_wide: bool,
    lives: BTreeMap<(NodeId, u64), InstanceId>,
    /// How new what each host knows of each member is.
    known: BTreeMap<(HostId, NodeId), Incarnation>,
    strays: BTreeMap<(HostId, LinkId), Time>,
    unforgiven: BTreeMap<(HostId, NodeId), Time>,
    dials: BTreeMap<HostId, u64>,
    /// Ticks and seconds so far; where they begin is the seed's choice.
    ticks: u64,
    seconds: u64,
    second_at: Time,
    compared_at: Time,
}

impl Checkers {
    /// For a run of this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        // Who stamps ahead follows its own stamps, should it get them back.
        let misled = |fault: &Fault| {
            if let Fault::Wall(host, _) | Fault::Liar(host, Lie::Stamp, _) = fault {
                Some(*host)
            } else {
                None
            }
        };
        let faults = || plan.faults.iter().map(|planned| &planned.fault);
        let lies = |fault: &Fault| {
            matches!(
                fault,
                Fault::Liar(..) | Fault::Sybil(..) | Fault::Upgrade(..)
            )
        };
        let damages = |fault: &Fault| {
            let Fault::Path(fault, _) = fault else {
                return false;
            };
            match fault {
                PathFault::Corrupt(_)
                | PathFault::Duplicate(_)
                | PathFault::Reorder(_)
                | PathFault::Tamper(_) => true,
                PathFault::Delay(_)
                | PathFault::Tail(_)
                | PathFault::Loss(_)
                | PathFault::Burst(_)
                | PathFault::Bandwidth(_) => false,
            }
        };
        Self {
            misled: faults().filter_map(misled).collect(),
            is_faithful: !faults().any(|fault| lies(fault) || damages(fault)),
            is_wide: plan.is_wide,
            ticks: plan.seed % TURNS,
            seconds: plan.seed % TURNS,
            ..Self::default()
        }
    }

    /// Looks at the world; to be called at every tick.
    ///
    /// # Errors
    /// What does not hold.
    pub fn look<S: Shell>(&mut self, world: &World<S>, injector: &Injector) -> Result<(), String> {
        let now = world.now();
        if world.outputs_most() > OUTPUTS_MAX {
            return Err(format!("one input caused {} outputs", world.outputs_most()));
        }
        if let Some(what) = world.contradiction() {
            return Err(what.into());
        }
        self.ticks += 1;
        for (host, node) in nodes(world).filter(|(host, _)| is_turn(*host, self.ticks)) {
            gauge(node).map_err(|what| format!("host {host}: {what}"))?;
        }
        if now >= self.second_at {
            self.second_at = now + Duration::from_secs(1);
            self.look_closely(world, injector)?;
        }
        if now >= self.compared_at {
            self.compared_at = now + Duration::from_secs(10);
            if !self.is_wide {
                self.count_dials(world, injector)?;
            }
            compare(world, injector)?;
        }
        Ok(())
    }

    fn look_closely<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
    ) -> Result<(), String> {
        self.seconds += 1;
        let turn = world.hosts().filter(|host| is_turn(*host, self.seconds));
        check_nodes(world, turn)?;
        self.check_lives(world, injector)?;
        self.check_news(world)?;
        self.check_strays(world, injector)?;
        if !self.is_wide {
            self.check_clocks(world, injector)?;
            self.check_forgiveness(world, injector)?;
        }
        check_confirmed(world, injector)
    }

    /// An incarnation is never used twice, unless the disk forgot it.
    fn check_lives<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
    ) -> Result<(), String> {
        for (host, node) in nodes(world).filter(|(host, _)| is_trusted(injector, *host)) {
            let Some((incarnation, instance)) = node.life() else {
                continue;
            };
            let known = self
                .lives
                .entry((node.id(), incarnation))
                .or_insert(instance);
            if *known != instance {
                return Err(format!("host {host} uses incarnation {incarnation} again"));
            }
        }
        Ok(())
    }

    /// What a process knows of a member never gets older.
    fn check_news<S: Shell>(&mut self, world: &World<S>) -> Result<(), String> {
        if world.hosts().count() > COMPARED_MAX {
            return Ok(());
        }
        for (host, node) in nodes(world) {
            for (member, incarnation) in node.incarnations() {
                let known = self.known.entry((host, member)).or_insert(incarnation);
                if incarnation < *known {
                    let who = member.short();
                    return Err(format!(
                        "host {host} took an older record of {who} for news"
                    ));
                }
                *known = incarnation;
            }
        }
        Ok(())
    }

    /// docs/faults.md, G11: no clock that is right is dragged away by others.
    fn check_clocks<S: Shell>(&self, world: &World<S>, injector: &Injector) -> Result<(), String> {
        let latest = HostClock::default()
            .wall(world.now())
            .plus(AHEAD_MAX)
            .as_millis();
        let is_right =
            |host: &HostId| !self.misled.contains(host) && !injector.twins().contains(host);
        for (host, node) in nodes(world).filter(|(host, _)| is_right(host)) {
            let stamp = node.replica().latest_millis();
            if stamp > latest {
                let ahead = stamp - latest;
                return Err(format!("host {host}'s clock is {ahead} ms too far ahead"));
            }
        }
        Ok(())
    }

    /// A connection serves a link, or it is just being opened or closed.
    fn check_strays<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
    ) -> Result<(), String> {
        let now = world.now();
        let mut strays = BTreeMap::new();
        for (host, node) in nodes(world).filter(|(host, _)| world.runs(*host)) {
            for (link, other) in world.connections(host) {
                let peer = world.id(other);
                let serves = peer.and_then(|peer| node.links().link_of(peer)) == Some(link);
                let liars = injector.liars();
                if serves || liars.contains(&host) || liars.contains(&other) {
                    continue;
                }
                let since = self.strays.get(&(host, link)).copied().unwrap_or(now);
                if now.since(since) > STRAY_MAX {
                    return Err(format!(
                        "host {host} keeps a connection to {other} without use"
                    ));
                }
                strays.insert((host, link), since);
            }
        }
        self.strays = strays;
        Ok(())
    }

    fn check_forgiveness<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
    ) -> Result<(), String> {
        let now = world.now();
        let mut unforgiven = BTreeMap::new();
        let lie = |peer: &NodeId| {
            let mut liars = injector.liars().iter();
            liars.any(|liar| world.id(*liar) == Some(*peer))
        };
        // A tab pings only whom it does not hear: nothing comes back that could forgive.
        let pings = |host: HostId| world.runs(host) && world.role(host) == Role::Relay;
        // On a narrow path a ping may wait behind half a minute of batches.
        let waits = |host: HostId, peer: &NodeId| {
            let mut others = world.connections(host).map(|(_, other)| other);
            others.any(|other| world.id(other) == Some(*peer) && world.is_backed_up(host, other))
        };
        for (host, node) in nodes(world).filter(|(host, _)| pings(*host)) {
            let held = |peer: &NodeId| lie(peer) || waits(host, peer);
            for peer in node.links().unforgiven().filter(|peer| !held(peer)) {
                let since = self.unforgiven.get(&(host, peer)).copied().unwrap_or(now);
                if now.since(since) > UNFORGIVEN_MAX {
                    let peer = peer.short();
                    return Err(format!(
                        "host {host} is linked to {peer} and does not forgive it"
                    ));
                }
                unforgiven.insert((host, peer), since);
            }
        }
        self.unforgiven = unforgiven;
        Ok(())
    }

    /// Backoff makes few dials in vain. A liar that poses as another fails at every peer by its own doing.
    fn count_dials<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
    ) -> Result<(), String> {
        let is_honest = |host: &HostId| !injector.liars().contains(host);
        for (host, node) in nodes(world).filter(|(host, _)| is_honest(host)) {
            let dials = node.links().stats().dials_failed;
            let before = self.dials.insert(host, dials).unwrap_or(dials);
            let more = dials.saturating_sub(before);
            let destinations = node.links().dialer().destinations().count() as u64;
            if more > FAILED_DIALS_MAX.max(destinations * FAILED_DIALS_EACH_MAX) {
                return Err(format!(
                    "host {host} dialled {more} times in vain in ten seconds"
                ));
            }
        }
        Ok(())
    }

    /// Takes note of what a node told.
    ///
    /// # Errors
    /// What must not happen.
    pub fn see<S: Shell>(
        &mut self,
        world: &World<S>,
        injector: &Injector,
        ledger: &Ledger,
        seen: &Observation,
    ) -> Result<(), String> {
        let host = seen.host;
        if let Some(broken) = ledger.misled() {
            return Err(broken.into());
        }
        if matches!(seen.what, What::Started) {
            self.known.retain(|(of, _), _| *of != host);
            self.dials.remove(&host);
        }
        match &seen.what {
            What::Started if is_trusted(injector, host) => check_promises(world, ledger, host),
            What::Told(HostOutput::Notice(entry)) => {
                self.see_notice(world, injector, host, &entry.notice)
            }
            What::Started | What::Ended | What::Told(_) => Ok(()),
        }
    }

    fn see_notice<S: Shell>(
        &self,
        world: &World<S>,
        injector: &Injector,
        host: HostId,
        notice: &Notice,
    ) -> Result<(), String> {
        let is_one_process = |identity: &NodeId| {
            let mut hosts = world.hosts();
            let whose = hosts.find(|host| world.id(*host) == Some(*identity));
            whose.is_some_and(|whose| is_trusted(injector, whose))
        };
        let is_damage = matches!(
            notice,
            Notice::JournalDamaged { .. } | Notice::JournalUnusable { .. }
        );
        let is_protocol = matches!(
            notice,
            Notice::LinkDown {
                reason: CloseReason::Protocol,
                ..
            }
        );
        let is_blame = matches!(notice, Notice::Offence { offence, .. } if is_lie(*offence));
        let is_conflict = matches!(
            notice,
            Notice::IdentityConflict { identity, .. } if is_one_process(identity)
        );
        let what = if is_damage && is_trusted(injector, host) {
            "whose disk is sound, finds its journal damaged"
        } else if is_protocol && self.is_faithful {
            "heard what no honest node says"
        } else if is_blame && self.is_faithful {
            "blames an honest node"
        } else if is_conflict && self.is_faithful {
            "takes one process for two"
        } else {
            return Ok(());
        };
        Err(format!("host {host} {what}: {notice:?}"))
    }
}

/// Whether an offence is one that no honest node commits, whatever its clock and its store do.
const fn is_lie(offence: Offence) -> bool {
    match offence {
        Offence::Swim(offence) => {
            matches!(
                offence,
                swim::Offence::BadSignature | swim::Offence::Malformed
            )
        }
        Offence::Replica(offence) => matches!(
            offence,
            replica::Offence::BadSignature
                | replica::Offence::Malformed
                | replica::Offence::NotItsOwn
        ),
        // A report is signed and bounded by its node, and checked by whoever passes it on.
        Offence::Vitals(_) => true,
        Offence::Admission(_) => false,
    }
}

impl<S: Shell> World<S> {
    /// The most outputs that one input of any node has caused.
    #[must_use]
    pub const fn outputs_most(&self) -> u64 {
        self.outputs_most
    }

    /// What was wrong with a node as it started or departed, if anything was.
    #[must_use]
    pub fn contradiction(&self) -> Option<&str> {
        self.contradiction.as_deref()
    }

    /// Moves on to the next event.
    pub(super) fn count_event(&mut self, at: Time) {
        self.at_once = if at > self.now { 0 } else { self.at_once + 1 };
        assert!(self.at_once < AT_ONCE_MAX, "a node never lets time pass");
        self.now = at;
        self.events += 1;
    }

    /// Checks what must hold in a host's node and in its sessions, if it runs.
    fn check(&self, host: HostId) -> Result<(), String> {
        let shell = self.hosts[usize::from(host)].shell.as_ref();
        shell.map_or(Ok(()), S::check)
    }

    /// Checks a node at a moment that no tick would hit.
    pub(super) fn examine(&mut self, host: HostId) {
        if let Err(what) = self.check(host) {
            self.contradiction = Some(format!("host {host}: {what}"));
        }
    }

    /// Checks that the journal of a node that starts goes on after a whole record. Later on a disk may
    /// well have spoilt the last one.
    pub(super) fn examine_tail(&mut self, host: HostId) {
        let Some(node) = self.node(host) else {
            return;
        };
        let image = self.hosts[usize::from(host)].disk.image();
        let last = node.journal_next().saturating_sub(1);
        let torn = image
            .record(last)
            .is_some_and(|bytes| record::decode(last, None, bytes).is_err());
        if torn {
            let what = "its journal goes on after a record that is not whole";
            self.contradiction = Some(format!("host {host}: {what}"));
        }
    }

    /// Whether something that was sent earlier still waits on the way between two hosts, either way.
    fn is_backed_up(&self, one: HostId, other: HostId) -> bool {
        let waits = |from, to| self.network.busy_until(from, to) > self.now;
        waits(one, other) || waits(other, one)
    }

    /// A host's open connections, and who is at their other ends.
    pub fn connections(&self, host: HostId) -> impl Iterator<Item = (LinkId, HostId)> + '_ {
        let open = self.hosts[usize::from(host)].connections.iter();
        open.map(|(link, connection)| (*link, connection.other))
    }
}

/// In the end: what must hold in every node.
///
/// # Errors
/// What does not hold.
pub fn check_all<S: Shell>(world: &World<S>) -> Result<(), String> {
    check_nodes(world, world.hosts())
}

fn check_nodes<S: Shell>(
    world: &World<S>,
    hosts: impl Iterator<Item = HostId>,
) -> Result<(), String> {
    for host in hosts {
        world
            .check(host)
            .map_err(|what| format!("host {host}: {what}"))?;
    }
    Ok(())
}

/// Whether a host is looked into, the time being the `count`-th.
fn is_turn(host: HostId, count: u64) -> bool {
    (u64::from(host) + count).is_multiple_of(TURNS)
}

/// In the end: what was acknowledged is there, or known to be overwritten. The value that lost
/// against a concurrent one is not lost without a trace.
///
/// # Errors
/// What is lost.
pub fn check_traces<S: Shell>(
    world: &World<S>,
    injector: &Injector,
    ledger: &Ledger,
) -> Result<(), String> {
    let is_relay = |host: &HostId| {
        let lies = injector.liars().contains(host) || injector.twins().contains(host);
        world.role(*host) == Role::Relay && world.runs(*host) && !lies
    };
    let relays: Vec<HostId> = world.hosts().filter(is_relay).collect();
    for (key, hosts) in ledger.contested() {
        // Beyond that many writers a key forgets some on purpose.
        if hosts.len() > crate::replication::crdt::register::CONFLICTS_MAX {
            continue;
        }
        let promised = hosts.iter().filter(|host| is_trusted(injector, **host));
        for author in promised.filter_map(|host| world.id(*host)) {
            let knows = |host: &HostId| {
                let node = world.node(*host);
                node.is_none_or(|node| node.replica().accounts_for(NAMESPACE, key, author))
            };
            let whose = author.short();
            if let Some(host) = relays.iter().find(|host| !knows(host)) {
                return Err(format!(
                    "host {host} has no trace of what {whose} wrote to {key}"
                ));
            }
        }
    }
    Ok(())
}

/// What a process acknowledged is there when it starts again, whatever the others have. One that was
/// killed again at once is asked the next time.
fn check_promises<S: Shell>(world: &World<S>, ledger: &Ledger, host: HostId) -> Result<(), String> {
    if !world.is_up(host) {
        return Ok(());
    }
    let read = |subject: &str| workload::read(world, host, subject);
    match ledger.judge_host(host, read) {
        Some(broken) => Err(format!("lost at host {host} by a restart: {broken}")),
        None => Ok(()),
    }
}

/// A host that joined meanwhile comes back from its disk as who it is, even if that had no room at first.
pub(super) fn wrong_store<S: Shell>(world: &World<S>, injector: &Injector) -> Option<String> {
    let newcomers = injector.newcomers().keys().copied();
    for host in newcomers.filter(|host| is_trusted(injector, *host)) {
        let Some(node) = world.node(host).filter(|node| node.is_admitted()) else {
            continue;
        };
        let image = world.hosts[usize::from(host)].disk.image();
        match world.recover(host, image) {
            Ok(again) if again.node().id() != node.id() => {
                return Some(format!("host {host} would come back as somebody else"));
            }
            Ok(again) if !again.node().is_admitted() => {
                return Some(format!("host {host} would have to join again"));
            }
            Ok(_) => {}
            Err(error) => return Some(format!("host {host} would not start again: {error}")),
        }
    }
    None
}

/// What one relay has confirmed to another, it holds.
fn check_confirmed<S: Shell>(world: &World<S>, injector: &Injector) -> Result<(), String> {
    let relays = nodes(world).filter(|(host, _)| is_trusted(injector, *host));
    let by_id: BTreeMap<NodeId, (HostId, &Node)> = relays
        .map(|(host, node)| (node.id(), (host, node)))
        .collect();
    for (host, node) in nodes(world).filter(|(host, _)| is_trusted(injector, *host)) {
        for (peer, shard, writer, up_to) in node.replica().confirmed() {
            let Some((other, relay)) = by_id.get(&peer) else {
                continue;
            };
            if relay.replica().held(shard, writer) < up_to {
                return Err(format!(
                    "host {other} confirmed to host {host} what it does not hold"
                ));
            }
        }
    }
    Ok(())
}

/// Who should be linked to whom.
type Edges = Vec<(NodeId, NodeId)>;

/// Relays that agree on the members agree on the rings; relays with the same frontier, and the same set
/// aside, have the same data.
fn compare<S: Shell>(world: &World<S>, injector: &Injector) -> Result<(), String> {
    if world.hosts().count() > COMPARED_MAX {
        return Ok(());
    }
    let mut rings: BTreeMap<[u8; 32], (HostId, Edges)> = BTreeMap::new();
    let mut states: BTreeMap<[u8; 32], (HostId, [u8; 32])> = BTreeMap::new();
    for (host, node) in nodes(world) {
        let lies = injector.liars().contains(&host) || injector.twins().contains(&host);
        if world.role(host) == Role::Tab || lies {
            continue;
        }
        let edges = node.ring_edges();
        let (one, known) = rings
            .entry(node.table_digest())
            .or_insert_with(|| (host, edges.clone()));
        if *known != edges {
            return Err(format!(
                "hosts {one} and {host} see the same members on other rings"
            ));
        }
        let replica = node.replica();
        if !replica.shows_all() {
            continue;
        }
        let state = *replica.state_hash().as_bytes();
        let frontier = *replica.frontier_digest().as_bytes();
        let (one, known) = states.entry(frontier).or_insert((host, state));
        if *known != state {
            return Err(format!(
                "hosts {one} and {host} hold other data with the same frontier"
            ));
        }
    }
    Ok(())
}

/// The fullest collection beyond its maximum, if there is one.
fn gauge(node: &Node) -> Result<(), String> {
    let mut over = None;
    node.gauge(&mut |name, len, max| {
        if len > max {
            over = Some((name, len, max));
        }
    });
    match over {
        Some((name, len, max)) => Err(format!("{len} {name}, at most {max} are allowed")),
        None => Ok(()),
    }
}

fn nodes<S: Shell>(world: &World<S>) -> impl Iterator<Item = (HostId, &Node)> {
    let hosts = world.hosts();
    hosts.filter_map(|host| Some((host, world.node(host)?)))
}

/// Whether a host is honest, and its disk and identity are its own and sound.
pub(super) fn is_trusted(injector: &Injector, host: HostId) -> bool {
    let lies = injector.liars().contains(&host) || injector.twins().contains(&host);
    !lies && !injector.harmed().contains(&host)
}

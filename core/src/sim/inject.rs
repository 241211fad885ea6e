//! Makes faults happen in a world, and takes them back.

mod hosts;

use crate::{
    kernel::{
        rng::Rng,
        time::{Duration, Time},
    },
    node::{contract::Signal, setup::StartError},
    sim::{
        adversary::{
            batches::{Chains, Fork},
            liar::Liar,
        },
        disk::{DiskMode, Image},
        fault::{Fault, Pairs, Planned},
        host::HostId,
        network::PathConfig,
        shell::Shell,
        world::World,
    },
    wire::session::VERSIONS,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// What is under way.
#[derive(Debug)]
pub struct Injector {
    begun_at: Time,
    waiting: Vec<Planned>,
    /// Faults under way with their ends, in the order of their starts.
    active: Vec<(Time, Fault)>,
    /// Flapping directions: the next turn, and whether they are cut now.
    flaps: Vec<(Time, Time, u32, Pairs, bool)>,
    backups: BTreeMap<HostId, Image>,
    /// Hosts of which stored state was lost or damaged, so that their word alone proves nothing.
    harmed: BTreeSet<HostId>,
    /// Hosts that refuse to start, and why.
    halted: BTreeMap<HostId, String>,
    /// Hosts that run with the identity of another one.
    twins: BTreeSet<HostId>,
    /// Hosts that lie or have lied, those of Sybils too.
    liars: BTreeSet<HostId>,
    at_work: Vec<Liar>,
    chains: Chains,
    forks: Vec<Fork>,
    /// The identities that joined with one invite, by the host that gave it.
    sybils: BTreeMap<HostId, Vec<HostId>>,
    /// Honest hosts that joined meanwhile, each with who invited it.
    newcomers: BTreeMap<HostId, HostId>,
    /// Hosts that never start again.
    gone: BTreeSet<HostId>,
    /// The most that a wall clock was ahead of the truth.
    wall_ahead_ms: u64,
    /// Paths with a setting of their own.
    bad_paths: Vec<(HostId, HostId)>,
    paths_changed: bool,
    counts: BTreeMap<&'static str, u64>,
    rng: Rng,
}

/// What came of the beginning of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// It happens.
    Fault,
    /// Less than it happens, and it has to be ended all the same; it does not count.
    Less,
    /// It cannot happen now.
    Nothing,
}

impl Injector {
    /// Will inject these faults, counted from `begun_at`.
    #[must_use]
    pub fn new(mut plan: Vec<Planned>, begun_at: Time, rng: Rng) -> Self {
        plan.sort_by_key(|planned| core::cmp::Reverse(planned.at));
        Self {
            begun_at,
            waiting: plan,
            active: Vec::new(),
            flaps: Vec::new(),
            backups: BTreeMap::new(),
            harmed: BTreeSet::new(),
            halted: BTreeMap::new(),
            twins: BTreeSet::new(),
            liars: BTreeSet::new(),
            at_work: Vec::new(),
            chains: Chains::default(),
            forks: Vec::new(),
            sybils: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            gone: BTreeSet::new(),
            wall_ahead_ms: 0,
            bad_paths: Vec::new(),
            paths_changed: false,
            counts: BTreeMap::new(),
            rng,
        }
    }

    /// How many faults of each class have happened.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Hosts of which stored state was lost or damaged.
    #[must_use]
    pub const fn harmed(&self) -> &BTreeSet<HostId> {
        &self.harmed
    }

    /// Hosts that refuse to start, and why.
    #[must_use]
    pub const fn halted(&self) -> &BTreeMap<HostId, String> {
        &self.halted
    }

    /// Hosts that share an identity with another one, both sides.
    #[must_use]
    pub const fn twins(&self) -> &BTreeSet<HostId> {
        &self.twins
    }

    /// Hosts that lie or have lied, those of Sybils too: they promise nothing.
    #[must_use]
    pub const fn liars(&self) -> &BTreeSet<HostId> {
        &self.liars
    }

    /// Honest hosts that joined meanwhile, each with who invited it.
    #[must_use]
    pub const fn newcomers(&self) -> &BTreeMap<HostId, HostId> {
        &self.newcomers
    }

    /// The most that any wall clock was ahead of the truth so far, in milliseconds.
    #[must_use]
    pub const fn wall_ahead_ms(&self) -> u64 {
        self.wall_ahead_ms
    }

    /// The forks that were made since this was asked last.
    pub(super) fn take_forks(&mut self) -> Vec<Fork> {
        core::mem::take(&mut self.forks)
    }

    /// Whether a fault that touches the host's process is under way.
    #[must_use]
    pub fn is_disturbed(&self, host: HostId) -> bool {
        self.active
            .iter()
            .any(|(_, fault)| host_of(fault) == Some(host) && !is_harmless(fault))
    }

    /// Whether anything is under way that a mesh may suffer from, on the paths or at a host.
    #[must_use]
    pub fn disturbs(&self) -> bool {
        let mut active = self.active.iter();
        !self.flaps.is_empty() || active.any(|(_, fault)| !is_harmless(fault))
    }

    /// Brings the world up to date: ends what is over, begins what is due.
    ///
    /// # Errors
    /// A host did not start although nothing had happened to its disk.
    pub fn step<S: Shell>(&mut self, world: &mut World<S>) -> Result<(), String> {
        let now = world.now();
        self.flap(world);
        for liar in &mut self.at_work {
            self.forks.extend(liar.step(world, &mut self.chains));
        }
        let mut index = 0;
        while index < self.active.len() {
            if self.active[index].0 <= now {
                let (_, fault) = self.active.remove(index);
                self.end(world, &fault)?;
            } else {
                index += 1;
            }
        }
        while let Some(planned) = self.waiting.pop_if(|next| self.begun_at + next.at <= now) {
            let begun = self.begin(world, &planned);
            if begun == Begun::Fault {
                *self.counts.entry(planned.fault.class()).or_default() += 1;
            }
            if begun != Begun::Nothing {
                self.active.push((now + planned.lasts, planned.fault));
            }
            self.set_paths(world);
        }
        Ok(())
    }

    /// Ends everything: the network is whole, clocks are right, disks sound, all processes run.
    ///
    /// # Errors
    /// As [`Injector::step`].
    pub fn heal<S: Shell>(&mut self, world: &mut World<S>) -> Result<(), String> {
        self.waiting.clear();
        self.flaps.clear();
        for (_, fault) in core::mem::take(&mut self.active) {
            self.end(world, &fault)?;
        }
        world.heal_all();
        let now = world.now();
        for host in world.hosts() {
            if self.gone.contains(&host) {
                continue;
            }
            world.resume(host);
            world.clock(host).mend(now);
            self.start(world, host)?;
        }
        Ok(())
    }

    /// Keeps an image of each disk, to be put back by a later fault.
    pub fn back_up<S: Shell>(&mut self, world: &mut World<S>) {
        for host in world.hosts() {
            let image = world.disk(host).image().clone();
            self.backups.insert(host, image);
        }
    }

    fn flap<S: Shell>(&mut self, world: &mut World<S>) {
        let now = world.now();
        for (until, turn, period, pairs, is_cut) in &mut self.flaps {
            let over = *until <= now;
            if *turn > now && !over {
                continue;
            }
            *turn = now + Duration::from_millis(u64::from(*period));
            if *is_cut {
                pairs
                    .iter()
                    .for_each(|(from, to)| world.heal_one_way(*from, *to));
            } else if !over {
                pairs
                    .iter()
                    .for_each(|(from, to)| world.cut_one_way(*from, *to));
            }
            *is_cut = !*is_cut && !over;
        }
        self.flaps.retain(|(until, ..)| *until > now);
    }

    /// Gives every path that is or was bad what the faults under way add up to.
    fn set_paths<S: Shell>(&mut self, world: &mut World<S>) {
        if !core::mem::take(&mut self.paths_changed) {
            return;
        }
        let network = world.network();
        let usual = network.usual();
        let mut bad: BTreeMap<(HostId, HostId), PathConfig> = BTreeMap::new();
        for (_, fault) in &self.active {
            if let Fault::Path(fault, pairs) = fault {
                for pair in pairs {
                    fault.worsen(bad.entry(*pair).or_insert(usual));
                }
            }
        }
        for (from, to) in core::mem::take(&mut self.bad_paths) {
            network.set(from, to, usual);
        }
        for ((from, to), config) in &bad {
            network.set(*from, *to, *config);
        }
        self.bad_paths = bad.into_keys().collect();
    }

    /// Begins a fault.
    fn begin<S: Shell>(&mut self, world: &mut World<S>, planned: &Planned) -> Begun {
        let now = world.now();
        if let Some(host) = host_of(&planned.fault) {
            let exists = world.hosts().any(|known| known == host);
            let is_lying = |liar: &Liar| liar.what().0 == host;
            let lies_already =
                matches!(planned.fault, Fault::Liar(..)) && self.at_work.iter().any(is_lying);
            if !exists || !world.runs(host) || self.is_disturbed(host) || lies_already {
                return Begun::Nothing;
            }
        }
        match &planned.fault {
            Fault::Cut(_, pairs) => pairs.iter().for_each(|(a, b)| world.cut_one_way(*a, *b)),
            Fault::Flap(period, pairs) => {
                let until = now + planned.lasts;
                self.flaps.push((until, now, *period, pairs.clone(), false));
            }
            Fault::Reset(pairs) => pairs.iter().for_each(|(a, b)| world.reset(*a, *b)),
            Fault::Path(..) => self.paths_changed = true,
            Fault::Crash(host) => drop(world.crash(*host)),
            Fault::PowerOff(host) => drop(world.power_off(*host)),
            Fault::CrashAfter(host, outputs) => world.crash_after(*host, *outputs),
            Fault::Tear(host) => {
                world.disk(*host).set_tears(true);
                world.crash(*host);
            }
            Fault::Stop(host) => world.pause(*host, true),
            Fault::Sleep(host) => world.pause(*host, false),
            Fault::Hide(host) => world.command(*host, Signal::Park),
            Fault::Leave(host) => world.command(*host, Signal::Leave),
            Fault::Wall(host, ms) => {
                self.wall_ahead_ms = self.wall_ahead_ms.max(u64::try_from(*ms).unwrap_or(0));
                world.clock(*host).set_wall_offset(*ms);
            }
            Fault::Freeze(host) => world.clock(*host).freeze_wall(now, true),
            Fault::Drift(host, rate) => world.clock(*host).run_at(now, *rate),
            Fault::Full(host) => world.set_disk_mode(*host, DiskMode::Full),
            Fault::Fail(host) => world.set_disk_mode(*host, DiskMode::Failing),
            Fault::Slow(host, times) => world.slow_disk(*host, *times),
            Fault::Lie(host) => {
                self.harmed.insert(*host);
                world.set_disk_mode(*host, DiskMode::Lying);
            }
            Fault::Harm(how, host) => {
                world.crash(*host);
                if !self.harm(world, *how, *host) {
                    // Nothing was there to be damaged: a crash, no more.
                    return Begun::Less;
                }
            }
            Fault::Twin(host) => return self.copy(world, *host),
            Fault::Decay(host) => return self.decay(world, *host),
            Fault::Upgrade(host, oldest, newest) => {
                return self.upgrade(world, *host, (*oldest, *newest));
            }
            Fault::Liar(host, lie, rate) => self.set_to_work(world, *host, (*lie, *rate)),
            Fault::Sybil(host, count) => return self.multiply(world, *host, *count),
            Fault::Join(join) => return self.join(world, join, now + planned.lasts),
        }
        Begun::Fault
    }

    fn end<S: Shell>(&mut self, world: &mut World<S>, fault: &Fault) -> Result<(), String> {
        let now = world.now();
        match fault {
            Fault::Cut(_, pairs) => {
                pairs
                    .iter()
                    .for_each(|(from, to)| world.heal_one_way(*from, *to));
            }
            Fault::Path(..) => {
                self.paths_changed = true;
                self.set_paths(world);
            }
            Fault::Flap(..)
            | Fault::Reset(_)
            | Fault::Twin(_)
            | Fault::Decay(_)
            | Fault::Join(_) => {}
            Fault::Upgrade(host, ..) => {
                world.set_versions(*host, None);
                world.crash(*host);
                self.start(world, *host)?;
            }
            Fault::Liar(host, ..) => self.call_off(world, *host),
            Fault::Sybil(host, _) => {
                for sybil in self.sybils.remove(host).unwrap_or_default() {
                    self.call_off(world, sybil);
                    world.power_off(sybil);
                    self.gone.insert(sybil);
                }
            }
            Fault::Crash(host) | Fault::PowerOff(host) | Fault::Harm(_, host) => {
                self.start(world, *host)?;
            }
            Fault::CrashAfter(host, _) | Fault::Leave(host) => {
                // It may not have come to its end by itself.
                world.crash(*host);
                self.start(world, *host)?;
            }
            Fault::Tear(host) => {
                world.disk(*host).set_tears(false);
                self.start(world, *host)?;
            }
            Fault::Stop(host) | Fault::Sleep(host) => world.resume(*host),
            Fault::Hide(host) => world.command(*host, Signal::Unpark),
            Fault::Wall(host, _) => world.clock(*host).set_wall_offset(0),
            Fault::Freeze(host) => world.clock(*host).freeze_wall(now, false),
            Fault::Drift(host, _) => world.clock(*host).run_at(now, 1_000_000),
            Fault::Slow(host, _) => world.slow_disk(*host, 1),
            Fault::Full(host) => world.set_disk_mode(*host, DiskMode::Sound),
            Fault::Fail(host) => {
                // A store that failed is opened anew.
                world.set_disk_mode(*host, DiskMode::Sound);
                world.crash(*host);
                self.start(world, *host)?;
            }
            Fault::Lie(host) => {
                world.power_off(*host);
                world.set_disk_mode(*host, DiskMode::Sound);
                self.start(world, *host)?;
            }
        }
        Ok(())
    }

    fn start<S: Shell>(&mut self, world: &mut World<S>, host: HostId) -> Result<(), String> {
        world.set_disk_mode(host, DiskMode::Sound);
        if world.is_up(host) || self.halted.contains_key(&host) {
            return Ok(());
        }
        if world.disk(host).take_spoilt_entry() {
            self.harmed.insert(host);
        }
        match world.start(host) {
            Ok(()) => Ok(()),
            Err(error) if self.harmed.contains(&host) && is_honest(&error) => {
                self.halted.insert(host, format!("{error}"));
                Ok(())
            }
            Err(error) => Err(format!("host {host} does not start: {error}")),
        }
    }
}

/// What a node may say whose store was damaged.
const fn is_honest(error: &StartError) -> bool {
    matches!(error, StartError::Damaged(_))
}

/// Faults at a host that leave the rest of the mesh nothing to suffer from: it has to be as if they
/// were not there.
const fn is_harmless(fault: &Fault) -> bool {
    match fault {
        Fault::Liar(..) | Fault::Sybil(..) | Fault::Decay(_) | Fault::Join(_) => true,
        Fault::Upgrade(_, oldest, newest) => *oldest <= VERSIONS.1 && VERSIONS.0 <= *newest,
        Fault::Cut(..)
        | Fault::Flap(..)
        | Fault::Reset(_)
        | Fault::Path(..)
        | Fault::Crash(_)
        | Fault::PowerOff(_)
        | Fault::CrashAfter(..)
        | Fault::Tear(_)
        | Fault::Stop(_)
        | Fault::Sleep(_)
        | Fault::Hide(_)
        | Fault::Leave(_)
        | Fault::Wall(..)
        | Fault::Freeze(_)
        | Fault::Drift(..)
        | Fault::Full(_)
        | Fault::Fail(_)
        | Fault::Slow(..)
        | Fault::Lie(_)
        | Fault::Harm(..)
        | Fault::Twin(_) => false,
    }
}

/// The one host whose process a fault is about.
const fn host_of(fault: &Fault) -> Option<HostId> {
    match fault {
        Fault::Cut(..) | Fault::Flap(..) | Fault::Reset(_) | Fault::Path(..) => None,
        Fault::Crash(host)
        | Fault::PowerOff(host)
        | Fault::CrashAfter(host, _)
        | Fault::Tear(host)
        | Fault::Stop(host)
        | Fault::Sleep(host)
        | Fault::Hide(host)
        | Fault::Leave(host)
        | Fault::Wall(host, _)
        | Fault::Freeze(host)
        | Fault::Drift(host, _)
        | Fault::Full(host)
        | Fault::Fail(host)
        | Fault::Slow(host, _)
        | Fault::Lie(host)
        | Fault::Harm(_, host)
        | Fault::Twin(host)
        | Fault::Decay(host)
        | Fault::Upgrade(host, ..)
        | Fault::Liar(host, ..)
        | Fault::Sybil(host, _) => Some(*host),
        Fault::Join(join) => Some(join.inviter),
    }
}

#[cfg(test)]
mod tests;

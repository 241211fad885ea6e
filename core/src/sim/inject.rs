//! Makes faults happen in a world, and takes them back.

use crate::{
    kernel::{
        rng::Rng,
        time::{Duration, Time},
    },
    node::{command::Command, setup::StartError},
    sim::{
        disk::{DiskMode, Image},
        fault::{Damage, Fault, Pairs, PathFault, Planned},
        host::HostId,
        shell::Shell,
        world::World,
    },
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
    counts: BTreeMap<&'static str, u64>,
    rng: Rng,
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

    /// Whether a fault that touches the host's process is under way.
    #[must_use]
    pub fn is_disturbed(&self, host: HostId) -> bool {
        self.active
            .iter()
            .any(|(_, fault)| host_of(fault) == Some(host))
    }

    /// Whether anything is wrong on the paths.
    #[must_use]
    pub fn is_network_disturbed(&self) -> bool {
        !self.flaps.is_empty()
            || self
                .active
                .iter()
                .any(|(_, fault)| host_of(fault).is_none())
    }

    /// Brings the world up to date: ends what is over, begins what is due.
    ///
    /// # Errors
    /// A host did not start although nothing had happened to its disk.
    pub fn step<S: Shell>(&mut self, world: &mut World<S>) -> Result<(), String> {
        let now = world.now();
        self.flap(world);
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
            if self.begin(world, &planned) {
                *self.counts.entry(planned.fault.class()).or_default() += 1;
                self.active.push((now + planned.lasts, planned.fault));
            }
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

    /// Begins a fault; false if it cannot happen now.
    fn begin<S: Shell>(&mut self, world: &mut World<S>, planned: &Planned) -> bool {
        let now = world.now();
        if let Some(host) = host_of(&planned.fault) {
            let exists = world.hosts().any(|known| known == host);
            if !exists || !world.runs(host) || self.is_disturbed(host) {
                return false;
            }
        }
        match &planned.fault {
            Fault::Cut(_, pairs) => {
                pairs
                    .iter()
                    .for_each(|(from, to)| world.cut_one_way(*from, *to));
            }
            Fault::Flap(period, pairs) => {
                let until = now + planned.lasts;
                self.flaps.push((until, now, *period, pairs.clone(), false));
            }
            Fault::Reset(pairs) => pairs.iter().for_each(|(a, b)| world.reset(*a, *b)),
            Fault::Path(fault, pairs) => set_paths(world, pairs, Some(*fault)),
            Fault::Crash(host) => drop(world.crash(*host)),
            Fault::PowerOff(host) => drop(world.power_off(*host)),
            Fault::CrashAfter(host, outputs) => world.crash_after(*host, *outputs),
            Fault::Tear(host) => {
                world.disk(*host).set_tears(true);
                world.crash(*host);
            }
            Fault::Stop(host) => world.pause(*host, true),
            Fault::Sleep(host) => world.pause(*host, false),
            Fault::Hide(host) => world.command(*host, Command::Park),
            Fault::Leave(host) => world.command(*host, Command::Leave),
            Fault::Wall(host, ms) => world.clock(*host).set_wall_offset(*ms),
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
                return self.harm(world, *how, *host);
            }
            Fault::Twin(host) => {
                let twin = world.copy(*host);
                self.twins.extend([*host, twin]);
                return world.start(twin).is_ok();
            }
        }
        true
    }

    fn harm<S: Shell>(&mut self, world: &mut World<S>, how: Damage, host: HostId) -> bool {
        self.harmed.insert(host);
        let rng = &mut self.rng;
        let disk = world.disk(host);
        match how {
            Damage::Rot => disk.rot(rng),
            Damage::Lost => disk.lose(rng),
            Damage::Misdirected => disk.misdirect(rng),
            Damage::Stale => {
                let image = self.backups.get(&host).cloned().unwrap_or_default();
                let worth = image.places() > 0;
                if worth {
                    disk.restore(image);
                }
                worth
            }
        };
        true
    }

    fn end<S: Shell>(&mut self, world: &mut World<S>, fault: &Fault) -> Result<(), String> {
        let now = world.now();
        match fault {
            Fault::Cut(_, pairs) => {
                pairs
                    .iter()
                    .for_each(|(from, to)| world.heal_one_way(*from, *to));
            }
            Fault::Path(_, pairs) => set_paths(world, pairs, None),
            Fault::Flap(..) | Fault::Reset(_) | Fault::Twin(_) => {}
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
            Fault::Hide(host) => world.command(*host, Command::Unpark),
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
        | Fault::Twin(host) => Some(*host),
    }
}

fn set_paths<S: Shell>(world: &mut World<S>, pairs: &Pairs, fault: Option<PathFault>) {
    for (from, to) in pairs {
        let network = world.network();
        let mut config = network.usual();
        match fault {
            Some(PathFault::Delay(ms)) => {
                config.latency_min += Duration::from_millis(u64::from(ms));
            }
            Some(PathFault::Tail(permille)) => config.tail_permille = permille,
            Some(PathFault::Loss(permille)) => config.loss_permille = permille,
            Some(PathFault::Burst(permille)) => config.burst_permille = permille,
            Some(PathFault::Duplicate(permille)) => config.duplicate_permille = permille,
            Some(PathFault::Reorder(permille)) => config.reorder_permille = permille,
            Some(PathFault::Corrupt(permille)) => config.corrupt_permille = permille,
            Some(PathFault::Bandwidth(bytes)) => config.bandwidth = u64::from(bytes),
            None => {}
        }
        network.set(*from, *to, config);
    }
}

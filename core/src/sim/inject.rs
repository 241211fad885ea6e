//! Makes faults happen in a world, and takes them back.

use crate::{
    kernel::{
        id::Role,
        rng::Rng,
        time::{Duration, Time},
    },
    node::{command::Command, setup::StartError},
    sim::{
        adversary::{
            batches::{Chains, Fork},
            liar::Liar,
        },
        disk::{DiskMode, Image},
        fault::{Damage, Fault, Lie, Pairs, Planned},
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
            Fault::Hide(host) => world.command(*host, Command::Park),
            Fault::Leave(host) => world.command(*host, Command::Leave),
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
            Fault::Twin(host) => {
                let twin = world.copy(*host);
                self.twins.extend([*host, twin]);
                if world.start(twin).is_err() {
                    return Begun::Nothing;
                }
            }
            Fault::Decay(host) => {
                let rng = &mut self.rng;
                if !world.disk(*host).rot(rng) {
                    return Begun::Nothing;
                }
                self.harmed.insert(*host);
            }
            Fault::Upgrade(host, oldest, newest) => {
                world.set_versions(*host, Some((*oldest, *newest)));
                world.crash(*host);
                return if self.start(world, *host).is_ok() {
                    Begun::Fault
                } else {
                    Begun::Less
                };
            }
            Fault::Liar(host, lie, rate) => self.set_to_work(world, *host, (*lie, *rate)),
            Fault::Sybil(host, count) => return self.multiply(world, *host, *count),
        }
        Begun::Fault
    }

    fn set_to_work<S: Shell>(&mut self, world: &World<S>, host: HostId, lies: (Lie, u32)) {
        self.liars.insert(host);
        let rng = Rng::from_number(self.rng.next_u64());
        self.at_work.push(Liar::new(host, lies, world.now(), rng));
    }

    /// Many identities join with one invite, and lie.
    fn multiply<S: Shell>(&mut self, world: &mut World<S>, host: HostId, count: u16) -> Begun {
        if self.sybils.contains_key(&host) {
            return Begun::Nothing;
        }
        let Some(link) = world.invite(host, None) else {
            return Begun::Nothing;
        };
        let mut sybils = Vec::new();
        for _ in 0..count {
            let Ok(sybil) = world.launch(Role::Relay, Some(link.clone())) else {
                continue;
            };
            sybils.push(sybil);
            let lie = SYBIL_LIES[self.rng.index(SYBIL_LIES.len())];
            self.set_to_work(world, sybil, (lie, SYBIL_RATE));
        }
        self.sybils.insert(host, sybils);
        Begun::Fault
    }

    /// Damages what a host stores; false if nothing is different now.
    fn harm<S: Shell>(&mut self, world: &mut World<S>, how: Damage, host: HostId) -> bool {
        let rng = &mut self.rng;
        let disk = world.disk(host);
        let harmed = match how {
            Damage::Rot => disk.rot(rng),
            Damage::Lost => disk.lose(rng),
            Damage::Misdirected => disk.misdirect(rng),
            Damage::Stale => match self.backups.get(&host) {
                Some(image) if image != disk.image() => {
                    disk.restore(image.clone());
                    true
                }
                Some(_) | None => false,
            },
        };
        if harmed {
            self.harmed.insert(host);
        }
        harmed
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
            Fault::Flap(..) | Fault::Reset(_) | Fault::Twin(_) | Fault::Decay(_) => {}
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

    /// A liar lies no more.
    fn call_off<S: Shell>(&mut self, world: &mut World<S>, host: HostId) {
        self.at_work.retain(|liar| liar.what().0 != host);
        if let Some(mask) = world.mask(host) {
            mask.take_off();
        }
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

/// What Sybils do, and how often in a second.
const SYBIL_LIES: [Lie; 6] = [
    Lie::Accuse,
    Lie::Replay,
    Lie::Forge,
    Lie::Swallow,
    Lie::Flood,
    Lie::Equivocate,
];
const SYBIL_RATE: u32 = 2;

/// Faults at a host that leave the rest of the mesh nothing to suffer from: it has to be as if they
/// were not there.
const fn is_harmless(fault: &Fault) -> bool {
    match fault {
        Fault::Liar(..) | Fault::Sybil(..) | Fault::Decay(_) => true,
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::id::Role, sim::typed::Typed};

    fn mesh(lines: &str) -> (World<Typed>, Injector) {
        let mut world = World::<Typed>::new(1);
        let first = world.launch(Role::Relay, None).unwrap();
        world.run_for(Duration::from_secs(1));
        let link = world.invite(first, None);
        world.launch(Role::Relay, link).unwrap();
        world.run_for(Duration::from_secs(2));
        let faults = lines.lines().map(|line| line.trim().parse().unwrap());
        let injector = Injector::new(faults.collect(), world.now(), Rng::from_number(1));
        (world, injector)
    }

    fn go_on(world: &mut World<Typed>, injector: &mut Injector, seconds: u64) {
        for _ in 0..seconds * 10 {
            injector.step(world).unwrap();
            world.run_for(Duration::from_millis(100));
        }
    }

    #[test]
    fn of_two_faults_on_a_path_each_ends_with_its_own_time() {
        let (mut world, mut injector) = mesh(
            "at 0 for 4 loss 500 0>1
             at 1 for 1 loss 500 0>1
             at 1 for 5 delay 100 0>1",
        );
        let usual = world.network().usual();
        let losses = |world: &mut World<Typed>| world.network().config(0, 1).loss_permille;
        go_on(&mut world, &mut injector, 1);
        assert_eq!(losses(&mut world), 500);
        go_on(&mut world, &mut injector, 1);
        assert_eq!(losses(&mut world), 750);
        go_on(&mut world, &mut injector, 1);
        assert_eq!(losses(&mut world), 500);
        go_on(&mut world, &mut injector, 2);
        let path = world.network().config(0, 1);
        assert_eq!(path.loss_permille, 0);
        assert_eq!(
            path.latency_min,
            usual.latency_min + Duration::from_millis(100)
        );
        go_on(&mut world, &mut injector, 2);
        assert_eq!(world.network().config(0, 1), usual);
        assert_eq!(injector.counts()["loss"], 2);
    }

    #[test]
    fn harm_that_changes_nothing_does_not_count_and_the_host_comes_back() {
        let (mut world, mut injector) = mesh("at 0 for 1 harm stale 1\nat 2 for 1 harm rot 1");
        let first_run = world.node(1).unwrap().instance();
        go_on(&mut world, &mut injector, 2);
        assert!(injector.counts().is_empty());
        assert!(injector.harmed().is_empty());
        let second_run = world.node(1).map(|node| node.instance());
        assert!(second_run.is_some_and(|run| run != first_run));
        go_on(&mut world, &mut injector, 1);
        assert_eq!(injector.counts().get("bit rot"), Some(&1));
        assert!(injector.harmed().contains(&1));
    }
}

//! What is done to the process, the disk and the node of one host.

use super::{Begun, Injector};
use crate::{
    kernel::{id::Role, rng::Rng, time::Time},
    membership::spore::Spore,
    sim::{
        adversary::liar::Liar,
        disk::DiskMode,
        fault::{Damage, Fault, Join, Lie},
        host::{HostId, address_of},
        shell::Shell,
        world::World,
    },
};
use alloc::vec::Vec;

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

impl Injector {
    /// Damages what a host stores; false if nothing is different now.
    pub(super) fn harm<S: Shell>(
        &mut self,
        world: &mut World<S>,
        how: Damage,
        host: HostId,
    ) -> bool {
        let rng = &mut self.rng;
        let disk = world.disk(host);
        let harmed = match how {
            Damage::Rot => disk.rot(rng),
            Damage::Entry => disk.rot_entry(rng),
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

    /// A bit of what is stored flips.
    pub(super) fn decay<S: Shell>(&mut self, world: &mut World<S>, host: HostId) -> Begun {
        if !world.disk(host).rot(&mut self.rng) {
            return Begun::Nothing;
        }
        self.harmed.insert(host);
        Begun::Fault
    }

    /// A copy of the data directory is started.
    pub(super) fn copy<S: Shell>(&mut self, world: &mut World<S>, host: HostId) -> Begun {
        let twin = world.copy(host);
        self.twins.extend([host, twin]);
        if self.harmed.contains(&host) {
            self.harmed.insert(twin);
        }
        match world.start(twin) {
            Ok(()) => Begun::Fault,
            Err(_) => Begun::Nothing,
        }
    }

    /// Another version of the node takes over.
    pub(super) fn upgrade<S: Shell>(
        &mut self,
        world: &mut World<S>,
        host: HostId,
        versions: (u16, u16),
    ) -> Begun {
        world.set_versions(host, Some(versions));
        world.crash(host);
        match self.start(world, host) {
            Ok(()) => Begun::Fault,
            Err(_) => Begun::Less,
        }
    }

    pub(super) fn set_to_work<S: Shell>(
        &mut self,
        world: &World<S>,
        host: HostId,
        lies: (Lie, u32),
    ) {
        self.liars.insert(host);
        let rng = Rng::from_number(self.rng.next_u64());
        self.at_work.push(Liar::new(host, lies, world.now(), rng));
    }

    /// Many identities join with one invite, and lie.
    pub(super) fn multiply<S: Shell>(
        &mut self,
        world: &mut World<S>,
        host: HostId,
        count: u16,
    ) -> Begun {
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

    /// A new host joins under an invite. Nobody can be asked to join by who lies, or has lost its identity.
    pub(super) fn join<S: Shell>(
        &mut self,
        world: &mut World<S>,
        join: &Join,
        until: Time,
    ) -> Begun {
        let inviter = join.inviter;
        if self.liars.contains(&inviter) || self.twins.contains(&inviter) {
            return Begun::Nothing;
        }
        let uses_max = (join.uses > 0).then_some(join.uses);
        let Some(mut link) = world.invite(inviter, uses_max) else {
            return Begun::Nothing;
        };
        let mut spore = Spore::new(link.spore.network());
        let entries = join.entries.iter().copied();
        entries
            .filter_map(address_of)
            .for_each(|entry| spore.add_entry(entry));
        link.spore = spore;
        let host = world.add(join.role, Some(link));
        self.newcomers.insert(host, inviter);
        if join.is_full {
            world.set_disk_mode(host, DiskMode::Full);
            self.active.push((until, Fault::Full(host)));
        }
        match world.start(host) {
            Ok(()) => Begun::Fault,
            Err(_) => Begun::Less,
        }
    }

    /// A liar lies no more.
    pub(super) fn call_off<S: Shell>(&mut self, world: &mut World<S>, host: HostId) {
        self.at_work.retain(|liar| liar.what().0 != host);
        if let Some(mask) = world.mask(host) {
            mask.take_off();
        }
    }
}

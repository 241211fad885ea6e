//! One liar: what it does, and when.

use super::{
    batches::{Chains, Fork},
    flood, peers, rumours,
};
use crate::{
    kernel::{rng::Rng, time::Time},
    node::message::Message,
    sim::{fault::Lie, host::HostId, shell::Shell, world::World},
};
use alloc::vec::Vec;

/// The most messages that a liar remembers to say again.
const REMEMBERED_MAX: usize = 512;

/// A liar at work.
#[derive(Debug)]
pub(in crate::sim) struct Liar {
    host: HostId,
    lie: Lie,
    /// Lies a second; of a thousand messages, where it swallows.
    rate: u32,
    /// What it still has to do, in millionths of a lie.
    owed: u64,
    last: Time,
    /// Tells this liar's lies of one kind apart.
    turn: u64,
    kind: u64,
    remembered: Vec<Message>,
    rng: Rng,
}

impl Liar {
    /// Will lie from `now` on.
    pub(in crate::sim) fn new(
        host: HostId,
        (lie, rate): (Lie, u32),
        now: Time,
        mut rng: Rng,
    ) -> Self {
        Self {
            host,
            lie,
            rate,
            owed: 1_000_000,
            last: now,
            turn: 0,
            kind: rng.next_u64(),
            remembered: Vec::new(),
            rng,
        }
    }

    /// Where it sits, and what it does.
    pub(in crate::sim) const fn what(&self) -> (HostId, Lie) {
        (self.host, self.lie)
    }

    /// Does what is due by now; answers the forks that it made.
    pub(in crate::sim) fn step<S: Shell>(
        &mut self,
        world: &mut World<S>,
        chains: &mut Chains,
    ) -> Vec<Fork> {
        let span = world.now().since(self.last);
        self.last = world.now();
        self.put_mask_on(world);
        if !world.runs(self.host) || self.lie == Lie::Swallow {
            return Vec::new();
        }
        let owed = span.as_micros() as u64 * u64::from(self.rate);
        self.owed = (self.owed + owed).min(BURST_MAX * 1_000_000);
        let mut forks = Vec::new();
        while self.owed >= 1_000_000 && world.runs(self.host) {
            self.owed -= 1_000_000;
            self.turn += 1;
            forks.extend(self.act(world, chains));
        }
        forks
    }

    fn put_mask_on<S: Shell>(&mut self, world: &mut World<S>) {
        let (lie, permille) = (self.lie, self.rate);
        let Some(mask) = world.mask(self.host) else {
            return;
        };
        match lie {
            Lie::Swallow => mask.swallows_permille = permille,
            Lie::Replay | Lie::Resurrect => {
                mask.listens = true;
                for message in mask.take_heard() {
                    self.remember(message);
                }
            }
            Lie::Accuse
            | Lie::Inflate
            | Lie::Stamp
            | Lie::Oversize
            | Lie::Equivocate
            | Lie::Forge
            | Lie::Flood
            | Lie::Pose => {}
        }
    }

    fn remember(&mut self, message: Message) {
        if self.remembered.len() < REMEMBERED_MAX {
            self.remembered.push(message);
        } else {
            let place = self.rng.index(REMEMBERED_MAX * 4);
            if let Some(old) = self.remembered.get_mut(place) {
                *old = message;
            }
        }
    }

    fn act<S: Shell>(&mut self, world: &mut World<S>, chains: &mut Chains) -> Option<Fork> {
        let (host, turn, rng) = (self.host, self.turn, &mut self.rng);
        match self.lie {
            Lie::Accuse => rumours::accuse(world, host, turn, rng),
            Lie::Resurrect => rumours::resurrect(world, host, &self.remembered, rng),
            Lie::Inflate => rumours::inflate(world, host, turn),
            Lie::Stamp => chains.stamp(world, host, rng),
            Lie::Oversize => chains.oversize(world, host, rng),
            Lie::Equivocate => return chains.equivocate(world, host, rng),
            Lie::Replay => {
                let peers = peers(world, host);
                let message = self.remembered.get(rng.index(self.remembered.len()));
                if let (Some(peer), Some(message)) = (peers.get(rng.index(peers.len())), message) {
                    world.say(host, *peer, message);
                }
            }
            Lie::Forge => {
                if turn.is_multiple_of(3) {
                    chains.forge(world, host, rng);
                } else {
                    rumours::forge(world, host, rng);
                }
            }
            Lie::Swallow => {}
            Lie::Flood => flood::flood(world, host, self.kind, rng),
            Lie::Pose => pose(world, host, rng),
        }
        None
    }
}

/// The most lies at once, where a liar could not speak for a while.
const BURST_MAX: u64 = 64;

/// Breaks one of its connections, to dial as somebody else.
fn pose<S: Shell>(world: &mut World<S>, host: HostId, rng: &mut Rng) {
    let others: Vec<HostId> = world.hosts().filter(|other| *other != host).collect();
    let mut pick = || others.get(rng.index(others.len())).copied();
    let (Some(victim), Some(other)) = (pick(), pick()) else {
        return;
    };
    let poses_as = world.id(victim).filter(|id| Some(*id) != world.id(host));
    if let Some(mask) = world.mask(host) {
        mask.poses_as = poses_as;
    }
    world.reset(host, other);
}

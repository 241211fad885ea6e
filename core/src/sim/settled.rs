//! A mesh that exists: thousands of relays of one network that know each other, without the storm in
//! which they would all join at once.

use crate::{
    kernel::{
        crypto::{Secret, encode},
        id::Role,
        time::{Duration, Time},
    },
    membership::{member::MemberState, roster::Roster, why::Why},
    node::{setup::StartError, start::KEY_IDENTITY},
    recovery::entry,
    sim::{host::HostId, typed::Typed, world::World},
};

impl World<Typed> {
    /// Adds `count` relays that belong to one network and know all of each other; from then on
    /// membership runs as always: they dial their ring neighbours, probe, gossip and suspect. The world
    /// should be empty.
    ///
    /// The tables that they begin with share their memory, and differ as far as the nodes change them.
    ///
    /// # Errors
    /// As [`World::start`].
    pub fn settle(&mut self, count: u16) -> Result<(), StartError> {
        let first = self.launch(Role::Relay, None)?;
        self.run_for(Duration::from_secs(1));
        let mut image = self.disk(first).image().clone();
        for _ in 1..count {
            let seed = Secret::from_bytes(self.rng.bytes32());
            image.set(KEY_IDENTITY, entry::seal(KEY_IDENTITY, &encode(&seed)));
            let host = self.add(Role::Relay, None);
            self.disk(host).restore(image.clone());
            self.start(host)?;
        }
        self.acquaint();
        Ok(())
    }

    /// Everyone learns everyone's word about itself.
    fn acquaint(&mut self) {
        let mut roster = Roster::new(
            self.hosts.len(),
            crate::membership::swim::Config::default().rings,
        );
        let nodes = self.hosts().filter_map(|host| self.node(host));
        for record in nodes.map(|node| node.own_record().clone()) {
            let incarnation = record.incarnation;
            let why = Why::Joined { incarnation };
            roster.insert(record, MemberState::Alive, why, Time::ZERO);
        }
        for host in self.hosts().collect::<alloc::vec::Vec<HostId>>() {
            let now = self.local(host);
            if let Some(shell) = &mut self.host_mut(host).shell {
                shell.acquaint(now, &roster);
            }
            self.drain(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believing(world: &World<Typed>, of: HostId, state: MemberState) -> usize {
        let id = world.id(of).unwrap();
        let others = world.hosts().filter(|host| *host != of);
        others
            .filter(|host| world.believes(*host, id) == Some(state))
            .count()
    }

    #[test]
    fn a_settled_mesh_stays_alive_and_notices_a_crash() {
        let mut world = World::<Typed>::new(1);
        world.settle(40).unwrap();
        world.run_for(Duration::from_secs(30));
        for host in world.hosts() {
            assert_eq!(believing(&world, host, MemberState::Alive), 39);
        }
        world.power_off(7);
        world.run_for(Duration::from_secs(30));
        assert_eq!(believing(&world, 7, MemberState::Dead), 39);
        assert_eq!(believing(&world, 8, MemberState::Alive), 38);
        world.start(7).unwrap();
        world.run_for(Duration::from_secs(60));
        assert_eq!(believing(&world, 7, MemberState::Alive), 39);
    }
}

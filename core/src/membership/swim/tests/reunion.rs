//! How those who are apart find each other again.

use super::{
    hostile::{alone, events, hear, record},
    world::{identity, secs},
};
use crate::{
    kernel::{
        crypto::encode,
        id::{Incarnation, NodeId, Role},
        machine::{Input, Machine},
        persist::Persist,
        rng::Rng,
        time::Time,
    },
    membership::{
        dissemination::Rumour,
        swim::{Command, Config, Event, MEMBERS_KEY, Swim},
    },
};
use alloc::vec::Vec;

#[test]
fn whoever_leaves_right_after_it_heard_of_members_stores_them() {
    let mut swim = alone(Config::default());
    hear(&mut swim, 1, [Rumour::Record(record(2, 1, 1))].into());
    assert!(!events(&mut swim).contains(&Event::RosterChanged));
    swim.handle_input(Time::ZERO, Input::Command(Command::Leave));
    let said = events(&mut swim);
    let stored = Persist::put(0, MEMBERS_KEY, encode(&swim.records_to_persist()));
    assert!(said.contains(&Event::Persist(stored)));
    assert!(said.contains(&Event::RosterChanged));
    assert_eq!(swim.records_to_persist().len(), 1);
}

/// Whom a relay tries in its first two rounds that knows seven others and is linked to none.
fn tried(number: usize) -> (NodeId, Vec<Vec<NodeId>>) {
    let known = (0..8).filter(|other| *other != number);
    let known = known.map(|other| record(other, 1, 1)).collect();
    let identity = identity(number, Role::Relay, 1);
    let (me, rng) = (identity.keypair.id(), Rng::from_number(1));
    let config = Config::default();
    let mut swim = Swim::new(config, identity, Incarnation(1), known, rng, Time::ZERO);
    let mut rounds = Vec::new();
    while rounds.len() < 2 {
        let now = swim.poll_timeout().unwrap();
        assert!(now < Time::ZERO + secs(60));
        swim.handle_timeout(now);
        let tries = events(&mut swim).into_iter().filter_map(|event| {
            if let Event::Try { member, .. } = event {
                Some(member)
            } else {
                None
            }
        });
        let tries: Vec<NodeId> = tries.collect();
        if !tries.is_empty() {
            rounds.push(tries);
        }
    }
    (me, rounds)
}

#[test]
fn every_relay_begins_to_try_after_itself_and_goes_round() {
    for number in 0..8 {
        let (me, rounds) = tried(number);
        assert!(rounds.iter().all(|round| round.len() <= 3));
        let tries: Vec<NodeId> = rounds.concat();
        let (later, before) = tries.split_at(tries.partition_point(|id| *id > me));
        assert!(later.is_sorted() && before.is_sorted() && !tries.contains(&me));
        assert!(before.iter().all(|id| *id < me));
        assert!(tries.len() > 3, "{tries:?}");
    }
}

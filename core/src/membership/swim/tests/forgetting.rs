//! Dead members that an operator gives up.

use super::world::{World, secs};
use crate::membership::{
    member::MemberState::{Alive, Dead, Left},
    swim::Command,
    why::Why,
};

fn with_a_dead_relay(seed: u64) -> (World, usize) {
    let mut world = World::relays(seed, 4);
    world.run_for(secs(5));
    world.crash(3);
    assert!(
        world
            .run_until(secs(60), |world| world.others_see(3, Dead))
            .is_some()
    );
    (world, 3)
}

#[test]
fn a_forgotten_member_counts_as_left_everywhere_and_is_not_stored() {
    let (mut world, gone) = with_a_dead_relay(90);
    let id = world.id(gone);
    world.command(1, Command::Forget(id));
    let took = world.run_until(secs(5), |world| world.others_see(gone, Left));
    assert!(took.is_some(), "the word travels like other rumours");
    let why = world.nodes[0].swim.members().find(|m| m.record.id == id);
    let by = world.id(1);
    assert_eq!(why.map(|m| m.why.clone()), Some(Why::Forgotten { by }));
    let stored = world.nodes[0].swim.records_to_persist();
    assert!(stored.iter().all(|record| record.claims().id != id));
    world.run_for(secs(600));
    assert!(world.others_see(gone, Left), "nobody dies twice");
}

#[test]
fn a_newcomer_learns_that_a_member_was_forgotten() {
    let (mut world, gone) = with_a_dead_relay(91);
    world.command(0, Command::Forget(world.id(gone)));
    world.run_for(secs(30));
    world.add(crate::kernel::id::Role::Relay);
    let took = world.run_until(secs(20), |world| world.others_see(gone, Left));
    assert!(took.is_some());
}

#[test]
fn a_forgotten_member_that_comes_back_is_alive_again() {
    let (mut world, gone) = with_a_dead_relay(92);
    world.command(1, Command::Forget(world.id(gone)));
    world.run_for(secs(10));
    assert!(world.others_see(gone, Left));
    world.restart(gone);
    let took = world.run_until(secs(30), |world| world.others_see(gone, Alive));
    assert!(took.is_some());
}

#[test]
fn the_living_cannot_be_forgotten() {
    let mut world = World::relays(93, 3);
    world.run_for(secs(5));
    world.command(1, Command::Forget(world.id(2)));
    world.run_for(secs(20));
    assert!(world.others_see(2, Alive));
    assert!(world.changes_to(Left).is_empty());
}

#[test]
fn a_member_that_was_forgotten_behind_a_cut_is_alive_again_once_it_heals() {
    let mut world = World::relays(94, 4);
    world.run_for(secs(5));
    world.partition(&[3]);
    let dead = world.run_until(secs(60), |world| {
        (0..3).all(|observer| world.state(observer, 3) == Some(Dead))
    });
    assert!(dead.is_some());
    world.command(0, Command::Forget(world.id(3)));
    world.run_for(secs(20));
    assert!((0..3).all(|observer| world.state(observer, 3) == Some(Left)));
    world.heal();
    let took = world.run_until(secs(120), |world| world.others_see(3, Alive));
    assert!(took.is_some());
}

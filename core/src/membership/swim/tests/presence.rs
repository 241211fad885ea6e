//! Tabs: homes, leases, parking.

use super::world::{World, ms, secs};
use crate::{
    kernel::{
        component::Component,
        id::Role,
        machine::{Input, Machine},
    },
    membership::{
        member::MemberState::{Alive, Dead, Left, Parked, Suspect},
        swim::Command,
    },
};

fn with_tab(seed: u64, relays: usize) -> (World, usize) {
    let mut world = World::relays(seed, relays);
    let tab = world.add(Role::Tab);
    world.run_for(secs(8));
    assert!(world.others_see(tab, Alive));
    assert_eq!(homes(&world, tab).len(), 2);
    world.history.clear();
    (world, tab)
}

fn homes(world: &World, tab: usize) -> alloc::vec::Vec<usize> {
    (0..tab)
        .filter(|relay| world.is_linked(*relay, tab))
        .collect()
}

#[test]
fn a_tab_takes_two_homes_and_stays_alive_for_hours() {
    let (mut world, tab) = with_tab(30, 4);
    world.run_for(secs(7_200));
    assert!(world.others_see(tab, Alive));
    assert!(world.changes_to(Parked).is_empty());
    let id = world.id(tab);
    let viewed = world.nodes[0]
        .swim
        .members()
        .find(|m| m.record.id == id)
        .unwrap();
    assert_eq!(viewed.homes.len(), 2);
}

#[test]
fn a_closed_tab_is_parked_everywhere_within_five_seconds_and_never_dead() {
    let (mut world, tab) = with_tab(31, 5);
    world.crash(tab);
    let took = world.run_until(secs(10), |w| w.others_see(tab, Parked));
    assert!(took.is_some_and(|took| took <= secs(3)), "{took:?}");
    world.run_for(secs(60));
    assert!(world.changes_to(Suspect).is_empty() && world.changes_to(Dead).is_empty());
    assert_eq!(world.changes_to(Parked).len(), 5, "once at each relay");
}

#[test]
fn a_tab_that_says_goodbye_is_left_at_once() {
    let (mut world, tab) = with_tab(32, 3);
    world.command(tab, Command::Leave);
    let took = world.run_until(secs(5), |w| w.others_see(tab, Left));
    assert!(took.is_some_and(|took| took <= ms(300)));
    world.stop(tab, false);
    world.run_for(secs(60));
    assert!(world.others_see(tab, Left));
}

#[test]
fn a_tab_losing_one_of_two_homes_does_not_flap_and_finds_another() {
    let (mut world, tab) = with_tab(33, 4);
    let lost = homes(&world, tab)[0];
    world.crash(lost);
    let took = world.run_until(secs(5), |w| homes(w, tab).len() == 2);
    assert!(took.is_some_and(|took| took <= secs(1)), "{took:?}");
    world.run_for(secs(60));
    assert!(world.changes_to(Parked).is_empty());
    assert!(world.nodes[tab].swim.state(&world.id(lost)) == Some(Dead));
}

#[test]
fn a_reload_within_the_grace_does_not_flap() {
    let (mut world, tab) = with_tab(34, 3);
    world.crash(tab);
    world.run_for(ms(500));
    world.restart(tab);
    world.run_for(secs(20));
    assert!(world.changes_to(Parked).is_empty());
    assert!(world.others_see(tab, Alive));
}

#[test]
fn a_hidden_tab_is_parked_and_comes_back() {
    let (mut world, tab) = with_tab(35, 3);
    world.command(tab, Command::Park);
    world.run_for(secs(1));
    assert!(world.others_see(tab, Parked));
    world.command(tab, Command::Unpark);
    world.run_for(secs(1));
    assert!(world.others_see(tab, Alive));
}

#[test]
fn a_throttled_tab_makes_nobody_dead() {
    let (mut world, tab) = with_tab(36, 3);
    for _ in 0..5 {
        world.pause(tab, secs(60));
        world.run_for(secs(61));
    }
    assert!(world.changes_to(Suspect).is_empty() && world.changes_to(Dead).is_empty());
    assert_eq!(world.counts(tab).0, 4);
}

#[test]
fn a_tab_shows_the_same_members_as_a_relay() {
    let (mut world, tab) = with_tab(37, 4);
    world.crash(0);
    world.run_for(secs(3));
    assert_eq!(world.counts(tab), (4, 0, 1));
    let second = world.add(Role::Tab);
    world.run_for(secs(8));
    assert_eq!(world.counts(second), world.counts(1));
}

#[test]
fn a_lone_relay_is_the_only_home() {
    let mut world = World::relays(38, 1);
    let tab = world.add(Role::Tab);
    world.run_for(secs(10));
    assert_eq!((world.counts(0), world.counts(tab)), ((2, 0, 0), (2, 0, 0)));
}

#[test]
fn who_has_left_is_not_held_to_the_leases_of_its_tabs() {
    let (mut world, tab) = with_tab(39, 2);
    world.command(0, Command::Leave);
    // It sleeps between leaving and `Departed`, longer than any lease.
    let (later, peer) = (world.now + secs(300), world.id(tab));
    let swim = &mut world.nodes[0].swim;
    swim.handle_input(later, Input::Command(Command::Heard { peer }));
    assert_eq!(swim.check(), Ok(()));
}

//! What stands beyond forks of authors that are gone, or lie: nobody issues it again, all read it.

use super::{
    forks::{names, put, restore},
    hostile::{WALL, op, push, seal},
    world::{World, keypair, ns, value},
};
use crate::replication::replica::{Command, Event};
use alloc::{string::String, vec::Vec};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Relays 0 to 2, tabs 3 to 5: 3 at relay 1, 4 at relay 2, 5 follows another namespace. Relay 0 goes back
/// in time, shows one branch to relay 1 and the other to relay 2, and is gone for good.
fn abandon(names: &[String]) -> World {
    let mut world = World::new(31, 3, 3);
    for tab in [3, 4] {
        world.tell(tab, Command::Open(ns("n")));
    }
    world.tell(5, Command::Open(ns("other")));
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 4), (1, 5)] {
        world.link(a, b);
    }
    put(&mut world, 0, &names[..1], "v");
    let image = world.hosts[0].journal.clone();
    world.cut(0, 2);
    put(&mut world, 0, &names[1..4], "v");
    restore(&mut world, 0, image);
    world.link(0, 2);
    put(&mut world, 0, &names[4..], "v");
    world.crash(0);
    world
}

fn lacking(world: &World, at: usize, names: &[String]) -> Vec<String> {
    let lacks = |name: &&String| world.get(at, "n", name) != value("v");
    names.iter().filter(lacks).cloned().collect()
}

#[test]
fn both_branches_of_an_author_that_is_gone_are_read_by_relays_and_tabs() {
    let names = names(8);
    let mut world = abandon(&names);
    assert_eq!(lacking(&world, 1, &names), names[4..]);
    assert_eq!(lacking(&world, 2, &names), names[1..4]);
    world.link(1, 2);
    world.settle();
    world.run_for(60 * SECOND);
    let state = |at: usize| world.replica(at).state_hash();
    assert_eq!(state(1), state(2));
    for at in 1..5 {
        assert_eq!(lacking(&world, at, &names), [""; 0], "at {at}");
    }
    assert_eq!(lacking(&world, 5, &names), names);
    assert_eq!(
        world.replica(5).stats().side_branches,
        0,
        "it does not follow them"
    );
    assert_eq!(world.replica(5).stats().unwanted_batches, 0);
}

#[test]
fn they_are_read_after_a_restart_too_and_every_change_is_told() {
    let names = names(8);
    let mut world = abandon(&names);
    world.link(1, 2);
    world.settle();
    world.run_for(60 * SECOND);
    for at in 1..5 {
        world.crash(at);
        world.hosts[at].events.clear();
        world.start(at);
    }
    for (a, b) in [(1, 2), (1, 3), (2, 4)] {
        world.link(a, b);
    }
    world.settle();
    world.run_for(60 * SECOND);
    for at in 1..5 {
        assert_eq!(lacking(&world, at, &names), [""; 0], "at {at}");
        let told = world.hosts[at].events.iter();
        let mut revisions: Vec<u64> = Vec::new();
        for event in told {
            if let Event::Changed { revision, .. } = event {
                revisions.push(*revision);
            }
        }
        assert!(!revisions.is_empty(), "at {at}");
        let count = u64::try_from(revisions.len()).unwrap();
        assert_eq!(revisions, (1..=count).collect::<Vec<_>>(), "at {at}");
    }
}

#[test]
fn what_only_a_tab_has_in_memory_comes_back_to_a_relay() {
    let names = names(8);
    let mut world = abandon(&names);
    let before = world.hosts[1].journal.clone();
    world.link(1, 2);
    world.settle();
    world.crash(2);
    world.crash(4);
    restore(&mut world, 1, before);
    assert_eq!(lacking(&world, 1, &names), names[4..]);
    world.link(1, 3);
    world.settle();
    assert_eq!(lacking(&world, 1, &names), [""; 0]);
    assert_eq!(world.replica(1).stats().equivocations, 1);
    assert_eq!(world.replica(1).stats().offences, 0);
    world.bytes_sent = 0;
    world.run_for(300 * SECOND);
    let per_minute = world.bytes_sent / 5;
    assert!(per_minute < 5_000, "{per_minute} bytes a minute");
}

#[test]
fn what_is_far_ahead_beyond_a_fork_is_read_when_its_time_comes() {
    const AHEAD: u64 = 600_000;
    let mut world = World::new(32, 2, 0);
    world.link(0, 1);
    let liar = keypair(77);
    push(&mut world, 1, 0, &seal(&liar, None, op("k", WALL, "near")));
    world.run_for(SECOND);
    let far = seal(&liar, None, op("k", WALL + AHEAD, "far"));
    push(&mut world, 1, 0, &far);
    run_with_clocks(&mut world, 500);
    for at in [0, 1] {
        assert_eq!(world.get(at, "n", "k"), value("near"), "at {at}");
        let latest = world.replica(at).latest_millis();
        assert!(latest < WALL + AHEAD, "the clock of {at} is not pushed");
    }
    run_with_clocks(&mut world, 60);
    for at in [0, 1] {
        assert_eq!(world.get(at, "n", "k"), value("far"), "at {at}");
    }
}

fn run_with_clocks(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        for at in [0, 1] {
            let wall = world.wall(at);
            world.tell(at, Command::WallClock(wall));
        }
        world.run_for(SECOND);
    }
}

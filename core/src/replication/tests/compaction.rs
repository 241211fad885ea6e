//! What leaving overwritten chains behind promises.

use super::world::{World, key, ns, value};
use crate::{
    kernel::{bytes::Bytes, component::Component as _},
    replication::{
        batch::{Writer, shard_of},
        replica::Command,
        write::AckLevel,
    },
};
use alloc::{format, string::String};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const LINKS: [(usize, usize); 3] = [(0, 1), (1, 2), (0, 2)];

/// Relays and tabs that leave chains behind soon.
fn meshed(relays: u8, tabs: u8) -> World {
    let mut world = World::new(71, relays, tabs);
    for at in 0..world.hosts.len() {
        world.hosts[at].config.overwritten_bytes_max = 4_096;
        world.start(at);
    }
    world
}

fn text(number: usize) -> String {
    format!("{number:.>1000}")
}

/// Overwrites one key again and again, beside some that stay.
fn overwrite(world: &mut World, at: usize, times: usize) {
    for number in 0..times {
        let level = AckLevel::Local;
        let long = Some(Bytes::from(text(number).as_bytes()));
        world.write(at, "n", "again", long, level);
        if number % 20 == 0 {
            world.put(at, "n", &format!("stays/{number}"), "here");
        }
        world.run_for(Duration::from_millis(100));
    }
    world.run_for(30 * SECOND);
}

fn check_all(world: &World, at: usize, times: usize) {
    let again = world.get(at, "n", "again");
    assert_eq!(again, value(&text(times - 1)), "at {at}");
    for number in (0..times).step_by(20) {
        let stays = world.get(at, "n", &format!("stays/{number}"));
        assert_eq!(stays, value("here"), "at {at}: {number}");
    }
}

#[test]
fn a_chain_that_was_overwritten_is_forgotten_everywhere_and_its_room_is_given_back() {
    let mut world = meshed(3, 0);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    overwrite(&mut world, 0, 300);
    world.run_for(60 * SECOND);
    let hash = |world: &World, at: usize| world.replica(at).state_hash();
    for at in 0..3 {
        check_all(&world, at, 300);
        let (_, batches) = world.replica(at).counts();
        assert!(batches < 60, "{batches} of 315 at {at}");
        let stored: usize = world.hosts[at]
            .journal
            .iter()
            .map(|(_, body)| body.len())
            .sum();
        assert!(stored < 60_000, "{stored} bytes of 300 000 at {at}");
        assert_eq!(hash(&world, at), hash(&world, 0));
        world.replica(at).check().unwrap();
    }
    assert!(world.replica(0).stats().compactions > 0);
    // And it is all there after a start.
    for at in 0..3 {
        world.crash(at);
        world.start(at);
        check_all(&world, at, 300);
        assert_eq!(world.replica(at).stats().restore_skipped, 0, "at {at}");
    }
}

#[test]
fn who_was_away_fetches_what_is_left_and_keeps_what_it_wrote() {
    let mut world = meshed(3, 0);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    overwrite(&mut world, 0, 40);
    world.cut(0, 2);
    world.cut(1, 2);
    world.put(2, "n", "meanwhile", "written alone");
    overwrite(&mut world, 0, 300);
    let before = world.bytes_sent;
    world.link(0, 2);
    world.link(1, 2);
    world.run_for(60 * SECOND);
    for at in 0..3 {
        check_all(&world, at, 300);
        assert_eq!(
            world.get(at, "n", "meanwhile"),
            value("written alone"),
            "at {at}"
        );
    }
    let sent = world.bytes_sent - before;
    assert!(
        sent < 100_000,
        "{sent} bytes of 300 000 that were overwritten"
    );
}

#[test]
fn a_deleted_key_stays_deleted() {
    let mut world = meshed(3, 0);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    world.put(1, "n", "gone", "was here");
    world.run_for(SECOND);
    world.cut(0, 2);
    world.cut(1, 2);
    world.write(0, "n", "gone", None, AckLevel::Local);
    overwrite(&mut world, 0, 200);
    world.link(1, 2);
    world.run_for(60 * SECOND);
    for at in 0..3 {
        assert_eq!(world.get(at, "n", "gone"), None, "at {at}");
    }
}

#[test]
fn an_author_whose_store_went_back_before_the_closing_goes_on_and_loses_nothing() {
    let mut world = meshed(3, 0);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    overwrite(&mut world, 0, 30);
    let image = world.hosts[0].journal.clone();
    overwrite(&mut world, 0, 200);
    world.crash(0);
    world.hosts[0].journal = image;
    world.start(0);
    world.put(0, "n", "alone", "before it knew");
    world.run_for(SECOND);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    world.run_for(120 * SECOND);
    world.put(0, "n", "after", "it goes on");
    world.run_for(60 * SECOND);
    for at in 0..3 {
        check_all(&world, at, 200);
        for (name, expected) in [("alone", "before it knew"), ("after", "it goes on")] {
            assert_eq!(world.get(at, "n", name), value(expected), "at {at}: {name}");
        }
        world.replica(at).check().unwrap();
    }
}

/// A key in the shard of the one that is overwritten.
fn neighbour() -> String {
    let shard = |name: &str| shard_of(&ns("n"), &key(name));
    let mut names = (0..).map(|number| format!("alone/{number}"));
    names.find(|name| shard(name) == shard("again")).unwrap()
}

/// An author whose store went back before its chain was left behind writes to that chain, alone; then it is
/// linked, and so learns of its later chain. Whether it is killed then.
fn writes_to_a_closed_chain(is_killed: bool) {
    let mut world = meshed(3, 0);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    overwrite(&mut world, 0, 5);
    let image = world.hosts[0].journal.clone();
    overwrite(&mut world, 0, 200);
    world.crash(0);
    world.hosts[0].journal = image;
    world.start(0);
    let alone = neighbour();
    world.put(0, "n", &alone, "before it knew");
    world.run_for(SECOND);
    for (a, b) in LINKS {
        world.link(a, b);
    }
    if is_killed {
        // It has learnt of its later chain by then, and has written nothing anew.
        let shard = shard_of(&ns("n"), &key("again"));
        let first = Writer::first(world.id(0));
        let knows = |world: &World| world.replica(0).held(shard, first) == 0;
        for _ in 0..2_000 {
            if knows(&world) {
                break;
            }
            world.run_for(Duration::from_millis(5));
        }
        world.crash(0);
        world.start(0);
        for (a, b) in LINKS {
            world.link(a, b);
        }
    }
    world.run_for(120 * SECOND);
    for at in 0..3 {
        let text = format!("at {at}");
        assert_eq!(
            world.get(at, "n", &alone),
            value("before it knew"),
            "{text}"
        );
        world.replica(at).check().unwrap();
    }
    check_all(&world, 1, 200);
}

#[test]
fn what_an_author_wrote_to_a_chain_that_it_had_closed_is_not_lost() {
    writes_to_a_closed_chain(false);
}

#[test]
fn nor_when_it_is_killed_as_it_learns_of_that() {
    writes_to_a_closed_chain(true);
}

#[test]
fn tabs_follow_a_namespace_whose_chains_are_left_behind() {
    let mut world = meshed(2, 1);
    world.tell(2, Command::Open(ns("n")));
    for (a, b) in [(0, 1), (1, 2)] {
        world.link(a, b);
    }
    overwrite(&mut world, 0, 200);
    world.run_for(60 * SECOND);
    check_all(&world, 2, 200);
    // One that opens it only now takes what is left.
    world.crash(2);
    world.hosts[2].journal.clear();
    world.start(2);
    world.tell(2, Command::Open(ns("n")));
    world.link(1, 2);
    world.run_for(30 * SECOND);
    check_all(&world, 2, 200);
}

fn stored(world: &World, at: usize) -> usize {
    let bodies = world.hosts[at].journal.iter().map(|(_, body)| body.len());
    bodies.sum()
}

#[test]
fn a_tab_forgets_what_was_overwritten_of_the_namespaces_that_it_follows() {
    let mut world = meshed(2, 1);
    for namespace in ["n", "m"] {
        world.tell(2, Command::Open(ns(namespace)));
    }
    for (a, b) in [(0, 1), (1, 2)] {
        world.link(a, b);
    }
    for number in 0..40 {
        world.put(0, "m", &format!("quiet/{number}"), "here");
    }
    overwrite(&mut world, 0, 300);
    // Something in the other namespace, so that its part of the old chains is forgotten too.
    for number in 0..40 {
        world.put(0, "m", &format!("quiet/{number}"), "still here");
    }
    overwrite(&mut world, 0, 100);
    world.run_for(60 * SECOND);
    let (footprint, author) = (world.replica(2).footprint(), world.id(0));
    let (bytes, batches) = footprint.authors[&author];
    assert_eq!((bytes, batches), (footprint.held_bytes, footprint.batches));
    let by_shard = footprint.shards.iter().map(|shard| shard.held_bytes);
    assert_eq!(by_shard.sum::<u64>(), bytes);
    let check = |world: &World| {
        check_all(world, 2, 100);
        for number in 0..40 {
            let quiet = world.get(2, "m", &format!("quiet/{number}"));
            assert_eq!(quiet, value("still here"), "{number}");
        }
        world.replica(2).check().unwrap();
    };
    check(&world);
    assert!(
        stored(&world, 2) < 100_000,
        "{} bytes of 400 000",
        stored(&world, 2)
    );
    world.crash(2);
    world.start(2);
    check(&world);
    assert_eq!(world.replica(2).stats().restore_skipped, 0);
}

#[test]
fn a_tab_that_writes_leaves_its_chains_behind_too() {
    let mut world = meshed(2, 1);
    world.tell(2, Command::Open(ns("n")));
    for (a, b) in [(0, 1), (1, 2)] {
        world.link(a, b);
    }
    overwrite(&mut world, 2, 300);
    for at in 0..3 {
        check_all(&world, at, 300);
        assert!(
            stored(&world, at) < 60_000,
            "{} bytes at {at}",
            stored(&world, at)
        );
    }
    world.crash(2);
    world.start(2);
    check_all(&world, 2, 300);
    world.put(2, "n", "after", "it goes on");
    world.link(1, 2);
    world.run_for(30 * SECOND);
    assert_eq!(world.get(0, "n", "after"), value("it goes on"));
}

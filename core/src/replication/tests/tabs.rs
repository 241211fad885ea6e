//! Tabs: namespaces followed, pages, gaps, other homes, offline writes.

use super::world::{Weather, World, ns, value};
use crate::{
    kernel::{bytes::Bytes, id::Role},
    replication::{
        batch::{Writer, shard_of},
        replica::{Command, Event, Following},
        write::AckLevel,
    },
};
use alloc::{format, vec::Vec};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn same_namespace(world: &World, a: usize, b: usize, namespace: &str) -> bool {
    let rows = |at: usize| world.replica(at).list(namespace, "", None, u32::MAX);
    rows(a) == rows(b)
}

#[test]
fn a_tab_gets_the_namespaces_it_opens_and_no_others() {
    let mut world = World::new(1, 2, 1);
    for at in 0..300 {
        world.put(at % 2, "open", &format!("{at}"), "v");
        world.put(at % 2, "other", &format!("{at}"), "v");
    }
    world.link_all();
    world.run_for(2 * SECOND);
    assert_eq!(world.replica(2).counts(), (0, 0));
    world.tell(2, Command::Open(ns("open")));
    world.run_for(2 * SECOND);
    assert!(same_namespace(&world, 0, 2, "open"));
    assert_eq!(world.replica(2).counts().0, 300);
    world.put(1, "open", "live", "v");
    world.put(1, "other", "live", "v");
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.get(2, "open", "live"), value("v"));
    assert_eq!(world.get(2, "other", "live"), None);
    world.tell(2, Command::Close(ns("open")));
    world.run_for(SECOND);
    world.put(1, "open", "late", "v");
    world.run_for(SECOND);
    assert_eq!(world.get(2, "open", "late"), None);
}

#[test]
fn large_namespaces_come_in_pages_from_memory_or_journal() {
    let mut world = World::new(1, 1, 1);
    world.hosts[0].config.recent_bytes_max = 0;
    world.hosts[0].config.under_replicated_bytes_max = 0;
    world.crash(0);
    world.start(0);
    for at in 0..40 {
        let large = Some(Bytes::from(alloc::vec![7; 100 << 10]));
        world.write(0, "n", &format!("{at}"), large, AckLevel::Local);
    }
    world.run_for(SECOND);
    world.link_all();
    world.tell(1, Command::Open(ns("n")));
    world.run_for(SECOND);
    assert!(same_namespace(&world, 0, 1, "n"));
    assert_eq!(world.replica(1).counts().0, 40);
}

#[test]
fn a_tabs_write_reaches_every_relay_and_other_tabs() {
    let mut world = World::new(1, 3, 2);
    for (tab, home) in [(3, 0), (4, 1)] {
        world.link(tab, home);
    }
    for (a, b) in [(0, 1), (1, 2)] {
        world.link(a, b);
    }
    world.tell(4, Command::Open(ns("n")));
    world.run_for(SECOND);
    let request = world.write(3, "n", "k", value("v"), AckLevel::Relay);
    world.run_for(Duration::from_millis(200));
    assert_eq!(world.hosts[3].replies[&request], Ok(1));
    for at in 0..5 {
        assert_eq!(world.get(at, "n", "k"), value("v"), "{at}");
    }
}

#[test]
fn a_put_opens_its_namespace() {
    let mut world = World::new(1, 1, 1);
    world.link_all();
    world.put(0, "n", "there", "v");
    world.put(1, "n", "mine", "v");
    world.run_for(SECOND);
    assert_eq!(world.get(1, "n", "there"), value("v"));
}

#[test]
fn what_a_tab_wrote_offline_arrives_when_it_is_back() {
    let mut world = World::new(1, 2, 1);
    world.link_all();
    world.put(2, "n", "before", "v");
    world.run_for(SECOND);
    world.cut(2, 0);
    world.cut(2, 1);
    for at in 0..200 {
        world.put(2, "n", &format!("{at}"), "v");
    }
    world.put(0, "n", "meanwhile", "v");
    world.run_for(SECOND);
    world.crash(2);
    world.start(2);
    assert_eq!(world.replica(2).counts().0, 201);
    world.link(2, 1);
    world.run_for(2 * SECOND);
    world.assert_relays_agree();
    assert!(same_namespace(&world, 0, 2, "n"));
    assert_eq!(world.replica(0).counts().0, 202);
}

#[test]
fn a_tab_goes_on_at_another_home_without_a_gap() {
    let mut world = World::new(1, 3, 1);
    for (a, b) in [(0, 1), (1, 2), (0, 2), (3, 0)] {
        world.link(a, b);
    }
    world.tell(3, Command::Open(ns("n")));
    for round in 0..30 {
        world.put(round % 3, "n", &format!("{round}"), "v");
        world.run_for(Duration::from_millis(5));
        if round == 15 {
            world.crash(0);
            world.run_for(SECOND);
            world.start(0);
            world.link(0, 1);
            world.link(3, 2);
        }
    }
    world.run_for(2 * SECOND);
    assert!(same_namespace(&world, 2, 3, "n"));
    assert_eq!(world.replica(3).counts().0, 30);
}

#[test]
fn lost_pushes_to_a_tab_are_noticed_and_made_up_for() {
    let mut world = World::new(7, 1, 1);
    world.link_all();
    world.tell(1, Command::Open(ns("n")));
    world.run_for(SECOND);
    world.weather.loss = 400;
    for at in 0..200 {
        world.put(0, "n", &format!("{}", at % 20), &format!("{at}"));
        world.run_for(Duration::from_millis(20));
    }
    world.settle();
    assert!(same_namespace(&world, 0, 1, "n"));
    assert_eq!(world.replica(1).stats().offences, 0);
}

#[test]
fn a_slow_tab_is_told_to_ask_again() {
    let mut world = World::new(7, 1, 1);
    world.hosts[0].config.in_flight_max = 2;
    world.crash(0);
    world.start(0);
    world.link_all();
    world.tell(1, Command::Open(ns("n")));
    world.run_for(SECOND);
    for at in 0..200 {
        world.put(0, "n", &format!("{at}"), "v");
    }
    world.run_for(12 * SECOND);
    assert!(world.replica(0).stats().pushes_skipped > 0);
    assert!(same_namespace(&world, 0, 1, "n"));
}

#[test]
fn a_tab_that_loses_its_store_gets_its_own_writes_back() {
    let mut world = World::new(7, 2, 1);
    world.link_all();
    for at in 0..30 {
        world.put(2, "n", &format!("{at}"), "v");
    }
    world.run_for(SECOND);
    world.crash(2);
    world.hosts[2].journal.clear();
    world.start(2);
    world.link(2, 0);
    world.run_for(SECOND);
    assert_eq!(world.replica(2).counts().0, 30);
    world.put(2, "n", "0", "w");
    world.settle();
    assert_eq!(world.get(1, "n", "0"), value("w"));
    assert_eq!(world.replica(1).stats().equivocations, 0);
}

#[test]
fn a_tab_follows_no_more_namespaces_than_allowed_and_writes_to_all() {
    let mut world = World::new(7, 1, 1);
    world.link_all();
    for at in 0..65 {
        world.put(1, &format!("n{at}"), "k", "v");
    }
    world.run_for(SECOND);
    assert_eq!(world.replica(1).opened().count(), 64);
    assert_eq!(world.replica(0).counts().0, 65);
}

#[test]
fn tabs_and_relays_agree_after_chaos() {
    for seed in 0..15 {
        let mut world = World::new(seed, 3, 2);
        let mut rng = world.rng.fork("chaos");
        world.weather = Weather {
            loss: 50,
            duplication: 50,
            spread: Duration::from_millis(40),
            append_failure: 20,
            append_delay: Duration::from_millis(30),
        };
        world.link_all();
        for tab in [3, 4] {
            world.tell(tab, Command::Open(ns("n")));
        }
        let mut written = Vec::new();
        for step in 0..200_u32 {
            let at = rng.index(5);
            match rng.below(20) {
                0 => {
                    world.crash(at);
                    world.start(at);
                    world.tell(at, Command::Open(ns("n")));
                }
                1 | 2 => world.cut(at, rng.index(5)),
                3..=5 => world.link_all(),
                _ => {
                    let name = format!("{at}-{}", rng.below(4));
                    let text = format!("{step:05}");
                    let request = world.put(at, "n", &name, &text);
                    written.push((request, at, name, text));
                }
            }
            world.run_for(rng.span_below(Duration::from_millis(60)));
        }
        for tab in [3, 4] {
            world.tell(tab, Command::Open(ns("n")));
        }
        world.link_all();
        world.settle();
        world.assert_relays_agree();
        for tab in [3, 4] {
            assert_eq!(
                world.replica(tab).state_hash(),
                world.replica(0).state_hash(),
                "seed {seed}, tab {tab}"
            );
        }
        for (request, at, name, text) in written {
            if matches!(world.hosts[at].replies.get(&request), Some(Ok(_))) {
                let held = world.get(0, "n", &name).unwrap();
                assert!(&*held >= text.as_bytes(), "seed {seed}: {name} lost {text}");
            }
        }
        let offences = |host: &super::world::Host| {
            let is = |event: &&Event| matches!(event, Event::Offence { .. });
            host.events.iter().filter(is).count()
        };
        assert_eq!(world.hosts.iter().map(offences).sum::<usize>(), 0);
    }
}

#[test]
fn a_tab_of_a_known_shard_is_no_relay() {
    let mut world = World::new(7, 1, 2);
    let (peer, role) = (world.id(2), Role::Tab);
    world.tell(1, Command::PeerUp { peer, role });
    world.put(1, "n", "k", "v");
    world.run_for(SECOND);
    let key = super::world::key("k");
    assert_eq!(
        world
            .replica(1)
            .head(shard_of(&ns("n"), &key), Writer::first(peer))
            .sequence,
        0
    );
    assert_eq!(world.bytes_sent, 0, "tabs do not talk to tabs");
}

#[test]
fn words_that_a_home_could_not_place_yet_are_said_again_soon() {
    let mut world = World::new(7, 1, 1);
    world.put(0, "n", "there", "v");
    world.put(1, "n", "mine", "v");
    world.run_for(SECOND);
    world.weather.loss = 1_000;
    world.link_all();
    world.run_for(Duration::from_millis(100));
    world.weather.loss = 0;
    world.run_for(2 * SECOND);
    assert_eq!(world.get(1, "n", "there"), value("v"));
    assert_eq!(world.get(0, "n", "mine"), value("v"));
}

#[test]
fn what_a_home_could_not_store_is_asked_of_a_tab_again() {
    let mut world = World::new(7, 2, 1);
    world.tell(2, Command::Open(ns("n")));
    world.link(2, 1);
    world.run_for(SECOND);
    world.put(1, "n", "seen by the tab only", "v");
    world.run_for(SECOND);
    world.crash(1);
    world.weather.append_failure = 1_000;
    world.link(2, 0);
    world.run_for(15 * SECOND);
    world.weather.append_failure = 0;
    assert_eq!(world.get(0, "n", "seen by the tab only"), None);
    world.run_for(30 * SECOND);
    assert_eq!(world.get(0, "n", "seen by the tab only"), value("v"));
}

fn following(world: &World, at: usize, namespace: &str) -> Following {
    world.replica(at).following(&ns(namespace))
}

#[test]
fn the_namespace_used_longest_ago_makes_room_for_a_new_one() {
    let mut world = World::new(1, 1, 1);
    for at in 0..70 {
        world.put(0, &format!("n{at}"), "k", "v");
    }
    world.link_all();
    world.run_for(SECOND);
    for at in 0..65 {
        world.tell(1, Command::Open(ns(&format!("n{at}"))));
    }
    world.run_for(SECOND);
    assert_eq!(world.get(1, "n64", "k"), value("v"));
    assert_eq!(following(&world, 1, "n64"), Following::Complete);
    assert_eq!(following(&world, 1, "n0"), Following::Closed);
    assert_eq!(world.replica(1).stats().namespaces_closed, 1);
    // After a reload the tab follows those that changed last, and any other can be opened.
    world.crash(1);
    world.start(1);
    world.link(1, 0);
    world.tell(1, Command::Open(ns("n69")));
    world.run_for(SECOND);
    assert_eq!(world.get(1, "n69", "k"), value("v"));
}

#[test]
fn a_namespace_that_is_held_stays_and_beyond_these_there_is_a_refusal() {
    let mut world = World::new(1, 1, 1);
    world.hosts[1].config.namespaces_max = 2;
    world.crash(1);
    world.start(1);
    world.link_all();
    for name in ["a", "b", "c"] {
        world.tell(1, Command::Hold(ns(name)));
    }
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "a"), Following::Complete);
    assert_eq!(following(&world, 1, "c"), Following::Closed);
    let refused = world.write(1, "c", "k", value("v"), AckLevel::Local);
    world.run_for(SECOND);
    assert!(world.hosts[1].replies[&refused].is_err());
    world.tell(1, Command::Close(ns("a")));
    assert_eq!(following(&world, 1, "a"), Following::Complete);
    world.tell(1, Command::Release(ns("a")));
    world.tell(1, Command::Open(ns("c")));
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "a"), Following::Closed);
    assert_eq!(following(&world, 1, "c"), Following::Complete);
}

#[test]
fn a_relay_tells_a_tab_what_it_has_no_room_to_serve() {
    let mut world = World::new(1, 1, 1);
    world.hosts[0].config.namespaces_max = 1;
    world.crash(0);
    world.start(0);
    world.put(0, "b", "k", "v");
    world.link_all();
    world.tell(1, Command::Open(ns("a")));
    world.tell(1, Command::Open(ns("b")));
    assert_eq!(following(&world, 1, "b"), Following::Fetching);
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "b"), Following::Refused);
    // Once there is room it is asked for again.
    world.tell(1, Command::Close(ns("a")));
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "b"), Following::Complete);
    assert_eq!(world.get(1, "b", "k"), value("v"));
}

#[test]
fn what_no_relay_was_asked_is_not_known_to_be_absent() {
    let mut world = World::new(1, 1, 1);
    world.tell(1, Command::Open(ns("n")));
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "n"), Following::Offline);
    world.link_all();
    world.run_for(SECOND);
    assert_eq!(following(&world, 1, "n"), Following::Complete);
}

//! What comparing with another relay proves.

use super::world::{World, ns, value};
use crate::{
    kernel::{id::RequestId, text::Key},
    replication::{
        batch::{Op, shard_of},
        clock::Hlc,
        message::{Message, Proving},
        replica::{Command, Event, Verified, VerifyRefusal},
    },
};
use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Three relays with the same keys.
fn filled(keys: usize) -> World {
    let mut world = World::new(5, 3, 1);
    for (a, b) in [(0, 1), (1, 2), (0, 2), (0, 3)] {
        world.link(a, b);
    }
    for number in 0..keys {
        let namespace = if number % 3 == 0 { "m" } else { "n" };
        world.put(number % 3, namespace, &format!("key/{number:05}"), "value");
    }
    world.settle();
    world
}

/// Asks one relay to compare with another.
fn ask(world: &mut World, at: usize, with: usize, namespace: Option<&str>) {
    let peer = world.id(with);
    let namespace = namespace.map(ns);
    let request = RequestId(7_000);
    let command = Command::Verify {
        request,
        peer,
        namespace,
    };
    world.tell(at, command);
}

fn answers(world: &World, at: usize) -> Vec<Result<Verified, VerifyRefusal>> {
    let events = world.hosts[at].events.iter();
    let answers = events.filter_map(|event| match event {
        Event::Verified { result, .. } => Some(result.clone()),
        Event::Changed { .. }
        | Event::Persist(_)
        | Event::Load { .. }
        | Event::Replied { .. }
        | Event::Differs { .. }
        | Event::Offence { .. }
        | Event::Equivocation { .. }
        | Event::CaughtUp { .. }
        | Event::Full { .. } => None,
    });
    answers.collect()
}

fn verify(world: &mut World, at: usize, with: usize, namespace: Option<&str>) -> Verified {
    ask(world, at, with, namespace);
    world.run_for(30 * SECOND);
    let mut answers = answers(world, at);
    assert_eq!(answers.len(), 1);
    answers.remove(0).unwrap()
}

/// A value that is in one relay's memory and in no log: what a broken memory or a bug does.
fn spoil(world: &mut World, at: usize, namespace: &str, key: &str) {
    let (namespace, key) = (ns(namespace), Key::new(key).unwrap());
    let shard = shard_of(&namespace, &key);
    let author = world.id(0);
    let op = Op {
        key,
        stamp: Hlc::MAX,
        value: value("spoilt"),
        seen: Vec::new(),
    };
    let replica = world.hosts[at].replica.as_mut().unwrap();
    replica.db.cells.apply((&namespace, shard), author, op);
}

fn keys(verified: &Verified) -> Vec<(String, bool, bool)> {
    let all = verified.differing.iter();
    all.map(|of| (format!("{}/{}", of.namespace, of.key), of.here, of.there))
        .collect()
}

#[test]
fn relays_that_hold_the_same_are_proved_to() {
    let mut world = filled(5_000);
    let verified = verify(&mut world, 0, 1, None);
    assert_eq!((verified.keys, verified.peer), (5_000, world.id(1)));
    assert!(verified.differing.is_empty() && verified.changing == 0 && !verified.is_cut);
    world.hosts[0].events.clear();
    let verified = verify(&mut world, 0, 1, Some("m"));
    assert_eq!(verified.keys, 1_667);
}

#[test]
fn keys_that_differ_are_found_on_both_sides() {
    let mut world = filled(5_000);
    spoil(&mut world, 1, "n", "key/00001");
    spoil(&mut world, 1, "n", "only there");
    spoil(&mut world, 0, "m", "only here");
    let verified = verify(&mut world, 0, 1, None);
    let expected = [
        ("m/only here", true, false),
        ("n/key/00001", true, true),
        ("n/only there", false, true),
    ];
    let expected = expected.map(|(key, here, there)| (String::from(key), here, there));
    assert_eq!(keys(&verified), expected);
    // Of another namespace, nothing is said.
    world.hosts[0].events.clear();
    let verified = verify(&mut world, 0, 1, Some("m"));
    assert_eq!(keys(&verified).len(), 1);
    world.hosts[2].events.clear();
    let verified = verify(&mut world, 2, 1, None);
    assert_eq!(keys(&verified).len(), 2);
}

#[test]
fn what_is_being_written_is_not_told_as_a_difference() {
    let mut world = filled(3_000);
    ask(&mut world, 0, 1, None);
    for number in 0..400 {
        world.put(
            number % 3,
            "n",
            &format!("key/{:05}", number % 50),
            &format!("{number}"),
        );
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(30 * SECOND);
    let answers = answers(&world, 0);
    let [Ok(verified)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert_eq!(keys(verified), []);
}

#[test]
fn more_differences_than_are_told_end_it() {
    let mut world = filled(10);
    for number in 0..1_500 {
        spoil(&mut world, 1, "n", &format!("many/{number}"));
    }
    let verified = verify(&mut world, 0, 1, None);
    assert!(verified.is_cut);
    assert!((1_000..1_500).contains(&verified.differing.len()));
}

#[test]
fn who_can_t_be_compared_with_is_told() {
    let mut world = filled(10);
    let refused = |world: &mut World, at: usize, with: usize| {
        world.hosts[at].events.clear();
        ask(world, at, with, None);
        world.run_for(SECOND);
        answers(world, at)
    };
    assert_eq!(refused(&mut world, 3, 0), [Err(VerifyRefusal::OnTab)]);
    assert_eq!(refused(&mut world, 0, 3), [Err(VerifyRefusal::NotLinked)]);
    world.hosts[0].events.clear();
    ask(&mut world, 0, 1, None);
    ask(&mut world, 0, 2, None);
    world.run_for(10 * SECOND);
    let both = answers(&world, 0);
    assert!(
        matches!(both.as_slice(), [Err(VerifyRefusal::Busy), Ok(_)]),
        "{both:?}"
    );
    // One that is gone, and one that says nothing.
    world.hosts[0].events.clear();
    ask(&mut world, 0, 1, None);
    world.cut(0, 1);
    world.run_for(SECOND);
    assert_eq!(answers(&world, 0), [Err(VerifyRefusal::NotLinked)]);
}

#[test]
fn crafted_answers_do_nothing() {
    let mut world = filled(100);
    ask(&mut world, 0, 1, None);
    let (from, place) = (world.id(2), (ns("n"), Key::new("k").unwrap()));
    for request in 0..200 {
        let roots = Proving::Roots {
            request,
            roots: alloc::vec![1; 64],
        };
        let numbers = Proving::Numbers {
            request,
            keys: Vec::new(),
            next: Some(place.clone()),
        };
        let short = Proving::Roots {
            request,
            roots: Vec::new(),
        };
        for message in [roots, numbers, short] {
            world.say(from, 0, Message::Verify(message));
        }
    }
    world.run_for(30 * SECOND);
    let answers = answers(&world, 0);
    let [Ok(verified)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    assert!(verified.differing.is_empty());
    let beyond = Proving::AskNumbers {
        request: 1,
        namespace: None,
        shard: 64,
        after: None,
    };
    world.hosts[0].events.clear();
    world.say(from, 0, Message::Verify(beyond));
    world.run_for(SECOND);
    let offences = world.hosts[0].events.iter();
    assert_eq!(
        offences
            .filter(|event| matches!(event, Event::Offence { .. }))
            .count(),
        1
    );
}

#[test]
fn relays_compare_by_themselves_and_tell_what_differs() {
    let mut world = filled(500);
    let audits = |world: &World| {
        let stats = (0..3).map(|at| world.replica(at).stats());
        stats.fold((0, 0), |(all, keys), stats| {
            (all + stats.comparisons, keys + stats.keys_differing)
        })
    };
    world.run_for(3_700 * SECOND);
    assert_eq!(audits(&world), (3, 0));
    spoil(&mut world, 1, "n", "key/00001");
    world.run_for(2 * 3_700 * SECOND);
    let (_, keys) = audits(&world);
    // Each of the three looked at both others meanwhile: four of these comparisons concern the spoilt one.
    assert_eq!(keys, 4);
    let told = |at: usize| {
        let events = world.hosts[at].events.iter();
        let differs = events.filter(|event| matches!(event, Event::Differs { keys: 1, .. }));
        differs.count()
    };
    assert_eq!([told(0), told(1), told(2)], [1, 2, 1]);
}

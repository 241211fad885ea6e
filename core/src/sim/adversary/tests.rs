//! Liars do what they are said to do, and the checker notices what must not be.

use super::{
    batches::{Chains, FORBIDDEN},
    checker::LieChecker,
};
use crate::{
    kernel::{
        id::Role,
        rng::Rng,
        time::{Duration, Time},
    },
    membership::member::MemberState,
    replication::write::AckLevel,
    sim::{
        host::HostId, inject::Injector, network::PathConfig, run, scenario, typed::Typed,
        workload::NAMESPACE, world::World,
    },
};
use alloc::{collections::BTreeMap, format, string::String};

fn mesh(relays: HostId) -> World<Typed> {
    let mut world = World::new(1);
    let first = world.launch(Role::Relay, None).unwrap();
    world.run_for(Duration::from_secs(1));
    let link = world.invite(first, None);
    for _ in 1..relays {
        world.launch(Role::Relay, link.clone()).unwrap();
    }
    world.run_for(Duration::from_secs(3));
    world
}

fn nobody() -> Injector {
    Injector::new([].into(), Time::ZERO, Rng::from_number(1))
}

/// What a checker says within some seconds, one look a second.
fn first_word(world: &mut World<Typed>, checker: &mut LieChecker, seconds: u64) -> Option<String> {
    let injector = nobody();
    (0..seconds).find_map(|_| {
        world.run_for(Duration::from_secs(1));
        checker.check(world, &injector, true).into_iter().next()
    })
}

#[test]
fn an_honest_mesh_is_not_found_guilty() {
    let mut world = mesh(3);
    world.write(1, NAMESPACE, "own/1/1", Some(b"x"), AckLevel::Local);
    assert_eq!(first_word(&mut world, &mut LieChecker::default(), 30), None);
}

#[test]
fn a_fork_that_nobody_proves_is_found() {
    let mut world = mesh(3);
    let fork = Chains::default().equivocate(&mut world, 0, &mut Rng::from_number(1));
    // Each of the others has one branch, and they never meet.
    world.crash(0);
    world.cut(1, 2);
    world.run_for(Duration::from_secs(1));
    let mut checker = LieChecker::default();
    checker.add_forks(fork.into_iter().collect());
    let word = first_word(&mut world, &mut checker, 14).unwrap();
    assert!(word.contains("is not proved after 10s"), "{word}");
    assert_eq!(checker.proved(), 0);
}

#[test]
fn a_fork_is_proved_where_the_branches_meet() {
    let mut world = mesh(3);
    let fork = Chains::default().equivocate(&mut world, 0, &mut Rng::from_number(1));
    let mut checker = LieChecker::default();
    checker.add_forks(fork.into_iter().collect());
    assert_eq!(first_word(&mut world, &mut checker, 14), None);
    assert_eq!(checker.proved(), 1);
}

#[test]
fn a_verdict_about_a_living_relay_that_stands_is_found() {
    let mut world = mesh(3);
    world.cut(0, 1);
    world.cut(0, 2);
    let word = first_word(&mut world, &mut LieChecker::default(), 40).unwrap();
    assert!(word.contains("for dead for 10s"), "{word}");
}

#[test]
fn a_key_that_nobody_may_write_is_found() {
    let mut world = mesh(3);
    let key = format!("{FORBIDDEN}1");
    world.write(1, NAMESPACE, &key, Some(b"x"), AckLevel::Local);
    let word = first_word(&mut world, &mut LieChecker::default(), 3).unwrap();
    assert!(word.contains("which nobody may write"), "{word}");
}

#[test]
fn a_clock_that_runs_away_is_found() {
    let mut world = mesh(3);
    // Alone: otherwise it would stamp by the clocks of the others.
    world.cut(0, 2);
    world.cut(1, 2);
    world.run_for(Duration::from_secs(10));
    world.clock(2).set_wall_offset(70_000);
    world.run_for(Duration::from_secs(2));
    world.write(2, NAMESPACE, "own/2/1", Some(b"x"), AckLevel::Local);
    let word = first_word(&mut world, &mut LieChecker::default(), 3).unwrap();
    assert!(word.contains("was dragged"), "{word}");
}

fn reached(level: &str, fault: &str) -> BTreeMap<String, u64> {
    let text =
        format!("relays 4\ntabs 1\nlevel {level}\nwrites 300\nchaos 12\nat 1 for 10 {fault}");
    let outcome = run::run(&scenario::parse(&text).unwrap());
    assert_eq!(outcome.violations, [], "{fault} at the level of {level}");
    assert_eq!(outcome.faults.values().sum::<u64>(), 1, "{fault}");
    outcome.reached
}

#[test]
fn lies_are_noticed_for_what_they_are() {
    for (lie, code) in [
        ("accuse 10", "member_suspect"),
        ("stamp 5", "offence"),
        ("oversize 5", "offence"),
        ("forge 5", "offence"),
        ("equivocate 2", "lie_proved"),
        ("equivocate 2", "equivocation"),
        ("pose 1", "link_refused"),
    ] {
        let reached = reached("typed", &format!("liar 2 {lie}"));
        assert!(reached.get(code) > Some(&0), "{lie}: {reached:?}");
    }
}

#[test]
fn a_black_hole_answers_pings_and_passes_nothing_on() {
    let mut world = mesh(3);
    let mask = world.mask(1).unwrap();
    mask.swallows_permille = 1_000;
    world.write(1, NAMESPACE, "own/1/1", Some(b"x"), AckLevel::Local);
    world.run_for(Duration::from_secs(12));
    assert!(world.read(1, NAMESPACE, "own/1/1").is_some());
    assert_eq!(world.read(0, NAMESPACE, "own/1/1"), None);
    let id = world.id(1).unwrap();
    assert_eq!(world.believes(0, id), Some(MemberState::Alive));
}

#[test]
fn nobody_is_fenced_by_who_only_claims_its_identity() {
    let mut world = mesh(3);
    let victim = world.id(2).unwrap();
    // The impostor's welcome is often lost, its last word is not.
    let path = PathConfig {
        loss_permille: 400,
        ..world.usual_path()
    };
    world.network().set(1, 2, path);
    for _ in 0..30 {
        world.mask(1).unwrap().poses_as = Some(victim);
        world.reset(2, 1);
        world.run_for(Duration::from_secs(1));
    }
    assert!(world.node(2).is_some_and(|node| !node.is_fenced()));
}

#[test]
fn nobody_is_fenced_by_a_peer_that_says_its_identity_runs_elsewhere() {
    let mut world = mesh(3);
    world.slander(1);
    world.run_for(Duration::from_secs(5));
    for (host, other) in [(0, 2), (2, 0)] {
        let node = world.node(host).unwrap();
        let mut told = node.timeline_since(0).entries.into_iter();
        let told = told.any(|entry| entry.code == "identity_conflict");
        assert!(told && !node.is_fenced(), "{host}");
        let other = world.id(other).unwrap();
        assert_eq!(world.believes(host, other), Some(MemberState::Alive));
    }
}

#[test]
fn lies_reach_others_down_to_the_bytes_too() {
    for (lie, code) in [
        ("forge 5", "offence"),
        ("equivocate 2", "lie_proved"),
        ("pose 1", "link_refused"),
    ] {
        let reached = reached("bytes", &format!("liar 2 {lie}"));
        assert!(reached.get(code) > Some(&0), "{lie}: {reached:?}");
    }
}

#[test]
fn nodes_without_a_common_version_part_and_meet_again() {
    for level in ["typed", "bytes"] {
        let refused = reached(level, "upgrade 1 2 3");
        assert!(refused.get("member_dead") > Some(&0), "{refused:?}");
        let agreed = reached(level, "upgrade 1 0 2");
        assert_eq!(agreed.get("member_dead"), None, "{agreed:?}");
    }
}

#[test]
fn hands_on_the_wire_break_links_and_nothing_else() {
    let reached = reached("bytes", "tamper 50 0>1 1>0");
    assert!(reached.get("link_down") > Some(&0), "{reached:?}");
}

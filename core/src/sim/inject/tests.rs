//! What is injected is what was planned, and ends when it should.

use super::*;
use crate::{kernel::id::Role, sim::typed::Typed};

fn mesh(lines: &str) -> (World<Typed>, Injector) {
    let mut world = World::<Typed>::new(1);
    let first = world.launch(Role::Relay, None).unwrap();
    world.run_for(Duration::from_secs(1));
    let link = world.invite(first, None);
    world.launch(Role::Relay, link).unwrap();
    world.run_for(Duration::from_secs(2));
    let faults = lines.lines().map(|line| line.trim().parse().unwrap());
    let injector = Injector::new(faults.collect(), world.now(), Rng::from_number(1));
    (world, injector)
}

fn go_on(world: &mut World<Typed>, injector: &mut Injector, seconds: u64) {
    for _ in 0..seconds * 10 {
        injector.step(world).unwrap();
        world.run_for(Duration::from_millis(100));
    }
}

#[test]
fn of_two_faults_on_a_path_each_ends_with_its_own_time() {
    let (mut world, mut injector) = mesh(
        "at 0 for 4 loss 500 0>1
         at 1 for 1 loss 500 0>1
         at 1 for 5 delay 100 0>1",
    );
    let usual = world.network().usual();
    let losses = |world: &mut World<Typed>| world.network().config(0, 1).loss_permille;
    go_on(&mut world, &mut injector, 1);
    assert_eq!(losses(&mut world), 500);
    go_on(&mut world, &mut injector, 1);
    assert_eq!(losses(&mut world), 750);
    go_on(&mut world, &mut injector, 1);
    assert_eq!(losses(&mut world), 500);
    go_on(&mut world, &mut injector, 2);
    let path = world.network().config(0, 1);
    assert_eq!(path.loss_permille, 0);
    assert_eq!(
        path.latency_min,
        usual.latency_min + Duration::from_millis(100)
    );
    go_on(&mut world, &mut injector, 2);
    assert_eq!(world.network().config(0, 1), usual);
    assert_eq!(injector.counts()["loss"], 2);
}

#[test]
fn harm_that_changes_nothing_does_not_count_and_the_host_comes_back() {
    let (mut world, mut injector) = mesh("at 0 for 1 harm stale 1\nat 2 for 1 harm rot 1");
    let first_run = world.node(1).unwrap().instance();
    go_on(&mut world, &mut injector, 2);
    assert!(injector.counts().is_empty());
    assert!(injector.harmed().is_empty());
    let second_run = world.node(1).map(|node| node.instance());
    assert!(second_run.is_some_and(|run| run != first_run));
    go_on(&mut world, &mut injector, 1);
    assert_eq!(injector.counts().get("bit rot"), Some(&1));
    assert!(injector.harmed().contains(&1));
}

#[test]
fn a_new_host_joins_by_the_entry_point_that_answers() {
    let (mut world, mut injector) = mesh("at 0 join 0 tab 1 0 9999");
    go_on(&mut world, &mut injector, 5);
    assert_eq!(injector.counts().get("join"), Some(&1));
    assert_eq!(injector.newcomers().get(&2), Some(&0));
    assert_eq!(world.role(2), Role::Tab);
    assert!(world.node(2).is_some_and(|node| node.is_admitted()));
}

#[test]
fn who_lies_invites_nobody() {
    let (mut world, mut injector) = mesh("at 0 for 3 liar 0 accuse 1\nat 1 join 0 tab 0 0");
    go_on(&mut world, &mut injector, 3);
    assert_eq!(injector.counts().get("join"), None);
    assert_eq!(world.hosts().count(), 2);
}

#[test]
fn a_store_that_is_full_at_first_takes_nothing_and_has_room_later() {
    let (mut world, mut injector) = mesh("at 0 for 2 join-full 1 relay 0 0 1");
    go_on(&mut world, &mut injector, 1);
    assert!(world.node(2).is_some());
    assert_eq!(world.disk(2).image().places(), 0);
    assert!(injector.disturbs());
    go_on(&mut world, &mut injector, 10);
    assert!(!injector.disturbs());
    assert_eq!(injector.counts().get("join full"), Some(&1));
    assert!(world.disk(2).image().places() > 0);
}

//! From the moment when a rule's duration is over until its alert fires on every node.

use crate::idle;
use sporenet_benches::{Spans, Table};
use sporenet_core::{
    kernel::id::Role,
    observe::{alerts::Standing, vitals::Sample},
    sim::{
        typed::Typed,
        world::{HostId, Measures, World},
    },
};
use std::time::Duration;

const RELAYS: HostId = 20;
const TABS: HostId = 20;
/// How long the shipped rule `resource-usage` waits.
const RULE: Duration = Duration::from_secs(10);
/// How exactly it is seen when a node knows of it.
const STEP: Duration = Duration::from_millis(10);
/// More than it ever takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each node in turn is busy for a while.
pub(crate) fn measure(table: &mut Table) {
    let mut world = mesh();
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for subject in world.hosts().collect::<Vec<_>>() {
        // At another moment of the second each time.
        world.run_for(Duration::from_millis(u64::from(subject) * 137 % 1_000));
        let spans = Spans::of(fire(&mut world, subject));
        last.push(spans.at(1_000));
        each.extend(spans.all());
        set(&mut world, subject, idle());
        let is_over = world.run_until(PATIENCE, |world| {
            world.hosts().all(|host| !fires(world, host, subject))
        });
        assert!(is_over, "the alert of {subject} ends everywhere");
    }
    let how = "from crossed for 10 s until it fires, 20 relays and 20 tabs, each busy once; goal 2 s \
               (median / 99th percentile / maximum)";
    table.row("firing: on a node", &Spans::of(each).show(), how);
    table.row("firing: on every node", &Spans::of(last).show(), how);
}

/// Keeps a node busy until all know; answers how long after its due time each of them did.
fn fire(world: &mut World<Typed>, subject: HostId) -> Vec<Duration> {
    set(world, subject, busy());
    let due = world.now() + RULE;
    world.run_to(due);
    let mut waiting: Vec<HostId> = world.hosts().collect();
    let mut spans = Vec::new();
    while !waiting.is_empty() {
        let late = world.now().since(due);
        assert!(
            late < PATIENCE,
            "{waiting:?} never hear that {subject} is busy"
        );
        let before = waiting.len();
        waiting.retain(|host| !fires(world, *host, subject));
        spans.extend((waiting.len()..before).map(|_| late));
        world.run_for(STEP);
    }
    spans
}

fn fires(world: &World<Typed>, host: HostId, subject: HostId) -> bool {
    let id = world.id(subject).expect("it ran").to_string();
    let alerts = world.node(host).expect("it runs").alert_views();
    alerts.iter().any(|alert| {
        alert.rule == "resource-usage" && alert.node == id && alert.state == Standing::Firing
    })
}

fn set(world: &mut World<Typed>, host: HostId, sample: Sample) {
    world.set_measures(host, Measures::Fixed(Box::new(sample)));
}

fn busy() -> Sample {
    Sample {
        cpu_permille: Some(990),
        ..idle()
    }
}

fn mesh() -> World<Typed> {
    let mut world = World::new(1);
    world.forgo_records();
    let first = world.launch(Role::Relay, None).expect("a relay starts");
    world.run_for(Duration::from_secs(1));
    let link = world.invite(first, None).expect("a relay invites");
    for number in 1..RELAYS + TABS {
        let role = if number < RELAYS {
            Role::Relay
        } else {
            Role::Tab
        };
        world.launch(role, Some(link.clone())).expect("it starts");
        world.run_for(Duration::from_millis(500));
    }
    for host in world.hosts() {
        set(&mut world, host, idle());
    }
    world.run_for(Duration::from_secs(60));
    world
}

//! How often people are told of one cause, and how many incidents it makes.

use crate::settled;
use sporenet_benches::Table;
use sporenet_core::{
    node::contract::HostOutput,
    observe::alerts::Standing,
    sim::{
        typed::Typed,
        world::{HostId, What, World},
    },
};
use std::{ops::Range, time::Duration};

const RELAYS: HostId = 20;
/// Where a mesh of 20 is cut.
const HALF: HostId = RELAYS / 2;
/// Relays that die at once.
const DYING: Range<HostId> = 3..6;
const MESHES: u64 = 10;
/// Relays of the mesh that is cut in [`partition`].
const MANY: HostId = 100;
/// Longer than deaths are noticed, told, taken over and taken back.
const LONG: Duration = Duration::from_secs(120);

/// Whom a mesh told: that something is wrong, and that it is over.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    open: usize,
    over: usize,
}

/// A cut, its end, and three deaths.
pub(crate) fn measure(table: &mut Table) {
    let (mut left, mut right, mut healed, mut dead) = (vec![], vec![], vec![], vec![]);
    for seed in 1..=MESHES {
        let mut world = settled(seed, RELAYS);
        drop(told(&mut world));
        split(&mut world, HALF, true);
        world.run_for(LONG);
        let by = told(&mut world);
        left.push(count(&by, 0..HALF));
        right.push(count(&by, HALF..RELAYS));
        split(&mut world, HALF, false);
        world.run_for(LONG);
        healed.push(count(&told(&mut world), 0..RELAYS));
        for host in DYING {
            world.power_off(host);
        }
        world.run_for(LONG);
        dead.push(count(&told(&mut world), 0..RELAYS));
    }
    let how = "20 relays with one channel, ten meshes: notifications of an incident / of its end, \
               fewest to most";
    for (what, counted) in [
        ("one side of a cut, goal 1 / 0", left),
        ("its other side, goal 1 / 0", right),
        ("after the heal, goal 0 / 1", healed),
        ("three relays die at once, goal 1 / 0", dead),
    ] {
        let open = range(counted.iter().map(|told| told.open));
        let over = range(counted.iter().map(|told| told.over));
        table.row(
            &format!("telling: {what}"),
            &format!("{open} / {over}"),
            how,
        );
    }
}

/// One cut through a large mesh.
pub(crate) fn partition(table: &mut Table) {
    let mut world = settled(1, MANY);
    split(&mut world, MANY / 2, true);
    world.run_for(LONG);
    for (what, side) in [
        ("one side", 0..MANY / 2),
        ("its other side", MANY / 2..MANY),
    ] {
        let incidents = side.map(|host| {
            let views = world.node(host).expect("it runs").incident_views();
            let open = views.iter().filter(|incident| incident.ended_ms.is_none());
            open.count()
        });
        table.row(
            &format!("partition: incidents on {what}"),
            &range(incidents),
            "100 relays, cut in halves for 120 s; on each node, fewest to most; goal 1",
        );
    }
}

/// Cuts all paths between the hosts below and from a number on, or heals them.
fn split(world: &mut World<Typed>, from: HostId, is_cut: bool) {
    let hosts: Vec<HostId> = world.hosts().collect();
    let (left, right): (Vec<HostId>, Vec<HostId>) = hosts.iter().partition(|host| **host < from);
    for a in &left {
        for b in &right {
            if is_cut {
                world.cut(*a, *b);
            } else {
                world.heal(*a, *b);
            }
        }
    }
}

/// What the hosts were to tell since the last time, and whether that is an end.
fn told(world: &mut World<Typed>) -> Vec<(HostId, bool)> {
    let mut all = Vec::new();
    while let Some(seen) = world.observe() {
        if let What::Told(HostOutput::Notify(notification)) = seen.what {
            all.push((seen.host, notification.state == Standing::Resolved));
        }
    }
    all
}

fn count(told: &[(HostId, bool)], by: Range<HostId>) -> Told {
    let mut counted = Told::default();
    for (_, is_over) in told.iter().filter(|(host, _)| by.contains(host)) {
        if *is_over {
            counted.over += 1;
        } else {
            counted.open += 1;
        }
    }
    counted
}

fn range(counted: impl Iterator<Item = usize>) -> String {
    let counted: Vec<usize> = counted.collect();
    match (counted.iter().min(), counted.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (_, _) => "-".to_owned(),
    }
}

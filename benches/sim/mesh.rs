//! Our own nodes in our own simulator.

use crate::{Measured, Stopwatch, memory};
use sporenet_core::{
    membership::member::MemberState,
    sim::{
        plan::{Level, Mode, Plan, Wish},
        run,
        typed::Typed,
        world::{HostId, World},
    },
};
use std::time::Duration;

/// Runs whose figures are added up: one is too short, and each seed meets other faults.
const SEEDS: u64 = 2;
/// How long things may go wrong and clients write in each.
const CHAOS: Duration = Duration::from_secs(120);

pub(crate) fn typed(nodes: HostId) -> Measured {
    plans(nodes, Level::Typed)
}

pub(crate) fn bytes(nodes: HostId) -> Measured {
    plans(nodes, Level::Bytes)
}

fn plans(nodes: HostId, level: Level) -> Measured {
    let wish = Wish {
        nodes: Some(nodes),
        mode: Some(Mode::Bounded),
        ..Wish::default()
    };
    let mut measured = Measured::default();
    let watch = Stopwatch::start();
    for seed in 1..=SEEDS {
        let mut plan = Plan::draw(seed, wish);
        plan.level = level;
        plan.writes_per_minute = 300;
        plan.chaos = CHAOS;
        let outcome = run::run(&plan);
        assert_eq!(outcome.violations, [], "seed {seed}");
        measured.virtual_time += outcome.virtual_time;
        measured.events += outcome.events;
    }
    measured.busy = watch.elapsed();
    measured
}

/// Until a mesh that was put together has its links.
const SETTLING: Duration = Duration::from_secs(10);
/// How long nothing happens in it but membership.
const CALM: Duration = Duration::from_secs(10);
/// After a crash.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn members(nodes: HostId) -> Measured {
    let pairs = u64::from(nodes) * u64::from(nodes);
    let before = memory("VmRSS:");
    let grown = || Some(memory("VmRSS:")?.saturating_sub(before?) / pairs);
    let mut world = World::<Typed>::new(1);
    world.forgo_records();
    world.settle(nodes).expect("relays start");
    world.run_for(SETTLING);
    let settled = grown();
    let (events, began) = (world.events(), world.now());
    let watch = Stopwatch::start();
    world.run_for(CALM);
    let (calm, busy) = (world.now().since(began), watch.elapsed());
    let events = world.events() - events;

    let crashed = nodes / 2;
    let id = world.id(crashed).expect("it ran");
    let at = world.now();
    world.power_off(crashed);
    let all_know = world.run_until(PATIENCE, |world| {
        let mut others = world.hosts().filter(|host| *host != crashed);
        others.all(|host| world.believes(host, id) == Some(MemberState::Dead))
    });
    Measured {
        virtual_time: calm,
        busy,
        events,
        known: all_know.then(|| world.now().since(at)),
        pair_bytes: settled.zip(grown()),
    }
}

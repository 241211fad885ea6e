//! Our own nodes in our own simulator.

use crate::{Measured, Members, Stopwatch};
use sporenet_core::{
    kernel::time::Time,
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

/// Whole nodes that begin with one table of all.
pub(crate) fn settled(nodes: HostId) -> World<Typed> {
    let mut world = World::new(1);
    world.forgo_records();
    world.settle(nodes).expect("relays start");
    world
}

impl Members for World<Typed> {
    fn run_for(&mut self, span: Duration) {
        Self::run_for(self, span);
    }

    fn now(&self) -> Time {
        Self::now(self)
    }

    fn events(&self) -> u64 {
        Self::events(self)
    }

    fn crash(&mut self, node: HostId) {
        self.power_off(node);
    }

    fn all_know(&self, crashed: HostId) -> bool {
        let id = self.id(crashed).expect("it ran");
        let mut others = self.hosts().filter(|host| *host != crashed);
        others.all(|host| self.believes(host, id) == Some(MemberState::Dead))
    }
}

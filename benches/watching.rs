//! Prints what watching the mesh does and costs: how soon an alert is everywhere, how often people are told of one
//! cause, and what it all takes of a processor.
//!
//! `cargo bench -p sporenet-benches --bench watching` takes some minutes; a word after `--` runs the rows that
//! contain it. All runs are in the simulator, so all times but those of the processor are virtual.

#[path = "watching/cost.rs"]
mod cost;
#[path = "watching/firing.rs"]
mod firing;
#[path = "watching/telling.rs"]
mod telling;

use sporenet_benches::Table;
use sporenet_core::{
    observe::vitals::Sample,
    sim::{
        typed::Typed,
        world::{HostId, Measures, World},
    },
};
use std::{env, time::Duration};

/// Fills rows of the table.
type Measure = fn(&mut Table);

fn main() {
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let benches: [(&str, Measure); 4] = [
        ("firing", firing::measure),
        ("telling", telling::measure),
        ("partition", telling::partition),
        ("cost", cost::measure),
    ];
    let mut table = Table::default();
    for (name, measure) in benches {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            measure(&mut table);
        }
    }
}

/// A machine that has little to do.
fn idle() -> Sample {
    Sample {
        cpu_permille: Some(30),
        memory_used_kib: Some(1 << 20),
        memory_limit_kib: Some(4 << 20),
        disk_used_kib: Some(10 << 20),
        disk_total_kib: Some(100 << 20),
        network_rx: Some(10_000),
        network_tx: Some(10_000),
        descriptors_used: Some(60),
        descriptors_limit: Some(1 << 20),
        loop_lag_ms: Some(1),
        journal_latency_ms: Some(2),
        send_queue: Some(0),
        ..Sample::default()
    }
}

/// Relays of one network that know each other, all of them idle.
fn settled(seed: u64, relays: HostId) -> World<Typed> {
    let mut world = World::new(seed);
    world.settle(relays).expect("relays start");
    for host in world.hosts() {
        world.set_measures(host, Measures::Fixed(Box::new(idle())));
    }
    // Until all have their links, and each knows over which channel the others tell.
    world.run_for(Duration::from_secs(60));
    world
}

//! What watching takes of a processor: one mesh that measures itself each second, and one that does not.

use crate::settled;
use nix::time::{ClockId, clock_gettime};
use sporenet_benches::Table;
use sporenet_core::sim::{
    typed::Typed,
    world::{HostId, Measures, World},
};
use std::time::Duration;

const RELAYS: HostId = 20;
/// Odd, so that there is a median.
const ROUNDS: usize = 15;
/// Virtual time of one round.
const SPAN: Duration = Duration::from_secs(120);

/// Both meshes in turn, in the other order each round.
pub(crate) fn measure(table: &mut Table) {
    let mut on = settled(1, RELAYS);
    let mut off = settled(1, RELAYS);
    for world in [&mut on, &mut off] {
        world.forgo_records();
    }
    for host in off.hosts() {
        off.set_measures(host, Measures::Nothing);
    }
    // Until what was measured before counts no more.
    off.run_for(SPAN);
    on.run_for(SPAN);
    let (mut ratios, mut shares) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (with, without) = if round % 2 == 0 {
            let with = busy(&mut on);
            (with, busy(&mut off))
        } else {
            let without = busy(&mut off);
            (busy(&mut on), without)
        };
        let node_seconds = f64::from(RELAYS) * SPAN.as_secs_f64();
        ratios.push(with / without);
        shares.push(100.0 * (with - without) / node_seconds);
    }
    let how = "an idle relay of 20, the core alone: samples, series, detectors, reports of all, rules; \
               median of 15 rounds of 120 s, with and without in turn";
    table.row(
        "cost: watching, % of a core; goal 0.3",
        &format!("{:.4}", middle(shares)),
        how,
    );
    table.row(
        "cost: with watching, times of without",
        &format!("{:.2}", middle(ratios)),
        how,
    );
}

/// The seconds of a processor that one round takes.
fn busy(world: &mut World<Typed>) -> f64 {
    let before = processor();
    world.run_for(SPAN);
    processor() - before
}

fn processor() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the system tells");
    Duration::from(time).as_secs_f64()
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

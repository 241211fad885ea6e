//! Memory of a relay that has nothing to do. Real programs.

use sporenet_benches::Table;
use sporenet_tests::{newcomer, relay::Relay, wait};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const LINKS: usize = 32;
/// How long a relay is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);
/// Memory.
pub(crate) fn measure(table: &mut Table) {
    let relay = Relay::found("idle");
    rest();
    let alone = relay.resident_kib();
    table.row(
        "idle relay, resident",
        &mib(alone),
        "real program, alone; the promise is 40 MiB",
    );
    let with_links = with_links(&relay);
    let per_link = with_links.saturating_sub(alone) / LINKS as u64;
    table.row(
        "each idle link, resident",
        &format!("{per_link} KiB"),
        &format!("{LINKS} relays joined"),
    );
}

fn rest() {
    wait::throughout("the machine rests", REST, || true);
}

/// The relay's memory with other relays linked to it.
fn with_links(relay: &Relay) -> u64 {
    let link = relay.invite(&[]).relay;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..LINKS {
            let (link, stop) = (&link, &stop);
            scope.spawn(move || newcomer::stay(link, &format!("guest-{number}"), stop));
        }
        wait::until("all guests are in", Duration::from_secs(60), || {
            relay.names("alive").len() > LINKS
        });
        rest();
        let resident = relay.resident_kib();
        stop.store(true, Ordering::Relaxed);
        resident
    })
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1_024.0)
}

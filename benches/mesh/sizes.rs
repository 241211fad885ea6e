//! Memory of a relay that has nothing to do, and what a browser has to fetch. Real programs.

use sporenet_benches::Table;
use sporenet_tests::{http, newcomer, relay::Relay, wait};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const LINKS: usize = 32;
/// How long a relay is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);
/// What a page fetches before the console shows.
const ASSETS: [&str; 10] = [
    "index.html",
    "app.css",
    "favicon.svg",
    "hyphae.svg",
    "boot.js",
    "spawn.js",
    "worker.js",
    "sporenet.js",
    "app.js",
    "app_bg.wasm",
];

/// Memory and the web bundle.
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
    bundle(table, &relay);
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

fn bundle(table: &mut Table, relay: &Relay) {
    let (mut raw, mut gzipped) = (0, 0);
    for asset in ASSETS {
        let path = format!("/{asset}");
        let answer = http::request(
            relay.address,
            "GET",
            &path,
            &[("Accept-Encoding", "gzip")],
            b"",
        );
        let answer = answer.expect("the relay serves its console");
        assert_eq!(answer.status, 200, "{asset}");
        let small = answer.body.len();
        let plain = if answer.header("content-encoding") == Some("gzip") {
            unpacked(&answer.body)
        } else {
            small
        };
        if asset.ends_with(".wasm") {
            table.row("wasm module", &kb(plain, small), "raw, gzipped");
        }
        raw += plain;
        gzipped += small;
    }
    table.row(
        "web bundle",
        &kb(raw, gzipped),
        "raw, gzipped; the promise is 300 KB gzipped",
    );
}

/// The size of gzipped bytes once they are unpacked: gzip's last four bytes say it (RFC 1952, 2.3.1).
fn unpacked(bytes: &[u8]) -> usize {
    let size = bytes.last_chunk().copied().map_or(0, u32::from_le_bytes);
    usize::try_from(size).expect("a file of less than 4 GiB")
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1_024.0)
}

fn kb(raw: usize, gzipped: usize) -> String {
    format!(
        "{:.1} KB, {:.1} KB",
        raw as f64 / 1_000.0,
        gzipped as f64 / 1_000.0
    )
}

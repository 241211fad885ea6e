//! A store keeps its size, however often what is in it is overwritten.

use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::{thread, time::Duration};

const SETTLED: Duration = Duration::from_secs(60);

/// What the files of a relay's store take.
fn disk_bytes(relay: &Relay) -> u64 {
    let files = ["node.db", "node.db-wal"].map(|file| relay.data().join(file));
    let sizes = files.iter().filter_map(|file| file.metadata().ok());
    sizes.map(|of| of.len()).sum()
}

fn data(relay: &Relay, field: &str) -> u64 {
    let answer = relay.api("GET", "/api/v1/data", b"").json();
    answer[field].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

fn large(writer: usize, number: usize) -> String {
    format!("{writer}-{number}-{:.<60000}", "")
}

#[test]
fn one_key_that_is_overwritten_3_000_times_takes_4_mb_on_the_disk() {
    let mut relay = Relay::found("alone");
    for number in 0..3_000 {
        relay.put("app", "key", &large(0, number), "local").unwrap();
    }
    let said = relay.cli(&["compact"]).expect_success();
    assert!(said.stdout.contains("on disk"), "{}", said.stdout);
    // Files shrink when the disk is idle.
    let bytes = wait::eventually("the store is small", SETTLED, || match disk_bytes(&relay) {
        bytes if bytes <= 4 << 20 => Ok(bytes),
        bytes => Err(bytes),
    });
    println!(
        "figure: 3,000 values of 64 KiB at one key: {} bytes on the disk",
        bytes.0
    );
    assert_eq!(relay.value("app", "key"), Some(large(0, 2_999)));
    relay.kill();
    relay.start();
    assert_eq!(relay.value("app", "key"), Some(large(0, 2_999)));
    let shown = relay.cli(&["data"]).expect_success().stdout;
    assert!(shown.contains("alone"), "{shown}");
}

/// Keys that one relay each overwrites.
const KEYS: usize = 8;
const ROUNDS: usize = 8;

/// One round of a writer: every key often, the last time with a value that tells the round. One key is deleted.
fn overwrite(relay: &Relay, writer: usize, round: usize) {
    for times in 0..6 {
        for key in 0..KEYS {
            let value = large(writer, round * 100 + times);
            let key = format!("{writer}/{key}");
            relay.put("busy", &key, &value, "local").unwrap();
        }
    }
    relay
        .put("gone", &format!("{writer}/{round}"), "here", "local")
        .unwrap();
    let path = format!("/api/v1/kv/gone/{writer}%2F{round}");
    assert!(relay.api("DELETE", &path, b"").status < 300);
}

#[test]
fn a_busy_key_space_stays_small_while_relays_are_killed_and_away() {
    let mut mesh = Mesh::of(3);
    for round in 0..ROUNDS {
        // The third one is away half of the time.
        if round % 4 == 1 {
            mesh.relays[2].kill();
        }
        let (first, second) = (&mesh.relays[0], &mesh.relays[1]);
        thread::scope(|scope| {
            scope.spawn(|| overwrite(first, 0, round));
            scope.spawn(|| overwrite(second, 1, round));
        });
        if round % 4 == 3 {
            mesh.relays[2].start();
        }
        // At a moment when chains are being left behind and the disk gets room back.
        if round % 3 == 2 {
            let at = round % 2;
            let _ = mesh.relays[at]
                .cli(&["compact", "--no-wait"])
                .expect_success();
            mesh.relays[at].kill();
            mesh.relays[at].start();
        }
    }
    wait::eventually(
        "all have what was written last, and nothing else",
        SETTLED,
        || {
            for relay in &mesh.relays {
                for writer in 0..2 {
                    for key in 0..KEYS {
                        let value = relay.value("busy", &format!("{writer}/{key}"));
                        let begins = format!("{writer}-{}-", (ROUNDS - 1) * 100 + 5);
                        if !value.is_some_and(|value| value.starts_with(&begins)) {
                            return Err(format!("{writer}/{key}"));
                        }
                    }
                }
                let back = relay.keys("gone");
                if !back.is_empty() {
                    return Err(format!("deleted and there: {back:?}"));
                }
            }
            Ok(())
        },
    );
    for relay in &mesh.relays {
        let _ = relay.cli(&["compact"]).expect_success();
    }
    let written = 2 * ROUNDS * KEYS * 6 * 60_000;
    wait::eventually("all stores are small", SETTLED, || {
        let sizes = mesh.relays.iter().map(|relay| {
            let (disk, needed) = (disk_bytes(relay), data(relay, "held_bytes"));
            (disk, needed)
        });
        let sizes: Vec<(u64, u64)> = sizes.collect();
        let is_small = |(disk, needed): &(u64, u64)| *disk < 8 << 20 && *needed < 4 << 20;
        if sizes.iter().all(is_small) {
            println!("figure: {written} bytes written, disk and needed by relay: {sizes:?}");
            Ok(())
        } else {
            Err(sizes)
        }
    });
    assert_eq!(mesh.relays[2].key_count(), mesh.relays[0].key_count());
}

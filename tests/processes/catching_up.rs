//! A relay that was away catches up, and pays for what it missed only.

use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::{thread, time::Duration};

const MISSED: usize = 10_000;
const WRITERS: usize = 8;

/// Writes `count` keys from several threads.
fn write(relay: &Relay, prefix: &str, count: usize) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for number in (writer..count).step_by(WRITERS) {
                    relay
                        .put("bulk", &format!("{prefix}-{number:05}"), "value", "local")
                        .unwrap();
                }
            });
        }
    });
}

/// Bytes of batches received while catching up, by the relay's own count.
fn received_bytes(relay: &Relay) -> u64 {
    relay.metric("sporenet_fetched_bytes_total")
}

#[test]
fn a_relay_that_missed_10_000_keys_has_them_within_10_s() {
    let mut mesh = Mesh::of(3);
    write(&mesh.relays[0], "before", 2_000);
    wait::eventually("all have the first keys", Duration::from_secs(30), || {
        let keys: Vec<u64> = mesh.relays.iter().map(Relay::key_count).collect();
        if keys.iter().all(|count| *count >= 2_000) {
            Ok(())
        } else {
            Err(keys)
        }
    });
    let before = mesh.relays[2].status()["incarnation"].as_u64().unwrap();
    mesh.relays[2].kill();
    write(&mesh.relays[0], "missed", MISSED);
    mesh.relays[2].start();
    let goal = mesh.relays[0].key_count();
    wait::promised(
        "10,000 missed keys are there",
        Duration::from_secs(10),
        || {
            let have = mesh.relays[2].key_count();
            if have == goal { Ok(()) } else { Err(have) }
        },
    );
    assert!(mesh.relays[2].status()["incarnation"].as_u64().unwrap() > before);
    let many = received_bytes(&mesh.relays[2]);

    mesh.relays[2].kill();
    write(&mesh.relays[0], "few", 100);
    mesh.relays[2].start();
    let goal = mesh.relays[0].key_count();
    wait::promised("100 missed keys are there", Duration::from_secs(10), || {
        let have = mesh.relays[2].key_count();
        if have == goal { Ok(()) } else { Err(have) }
    });
    let few = received_bytes(&mesh.relays[2]);
    println!("figure: received for 10,000 missed keys {many} bytes, for 100 of 12,100 {few} bytes");
    assert!(
        few < many / 10,
        "{few} bytes for 100 keys, {many} for 10,000: not what was missed"
    );
}

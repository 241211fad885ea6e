//! A data directory that is put back to an older copy.

use sporenet_tests::{
    mesh::Mesh,
    relay::{Relay, copy_folder},
    wait,
};
use std::{fs, time::Duration};
use tempfile::TempDir;

/// Enough that some of each side are in one shard.
const KEYS: usize = 40;

fn put_all(relay: &Relay, side: &str) {
    for number in 0..KEYS {
        let key = format!("{side}{number}");
        relay.put("app", &key, side, "relay").unwrap();
    }
}

fn lacking(relay: &Relay, side: &str) -> Vec<String> {
    let held = relay.keys("app");
    let keys = (0..KEYS).map(|number| format!("{side}{number}"));
    keys.filter(|key| !held.contains(key)).collect()
}

#[test]
fn what_a_relay_wrote_before_and_after_it_was_put_back_is_read_when_it_is_gone() {
    let mut mesh = Mesh::of(3);
    let (status, _) = mesh.relays[0].stop();
    assert_eq!(status.code(), Some(0));
    let backup = TempDir::new().unwrap();
    copy_folder(&mesh.relays[0].data(), backup.path());
    mesh.relays[0].start();
    mesh.all_alive(3);
    mesh.relays[2].kill();
    put_all(&mesh.relays[0], "before");
    mesh.relays[0].kill();
    mesh.relays[1].kill();
    fs::remove_dir_all(mesh.relays[0].data()).unwrap();
    copy_folder(backup.path(), &mesh.relays[0].data());
    mesh.relays[2].start();
    mesh.relays[0].start();
    put_all(&mesh.relays[0], "after");
    mesh.relays[0].kill();
    assert_eq!(lacking(&mesh.relays[2], "before").len(), KEYS);
    mesh.relays[1].start();
    for relay in mesh.others(0) {
        wait::eventually("all is read", Duration::from_secs(60), || {
            let lacks = (lacking(relay, "before"), lacking(relay, "after"));
            match (lacks.0.is_empty(), lacks.1.is_empty()) {
                (true, true) => Ok(()),
                _ => Err(lacks),
            }
        });
        let timeline = relay.timeline();
        let forked = timeline.iter().any(|entry| entry["code"] == "equivocation");
        assert!(forked, "the case that is meant: {timeline:?}");
    }
}

//! What a relay got is saved from the running process and replayed by another one.

use sporenet_tests::{http, mesh::Mesh, program, relay::Relay, wait};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};
use tempfile::TempDir;

#[test]
fn a_recorded_death_is_replayed_with_all_checks_equal_and_a_changed_file_is_refused() {
    let mut mesh = Mesh::of(3);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("relay-1.sporerec");
    let path = file.to_str().unwrap();
    let dead = mesh.relays[2].id();
    let _ = mesh.relays[0].cli(&["record", "start"]).expect_success();
    for number in 0..20 {
        let value = format!("value {number}");
        mesh.relays[0]
            .put("notes", "today", &value, "relay")
            .unwrap();
    }
    mesh.relays[2].kill();
    wait::until("the death is noticed", Duration::from_secs(15), || {
        mesh.relays[0].state_of(&dead).as_deref() == Some("dead")
    });
    let status = || mesh.relays[0].cli(&["record", "status", "--json"]).json();
    // There is a check about every second.
    wait::until("seconds are recorded", Duration::from_secs(30), || {
        status()["held_ms"].as_u64() > Some(4_000)
    });
    let status = status();
    assert_eq!(status["running"], true, "{status}");
    assert!(status["inputs"].as_u64().unwrap() > 40, "{status}");
    let saved = mesh.relays[0]
        .cli(&["record", "save", path])
        .expect_success();
    assert!(saved.stderr.contains("All data"), "{}", saved.stderr);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = mesh.relays[0].cli(&["record", "save", path]);
    again.expect_error(73, &["is there already"]);

    let replayed = program::run(["replay", path, "--json"])
        .expect_success()
        .json();
    assert_eq!(replayed["node"], mesh.relays[0].id().as_str());
    assert_eq!(replayed["mismatch"], serde_json::Value::Null);
    assert_eq!(replayed["replayed"], replayed["inputs"]);
    assert!(replayed["checks"].as_u64().unwrap() >= 4, "{replayed}");
    let printed = program::run(["replay", path, "--print"]).expect_success();
    for what in [
        "write of 8 bytes, notes/today",
        "relay-3",
        "is dead",
        "checks equal",
    ] {
        assert!(
            printed.stdout.contains(what),
            "no {what} in {}",
            printed.stdout
        );
    }
    let early = program::run(["replay", path, "--until", "0"]).expect_success();
    assert!(!early.stdout.contains("is dead"), "{}", early.stdout);

    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    program::run(["replay", path]).expect_error(1, &["damaged"]);
    fs::write(&file, b"something else").unwrap();
    program::run(["replay", path]).expect_error(1, &["no recording"]);
}

#[test]
fn a_relay_that_records_from_its_start_gives_its_file_to_those_with_the_token_only() {
    let relay = Relay::with("early", &["--record"]);
    let status = relay.api("GET", "/api/v1/recording", b"").json();
    assert_eq!(status["running"], true, "{status}");
    let stopped = relay.api("POST", "/api/v1/recording", b"{\"running\":false}");
    assert_eq!(stopped.json()["running"], false);
    let file = relay.api("GET", "/api/v1/recording/file", b"");
    assert_eq!(
        file.header("content-type"),
        Some("application/octet-stream")
    );
    let disposition = file.header("content-disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"early-"),
        "{disposition}"
    );
    assert!(file.body.starts_with(b"sporerec"));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("early.sporerec");
    fs::write(&path, &file.body).unwrap();
    let replayed = program::run(["replay", path.to_str().unwrap(), "--json"]);
    let replayed = replayed.expect_success().json();
    assert_eq!(replayed["mismatch"], serde_json::Value::Null);
    for path in ["/api/v1/recording", "/api/v1/recording/file"] {
        let stranger = http::request(relay.address, "GET", path, &[], b"");
        assert_eq!(stranger.unwrap().status, 401, "{path}");
    }
    let nonsense = relay.api("POST", "/api/v1/recording", b"{\"walking\":true}");
    assert_eq!(nonsense.status, 400);
}

//! Wall clocks that are wrong, in real processes: who says so, and that data arrives all the same.

use serde_json::Value;
use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::time::Duration;

const TOLD: Duration = Duration::from_secs(10);
const VISIBLE: Duration = Duration::from_secs(1);

/// A mesh of three, the last of which was started with a wrong clock.
fn mesh(offset: &str) -> Mesh {
    let founder = Relay::found("relay-1");
    let links = founder.invite(&[]);
    let second = Relay::join("relay-2", &links.relay);
    let mut wrong = Relay::prepare("relay-3", &[]);
    wrong.set_clock(offset);
    wrong.join_with(&links.relay);
    let mesh = Mesh {
        relays: vec![founder, second, wrong],
        links,
    };
    mesh.all_alive(3);
    mesh
}

fn says(relay: &Relay, verdict: &str, words: &str) {
    wait::promised(words, TOLD, || {
        let status = relay.status();
        let reasons = status["reasons"].to_string();
        if status["verdict"] == verdict && reasons.contains(words) {
            Ok(())
        } else {
            Err(status)
        }
    });
}

fn is_read(relay: &Relay, key: &str, value: &str) {
    wait::promised(&format!("{key} is read"), VISIBLE, || {
        let seen = relay.value("app", key);
        if seen.as_deref() == Some(value) {
            Ok(())
        } else {
            Err(seen)
        }
    });
}

#[test]
fn a_clock_two_hours_ahead_is_named_on_all_sides_and_holds_nothing_back() {
    let mesh = mesh("+2h");
    let [first, second, wrong] = &mesh.relays[..] else {
        panic!("three relays");
    };
    says(
        wrong,
        "degraded",
        "This node's clock is 2 h ahead of its peers",
    );
    says(first, "degraded", "is 2 h ahead of the others");
    says(second, "degraded", "is 2 h ahead of the others");
    // The answer to a write warns, for people and for programs.
    let put = wrong
        .cli(&["put", "app", "there", "v", "--ack", "relay"])
        .expect_success();
    assert!(
        put.stderr.contains("This node's clock is 2 h ahead"),
        "{}",
        put.stderr
    );
    is_read(first, "there", "v");
    is_read(second, "there", "v");
    let answer = wrong.try_put("app", "json", "v", "local").unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(answer["warning"].is_string(), "{answer}");
    // And back.
    first.put("app", "back", "v", "relay").unwrap();
    is_read(wrong, "back", "v");
    let ahead = wrong.status()["clock_ahead_ms"].as_i64().unwrap();
    assert!((7_198_000..=7_202_000).contains(&ahead), "{ahead}");
    assert!((7_198..=7_202).contains(&wrong.metric("sporenet_clock_offset_seconds")));
    let doctor = wrong.cli(&["doctor"]).stdout;
    assert!(doctor.contains("chrony"), "{doctor}");
    // Set right, all is well again.
    wrong.set_clock("+0");
    for relay in &mesh.relays {
        says(relay, "healthy", "All 3 nodes are alive");
    }
    let _ = wrong.cli(&["put", "app", "there", "w"]).expect_success();
    is_read(first, "there", "w");
}

#[test]
fn a_clock_in_1971_reads_and_writes_and_blames_nobody() {
    let mesh = mesh("@1971-06-01 00:00:00");
    let [first, _, wrong] = &mesh.relays[..] else {
        panic!("three relays");
    };
    says(wrong, "degraded", "behind its peers");
    first.put("app", "there", "v", "relay").unwrap();
    is_read(wrong, "there", "v");
    wrong.put("app", "back", "v", "relay").unwrap();
    is_read(first, "back", "v");
    let timeline = wrong.timeline();
    let blamed = timeline.iter().any(|entry| entry["code"] == "offence");
    assert!(!blamed, "{timeline:?}");
}

#[test]
fn a_relay_that_wrote_alone_with_its_clock_ahead_is_heard_once_the_clock_is_right() {
    let mut wrong = Relay::prepare("relay-1", &[]);
    wrong.set_clock("+2h");
    wrong.start();
    wrong.put("app", "old", "v", "local").unwrap();
    wrong.set_clock("+0");
    let links = wrong.invite(&[]);
    let others = ["relay-2", "relay-3"].map(|name| Relay::join(name, &links.relay));
    says(&wrong, "degraded", "wrote while its clock was ahead");
    let _ = wrong
        .cli(&["put", "app", "new", "v", "--ack", "relay"])
        .expect_success();
    for other in &others {
        is_read(other, "new", "v");
    }
    // What would lose to a write of then is refused, with the time when it can be written.
    let refused = wrong.cli(&["put", "app", "old", "w"]);
    refused.expect_error(1, &["the last write of this key carries a time", "UTC"]);
    let answer = wrong.try_put("app", "old", "w", "local").unwrap();
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &problem["code"]),
        (409, &"key_ahead".into())
    );
}

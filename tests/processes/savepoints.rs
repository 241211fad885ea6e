//! What was there, kept in files, and going back to it.

use sporenet_tests::relay::Relay;
use std::{fs, os::unix::fs::PermissionsExt};

fn export(relay: &Relay, namespace: &str) -> String {
    relay.cli(&["export", namespace]).expect_success().stdout
}

fn done(relay: &Relay, arguments: &[&str]) -> String {
    relay.cli(arguments).expect_success().stdout
}

/// Values of all types, and more than one part of an answer.
fn filled(relay: &Relay) {
    for number in 0..600 {
        let key = format!("key/{number:03}");
        relay.put("app", &key, "as it was", "local").unwrap();
    }
    relay.put("other", "kept", "out of it", "local").unwrap();
    for change in [
        &["incr", "app", "visits", "40"][..],
        &["incr", "app", "gone", "7"],
        &["sadd", "app", "tags", "a", "b", "c"],
        &["hset", "app", "user", "name", "Ada", "age", "36"],
        &["flag", "app", "beta", "off"],
        &["put", "app", "multi", "side by side", "--multi"],
    ] {
        done(relay, change);
    }
}

fn changed(relay: &Relay) {
    for change in [
        &["put", "app", "key/001", "changed"][..],
        &["del", "app", "key/002"],
        &["put", "app", "new", "was not there"],
        &["incr", "app", "visits", "-50"],
        &["del", "app", "gone"],
        &["srem", "app", "tags", "b"],
        &["sadd", "app", "tags", "d"],
        &["hset", "app", "user", "name", "Grace", "rank", "admiral"],
        &["hdel", "app", "user", "age"],
        &["flag", "app", "beta", "on"],
        &["del", "app", "multi"],
        &["incr", "app", "multi"],
        &["put", "other", "kept", "changed too"],
    ] {
        done(relay, change);
    }
}

#[test]
fn a_rollback_writes_what_was_there_and_can_be_undone() {
    let relay = Relay::found("alone");
    filled(&relay);
    let before = export(&relay, "app");
    done(&relay, &["savepoint", "create", "good", "app"]);
    changed(&relay);
    let after = export(&relay, "app");
    assert_ne!(after, before);

    let dry = done(&relay, &["savepoint", "rollback", "good", "--dry-run"]);
    assert_eq!(dry, done(&relay, &["savepoint", "diff", "good"]));
    let told: Vec<&str> = dry.lines().collect();
    for expected in [
        "~ app/key/001\tas it was -> changed",
        "- app/key/002\tas it was",
        "+ app/new\twas not there",
        "~ app/visits\tcounter 40 -> counter -10",
        "~ app/tags\tset [\"a\",\"b\",\"c\"] -> set [\"a\",\"c\",\"d\"]",
        "~ app/beta\tflag false -> flag true",
        "- app/gone\tcounter 7",
        "~ app/multi\tmulti side by side -> counter 1",
    ] {
        assert!(told.contains(&expected), "{expected} in {dry}");
    }
    assert_eq!(told.len(), 9, "{dry}");
    assert_eq!(export(&relay, "app"), after, "a dry run changes nothing");

    let back = done(&relay, &["savepoint", "rollback", "good"]);
    assert!(
        back.contains("9 written, 0 refused") && back.contains("before-good"),
        "{back}"
    );
    assert_eq!(export(&relay, "app"), before);
    assert_eq!(done(&relay, &["savepoint", "diff", "good"]), "");
    let other = relay.value("other", "kept");
    assert_eq!(other.as_deref(), Some("changed too"), "it was not named");

    done(&relay, &["savepoint", "rollback", "before-good"]);
    assert_eq!(export(&relay, "app"), after);
}

#[test]
fn large_values_and_many_keys_come_back_in_bounded_memory() {
    let relay = Relay::found("alone");
    let large = "v".repeat(200 << 10);
    for number in 0..150 {
        relay
            .put("app", &format!("large/{number:03}"), &large, "local")
            .unwrap();
    }
    let small = |number| format!("{{\"key\":\"{number:05}\",\"value\":\"small\"}}\n");
    let lines: String = (0..5_000).map(small).collect();
    let written = relay.api("POST", "/api/v1/kv/app", lines.as_bytes());
    assert_eq!(written.status, 200, "{}", written.text());
    done(&relay, &["savepoint", "create", "full"]);
    // Everything is gone, and something else is there.
    let gone = |key: String| format!("{{\"key\":\"{key}\",\"deleted\":true}}\n");
    let mut lines: String = (0..5_000)
        .map(|number| gone(format!("{number:05}")))
        .collect();
    lines.extend((0..150).map(|number| gone(format!("large/{number:03}"))));
    let new = |number| format!("{{\"key\":\"new/{number:04}\",\"value\":\"new\"}}\n");
    lines.extend((0..1_000).map(new));
    let written = relay.api("POST", "/api/v1/kv/app", lines.as_bytes());
    assert!(
        written.text().contains("\"refused\":0"),
        "{}",
        written.text()
    );
    assert_eq!(relay.key_count(), 1_000);
    let resident = relay.resident_kib();
    let back = done(&relay, &["savepoint", "rollback", "full"]);
    assert!(back.contains("6150 written, 0 refused"), "{back}");
    assert_eq!(relay.key_count(), 5_150);
    assert_eq!(
        relay.value("app", "large/149").as_deref(),
        Some(large.as_str())
    );
    // The values themselves are 30 MiB.
    let more = relay.resident_kib().saturating_sub(resident);
    assert!(more < 150 << 10, "{more} KiB more");
    assert_eq!(done(&relay, &["savepoint", "diff", "full"]), "");
}

#[test]
fn savepoints_are_private_files_that_outlive_the_process() {
    let mut relay = Relay::found("alone");
    relay.put("app", "key", "value", "local").unwrap();
    done(&relay, &["savepoint", "create", "one"]);
    let file = relay.data().join("savepoints/one.ndjson");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    relay.kill();
    relay.start();
    let listed = relay.api("GET", "/api/v1/savepoints", b"").json();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["keys"]),
        (&"one".into(), &1.into())
    );
    relay
        .cli(&["savepoint", "create", "one"])
        .expect_error(1, &["one", "already"]);
    relay
        .cli(&["savepoint", "create", "../one"])
        .expect_error(1, &["name"]);
    relay
        .cli(&["savepoint", "diff", "none"])
        .expect_error(1, &["no savepoint"]);
    // A file that lost its end is no savepoint, and nothing is written because of it.
    let text = fs::read_to_string(&file).unwrap();
    let (lines, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&file, lines).unwrap();
    relay
        .cli(&["savepoint", "rollback", "one"])
        .expect_error(1, &["damaged"]);
    assert_eq!(relay.value("app", "key").as_deref(), Some("value"));
    done(&relay, &["savepoint", "delete", "one"]);
    assert!(!file.exists());
    let listed = relay.api("GET", "/api/v1/savepoints", b"").json();
    assert_eq!(listed, serde_json::json!([]));
}

#[test]
fn who_made_a_savepoint_and_went_back_to_it_is_in_the_audit_log() {
    let relay = Relay::found("alone");
    done(&relay, &["savepoint", "create", "one"]);
    done(&relay, &["savepoint", "rollback", "one"]);
    done(&relay, &["savepoint", "delete", "one"]);
    sporenet_tests::wait::eventually(
        "the audit log has it",
        std::time::Duration::from_secs(30),
        || {
            let log = done(&relay, &["history", "audit"]);
            let words = ["savepoint_create", "savepoint_rollback", "savepoint_delete"];
            if words.iter().all(|word| log.contains(word)) {
                Ok(())
            } else {
                Err(log)
            }
        },
    );
}

//! A value written anywhere is read everywhere.

use sporenet_tests::{
    http::{EventStream, ServerEvent},
    mesh::Mesh,
    relay::Relay,
    wait,
};
use std::{thread, time::Duration};

const VISIBLE: Duration = Duration::from_secs(1);

/// The state that all of `relays` show for a key, once they agree and `is` holds for it.
fn agree(relays: &[&Relay], namespace: &str, key: &str, is: impl Fn(Option<&str>) -> bool) {
    wait::promised(
        &format!("{namespace}/{key} is read everywhere"),
        VISIBLE,
        || {
            let seen: Vec<_> = relays
                .iter()
                .map(|relay| relay.value(namespace, key))
                .collect();
            let same = seen.windows(2).all(|pair| pair[0] == pair[1]);
            if same && seen.iter().all(|value| is(value.as_deref())) {
                Ok(())
            } else {
                Err(seen)
            }
        },
    );
}

#[test]
fn a_put_on_any_relay_is_read_on_the_others_within_1_s() {
    let mesh = Mesh::of(3);
    let all: Vec<&Relay> = mesh.relays.iter().collect();
    for (at, relay) in mesh.relays.iter().enumerate() {
        let by_cli = format!("by command line {at}");
        let _ = relay.cli(&["put", "app", "cli", &by_cli]).expect_success();
        agree(&all, "app", "cli", |value| value == Some(&by_cli));
        for reader in &mesh.relays {
            let read = reader.cli(&["get", "app", "cli"]).expect_success();
            assert_eq!(read.stdout.trim_end(), by_cli);
        }
        let by_http = format!("by HTTP {at}");
        relay.put("app", "http", &by_http, "relay").unwrap();
        agree(&all, "app", "http", |value| value == Some(&by_http));
    }
    let _ = mesh.relays[1].cli(&["del", "app", "cli"]).expect_success();
    agree(&all, "app", "cli", |value| value.is_none());
    let gone = mesh.relays[2].cli(&["get", "app", "cli"]);
    assert_eq!(
        (gone.code, gone.stdout.as_str()),
        (Some(1), ""),
        "{}",
        gone.stderr
    );
}

#[test]
fn a_list_shows_the_keys_of_a_prefix_in_order() {
    let relay = Relay::found("alone");
    for key in ["b/2", "a/1", "b/1", "c"] {
        relay.put("app", key, "x", "local").unwrap();
    }
    let listed = relay
        .cli(&["list", "app", "--prefix", "b/"])
        .expect_success()
        .stdout;
    let keys: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(keys, ["b/1", "b/2"]);
    assert_eq!(relay.keys("app"), ["a/1", "b/1", "b/2", "c"]);
}

#[test]
fn a_watch_shows_changes_made_elsewhere_and_resumes_without_a_gap() {
    let mesh = Mesh::of(2);
    let mut watch = mesh.relays[0].stream("/api/v1/kv/app/watch", None);
    mesh.relays[1]
        .put("app", "watched", "one", "local")
        .unwrap();
    let seen = next_put(&mut watch);
    assert!(seen.data.contains("watched"), "{seen:?}");
    drop(watch);
    for value in ["two", "three"] {
        mesh.relays[1].put("app", value, value, "relay").unwrap();
    }
    let mut resumed = mesh.relays[0].stream("/api/v1/kv/app/watch", seen.id.as_deref());
    for value in ["two", "three"] {
        let event = next_put(&mut resumed);
        assert!(event.data.contains(value), "{event:?}");
    }
}

fn next_put(watch: &mut EventStream) -> ServerEvent {
    loop {
        let event = watch.next_event().unwrap();
        if event.event.as_deref() == Some("put") {
            return event;
        }
    }
}

#[test]
fn values_up_to_256_kib_are_taken_and_larger_ones_refused() {
    let mesh = Mesh::of(2);
    let largest = "v".repeat(256 * 1024);
    mesh.relays[0]
        .put("app", "large", &largest, "relay")
        .unwrap();
    assert_eq!(
        mesh.relays[1].value("app", "large").as_deref(),
        Some(largest.as_str())
    );
    let refused = mesh.relays[0].put("app", "too large", &format!("{largest}v"), "local");
    let refused = refused.unwrap_err();
    assert_eq!(refused.status, 413, "{}", refused.text());
    let kind = refused.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    assert_eq!(mesh.relays[0].value("app", "too large"), None);
}

#[test]
fn simultaneous_puts_end_in_the_same_value_everywhere() {
    let mesh = Mesh::of(3);
    let all: Vec<&Relay> = mesh.relays.iter().collect();
    thread::scope(|scope| {
        for relay in &mesh.relays {
            scope.spawn(move || {
                for key in 0..20 {
                    relay
                        .put("race", &format!("key-{key}"), &relay.name, "local")
                        .unwrap();
                }
            });
        }
    });
    for key in 0..20 {
        agree(&all, "race", &format!("key-{key}"), |value| value.is_some());
    }
}

#[test]
fn the_loser_of_two_concurrent_puts_is_in_the_conflict_record() {
    let mut mesh = Mesh::of(2);
    mesh.relays[1].kill();
    mesh.relays[0]
        .put("app", "contested", "first", "local")
        .unwrap();
    mesh.relays[0].kill();
    mesh.relays[1].start();
    mesh.relays[1]
        .put("app", "contested", "second", "local")
        .unwrap();
    mesh.relays[0].start();
    let all: Vec<&Relay> = mesh.relays.iter().collect();
    wait::eventually("both show the later put", Duration::from_secs(30), || {
        let seen: Vec<_> = all
            .iter()
            .map(|relay| relay.value("app", "contested"))
            .collect();
        if seen.iter().all(|value| value.as_deref() == Some("second")) {
            Ok(())
        } else {
            Err(seen)
        }
    });
    for relay in all {
        wait::eventually("the loser is recorded", Duration::from_secs(10), || {
            let lost = relay.conflicts("app", "contested");
            if lost == ["first"] { Ok(()) } else { Err(lost) }
        });
    }
}

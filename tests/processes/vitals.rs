//! Every node knows how every other is, and how good the paths between them are.

use serde_json::Value;
use sporenet_tests::{relay::Relay, wait};
use std::time::Duration;

/// How long two relays may take to know all of each other; a report goes out every five seconds.
const PATIENCE: Duration = Duration::from_secs(40);

fn rows(relay: &Relay, command: &str) -> Vec<Value> {
    let answer = relay.cli(&[command, "--json"]).json();
    answer.as_array().expect("an array").clone()
}

#[test]
fn two_relays_know_how_the_other_is_and_both_directions_of_their_path() {
    let first = Relay::found("first");
    let second = Relay::join("second", &first.invite(&[]).relay);
    let ids = [first.id(), second.id()];
    let has =
        |row: &Value, from: usize, to: usize| row["from"] == ids[from] && row["to"] == ids[to];
    let (paths, _) = wait::eventually("both directions are known", PATIENCE, || {
        let paths = rows(&first, "rtt");
        let both = [(0, 1), (1, 0)];
        let known = both.map(|(from, to)| paths.iter().any(|row| has(row, from, to)));
        if known == [true, true] {
            Ok(paths)
        } else {
            Err(paths)
        }
    });
    assert_eq!(paths.len(), 2, "{paths:?}");
    for path in &paths {
        for number in ["rtt_ms", "min_ms", "jitter_ms", "loss"] {
            assert!(path[number].is_number(), "{number} of {path}");
        }
        let rtt = path["rtt_ms"].as_f64().unwrap();
        assert!(rtt > 0.0 && rtt < 1_000.0, "{path}");
        assert!(path["age_ms"].as_u64().unwrap() < 40_000, "{path}");
    }
    // The first report may have gone out before the first rates were known.
    let (other, _) = wait::eventually("the other's vitals are known", PATIENCE, || {
        let vitals = rows(&first, "vitals");
        let other = vitals.iter().find(|row| row["id"] == ids[1]).cloned();
        other
            .filter(|row| row["cpu_permille"].is_u64())
            .ok_or(vitals)
    });
    let number = |name: &str| other[name].as_u64().unwrap_or_default();
    assert!(number("memory_used_kib") > 0, "{other}");
    assert!(
        number("memory_used_kib") <= number("memory_limit_kib"),
        "{other}"
    );
    assert!(
        number("disk_total_kib") > 0 && number("descriptors_used") > 0,
        "{other}"
    );
    assert!(other["journal_latency_ms"].is_u64(), "{other}");
    // A relay has no page: unknown, and not zero.
    assert!(
        other["visible"].is_null() && other["heap_used_kib"].is_null(),
        "{other}"
    );
    let table = first.cli(&["vitals"]).expect_success();
    assert!(
        table.stdout.contains("MEMORY") && table.stdout.contains("second"),
        "{}",
        table.stdout
    );
    let table = first.cli(&["rtt"]).expect_success();
    assert!(table.stdout.contains("JITTER"), "{}", table.stdout);
    assert!(first.metric("sporenet_vitals_heard_total") > 0);
}

#[test]
fn a_relay_without_a_location_is_about_where_its_time_zone_is() {
    let started = |mut relay: Relay, zone: &str| {
        relay.set_variable("TZ", zone);
        relay.start();
        relay
    };
    let first = started(Relay::prepare("first", &[]), "UTC");
    let link = format!("--join={}", first.invite(&[]).relay);
    let guessing = Relay::prepare("guessing", &[&link]);
    let guessing = started(guessing, "Europe/Berlin");
    let told = Relay::prepare("told", &[&link, "--location=-33.9,151.2"]);
    let told = started(told, "Europe/Berlin");
    let place = |name: &str| {
        let members = rows(&first, "members");
        let member = members.into_iter().find(|member| member["name"] == name);
        member.map_or(Value::Null, |member| member["place"].clone())
    };
    let berlin = serde_json::json!({"latitude": 52.5, "longitude": 13.4, "estimated": true});
    wait::eventually("its place is guessed", PATIENCE, || {
        let seen = place("guessing");
        if seen == berlin { Ok(()) } else { Err(seen) }
    });
    wait::until("the other reports as well", PATIENCE, || {
        let vitals = rows(&first, "vitals");
        let other = vitals.iter().find(|row| row["name"] == "told");
        other.is_some_and(|row| row["cpu_permille"].is_u64())
    });
    let sydney = serde_json::json!({"latitude": -33.9, "longitude": 151.2, "estimated": false});
    assert_eq!(place("told"), sydney);
    assert_eq!(place("first"), Value::Null);
    drop((guessing, told));
}

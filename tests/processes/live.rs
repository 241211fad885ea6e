//! Relays find each other, say what they are, and leave in order.

use serde_json::Value;
use sporenet_tests::{http::ServerEvent, mesh::Mesh, relay::Relay, wait};
use std::time::Duration;

#[test]
fn three_relays_list_each_other_within_5_s_of_the_last_start() {
    let mesh = Mesh::of(3);
    for relay in &mesh.relays {
        assert_eq!(relay.names("alive"), ["relay-1", "relay-2", "relay-3"]);
        assert_eq!(relay.status()["verdict"], "healthy", "{}", relay.status());
    }
}

#[test]
fn members_and_status_have_the_documented_fields() {
    let mesh = Mesh::of(2);
    for member in mesh.relays[0].members() {
        assert_eq!(member["id"].as_str().map(str::len), Some(64), "{member}");
        assert_eq!(member["role"], "relay");
        assert!(member["incarnation"].is_u64());
        assert!(member["zone"].is_null());
        assert!(
            member["addresses"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
            "{member}"
        );
        for unknown_or_number in ["rtt_ms", "last_heard_ms"] {
            let value = member.get(unknown_or_number).expect("the field is there");
            assert!(value.is_null() || value.is_number(), "{member}");
        }
    }
    let status = mesh.relays[0]
        .cli(&["status", "--json"])
        .expect_success()
        .json();
    for text in ["id", "name", "network", "version", "verdict", "mode"] {
        assert!(status[text].is_string(), "{text} in {status}");
    }
    assert!(status["reasons"].is_array());
    for count in ["alive", "suspect", "dead", "left", "parked"] {
        assert!(status["members"][count].is_u64(), "{count} in {status}");
    }
    assert!(status["kv"]["keys"].is_u64() && status["kv"]["batches"].is_u64());
    assert!(status["uptime_s"].is_u64());
    let listed = mesh.relays[0]
        .cli(&["members", "--json"])
        .expect_success()
        .json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
}

#[test]
fn the_human_outputs_name_every_member() {
    let mesh = Mesh::of(2);
    let members = mesh.relays[0].cli(&["members"]).expect_success().stdout;
    assert!(
        members.contains("relay-1") && members.contains("relay-2"),
        "{members}"
    );
    let status = mesh.relays[0].cli(&["status"]).expect_success().stdout;
    assert!(status.contains("healthy"), "{status}");
    let _ = mesh.relays[0].cli(&["health"]).expect_success();
}

#[test]
fn the_probes_and_metrics_answer_as_operators_expect() {
    let relay = Relay::found("alone");
    for probe in ["/livez", "/readyz", "/startupz", "/healthz"] {
        let answer = sporenet_tests::http::request(relay.address, "GET", probe, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "{probe}: {}", answer.text());
    }
    let verbose = sporenet_tests::http::request(relay.address, "GET", "/readyz?verbose", &[], b"");
    assert!(verbose.unwrap().text().contains("[+]"));
    let metrics = relay.api("GET", "/metrics", b"");
    let kind = metrics
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(metrics.text().contains("sporenet_") && metrics.text().ends_with("# EOF\n"));
    for secret in [relay.token(), relay.invite(&[]).relay] {
        assert!(!metrics.text().contains(&secret));
    }
}

#[test]
fn a_relay_told_to_stop_says_goodbye_and_ends_within_5_s() {
    let mut mesh = Mesh::of(3);
    let id = mesh.relays[2].id();
    let (status, took) = mesh.relays[2].stop();
    assert_eq!(status.code(), Some(0));
    wait::figure("SIGTERM to exit", took, Duration::from_secs(5));
    assert!(took < Duration::from_secs(5) * wait::PATIENCE);
    wait::throughout(
        "it said goodbye and is not called dead",
        Duration::from_secs(6),
        || {
            mesh.others(2)
                .all(|relay| relay.state_of(&id).as_deref() != Some("dead"))
        },
    );
}

#[test]
fn a_relay_that_leaves_is_listed_as_left() {
    let mut mesh = Mesh::of(3);
    let id = mesh.relays[2].id();
    let _ = mesh.relays[2].cli(&["leave"]).expect_success();
    let (status, _) = mesh.relays[2].ended(Duration::from_secs(15));
    assert_eq!(status.code(), Some(0));
    wait::promised("a leave is known", Duration::from_secs(5), || {
        let states: Vec<_> = mesh.others(2).map(|relay| relay.state_of(&id)).collect();
        if states.iter().all(|state| state.as_deref() == Some("left")) {
            Ok(())
        } else {
            Err(states)
        }
    });
}

#[test]
fn the_stream_of_events_resumes_without_a_gap() {
    let mut mesh = Mesh::of(2);
    let mut stream = mesh.relays[0].stream("/api/v1/events", None);
    let first = stream.next_event().unwrap();
    drop(stream);
    mesh.relays[1].kill();
    wait::promised(
        "the death is in the timeline",
        Duration::from_secs(5),
        || {
            let codes: Vec<Value> = mesh.relays[0]
                .timeline()
                .iter()
                .map(|entry| entry["code"].clone())
                .collect();
            if codes.iter().any(|code| code == "member_dead") {
                Ok(())
            } else {
                Err(codes)
            }
        },
    );
    let mut resumed = mesh.relays[0].stream("/api/v1/events", first.id.as_deref());
    let mut previous = number(&first);
    loop {
        let event = resumed.next_event().unwrap();
        assert_eq!(number(&event), previous + 1, "{event:?}");
        previous += 1;
        if event.data.contains("member_dead") {
            return;
        }
    }
}

/// The number in an event's id, `instance-number`.
fn number(event: &ServerEvent) -> u64 {
    let id = event.id.as_deref().expect("an event has an id");
    id.rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("an id ends in a number")
}

#[test]
fn the_command_line_prints_the_events_too() {
    let relay = Relay::found("alone");
    let outcome = relay.cli(&["events", "--json"]).expect_success();
    let first = outcome.stdout.lines().next().unwrap_or_default();
    assert!(
        serde_json::from_str::<Value>(first).is_ok() || !outcome.json().is_null(),
        "{first}"
    );
    assert!(
        !relay
            .cli(&["events"])
            .expect_success()
            .stdout
            .trim()
            .is_empty()
    );
}

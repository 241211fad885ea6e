//! Alerts, incidents and settings of the mesh, by the command line of real relays.
//!
//! The machine may be so busy that its processors are an alert too: each test looks at its own rule only.

use serde_json::Value;
use sporenet_tests::{relay::Relay, wait};
use std::time::Duration;

/// Alerts of a rule that is gone end a minute after the start at the earliest.
const PATIENCE: Duration = Duration::from_secs(150);

fn list(relay: &Relay, arguments: &[&str]) -> Vec<Value> {
    let told = relay.cli(arguments);
    assert_eq!(told.code, Some(0), "{told:?}");
    told.json().as_array().cloned().unwrap_or_default()
}

/// The incidents of a dead relay, as a relay sees them.
fn deaths(relay: &Relay, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["incidents", "--json"], arguments].concat();
    let mut incidents = list(relay, &arguments);
    incidents.retain(|incident| incident["cause"] == "node_down");
    incidents
}

/// The alerts of a rule that are not over, as a relay sees them.
fn alerts(relay: &Relay, rule: &str) -> Vec<Value> {
    let mut alerts = list(relay, &["alerts", "--json"]);
    alerts.retain(|alert| alert["rule"] == rule && alert["state"] != "pending");
    alerts
}

fn three() -> [Relay; 3] {
    let first = Relay::found("first");
    let link = first.invite(&[]).relay;
    let relays = [
        first,
        Relay::join("second", &link),
        Relay::join("third", &link),
    ];
    wait::until("all are there", PATIENCE, || {
        relays.iter().all(|relay| relay.names("alive").len() == 3)
    });
    relays
}

#[test]
fn a_killed_relay_is_one_incident_that_anybody_acknowledges_and_that_ends_by_itself() {
    let [first, second, mut third] = three();
    let victim = third.id();
    third.kill();
    wait::until("both hold one incident", PATIENCE, || {
        [&first, &second]
            .iter()
            .all(|relay| deaths(relay, &[]).len() == 1)
    });
    let incident = deaths(&second, &[])[0].clone();
    assert_eq!(incident["severity"], "critical", "{incident}");
    assert_eq!(incident["state"], "firing", "{incident}");
    let nodes = incident["nodes"].as_array().unwrap();
    assert!(nodes.contains(&Value::from(victim)), "{incident}");
    let id = incident["id"].as_str().unwrap().to_owned();
    let done = first.cli(&["ack", &id, "--note", "on my way"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    wait::until("the other sees who looks after it", PATIENCE, || {
        let incident = deaths(&second, &[])[0].clone();
        incident["note"] == "on my way"
            && incident["acknowledged_by"]
                .as_str()
                .unwrap()
                .starts_with("first")
    });
    let dead = alerts(&second, "unreachable");
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0]["incident"], *id, "{dead:?}");
    assert_eq!(dead[0]["state"], "acknowledged", "{dead:?}");
    let text = second.cli(&["incidents", &id]);
    assert!(
        text.stdout.contains("crashed or lost its network"),
        "{text:?}"
    );
    third.start();
    wait::until("it is over, everywhere", PATIENCE, || {
        let relays = [&first, &second, &third];
        relays
            .iter()
            .all(|relay| alerts(relay, "unreachable").is_empty())
    });
    assert_eq!(deaths(&third, &["--all"]).len(), 1);
    let over = first.cli(&["ack", dead[0]["id"].as_str().unwrap()]);
    assert_eq!(over.code, Some(1), "{over:?}");
    let unknown = first.cli(&["ack", "00000000"]);
    assert!(unknown.stderr.contains("there is no alert"), "{unknown:?}");
}

#[test]
fn a_rule_holds_on_all_nodes_and_reverting_brings_the_old_one_back() {
    let relays = three();
    let [first, second, third] = &relays;
    let (name, key) = ("memory-used", "rule.memory-used");
    let value = |relay: &Relay| {
        let told = relay.cli(&["settings", "get", key, "--json"]);
        told.json()[key]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(value(first), "off");
    // So low that every machine is beyond it.
    let done = second.cli(&["rules", "set", name, "memory above 0 - for 2s samples 2"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    wait::until("all follow it", PATIENCE, || {
        relays.iter().all(|relay| value(relay) != "off")
    });
    wait::until("it fires for all three, on all three", PATIENCE, || {
        relays.iter().all(|relay| alerts(relay, name).len() == 3)
    });
    for (arguments, field) in [
        (["rules", "set", "latency", "latency above 5 4"], "critical"),
        (["rules", "set", "latency", "lateness above 4 5"], "metric"),
        (["settings", "set", "alerts.lease", "1s"], "alerts.lease"),
        (["settings", "set", "alerts.none", "1s"], "no such setting"),
    ] {
        let refused = first.cli(&arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(field), "{refused:?}");
    }
    let reserved = first.cli(&["put", "sys.settings", key, "x"]);
    assert!(
        reserved.stderr.contains("written by commands"),
        "{reserved:?}"
    );
    let tried = first.cli(&["settings", "dry-run", "memory above 0.1 - for 1s", "--json"]);
    assert!(tried.json()["fired"].as_u64().unwrap() >= 1, "{tried:?}");
    let reverted = third.cli(&["settings", "revert", key]);
    assert_eq!(reverted.code, Some(0), "{reverted:?}");
    wait::until("all are back, and nothing fires", PATIENCE, || {
        relays
            .iter()
            .all(|relay| value(relay) == "off" && alerts(relay, name).is_empty())
    });
    let history = list(second, &["settings", "history", key, "--json"]);
    assert_eq!(history.len(), 2, "{history:?}");
}

#[test]
fn what_was_done_about_alerts_is_there_after_a_restart() {
    let mut relay = Relay::found("alone");
    let name = "memory-used";
    let set = relay.cli(&["rules", "set", name, "memory above 0 - for 1s samples 1"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    wait::until("it fires", PATIENCE, || alerts(&relay, name).len() == 1);
    let id = alerts(&relay, name)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(relay.cli(&["ack", &id]).code, Some(0));
    let silenced = relay.cli(&["silence", name, "--for", "1h"]);
    assert_eq!(silenced.code, Some(0), "{silenced:?}");
    relay.kill();
    relay.start();
    wait::until("it still fires, and is acknowledged", PATIENCE, || {
        let open = alerts(&relay, name);
        open.len() == 1 && open[0]["state"] == "acknowledged" && open[0]["id"] == *id
    });
    let silences = list(&relay, &["silence", "--json"]);
    assert_eq!(silences.len(), 1, "{silences:?}");
    assert_eq!(silences[0]["fits"], name);
}

//! Alerts, incidents and settings of the mesh, by the command line of real relays.

use serde_json::Value;
use sporenet_tests::{relay::Relay, wait};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn list(relay: &Relay, arguments: &[&str]) -> Vec<Value> {
    let told = relay.cli(arguments);
    assert_eq!(told.code, Some(0), "{told:?}");
    told.json().as_array().cloned().unwrap_or_default()
}

/// The open incidents, as a relay sees them.
fn incidents(relay: &Relay) -> Vec<Value> {
    list(relay, &["incidents", "--json"])
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
    third.kill();
    wait::until("both hold one incident", PATIENCE, || {
        [&first, &second]
            .iter()
            .all(|relay| incidents(relay).len() == 1)
    });
    let incident = incidents(&second)[0].clone();
    assert_eq!(incident["cause"], "node_down", "{incident}");
    assert_eq!(incident["severity"], "critical", "{incident}");
    assert_eq!(incident["state"], "firing", "{incident}");
    assert_eq!(incident["nodes"], serde_json::json!([third.id()]));
    let id = incident["id"].as_str().unwrap().to_owned();
    let done = first.cli(&["ack", &id, "--note", "on my way"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    wait::until("the other sees who looks after it", PATIENCE, || {
        let incident = incidents(&second)[0].clone();
        incident["state"] == "acknowledged"
            && incident["note"] == "on my way"
            && incident["acknowledged_by"]
                .as_str()
                .unwrap()
                .starts_with("first")
    });
    let alerts = list(&second, &["alerts", "--json"]);
    assert_eq!(
        (alerts.len(), &alerts[0]["incident"]),
        (1, &Value::from(id.clone()))
    );
    let text = second.cli(&["incidents", &id]);
    assert!(
        text.stdout.contains("crashed or lost its network"),
        "{text:?}"
    );
    third.start();
    wait::until("it is over, everywhere", PATIENCE, || {
        [&first, &second, &third].iter().all(|relay| {
            incidents(relay).is_empty() && list(relay, &["incidents", "--all", "--json"]).len() == 1
        })
    });
    let over = first.cli(&["ack", &id]);
    assert_eq!(over.code, Some(1), "{over:?}");
    let unknown = first.cli(&["ack", "00000000"]);
    assert!(unknown.stderr.contains("there is no alert"), "{unknown:?}");
}

#[test]
fn a_rule_holds_on_all_nodes_and_reverting_brings_the_old_one_back() {
    let [first, second, third] = three();
    let key = "rule.resource-usage";
    let value = |relay: &Relay| {
        let told = relay.cli(&["settings", "get", key, "--json"]);
        told.json()[key]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let before = value(&first);
    // So low that every machine is beyond it.
    let rule = "resource_usage above 0 99.999 for 2s samples 2";
    let done = second.cli(&["rules", "set", "resource-usage", rule]);
    assert_eq!(done.code, Some(0), "{done:?}");
    wait::until("all follow it", PATIENCE, || {
        [&first, &second, &third]
            .iter()
            .all(|relay| value(relay) != before)
    });
    wait::until("it fires for all three, on all three", PATIENCE, || {
        [&first, &second, &third]
            .iter()
            .all(|relay| list(relay, &["alerts", "--json"]).len() == 3)
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
        [&first, &second, &third]
            .iter()
            .all(|relay| value(relay) == before && list(relay, &["alerts", "--json"]).is_empty())
    });
    let history = list(&second, &["settings", "history", key, "--json"]);
    assert_eq!(history.len(), 2, "{history:?}");
}

#[test]
fn what_was_done_about_alerts_is_there_after_a_restart() {
    let mut relay = Relay::found("alone");
    let set = relay.cli(&[
        "rules",
        "set",
        "memory-used",
        "memory above 0 - for 1s samples 1",
    ]);
    assert_eq!(set.code, Some(0), "{set:?}");
    wait::until("it fires", PATIENCE, || incidents(&relay).len() == 1);
    let id = incidents(&relay)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(relay.cli(&["ack", &id]).code, Some(0));
    let silenced = relay.cli(&["silence", "memory-used", "--for", "1h"]);
    assert_eq!(silenced.code, Some(0), "{silenced:?}");
    relay.kill();
    relay.start();
    wait::until("it still fires, and is acknowledged", PATIENCE, || {
        let open = incidents(&relay);
        open.len() == 1 && open[0]["state"] == "acknowledged" && open[0]["id"] == *id
    });
    let silences = list(&relay, &["silence", "--json"]);
    assert_eq!(
        (silences.len(), &silences[0]["fits"]),
        (1, &Value::from("memory-used"))
    );
}

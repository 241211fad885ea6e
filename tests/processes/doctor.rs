//! `sporenet doctor` finds by itself what is wrong, and says what to do.

use serde_json::Value;
use sporenet_tests::{
    nginx::Nginx,
    program::{self, Outcome},
    relay::{Relay, free_address},
    wait,
};
use std::{fs, time::Duration};

/// The findings about one thing: how serious, and in which words.
fn about(outcome: &Outcome, check: &str) -> Vec<(String, String)> {
    let report = outcome.json();
    let findings = report["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .filter(|finding| finding["check"] == check)
        .map(|finding| {
            // What is not as it should be comes with the next step, apart from or in its words.
            let in_words = ["settings", "node", "reason"].contains(&check);
            let is_bad = finding["level"] != "ok" && !in_words;
            assert!(!is_bad || finding["next"].is_string(), "{finding}");
            (text(&finding["level"]), text(&finding["found"]))
        })
        .collect()
}

fn one(outcome: &Outcome, check: &str) -> (String, String) {
    let mut all = about(outcome, check);
    assert_eq!(all.len(), 1, "{check}: {}", outcome.stdout);
    all.remove(0)
}

#[test]
fn nothing_is_wrong_with_a_sound_node() {
    let relay = Relay::found("sound");
    // However few files this machine lets a process open.
    let outcome = relay.cli(&["doctor", "--json", "--connections-max=16"]);
    for check in [
        "settings",
        "data",
        "descriptors",
        "clock",
        "version",
        "node",
        "address",
    ] {
        let (level, found) = one(&outcome, check);
        assert_eq!(level, "ok", "{found}");
    }
    assert!(
        one(&outcome, "address")
            .1
            .contains(&relay.address.to_string())
    );
    // As text: a line each.
    let words = relay.cli(&["doctor"]).stdout;
    assert!(
        words.lines().any(|line| line.starts_with("ok      data")),
        "{words}"
    );
}

#[test]
fn a_wrong_setting_is_named_before_anything_is_looked_at() {
    let outcome = program::run(["doctor", "--json", "--record-bytes-max=1"]);
    assert_eq!(outcome.code, Some(1));
    let (level, found) = one(&outcome, "settings");
    assert_eq!(level, "broken");
    assert!(found.contains("record_bytes_max"), "{found}");
}

#[test]
fn a_port_that_a_node_with_other_data_holds_is_told() {
    let relay = Relay::found("gone");
    fs::remove_dir_all(relay.data()).expect("the directory can be removed");
    let listen = format!("--listen={}", relay.address);
    let outcome = relay.cli(&["doctor", "--json", &listen]);
    assert_eq!(outcome.code, Some(1));
    let (level, found) = one(&outcome, "port");
    assert_eq!(level, "broken");
    assert!(found.contains("a node runs there"), "{found}");
}

#[test]
fn an_announced_address_where_nobody_answers_is_told() {
    let nowhere = free_address();
    let relay = Relay::with("unreached", &[&format!("--advertise={nowhere}")]);
    let outcome = relay.cli(&["doctor", "--json"]);
    assert_ne!(outcome.code, Some(0));
    let (level, found) = one(&outcome, "address");
    assert_eq!(level, "attention");
    assert!(found.contains(&nowhere.to_string()), "{found}");
}

#[test]
fn an_address_that_other_relays_do_not_reach_is_told() {
    let nowhere = free_address();
    let other = Relay::found("other");
    let link = other.invite(&[]).relay;
    let own = free_address();
    let join = format!("--join={link}");
    let advertise = format!("--advertise={nowhere},{own}");
    let listen = format!("--listen={own}");
    let relay = Relay::with("hidden", &[&join, &advertise, &listen]);
    wait::until("both are linked", Duration::from_secs(60), || {
        relay.names("alive").len() == 2
    });
    let outcome = relay.cli(&["doctor", "--json"]);
    let found = about(&outcome, "reached");
    let tells = |level: &str, words: &str| {
        let mut all = found.iter();
        all.any(|(is, found)| is == level && found.contains(words))
    };
    assert!(
        tells("attention", &format!("does not reach tcp://{nowhere}")),
        "{found:?}"
    );
    assert!(tells("ok", &format!("reaches tcp://{own}")), "{found:?}");
}

/// A relay that is announced at an nginx with this configuration for its one place.
fn behind(lines: &str) -> (Relay, Nginx) {
    let front = free_address();
    let relay = Relay::with("behind", &[&format!("--advertise=ws://{front}")]);
    let to = relay.address;
    let server =
        format!("server {{ listen {front}; location / {{ {lines} proxy_pass http://{to}; }} }}");
    let nginx = Nginx::start(&server, front.port());
    (relay, nginx)
}

#[test]
fn a_proxy_that_drops_headers_is_found() {
    // `Upgrade` is dropped by nginx unless it is told otherwise.
    let (relay, _nginx) =
        behind("proxy_set_header Host $http_host; proxy_set_header Last-Event-ID \"\";");
    let outcome = relay.cli(&["doctor", "--json"]);
    assert_eq!(outcome.code, Some(1));
    let found = about(&outcome, "proxy");
    let names = ["upgrade", "last-event-id"];
    for name in names {
        assert!(
            found.iter().any(|(_, found)| found.contains(name)),
            "{name}: {found:?}"
        );
    }
    assert_eq!(found.len(), names.len(), "{found:?}");
}

#[test]
fn a_proxy_that_names_another_host_is_found() {
    let (relay, _nginx) = behind("");
    let outcome = relay.cli(&["doctor", "--json"]);
    assert_eq!(outcome.code, Some(1));
    let (level, found) = one(&outcome, "address");
    assert_eq!(level, "broken");
    assert!(found.contains("refuses"), "{found}");
}

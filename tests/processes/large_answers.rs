//! Answers are bounded in bytes, however large the values are and however many ask at once.

use sporenet_tests::{http, relay::Relay};
use std::{thread, time::Duration};

/// How large the values are; JSON makes six bytes of each of theirs.
const VALUE_BYTES: usize = 256 * 1024;
/// How many there are.
const VALUES: usize = 40;
/// How much a page holds.
const PAGE_BYTES: usize = 1024 * 1024;
/// How many ask at once.
const READERS: usize = 6;
/// What all answers together may take, with what hyper and the allocator keep.
const GROWTH_KIB: u64 = 160 * 1024;

/// A relay with large values.
fn relay_with_large_values() -> Relay {
    let relay = Relay::found("alone");
    let value = "\u{1}".repeat(VALUE_BYTES);
    for number in 0..VALUES {
        relay
            .put("large", &format!("key-{number:03}"), &value, "local")
            .unwrap();
    }
    relay
}

#[test]
fn a_page_ends_at_its_bytes_and_its_cursor_leads_on() {
    let relay = relay_with_large_values();
    let page = relay.api("GET", "/api/v1/kv/large?limit=1000", b"").json();
    let entries = page["entries"].as_array().unwrap();
    let bytes: u64 = entries
        .iter()
        .map(|entry| entry["size"].as_u64().unwrap())
        .sum();
    assert!(!entries.is_empty() && bytes <= PAGE_BYTES as u64, "{bytes}");
    assert!(page["cursor"].is_string());
    let expected: Vec<String> = (0..VALUES).map(|n| format!("key-{n:03}")).collect();
    assert_eq!(relay.keys("large"), expected);
    for values in ["none", "preview"] {
        let path = format!("/api/v1/kv/large?limit=1000&values={values}");
        let answer = relay.api("GET", &path, b"");
        assert!(answer.body.len() < PAGE_BYTES, "{}", answer.body.len());
        let page = answer.json();
        assert_eq!(
            page["entries"].as_array().unwrap().len(),
            VALUES,
            "{values}"
        );
        assert!(page["cursor"].is_null() && page["entries"][0]["truncated"] == true);
        assert_eq!(page["entries"][0]["size"], VALUE_BYTES);
    }
}

#[test]
fn lines_are_all_that_there_is() {
    let relay = relay_with_large_values();
    let bearer = format!("Bearer {}", relay.token());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Accept", "application/x-ndjson"),
    ];
    let answer = http::request(relay.address, "GET", "/api/v1/kv/large", &headers, b"").unwrap();
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let keys: Vec<String> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| entry["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, relay.keys("large"));
    let listed = relay.cli(&["list", "large", "--json"]).expect_success();
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.len(), VALUES);
    let lines = relay.cli(&["list", "large"]).expect_success().stdout;
    assert_eq!(lines.lines().count(), VALUES);
    let empty = relay.cli(&["list", "nothing", "--json"]).expect_success();
    assert_eq!(empty.stdout.trim(), "[]");
}

#[test]
fn many_who_read_much_cost_bounded_memory() {
    let relay = relay_with_large_values();
    let before = relay.resident_kib();
    let most = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let lines = relay.api("GET", "/api/v1/kv/large?format=ndjson", b"");
                    assert_eq!(lines.text().lines().count(), VALUES);
                })
            })
            .collect();
        let watchers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut watch = relay.stream("/api/v1/kv/large/watch?initial=1", None);
                    while watch.next_event().unwrap().event.as_deref() != Some("ready") {}
                })
            })
            .collect();
        let mut most = 0;
        while !readers
            .iter()
            .chain(&watchers)
            .all(|reader| reader.is_finished())
        {
            most = most.max(relay.resident_kib());
            thread::park_timeout(Duration::from_millis(5));
        }
        most
    });
    let grown = most.saturating_sub(before);
    println!("figure: {READERS} lists and {READERS} watches at once: {grown} KiB");
    assert!(grown < GROWTH_KIB, "{grown} KiB");
}

#[test]
fn namespaces_come_in_pages() {
    let relay = Relay::found("alone");
    for number in 0..5 {
        relay
            .put(&format!("ns-{number}"), "key", "x", "local")
            .unwrap();
    }
    let first = relay.api("GET", "/api/v1/kv?limit=3", b"").json();
    assert_eq!(first["namespaces"].as_array().unwrap().len(), 3);
    assert_eq!(first["cursor"], "ns-2");
    let rest = relay
        .api("GET", "/api/v1/kv?limit=3&cursor=ns-2", b"")
        .json();
    assert_eq!(rest["namespaces"][0]["namespace"], "ns-3");
    assert!(rest["cursor"].is_null());
    let listed = relay.cli(&["list"]).expect_success().stdout;
    assert_eq!(listed.lines().count(), 6, "{listed}");
}

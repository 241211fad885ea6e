//! What was measured over time, as people ask for it.

use sporenet_tests::{relay::Relay, wait};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_relay_tells_what_it_and_others_measured_over_time() {
    let first = Relay::found("first");
    let link = first.invite(&[]).relay;
    let _second = Relay::join("second", &link);
    let series = |node: &str, name: &str| {
        let asked = first.cli(&["metrics", name, "--node", node, "--json"]);
        (asked.code == Some(0)).then(|| asked.json())
    };
    let many = |node: &str, name: &str| {
        let points = series(node, name)?;
        Some(points["points"].as_array()?.len())
    };
    wait::eventually("there is some history", PATIENCE, || {
        let seen = (
            many("first", "cpu"),
            many("first", "latency"),
            many("second", "memory"),
        );
        let enough = seen.0 >= Some(5) && seen.1 >= Some(1) && seen.2 >= Some(1);
        enough.then_some(()).ok_or(seen)
    });
    let memory = series("first", "memory").unwrap();
    let largest = memory["max"].as_f64().unwrap();
    assert!(largest > 0.0 && largest <= 100.0, "{memory}");
    let listed = first.cli(&["metrics", "--json"]).json();
    let names = listed.as_array().unwrap().iter().map(|one| &one["series"]);
    assert!(
        names.clone().any(|name| name == "journal_latency"),
        "{listed}"
    );

    let chart = first.cli(&["metrics", "cpu"]).expect_success().stdout;
    assert!(chart.contains('█'), "{chart}");
    let lines = first
        .cli(&["metrics", "cpu", "--csv"])
        .expect_success()
        .stdout;
    assert!(
        lines.starts_with("at_ms,cpu\n") && lines.lines().count() > 5,
        "{lines}"
    );

    let health = first.cli(&["health", "second", "--json"]).json();
    let network = &health[0]["terms"][0];
    assert_eq!(network["name"], "network", "{health}");
    assert!(network["value"].as_f64() > Some(0.5), "{health}");
    assert!(health[0]["score"].is_number(), "{health}");

    let top = first.cli(&["top"]);
    assert_eq!(top.code, Some(2), "{top:?}");
    assert!(top.stderr.contains("needs a terminal"), "{top:?}");

    let unknown = first.cli(&["metrics", "cpus"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(
        unknown.stderr.contains("there are cpu, memory"),
        "{unknown:?}"
    );
    let nobody = first.cli(&["metrics", "cpu", "--node", "nobody"]);
    assert!(nobody.stderr.contains("no member is called"), "{nobody:?}");
}

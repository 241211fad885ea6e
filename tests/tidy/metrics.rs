//! What `docs/ops` and `docs/api.md` say of metrics holds: each exists, under that name.

use sporenet_tests::tree;
use std::{collections::BTreeSet, fs};

fn read(path: &str) -> String {
    fs::read_to_string(tree::root().join(path)).unwrap()
}

/// The names on `/metrics` of all metrics in the table of `docs/api.md`. A name is a level where `(level …)` follows
/// it, or `(levels …)` the list that it ends; others are counters.
fn documented(page: &str) -> BTreeSet<String> {
    let (_, table) = page.split_once("| about | metrics").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut names = BTreeSet::new();
    for row in rows {
        let cell = row.splitn(3, '|').nth(2).unwrap();
        // What stands in parentheses says what the names before it are.
        for list in cell.split(')') {
            let (list, about) = list.split_once('(').unwrap_or((list, ""));
            let listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
            for (at, name) in listed.iter().enumerate() {
                let is_last = at + 1 == listed.len();
                let is_level = about.contains("levels") || (is_last && about.contains("level"));
                let end = if is_level { "" } else { "_total" };
                names.insert(format!("sporenet_{name}{end}"));
            }
        }
    }
    names
}

/// Every word of a text that is a metric's name.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("sporenet_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let known = documented(&read("docs/api.md"));
    for path in [
        "docs/ops/prometheus-rules.yml",
        "docs/ops/grafana-dashboard.json",
    ] {
        let named = named(&read(path));
        assert!(named.len() > 20, "{path} is not read: {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{path} names {unknown:?}");
    }
}

#[test]
fn every_metric_is_documented_and_measured() {
    let documented = documented(&read("docs/api.md"));
    let documented: BTreeSet<_> = documented
        .iter()
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    let sources = tree::sources();
    let code = sources.iter().filter(|source| {
        source.path.starts_with("core/src/") || source.path.starts_with("host-native/src/")
    });
    // A name is a literal of its own.
    let measured: BTreeSet<&str> = code
        .filter(|source| source.is_rust())
        .flat_map(|source| source.text.split('"'))
        .filter(|text| text.starts_with("sporenet_"))
        .filter(|text| text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'))
        .collect();
    assert!(measured.len() > 100, "the sources are not read");
    assert_eq!(documented, measured);
}

#[test]
fn a_level_and_a_counter_are_told_apart() {
    let page = "| about | metrics |\n|---|---|\n| x | `a` (level, label `of`), `b`, `c` (level), `d` |\n\
                | y | `e`, `f` (levels), `g` |\n\nText `h`.";
    let names: Vec<_> = documented(page).into_iter().collect();
    let expected = ["a", "b_total", "c", "d_total", "e", "f", "g_total"];
    assert_eq!(names, expected.map(|name| format!("sporenet_{name}")));
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("docs/ops/grafana-dashboard.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39));
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            assert!(!target["expr"].as_str().unwrap().is_empty(), "{panel}");
        }
    }
}

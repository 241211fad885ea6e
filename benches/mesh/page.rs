//! What a newcomer with a browser waits for: bytes, shell, membership. Real programs.
//!
//! Each run has a browser of its own, with an empty cache. A promise that is not kept shows in the table;
//! only the bytes are asserted, by a test of the relay.

use serde_json::{Value, json};
use sporenet_benches::{Spans, Table};
use sporenet_tests::{relay::Relay, wait, webdriver::Browser};
use std::time::Duration;

const RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to the relay.
struct Way {
    name: &'static str,
    /// Bits per second both ways, and the milliseconds that a round trip takes; `None` leaves it as it is.
    limits: Option<(u64, u64)>,
    /// When a tab has promised to be a member.
    promise: &'static str,
}

const WAYS: [Way; 2] = [
    Way {
        name: "local relay",
        limits: None,
        promise: "1.5 s",
    },
    Way {
        name: "Fast 4G",
        limits: Some((9_000_000, 60)),
        promise: "4 s",
    },
];

/// What the page's own timeline says, in milliseconds since the link was opened: the first paint with
/// content in it, the moment when the node was let in, and what was fetched until then. The worker's
/// modules are the page's, from the browser's cache; its script stands in this list too.
const TIMELINE: &str = "
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime ?? null;
    const member = at('sporenet.member'), shell = at('first-contentful-paint');
    if (member === null || shell === null) return null;
    const fetched = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter((entry) => entry.startTime < member);
    const sum = (field) => fetched.reduce((bytes, entry) => bytes + entry[field], 0);
    return {member, shell, files: fetched.length, sent: sum('encodedBodySize'), plain: sum('decodedBodySize')};
";

/// Bytes and times of tabs that join.
pub(crate) fn measure(table: &mut Table) {
    let relay = Relay::found("served");
    for way in &WAYS {
        let runs: Vec<Value> = (0..RUNS).map(|_| run(&relay, way)).collect();
        if way.limits.is_none() {
            bytes(table, &runs[0]);
        }
        times(
            table,
            way,
            "shell",
            "shell is painted",
            "0.5 s locally",
            &runs,
        );
        times(table, way, "member", "is a member", way.promise, &runs);
    }
}

/// Opens a link in a fresh browser; answers what its timeline says once the node is in.
fn run(relay: &Relay, way: &Way) -> Value {
    let link = relay.invite(&[]).browser;
    let browser = Browser::start();
    let tab = browser.open("about:blank");
    browser.turn_to(&tab);
    if let Some((bits, round_trip)) = way.limits {
        browser.devtools("Network.enable", &json!({}));
        let limits = json!({"offline": false, "latency": round_trip,
            "downloadThroughput": bits / 8, "uploadThroughput": bits / 8});
        browser.devtools("Network.emulateNetworkConditions", &limits);
    }
    browser.go(&link);
    let (timeline, _) = wait::eventually("the tab's node is in", PATIENCE, || {
        let timeline = browser.run(TIMELINE, &[]);
        if timeline.is_null() {
            Err(browser.run("return document.body.innerText", &[]))
        } else {
            Ok(timeline)
        }
    });
    timeline
}

fn bytes(table: &mut Table, run: &Value) {
    let kib = |field: &str| run[field].as_f64().unwrap_or_default() / 1_024.0;
    table.row(
        "a tab fetches until it is a member",
        &format!("{:.1} KiB", kib("sent")),
        &format!(
            "compressed, {} files, {:.1} KiB plain; the promise is 1024 KiB",
            run["files"],
            kib("plain")
        ),
    );
}

fn times(table: &mut Table, way: &Way, field: &str, what: &str, promise: &str, runs: &[Value]) {
    let millis = runs.iter().filter_map(|run| run[field].as_f64());
    let spans = millis.map(|millis| Duration::from_secs_f64(millis / 1_000.0));
    table.row(
        &format!("{}, link opened until the {what}", way.name),
        &Spans::of(spans.collect()).show(),
        &format!(
            "median / p99 / max of {RUNS}, headless Chromium, empty cache; the promise is {promise}"
        ),
    );
}

//! How long it takes to join, and until a put is seen elsewhere. Real programs.

use serde_json::json;
use sporenet_benches::{Spans, Table};
use sporenet_tests::{
    http::EventStream, mesh::Mesh, page::Page, relay::Relay, wait, webdriver::Browser,
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const JOINS: usize = 5;
const PUTS: usize = 200;

/// Joins and puts.
pub(crate) fn measure(table: &mut Table) {
    join(table);
    put_to_relay(table);
    put_to_tab(table);
}

fn join(table: &mut Table) {
    let founder = Relay::found("founder");
    let link = founder.invite(&[]).relay;
    let spans = (1..=JOINS).map(|number| {
        let start = Instant::now();
        let joined = Relay::join(&format!("joiner-{number}"), &link);
        wait::until("both list each other", Duration::from_secs(30), || {
            let id = joined.id();
            joined.names("alive").contains(&"founder".to_owned())
                && founder.state_of(&id).as_deref() == Some("alive")
        });
        start.elapsed()
    });
    let spans = Spans::of(spans.collect());
    table.row(
        "join, process start to both listing each other",
        &spans.show(),
        &format!("median / p99 / max of {JOINS}, real relays"),
    );
}

fn put_to_relay(table: &mut Table) {
    let mesh = Mesh::of(2);
    let mut watch = mesh.relays[1].stream("/api/v1/kv/bench/watch", None);
    let spans = (0..PUTS).map(|number| {
        let key = format!("key-{number}");
        let start = Instant::now();
        mesh.relays[0]
            .put("bench", &key, "value", "local")
            .expect("a put is taken");
        seen(&mut watch, &key);
        start.elapsed()
    });
    let spans = Spans::of(spans.collect());
    table.row(
        "put on one relay until another's watcher has it",
        &spans.show(),
        &format!("median / p99 / max of {PUTS}, HTTP put, server-sent events"),
    );
}

fn seen(watch: &mut EventStream, key: &str) {
    while !watch
        .next_event()
        .is_ok_and(|event| event.data.contains(&format!("\"{key}\"")))
    {}
}

fn put_to_tab(table: &mut Table) {
    let mesh = Mesh::of(2);
    let browser = Browser::start();
    let page = Page::open(&browser, &mesh.links.browser);
    let watch = "window.seen = {}; window.sporenet.watch('bench', (entry) => {\
        window.seen[entry.key] = performance.timeOrigin + performance.now(); });";
    page.script(watch, &[]).expect("a watch starts");
    let _ = page.value("bench", "nothing yet");
    let spans = (0..PUTS).map(|number| {
        let key = format!("key-{number}");
        let start = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970");
        mesh.relays[0]
            .put("bench", &key, "value", "local")
            .expect("a put is taken");
        let (at, _) = wait::eventually("the tab has it", Duration::from_secs(10), || {
            let at = page
                .here()
                .run("return window.seen[arguments[0]] ?? null", &[json!(key)]);
            at.as_f64().ok_or(())
        });
        Duration::from_secs_f64(at / 1_000.0).saturating_sub(start)
    });
    let spans = Spans::of(spans.collect());
    table.row(
        "put on one relay until a tab's watcher has it",
        &spans.show(),
        &format!("median / p99 / max of {PUTS}, headless Chromium, 0.1 ms clock"),
    );
}

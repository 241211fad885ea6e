//! How the nodes are, as each told last. What was never measured is unknown, never zero.

use crate::{
    page::{
        each::{each, memo, when},
        parts,
        state::App,
    },
    route::Place,
    words,
};
use sporenet_core::node::snapshot::{NodeHealth, NodeVitals};
use sycamore::prelude::*;

/// The most nodes in the table; each node's page shows its own.
const ROWS_MAX: usize = 60;

/// The vitals of all nodes.
pub(crate) fn table(app: App) -> View {
    let say = app.say;
    let items = memo(move || {
        app.state.vitals.with(|vitals| {
            let rows = vitals.iter().take(ROWS_MAX);
            rows.map(|vitals| (vitals.id.clone(), vitals.clone()))
                .collect::<Vec<_>>()
        })
    });
    let rows = each(items, move |vitals| row(app, vitals));
    let left_out = when(
        move || app.state.vitals.with(Vec::len).saturating_sub(ROWS_MAX),
        move |more| match more {
            0 => View::new(),
            more => {
                let text = crate::catalogue::count(
                    crate::page::state::as_u64(more),
                    (say.left_out_one, say.left_out_many),
                );
                view! { p(class="muted small") { (text) } }
            }
        },
    );
    view! {
        div(class="table-wrap") {
            table(class="cards") {
                thead { tr {
                    th(scope="col") { (say.node) }
                    th(scope="col", class="number") { (say.health) }
                    th(scope="col", class="number") { (say.cpu) }
                    th(scope="col", class="number") { (say.memory) }
                    th(scope="col", class="number") { (say.disk) }
                    th(scope="col", class="number") { (say.network_in) }
                    th(scope="col", class="number") { (say.network_out) }
                    th(scope="col", class="number") { (say.loop_lag) }
                    th(scope="col", class="number") { (say.journal) }
                    th(scope="col", class="number") { (say.told) }
                } }
                tbody { (rows) }
            }
        }
        (left_out)
    }
}

fn row(app: App, vitals: ReadSignal<NodeVitals>) -> View {
    let (id, name) = vitals.with_untracked(|one| (one.id.clone(), one.name.to_string()));
    let href = Place::Node(id.clone()).href();
    let health = health(app, id);
    let cells: Vec<View> = figures(app)
        .into_iter()
        .map(|(name, of)| {
            let value = parts::known(app, move || vitals.with(|vitals| of(app, vitals)));
            view! { td(class="number", data-label=name) { (value) } }
        })
        .collect();
    view! {
        tr {
            th(scope="row") { a(href=href) { (name) } }
            td(class="number", data-label=app.say.health) { (health) }
            (cells)
        }
    }
}

type Figure = (&'static str, fn(App, &NodeVitals) -> Option<String>);

/// What a node tells of itself, with its name.
pub(crate) fn figures(app: App) -> [Figure; 8] {
    let say = app.say;
    [
        (say.cpu, |_, vitals| {
            vitals.cpu_permille.map(words::permille)
        }),
        (say.memory, |_, vitals| memory(vitals)),
        (say.disk, |_, vitals| disk(vitals)),
        (say.network_in, |_, vitals| rate(vitals.network_rx)),
        (say.network_out, |_, vitals| rate(vitals.network_tx)),
        (say.loop_lag, |_, vitals| millis(vitals.loop_lag_ms)),
        (say.journal, |_, vitals| millis(vitals.journal_latency_ms)),
        (say.told, |app, vitals| {
            vitals.age_ms.map(|age| words::ago(app.say, age))
        }),
    ]
}

fn memory(vitals: &NodeVitals) -> Option<String> {
    match vitals.memory_used_kib {
        Some(_) => words::percent(vitals.memory_used_kib, vitals.memory_limit_kib),
        None => words::percent(vitals.heap_used_kib, vitals.heap_limit_kib),
    }
}

fn disk(vitals: &NodeVitals) -> Option<String> {
    match vitals.disk_used_kib {
        Some(_) => words::percent(vitals.disk_used_kib, vitals.disk_total_kib),
        None => words::percent(vitals.storage_used_kib, vitals.storage_quota_kib),
    }
}

fn rate(bytes: Option<u64>) -> Option<String> {
    bytes.map(|bytes| format!("{}/s", words::bytes(bytes)))
}

fn millis(millis: Option<u64>) -> Option<String> {
    millis.map(|millis| format!("{millis} ms"))
}

/// What is known of a node's health; tracked.
pub(crate) fn health_of(app: App, id: &str) -> Option<NodeHealth> {
    app.state.health.with(|health| {
        let mut found = health.iter().filter(|health| health.node == id);
        found.next().cloned()
    })
}

/// A node's health in one figure, with what it consists of as its title.
pub(crate) fn health(app: App, id: String) -> View {
    let figure = move || {
        let health = health_of(app, &id)?;
        let score = health.score?;
        let terms = health.terms.iter().map(|term| match term.value {
            Some(value) => format!("{} {:.0} %", term.name, value * 100.0),
            None => format!("{} {}", term.name, app.say.unknown),
        });
        let terms = terms.collect::<Vec<_>>().join(", ");
        Some((
            health.healthy == Some(true),
            format!("{:.0} %", score * 100.0),
            terms,
        ))
    };
    when(figure, move |figure| {
        let Some((is_good, score, terms)) = figure else {
            return view! { span(class="muted") { (app.say.unknown) } };
        };
        let class = if is_good { "health good" } else { "health bad" };
        view! { span(class=class, title=terms) { (score) } }
    })
}

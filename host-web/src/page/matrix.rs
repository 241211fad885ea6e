//! Who reaches whom in which time: a row for who pings, a column for who answers.

use crate::{
    catalogue::{count, fill},
    page::{
        each::{memo, text, when},
        state::{App, as_u64},
    },
    words,
};
use sporenet_core::node::snapshot::PathView;
use std::collections::BTreeMap;
use sycamore::prelude::*;

/// The most nodes that the matrix shows.
const NODES_MAX: usize = 12;

type Paths = BTreeMap<(String, String), PathView>;
type Nodes = Vec<(String, String)>;

/// The round trips of this node and those that others told.
pub(crate) fn panel(app: App) -> View {
    let say = app.say;
    let paths: ReadSignal<Paths> = memo(move || {
        app.state.paths.with(|paths| {
            let paths = paths.iter();
            paths
                .map(|path| ((path.from.clone(), path.to.clone()), path.clone()))
                .collect()
        })
    });
    let shown = when(
        move || paths.with(nodes),
        move |nodes| {
            if nodes.is_empty() {
                view! { p(class="empty") { (say.no_matrix) } }
            } else {
                table(app, nodes, paths)
            }
        },
    );
    view! {
        section(class="panel", aria-labelledby="matrix-title") {
            div(class="panel-head") {
                h2(id="matrix-title") { (say.round_trips) }
                p(class="muted") { (say.matrix_text) }
            }
            (shown)
        }
    }
}

/// Those between which something was measured, with their names, by name.
fn nodes(paths: &Paths) -> Nodes {
    let ends = paths.values().flat_map(|path| {
        [
            (path.from.clone(), path.from_name.to_string()),
            (path.to.clone(), path.to_name.to_string()),
        ]
    });
    let nodes: BTreeMap<String, String> = ends.collect();
    let mut nodes: Nodes = nodes.into_iter().collect();
    nodes.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.cmp(&b.0)));
    nodes
}

fn table(app: App, mut nodes: Nodes, paths: ReadSignal<Paths>) -> View {
    let left_out = as_u64(nodes.len().saturating_sub(NODES_MAX));
    nodes.truncate(NODES_MAX);
    let columns: Vec<View> = nodes
        .iter()
        .map(|(_, name)| {
            let name = name.clone();
            view! { th(scope="col", class="number") { (name) } }
        })
        .collect();
    let rows: Vec<View> = nodes
        .iter()
        .map(|(from, name)| {
            let cells = nodes.iter();
            let cells: Vec<View> = cells.map(|(to, _)| cell(app, from, to, paths)).collect();
            let name = name.clone();
            view! { tr { th(scope="row") { (name) } (cells) } }
        })
        .collect();
    let more = match left_out {
        0 => View::new(),
        more => {
            let text = count(more, (app.say.left_out_one, app.say.left_out_many));
            view! { p(class="muted small") { (text) } }
        }
    };
    view! {
        div(class="table-wrap", tabindex="0", role="group", aria-labelledby="matrix-title") {
            table(class="matrix") {
                thead { tr { td {} (columns) } }
                tbody { (rows) }
            }
        }
        (more)
    }
}

fn cell(app: App, from: &str, to: &str, paths: ReadSignal<Paths>) -> View {
    if from == to {
        return view! { td(class="number muted") { "–" } };
    }
    let ends = (from.to_owned(), to.to_owned());
    let path = memo(move || paths.with(|paths| paths.get(&ends).cloned()));
    let class = move || match path.get_clone() {
        None => "number muted",
        Some(path) if is_lossy(&path) => "number bad",
        Some(_) => "number",
    };
    let title = memo(move || match path.get_clone() {
        None => app.say.not_told.into(),
        Some(path) => fill(
            app.say.cell_title,
            &[
                &format!("{:.1}", path.min_ms),
                &format!("{:.1}", path.jitter_ms),
                &format!("{:.1}", path.loss * 100.0),
                &words::ago(app.say, path.age_ms),
            ],
        ),
    });
    let shown = text(move || match path.get_clone() {
        None => "·".into(),
        Some(path) if is_lossy(&path) => {
            let (rtt, loss) = (
                format!("{:.1}", path.rtt_ms),
                format!("{:.0}", path.loss * 100.0),
            );
            fill(app.say.cell_lost, &[&rtt, &loss])
        }
        Some(path) => format!("{:.1} ms", path.rtt_ms),
    });
    view! { td(class=class, title=title) { (shown) } }
}

fn is_lossy(path: &PathView) -> bool {
    path.loss > 0.02
}

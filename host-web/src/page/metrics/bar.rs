//! Above the charts: whose series, how much time, zooming, and the file.

use crate::{
    catalogue::{count, fill},
    draw::{
        csv,
        range::{self, Range},
    },
    page::{
        dom,
        each::{memo, text, when},
        metrics::{
            NODE, RANGE,
            board::Board,
            figure, gather,
            outlook::{FORECAST, OFF},
            own, series_of,
        },
        recordings,
        state::{App, State, as_u64},
    },
    words,
};
use std::{collections::BTreeMap, rc::Rc};
use sycamore::prelude::*;

/// The most nodes to choose from.
const NODES_MAX: usize = 500;
/// The most points of each series in a file.
const POINTS_MAX: u32 = 2_000;

/// What a node is called; tracked.
pub(super) fn called(app: App, node: &str) -> String {
    if node == own(app.state) {
        return words::here().into();
    }
    let listed = app.state.metrics.list.with(|list| {
        let mut found = list.iter().filter(|one| one.node == node);
        found.next().map(|one| one.name.clone())
    });
    listed.unwrap_or_else(|| app.state.called(node))
}

/// The bar.
pub(super) fn bar(board: &Rc<Board>, node: ReadSignal<String>, range: ReadSignal<Range>) -> View {
    let (app, say) = (board.app, board.app.say.charts());
    let state = app.state;
    let (nodes, ranges) = (nodes(app, node), ranges(app, range));
    let forecast = forecast(board);
    let (shown, moment) = (shown(board, range), moment(board));
    let zoom = move |is_in: bool| {
        let range = range.get_untracked();
        let window = range.window(state.now_ms.get_untracked(), 0);
        let cursor = state.metrics.cursor.get_untracked();
        let around = cursor.unwrap_or_else(|| window.at(0.5));
        figure::show(state, Some(range::zoomed(window, around, is_in)), true);
    };
    let saved = Rc::clone(board);
    view! {
        section(class="panel metrics-bar", aria-label=app.say.metrics) {
            div(class="controls") {
                div(class="field metrics-node") {
                    label(r#for="metrics-node") { (say.node) }
                    select(id="metrics-node", on:change=move |_| choose(state, NODE, &dom::field("metrics-node"))) { (nodes) }
                }
                div(class="field") {
                    span(class="field-name", id="metrics-range") { (say.range) }
                    div(class="segments", role="group", aria-labelledby="metrics-range") { (ranges) }
                }
                (forecast)
                div(class="row metrics-acts") {
                    button(class="button small", r#type="button", aria-label=say.zoom_out, aria-keyshortcuts="-",
                        on:click=move |_| zoom(false)) { "−" }
                    button(class="button small", r#type="button", aria-label=say.zoom_in, aria-keyshortcuts="+",
                        on:click=move |_| zoom(true)) { "+" }
                    button(id="metrics-csv", class="button small", r#type="button", title=say.csv_hint,
                        on:click=move |_| save(&saved, node)) { (say.csv) }
                }
            }
            p(class="metrics-now") { (shown) (moment) }
        }
    }
}

fn nodes(app: App, chosen: ReadSignal<String>) -> View {
    let state = app.state;
    let known = memo(move || {
        let own = own(state);
        let mut nodes: BTreeMap<String, String> = state.metrics.list.with(|list| {
            let others = list.iter().filter(|one| one.node != own);
            others
                .map(|one| (one.node.clone(), one.name.clone()))
                .collect()
        });
        let chosen = chosen.get_clone();
        if chosen != own && !nodes.contains_key(&chosen) {
            let name = state.called(&chosen);
            nodes.insert(chosen, name);
        }
        let mut nodes: Vec<(String, String)> = nodes.into_iter().collect();
        nodes.sort_by(|a, b| a.1.cmp(&b.1));
        let surplus = nodes.len().saturating_sub(NODES_MAX);
        nodes.truncate(NODES_MAX);
        (nodes, surplus)
    });
    when(
        move || known.get_clone(),
        move |(nodes, surplus)| {
            let here = core::iter::once((String::new(), words::here().to_owned()));
            let options: Vec<View> = here
                .chain(nodes)
                .map(|(id, name)| {
                    let of = id.clone();
                    let is_chosen = move || {
                        let chosen = chosen.get_clone();
                        chosen == of || of.is_empty() && chosen == own(state)
                    };
                    view! { option(value=id, prop:selected=is_chosen) { (name) } }
                })
                .collect();
            let more = match surplus {
                0 => View::new(),
                more => {
                    let text = count(as_u64(more), (app.say.left_out_one, app.say.left_out_many));
                    view! { option(disabled=true) { (text) } }
                }
            };
            view! { (options) (more) }
        },
    )
}

fn ranges(app: App, range: ReadSignal<Range>) -> View {
    let (state, say) = (app.state, app.say.charts());
    let names = [
        say.last_10m,
        say.last_1h,
        say.last_2h,
        say.last_6h,
        say.last_24h,
        say.last_2d,
    ];
    let buttons: Vec<View> = range::LAST
        .into_iter()
        .zip(names)
        .map(|((word, span), name)| {
            let is_chosen = move || {
                let range = range.get();
                (range.fixed.is_none() && range.last_ms == span).to_string()
            };
            let follow = move |_| {
                let route = state.route.get_clone_untracked();
                let word = Range::of(word, "", "").word();
                let route = route.with(RANGE, word).with(super::FROM, "").with(super::TO, "");
                dom::go(&route.href());
            };
            view! {
                button(class="segment", r#type="button", aria-pressed=is_chosen, on:click=follow) { (name) }
            }
        })
        .collect();
    view! { (buttons) }
}

/// Whether the window reaches into the future, where there is a forecast.
fn forecast(board: &Rc<Board>) -> View {
    let (state, say, reach) = (board.app.state, board.app.say.charts(), board.reach_ms);
    let is_on = memo(move || state.route.with(|route| route.chosen(FORECAST) != OFF));
    when(
        move || reach.get() > 0,
        move |is_there| {
            if !is_there {
                return View::new();
            }
            let turn = move |_| {
                let next = if is_on.get_untracked() { OFF } else { "" };
                choose(state, FORECAST, next);
            };
            view! {
                label(class="check") {
                    input(id="metrics-forecast", r#type="checkbox", prop:checked=move || is_on.get(), on:change=turn)
                    (say.forecast)
                }
            }
        },
    )
}

/// Changes what the address says, with a step of the history.
fn choose(state: State, name: &str, value: &str) {
    let route = state.route.get_clone_untracked().with(name, value);
    dom::go(&route.href());
}

/// Whether the time is followed; if not, which window is shown, and the way back.
fn shown(board: &Rc<Board>, range: ReadSignal<Range>) -> View {
    let (state, say) = (board.app.state, board.app.say.charts());
    let board = Rc::clone(board);
    when(
        move || range.with(|range| range.fixed),
        move |fixed| match fixed {
            None => view! { span(class="is-live") { (say.live) } },
            Some(window) => {
                let (from, to) = (board.moment(window.from), board.moment(window.until));
                let text = fill(say.shown_window, &[&from, &to]);
                view! {
                    span(class="shown-window") { (text) }
                    button(id="metrics-live", class="button small", r#type="button", aria-keyshortcuts="0",
                        on:click=move |_| figure::show(state, None, true)) { (say.back_to_live) }
                }
            }
        },
    )
}

/// The moment under the cursor, and what happened then.
fn moment(board: &Rc<Board>) -> View {
    let (cursor, at_it) = (board.cursor, Rc::clone(board));
    let told = text(move || match cursor.get() {
        None => String::new(),
        Some(at) => {
            let happened = at_it.happened_at(at);
            core::iter::once(at_it.moment(at))
                .chain(happened)
                .collect::<Vec<_>>()
                .join(" · ")
        }
    });
    view! { span(class="at-cursor") { (told) } }
}

/// Hands over what is shown as a file.
fn save(board: &Rc<Board>, node: ReadSignal<String>) {
    let (app, window) = (board.app, board.window.get_untracked());
    let node = node.get_clone_untracked();
    let series = series_of(app.state, &node);
    let file = recordings::file_name(&called(app, &node), "csv");
    gather::gather(
        app,
        node,
        (series, window, POINTS_MAX),
        || true,
        move |got| {
            let there = got.iter().filter(|one| !one.points.is_empty());
            let columns: Vec<(&str, &[(u64, f64)])> = there
                .map(|one| (one.series.as_str(), one.points.as_slice()))
                .collect();
            let text = csv::csv(&columns, window, dom::iso);
            // A browser that saves no files says so itself.
            let _ = dom::download(text.as_bytes(), &file);
        },
    );
}

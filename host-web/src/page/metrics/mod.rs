//! Charts of what nodes measured: one window, one cursor, any node.
//!
//! | file | what lives there |
//! |---|---|
//! | `known` | what lives as long as the page: the cursor, which series there are, the lowest health |
//! | `board` | what several charts share, and when they ask and are drawn |
//! | `plot` | one chart: what it shows, and a frame of it |
//! | `figure` | a chart on the page: caption, pointer, table |
//! | `bar` | the node, the range, zooming, the file |
//! | `outlook` | what is unusual about this node's series, and where they go |
//! | `changed` | which series moved farthest in the window |
//! | `gather` | asking for many series, one after the other |
//! | `small` | the charts of the overview and of a node's page |
//! | `tried` | a rule that is tried out, over history |
//! | `measure` | how long frames take; only in the gallery |

mod bar;
mod board;
mod changed;
mod figure;
mod gather;
mod known;
#[cfg(feature = "gallery")]
mod measure;
mod outlook;
mod plot;
mod small;
mod tried;

pub(crate) use known::Metrics;
pub(crate) use small::{of_node, overview};
pub(crate) use tried::{tried, whose};

use crate::{
    catalogue::fill,
    draw::range::{self, Range},
    page::{
        dom,
        each::{each, memo, text, when},
        parts,
        state::{App, State, put},
        vitals,
    },
    route::Place,
};
use board::Board;
use plot::{Line, Plot};
use std::rc::Rc;
use sycamore::prelude::*;
use web_sys::KeyboardEvent;

/// What the address says: whose series, how much of the last time, and the ends of a fixed window.
const NODE: &str = "node";
const RANGE: &str = "range";
const FROM: &str = "from";
const TO: &str = "to";

/// The name of the lowest health, which is no series of the store.
const LOWEST_HEALTH: &str = "lowest_health";
/// The mean round trip, and the quantiles that are in its chart.
const LATENCY: &str = "latency";
const LATENCY_P50: &str = "latency_p50";
const LATENCY_P99: &str = "latency_p99";
/// The series that come first, whether they were measured or not.
const FIRST: [&str; 8] = [
    "cpu",
    "memory",
    "loop_lag",
    LATENCY,
    "messages_in",
    "messages_out",
    "writes",
    "error_rate",
];
/// The most charts of a node.
const CHARTS_MAX: usize = 40;
/// How often it is asked which series there are, in milliseconds.
const LIST_MS: u64 = 30_000;

/// What the address says of the range; tracked.
fn chosen_range(state: State) -> Range {
    state
        .route
        .with(|route| Range::of(route.chosen(RANGE), route.chosen(FROM), route.chosen(TO)))
}

/// Whose series are shown; tracked. Empty before this node knows who it is.
fn chosen_node(state: State) -> String {
    let chosen = state.route.with(|route| route.chosen(NODE).to_owned());
    if chosen.is_empty() {
        own(state)
    } else {
        chosen
    }
}

/// This node; tracked.
fn own(state: State) -> String {
    state
        .status
        .with(|status| status.as_ref().map(|status| status.id.clone()))
        .unwrap_or_default()
}

/// What people call a series.
pub(crate) fn name(app: App, series: &str) -> String {
    let say = app.say.charts();
    let known = match series {
        "cpu" => say.cpu,
        "memory" => say.memory,
        "disk" => say.disk,
        "received" => say.received,
        "sent" => say.sent,
        "descriptors" => say.descriptors,
        "loop_lag" => say.loop_lag,
        "journal_latency" => say.journal_latency,
        "send_queue" => say.send_queue,
        LATENCY => say.latency,
        LATENCY_P50 => say.latency_p50,
        LATENCY_P99 => say.latency_p99,
        "loss" => say.loss,
        "links" => say.links,
        "alive" => say.alive,
        "dead" => say.dead,
        "messages_in" => say.messages_in,
        "messages_out" => say.messages_out,
        "writes" => say.writes,
        "error_rate" => say.error_rate,
        "shard_variance" => say.shard_variance,
        "health" => say.health,
        "spread" => say.spread,
        LOWEST_HEALTH => say.lowest_health,
        _ => return series.replace('_', " "),
    };
    known.into()
}

/// The view.
pub(crate) fn view(app: App) -> View {
    let state = app.state;
    let range = memo(move || chosen_range(state));
    let node = memo(move || chosen_node(state));
    put(state.metrics.cursor, None);
    let board = Board::of(app, range, state.metrics.cursor, true);
    follow_list(app);
    outlook::follow(&board, node);
    let (heading, bar) = (
        parts::heading(app.say.metrics),
        bar::bar(&board, node, range),
    );
    let (charts, changed) = (charts(&board, node), changed::panel(&board, node));
    let (vitals, title) = (
        vitals::table(app),
        text(move || {
            fill(
                app.say.charts().charts_of,
                &[&bar::called(app, &node.get_clone())],
            )
        }),
    );
    let spoken = spoken(&board);
    view! {
        (heading)
        (bar)
        div(class="metrics") {
            section(class="panel", aria-labelledby="charts-title") {
                div(class="panel-head") {
                    h2(id="charts-title") { (title) }
                    p(class="muted small") { (app.say.charts().how_to) }
                }
                (charts)
            }
            (changed)
        }
        (spoken)
        section(class="panel vitals", aria-labelledby="vitals-title") {
            div(class="panel-head") { h2(id="vitals-title") { (app.say.all_vitals) } }
            (vitals)
        }
    }
}

/// Asks now and again which series there are, while the view is open.
fn follow_list(app: App) {
    let beat = memo(move || app.state.now_ms.get() / LIST_MS);
    create_effect(move || {
        beat.track();
        // The answer may be there at once, which no effect may set signals under.
        dom::soon(move || known::ask_list(app));
    });
}

/// The series of a node, in the order of their charts; tracked.
fn series_of(state: State, node: &str) -> Vec<String> {
    let mut series: Vec<String> = FIRST.iter().map(|name| (*name).to_owned()).collect();
    state.metrics.list.with(|list| {
        let own = list.iter().filter(|one| one.node == node);
        for one in own {
            if !series.contains(&one.series) {
                series.push(one.series.clone());
            }
        }
    });
    series.truncate(CHARTS_MAX);
    series
}

/// The series in whose chart a series is.
fn chart_of(series: &str) -> &str {
    match series {
        LATENCY_P50 | LATENCY_P99 => LATENCY,
        other => other,
    }
}

/// The place of a series' chart on the page.
fn chart_id(series: &str) -> String {
    format!("series-{}", chart_of(series))
}

/// The chart of a series of a node; of the latency with its quantiles.
fn plot_of(app: App, node: &str, series: &str) -> Rc<Plot> {
    let (title, say) = (name(app, series), app.say.charts());
    let line = |series: &str, name: &str| Line::new(series, name.into(), Some(node.to_owned()));
    let lines = match series {
        LATENCY => vec![
            line(LATENCY, say.mean),
            line(LATENCY_P50, say.p50),
            line(LATENCY_P99, say.p99),
        ],
        other => vec![line(other, &title)],
    };
    Plot::new(title, lines)
}

fn charts(board: &Rc<Board>, node: ReadSignal<String>) -> View {
    let (app, board) = (board.app, Rc::clone(board));
    when(
        move || node.get_clone(),
        move |node| {
            if node.is_empty() {
                return View::new();
            }
            let (board, whose) = (Rc::clone(&board), node.clone());
            let items = memo(move || {
                let series = series_of(app.state, &node);
                let own = series.into_iter().filter(|one| chart_of(one) == one);
                let items = own.map(|one| (one.clone(), one));
                items.collect::<Vec<_>>()
            });
            let charts = each(items, move |series| {
                chart(&board, &whose, &series.get_clone_untracked())
            });
            view! { div(class="plots") { (charts) } }
        },
    )
}

fn chart(board: &Rc<Board>, node: &str, series: &str) -> View {
    let plot = plot_of(board.app, node, series);
    let words = outlook::words(board.app, &plot);
    figure::figure(board, &plot, chart_id(series), words)
}

/// What the charts say where a key moved the cursor to, read aloud.
fn spoken(board: &Rc<Board>) -> View {
    let (metrics, said) = (board.app.state.metrics, create_signal(String::new()));
    let board = Rc::clone(board);
    create_effect(move || {
        if metrics.by_key.get() == 0 {
            return;
        }
        let board = Rc::clone(&board);
        // After the next frame the charts say what is there.
        dom::at_frame(move || {
            let at = metrics.cursor.get_untracked();
            if let Some(at) = at.filter(|_| said.is_alive()) {
                let text = format!("{}: {}", board.moment(at), board.aloud());
                board.app.state.change(|| put(said, text));
            }
        });
    });
    on_cleanup(move || metrics.by_key.set_silent(0));
    view! { p(class="visually-hidden", role="status", aria-live="polite") { (said.get_clone()) } }
}

/// Takes a key of the view: the cursor, the zoom. Says whether it did.
pub(crate) fn take_key(state: State, event: &KeyboardEvent) -> bool {
    let is_here = state
        .route
        .with_untracked(|route| route.place == Place::Metrics);
    if !is_here {
        return false;
    }
    let range = chosen_range(state);
    let window = range.window(state.now_ms.get_untracked(), 0);
    let cursor = state.metrics.cursor.get_untracked();
    let zoom = |is_in: bool| {
        let around = cursor.unwrap_or_else(|| window.at(0.5));
        figure::show(state, Some(range::zoomed(window, around, is_in)), false);
    };
    match event.key().as_str() {
        key @ ("ArrowLeft" | "ArrowRight") => {
            let is_right = key == "ArrowRight";
            let at = range::moved(window, cursor, is_right, event.shift_key());
            state.change(|| {
                put(state.metrics.cursor, Some(at));
                let moves = state.metrics.by_key;
                moves.set(moves.get_untracked().wrapping_add(1));
            });
        }
        "+" | "=" => zoom(true),
        "-" => zoom(false),
        "0" => figure::show(state, None, true),
        _ => return false,
    }
    true
}

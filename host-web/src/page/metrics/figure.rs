//! A chart on the page: its caption, its canvas under the pointer, and its table.

use crate::{
    catalogue::fill,
    draw::{range, time::Window, twin::Row},
    page::{
        dom,
        each::{memo, text, when},
        metrics::{board::Board, plot::Plot},
        state::{State, put},
    },
};
use std::rc::Rc;
use sycamore::{
    prelude::*,
    web::events::{Event, PointerEvent},
};
use wasm_bindgen::JsCast;

/// A chart that is part of a board for as long as it is on the page.
pub(super) fn figure(board: &Rc<Board>, plot: &Rc<Plot>, id: String, below: View) -> View {
    board.add(plot);
    let (leaver, left) = (Rc::clone(board), Rc::clone(plot));
    on_cleanup(move || leaver.drop_plot(&left));
    let canvas = create_node_ref();
    let (painter, painted) = (Rc::clone(board), Rc::clone(plot));
    create_effect(move || {
        let canvas = canvas.try_get();
        let canvas = canvas.and_then(|canvas| canvas.dyn_into::<web_sys::HtmlCanvasElement>().ok());
        if let Some(canvas) = canvas {
            painter.watch_canvas(&canvas);
            painted.put_on(canvas);
            painter.ask_frame();
        }
    });
    let picture = picture(board, plot, canvas);
    let (said, twin) = (said(plot), twin(board, plot));
    let title = plot.title.clone();
    view! {
        figure(class="plot", id=id, tabindex="-1") {
            figcaption {
                span(class="plot-title") { (title) }
                (said)
            }
            (picture)
            (below)
            (twin)
        }
    }
}

/// What the series say, at the cursor or at last. Only texts change while the cursor moves.
fn said(plot: &Rc<Plot>) -> View {
    let (said, is_one) = (plot.said, plot.lines.len() == 1);
    let who = move || {
        said.with(|said| {
            let who = said.iter();
            who.map(|one| (one.mark, one.class, one.name.clone()))
                .collect::<Vec<_>>()
        })
    };
    when(who, move |who| {
        let items: Vec<View> = who
            .into_iter()
            .enumerate()
            .map(|(place, (mark, class, name))| {
                // The title names the only series already.
                let name = if is_one && place == 0 {
                    View::new()
                } else {
                    view! { span(class="said-name") { (name) } }
                };
                let value = text(move || {
                    said.with(|said| said.get(place).map(|one| one.text.clone()))
                        .unwrap_or_default()
                });
                view! {
                    span(class="said") {
                        span(class=class, aria-hidden="true") { (mark) }
                        (name)
                        b { (value) }
                    }
                }
            })
            .collect();
        view! { span(class="plot-said") { (items) } }
    })
}

fn picture(board: &Rc<Board>, plot: &Rc<Plot>, canvas: NodeRef) -> View {
    let label = plot.label;
    let label = memo(move || label.get_clone());
    let class = if board.can_zoom {
        "plot-canvas zooms"
    } else {
        "plot-canvas"
    };
    let of = |act: fn(&Board, &Plot, &PointerEvent)| {
        let (board, plot) = (Rc::clone(board), Rc::clone(plot));
        move |event: PointerEvent| act(&board, &plot, &event)
    };
    let (down, moved, up) = (of(press), of(point), of(release));
    let (left, cancelled) = (of(leave), of(give_up));
    let back = Rc::clone(board);
    view! {
        canvas(class=class, role="img", aria-label=label, r#ref=canvas,
            on:pointerdown=down, on:pointermove=moved, on:pointerup=up,
            on:pointerleave=left, on:pointercancel=cancelled,
            on:dblclick=move |_| if back.can_zoom { show(back.app.state, None, true) })
    }
}

fn point(board: &Board, plot: &Plot, event: &PointerEvent) {
    let x = f64::from(event.offset_x());
    if let Some((from, _)) = plot.brush.get() {
        plot.brush.set(Some((from, x)));
        plot.repaint();
        board.ask_frame();
    }
    put(board.cursor, plot.moment_at(x));
}

fn press(board: &Board, plot: &Plot, event: &PointerEvent) {
    let x = f64::from(event.offset_x());
    if board.can_zoom && event.button() == 0 && event.is_primary() && plot.moment_at(x).is_some() {
        plot.brush.set(Some((x, x)));
        if let Some(canvas) = plot.canvas() {
            // Without it a brush ends at the edge of the canvas.
            let _ = canvas.set_pointer_capture(event.pointer_id());
        }
    }
    put(board.cursor, plot.moment_at(x));
}

fn release(board: &Board, plot: &Plot, _: &PointerEvent) {
    if let Some(window) = plot.brushed() {
        put(board.cursor, None);
        show(board.app.state, Some(range::at_least(window)), true);
    }
    board.ask_frame();
}

fn leave(board: &Board, plot: &Plot, event: &PointerEvent) {
    // What a finger pointed at stays.
    if plot.brush.get().is_none() && event.pointer_type() == "mouse" {
        put(board.cursor, None);
    }
}

fn give_up(board: &Board, plot: &Plot, _: &PointerEvent) {
    plot.brush.set(None);
    plot.repaint();
    board.ask_frame();
}

/// Shows a fixed window, or follows the time again; with a step of the browser's history or without.
pub(super) fn show(state: State, window: Option<Window>, is_step: bool) {
    let (from, to) = match window {
        Some(window) => (window.from.to_string(), window.until.to_string()),
        None => (String::new(), String::new()),
    };
    let route = state.route.get_clone_untracked();
    let route = route.with(super::FROM, &from).with(super::TO, &to);
    if is_step {
        dom::go(&route.href());
    } else {
        dom::restate(&route.href());
        state.route.set(route);
    }
}

/// The table that says what the picture says; it is made while it is open.
fn twin(board: &Rc<Board>, plot: &Rc<Plot>) -> View {
    let (say, words) = (board.app.say.charts(), board.words);
    let label = fill(say.table_of, &[&plot.title]);
    let (rows, opened, asked) = (plot.rows, Rc::clone(plot), Rc::clone(board));
    let toggle = move |event: Event| {
        let details = event.current_target();
        let open = details.and_then(|details| js_sys::Reflect::get(&details, &"open".into()).ok());
        opened
            .is_open
            .set(open.is_some_and(|open| open.is_truthy()));
        opened.renew();
        asked.ask_frame();
    };
    let table = when(
        move || rows.get_clone(),
        move |rows| {
            if rows.is_empty() {
                return View::new();
            }
            let headings: Vec<View> = words
                .headings
                .into_iter()
                .map(|heading| view! { th(scope="col", class="number") { (heading) } })
                .collect();
            let rows: Vec<View> = rows.into_iter().map(row).collect();
            view! {
                div(class="table-wrap") {
                    table(class="cards") {
                        thead { tr { th(scope="col") { (say.series) } (headings) } }
                        tbody { (rows) }
                    }
                }
            }
        },
    );
    view! {
        details(class="twin", on:toggle=toggle) {
            summary(aria-label=label) { (say.as_table) }
            (table)
        }
    }
}

fn row(row: Row) -> View {
    let cells: Vec<View> = row
        .values
        .into_iter()
        .map(|value| view! { td(class="number", data-label=value.label) { (value.text) } })
        .collect();
    view! { tr { th(scope="row") { (row.name) } (cells) } }
}

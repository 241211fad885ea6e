//! The table that says what a picture says. Its rows are made when it is opened, not before.

use crate::{
    catalogue::fill,
    draw::twin::Row,
    page::{
        each::{each, memo, text, when},
        state::App,
    },
};
use sycamore::prelude::*;
use wasm_bindgen::JsCast;

/// The most rows.
const ROWS_MAX: usize = 200;

/// A table behind a summary. `make` gives the rows, each with where its name leads; the heading of the
/// first column is `first`.
pub(crate) fn view(
    app: App,
    summary: impl FnMut() -> String + 'static,
    first: &'static str,
    make: impl Fn() -> Vec<(Row, String)> + 'static,
) -> View {
    let is_open = create_signal(false);
    let summary = text(summary);
    let rows = create_memo(move || if is_open.get() { make() } else { Vec::new() });
    let shown = when(
        move || is_open.get(),
        move |is_open| {
            if is_open {
                table(app, first, rows)
            } else {
                View::new()
            }
        },
    );
    view! {
        details(class="twin", on:toggle=move |event: web_sys::Event| {
            let details = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
            is_open.set(details.is_some_and(|details| details.has_attribute("open")));
        }) {
            summary { (summary) }
            (shown)
        }
    }
}

fn table(app: App, first: &'static str, rows: ReadSignal<Vec<(Row, String)>>) -> View {
    let labels = memo(move || {
        rows.with(|rows| {
            let values = rows.first().map(|(row, _)| row.values.clone());
            let labels = values.unwrap_or_default().into_iter();
            labels.map(|value| value.label).collect::<Vec<_>>()
        })
    });
    let headings = when(
        move || labels.get_clone(),
        |labels| {
            let labels: Vec<View> = labels
                .into_iter()
                .map(|label| view! { th(scope="col") { (label) } })
                .collect();
            labels.into()
        },
    );
    let items = memo(move || {
        rows.with(|rows| {
            let rows = rows.iter().take(ROWS_MAX).cloned().enumerate();
            rows.collect::<Vec<_>>()
        })
    });
    let body = each(items, row);
    let more = when(
        move || rows.with(Vec::len),
        move |all| {
            if all <= ROWS_MAX {
                return View::new();
            }
            let text = fill(
                app.say.topology().first_rows,
                &[&ROWS_MAX.to_string(), &all.to_string()],
            );
            view! { p(class="muted small") { (text) } }
        },
    );
    view! {
        div(class="table-wrap", tabindex="0") {
            table(class="cards") {
                thead { tr { th(scope="col") { (first) } (headings) } }
                tbody { (body) }
            }
        }
        (more)
    }
}

fn row(row: ReadSignal<(Row, String)>) -> View {
    let name = text(move || row.with(|(row, _)| row.name.clone()));
    let href = move || row.with(|(_, href)| href.clone());
    let values = when(
        move || row.with(|(row, _)| row.values.clone()),
        |values| {
            let cells: Vec<View> = values
                .into_iter()
                .map(|value| view! { td(data-label=value.label) { (value.text) } })
                .collect();
            cells.into()
        },
    );
    view! { tr { th(scope="row") { a(href=href) { (name) } } (values) } }
}

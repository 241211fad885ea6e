//! Keys that work on every view, and the list of them. None is taken while someone types in a field.

use crate::{
    page::{
        alerts, dom,
        each::when,
        frame, metrics, palette,
        state::{App, Stage, State},
        topology,
    },
    route::Section,
};
use core::cell::Cell;
use sycamore::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, KeyboardEvent};

/// The dialog that lists the keys.
const DIALOG: &str = "keys";
/// A key that is marked so is where `/` leads.
pub(crate) const FILTER: &str = "filter";
/// How long a `g` waits for the key that says where to, in milliseconds.
const THEN_MS: f64 = 1_500.0;

/// Listens for the page's life.
pub(crate) fn listen(state: State) {
    let Some((_, document)) = dom::window_and_document() else {
        return;
    };
    // When `g` was pressed, if it waits for what follows.
    let went = Cell::new(None);
    dom::listen(&document, "keydown", move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
            take(state, event, &went);
        }
    });
}

fn take(state: State, event: &KeyboardEvent, went: &Cell<Option<f64>>) {
    let key = event.key();
    let is_in = state.stage.with_untracked(|stage| *stage == Stage::Mesh);
    if (event.ctrl_key() || event.meta_key()) && !event.alt_key() && key.eq_ignore_ascii_case("k") {
        event.prevent_default();
        if is_in {
            palette::open(state);
        }
        return;
    }
    let is_plain = !(event.ctrl_key() || event.meta_key() || event.alt_key());
    if !is_plain || event.is_composing() || types(event) || is_dialog_open() {
        went.set(None);
        return;
    }
    let waits = went
        .take()
        .is_some_and(|at| event.time_stamp() - at < THEN_MS);
    if waits && is_in {
        let to = frame::sections(state)
            .into_iter()
            .find(|section| key.chars().eq([section.key()]));
        if let Some(section) = to {
            event.prevent_default();
            dom::go(&section.place().href());
            return;
        }
    }
    match key.as_str() {
        "g" => went.set(Some(event.time_stamp())),
        "?" => open(state),
        "/" if dom::element(FILTER).is_some() => {
            event.prevent_default();
            dom::focus(FILTER);
        }
        "m" if topology::take_key(state) => event.prevent_default(),
        "a" | "r" | "s" => alerts::take_key(state, event),
        _ if is_in && metrics::take_key(state, event) => event.prevent_default(),
        _ => {}
    }
}

/// Whether the key goes into a field.
fn types(event: &KeyboardEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| {
        target
            .closest(
                "input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]",
            )
            .is_ok_and(|field| field.is_some())
    })
}

fn is_dialog_open() -> bool {
    dom::window_and_document()
        .and_then(|(_, document)| document.query_selector("dialog[open]").ok()?)
        .is_some()
}

/// Opens a dialog of the page.
pub(crate) fn show_dialog(id: &str) {
    let dialog = dom::element(id).and_then(|dialog| dialog.dyn_into::<HtmlDialogElement>().ok());
    if let Some(dialog) = dialog.filter(|dialog| !dialog.open()) {
        // It is on the page and closed, so it opens.
        let _ = dialog.show_modal();
    }
}

/// Closes a dialog of the page.
pub(crate) fn close_dialog(id: &str) {
    let dialog = dom::element(id).and_then(|dialog| dialog.dyn_into::<HtmlDialogElement>().ok());
    if let Some(dialog) = dialog {
        dialog.close();
    }
}

/// Lists the keys.
pub(crate) fn open(state: State) {
    state.keys_open.set(true);
    show_dialog(DIALOG);
}

/// The list of keys, in a dialog that is closed until it is asked for.
pub(crate) fn dialog(app: App) -> View {
    let state = app.state;
    let list = when(
        move || state.keys_open.get(),
        move |is_open| if is_open { list(app) } else { View::new() },
    );
    view! {
        dialog(id=DIALOG, class="dialog", aria-labelledby="keys-title",
            on:close=move |_| state.keys_open.set(false)) {
            div(class="panel-head") {
                h2(id="keys-title") { (app.say.keys_title) }
                button(class="button small", r#type="button", on:click=|_| close_dialog(DIALOG)) { (app.say.close) }
            }
            (list)
        }
    }
}

fn list(app: App) -> View {
    let say = app.say;
    let jumps: Vec<View> = frame::sections(app.state)
        .into_iter()
        .map(|section: Section| {
            let key = section.key().to_string();
            view! {
                div { dt { kbd { "g" } " " (say.keys_then) " " kbd { (key) } } dd { (frame::name(app, section)) } }
            }
        })
        .collect();
    view! {
        dl(class="keys") {
            div { dt { kbd { "Ctrl K" } " · " kbd { "⌘ K" } } dd { (say.keys_palette) } }
            div { dt { kbd { "/" } } dd { (say.keys_filter) } }
            (jumps)
            div { dt { kbd { "a" } " · " kbd { "r" } " · " kbd { "s" } } dd { (say.alerts().keys_incident) } }
            div { dt { kbd { "m" } } dd { (say.topology().keys_map) } }
            div { dt { kbd { "←" } " · " kbd { "→" } } dd { (say.charts().keys_cursor) } }
            div { dt { kbd { "+" } " · " kbd { "-" } " · " kbd { "0" } } dd { (say.charts().keys_zoom) } }
            div { dt { kbd { "?" } } dd { (say.keys_this) } }
            div { dt { kbd { "Esc" } } dd { (say.keys_close) } }
        }
        p(class="muted small") { (say.keys_not_typing) }
    }
}

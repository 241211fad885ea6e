//! What happened, newest first.

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::{each, memo, text, when},
        parts,
        state::App,
    },
    words,
};
use sporenet_core::node::snapshot::TimelineEntry;
use sycamore::prelude::*;

/// The most entries in one list; older ones stay with the node.
const SHOWN_MAX: usize = 100;

/// The entries that `wanted` takes, or `empty` if there are none. What `wanted` reads is followed.
pub(crate) fn list(
    app: App,
    wanted: impl Fn(&TimelineEntry) -> bool + 'static,
    empty: &'static str,
) -> View {
    let found = memo(move || {
        app.state.timeline.with(|timeline| {
            let found = timeline.iter().filter(|entry| wanted(entry));
            found
                .map(|entry| ((entry.wall.as_millis(), entry.id), entry.clone()))
                .collect::<Vec<_>>()
        })
    });
    let entries =
        memo(move || found.with(|found| found.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>()));
    let older = text(move || match found.with(Vec::len).checked_sub(SHOWN_MAX) {
        None | Some(0) => String::new(),
        Some(older) => fill(app.say.older_entries, &[&older.to_string()]),
    });
    let list = when(
        move || entries.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (empty) } };
            }
            let items = each(entries, move |entry| item(app, entry));
            view! { ol(class="events", tabindex="0", aria-label=app.say.timeline_entries) { (items) } }
        },
    );
    view! { (list) p(class="muted small older") { (older) } }
}

/// An entry never changes; only how long ago it was does.
fn item(app: App, entry: ReadSignal<TimelineEntry>) -> View {
    let entry = entry.get_clone_untracked();
    let wall = entry.wall.as_millis();
    let class = format!("event {}", words::severity(entry.severity));
    let word = words::severity_said(app.say, entry.severity);
    let shape = parts::severity_shape(entry.severity);
    let (iso, moment) = (dom::iso(wall), dom::moment(wall));
    let ago = text(move || app.state.since(app.say, wall));
    view! {
        li(class=class) {
            span(class="event-shape") { (shape) span(class="visually-hidden") { (word) } }
            div {
                p(class="event-text") { (entry.text) }
                p(class="event-meta") {
                    time(datetime=iso, title=moment) { (ago) }
                    span(class="mono") { (entry.code) }
                    span(class="event-word") { (word) }
                }
            }
        }
    }
}

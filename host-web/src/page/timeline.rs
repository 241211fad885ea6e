//! What happened, newest first.

use crate::{
    page::{
        dom,
        live::{derived, live},
        parts,
        state::Console,
    },
    words,
};
use sporenet_core::node::snapshot::TimelineEntry;
use sycamore::prelude::*;

/// The most entries on the page; older ones stay with the node.
const SHOWN_MAX: usize = 100;

pub(crate) fn panel(console: Console) -> View {
    let entries = derived(move || {
        console
            .timeline
            .with(|entries| entries.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>())
    });
    let empty = derived(move || entries.with(Vec::is_empty));
    let list = live(move || {
        if empty.get() {
            return view! { p(class="empty") { "Nothing has happened yet. Joins, suspicions, deaths and refusals appear here with their causes." } };
        }
        view! {
            ol(class="events", tabindex="0", aria-label="Timeline entries") {
                Keyed(list=entries, view=move |entry| item(console, entry), key=|entry| (entry.wall.as_millis(), entry.id))
            }
        }
    });
    view! {
        section(class="panel timeline", aria-labelledby="timeline-title") {
            div(class="panel-head") {
                h2(id="timeline-title") { "Timeline" }
                p(class="muted") { "newest first" }
            }
            (list)
        }
    }
}

fn item(console: Console, entry: TimelineEntry) -> View {
    let wall = entry.wall.as_millis();
    let age = derived(move || words::ago(console.now_ms.get().saturating_sub(wall)));
    let (shape, word) = (
        parts::severity_shape(entry.severity),
        words::severity(entry.severity),
    );
    let class = format!("event {word}");
    let (iso, moment) = (dom::iso(wall), dom::moment(wall));
    let (text, code) = (entry.text, entry.code);
    view! {
        li(class=class) {
            span(class="event-shape") { (shape) span(class="visually-hidden") { (word) } }
            div {
                p(class="event-text") { (text) }
                p(class="event-meta") {
                    time(datetime=iso, title=moment) { (age) }
                    span(class="mono") { (code) }
                    span(class="event-word") { (word) }
                }
            }
        }
    }
}

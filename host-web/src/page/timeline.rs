//! What happened, newest first.

use crate::{
    page::{
        dom, parts,
        state::State,
        view::{Slot, View, view},
    },
    words,
};
use sporenet_core::node::snapshot::TimelineEntry;

/// The most entries on the page; older ones stay with the node.
const SHOWN_MAX: usize = 100;

pub(crate) fn panel(state: &State) -> View {
    let entries = state.timeline.iter().take(SHOWN_MAX);
    let items: Vec<_> = entries
        .map(|entry| {
            let wall = entry.wall.as_millis();
            (format!("{wall} {}", entry.id), item(state, entry, wall))
        })
        .collect();
    let list = if items.is_empty() {
        view!(
            "<p class='empty'>Nothing has happened yet. Joins, suspicions, deaths and refusals appear here \
             with their causes.</p>"
        )
    } else {
        view!(
            "<ol class='events' tabindex='0' aria-label='Timeline entries'>{}</ol>",
            items
        )
    };
    view!(
        "<section class='panel timeline' aria-labelledby='timeline-title'>\
           <div class='panel-head'><h2 id='timeline-title'>Timeline</h2><p class='muted'>newest first</p></div>\
           {}\
         </section>",
        list
    )
}

fn item(state: &State, entry: &TimelineEntry, wall: u64) -> View {
    let word = words::severity(entry.severity);
    view!(
        "<li class='{}'>\
           <span class='event-shape'>{}<span class='visually-hidden'>{}</span></span>\
           <div>\
             <p class='event-text'>{}</p>\
             <p class='event-meta'>\
               <time datetime='{}' title='{}'>{}</time><span class='mono'>{}</span><span class='event-word'>{}</span>\
             </p>\
           </div>\
         </li>",
        format!("event {word}"),
        parts::severity_shape(entry.severity),
        word,
        entry.text.as_str(),
        Slot::Made(wall, dom::iso),
        Slot::Made(wall, dom::moment),
        words::ago(state.now_ms.saturating_sub(wall)),
        entry.code.as_str(),
        word,
    )
}

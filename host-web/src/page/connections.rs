//! Each connection and what is being done about it; in the header, the sum of it.

use crate::{
    page::{
        state::State,
        view::{Slot, View, view},
    },
    protocol::Phase,
    words,
};
use sporenet_core::node::snapshot::Connection;

/// The connection in one line: its class and its words.
fn summary(state: &State) -> (&'static str, String) {
    if state.status.is_none() {
        let words = match &state.phase {
            Phase::NeedsLink | Phase::Failed(_) => "not joined",
            Phase::Departed => "left",
            Phase::Loading
            | Phase::Running { .. }
            | Phase::Admitted
            | Phase::Fenced { .. }
            | Phase::StorageLost { .. } => "starting",
        };
        return ("pill waiting", words.into());
    }
    let connections = state.connections.iter();
    let linked = connections.filter(|connection| is_linked(connection));
    let linked = u64::try_from(linked.count()).unwrap_or(u64::MAX);
    if linked > 0 {
        return (
            "pill good",
            format!("linked to {}", words::count(linked, "relay", "relays")),
        );
    }
    if !state.online {
        return (
            "pill bad",
            "this device is offline; redials when it is back".into(),
        );
    }
    let waits = state.connections.iter();
    match waits.filter_map(|connection| connection.retry_in_ms).min() {
        Some(millis) => (
            "pill bad",
            format!(
                "offline, next try in {}",
                words::span(millis.saturating_add(999))
            ),
        ),
        None => ("pill waiting", "connecting".into()),
    }
}

fn is_linked(connection: &Connection) -> bool {
    connection.doing.starts_with("linked")
}

pub(crate) fn pill(state: &State) -> View {
    let (class, words) = summary(state);
    view!(
        "<p class='{}' role='status'><span class='pill-dot' aria-hidden='true'></span>{}</p>",
        class,
        words
    )
}

/// The connections, or that there are none.
pub(crate) fn list(state: &State) -> View {
    if state.connections.is_empty() {
        return view!("<p class='empty'>No relay is known yet.</p>");
    }
    let connections = state.connections.iter();
    let items: Vec<_> = connections
        .map(|connection| item(state, connection))
        .collect();
    view!("<ul class='links'>{}</ul>", items)
}

pub(crate) fn panel(state: &State) -> View {
    view!(
        "<section class='panel connections' aria-labelledby='connections-title'>\
           <div class='panel-head'><h2 id='connections-title'>Connections</h2></div>\
           {}\
           <p class='muted small'>Lost connections are redialled for ever, each time after a longer wait. \
             Writes made meanwhile are kept and sent.</p>\
         </section>",
        list(state)
    )
}

fn item(state: &State, connection: &Connection) -> View {
    let peer = connection.peer.as_deref();
    let name = peer.map(|id| state.name_of(id).unwrap_or_else(|| words::short(id)));
    let failures = match connection.failures {
        0 => Slot::Nothing,
        number => Slot::Text(format!(
            " · {} failed in a row",
            words::count(u64::from(number), "attempt", "attempts")
        )),
    };
    view!(
        "<li class='{}'>\
           <span class='link-name'>{}</span>\
           <span class='mono link-address'>{}</span>\
           <span class='link-doing'>{}{}</span>\
         </li>",
        if is_linked(connection) {
            "link good"
        } else {
            "link bad"
        },
        name.unwrap_or("a relay at"),
        connection.address.to_string(),
        connection.doing.as_str(),
        failures,
    )
}

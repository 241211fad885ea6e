//! Each connection and what is being done about it; in the header, the sum of it.

use crate::{
    page::{
        live::{derived, live},
        state::Console,
    },
    protocol::Phase,
    words,
};
use sporenet_core::node::snapshot::Connection;
use sycamore::prelude::*;

/// The connection in one line: its class and its words.
fn summary(console: Console) -> (&'static str, String) {
    if console.status.with(Option::is_none) {
        let words = match console.phase.get_clone() {
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
    let (linked, soonest) = console.connections.with(|connections| {
        let linked = connections
            .iter()
            .filter(|connection| is_linked(connection))
            .count();
        let soonest = connections
            .iter()
            .filter_map(|connection| connection.retry_in_ms)
            .min();
        (u64::try_from(linked).unwrap_or(u64::MAX), soonest)
    });
    if linked > 0 {
        return (
            "pill good",
            format!("linked to {}", words::count(linked, "relay", "relays")),
        );
    }
    if !console.online.get() {
        return (
            "pill bad",
            "this device is offline; redials when it is back".into(),
        );
    }
    match soonest {
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

pub(crate) fn pill(console: Console) -> View {
    let class = derived(move || String::from(summary(console).0));
    let words = derived(move || summary(console).1);
    view! {
        p(class=class, role="status") {
            span(class="pill-dot", aria-hidden="true") {}
            (words)
        }
    }
}

/// The connections, or that there are none.
pub(crate) fn list(console: Console) -> View {
    live(move || {
        let connections = console.connections.get_clone();
        if connections.is_empty() {
            return view! { p(class="empty") { "No relay is known yet." } };
        }
        let items = connections
            .into_iter()
            .map(|connection| item(console, connection));
        let items = View::from(items.collect::<Vec<_>>());
        view! { ul(class="links") { (items) } }
    })
}

pub(crate) fn panel(console: Console) -> View {
    let list = list(console);
    view! {
        section(class="panel connections", aria-labelledby="connections-title") {
            div(class="panel-head") { h2(id="connections-title") { "Connections" } }
            (list)
            p(class="muted small") {
                "Lost connections are redialled for ever, each time after a longer wait. Writes made meanwhile \
                 are kept and sent."
            }
        }
    }
}

fn item(console: Console, connection: Connection) -> View {
    let linked = is_linked(&connection);
    let peer = connection.peer;
    let name = move || {
        let id = peer.as_deref()?;
        let known = console
            .members
            .with(|members| members.get(id).map(|member| member.name.to_string()));
        Some(known.unwrap_or_else(|| words::short(id).to_owned()))
    };
    let address = connection.address.to_string();
    let title = name().unwrap_or_else(|| "a relay at".into());
    let failures = match connection.failures {
        0 => String::new(),
        number => format!(
            " · {} failed in a row",
            words::count(u64::from(number), "attempt", "attempts")
        ),
    };
    let class = if linked { "link good" } else { "link bad" };
    let doing = connection.doing;
    view! {
        li(class=class) {
            span(class="link-name") { (title) }
            span(class="mono link-address") { (address) }
            span(class="link-doing") { (doing) (failures) }
        }
    }
}

//! Each connection and what is being done about it; in the header, the sum of it.

use crate::{
    catalogue::{count, fill},
    page::{
        each::{each, memo, text, when},
        parts,
        state::{App, as_u64},
    },
    protocol::Phase,
    words,
};
use sporenet_core::node::snapshot::Connection;
use sycamore::prelude::*;

/// The connection in one line: its class and its words.
fn summary(app: App) -> (&'static str, String) {
    let (state, say) = (app.state, app.say);
    if state.status.with(Option::is_none) {
        let words = state.phase.with(|phase| match phase {
            Phase::NeedsLink | Phase::Failed(_) => say.pill_not_joined,
            Phase::Departed => say.pill_left,
            Phase::Loading
            | Phase::Running { .. }
            | Phase::Admitted
            | Phase::Fenced { .. }
            | Phase::StorageLost { .. } => say.pill_starting,
        });
        return ("pill waiting", words.into());
    }
    state.connections.with(|connections| {
        let linked = connections
            .iter()
            .filter(|connection| is_linked(connection));
        let linked = as_u64(linked.count());
        if linked > 0 {
            let relays = count(linked, (say.relays_one, say.relays_many));
            return ("pill good", fill(say.pill_linked, &[&relays]));
        }
        if !state.online.get() {
            return ("pill bad", say.pill_device_offline.into());
        }
        let waits = connections.iter();
        match waits.filter_map(|connection| connection.retry_in_ms).min() {
            Some(millis) => {
                let wait = words::span(millis.saturating_add(999));
                ("pill bad", fill(say.pill_offline, &[&wait]))
            }
            None => ("pill waiting", say.pill_connecting.into()),
        }
    })
}

fn is_linked(connection: &Connection) -> bool {
    connection.doing.starts_with("linked")
}

/// The sum of all connections, in the header.
pub(crate) fn pill(app: App) -> View {
    let summary = memo(move || summary(app));
    let class = memo(move || summary.with(|(class, _)| *class));
    let words = text(move || summary.with(|(_, words)| words.clone()));
    view! {
        p(class=move || class.get(), role="status") {
            span(class="pill-dot", aria-hidden="true")
            (words)
        }
    }
}

/// The connections, or that there are none.
pub(crate) fn list(app: App) -> View {
    let connections = app.state.connections;
    let items = memo(move || {
        connections.with(|connections| {
            let items = connections.iter().enumerate();
            // One address may be dialled for two reasons.
            items
                .map(|(place, one)| (format!("{place} {}", one.address), one.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || connections.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (app.say.no_relay) } };
            }
            let list = each(items, move |connection| item(app, connection));
            view! { ul(class="links") { (list) } }
        },
    )
}

/// The view.
pub(crate) fn view(app: App) -> View {
    let (heading, list) = (parts::heading(app.say.connections), list(app));
    view! {
        (heading)
        section(class="panel connections") {
            (list)
            p(class="muted small") { (app.say.connections_hint) }
        }
    }
}

fn item(app: App, connection: ReadSignal<Connection>) -> View {
    let class = memo(move || {
        if connection.with(is_linked) {
            "link good"
        } else {
            "link bad"
        }
    });
    let name = text(move || match connection.with(|one| one.peer.clone()) {
        Some(peer) => app.state.called(&peer),
        None => app.say.a_relay_at.into(),
    });
    let address = text(move || connection.with(|one| one.address.to_string()));
    let doing = text(move || connection.with(|one| one.doing.clone()));
    let failures = text(
        move || match connection.with(|one| u64::from(one.failures)) {
            0 => String::new(),
            number => format!(
                " · {}",
                count(number, (app.say.failed_one, app.say.failed_many))
            ),
        },
    );
    view! {
        li(class=move || class.get()) {
            span(class="link-name") { (name) }
            span(class="mono link-address") { (address) }
            span(class="link-doing") { (doing) (failures) }
        }
    }
}

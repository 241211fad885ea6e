//! The node table, worst first. On a narrow page each row becomes a card.

use crate::{
    page::{
        live::{derived, live, shown},
        parts,
        state::Console,
    },
    words,
};
use sporenet_core::{kernel::id::Role, node::snapshot::Member};
use sycamore::prelude::*;

pub(crate) fn panel(console: Console) -> View {
    let more = derived(move || {
        let shown = u64::try_from(console.order.with(Vec::len)).unwrap_or(0);
        let all = console.status.with(|status| {
            status.as_ref().map_or(0, |status| {
                let counts = status.members;
                u64::from(counts.alive)
                    + u64::from(counts.suspect)
                    + u64::from(counts.dead)
                    + u64::from(counts.left)
                    + u64::from(counts.parked)
            })
        });
        all.saturating_sub(shown)
    });
    let more = live(move || match more.get() {
        0 => View::new(),
        more => {
            let text = format!(
                "and {} more in good order",
                words::count(more, "node", "nodes")
            );
            view! { p(class="muted more") { (text) } }
        }
    });
    view! {
        section(class="panel nodes", aria-labelledby="nodes-title") {
            div(class="panel-head") {
                h2(id="nodes-title") { "Nodes" }
                p(class="muted") { "worst first" }
            }
            div(class="table-wrap") {
                table(class="cards") {
                    thead {
                        tr {
                            th(scope="col") { "Node" }
                            th(scope="col") { "State" }
                            th(scope="col") { "Role" }
                            th(scope="col") { "Zone" }
                            th(scope="col", class="number") { "Incarnation" }
                            th(scope="col", class="number") { "Round trip" }
                            th(scope="col", class="number") { "Last heard" }
                            th(scope="col", class="number") { "In this state" }
                        }
                    }
                    tbody {
                        Keyed(
                            list=console.order,
                            view=move |id| row(console, id),
                            key=|id| id.clone(),
                        )
                    }
                }
            }
            (more)
        }
    }
}

fn row(console: Console, id: String) -> View {
    let title = id.clone();
    let anchor = format!("node-{id}");
    let short = words::short(&id).to_owned();
    let member = derived(move || console.members.with(|members| members.get(&id).cloned()));
    let cell = move |of: fn(&Member) -> String| {
        derived(move || member.with(|member| member.as_ref().map(of).unwrap_or_default()))
    };
    let name = cell(|member| member.name.to_string());
    let state = derived(move || member.with(|member| member.as_ref().map(|member| member.state)));
    let reason = cell(|member| member.reason.clone().unwrap_or_default());
    let role = cell(|member| role_word(member).into());
    let zone = cell(|member| {
        member
            .zone
            .as_ref()
            .map_or_else(|| "–".into(), ToString::to_string)
    });
    let incarnation = cell(|member| member.incarnation.to_string());
    let rtt = cell(|member| {
        if member.this_node {
            "–".into()
        } else {
            member.rtt_ms.map_or_else(unknown, words::rtt)
        }
    });
    let heard = cell(|member| {
        if member.this_node {
            "–".into()
        } else {
            member.last_heard_ms.map_or_else(unknown, words::ago)
        }
    });
    let since = cell(|member| words::span(member.since_ms));
    let this_node = derived(move || {
        member.with(|member| member.as_ref().is_some_and(|member| member.this_node))
    });
    let linked =
        derived(move || member.with(|member| member.as_ref().is_some_and(|member| member.linked)));
    let class = cell(|member| words::state(member.state).into());
    let tag = live(move || match (this_node.get(), linked.get()) {
        (true, _) => view! { span(class="tag here") { "this tab" } },
        (false, true) => view! { span(class="tag") { "linked" } },
        (false, false) => View::new(),
    });
    let state = shown(state, |state| {
        let (shape, word) = (parts::state_shape(state), words::state(state));
        view! { (shape) (word) }
    });
    view! {
        tr(id=anchor, tabindex="-1", class=class) {
            th(scope="row", class="node", title=title) {
                span(class="node-name") { (name) }
                span(class="node-id mono") { (short) }
                (tag)
            }
            td(data-label="State") {
                span(class="state") { (state) }
                span(class="reason") { (reason) }
            }
            td(data-label="Role") { (role) }
            td(data-label="Zone") { (zone) }
            td(data-label="Incarnation", class="number") { (incarnation) }
            td(data-label="Round trip", class="number") { (rtt) }
            td(data-label="Last heard", class="number") { (heard) }
            td(data-label="In this state", class="number") { (since) }
        }
    }
}

fn unknown() -> String {
    "unknown".into()
}

const fn role_word(member: &Member) -> &'static str {
    match member.role {
        Role::Relay => "relay",
        Role::Tab => "tab",
    }
}

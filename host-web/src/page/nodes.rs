//! All members: filtered, sorted, worst first unless asked otherwise.
//!
//! Only the rows in sight are on the page, so that a thousand members scroll as smoothly as ten. All rows are
//! of one height for that.

use crate::{
    catalogue::{count, fill},
    page::{
        dom,
        each::{each, memo, text, when},
        keys, parts,
        scroll::{self, Window},
        state::{App, State, as_u64},
        vitals,
    },
    route::Place,
    words,
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{Member, NodeHealth},
};
use std::collections::BTreeMap;
use sycamore::prelude::*;

/// The most nodes on the overview.
const WORST_MAX: usize = 6;
/// What stands in the address for each order.
const ORDERS: [&str; 5] = ["", "name", "rtt", "heard", "health"];
const STATES: [MemberState; 5] = [
    MemberState::Alive,
    MemberState::Suspect,
    MemberState::Dead,
    MemberState::Parked,
    MemberState::Left,
];

type Rows = Vec<(String, Member)>;

/// The view.
pub(crate) fn view(app: App) -> View {
    let rows = memo(move || wanted(app.state));
    let window = Window::of(move || rows.with(Vec::len));
    let (heading, controls, table) = (
        parts::heading(app.say.nodes),
        controls(app, rows),
        table(app, rows, window),
    );
    let more = more(app);
    view! {
        (heading)
        section(class="panel nodes", aria-label=app.say.nodes) { (controls) (table) (more) }
    }
}

/// The members that the address asks for, in its order; tracked.
fn wanted(state: State) -> Rows {
    let (q, wanted, order) = state.route.with(|route| {
        let chosen = |name| route.chosen(name).to_owned();
        (chosen("q").to_lowercase(), chosen("state"), chosen("sort"))
    });
    let mut rows: Rows = state.members.with(|members| {
        let found = members.iter().filter(|member| {
            (wanted.is_empty() || words::state(member.state) == wanted) && matches(member, &q)
        });
        found
            .map(|member| (member.id.clone(), member.clone()))
            .collect()
    });
    // The order of the core, worst first, stays among equals.
    match order.as_str() {
        "name" => rows.sort_by_key(|(_, member)| member.name.to_string().to_lowercase()),
        "rtt" => rows.sort_by(|(_, a), (_, b)| {
            let of = |member: &Member| member.rtt_ms.unwrap_or(f64::INFINITY);
            of(a).total_cmp(&of(b))
        }),
        "heard" => rows.sort_by_key(|(_, member)| member.last_heard_ms.unwrap_or(u64::MAX)),
        "health" => {
            let scores = state.health.with(|health| scores(health));
            rows.sort_by(|(a, _), (b, _)| {
                let of = |id| scores.get(id).copied().unwrap_or(f64::INFINITY);
                of(a).total_cmp(&of(b))
            });
        }
        _ => {}
    }
    rows
}

fn scores(health: &[NodeHealth]) -> BTreeMap<String, f64> {
    let known = health.iter();
    known
        .filter_map(|health| Some((health.node.clone(), health.score?)))
        .collect()
}

/// Whether a member has all the typed words in its name, identity, zone or role.
fn matches(member: &Member, typed: &str) -> bool {
    let zone = member.zone.as_ref().map(ToString::to_string);
    let role = words::role(&crate::catalogue::ENGLISH, member.role);
    let all = format!(
        "{} {} {} {role}",
        member.name,
        member.id,
        zone.unwrap_or_default()
    );
    let all = all.to_lowercase();
    typed.split_whitespace().all(|word| all.contains(word))
}

/// Writes a choice into the address, without a step of the history.
fn choose(state: State, name: &str, value: &str) {
    let route = state.route.get_clone_untracked().with(name, value);
    dom::restate(&route.href());
    state.route.set(route);
}

fn controls(app: App, rows: ReadSignal<Rows>) -> View {
    let (state, say) = (app.state, app.say);
    let typed = move || state.route.with(|route| route.chosen("q").to_owned());
    let states = options(
        STATES.map(|one| (words::state(one), words::state_said(say, one))),
        ("", say.any_state),
        memo(move || state.route.with(|route| route.chosen("state").to_owned())),
    );
    let names = [say.sort_name, say.sort_rtt, say.sort_heard, say.sort_health];
    let orders = ORDERS.into_iter().skip(1).zip(names);
    let orders = options(
        orders,
        ("", say.sort_worst),
        memo(move || state.route.with(|route| route.chosen("sort").to_owned())),
    );
    let shown = text(move || {
        let all = state.members.with(Vec::len).to_string();
        fill(say.shown_of, &[&rows.with(Vec::len).to_string(), &all])
    });
    view! {
        div(class="controls", role="search") {
            div(class="field wide") {
                label(r#for=keys::FILTER) { (say.filter_nodes) }
                input(id=keys::FILTER, r#type="search", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    prop:value=typed, aria-keyshortcuts="/",
                    on:input=move |_| choose(state, "q", &dom::field(keys::FILTER)))
            }
            div(class="field") {
                label(r#for="filter-state") { (say.state) }
                select(id="filter-state", on:change=move |_| choose(state, "state", &dom::field("filter-state"))) { (states) }
            }
            div(class="field") {
                label(r#for="sort") { (say.sort_by) }
                select(id="sort", on:change=move |_| choose(state, "sort", &dom::field("sort"))) { (orders) }
            }
            p(class="muted shown", role="status") { (shown) }
        }
    }
}

/// The options of a choice; the one that is chosen follows the address.
fn options(
    options: impl IntoIterator<Item = (&'static str, &'static str)>,
    first: (&'static str, &'static str),
    chosen: ReadSignal<String>,
) -> View {
    let all = core::iter::once(first).chain(options);
    let all: Vec<View> = all
        .map(|(value, name)| {
            let is_chosen = move || chosen.with(|chosen| chosen == value);
            view! { option(value=value, prop:selected=is_chosen) { (name) } }
        })
        .collect();
    all.into()
}

fn table(app: App, rows: ReadSignal<Rows>, window: Window) -> View {
    let say = app.say;
    let visible = memo(move || {
        let range = window.range();
        rows.with(|rows| {
            let all = rows.iter().cloned().enumerate();
            let seen = all.skip(range.start).take(range.len());
            seen.map(|(place, (id, member))| (id, (place, member)))
                .collect::<Vec<_>>()
        })
    });
    let body = each(visible, move |placed| row(app, placed));
    let (above, below) = (window.spacer_above(), window.spacer_below());
    let empty = when(
        move || rows.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                view! { p(class="empty") { (say.no_match) } }
            } else {
                View::new()
            }
        },
    );
    let count = move || rows.with(Vec::len).saturating_add(1).to_string();
    let headings = [
        (say.node, ""),
        (say.state, ""),
        (say.role, ""),
        (say.zone, ""),
        (say.health, "number"),
        (say.round_trip, "number"),
        (say.last_heard, "number"),
        (say.in_state, "number"),
    ];
    let headings: Vec<View> = headings
        .into_iter()
        .map(|(name, class)| view! { th(scope="col", class=class) { (name) } })
        .collect();
    view! {
        div(id=scroll::ID, class="table-wrap scrolled", tabindex="0", aria-label=say.nodes,
            on:scroll=move |_| window.measure()) {
            table(class="cards rows", aria-rowcount=count) {
                thead { tr(aria-rowindex="1") { (headings) } }
                tbody { (above) (body) (below) }
            }
            (empty)
        }
    }
}

fn row(app: App, placed: ReadSignal<(usize, Member)>) -> View {
    let say = app.say;
    let member = memo(move || placed.with(|(_, member)| member.clone()));
    let index = move || placed.with(|(place, _)| place.saturating_add(2).to_string());
    let id = member.with_untracked(|member| member.id.clone());
    let (row_id, href) = (format!("node-{id}"), Place::Node(id.clone()).href());
    let short = words::short(&id).to_owned();
    let (tag, health) = (tag(app, member), vitals::health(app, id.clone()));
    let state = memo(move || member.with(|member| member.state));
    let class = move || words::state(state.get());
    let shape = when(move || state.get(), parts::state_shape);
    let word = text(move || words::state_said(say, state.get()).into());
    let reason = memo(move || member.with(|member| member.reason.clone().unwrap_or_default()));
    let name = text(move || member.with(|member| member.name.to_string()));
    let role = text(move || words::role(say, member.with(|member| member.role)).into());
    let zone = text(move || {
        member.with(|member| {
            let zone = member.zone.as_ref();
            zone.map_or_else(|| "–".into(), ToString::to_string)
        })
    });
    let rtt = text(move || member.with(|member| rtt(app, member)));
    let heard = text(move || member.with(|member| heard(app, member)));
    let since = text(move || words::span(member.with(|member| member.since_ms)));
    view! {
        tr(id=row_id, class=class, aria-rowindex=index) {
            th(scope="row", class="node", title=id) {
                a(class="node-name", href=href) { (name) }
                span(class="node-id mono") { (short) }
                (tag)
            }
            td(class="state-cell") {
                span(class="state") { (shape) (word) }
                span(class="reason", title=reason) { (reason) }
            }
            td(data-label=say.role) { (role) }
            td(data-label=say.zone) { (zone) }
            td(data-label=say.health, class="number") { (health) }
            td(data-label=say.round_trip, class="number") { (rtt) }
            td(data-label=say.last_heard, class="number") { (heard) }
            td(data-label=say.in_state, class="number") { (since) }
        }
    }
}

/// A round trip; a node has none to itself.
pub(crate) fn rtt(app: App, member: &Member) -> String {
    unless_own(app, member, member.rtt_ms.map(words::rtt))
}

/// When a node was last heard of; it does not hear itself.
pub(crate) fn heard(app: App, member: &Member) -> String {
    let ago = |millis| words::ago(app.say, millis);
    unless_own(app, member, member.last_heard_ms.map(ago))
}

fn unless_own(app: App, member: &Member, text: Option<String>) -> String {
    match text {
        _ if member.this_node => "–".into(),
        Some(text) => text,
        None => app.say.unknown.into(),
    }
}

/// Whether a node is this one, or linked to it.
pub(crate) fn tag(app: App, member: ReadSignal<Member>) -> View {
    when(
        move || member.with(|member| (member.this_node, member.linked)),
        move |tag| match tag {
            (true, _) => view! { span(class="tag here") { (words::here()) } },
            (false, true) => view! { span(class="tag") { (app.say.linked) } },
            (false, false) => View::new(),
        },
    )
}

/// How many members are left out of a snapshot.
fn more(app: App) -> View {
    let state = app.state;
    let more = move || {
        let shown = as_u64(state.members.with(Vec::len));
        let counts = state
            .status
            .with(|status| status.as_ref().map(|status| status.members));
        let counts = counts.unwrap_or_default();
        let all = [
            counts.alive,
            counts.suspect,
            counts.dead,
            counts.left,
            counts.parked,
        ];
        let all = all.into_iter().map(u64::from).sum::<u64>();
        all.saturating_sub(shown)
    };
    when(more, move |more| match more {
        0 => View::new(),
        more => {
            let text = count(more, (app.say.more_one, app.say.more_many));
            view! { p(class="muted more") { (text) } }
        }
    })
}

/// The nodes that need a look, for the overview; nothing if none does.
pub(crate) fn worst(app: App) -> View {
    let worst = memo(move || {
        app.state.members.with(|members| {
            let bad =
                |member: &&Member| matches!(member.state, MemberState::Dead | MemberState::Suspect);
            let worst = members.iter().filter(bad).take(WORST_MAX);
            worst
                .map(|member| (member.id.clone(), member.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || worst.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return View::new();
            }
            let items = each(worst, move |member| short(app, member));
            view! {
                section(class="panel worst", aria-labelledby="worst-title") {
                    div(class="panel-head") {
                        h2(id="worst-title") { (app.say.worst_nodes) }
                        a(href="#/nodes") { (app.say.all_nodes) }
                    }
                    ul { (items) }
                }
            }
        },
    )
}

fn short(app: App, member: ReadSignal<Member>) -> View {
    let href = member.with_untracked(|member| Place::Node(member.id.clone()).href());
    let state = memo(move || member.with(|member| member.state));
    let shape = when(move || state.get(), parts::state_shape);
    let name = text(move || member.with(|member| member.name.to_string()));
    let said = text(move || {
        let word = words::state_said(app.say, state.get());
        let reason = member.with(|member| member.reason.clone());
        reason.map_or_else(|| word.into(), |reason| format!("{word}: {reason}"))
    });
    view! {
        li { (shape) a(href=href) { (name) } span(class="muted") { (said) } }
    }
}

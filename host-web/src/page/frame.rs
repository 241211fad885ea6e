//! The frame around all views: rail, header, banner, footer, and the place where a view stands.

use crate::{
    catalogue::fill,
    page::{
        alerts, banner, connections, data, dom,
        each::{memo, when},
        join, keys, metrics, node, nodes, overview, palette, parts, recordings, replay, settings,
        state::{App, Stage, State},
        topology, tour,
    },
    route::{Place, Section},
    words,
};
use sycamore::prelude::*;
use sycamore::web::events::MouseEvent;

/// What the replay page shows of a recorded node.
const REPLAYED: [Section; 6] = [
    Section::Overview,
    Section::Alerts,
    Section::Nodes,
    Section::Topology,
    Section::Connections,
    Section::Settings,
];
/// What stands in the bar at the bottom of a narrow page; the rest is in its menu.
const IN_BAR: [Section; 4] = [
    Section::Overview,
    Section::Nodes,
    Section::Topology,
    Section::Data,
];

/// The entries of the rail.
pub(crate) fn sections(state: State) -> Vec<Section> {
    if state.is_replay() {
        REPLAYED.to_vec()
    } else {
        Section::ALL.to_vec()
    }
}

/// The name of an entry of the rail.
pub(crate) fn name(app: App, section: Section) -> &'static str {
    match section {
        Section::Overview => app.say.overview,
        Section::Alerts => app.say.alerts().alerts,
        Section::Nodes => app.say.nodes,
        Section::Topology => app.say.topology,
        Section::Metrics => app.say.metrics,
        Section::Data => app.say.data,
        Section::Recordings => app.say.recordings,
        Section::Connections => app.say.connections,
        Section::Settings => app.say.settings,
    }
}

/// The whole page.
pub(crate) fn page(app: App) -> View {
    let state = app.state;
    let is_in = memo(move || state.stage.get() == Stage::Mesh);
    let class = move || {
        if is_in.get() {
            "frame"
        } else {
            "frame no-rail"
        }
    };
    let (header, rail) = (
        header(app),
        when(
            move || is_in.get(),
            move |is_in| {
                if is_in { rail(app) } else { View::new() }
            },
        ),
    );
    let (banner, body) = (banner::banner(app), body(app));
    let (palette, keys) = (palette::dialog(app), keys::dialog(app));
    let news = alerts::live(app);
    let foot = fill(app.say.foot, &[env!("CARGO_PKG_VERSION"), words::here()]);
    view! {
        a(class="skip", href="#main", on:click=|event: MouseEvent| {
            event.prevent_default();
            dom::focus("main");
        }) { (app.say.skip) }
        div(class=class) {
            (header)
            (rail)
            main(id="main", tabindex="-1") { (banner) (body) }
            footer(class="foot") { p { (foot) } }
        }
        (news)
        (palette)
        (keys)
    }
}

fn header(app: App) -> View {
    let state = app.state;
    let who = when(
        move || {
            state.status.with(|status| {
                status
                    .as_ref()
                    .map(|status| (status.name.to_string(), status.network.clone()))
            })
        },
        move |who| {
            let Some((name, network)) = who else {
                return View::new();
            };
            let short = words::short(&network).to_owned();
            view! {
                dl(class="who") {
                    div { dt { (words::here()) } dd { (name) } }
                    div(title=network) { dt { (app.say.network) } dd(class="mono") { (short) } }
                }
            }
        },
    );
    let (verdict, pill) = (badge(app), connections::pill(app));
    let mark = parts::mark();
    view! {
        header(class="top") {
            a(class="brand", href="#/", aria-label="Sporenet") {
                (mark)
                span(class="wordmark") { "sporenet" }
            }
            (who)
            (verdict)
            (pill)
            button(id="search", class="button small search", r#type="button", aria-haspopup="dialog",
                on:click=move |_| palette::open(state)) {
                (app.say.search)
                kbd { "Ctrl K" }
            }
        }
    }
}

/// The verdict in one word on every view; a change of it is read aloud.
fn badge(app: App) -> View {
    let state = app.state;
    let verdict = memo(move || {
        state
            .status
            .with(|status| status.as_ref().map(|status| status.verdict))
    });
    let shown = when(
        move || verdict.get(),
        move |verdict| {
            let Some(verdict) = verdict else {
                return View::new();
            };
            let (word, headline, _) = words::verdict(app.say, verdict);
            let shape = parts::verdict_shape(Some(verdict));
            view! {
                a(class="badge", href="#/", title=headline) {
                    (shape)
                    span { (word) }
                    span(class="visually-hidden") { ": " (headline) }
                }
            }
        },
    );
    view! { div(id="verdict-live", role="status", aria-live="polite") { (shown) } }
}

fn rail(app: App) -> View {
    let state = app.state;
    let is_open = create_signal(false);
    let entries: Vec<View> = sections(state)
        .into_iter()
        .map(|section| {
            let current = memo(move || {
                let here = state.route.with(|route| route.place.section());
                (here == Some(section)).then_some("page")
            });
            let class = if IN_BAR.contains(&section) {
                "in-bar"
            } else {
                ""
            };
            let keys = format!("g {}", section.key());
            let (icon, href) = (parts::icon(section), section.place().href());
            let count = if section == Section::Alerts {
                alerts::badge(app)
            } else {
                View::new()
            };
            view! {
                li(class=class) {
                    a(href=href, aria-current=current, aria-keyshortcuts=keys,
                        on:click=move |_| is_open.set(false)) {
                        (icon)
                        span { (name(app, section)) }
                        (count)
                    }
                }
            }
        })
        .collect();
    let class = move || if is_open.get() { "rail open" } else { "rail" };
    view! {
        nav(class=class, aria-label=app.say.views) {
            ul(id="rail") {
                (entries)
            }
            button(class="rail-menu", r#type="button", aria-controls="rail",
                aria-expanded=move || is_open.get().to_string(),
                on:click=move |_| is_open.set(!is_open.get_untracked())) {
                svg(class="icon", viewBox="0 0 24 24", aria-hidden="true") { path(d="M4 7h16M4 12h16M4 17h16") }
                span { (app.say.menu) }
            }
        }
    }
}

/// What stands in the page's middle.
fn body(app: App) -> View {
    let state = app.state;
    when(
        move || state.stage.get(),
        move |stage| match stage {
            Stage::Loading => join::loading(app),
            Stage::Join => join::panel(app),
            Stage::Waiting => join::waiting(app),
            Stage::Departed => join::departed(app),
            Stage::Choose => replay::chooser(app),
            Stage::Mesh => {
                let (above, view) = (above(app), outlet(app));
                view! { (above) (view) }
            }
        },
    )
}

/// What stands above each view: the bar of a replay, or the tour.
fn above(app: App) -> View {
    if app.state.is_replay() {
        replay::bar(app)
    } else {
        tour::card(app)
    }
}

fn outlet(app: App) -> View {
    let state = app.state;
    let place = move || state.route.with(|route| route.place.clone());
    when(place, move |place| {
        let is_shown = place
            .section()
            .is_some_and(|section| sections(state).contains(&section));
        match place {
            Place::Unknown(_) => nowhere(app, &place),
            _ if !is_shown => nowhere(app, &place),
            Place::Overview => overview::view(app),
            Place::Alerts => alerts::view(app),
            Place::Incident(id) => alerts::incident_view(app, id),
            Place::Nodes => nodes::view(app),
            Place::Node(id) => node::view(app, id),
            Place::Topology => topology::view(app),
            Place::Metrics => metrics::view(app),
            Place::Data(namespace) => data::view(app, namespace),
            Place::Recordings => recordings::view(app),
            Place::Connections => connections::view(app),
            Place::Settings => settings::view(app),
        }
    })
}

/// An address that leads nowhere.
fn nowhere(app: App, place: &Place) -> View {
    let text = fill(app.say.nowhere_text, &[&place.href()]);
    view! {
        section(class="panel calm nowhere") {
            h1 { (app.say.nowhere_title) }
            p(class="muted") { (text) }
            p { a(class="button", href="#/") { (app.say.nowhere_back) } }
        }
    }
}

/// The document's title says which view is open.
pub(crate) fn title(app: App) {
    let state = app.state;
    create_effect(move || {
        let section = state.route.with(|route| route.place.section());
        let is_in = state.stage.get() == Stage::Mesh;
        let title = match section.filter(|_| is_in) {
            Some(section) => format!("{} – Sporenet", name(app, section)),
            None => "Sporenet".into(),
        };
        if let Some((_, document)) = dom::window_and_document() {
            document.set_title(&title);
        }
    });
}

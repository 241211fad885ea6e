//! Who is linked to whom, as a graph or on a map of the world, each with its table twin; and the round trips.

use crate::{
    catalogue::fill,
    draw::{
        map::model::Quality,
        twin::{NOTHING, Row},
        unit::Unit,
    },
    graph::links::{Link, Reading},
    page::{
        board, dom,
        each::{memo, when},
        known::{Known, left_out, percent},
        matrix, parts,
        state::{App, State},
        twin, world,
    },
    route::{Place, Route},
    words,
};
use sporenet_core::membership::member::MemberState;
use std::rc::Rc;
use sycamore::prelude::*;

/// What stands in the address for the map, and under which name.
const AS: (&str, &str) = ("as", "map");

/// The view.
pub(crate) fn view(app: App) -> View {
    let say = app.say;
    let known = Known::of(app.state);
    let (heading, matrix, toggle) = (
        parts::heading(say.topology),
        matrix::panel(app),
        toggle(app),
    );
    let shown = when(
        move || is_map(app.state),
        move |is_map| {
            let picture = if is_map {
                world::view(app, known)
            } else {
                graph(app, known)
            };
            view! { (picture) }
        },
    );
    view! {
        (heading)
        section(class="panel mesh", aria-labelledby="mesh-title") {
            div(class="panel-head") {
                h2(id="mesh-title") { (say.mesh) }
                (toggle)
            }
            (shown)
            (legend(app))
        }
        (matrix)
    }
}

/// Whether the address asks for the map; tracked.
fn is_map(state: State) -> bool {
    state.route.with(|route| route.chosen(AS.0) == AS.1)
}

fn href(map: bool) -> String {
    let route = Route::to(Place::Topology);
    route.with(AS.0, if map { AS.1 } else { "" }).href()
}

/// Takes the key that changes between graph and map; answers whether the view is open.
pub(crate) fn take_key(state: State) -> bool {
    let is_here = state
        .route
        .with_untracked(|route| route.place == Place::Topology);
    if is_here {
        let is_map = state
            .route
            .with_untracked(|route| route.chosen(AS.0) == AS.1);
        dom::go(&href(!is_map));
    }
    is_here
}

/// Two links, so that the back button goes from one picture to the other.
fn toggle(app: App) -> View {
    let say = app.say.topology();
    let link = |map: bool, name: &'static str| {
        let current = memo(move || (is_map(app.state) == map).then_some("true"));
        view! {
            a(href=href(map), aria-current=current, aria-keyshortcuts="m") { (name) }
        }
    };
    let (graph, map) = (link(false, say.graph), link(true, say.map));
    view! {
        div(class="toggle", role="group", aria-label=say.shown_as) { (graph) (map) }
    }
}

fn graph(app: App, known: ReadSignal<Rc<Known>>) -> View {
    let say = app.say.topology();
    let picture = app.state.picture.with_untracked(Rc::clone);
    let taker = Rc::clone(&picture);
    create_effect(move || {
        let known = known.get_clone();
        taker.change(|graph| graph.take(known));
    });
    let label = memo(move || {
        known.with(|known| {
            let (bad, asymmetric) = known.bad_and_asymmetric();
            let nodes = app.nodes(known.members.len());
            let links = app.links(known.links.len());
            let (bad, asymmetric) = (bad.to_string(), asymmetric.to_string());
            fill(say.mesh_text, &[&nodes, &links, &bad, &asymmetric])
        })
    });
    let canvas = board::view(app, &picture, "picture", label);
    let rest = when(
        move || {
            known.track();
            picture.with_painting(super::picture::Graph::left_out)
        },
        move |rest| left_out(rest, (say.not_drawn_one, say.not_drawn_many)),
    );
    let summary = move || {
        let links = app.links(known.with(|known| known.links.len()));
        fill(app.say.as_table, &[&links])
    };
    let rows = move || known.with(|known| rows(app, known));
    let table = twin::view(app, summary, app.say.from, rows);
    view! { (canvas) (rest) (table) }
}

/// A row for each link, the worst first.
fn rows(app: App, known: &Known) -> Vec<(Row, String)> {
    let say = app.say.topology();
    let rows = known.links.iter().map(|link| {
        let how = if link.own {
            fill(app.say.held_by, &[words::here()])
        } else if link.quality == Quality::Unknown {
            app.say.inferred.into()
        } else {
            app.say.told.to_lowercase()
        };
        let row = Row::new(
            known.name(link.a),
            [
                (app.say.to, known.name(link.b)),
                (say.quality, quality(app, link)),
                (say.there, measured(app, link.forth)),
                (say.back, measured(app, link.back)),
                (app.say.known_how, how),
            ],
        );
        let id = known.members.get(link.a).map(|member| member.id.clone());
        (row, Place::Node(id.unwrap_or_default()).href())
    });
    rows.collect()
}

fn quality(app: App, link: &Link) -> String {
    let say = app.say.topology();
    let word = link.quality.word(say);
    if link.asymmetric {
        format!("{word}, {}", say.asymmetric)
    } else {
        word.into()
    }
}

fn measured(app: App, reading: Option<Reading>) -> String {
    reading.map_or_else(
        || NOTHING.into(),
        |reading| {
            let rtt = Unit::Millis.tell(reading.rtt_ms);
            fill(app.say.topology().measured, &[&rtt, &percent(reading.loss)])
        },
    )
}

/// What shapes, colours and dashes say.
fn legend(app: App) -> View {
    let say = app.say.topology();
    let states: Vec<View> = [
        MemberState::Alive,
        MemberState::Suspect,
        MemberState::Dead,
        MemberState::Parked,
        MemberState::Left,
    ]
    .into_iter()
    .map(|state| {
        let (shape, word) = (parts::state_shape(state), words::state_said(app.say, state));
        view! { li { (shape) (word) } }
    })
    .collect();
    let links: Vec<View> = [
        ("key good", Quality::Good),
        ("key slow", Quality::Slow),
        ("key lossy", Quality::Lossy),
        ("key unmeasured", Quality::Unknown),
    ]
    .into_iter()
    .map(|(class, quality)| {
        view! { li { span(class=class, aria-hidden="true") (quality.word(say)) } }
    })
    .collect();
    let of_picture = when(
        move || is_map(app.state),
        move |is_map| {
            if is_map {
                view! {
                    li { span(class="key-spot estimated", aria-hidden="true") (say.place_estimated) }
                    li { span(class="key-spot several", aria-hidden="true") (say.several_nodes) }
                }
            } else {
                let own_link = fill(app.say.own_link, &[words::here()]);
                let (relay, tab) = (app.say.relay, app.say.tab);
                view! {
                    li { span(class="key own", aria-hidden="true") (own_link) }
                    li { svg(class="shape", viewBox="0 0 16 16", aria-hidden="true") { path(class="outline", d="M8 1.5 13.6 4.75v6.5L8 14.5 2.4 11.25v-6.5z") } (relay) }
                    li { svg(class="shape", viewBox="0 0 16 16", aria-hidden="true") { path(class="outline", d="M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3z") } (tab) }
                }
            }
        },
    );
    view! {
        ul(class="legend below") {
            (links)
            li { span(class="key-spot asymmetric", aria-hidden="true") (say.asymmetric) }
            (of_picture)
            (states)
        }
    }
}

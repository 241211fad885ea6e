//! Who is linked to whom: a live picture with its table twin, and the round trips.

use crate::{
    catalogue::fill,
    page::{
        each::{each, memo, text, when},
        matrix, parts,
        state::App,
    },
    route::Place,
    words,
};
use sporenet_core::node::snapshot::Edge;
use std::rc::Rc;
use sycamore::{prelude::*, web::events::PointerEvent};
use wasm_bindgen::JsCast;

/// The view.
pub(crate) fn view(app: App) -> View {
    let say = app.say;
    let (heading, picture, twin, matrix) = (
        parts::heading(say.topology),
        picture(app),
        twin(app),
        matrix::panel(app),
    );
    let own_link = fill(say.own_link, &[words::here()]);
    view! {
        (heading)
        section(class="panel mesh", aria-labelledby="mesh-title") {
            div(class="panel-head") {
                h2(id="mesh-title") { (say.mesh) }
                ul(class="legend") {
                    li { span(class="key own", aria-hidden="true") (own_link) }
                    li { span(class="key inferred", aria-hidden="true") (say.inferred) }
                }
            }
            (picture)
            (twin)
        }
        (matrix)
    }
}

fn picture(app: App) -> View {
    let state = app.state;
    let picture = state.picture.with_untracked(Rc::clone);
    let (taker, leaver) = (Rc::clone(&picture), Rc::clone(&picture));
    create_effect(move || {
        state
            .members
            .with(|members| state.edges.with(|edges| taker.take(members, edges)));
    });
    on_cleanup(move || leaver.leave());
    let canvas = create_node_ref();
    let painter = Rc::clone(&picture);
    create_effect(move || {
        let canvas = canvas.try_get().and_then(|canvas| canvas.dyn_into().ok());
        if let Some(canvas) = canvas {
            painter.put_on(canvas);
        }
    });
    let summary = memo(move || {
        let own = state
            .edges
            .with(|edges| edges.iter().filter(|edge| edge.own).count());
        let nodes = app.nodes(state.members.with(Vec::len));
        fill(app.say.mesh_text, &[&nodes, &app.links(own), words::here()])
    });
    let (mover, chooser) = (Rc::clone(&picture), Rc::clone(&picture));
    view! {
        canvas(id="picture", class="picture", role="img", aria-label=summary, r#ref=canvas,
            on:pointermove=move |event: PointerEvent| mover.point_at(Some(&event)),
            on:pointerout=move |_| picture.point_at(None),
            on:click=move |_| chooser.go_to_node())
    }
}

fn twin(app: App) -> View {
    let state = app.state;
    let edges = memo(move || {
        state.edges.with(|edges| {
            let edges = edges.iter();
            edges
                .map(|edge| ((edge.a.clone(), edge.b.clone()), edge.clone()))
                .collect::<Vec<_>>()
        })
    });
    let rows = each(edges, move |edge| row(app, edge));
    let summary = text(move || {
        let links = app.links(state.edges.with(Vec::len));
        fill(app.say.as_table, &[&links])
    });
    view! {
        details(class="twin") {
            summary { (summary) }
            div(class="table-wrap") {
                table {
                    thead { tr {
                        th(scope="col") { (app.say.from) }
                        th(scope="col") { (app.say.to) }
                        th(scope="col") { (app.say.known_how) }
                    } }
                    tbody { (rows) }
                }
            }
        }
    }
}

fn row(app: App, edge: ReadSignal<Edge>) -> View {
    let (a, b) = edge.with_untracked(|edge| (edge.a.clone(), edge.b.clone()));
    let (from, to) = (Place::Node(a.clone()).href(), Place::Node(b.clone()).href());
    let (a, b) = (
        text(move || app.state.called(&a)),
        text(move || app.state.called(&b)),
    );
    let known = when(
        move || edge.with(|edge| edge.own),
        move |own| {
            let known = if own {
                fill(app.say.held_by, &[words::here()])
            } else {
                app.say.inferred.into()
            };
            view! { (known) }
        },
    );
    view! {
        tr { td { a(href=from) { (a) } } td { a(href=to) { (b) } } td { (known) } }
    }
}

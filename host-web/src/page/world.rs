//! The mesh on a map of the world, on a board, and beside it the nodes that told no place.

use crate::{
    catalogue::{count, fill},
    draw::{
        map::{
            layout::{Layout, Under},
            model::{self, World},
            paint::{self, Globe},
            projection::View as Seen,
        },
        shape::{Point, Size},
        surface::Surface,
    },
    page::{
        board::{self, Board, Motion, Painting},
        each::{each, memo, text, when},
        known::{Known, left_out},
        state::{App, as_u64},
        twin,
    },
    route::Place,
};
use sporenet_core::membership::member::MemberState;
use std::rc::Rc;
use sycamore::prelude::*;

/// How much nearer a button, or a click on a cluster, brings.
const NEARER: f64 = 2.0;
/// The most nodes without a place that are listed.
const LISTED_MAX: usize = 12;

/// A node as the map needs it.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    name: String,
    place: Option<model::Place>,
    state: MemberState,
    this_node: bool,
}

/// The map.
#[derive(Default)]
pub(crate) struct Map {
    known: Rc<Known>,
    nodes: Vec<Node>,
    links: Vec<model::Link>,
    seen: Seen,
    layout: Layout,
    globe: Option<Globe>,
    /// Whether the layout is of what was before.
    is_old: bool,
}

impl Map {
    /// Takes what is known now; answers whether it looks different.
    fn take(&mut self, known: Rc<Known>) -> bool {
        let (nodes, links) = (nodes(&known), links(&known));
        self.known = known;
        if nodes == self.nodes && links == self.links {
            return false;
        }
        (self.nodes, self.links) = (nodes, links);
        self.is_old = true;
        true
    }
}

fn nodes(known: &Known) -> Vec<Node> {
    let members = known.members.iter();
    members
        .map(|member| Node {
            name: member.name.to_string(),
            place: member.place.map(Into::into),
            state: member.state,
            this_node: member.this_node,
        })
        .collect()
}

fn links(known: &Known) -> Vec<model::Link> {
    let links = known.links.iter();
    links
        .map(|link| model::Link {
            from: link.a,
            to: link.b,
            quality: link.quality,
            asymmetric: link.asymmetric,
        })
        .collect()
}

/// The same without copies of the names.
fn borrowed(nodes: &[Node]) -> Vec<model::Node<'_>> {
    let nodes = nodes.iter();
    nodes
        .map(|node| model::Node {
            name: &node.name,
            place: node.place,
            state: node.state,
            this_node: node.this_node,
        })
        .collect()
}

impl Painting for Map {
    type Under = Under;

    fn advance(&mut self, size: Size, _still: bool) -> Motion {
        if self.globe.is_none() {
            self.globe = Globe::new().ok();
        }
        if self.is_old || size != self.layout.size {
            self.is_old = false;
            let world = World {
                nodes: &borrowed(&self.nodes),
                links: &self.links,
            };
            self.layout = Layout::new(&world, self.seen, size);
        }
        Motion::Rests
    }

    fn height(&self, width: f64) -> Option<f64> {
        Some((width / 2.2).clamp(180.0, 1_100.0))
    }

    fn paint(&self, surface: &Surface<'_>) {
        if let Some(globe) = &self.globe {
            paint::paint(surface, globe, &self.layout);
        }
    }

    fn paint_over(&self, surface: &Surface<'_>, under: &Under) {
        paint::paint_over(surface, &self.layout, *under);
    }

    fn under(&self, at: Point) -> Option<Under> {
        self.layout.under(at)
    }

    fn told(&self, app: App, under: &Under) -> Vec<String> {
        match under {
            Under::Node(number) => self.known.tell_member(app, *number),
            Under::Cluster(spot) => {
                let spot = self.layout.spots.get(*spot);
                spot.map_or_else(Vec::new, |spot| self.known.tell_cluster(app, &spot.nodes))
            }
            Under::Arc(arc) => self.tell_arc(app, *arc),
        }
    }

    fn click(&mut self, under: &Under) -> Option<Place> {
        match under {
            Under::Node(number) => Some(Place::Node(self.known.members.get(*number)?.id.clone())),
            Under::Cluster(spot) => {
                let at = self.layout.spots.get(*spot)?.at;
                self.zoom(NEARER * 1.5, Some(at));
                None
            }
            Under::Arc(_) => None,
        }
    }

    fn drag(&mut self, right: f64, down: f64) -> bool {
        let after = self.seen.panned(self.layout.size, right, down);
        let follows = self.seen.zoom > 1.0;
        if follows {
            self.seen = after;
            self.is_old = true;
        }
        follows
    }

    fn zoom(&mut self, times: f64, around: Option<Point>) {
        let size = self.layout.size;
        let middle = Point {
            x: size.width / 2.0,
            y: size.height / 2.0,
        };
        self.seen = self.seen.zoomed(size, times, around.unwrap_or(middle));
        self.is_old = true;
    }
}

impl Map {
    /// The worst of the links that an arc stands for, and how many these are.
    fn tell_arc(&self, app: App, arc: usize) -> Vec<String> {
        let Some(arc) = self.layout.arcs.get(arc) else {
            return Vec::new();
        };
        let worst = arc.links.first();
        let worst = worst.and_then(|number| self.known.links.get(*number));
        let mut lines = worst.map_or_else(Vec::new, |link| self.known.tell_link(app, link));
        if arc.links.len() > 1 {
            lines.insert(0, app.links(arc.links.len()));
        }
        lines
    }
}

/// The map with its buttons and its table, and who told no place.
pub(crate) fn view(app: App, known: ReadSignal<Rc<Known>>) -> View {
    let say = app.say.topology();
    let map = Board::with(Map::default());
    let taker = Rc::clone(&map);
    create_effect(move || {
        let known = known.get_clone();
        taker.change(|map| map.take(known));
    });
    let label = memo(move || {
        known.with(|known| {
            let all = known.members.len();
            let placed = known.members.iter().filter(|one| one.place.is_some());
            let placed = placed.count();
            let without = all.saturating_sub(placed).to_string();
            fill(say.map_text, &[&app.nodes(placed), &without])
        })
    });
    let canvas = board::view(app, &map, "map", label);
    let rows = move || {
        known.with(|known| {
            let (nodes, links) = (nodes(known), links(known));
            let world = World {
                nodes: &borrowed(&nodes),
                links: &links,
            };
            let hrefs = known.members.iter();
            let hrefs = hrefs.map(|member| Place::Node(member.id.clone()).href());
            world.twin(app.say).into_iter().zip(hrefs).collect()
        })
    };
    let summary = move || {
        let nodes = app.nodes(known.with(|known| known.members.len()));
        fill(app.say.as_table, &[&nodes])
    };
    let (table, aside) = (
        twin::view(app, summary, app.say.node, rows),
        unplaced(app, known),
    );
    let teller = Rc::clone(&map);
    let rest = when(
        move || {
            known.track();
            teller.with_painting(|map| map.layout.left_out)
        },
        move |rest| match rest {
            0 => View::new(),
            _ => view! { p(class="muted small") { (say.links_most) } },
        },
    );
    let [nearer, farther, whole] = core::array::from_fn(|_| Rc::clone(&map));
    view! {
        div(class="mapped") {
            div(class="map-stage") {
                (canvas)
                div(class="map-buttons", role="group", aria-label=say.map) {
                    button(class="button small", r#type="button", title=say.zoom_in, aria-label=say.zoom_in,
                        on:click=move |_| nearer.zoom(NEARER)) { "+" }
                    button(class="button small", r#type="button", title=say.zoom_out, aria-label=say.zoom_out,
                        on:click=move |_| farther.zoom(1.0 / NEARER)) { "−" }
                    button(class="button small", r#type="button", title=say.whole_world, aria-label=say.whole_world,
                        on:click=move |_| whole.zoom(0.0)) { "◌" }
                }
            }
            (aside)
        }
        (rest)
        (table)
    }
}

/// Who told no place, and how a node tells one.
fn unplaced(app: App, known: ReadSignal<Rc<Known>>) -> View {
    let say = app.say.topology();
    let without = memo(move || {
        known.with(|known| {
            let members = known.members.iter();
            let without = members.filter(|member| member.place.is_none());
            without
                .map(|member| (member.id.clone(), member.name.to_string()))
                .collect::<Vec<_>>()
        })
    });
    let listed = memo(move || {
        without.with(|without| {
            let listed = without.iter().take(LISTED_MAX);
            listed
                .map(|(id, name)| (id.clone(), (id.clone(), name.clone())))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || without.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return View::new();
            }
            let title = text(move || {
                let number = as_u64(without.with(Vec::len));
                count(number, (say.no_place_one, say.no_place_many))
            });
            let items = each(listed, |one| {
                let href = move || one.with(|(id, _)| Place::Node(id.clone()).href());
                let name = text(move || one.with(|(_, name)| name.clone()));
                view! { li { a(href=href) { (name) } } }
            });
            let more = when(
                move || without.with(Vec::len).saturating_sub(LISTED_MAX),
                move |more| {
                    let and_more = app.say.alerts().and_more;
                    left_out(more, (and_more, and_more))
                },
            );
            view! {
                aside(class="unplaced", aria-labelledby="unplaced-title") {
                    h3(id="unplaced-title") { (title) }
                    ul { (items) }
                    (more)
                    p(class="muted small") { (say.no_place_hint) " " code { "--location LAT,LON" } }
                }
            }
        },
    )
}

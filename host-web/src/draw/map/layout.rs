//! Where nodes, clusters and links go, what is under the pointer, and the table twin.

use crate::{
    catalogue::{Phrases, topology},
    draw::{
        map::{
            model::{ARCS_MAX, NODES_MAX, Node, Place, Quality, World},
            projection::{View, project, unproject},
        },
        shape::{Label, Point, Rect, Size, as_count, as_float, shortened, text_width},
        twin::{NOTHING, Row},
    },
    words,
};
use sporenet_core::membership::member::MemberState;
use std::collections::BTreeMap;

/// Nodes nearer than this, in pixels, are one cluster: marks would overlap.
const NEAR: f64 = 28.0;
/// How large the mark of a single node is: its radius in pixels.
const RADIUS: f64 = 6.0;
/// A finger hits what is within so many pixels.
const REACH: f64 = 14.0;
/// A link is hit within so many pixels.
const ARC_REACH: f64 = 6.0;
/// A piece of a link spans at most so many degrees.
const PIECE: f64 = 6.0;
/// Where more spots than this are seen, only this node, and what is badly off, has its name beside it.
const NAMED_MAX: usize = 40;
/// The longest name, in pixels.
const NAME_WIDTH: f64 = 130.0;

/// Where everything of a map goes. It changes with the nodes, the view and the size, not with time.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// How large the picture is.
    pub size: Size,
    /// What part of the world it shows.
    pub view: View,
    /// Single nodes and clusters.
    pub spots: Vec<Spot>,
    /// Links between spots, the best first, so that the worst are on top.
    pub arcs: Vec<Arc>,
    /// Names: their left ends, half-way up.
    pub names: Vec<Label>,
    /// How many nodes have no place.
    pub unplaced: usize,
    /// How many nodes and links there was no room for.
    pub left_out: usize,
}

/// A node, or some that are too near one another to be told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Its middle in the picture.
    pub at: Point,
    /// Its radius in pixels.
    pub radius: f64,
    /// The numbers of its nodes; at least one.
    pub nodes: Vec<usize>,
    /// How many are in which state, the worst state first; none that nobody is in.
    pub states: Vec<(MemberState, usize)>,
    /// Whether all their places are only guessed.
    pub is_estimated: bool,
    /// Whether the node whose view the page shows is one of them.
    pub has_this_node: bool,
    place: Place,
}

/// The links between two spots.
#[derive(Clone, Debug, PartialEq)]
pub struct Arc {
    /// Its points. It is in two pieces where it crosses the edge of the map.
    pub pieces: Vec<Vec<Point>>,
    /// The numbers of the spots at its ends.
    pub ends: (usize, usize),
    /// The worst of the links.
    pub quality: Quality,
    /// Whether the ends of one of the links see it differently.
    pub asymmetric: bool,
    /// The numbers of the links, the first of which is the worst one.
    pub links: Vec<usize>,
}

/// What is under the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// A node, by its number.
    Node(usize),
    /// A cluster, by its number among the spots.
    Cluster(usize),
    /// The links between two spots, by their number among the arcs.
    Arc(usize),
}

/// The states, the worst first.
const STATES: [MemberState; 5] = [
    MemberState::Dead,
    MemberState::Suspect,
    MemberState::Alive,
    MemberState::Parked,
    MemberState::Left,
];

impl Layout {
    /// Lays out a world for a view and a size.
    #[must_use]
    pub fn new(world: &World<'_>, view: View, size: Size) -> Self {
        let mut layout = Self {
            size,
            view,
            ..Self::default()
        };
        let spot_of = layout.gather(world);
        layout.finish_spots(world);
        layout.link(world, &spot_of);
        layout.name(world);
        layout
    }

    /// Puts each node to a spot near it, or to a new one; gives the spot of each node that has one.
    fn gather(&mut self, world: &World<'_>) -> Vec<Option<usize>> {
        let mut grid: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        let mut placed = 0;
        let mut spot_of = Vec::with_capacity(world.nodes.len());
        for (number, node) in world.nodes.iter().enumerate() {
            let Some(place) = node.place.filter(|place| place.is_valid()) else {
                self.unplaced += 1;
                spot_of.push(None);
                continue;
            };
            placed += 1;
            if placed > NODES_MAX {
                self.left_out += 1;
                spot_of.push(None);
                continue;
            }
            let at = self.pixel(place);
            let cell = cell(at);
            let found = beside(cell)
                .filter_map(|cell| grid.get(&cell))
                .flatten()
                .copied();
            let near =
                found.filter_map(|spot| Some((spot, distance(self.spots.get(spot)?.at, at))));
            let nearest = near
                .filter(|(_, far)| *far < NEAR)
                .min_by(|(_, a), (_, b)| a.total_cmp(b));
            let spot = match nearest {
                Some((spot, _)) => spot,
                None => {
                    grid.entry(cell).or_default().push(self.spots.len());
                    self.spots.push(Spot::new(at, place));
                    self.spots.len() - 1
                }
            };
            if let Some(spot) = self.spots.get_mut(spot) {
                spot.nodes.push(number);
            }
            spot_of.push(Some(spot));
        }
        spot_of
    }

    fn pixel(&self, place: Place) -> Point {
        self.view.pixel(self.size, project(degrees(place)))
    }

    fn finish_spots(&mut self, world: &World<'_>) {
        for spot in &mut self.spots {
            let members: Vec<&Node<'_>> = spot
                .nodes
                .iter()
                .filter_map(|number| world.nodes.get(*number))
                .collect();
            let count = |state| members.iter().filter(|node| node.state == state).count();
            let states = STATES.into_iter().map(|state| (state, count(state)));
            spot.states = states.filter(|(_, count)| *count > 0).collect();
            let guessed = |node: &&Node<'_>| node.place.is_some_and(|place| place.is_estimated);
            spot.is_estimated = members.iter().all(guessed);
            spot.has_this_node = members.iter().any(|node| node.this_node);
            if spot.nodes.len() > 1 {
                spot.radius = (8.0 + 1.6 * as_float(spot.nodes.len()).log2()).min(20.0);
            }
        }
    }

    fn link(&mut self, world: &World<'_>, spot_of: &[Option<usize>]) {
        let mut pairs: BTreeMap<(usize, usize), Arc> = BTreeMap::new();
        let spot = |node: usize| spot_of.get(node).copied().flatten();
        for (number, link) in world.links.iter().enumerate() {
            let Some((one, other)) = spot(link.from).zip(spot(link.to)) else {
                continue;
            };
            if one == other {
                continue;
            }
            let ends = (one.min(other), one.max(other));
            let arc = pairs.entry(ends).or_insert_with(|| Arc::between(ends));
            arc.asymmetric |= link.asymmetric;
            arc.links.push(number);
            if link.quality > arc.quality {
                arc.quality = link.quality;
                let last = arc.links.len() - 1;
                arc.links.swap(0, last);
            }
        }
        let mut arcs: Vec<Arc> = pairs.into_values().collect();
        arcs.sort_by_key(|arc| core::cmp::Reverse((arc.quality, arc.asymmetric, arc.links.len())));
        self.left_out += arcs.len().saturating_sub(ARCS_MAX);
        arcs.truncate(ARCS_MAX);
        arcs.reverse();
        for arc in &mut arcs {
            let spots = self.spots.get(arc.ends.0).zip(self.spots.get(arc.ends.1));
            if let Some((one, other)) = spots {
                arc.pieces = self.pieces(one.place, other.place);
            }
        }
        self.arcs = arcs;
    }

    /// The shortest way between two places around the world, in pieces at the map's edge.
    fn pieces(&self, from: Place, to: Place) -> Vec<Vec<Point>> {
        let (start, end) = (upon_sphere(from), upon_sphere(to));
        let dot: f64 = start.iter().zip(end).map(|(a, b)| a * b).sum();
        let angle = dot.clamp(-1.0, 1.0).acos();
        let steps = as_count(angle.to_degrees() / PIECE).clamp(1, 45);
        let mut pieces = Vec::new();
        let mut piece = vec![self.pixel(from)];
        let mut before = degrees(from);
        for step in 1..=steps {
            let here = between(start, end, angle, as_float(step) / as_float(steps));
            let here = if step == steps { degrees(to) } else { here };
            if (here.0 - before.0).abs() > 180.0 {
                let side = 180_f64.copysign(before.0);
                let beyond = here.0 + 2.0 * side;
                let part = (side - before.0) / (beyond - before.0);
                let latitude = before.1 + (here.1 - before.1) * part.clamp(0.0, 1.0);
                let edge = |side| self.view.pixel(self.size, project((side, latitude)));
                piece.push(edge(side));
                pieces.push(core::mem::replace(&mut piece, vec![edge(-side)]));
            }
            piece.push(self.view.pixel(self.size, project(here)));
            before = here;
        }
        pieces.push(piece);
        pieces
    }

    /// Names beside single nodes, as far as they neither cover one another nor a mark.
    fn name(&mut self, world: &World<'_>) {
        let mut taken: Vec<Rect> = self
            .spots
            .iter()
            .map(|spot| square(spot.at, spot.radius))
            .collect();
        let picture = Rect {
            x: 0.0,
            y: 0.0,
            width: self.size.width,
            height: self.size.height,
        };
        let seen = self.spots.iter().filter(|spot| picture.contains(spot.at));
        let many = seen.clone().count() > NAMED_MAX;
        let mut order: Vec<&Spot> = seen.filter(|spot| spot.nodes.len() == 1).collect();
        order.sort_by_key(|spot| !spot.has_this_node);
        let mut names = Vec::new();
        for spot in order {
            let node = spot
                .nodes
                .first()
                .and_then(|number| world.nodes.get(*number));
            let Some(node) = node.filter(|node| !many || is_named(node)) else {
                continue;
            };
            let text = shortened(node.name, NAME_WIDTH);
            let width = text_width(&text);
            let right = spot.at.x + spot.radius + 6.0;
            let left = spot.at.x - spot.radius - 6.0 - width;
            let free = [right, left].into_iter().find(|x| {
                let room = Rect {
                    x: *x,
                    y: spot.at.y - 7.0,
                    width,
                    height: 14.0,
                };
                let inside = room.x >= 2.0 && room.right() <= self.size.width - 2.0;
                inside && !taken.iter().any(|other| overlap(room, *other))
            });
            if let Some(x) = free {
                taken.push(Rect {
                    x,
                    y: spot.at.y - 7.0,
                    width,
                    height: 14.0,
                });
                names.push(Label {
                    at: Point { x, y: spot.at.y },
                    text,
                });
            }
        }
        self.names = names;
    }

    /// What is under the pointer.
    #[must_use]
    pub fn under(&self, pointer: Point) -> Option<Under> {
        let near = self.spots.iter().enumerate().filter_map(|(number, spot)| {
            let far = distance(spot.at, pointer);
            (far <= spot.radius.max(REACH)).then_some((far, number, spot))
        });
        let nearest = near.min_by(|(a, ..), (b, ..)| a.total_cmp(b));
        match nearest.map(|(_, number, spot)| (number, spot.nodes.as_slice())) {
            Some((_, [node])) => Some(Under::Node(*node)),
            Some((number, _)) => Some(Under::Cluster(number)),
            None => self.arc_under(pointer).map(Under::Arc),
        }
    }

    /// The nearest arc within reach.
    fn arc_under(&self, pointer: Point) -> Option<usize> {
        let far = |arc: &Arc| {
            let pairs = arc.pieces.iter().flat_map(|piece| piece.windows(2));
            let steps = pairs.filter_map(|pair| match pair {
                [from, to] => Some(pointer.distance_to_segment(*from, *to)),
                _ => None,
            });
            steps.fold(f64::MAX, f64::min)
        };
        let near = self.arcs.iter().enumerate();
        let near = near.map(|(number, arc)| (far(arc), number));
        let near = near.filter(|(far, _)| *far <= ARC_REACH);
        near.min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, number)| number)
    }

    /// The spot that a node is in.
    #[must_use]
    pub fn spot_of(&self, node: usize) -> Option<usize> {
        self.spots
            .iter()
            .position(|spot| spot.nodes.contains(&node))
    }

    /// The longitude and the latitude under the pointer; `None` beyond the edge of the world.
    #[must_use]
    pub fn coordinates(&self, pointer: Point) -> Option<(f64, f64)> {
        unproject(self.view.flat(self.size, pointer))
    }
}

impl Spot {
    const fn new(at: Point, place: Place) -> Self {
        Self {
            at,
            radius: RADIUS,
            nodes: Vec::new(),
            states: Vec::new(),
            is_estimated: false,
            has_this_node: false,
            place,
        }
    }
}

impl Arc {
    const fn between(ends: (usize, usize)) -> Self {
        Self {
            pieces: Vec::new(),
            ends,
            quality: Quality::Unknown,
            asymmetric: false,
            links: Vec::new(),
        }
    }

    /// The middle of its longest piece.
    #[must_use]
    pub fn middle(&self) -> Option<Point> {
        let longest = self.pieces.iter().max_by_key(|piece| piece.len())?;
        let (before, after) = (
            longest.get((longest.len() - 1) / 2)?,
            longest.get(longest.len() / 2)?,
        );
        Some(Point {
            x: f64::midpoint(before.x, after.x),
            y: f64::midpoint(before.y, after.y),
        })
    }
}

impl World<'_> {
    /// The map's table: a row for each node with its state, its place, and how many of its links are how
    /// good.
    #[must_use]
    pub fn twin(&self, phrases: &Phrases) -> Vec<Row> {
        let say = phrases.topology();
        let mut links: BTreeMap<usize, ([usize; 4], usize)> = BTreeMap::new();
        for link in self.links {
            for end in [link.from, link.to] {
                let place = QUALITIES
                    .iter()
                    .position(|quality| *quality == link.quality);
                let (counts, asymmetric) = links.entry(end).or_default();
                *asymmetric += usize::from(link.asymmetric);
                if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
        }
        let rows = self.nodes.iter().enumerate().map(|(number, node)| {
            let (counts, asymmetric) = links.get(&number).copied().unwrap_or_default();
            let place = node.place.filter(|place| place.is_valid());
            let place = place.map(|place| place.in_words(say));
            Row::new(
                node.name,
                [
                    (phrases.state, words::state_said(phrases, node.state).into()),
                    (say.place, place.unwrap_or_else(|| phrases.unknown.into())),
                    (say.links, told_links(say, counts, asymmetric)),
                ],
            )
        });
        rows.collect()
    }
}

/// How many links are how good, the worst first.
fn told_links(say: &topology::Phrases, counts: [usize; 4], asymmetric: usize) -> String {
    let told = QUALITIES.iter().zip(counts).filter(|(_, count)| *count > 0);
    let mut told: Vec<String> = told
        .map(|(quality, count)| format!("{count} {}", quality.word(say)))
        .collect();
    if told.is_empty() {
        return NOTHING.into();
    }
    if asymmetric > 0 {
        told.push(format!("{asymmetric} {}", say.asymmetric));
    }
    told.join(", ")
}

/// The qualities, the worst first.
const QUALITIES: [Quality; 4] = [
    Quality::Lossy,
    Quality::Slow,
    Quality::Good,
    Quality::Unknown,
];

/// Whether a node keeps its name where many are drawn.
const fn is_named(node: &Node<'_>) -> bool {
    node.this_node || matches!(node.state, MemberState::Dead | MemberState::Suspect)
}

const fn degrees(place: Place) -> (f64, f64) {
    (place.longitude, place.latitude)
}

fn distance(a: Point, b: Point) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

fn square(middle: Point, radius: f64) -> Rect {
    Rect {
        x: middle.x - radius,
        y: middle.y - radius,
        width: 2.0 * radius,
        height: 2.0 * radius,
    }
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

/// The square of the grid that a pixel is in. All pixels beyond the upper left count as the edge: they are
/// not seen.
fn cell(at: Point) -> (usize, usize) {
    (as_count(at.x / NEAR + 1e6), as_count(at.y / NEAR + 1e6))
}

/// A square of the grid and those around it.
fn beside((x, y): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    let near = |at: usize| at.saturating_sub(1)..=at.saturating_add(1);
    near(x).flat_map(move |x| near(y).map(move |y| (x, y)))
}

/// A place as a point of the sphere of radius 1.
fn upon_sphere(place: Place) -> [f64; 3] {
    let (longitude, latitude) = degrees(place);
    let (east, north) = (longitude.to_radians(), latitude.to_radians());
    [
        north.cos() * east.cos(),
        north.cos() * east.sin(),
        north.sin(),
    ]
}

/// A part of the way between two points of the sphere, which are an angle apart, as a longitude and a
/// latitude.
fn between(start: [f64; 3], end: [f64; 3], angle: f64, part: f64) -> (f64, f64) {
    let sine = angle.sin();
    // On opposite sides of the world all ways are equally short: this one goes straight through.
    let (a, b) = if sine.abs() < 1e-6 {
        (1.0 - part, part)
    } else {
        (
            ((1.0 - part) * angle).sin() / sine,
            (part * angle).sin() / sine,
        )
    };
    let [x, y, z] = [0, 1, 2].map(|axis: usize| {
        let of = |point: [f64; 3]| point.get(axis).copied().unwrap_or_default();
        a * of(start) + b * of(end)
    });
    (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
}

//! Positions by forces: nodes repel one another, edges and zones pull, everything drifts to the middle.
//!
//! Source: Fruchterman and Reingold, "Graph Drawing by Force-directed Placement", 1991, with cooling.
//! Nodes that are far away push as one, from the middle of their cell of a grid, so that a step of n nodes
//! costs about n²/4 and not n². Positions are in units of their own; [`Layout::fit`] tells how they fill a
//! picture. Only for display: floats decide nothing.

use crate::draw::shape::{Point, Size, as_count, as_float};
use std::collections::BTreeMap;

/// The most nodes that are drawn; the table lists them all.
pub const NODES_MAX: usize = 1_000;

/// Below this heat the picture counts as settled.
const SETTLED: f64 = 0.0015;

/// Room at the left and right, for names.
const ASIDE: f64 = 62.0;
/// Room above, for a zone's name.
const ABOVE: f64 = 56.0;
/// Room below, for a node's name.
const BELOW: f64 = 58.0;
/// An edge is drawn no longer than this, so that two nodes do not stand at opposite ends.
const EDGE_PIXELS_MAX: f64 = 230.0;
/// How much more the picture may be stretched one way than the other.
const STRETCH_MAX: f64 = 1.6;
/// A node with more links than this is pulled by each of them less, or it would never come to rest.
const LINKS_FULL: f64 = 6.0;
/// How much a link between two zones pulls, compared with one within: zones stay apart.
const BETWEEN_ZONES: f64 = 0.2;
/// The same where there are many nodes, whose links would pull all zones over one another.
const BETWEEN_CROWDED_ZONES: f64 = 0.03;
/// From so many nodes on it is a crowd, which also comes to rest sooner.
const CROWD: usize = 120;
/// How strongly a zone pulls its nodes together.
const ZONE_PULL: f64 = 0.12;

/// A node's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
    vx: f64,
    vy: f64,
}

/// Where the nodes are, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    ids: Vec<String>,
    zones: Vec<Option<usize>>,
    places: Vec<Place>,
    edges: Vec<(usize, usize)>,
    /// How much each edge pulls.
    weights: Vec<f64>,
    heat: f64,
}

/// How positions become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// The position that is at `at`.
    pub middle: (f64, f64),
    /// Pixels per unit, across and down.
    pub scale: (f64, f64),
    /// Where the middle of the nodes is in the picture.
    pub at: Point,
}

impl Fit {
    /// A fit a part of the way towards another, so that the picture does not jump.
    #[must_use]
    pub fn towards(self, other: Self, part: f64) -> Self {
        let mix = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| {
            (ax + (bx - ax) * part, ay + (by - ay) * part)
        };
        Self {
            middle: mix(self.middle, other.middle),
            scale: mix(self.scale, other.scale),
            at: other.at,
        }
    }

    /// Whether a picture with the other fit would look the same.
    #[must_use]
    pub fn is_near(self, other: Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= b.abs() * 0.004 + 0.0005;
        near(self.middle.0, other.middle.0)
            && near(self.middle.1, other.middle.1)
            && near(self.scale.0, other.scale.0)
            && near(self.scale.1, other.scale.1)
    }

    /// Where a place is in the picture.
    #[must_use]
    pub fn pixel(self, place: Place) -> Point {
        Point {
            x: self.at.x + (place.x - self.middle.0) * self.scale.0,
            y: self.at.y + (place.y - self.middle.1) * self.scale.1,
        }
    }
}

impl Layout {
    /// Takes the nodes and edges that are there now: identities with the number of their zone, and edges by
    /// the nodes' numbers. Known nodes stay where they are; new ones appear at their zone or beside a
    /// neighbour. Nodes beyond [`NODES_MAX`] and their edges are left out.
    pub fn update(&mut self, nodes: &[(String, Option<usize>)], edges: &[(usize, usize)]) {
        let nodes = nodes.get(..NODES_MAX).unwrap_or(nodes);
        let edges: Vec<(usize, usize)> = edges
            .iter()
            .copied()
            .filter(|(a, b)| *a < nodes.len() && *b < nodes.len())
            .collect();
        let known = self.ids.iter().zip(&self.zones);
        let same = known.eq(nodes.iter().map(|(id, zone)| (id, zone)));
        if same && self.edges == edges {
            return;
        }
        let was_empty = self.places.is_empty();
        let ids = core::mem::take(&mut self.ids);
        let before: BTreeMap<String, Place> = ids.into_iter().zip(self.places.drain(..)).collect();
        self.ids = nodes.iter().map(|(id, _)| id.clone()).collect();
        self.zones = nodes.iter().map(|(_, zone)| *zone).collect();
        self.weigh(&edges);
        self.edges = edges;
        let mut neighbours: Vec<Option<usize>> = vec![None; nodes.len()];
        for (a, b) in &self.edges {
            for (one, other) in [(a, b), (b, a)] {
                if let Some(neighbour) = neighbours.get_mut(*one) {
                    neighbour.get_or_insert(*other);
                }
            }
        }
        for (id, neighbour) in self.ids.iter().zip(neighbours) {
            let number = self.places.len();
            let place = before.get(id).copied().unwrap_or_else(|| {
                let beside = neighbour.and_then(|one| before.get(self.ids.get(one)?));
                let zone = self.zones.get(number).copied().flatten();
                start_of(id, zone, beside.copied())
            });
            self.places.push(place);
        }
        self.heat = self.heat.max(if was_empty { 0.12 } else { 0.05 });
    }

    fn weigh(&mut self, edges: &[(usize, usize)]) {
        let mut links = vec![0_usize; self.ids.len()];
        for end in edges.iter().flat_map(|(a, b)| [a, b]) {
            if let Some(count) = links.get_mut(*end) {
                *count += 1;
            }
        }
        let count = |node: usize| as_float(links.get(node).copied().unwrap_or_default());
        let zone = |node: usize| self.zones.get(node).copied().flatten();
        let between = if self.ids.len() < CROWD {
            BETWEEN_ZONES
        } else {
            BETWEEN_CROWDED_ZONES
        };
        self.weights = edges
            .iter()
            .map(|(a, b)| {
                let crowd = (count(*a).max(count(*b)) / LINKS_FULL).max(1.0);
                let apart = zone(*a)
                    .zip(zone(*b))
                    .is_some_and(|(one, other)| one != other);
                (if apart { between } else { 1.0 }) / crowd
            })
            .collect();
    }

    /// How many nodes have a place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no node has a place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How the nodes fill a picture of this size, with room for names at its edges. A mesh may be
    /// stretched one way, but not beyond recognition, and a few nodes keep together.
    #[must_use]
    pub fn fit(&self, size: Size) -> Fit {
        let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
        for place in &self.places {
            low = (low.0.min(place.x), low.1.min(place.y));
            high = (high.0.max(place.x), high.1.max(place.y));
        }
        if self.places.is_empty() {
            return Fit::default();
        }
        let room = (
            (size.width - 2.0 * ASIDE).max(60.0),
            (size.height - ABOVE - BELOW).max(60.0),
        );
        let span = ((high.0 - low.0).max(0.05), (high.1 - low.1).max(0.05));
        let scale = (room.0 / span.0, room.1 / span.1);
        let even = scale.0.min(scale.1).min(EDGE_PIXELS_MAX / self.ideal());
        Fit {
            middle: (f64::midpoint(low.0, high.0), f64::midpoint(low.1, high.1)),
            scale: (
                scale.0.min(even * STRETCH_MAX),
                scale.1.min(even * STRETCH_MAX),
            ),
            at: Point {
                x: size.width / 2.0,
                y: f64::midpoint(ABOVE, size.height - BELOW),
            },
        }
    }

    /// The length that edges strive for.
    fn ideal(&self) -> f64 {
        0.62 / as_float(self.places.len().max(1)).sqrt()
    }

    /// Where a node is.
    #[must_use]
    pub fn place(&self, node: usize) -> Option<Place> {
        self.places.get(node).copied()
    }

    /// Whether nothing moves any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.heat < SETTLED || self.places.is_empty()
    }

    /// Moves everything a little, and cools.
    pub fn step(&mut self) {
        if self.is_settled() {
            return;
        }
        let forces = self.forces(self.ideal());
        for (place, (fx, fy)) in self.places.iter_mut().zip(forces) {
            place.vx = (place.vx + fx) * 0.6;
            place.vy = (place.vy + fy) * 0.6;
            let speed = place.vx.hypot(place.vy).max(1e-9);
            let capped = speed.min(self.heat) / speed;
            place.x += place.vx * capped;
            place.y += place.vy * capped;
        }
        self.heat *= if self.ids.len() < CROWD { 0.985 } else { 0.97 };
    }

    fn forces(&self, ideal: f64) -> Vec<(f64, f64)> {
        let mut forces: Vec<(f64, f64)> = self
            .places
            .iter()
            // Towards the middle, or what is not linked would drift away.
            .map(|place| (-place.x * 0.09, -place.y * 0.09))
            .collect();
        let grid = Grid::of(&self.places);
        for (number, (place, force)) in self.places.iter().zip(&mut forces).enumerate() {
            let (x, y) = grid.push(&self.places, number, *place);
            force.0 += 0.12 * ideal * ideal * x;
            force.1 += 0.12 * ideal * ideal * y;
        }
        self.pull_zones(&mut forces);
        for ((from, to), weight) in self.edges.iter().zip(&self.weights) {
            let Some((start, end)) = self.places.get(*from).zip(self.places.get(*to)) else {
                continue;
            };
            let (dx, dy) = (end.x - start.x, end.y - start.y);
            let far = dx.hypot(dy);
            let pull = 0.10 * weight * (far - ideal) / far.max(0.01);
            if let Some(force) = forces.get_mut(*from) {
                force.0 += dx * pull;
                force.1 += dy * pull;
            }
            if let Some(force) = forces.get_mut(*to) {
                force.0 -= dx * pull;
                force.1 -= dy * pull;
            }
        }
        forces
    }

    /// Pulls each node to the middle of its zone.
    fn pull_zones(&self, forces: &mut [(f64, f64)]) {
        let count = self
            .zones
            .iter()
            .flatten()
            .max()
            .map_or(0, |zone| zone.saturating_add(1));
        let mut middles = vec![Heap::default(); count];
        for (place, zone) in self.places.iter().zip(&self.zones) {
            if let Some(middle) = zone.and_then(|zone| middles.get_mut(zone)) {
                middle.add(*place);
            }
        }
        let nodes = self.places.iter().zip(&self.zones).zip(forces);
        for ((place, zone), force) in nodes {
            let middle = zone.and_then(|zone| middles.get(zone)?.middle());
            if let Some((x, y)) = middle {
                force.0 += (x - place.x) * ZONE_PULL;
                force.1 += (y - place.y) * ZONE_PULL;
            }
        }
    }
}

/// Some nodes taken as one.
#[derive(Clone, Copy, Debug, Default)]
struct Heap {
    count: f64,
    x: f64,
    y: f64,
}

impl Heap {
    fn add(&mut self, place: Place) {
        self.count += 1.0;
        self.x += place.x;
        self.y += place.y;
    }

    fn middle(&self) -> Option<(f64, f64)> {
        (self.count > 0.0).then(|| (self.x / self.count, self.y / self.count))
    }
}

/// The nodes by the cell that they are in.
struct Grid {
    side: usize,
    low: (f64, f64),
    cell: (f64, f64),
    heaps: Vec<Heap>,
    nodes: Vec<Vec<usize>>,
}

impl Grid {
    /// About four nodes a cell; few nodes are all in one, so that each is counted for itself.
    fn of(places: &[Place]) -> Self {
        let side = as_count(as_float(places.len()).sqrt() / 2.0).clamp(1, 32);
        let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
        for place in places {
            low = (low.0.min(place.x), low.1.min(place.y));
            high = (high.0.max(place.x), high.1.max(place.y));
        }
        let wide = |low: f64, high: f64| ((high - low) / as_float(side)).max(1e-6);
        let mut grid = Self {
            side,
            low,
            cell: (wide(low.0, high.0), wide(low.1, high.1)),
            heaps: vec![Heap::default(); side * side],
            nodes: vec![Vec::new(); side * side],
        };
        for (number, place) in places.iter().enumerate() {
            let (column, row) = grid.cell_of(*place);
            let at = row * side + column;
            if let Some(heap) = grid.heaps.get_mut(at) {
                heap.add(*place);
            }
            if let Some(nodes) = grid.nodes.get_mut(at) {
                nodes.push(number);
            }
        }
        grid
    }

    fn cell_of(&self, place: Place) -> (usize, usize) {
        let along = |at: f64, low: f64, cell: f64| as_count((at - low) / cell).min(self.side - 1);
        (
            along(place.x, self.low.0, self.cell.0),
            along(place.y, self.low.1, self.cell.1),
        )
    }

    /// How all others push a node.
    fn push(&self, places: &[Place], number: usize, place: Place) -> (f64, f64) {
        let (column, row) = self.cell_of(place);
        let mut force = (0.0, 0.0);
        let mut add = |x: f64, y: f64, count: f64| {
            let (dx, dy) = (place.x - x, place.y - y);
            let push = count / (dx * dx + dy * dy).max(1e-4);
            force.0 += dx * push;
            force.1 += dy * push;
        };
        for (at, (heap, nodes)) in self.heaps.iter().zip(&self.nodes).enumerate() {
            let Some((x, y)) = heap.middle() else {
                continue;
            };
            let is_near =
                (at % self.side).abs_diff(column) <= 1 && (at / self.side).abs_diff(row) <= 1;
            if !is_near {
                add(x, y, heap.count);
                continue;
            }
            for other in nodes.iter().filter(|other| **other != number) {
                if let Some(other) = places.get(*other) {
                    add(other.x, other.y, 1.0);
                }
            }
        }
        force
    }
}

/// Beside a neighbour, at the place of its zone or near the middle, each identity at a place of its own.
fn start_of(id: &str, zone: Option<usize>, neighbour: Option<Place>) -> Place {
    let seed = hash(id);
    let (dx, dy) = (
        f64::from(seed & 0xff) / 256.0 - 0.5,
        f64::from(seed >> 8 & 0xff) / 256.0 - 0.5,
    );
    let (x, y, far) = match (neighbour, zone) {
        (Some(place), _) => (place.x, place.y, 0.24),
        (None, Some(zone)) => {
            // The golden angle: zones that follow one another are far apart.
            let turn = as_float(zone) * 2.4;
            (0.45 * turn.cos(), 0.45 * turn.sin(), 0.3)
        }
        (None, None) => (0.0, 0.0, 0.6),
    };
    Place {
        x: x + far * dx,
        y: y + far * dy,
        vx: 0.0,
        vy: 0.0,
    }
}

/// A small stable number of a text (FNV-1a).
#[must_use]
pub fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 800.0,
        height: 400.0,
    };

    fn nodes(count: usize, zones: usize) -> Vec<(String, Option<usize>)> {
        let zone = |number: usize| number.checked_rem(zones);
        (0..count)
            .map(|number| (format!("node-{number}"), zone(number)))
            .collect()
    }

    fn settled(layout: &mut Layout) {
        for _ in 0..1_000 {
            layout.step();
        }
        assert!(layout.is_settled());
    }

    #[test]
    fn a_picture_settles_within_its_frame_with_no_two_nodes_on_one_spot() {
        let edges: Vec<_> = (1..12).map(|number| (number - 1, number)).collect();
        let mut layout = Layout::default();
        layout.update(&nodes(12, 0), &edges);
        settled(&mut layout);
        let fit = layout.fit(SIZE);
        for (number, a) in layout.places.iter().enumerate() {
            let at = fit.pixel(*a);
            assert!(at.x >= ASIDE - 0.1 && at.x <= SIZE.width - ASIDE + 0.1);
            assert!(at.y >= ABOVE - 0.1 && at.y <= SIZE.height - BELOW + 0.1);
            for b in &layout.places[number + 1..] {
                assert!((a.x - b.x).hypot(a.y - b.y) > 0.02);
            }
        }
    }

    #[test]
    fn what_does_not_change_stays_at_rest() {
        let mut layout = Layout::default();
        layout.update(&nodes(3, 0), &[]);
        settled(&mut layout);
        let before = layout.place(1);
        layout.update(&nodes(3, 0), &[]);
        layout.step();
        assert_eq!(layout.place(1), before);
    }

    #[test]
    fn who_stays_keeps_its_place_when_others_come_and_go() {
        let mut layout = Layout::default();
        layout.update(&nodes(5, 0), &[(0, 1)]);
        settled(&mut layout);
        let (first, last) = (layout.place(0), layout.place(4));
        let mut next = nodes(5, 0);
        next.remove(2);
        next.insert(0, ("new".into(), None));
        layout.update(&next, &[(0, 1), (1, 2)]);
        assert_eq!((layout.place(1), layout.place(4)), (first, last));
        let (new, neighbour) = (layout.place(0).unwrap(), first.unwrap());
        assert!((new.x - neighbour.x).hypot(new.y - neighbour.y) < 0.2);
    }

    #[test]
    fn the_nodes_of_a_zone_stand_together() {
        let mut layout = Layout::default();
        let links: Vec<_> = (0..60).map(|number| (number, (number + 1) % 60)).collect();
        layout.update(&nodes(60, 3), &links);
        settled(&mut layout);
        let mut middles = [Heap::default(); 3];
        for (number, place) in layout.places.iter().enumerate() {
            middles[number % 3].add(*place);
        }
        let distance = |place: &Place, zone: usize| {
            let (x, y) = middles[zone].middle().unwrap();
            (place.x - x).hypot(place.y - y)
        };
        let own = layout.places.iter().enumerate().filter(|(number, place)| {
            (0..3).all(|zone| distance(place, number % 3) <= distance(place, zone))
        });
        assert!(own.count() >= 57);
    }

    #[test]
    fn a_far_cell_pushes_as_its_nodes_would() {
        let mut layout = Layout::default();
        layout.update(&nodes(400, 0), &[]);
        for _ in 0..40 {
            layout.step();
        }
        let (grid, places) = (Grid::of(&layout.places), &layout.places);
        let exact = Grid {
            side: 1,
            heaps: vec![Heap {
                count: 1.0,
                x: 0.0,
                y: 0.0,
            }],
            nodes: vec![(0..400).collect()],
            ..Grid::of(places)
        };
        for (number, place) in places.iter().enumerate() {
            let (about, all) = (
                grid.push(places, number, *place),
                exact.push(places, number, *place),
            );
            let off = (about.0 - all.0).hypot(about.1 - all.1);
            assert!(
                off < 0.05 * all.0.hypot(all.1).max(400.0),
                "{about:?} {all:?}"
            );
        }
    }

    #[test]
    fn more_nodes_than_are_drawn_are_left_out_with_their_edges() {
        let mut layout = Layout::default();
        layout.update(&nodes(NODES_MAX + 2, 5), &[(0, 1), (0, NODES_MAX)]);
        assert_eq!((layout.len(), layout.edges.len()), (NODES_MAX, 1));
        layout.update(&[], &[]);
        assert!(layout.is_empty() && layout.is_settled());
        assert_eq!(layout.fit(SIZE), Fit::default());
    }
}

//! Positions by forces: nodes repel one another, edges pull, everything drifts to the middle.
//!
//! Source: Fruchterman and Reingold, "Graph Drawing by Force-directed Placement", 1991, with cooling.
//! Positions are in units of their own; [`Layout::fit`] tells how they fill a picture. Only for display:
//! floats decide nothing. A picture of n nodes costs n² per step, so it is bounded.

use std::collections::BTreeMap;

/// The most nodes that are drawn; the table lists them all.
pub const NODES_MAX: usize = 300;

/// Below this heat the picture counts as settled.
const SETTLED: f64 = 0.0015;

/// Room at the left and right, and at the top and bottom, in pixels.
const MARGIN: (f64, f64) = (62.0, 44.0);
/// An edge is drawn no longer than this, so that two nodes do not stand at opposite ends.
const EDGE_PIXELS_MAX: f64 = 230.0;
/// How much more the picture may be stretched one way than the other.
const STRETCH_MAX: f64 = 1.6;

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

/// Where the nodes are.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    places: BTreeMap<String, Place>,
    edges: Vec<(String, String)>,
    heat: f64,
}

/// How positions become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// The position that is in the middle of the picture.
    pub middle: (f64, f64),
    /// Pixels per unit, across and down.
    pub scale: (f64, f64),
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
        }
    }
}

impl Layout {
    /// Takes the nodes and edges that are there now. Known nodes stay where they are; new ones appear
    /// beside a neighbour.
    pub fn update(&mut self, nodes: &[String], edges: Vec<(String, String)>) {
        let wanted = nodes.get(..NODES_MAX).unwrap_or(nodes);
        let before = self.places.len();
        self.places.retain(|id, _| wanted.contains(id));
        let mut changed = self.places.len() != before || self.edges != edges;
        self.edges = edges;
        for (number, id) in wanted.iter().enumerate() {
            if !self.places.contains_key(id) {
                let place = self.start_of(id, number);
                self.places.insert(id.clone(), place);
                changed = true;
            }
        }
        if changed {
            self.heat = self.heat.max(if before == 0 { 0.12 } else { 0.05 });
        }
    }

    /// How the nodes fill a picture of this size, with room for names at its edges. A mesh may be
    /// stretched one way, but not beyond recognition, and a few nodes keep together.
    #[must_use]
    pub fn fit(&self, width: f64, height: f64) -> Fit {
        let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
        for place in self.places.values() {
            low = (low.0.min(place.x), low.1.min(place.y));
            high = (high.0.max(place.x), high.1.max(place.y));
        }
        if self.places.is_empty() {
            return Fit::default();
        }
        let room = (
            (width - 2.0 * MARGIN.0).max(60.0),
            (height - 2.0 * MARGIN.1).max(60.0),
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
        }
    }

    /// The length that edges strive for.
    fn ideal(&self) -> f64 {
        let count = u32::try_from(self.places.len()).unwrap_or(u32::MAX).max(1);
        0.62 / f64::from(count).sqrt()
    }

    /// Where a node is.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    /// Whether nothing moves any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.heat < SETTLED
    }

    /// Lets the picture come to rest at once, for those who want no motion.
    pub fn settle(&mut self) {
        for _ in 0..240 {
            if self.is_settled() {
                break;
            }
            self.step();
        }
    }

    /// Beside a neighbour or near the middle, each identity at a place of its own.
    fn start_of(&self, id: &str, number: usize) -> Place {
        let neighbour = self
            .edges
            .iter()
            .find_map(|(a, b)| match (a == id, b == id) {
                (true, _) => self.places.get(b),
                (_, true) => self.places.get(a),
                _ => None,
            });
        // A point of a small square, by the identity.
        let seed = hash(id) ^ u32::try_from(number).unwrap_or(0);
        let far = neighbour.map_or(0.6, |_| 0.24);
        let (dx, dy) = (
            f64::from(seed & 0xff) / 256.0 - 0.5,
            f64::from(seed >> 8 & 0xff) / 256.0 - 0.5,
        );
        let (x, y) = neighbour.map_or((0.0, 0.0), |place| (place.x, place.y));
        Place {
            x: x + far * dx,
            y: y + far * dy,
            vx: 0.0,
            vy: 0.0,
        }
    }

    /// Moves everything a little, and cools.
    pub fn step(&mut self) {
        if self.is_settled() {
            return;
        }
        let forces = self.forces(self.ideal());
        for (place, (fx, fy)) in self.places.values_mut().zip(forces) {
            place.vx = (place.vx + fx) * 0.6;
            place.vy = (place.vy + fy) * 0.6;
            let speed = place.vx.hypot(place.vy).max(1e-9);
            let capped = speed.min(self.heat) / speed;
            place.x += place.vx * capped;
            place.y += place.vy * capped;
        }
        self.heat *= 0.985;
    }

    fn forces(&self, ideal: f64) -> Vec<(f64, f64)> {
        let places: Vec<Place> = self.places.values().copied().collect();
        let mut forces: Vec<(f64, f64)> = places
            .iter()
            // Towards the middle, or what is not linked would drift away.
            .map(|place| (-place.x * 0.09, -place.y * 0.09))
            .collect();
        for (at, (one, force)) in places.iter().zip(&mut forces).enumerate() {
            for (other_at, other) in places.iter().enumerate() {
                if at == other_at {
                    continue;
                }
                let (dx, dy) = (one.x - other.x, one.y - other.y);
                let square = (dx * dx + dy * dy).max(1e-4);
                let push = 0.12 * ideal * ideal / square;
                force.0 += dx * push;
                force.1 += dy * push;
            }
        }
        let index: BTreeMap<&str, usize> =
            self.places.keys().map(String::as_str).zip(0..).collect();
        for (a, b) in &self.edges {
            let ends = index.get(a.as_str()).zip(index.get(b.as_str()));
            let Some((&from, &to)) = ends else { continue };
            let Some((start, end)) = places.get(from).zip(places.get(to)) else {
                continue;
            };
            let (dx, dy) = (end.x - start.x, end.y - start.y);
            let far = dx.hypot(dy);
            let pull = 0.10 * (far - ideal) / far.max(0.01);
            if let Some(force) = forces.get_mut(from) {
                force.0 += dx * pull;
                force.1 += dy * pull;
            }
            if let Some(force) = forces.get_mut(to) {
                force.0 -= dx * pull;
                force.1 -= dy * pull;
            }
        }
        forces
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

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("node-{number}")).collect()
    }

    #[test]
    fn a_picture_settles_within_its_frame_with_no_two_nodes_on_one_spot() {
        let nodes = names(12);
        let edges = nodes.iter().zip(nodes.iter().skip(1));
        let edges = edges.map(|(a, b)| (a.clone(), b.clone())).collect();
        let mut layout = Layout::default();
        layout.update(&nodes, edges);
        for _ in 0..1_000 {
            layout.step();
        }
        assert!(layout.is_settled());
        for (number, a) in nodes.iter().enumerate() {
            let a = layout.place(a).unwrap();
            let fit = layout.fit(800.0, 400.0);
            let (x, y) = (
                (a.x - fit.middle.0) * fit.scale.0,
                (a.y - fit.middle.1) * fit.scale.1,
            );
            assert!(x.abs() <= 400.0 - MARGIN.0 + 0.1 && y.abs() <= 200.0 - MARGIN.1 + 0.1);
            for b in &nodes[number + 1..] {
                let b = layout.place(b).unwrap();
                assert!((a.x - b.x).hypot(a.y - b.y) > 0.02);
            }
        }
    }

    #[test]
    fn what_does_not_change_stays_at_rest() {
        let nodes = names(3);
        let mut layout = Layout::default();
        layout.update(&nodes, Vec::new());
        layout.settle();
        for _ in 0..400 {
            layout.step();
        }
        let before = layout.place("node-1");
        layout.update(&nodes, Vec::new());
        layout.step();
        assert_eq!(layout.place("node-1"), before);
    }
}

//! What is drawn of the mesh, and what of it is under the pointer.

use crate::{
    draw::{map::model::Quality, shape::Point},
    graph::{
        layout::{Fit, Layout, hash},
        links,
    },
};
use sporenet_core::{kernel::id::Role, membership::member::MemberState, node::snapshot::Member};
use std::collections::{BTreeMap, BTreeSet};

/// A link is hit within so many pixels.
const REACH: f64 = 6.0;
/// A finger hits a node within so many pixels.
const FINGER: f64 = 20.0;
/// A curve is looked at in so many pieces.
const PIECES: u8 = 12;

/// What is drawn of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Relay or tab.
    pub role: Role,
    /// Its state.
    pub state: MemberState,
    /// The number of its zone, if it told one.
    pub zone: Option<usize>,
    /// Whether it is the node whose view the page shows.
    pub this_node: bool,
}

/// What is drawn of a link, between the nodes with these numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// One end.
    pub a: usize,
    /// The other end.
    pub b: usize,
    /// Whether this node holds the link itself.
    pub own: bool,
    /// How good it is.
    pub quality: Quality,
    /// Whether its two ends see it differently.
    pub asymmetric: bool,
    /// How much it is bent, as a part of its length.
    bend: f64,
}

/// Everything in the picture. Nodes are in the order of their identities, so that a change of state does
/// not move them; links are in the order that they were given in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The links, the worst first.
    pub links: Vec<Link>,
    /// The names of the zones, in alphabetical order.
    pub zones: Vec<String>,
}

/// What is under the pointer, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// A node.
    Node(usize),
    /// A link.
    Link(usize),
}

impl Scene {
    /// The picture of these members and the links among them.
    #[must_use]
    pub fn of(members: &[Member], links: &[links::Link]) -> Self {
        let named: BTreeSet<String> = members.iter().filter_map(zone).collect();
        let zones: Vec<String> = named.into_iter().collect();
        let numbers: BTreeMap<&str, usize> = zones.iter().map(String::as_str).zip(0..).collect();
        let mut order: Vec<(usize, &Member)> = members.iter().enumerate().collect();
        order.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        let mut place_of = vec![0; members.len()];
        for (place, (number, _)) in order.iter().enumerate() {
            if let Some(known) = place_of.get_mut(*number) {
                *known = place;
            }
        }
        let nodes: Vec<Node> = order
            .iter()
            .map(|(_, member)| Node {
                id: member.id.clone(),
                name: member.name.to_string(),
                role: member.role,
                state: member.state,
                zone: zone(member).and_then(|zone| numbers.get(zone.as_str()).copied()),
                this_node: member.this_node,
            })
            .collect();
        let links = links.iter().filter_map(|link| {
            let (a, b) = (*place_of.get(link.a)?, *place_of.get(link.b)?);
            let seed = hash(&nodes.get(a)?.id) ^ hash(&nodes.get(b)?.id);
            Some(Link {
                a,
                b,
                own: link.own,
                quality: link.quality,
                asymmetric: link.asymmetric,
                bend: (f64::from(seed % 200) / 100.0 - 1.0) * 0.13,
            })
        });
        Self {
            links: links.collect(),
            nodes,
            zones,
        }
    }

    /// How large a node is drawn: its radius in pixels.
    #[must_use]
    pub fn radius(&self, role: Role) -> f64 {
        let crowd = match self.nodes.len() {
            0..=20 => 1.0,
            21..=60 => 0.8,
            61..=150 => 0.55,
            151..=400 => 0.4,
            _ => 0.3,
        };
        match role {
            Role::Relay => 19.0 * crowd,
            Role::Tab => 11.0 * crowd,
        }
    }

    /// Both ends of a link and the point that bends it; `None` if an end has no place.
    #[must_use]
    pub fn curve(&self, layout: &Layout, fit: Fit, link: &Link) -> Option<(Point, Point, Point)> {
        let from = fit.pixel(layout.place(link.a)?);
        let to = fit.pixel(layout.place(link.b)?);
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let over = Point {
            x: f64::midpoint(from.x, to.x) - dy * link.bend,
            y: f64::midpoint(from.y, to.y) + dx * link.bend,
        };
        Some((from, over, to))
    }

    /// What is under the pointer: the nearest node, or the nearest link.
    #[must_use]
    pub fn under(&self, layout: &Layout, fit: Fit, at: Point) -> Option<Under> {
        let nodes = self.nodes.iter().enumerate().filter_map(|(number, node)| {
            let place = fit.pixel(layout.place(number)?);
            let far = (place.x - at.x).hypot(place.y - at.y);
            let reach = (self.radius(node.role) + 3.0).max(if self.nodes.len() > 60 {
                9.0
            } else {
                FINGER
            });
            (far <= reach).then_some((far, number))
        });
        if let Some((_, number)) = nodes.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
            return Some(Under::Node(number));
        }
        let links = self.links.iter().enumerate().filter_map(|(number, link)| {
            let far = distance(self.curve(layout, fit, link)?, at)?;
            (far <= REACH).then_some((far, number))
        });
        let nearest = links.min_by(|(a, _), (b, _)| a.total_cmp(b));
        nearest.map(|(_, number)| Under::Link(number))
    }
}

fn zone(member: &Member) -> Option<String> {
    member.zone.as_ref().map(ToString::to_string)
}

/// A point of a curve, from 0 at its start to 1 at its end.
#[must_use]
pub fn upon((from, over, to): (Point, Point, Point), t: f64) -> Point {
    let s = 1.0 - t;
    Point {
        x: s * s * from.x + 2.0 * s * t * over.x + t * t * to.x,
        y: s * s * from.y + 2.0 * s * t * over.y + t * t * to.y,
    }
}

/// How far a point is from a curve; `None` if it is clearly out of reach.
fn distance(curve: (Point, Point, Point), at: Point) -> Option<f64> {
    let (from, over, to) = curve;
    let out =
        |at: f64, [a, b, c]: [f64; 3]| at < a.min(b).min(c) - REACH || at > a.max(b).max(c) + REACH;
    if out(at.x, [from.x, over.x, to.x]) || out(at.y, [from.y, over.y, to.y]) {
        return None;
    }
    let steps = (1..=PIECES).map(|step| upon(curve, f64::from(step) / f64::from(PIECES)));
    let (nearest, _) = steps.fold((f64::MAX, from), |(nearest, before), point| {
        (nearest.min(at.distance_to_segment(before, point)), point)
    });
    Some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::shape::Size;

    fn node(id: &str) -> Node {
        Node {
            id: id.into(),
            name: id.into(),
            role: Role::Relay,
            state: MemberState::Alive,
            zone: None,
            this_node: false,
        }
    }

    #[test]
    fn the_pointer_hits_nodes_before_links_and_nothing_between() {
        let link = Link {
            a: 0,
            b: 1,
            own: false,
            quality: Quality::Good,
            asymmetric: false,
            bend: 0.1,
        };
        let scene = Scene {
            nodes: vec![node("a"), node("b")],
            links: vec![link],
            zones: Vec::new(),
        };
        let mut layout = Layout::default();
        let ids = ["a", "b"].map(|id| (id.to_owned(), None));
        layout.update(&ids, &[(0, 1)]);
        for _ in 0..400 {
            layout.step();
        }
        let fit = layout.fit(Size {
            width: 800.0,
            height: 400.0,
        });
        let curve = scene.curve(&layout, fit, &link).unwrap();
        let (start, middle) = (upon(curve, 0.0), upon(curve, 0.5));
        assert_eq!(scene.under(&layout, fit, start), Some(Under::Node(0)));
        assert_eq!(scene.under(&layout, fit, middle), Some(Under::Link(0)));
        let straight = Point {
            x: f64::midpoint(curve.0.x, curve.2.x),
            y: f64::midpoint(curve.0.y, curve.2.y),
        };
        let beyond = Point {
            x: straight.x - (middle.x - straight.x) * 2.0,
            y: straight.y - (middle.y - straight.y) * 2.0,
        };
        assert_eq!(scene.under(&layout, fit, beyond), None);
    }
}

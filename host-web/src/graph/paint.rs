//! The mesh on a canvas, in the page's colours.
//!
//! A state is always a shape as well as a colour: disc, triangle, square, two bars, ring. Relays are
//! hexagonal cells, tabs small round ones. How good a link is, is a colour and a dash.

use crate::{
    draw::{
        map::model::Quality,
        shape::{Ink, Label, Mark, Point, Rect, Size, as_float, text_width},
        surface::{Side, Surface},
    },
    graph::{
        hull,
        layout::{Fit, Layout},
        scene::{Link, Node, Scene, Under, upon},
    },
    words,
};
use core::f64::consts::TAU;
use sporenet_core::{kernel::id::Role, membership::member::MemberState};
use wasm_bindgen::JsValue;

/// Beyond so many links each is drawn fainter.
const LINKS_FULL: f64 = 60.0;
/// Beyond so many links each is a hairline: a browser fills the outline of all wider ones together, which takes
/// it half a second for five thousand.
const LINKS_WIDE: usize = 500;
/// Up to so many nodes shine.
const SHINING_MAX: usize = 150;
/// Up to so many nodes all have their names.
const NAMED_MAX: usize = 40;
/// Room around the nodes of a zone, in pixels.
const ZONE_ROOM: f64 = 30.0;
/// A picture below this width has shorter names.
const NARROW: f64 = 480.0;
/// The longest name, in characters.
const NAME_MAX: usize = 22;

/// What is painted, and where.
#[derive(Clone, Copy, Debug)]
pub struct Mesh<'a> {
    /// Nodes and links.
    pub scene: &'a Scene,
    /// Where the nodes are.
    pub layout: &'a Layout,
    /// How that becomes pixels.
    pub fit: Fit,
    /// How large the picture is.
    pub size: Size,
}

impl Mesh<'_> {
    /// Paints all of it. Canvas calls fail only on numbers that are not finite; what fails is not painted.
    pub fn paint(&self, surface: &Surface<'_>) {
        let _ = self.paint_all(surface);
    }

    fn paint_all(&self, surface: &Surface<'_>) -> Result<(), JsValue> {
        surface.begin(self.size)?;
        let zone_names = self.zones(surface);
        self.links(surface)?;
        if self.scene.nodes.len() <= SHINING_MAX {
            for (node, at) in self.placed() {
                shine(surface, node, at, self.scene.radius(node.role))?;
            }
        }
        for (node, at) in self.placed() {
            cell(surface, node, at, self.scene.radius(node.role))?;
        }
        self.names(surface, &zone_names)
    }

    fn at(&self, node: usize) -> Option<Point> {
        Some(self.fit.pixel(self.layout.place(node)?))
    }

    fn placed(&self) -> impl Iterator<Item = (&Node, Point)> {
        let nodes = self.scene.nodes.iter().enumerate();
        nodes.filter_map(|(number, node)| Some((node, self.at(number)?)))
    }

    /// Soft ground below the nodes of each zone; gives the zones' names with their room above it. A zone of
    /// one node needs none.
    fn zones(&self, surface: &Surface<'_>) -> Vec<(Rect, String)> {
        let mut members: Vec<Vec<Point>> = vec![Vec::new(); self.scene.zones.len()];
        for (node, at) in self.placed() {
            if let Some(zone) = node.zone.and_then(|zone| members.get_mut(zone)) {
                zone.push(at);
            }
        }
        let room = if self.scene.nodes.len() > SHINING_MAX {
            ZONE_ROOM / 2.0
        } else {
            ZONE_ROOM
        };
        let hulls: Vec<(Vec<Point>, &String)> = members
            .iter()
            .zip(&self.scene.zones)
            .filter(|(members, _)| members.len() > 1)
            .map(|(members, name)| (hull::around(members), name))
            .collect();
        for (ink, part, wider) in [(Ink::Faint, 0.9, 1.2), (Ink::Raised, 1.0, 0.0)] {
            for (corners, _) in &hulls {
                surface.canvas.begin_path();
                surface.polyline(corners);
                surface.canvas.close_path();
                surface.stroke(ink, 2.0 * (room + wider), part);
                surface.canvas.stroke();
                surface.fill(ink, part);
                surface.canvas.fill();
            }
        }
        let names = hulls.iter().filter_map(|(corners, name)| {
            let top = corners.iter().min_by(|a, b| a.y.total_cmp(&b.y))?;
            let text: String = name.chars().take(NAME_MAX).collect();
            let width = text_width(&text) + 8.0;
            let left = (top.x - width / 2.0).min(self.size.width - width - 2.0);
            let rect = Rect {
                x: left.max(2.0),
                y: (top.y - room - 16.0).max(1.0),
                width,
                height: 15.0,
            };
            Some((rect, text))
        });
        names.collect()
    }

    /// Links that look alike are one path; the worst are on top.
    fn links(&self, surface: &Surface<'_>) -> Result<(), JsValue> {
        let crowd = (LINKS_FULL / as_float(self.scene.links.len().max(1)))
            .sqrt()
            .clamp(0.16, 1.0);
        for (quality, own) in KINDS {
            let alike = self
                .scene
                .links
                .iter()
                .filter(|link| link.quality == quality && link.own == own);
            surface.canvas.begin_path();
            let mut any = false;
            for link in alike {
                any |= self.trace(surface, link);
            }
            if !any {
                continue;
            }
            if own {
                for (width, part) in [(9.0, 0.07), (4.5, 0.16)] {
                    surface.stroke(quality.ink(), width, part);
                    surface.canvas.stroke();
                }
            }
            let is_bad = matches!(quality, Quality::Slow | Quality::Lossy);
            let hairline =
                (self.scene.links.len() > LINKS_WIDE && !own).then(|| 1.0 / surface.ratio);
            if is_bad || hairline.is_none() {
                surface.dash(quality.dashes())?;
            }
            let (width, part) = match (own, quality) {
                (true, _) => (1.8, 0.95),
                (false, Quality::Unknown) => (1.1, 0.85 * crowd),
                (false, Quality::Good) => (1.2, 0.55 * crowd),
                // What is not well stays in sight in any crowd.
                (false, Quality::Slow | Quality::Lossy) => (1.4, 0.9 * crowd.max(0.45)),
            };
            surface.stroke(quality.ink(), hairline.unwrap_or(width), part);
            surface.canvas.stroke();
            surface.dash(&[])?;
        }
        for link in self.scene.links.iter().filter(|link| link.asymmetric) {
            self.mark_asymmetric(surface, link, 5.0 * crowd.max(0.6))?;
        }
        Ok(())
    }

    /// A link, added to the path; answers whether it has both ends.
    fn trace(&self, surface: &Surface<'_>, link: &Link) -> bool {
        let curve = self.scene.curve(self.layout, self.fit, link);
        let Some((from, over, to)) = curve else {
            return false;
        };
        surface.canvas.move_to(from.x, from.y);
        surface
            .canvas
            .quadratic_curve_to(over.x, over.y, to.x, to.y);
        true
    }

    fn mark_asymmetric(
        &self,
        surface: &Surface<'_>,
        link: &Link,
        radius: f64,
    ) -> Result<(), JsValue> {
        match self.scene.curve(self.layout, self.fit, link) {
            Some(curve) => {
                let at = upon(curve, 0.5);
                surface.mark(Mark::Diamond, at, radius, Ink::Extra, true)
            }
            None => Ok(()),
        }
    }

    /// Names below the nodes: of all where they are few, otherwise of this node and of those that are not
    /// well. No name covers another one.
    fn names(&self, surface: &Surface<'_>, zones: &[(Rect, String)]) -> Result<(), JsValue> {
        let many = self.scene.nodes.len() > NAMED_MAX;
        let is_bad = |node: &Node| matches!(node.state, MemberState::Dead | MemberState::Suspect);
        let mut named: Vec<(&Node, Point)> = self
            .placed()
            .filter(|(node, _)| !many || node.this_node || is_bad(node))
            .collect();
        named.sort_by_key(|(node, _)| (!node.this_node, !is_bad(node), node.role == Role::Tab));
        let mut taken: Vec<Rect> = zones.iter().map(|(rect, _)| *rect).collect();
        for (rect, text) in zones {
            write(surface, *rect, text.clone(), Ink::Muted)?;
        }
        for (node, at) in named {
            let rect = self.name_room(node, at);
            let free = |other: &Rect| {
                rect.x >= other.right()
                    || other.x >= rect.right()
                    || rect.y >= other.bottom()
                    || other.y >= rect.bottom()
            };
            if taken.iter().all(free) {
                taken.push(rect);
                self.name(surface, node, rect, node.this_node)?;
            }
        }
        Ok(())
    }

    /// Where a node's name goes: below it, and within the picture.
    fn name_room(&self, node: &Node, at: Point) -> Rect {
        let wider = if node.this_node { 1.14 } else { 1.0 };
        let width = text_width(&self.shown_name(node)) * wider + 10.0;
        let left = (at.x - width / 2.0).min(self.size.width - width - 2.0);
        Rect {
            x: left.max(2.0),
            y: (at.y + self.scene.radius(node.role) + 7.0).min(self.size.height - 19.0),
            width,
            height: 17.0,
        }
    }

    /// A node's name, shorter where the picture is narrow; this node's says so, where there is room.
    fn shown_name(&self, node: &Node) -> String {
        let is_narrow = self.size.width < NARROW;
        let most = if is_narrow { NAME_MAX - 8 } else { NAME_MAX };
        let mut name: String = node.name.chars().take(most).collect();
        if name.len() < node.name.len() {
            name.push('…');
        }
        if node.this_node && is_narrow {
            name = words::here().into();
        } else if node.this_node {
            name = format!("{name} ({})", words::here());
        }
        name
    }

    fn name(
        &self,
        surface: &Surface<'_>,
        node: &Node,
        room: Rect,
        strong: bool,
    ) -> Result<(), JsValue> {
        let text = self.shown_name(node);
        if strong {
            surface.canvas.set_font(&surface.palette.strong);
            write_on(surface, room, text, Ink::Text)
        } else {
            write(surface, room, text, Ink::Muted)
        }
    }

    /// Paints what is pointed at over a picture that is dimmed: a node with its links and those at their
    /// other ends, or a link with its ends.
    pub fn paint_over(&self, surface: &Surface<'_>, under: Under) {
        let _ = self.paint_pointed(surface, under);
    }

    fn paint_pointed(&self, surface: &Surface<'_>, under: Under) -> Result<(), JsValue> {
        surface.fill(Ink::Panel, 0.62);
        surface
            .canvas
            .fill_rect(0.0, 0.0, self.size.width, self.size.height);
        let is_meant = |(number, link): &(usize, &Link)| match under {
            Under::Node(node) => link.a == node || link.b == node,
            Under::Link(pointed) => *number == pointed,
        };
        let links: Vec<&Link> = self
            .scene
            .links
            .iter()
            .enumerate()
            .filter(is_meant)
            .map(|(_, link)| link)
            .collect();
        for link in &links {
            surface.canvas.begin_path();
            self.trace(surface, link);
            surface.stroke(link.quality.ink(), 7.0, 0.14);
            surface.canvas.stroke();
            surface.dash(link.quality.dashes())?;
            surface.stroke(link.quality.ink(), 2.0, 1.0);
            surface.canvas.stroke();
            surface.dash(&[])?;
        }
        for link in links.iter().filter(|link| link.asymmetric) {
            self.mark_asymmetric(surface, link, 5.5)?;
        }
        let mut ends: Vec<usize> = links.iter().flat_map(|link| [link.a, link.b]).collect();
        if let Under::Node(node) = under {
            ends.push(node);
        }
        ends.sort_unstable();
        ends.dedup();
        let names = ends.len() <= NAMED_MAX;
        for end in ends {
            let node = self.scene.nodes.get(end).zip(self.at(end));
            let Some((node, at)) = node else { continue };
            let is_pointed = under == Under::Node(end);
            cell(surface, node, at, self.scene.radius(node.role))?;
            if is_pointed {
                membrane(surface, node.role, at, self.scene.radius(node.role) + 5.5)?;
                surface.stroke(Ink::Text, 1.6, 0.95);
                surface.canvas.stroke();
            }
            if is_pointed || names {
                self.name(surface, node, self.name_room(node, at), is_pointed)?;
            }
        }
        Ok(())
    }
}

/// How links look, in the order in which they are drawn.
const KINDS: [(Quality, bool); 8] = [
    (Quality::Unknown, false),
    (Quality::Good, false),
    (Quality::Slow, false),
    (Quality::Lossy, false),
    (Quality::Unknown, true),
    (Quality::Good, true),
    (Quality::Slow, true),
    (Quality::Lossy, true),
];

fn disc(surface: &Surface<'_>, at: Point, radius: f64) -> Result<(), JsValue> {
    surface.canvas.begin_path();
    surface.canvas.arc(at.x, at.y, radius, 0.0, TAU)
}

/// Light around a node in the colour of its state; little around who is gone.
fn shine(surface: &Surface<'_>, node: &Node, at: Point, radius: f64) -> Result<(), JsValue> {
    let lit = matches!(node.state, MemberState::Alive | MemberState::Suspect);
    let far = radius * 2.9;
    let colour = surface.palette.colour(Ink::of_state(node.state));
    let gradient =
        surface
            .canvas
            .create_radial_gradient(at.x, at.y, radius * 0.4, at.x, at.y, far)?;
    // A colour of six digits takes its part as two more; any other fades by itself.
    let is_plain = colour.len() == 7 && colour.starts_with('#');
    let faded = |digits: &str| {
        if is_plain {
            format!("{colour}{digits}")
        } else {
            "transparent".into()
        }
    };
    gradient.add_color_stop(0.0, &faded("ff"))?;
    gradient.add_color_stop(0.5, &faded("4d"))?;
    gradient.add_color_stop(1.0, &faded("00"))?;
    surface
        .canvas
        .set_global_alpha(if lit { 0.32 } else { 0.15 });
    surface.canvas.set_fill_style_canvas_gradient(&gradient);
    disc(surface, at, far)?;
    surface.canvas.fill();
    Ok(())
}

/// A node: its role's outline with its state's shape inside; small ones are filled.
fn cell(surface: &Surface<'_>, node: &Node, at: Point, radius: f64) -> Result<(), JsValue> {
    let ink = Ink::of_state(node.state);
    if node.this_node {
        membrane(surface, node.role, at, radius + 5.5)?;
        surface.fill(Ink::Panel, 0.8);
        surface.canvas.fill();
        surface.stroke(Ink::Accent, 1.8, 1.0);
        surface.canvas.stroke();
    }
    if radius < 8.0 {
        // A dark edge, so that it stands out of the lines.
        membrane(surface, node.role, at, radius + 1.4)?;
        surface.fill(Ink::Panel, 1.0);
        surface.canvas.fill();
        if node.state != MemberState::Alive {
            return surface.mark(Mark::of_state(node.state), at, radius.max(4.0), ink, false);
        }
        membrane(surface, node.role, at, radius)?;
        surface.fill(ink, 0.95);
        surface.canvas.fill();
        return Ok(());
    }
    membrane(surface, node.role, at, radius)?;
    surface.fill(Ink::Panel, 1.0);
    surface.canvas.fill();
    surface.fill(ink, 0.13);
    surface.canvas.fill();
    surface.stroke(ink, 2.0, 0.95);
    surface.canvas.stroke();
    let mark = Mark::of_state(node.state);
    surface.mark(mark, at, radius * 0.36, ink, false)
}

/// A hexagon's corners on the unit circle, one at the top.
const HEXAGON: [(f64, f64); 6] = [
    (0.0, -1.0),
    (0.866, -0.5),
    (0.866, 0.5),
    (0.0, 1.0),
    (-0.866, 0.5),
    (-0.866, -0.5),
];

/// A hexagon for a relay, a circle for a tab.
fn membrane(surface: &Surface<'_>, role: Role, at: Point, radius: f64) -> Result<(), JsValue> {
    match role {
        Role::Relay => {
            surface.canvas.begin_path();
            for (dx, dy) in HEXAGON {
                surface
                    .canvas
                    .line_to(at.x + radius * dx, at.y + radius * dy);
            }
            surface.canvas.close_path();
            Ok(())
        }
        Role::Tab => disc(surface, at, radius),
    }
}

/// A text on a dark ground in the small font.
fn write(surface: &Surface<'_>, room: Rect, text: String, ink: Ink) -> Result<(), JsValue> {
    surface.canvas.set_font(&surface.palette.small);
    write_on(surface, room, text, ink)
}

fn write_on(surface: &Surface<'_>, room: Rect, text: String, ink: Ink) -> Result<(), JsValue> {
    surface.fill(Ink::Ground, 0.72);
    surface
        .canvas
        .fill_rect(room.x, room.y, room.width, room.height);
    surface.fill(ink, 1.0);
    let at = Point {
        x: room.x + room.width / 2.0,
        y: room.y + room.height / 2.0,
    };
    surface.text(&Label { at, text }, Side::Middle)
}

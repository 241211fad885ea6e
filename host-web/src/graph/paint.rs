//! One frame of the mesh on a canvas.
//!
//! A state is always a shape as well as a colour: disc, triangle, square, two bars, ring. Relays are
//! hexagonal cells, tabs small round ones. Glow is a gradient behind the node; nothing is blurred.

use crate::{
    graph::layout::{Fit, Layout, hash},
    words,
};
use core::f64::consts::TAU;
use sporenet_core::{kernel::id::Role, membership::member::MemberState};
use wasm_bindgen::JsValue;
use web_sys::CanvasRenderingContext2d as Canvas;

/// What is drawn of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its identity.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Relay or tab.
    pub role: Role,
    /// Its state.
    pub state: MemberState,
    /// Whether it is the node whose view the page shows.
    pub this_node: bool,
}

/// What is drawn of an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// One end.
    pub a: String,
    /// The other end.
    pub b: String,
    /// Whether this node holds the link itself.
    pub own: bool,
}

/// Everything in the picture.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges.
    pub edges: Vec<Edge>,
    /// The node under the pointer.
    pub pointed: Option<String>,
}

/// The picture's size and moment.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// In CSS pixels.
    pub width: f64,
    /// In CSS pixels.
    pub height: f64,
    /// Device pixels per CSS pixel.
    pub scale: f64,
    /// Milliseconds; stands still for those who want no motion.
    pub at: f64,
    /// Whether things may move.
    pub motion: bool,
    /// How the nodes fill it.
    pub fit: Fit,
}

impl Frame {
    fn point(&self, layout: &Layout, id: &str) -> Option<(f64, f64)> {
        let place = layout.place(id)?;
        let Fit { middle, scale } = self.fit;
        Some((
            self.width / 2.0 + (place.x - middle.0) * scale.0,
            self.height / 2.0 - 8.0 + (place.y - middle.1) * scale.1,
        ))
    }
}

const TEXT: &str = "#e6f1ff";
const MUTED: &str = "#93a4c3";
const CELL: &str = "#0d1424";
const CYAN: Rgb = (0x22, 0xe6, 0xff);
const VIOLET: Rgb = (0xa7, 0x8b, 0xff);

type Rgb = (u8, u8, u8);

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn css((red, green, blue): Rgb, alpha: f64) -> String {
    let alpha = (alpha.clamp(0.0, 1.0) * 255.0) as u8;
    format!("#{red:02x}{green:02x}{blue:02x}{alpha:02x}")
}

/// The palette's colour of a state.
const fn colour(state: MemberState) -> Rgb {
    match state {
        MemberState::Alive => (0x3d, 0xff, 0x9a),
        MemberState::Suspect => (0xff, 0xc2, 0x47),
        MemberState::Dead => (0xff, 0x54, 0x70),
        MemberState::Parked => VIOLET,
        MemberState::Left => (0x93, 0xa4, 0xc3),
    }
}

/// How large a node is drawn when there are so many.
fn radius(role: Role, nodes: usize) -> f64 {
    let crowd = if nodes > 60 {
        0.6
    } else if nodes > 20 {
        0.8
    } else {
        1.0
    };
    match role {
        Role::Relay => 19.0 * crowd,
        Role::Tab => 11.0 * crowd,
    }
}

/// The node at a point, if there is one.
#[must_use]
pub fn node_at(scene: &Scene, layout: &Layout, frame: &Frame, x: f64, y: f64) -> Option<String> {
    let near = scene.nodes.iter().filter_map(|node| {
        let (nx, ny) = frame.point(layout, &node.id)?;
        let far = (nx - x).hypot(ny - y);
        (far <= radius(node.role, scene.nodes.len()).max(22.0)).then_some((far, node))
    });
    let nearest = near.min_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map(|(_, node)| node.id.clone())
}

/// Draws the picture.
pub fn draw(canvas: &Canvas, scene: &Scene, layout: &Layout, frame: &Frame) {
    // Canvas calls fail only on numbers that are not finite; a frame that fails is simply not drawn.
    let _ = draw_all(canvas, scene, layout, frame);
}

fn draw_all(canvas: &Canvas, scene: &Scene, layout: &Layout, frame: &Frame) -> Result<(), JsValue> {
    canvas.set_transform(frame.scale, 0.0, 0.0, frame.scale, 0.0, 0.0)?;
    canvas.clear_rect(0.0, 0.0, frame.width, frame.height);
    canvas.set_line_cap("round");
    for edge in &scene.edges {
        let ends = frame
            .point(layout, &edge.a)
            .zip(frame.point(layout, &edge.b));
        if let Some((from, to)) = ends {
            hypha(canvas, frame, edge, from, to)?;
        }
    }
    for node in &scene.nodes {
        if let Some(at) = frame.point(layout, &node.id) {
            cell(canvas, frame, scene, node, at)?;
        }
    }
    for node in &scene.nodes {
        let named = scene.nodes.len() <= 40 || node.this_node || node.role == Role::Relay;
        let pointed = scene.pointed.as_deref() == Some(&node.id);
        if let Some(at) = frame.point(layout, &node.id).filter(|_| named || pointed) {
            label(
                canvas,
                frame,
                node,
                at,
                radius(node.role, scene.nodes.len()),
                pointed,
            )?;
        }
    }
    Ok(())
}

/// An edge as a slightly bent thread; what this node holds itself is bright and carries light.
fn hypha(
    canvas: &Canvas,
    frame: &Frame,
    edge: &Edge,
    from: (f64, f64),
    to: (f64, f64),
) -> Result<(), JsValue> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let seed = hash(&edge.a) ^ hash(&edge.b).rotate_left(7);
    let bend = (f64::from(seed % 200) / 100.0 - 1.0) * 0.16;
    let middle = (
        (from.0 + to.0) / 2.0 - dy * bend,
        (from.1 + to.1) / 2.0 + dx * bend,
    );
    let path = || {
        canvas.begin_path();
        canvas.move_to(from.0, from.1);
        canvas.quadratic_curve_to(middle.0, middle.1, to.0, to.1);
    };
    let dashes = js_sys::Array::new();
    if !edge.own {
        dashes.push(&3.0.into());
        dashes.push(&6.0.into());
        canvas.set_line_dash(&dashes)?;
        canvas.set_stroke_style_str(&css(VIOLET, 0.55));
        canvas.set_line_width(1.2);
        path();
        canvas.stroke();
        return canvas.set_line_dash(&js_sys::Array::new());
    }
    for (width, alpha) in [(9.0, 0.07), (4.0, 0.16), (1.6, 0.85)] {
        canvas.set_stroke_style_str(&css(CYAN, alpha));
        canvas.set_line_width(width);
        path();
        canvas.stroke();
    }
    if frame.motion {
        for lag in [0.0, 0.5] {
            let phase = f64::from(seed % 997) / 997.0 + lag;
            let t = (frame.at / 3_400.0 + phase).fract();
            let s = 1.0 - t;
            let x = s * s * from.0 + 2.0 * s * t * middle.0 + t * t * to.0;
            let y = s * s * from.1 + 2.0 * s * t * middle.1 + t * t * to.1;
            let bright = 4.0 * t * (1.0 - t);
            disc(canvas, x, y, 2.1, &css((0xe6, 0xff, 0xff), 0.9 * bright))?;
            disc(canvas, x, y, 5.0, &css(CYAN, 0.25 * bright))?;
        }
    }
    Ok(())
}

fn disc(canvas: &Canvas, x: f64, y: f64, radius: f64, style: &str) -> Result<(), JsValue> {
    canvas.set_fill_style_str(style);
    canvas.begin_path();
    canvas.arc(x, y, radius, 0.0, TAU)?;
    canvas.fill();
    Ok(())
}

fn cell(
    canvas: &Canvas,
    frame: &Frame,
    scene: &Scene,
    node: &Node,
    (x, y): (f64, f64),
) -> Result<(), JsValue> {
    let size = radius(node.role, scene.nodes.len());
    let hue = colour(node.state);
    let lit = matches!(node.state, MemberState::Alive | MemberState::Suspect);
    let breath = if frame.motion && lit {
        let t = (frame.at / 8_000.0 + f64::from(hash(&node.id) % 100) / 100.0).fract();
        (8.0 * t * (1.0 - t) - 1.0) * 0.06
    } else {
        0.0
    };
    let glow = size * 2.9;
    let gradient = canvas.create_radial_gradient(x, y, size * 0.4, x, y, glow)?;
    let strength = if lit { 0.34 + breath } else { 0.16 };
    gradient.add_color_stop(0.0, &css(hue, strength))?;
    gradient.add_color_stop(0.5, &css(hue, strength * 0.3))?;
    gradient.add_color_stop(1.0, &css(hue, 0.0))?;
    canvas.set_fill_style_canvas_gradient(&gradient);
    canvas.fill_rect(x - glow, y - glow, glow * 2.0, glow * 2.0);

    membrane(canvas, node.role, x, y, size)?;
    canvas.set_fill_style_str(CELL);
    canvas.fill();
    canvas.set_fill_style_str(&css(hue, 0.13));
    canvas.fill();
    canvas.set_stroke_style_str(&css(hue, 0.95));
    canvas.set_line_width(2.0);
    canvas.stroke();
    if node.this_node || scene.pointed.as_deref() == Some(&node.id) {
        membrane(canvas, node.role, x, y, size + 5.5)?;
        canvas.set_stroke_style_str(&css(CYAN, 0.95));
        canvas.set_line_width(1.6);
        canvas.stroke();
    }
    nucleus(canvas, node.state, x, y, size * 0.34, &css(hue, 1.0))
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
fn membrane(canvas: &Canvas, role: Role, x: f64, y: f64, size: f64) -> Result<(), JsValue> {
    canvas.begin_path();
    match role {
        Role::Relay => {
            for (dx, dy) in HEXAGON {
                canvas.line_to(x + size * dx, y + size * dy);
            }
            canvas.close_path();
            Ok(())
        }
        Role::Tab => canvas.arc(x, y, size, 0.0, TAU),
    }
}

/// The state's shape, the same as in the tables.
fn nucleus(
    canvas: &Canvas,
    state: MemberState,
    x: f64,
    y: f64,
    size: f64,
    style: &str,
) -> Result<(), JsValue> {
    canvas.set_fill_style_str(style);
    canvas.set_stroke_style_str(style);
    canvas.begin_path();
    match state {
        MemberState::Alive => canvas.arc(x, y, size, 0.0, TAU)?,
        MemberState::Suspect => {
            canvas.move_to(x, y - size * 1.15);
            canvas.line_to(x + size * 1.1, y + size * 0.8);
            canvas.line_to(x - size * 1.1, y + size * 0.8);
            canvas.close_path();
        }
        MemberState::Dead => canvas.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8),
        MemberState::Parked => {
            canvas.rect(x - size, y - size, size * 0.7, size * 2.0);
            canvas.rect(x + size * 0.3, y - size, size * 0.7, size * 2.0);
        }
        MemberState::Left => {
            canvas.arc(x, y, size * 0.9, 0.0, TAU)?;
            canvas.set_line_width(1.6);
            canvas.stroke();
            return Ok(());
        }
    }
    canvas.fill();
    Ok(())
}

fn label(
    canvas: &Canvas,
    frame: &Frame,
    node: &Node,
    (x, y): (f64, f64),
    size: f64,
    pointed: bool,
) -> Result<(), JsValue> {
    let mut name: String = if pointed {
        node.name.clone()
    } else {
        node.name.chars().take(20).collect()
    };
    if name.len() < node.name.len() {
        name.push('…');
    }
    if node.this_node {
        name.push_str(" (");
        name.push_str(words::here());
        name.push(')');
    }
    let weight = if node.this_node || pointed {
        "600 "
    } else {
        ""
    };
    canvas.set_font(&format!("{weight}12px system-ui, sans-serif"));
    canvas.set_text_align("center");
    canvas.set_text_baseline("top");
    let wide = canvas.measure_text(&name)?.width() / 2.0;
    // Not `clamp`: a name may be wider than the picture, and then the bounds change places.
    let middle = x.min(frame.width - wide - 6.0).max(wide + 6.0);
    let top = y + size + 8.0;
    canvas.set_fill_style_str("rgba(7,11,20,0.72)");
    canvas.fill_rect(middle - wide - 4.0, top - 2.0, wide * 2.0 + 8.0, 17.0);
    canvas.set_fill_style_str(if node.this_node || pointed {
        TEXT
    } else {
        MUTED
    });
    canvas.fill_text(&name, middle, top)
}

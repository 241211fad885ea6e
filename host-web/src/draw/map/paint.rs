//! One frame of the world map on a canvas.

use crate::draw::{
    map::{
        land,
        layout::{Layout, Spot, Under},
        model::Quality,
        projection::{Flat, project},
    },
    shape::{Ink, Label, Mark, Point, as_float},
    surface::{Side, Surface},
};
use core::f64::consts::TAU;
use sporenet_core::membership::member::MemberState;
use wasm_bindgen::JsValue;
use web_sys::Path2d;

/// How far the lines of the graticule are apart, in degrees.
const GRATICULE: i32 = 30;
/// More links than so many are drawn fainter.
const ARCS_FULL: f64 = 80.0;
/// A curved line has a corner each so many degrees.
const CORNER: usize = 4;

/// What never changes of a map: made once, and drawn at any view.
#[derive(Debug)]
pub struct Globe {
    land: Path2d,
    graticule: Path2d,
    edge: Path2d,
}

impl Globe {
    /// Reads the coastlines.
    ///
    /// # Errors
    /// The browser's, if it has no paths.
    pub fn new() -> Result<Self, JsValue> {
        let land = Path2d::new()?;
        for ring in land::rings() {
            trace(&land, ring.into_iter().map(project), true);
        }
        let graticule = Path2d::new()?;
        for longitude in (-180 + GRATICULE..180).step_by(30).map(f64::from) {
            trace(&graticule, meridian(longitude), false);
        }
        for latitude in (-90 + GRATICULE..90).step_by(30).map(f64::from) {
            trace(
                &graticule,
                [-180.0, 180.0].map(|side| project((side, latitude))),
                false,
            );
        }
        let edge = Path2d::new()?;
        let back = meridian(180.0).collect::<Vec<_>>().into_iter().rev();
        trace(&edge, meridian(-180.0).chain(back), true);
        Ok(Self {
            land,
            graticule,
            edge,
        })
    }
}

/// A line from pole to pole.
fn meridian(longitude: f64) -> impl Iterator<Item = Flat> {
    (-90..=90)
        .step_by(CORNER)
        .map(move |latitude| project((longitude, f64::from(latitude))))
}

fn trace(path: &Path2d, points: impl IntoIterator<Item = Flat>, close: bool) {
    for (number, point) in points.into_iter().enumerate() {
        if number == 0 {
            path.move_to(point.x, -point.y);
        } else {
            path.line_to(point.x, -point.y);
        }
    }
    if close {
        path.close_path();
    }
}

/// Draws a map.
pub fn paint(surface: &Surface<'_>, globe: &Globe, layout: &Layout) {
    // Canvas calls fail only on numbers that are not finite; a frame that fails is simply not drawn.
    let _ = paint_all(surface, globe, layout);
}

fn paint_all(surface: &Surface<'_>, globe: &Globe, layout: &Layout) -> Result<(), JsValue> {
    surface.begin(layout.size)?;
    world(surface, globe, layout)?;
    arcs(surface, layout)?;
    for spot in &layout.spots {
        paint_spot(surface, spot, false)?;
    }
    names(surface, &layout.names)
}

/// Draws what is pointed at over a map: a spot with its links, or links with their ends.
pub fn paint_over(surface: &Surface<'_>, layout: &Layout, pointed: Under) {
    let _ = paint_pointed(surface, layout, pointed);
}

fn paint_pointed(surface: &Surface<'_>, layout: &Layout, pointed: Under) -> Result<(), JsValue> {
    let (spot, arc) = match pointed {
        Under::Node(node) => (layout.spot_of(node), None),
        Under::Cluster(spot) => (Some(spot), None),
        Under::Arc(arc) => (None, Some(arc)),
    };
    let mut ends: Vec<usize> = spot.into_iter().collect();
    for (number, one) in layout.arcs.iter().enumerate() {
        let is_at_spot = spot.is_some_and(|spot| one.ends.0 == spot || one.ends.1 == spot);
        if !is_at_spot && arc != Some(number) {
            continue;
        }
        ends.extend([one.ends.0, one.ends.1]);
        surface.canvas.begin_path();
        for piece in &one.pieces {
            surface.polyline(piece);
        }
        surface.stroke(one.quality.ink(), 7.0, 0.16);
        surface.canvas.stroke();
        surface.dash(one.quality.dashes())?;
        surface.stroke(one.quality.ink(), 2.2, 1.0);
        surface.canvas.stroke();
        surface.dash(&[])?;
        if let Some(at) = one.middle().filter(|_| one.asymmetric) {
            surface.mark(Mark::Diamond, at, 5.5, Ink::Extra, true)?;
        }
    }
    ends.sort_unstable();
    ends.dedup();
    for end in ends {
        if let Some(one) = layout.spots.get(end) {
            paint_spot(surface, one, spot == Some(end))?;
        }
    }
    Ok(())
}

/// The sea, the land and the graticule, in the units of the flat world.
fn world(surface: &Surface<'_>, globe: &Globe, layout: &Layout) -> Result<(), JsValue> {
    let canvas = surface.canvas;
    let scale = layout.view.scale(layout.size);
    let origin = layout.view.pixel(layout.size, Flat::default());
    canvas.save();
    canvas.translate(origin.x, origin.y)?;
    canvas.scale(scale, scale)?;
    surface.fill(Ink::Ground, 0.55);
    canvas.fill_with_path_2d(&globe.edge);
    surface.stroke(Ink::Faint, 1.0 / scale, 0.5);
    canvas.stroke_with_path(&globe.graticule);
    surface.fill(Ink::Faint, 0.85);
    canvas.fill_with_path_2d(&globe.land);
    surface.stroke(Ink::Border, 0.7 / scale, 0.55);
    canvas.stroke_with_path(&globe.land);
    surface.stroke(Ink::Faint, 1.0 / scale, 0.9);
    canvas.stroke_with_path(&globe.edge);
    canvas.restore();
    Ok(())
}

/// Links of one quality are one path; the worst are on top.
fn arcs(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    // Many lines together would hide the land.
    let crowd = (ARCS_FULL / as_float(layout.arcs.len().max(1)))
        .sqrt()
        .clamp(0.3, 1.0);
    for (quality, width, part) in [
        (Quality::Unknown, 1.0, 0.6),
        (Quality::Good, 1.1, 0.45),
        (Quality::Slow, 1.4, 0.85),
        (Quality::Lossy, 1.6, 0.95),
    ] {
        surface.canvas.begin_path();
        for arc in layout.arcs.iter().filter(|arc| arc.quality == quality) {
            for piece in &arc.pieces {
                surface.polyline(piece);
            }
        }
        surface.dash(quality.dashes())?;
        surface.stroke(quality.ink(), width, part * crowd);
        surface.canvas.stroke();
    }
    surface.dash(&[])?;
    for arc in layout.arcs.iter().filter(|arc| arc.asymmetric) {
        if let Some(at) = arc.middle() {
            surface.mark(Mark::Diamond, at, 5.0 * crowd.max(0.7), Ink::Extra, true)?;
        }
    }
    Ok(())
}

fn paint_spot(surface: &Surface<'_>, spot: &Spot, is_pointed: bool) -> Result<(), JsValue> {
    let worst = spot
        .states
        .first()
        .map_or(MemberState::Left, |(state, _)| *state);
    if spot.has_this_node || is_pointed {
        circle(surface, spot.at, spot.radius + 4.5)?;
        surface.stroke(Ink::Text, 1.4, 0.9);
        surface.canvas.stroke();
    }
    if spot.nodes.len() > 1 {
        return cluster(surface, spot, worst);
    }
    // A dark edge, so that it stands out of lines and land.
    circle(surface, spot.at, spot.radius + 2.0)?;
    surface.fill(Ink::Panel, 0.9);
    surface.canvas.fill();
    if spot.is_estimated {
        halo(surface, spot, Ink::of_state(worst))?;
    }
    let hollow = spot.is_estimated;
    surface.mark(
        Mark::of_state(worst),
        spot.at,
        spot.radius - 1.2,
        Ink::of_state(worst),
        hollow,
    )
}

fn circle(surface: &Surface<'_>, at: Point, radius: f64) -> Result<(), JsValue> {
    surface.canvas.begin_path();
    surface.canvas.arc(at.x, at.y, radius, 0.0, TAU)
}

/// Dots around what is only about there.
fn halo(surface: &Surface<'_>, spot: &Spot, ink: Ink) -> Result<(), JsValue> {
    circle(surface, spot.at, spot.radius + 3.0)?;
    surface.stroke(ink, 1.2, 0.75);
    surface.dash(&[1.0, 3.6])?;
    surface.canvas.stroke();
    surface.dash(&[])
}

/// A count within a ring that is parted by states; the shape of the worst, if it is not well, above it.
fn cluster(surface: &Surface<'_>, spot: &Spot, worst: MemberState) -> Result<(), JsValue> {
    circle(surface, spot.at, spot.radius + 1.0)?;
    surface.fill(Ink::Raised, 1.0);
    surface.canvas.fill();
    if spot.is_estimated {
        halo(surface, spot, Ink::of_state(worst))?;
    }
    surface.canvas.set_line_cap("butt");
    let mut from = -TAU / 4.0;
    for (state, count) in &spot.states {
        let until = from + TAU * as_float(*count) / as_float(spot.nodes.len());
        surface.canvas.begin_path();
        surface
            .canvas
            .arc(spot.at.x, spot.at.y, spot.radius - 0.5, from, until)?;
        surface.stroke(Ink::of_state(*state), 2.6, 1.0);
        surface.canvas.stroke();
        from = until;
    }
    surface.canvas.set_line_cap("round");
    surface.canvas.set_font(&surface.palette.small);
    surface.fill(Ink::Text, 1.0);
    let at = Point {
        y: spot.at.y + 0.5,
        ..spot.at
    };
    surface.text(
        &Label {
            at,
            text: spot.nodes.len().to_string(),
        },
        Side::Middle,
    )?;
    if matches!(worst, MemberState::Dead | MemberState::Suspect) {
        let at = Point {
            x: spot.at.x + spot.radius * 0.75,
            y: spot.at.y - spot.radius * 0.75,
        };
        surface.mark(Mark::of_state(worst), at, 6.0, Ink::Panel, false)?;
        surface.mark(Mark::of_state(worst), at, 4.2, Ink::of_state(worst), false)?;
    }
    Ok(())
}

/// Names with a dark edge, which is drawn before any of them.
fn names(surface: &Surface<'_>, names: &[Label]) -> Result<(), JsValue> {
    surface.canvas.set_font(&surface.palette.small);
    surface.canvas.set_text_align("left");
    surface.canvas.set_text_baseline("middle");
    surface.stroke(Ink::Ground, 3.0, 0.85);
    for name in names {
        surface
            .canvas
            .stroke_text(&name.text, name.at.x, name.at.y)?;
    }
    surface.fill(Ink::Text, 0.95);
    for name in names {
        surface.text(name, Side::Left)?;
    }
    Ok(())
}

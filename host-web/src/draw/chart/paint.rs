//! One frame of a chart on a canvas.

use crate::draw::{
    chart::{layout::Layout, read::Readout},
    column::Column,
    shape::{Ink, Mark, Point, Rect},
    surface::{Side, Surface},
};
use wasm_bindgen::JsValue;

/// What the pointer adds to a chart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pointed<'a> {
    /// What stands under the cursor.
    pub readout: Option<&'a Readout>,
    /// Where a brush began and where it is, to the right.
    pub brush: Option<(f64, f64)>,
}

/// Draws a chart.
pub fn paint(surface: &Surface<'_>, layout: &Layout, pointed: Pointed<'_>) {
    // Canvas calls fail only on numbers that are not finite; a frame that fails is simply not drawn.
    let _ = paint_all(surface, layout, pointed);
}

fn paint_all(surface: &Surface<'_>, layout: &Layout, pointed: Pointed<'_>) -> Result<(), JsValue> {
    surface.begin(layout.size)?;
    grid(surface, layout)?;
    let plot = layout.scale.plot;
    surface.canvas.save();
    surface.canvas.begin_path();
    // Lines at the very top or bottom keep their width.
    surface.rect(Rect {
        y: plot.y - 2.0,
        height: plot.height + 4.0,
        ..plot
    });
    surface.canvas.clip();
    spans(surface, layout, pointed.brush);
    forecast(surface, layout)?;
    lines(surface, layout);
    surface.canvas.restore();
    rules(surface, layout)?;
    events(surface, layout)?;
    lane(surface, layout);
    ends(surface, layout)?;
    if let Some(note) = &layout.note {
        surface.canvas.set_font(&surface.palette.small);
        surface.fill(Ink::Muted, 1.0);
        surface.text(note, Side::Middle)?;
    }
    if let Some(readout) = pointed.readout {
        cursor(surface, layout, readout)?;
    }
    Ok(())
}

/// Half a pixel further, so that a thin line is sharp.
fn sharp(at: f64) -> f64 {
    at.round() + 0.5
}

fn across(surface: &Surface<'_>, plot: Rect, y: f64) {
    let y = sharp(y);
    surface.segment(Point { x: plot.x, y }, Point { x: plot.right(), y });
}

fn upright(surface: &Surface<'_>, plot: Rect, x: f64) {
    let x = sharp(x);
    surface.segment(
        Point { x, y: plot.y },
        Point {
            x,
            y: plot.bottom(),
        },
    );
}

fn grid(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    let plot = layout.scale.plot;
    surface.canvas.begin_path();
    for value in &layout.values {
        across(surface, plot, value.at.y - 1.0);
    }
    surface.stroke(Ink::Faint, 1.0, 0.75);
    surface.canvas.stroke();
    surface.canvas.begin_path();
    for time in &layout.times {
        upright(surface, plot, time.at.x);
    }
    surface.stroke(Ink::Faint, 1.0, 0.4);
    surface.canvas.stroke();
    surface.canvas.set_font(&surface.palette.small);
    surface.fill(Ink::Muted, 1.0);
    for value in &layout.values {
        surface.text(value, Side::Right)?;
    }
    for time in &layout.times {
        surface.text(time, Side::Middle)?;
    }
    Ok(())
}

/// What a rule would have said, and the brush.
fn spans(surface: &Surface<'_>, layout: &Layout, brush: Option<(f64, f64)>) {
    let plot = layout.scale.plot;
    surface.canvas.begin_path();
    for span in &layout.dry_run {
        surface.rect(*span);
    }
    surface.fill(Ink::Extra, 0.13);
    surface.canvas.fill();
    surface.canvas.begin_path();
    for span in &layout.dry_run {
        let y = plot.y + 1.0;
        surface.segment(Point { x: span.x, y }, Point { x: span.right(), y });
    }
    surface.stroke(Ink::Extra, 2.0, 0.9);
    surface.canvas.stroke();
    if let Some((from, to)) = brush {
        let (left, right) = (from.min(to), from.max(to));
        surface.fill(Ink::Accent, 0.14);
        surface
            .canvas
            .fill_rect(left, plot.y, right - left, plot.height);
        surface.canvas.begin_path();
        upright(surface, plot, left);
        upright(surface, plot, right);
        surface.stroke(Ink::Accent, 1.0, 0.8);
        surface.canvas.stroke();
    }
}

fn forecast(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    if layout.band.is_empty() {
        return Ok(());
    }
    surface.canvas.begin_path();
    surface.polyline(&layout.band);
    surface.canvas.close_path();
    surface.fill(Ink::Calm, 0.18);
    surface.canvas.fill();
    surface.canvas.begin_path();
    surface.polyline(&layout.mean);
    surface.stroke(Ink::Calm, 1.4, 0.95);
    surface.dash(&[5.0, 4.0])?;
    surface.canvas.stroke();
    surface.dash(&[])?;
    if let Some(now) = layout.now {
        surface.canvas.begin_path();
        upright(surface, layout.scale.plot, now);
        surface.stroke(Ink::Muted, 1.0, 0.7);
        surface.canvas.stroke();
    }
    Ok(())
}

fn lines(surface: &Surface<'_>, layout: &Layout) {
    if let [line] = layout.lines.as_slice() {
        let floor = layout.scale.y(layout.scale.axis.low.max(0.0));
        surface.canvas.begin_path();
        surface.columns(&line.columns, Some(floor));
        surface.fill(Ink::of_series(0), 0.1);
        surface.canvas.fill();
    }
    for (number, line) in layout.lines.iter().enumerate() {
        surface.canvas.begin_path();
        surface.columns(&line.columns, None);
        surface.stroke(Ink::of_series(number), 1.5, 0.95);
        surface.canvas.stroke();
    }
}

fn rules(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    for rule in &layout.thresholds {
        let Some(y) = rule.y else { continue };
        surface.canvas.begin_path();
        across(surface, layout.scale.plot, y);
        surface.stroke(rule.ink, 1.2, 0.85);
        surface.dash(if rule.ink == Ink::Bad {
            &[10.0, 4.0]
        } else {
            &[3.0, 5.0]
        })?;
        surface.canvas.stroke();
    }
    if !layout.thresholds.is_empty() {
        surface.dash(&[])?;
        surface.canvas.set_font(&surface.palette.tiny);
    }
    for rule in &layout.thresholds {
        if let Some(label) = &rule.label {
            surface.fill(rule.ink, 1.0);
            surface.text(label, Side::Right)?;
        }
    }
    Ok(())
}

fn events(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    let plot = layout.scale.plot;
    for event in &layout.events {
        surface.canvas.begin_path();
        upright(surface, plot, event.x);
        surface.stroke(event.ink, 1.0, 0.45);
        surface.canvas.stroke();
        let at = Point {
            x: event.x + 0.5,
            y: plot.y - 5.0,
        };
        surface.mark(event.mark, at, 3.4, event.ink, false)?;
    }
    Ok(())
}

/// The band of the unusual: the stronger, the higher and the brighter.
fn lane(surface: &Surface<'_>, layout: &Layout) {
    let Some(lane) = layout.lane else { return };
    surface.fill(Ink::Faint, 0.55);
    surface
        .canvas
        .fill_rect(lane.x, lane.y, lane.width, lane.height);
    for unusual in &layout.anomalies {
        let height = (lane.height * unusual.strength).max(2.0);
        surface.fill(Ink::Worse, 0.45 + 0.55 * unusual.strength);
        let y = lane.bottom() - height;
        surface
            .canvas
            .fill_rect(unusual.rect.x, y, unusual.rect.width, height);
    }
}

/// The end of each line has the series' shape.
fn ends(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    let plot = layout.scale.plot;
    for (number, line) in layout.lines.iter().enumerate() {
        let inside = |column: &&Column| column.x <= plot.right() + 0.5 && column.x >= plot.x;
        if let Some(last) = line.columns.iter().rfind(inside) {
            let at = Point {
                x: last.x,
                y: last.last,
            };
            surface.mark(
                Mark::of_series(number),
                at,
                3.2,
                Ink::of_series(number),
                false,
            )?;
        }
    }
    Ok(())
}

fn cursor(surface: &Surface<'_>, layout: &Layout, readout: &Readout) -> Result<(), JsValue> {
    surface.canvas.begin_path();
    upright(surface, layout.scale.plot, readout.x - 0.5);
    surface.stroke(Ink::Text, 1.0, 0.55);
    surface.canvas.stroke();
    for reading in &readout.readings {
        if let Some(at) = reading.at {
            surface.mark(reading.mark, at, 4.6, Ink::Panel, false)?;
            surface.mark(reading.mark, at, 3.6, reading.ink, false)?;
        }
    }
    Ok(())
}

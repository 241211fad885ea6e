//! One frame of a matrix on a canvas.

use crate::draw::{
    matrix::layout::Layout,
    shape::{Ink, Label, Point, Rect, as_float},
    surface::{Side, Surface},
};
use core::f64::consts::TAU;
use wasm_bindgen::JsValue;

/// Draws a matrix.
pub fn paint(surface: &Surface<'_>, layout: &Layout) {
    // Canvas calls fail only on numbers that are not finite; a frame that fails is simply not drawn.
    let _ = paint_all(surface, layout);
}

fn paint_all(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    surface.begin(layout.size)?;
    let grid = layout.grid;
    surface.fill(Ink::Ground, 0.6);
    surface
        .canvas
        .fill_rect(grid.x, grid.y, grid.width, grid.height);
    surface.hatch(grid);
    cells(surface, layout);
    marks(surface, layout)?;
    surface.fill(Ink::Panel, 0.62);
    for line in &layout.dead {
        surface
            .canvas
            .fill_rect(line.x, line.y, line.width, line.height);
    }
    borders(surface, layout);
    names(surface, layout)
}

fn cells(surface: &Surface<'_>, layout: &Layout) {
    // What is behind a colour that is not full must not be the hatching.
    surface.fill(Ink::Panel, 1.0);
    surface.canvas.begin_path();
    for rect in layout.known.iter().chain(&layout.own) {
        surface.rect(*rect);
    }
    surface.canvas.fill();
    for (deviation, rects) in &layout.fills {
        let (ink, part) = deviation.ink();
        surface.fill(ink, part);
        surface.canvas.begin_path();
        for rect in rects {
            surface.rect(*rect);
        }
        surface.canvas.fill();
    }
}

fn marks(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    surface.fill(Ink::Ground, 0.9);
    surface.canvas.begin_path();
    for dot in &layout.dots {
        surface.rect(*dot);
    }
    surface.canvas.fill();
    let side = (layout.cell * 0.34).clamp(2.5, 10.0);
    surface.canvas.begin_path();
    for corner in &layout.lossy {
        surface.canvas.move_to(corner.x - side, corner.y);
        surface.canvas.line_to(corner.x, corner.y);
        surface.canvas.line_to(corner.x, corner.y + side);
        surface.canvas.close_path();
    }
    surface.fill(Ink::Extra, 1.0);
    surface.canvas.fill();
    surface.canvas.set_font(&surface.palette.small);
    for (ink, offset) in [(Ink::Ground, 0.8), (Ink::Text, 0.0)] {
        surface.fill(ink, 1.0);
        for time in &layout.times {
            let at = Point {
                x: time.at.x,
                y: time.at.y + offset,
            };
            surface.canvas.set_text_align("center");
            surface.canvas.set_text_baseline("middle");
            surface.canvas.fill_text(&time.text, at.x, at.y)?;
        }
    }
    Ok(())
}

fn borders(surface: &Surface<'_>, layout: &Layout) {
    let grid = layout.grid;
    surface.canvas.begin_path();
    for far in &layout.borders {
        let (x, y) = (grid.x + far - 0.5, grid.y + far - 0.5);
        surface.segment(
            Point { x, y: grid.y - 4.0 },
            Point {
                x,
                y: grid.bottom(),
            },
        );
        surface.segment(Point { x: grid.x - 4.0, y }, Point { x: grid.right(), y });
    }
    surface.stroke(Ink::Muted, 1.0, 0.8);
    surface.canvas.stroke();
}

fn names(surface: &Surface<'_>, layout: &Layout) -> Result<(), JsValue> {
    surface.canvas.set_font(&surface.palette.small);
    surface.fill(Ink::Muted, 1.0);
    for row in &layout.rows {
        surface.text(row, Side::Right)?;
    }
    for column in &layout.columns {
        surface.canvas.save();
        surface.canvas.translate(column.at.x, column.at.y)?;
        surface.canvas.rotate(-TAU / 4.0)?;
        let text = column.text.clone();
        surface.text(
            &Label {
                at: Point::default(),
                text,
            },
            Side::Left,
        )?;
        surface.canvas.restore();
    }
    Ok(())
}

/// Frames what is pointed at over a matrix: the row and the column of a cell, and the cell itself.
pub fn point_at(surface: &Surface<'_>, layout: &Layout, row: usize, column: usize) {
    let (grid, cell) = (layout.grid, layout.cell);
    let (x, y) = (
        grid.x + cell * as_float(column),
        grid.y + cell * as_float(row),
    );
    surface.canvas.begin_path();
    surface.rect(Rect {
        y,
        height: cell,
        ..grid
    });
    surface.rect(Rect {
        x,
        width: cell,
        ..grid
    });
    surface.stroke(Ink::Accent, 1.0, 0.7);
    surface.canvas.stroke();
    surface.canvas.begin_path();
    surface.rect(Rect {
        x,
        y,
        width: cell,
        height: cell,
    });
    surface.stroke(Ink::Text, 1.6, 1.0);
    surface.canvas.stroke();
}

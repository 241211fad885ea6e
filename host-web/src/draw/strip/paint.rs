//! A line or a band of a table's row on a canvas.

use crate::draw::{
    shape::{Ink, Mark, Size},
    strip::layout::{Band, Sparkline},
    surface::Surface,
};

/// Draws a line, in the colour of a series or a state.
pub fn paint_line(surface: &Surface<'_>, line: &Sparkline, ink: Ink) {
    // Canvas calls fail only on numbers that are not finite; a frame that fails is simply not drawn.
    if surface.begin(line.size).is_err() {
        return;
    }
    surface.canvas.begin_path();
    surface.columns(&line.columns, Some(line.size.height));
    surface.fill(ink, 0.12);
    surface.canvas.fill();
    surface.canvas.begin_path();
    surface.columns(&line.columns, None);
    surface.stroke(ink, 1.3, 0.95);
    surface.canvas.stroke();
    if let Some(last) = line.last {
        let _ = surface.mark(Mark::Disc, last, 2.2, ink, false);
    }
}

/// Draws a band: what is unknown is hatched.
pub fn paint_band(surface: &Surface<'_>, band: &Band) {
    if surface
        .begin(Size {
            width: band.rect.width,
            height: band.rect.height,
        })
        .is_err()
    {
        return;
    }
    surface.hatch(band.rect);
    for (piece, ink) in &band.pieces {
        surface.fill(*ink, 0.9);
        surface
            .canvas
            .fill_rect(piece.x, piece.y, piece.width, piece.height);
    }
}

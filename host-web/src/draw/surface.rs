//! What painters share: a canvas with the page's colours.

use crate::draw::{
    column::Column,
    palette::Palette,
    shape::{Ink, Label, Mark, Point, Rect, Size},
};
use core::f64::consts::TAU;
use wasm_bindgen::JsValue;
use web_sys::{CanvasRenderingContext2d as Canvas, HtmlCanvasElement};

/// How far the lines of a hatching are apart, in pixels.
const HATCH: f64 = 6.0;

/// Which side of a text its place is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The text is to the right of its place.
    Left,
    /// The text is around its place.
    Middle,
    /// The text is to the left of its place.
    Right,
}

/// A canvas with the page's colours.
#[derive(Clone, Copy, Debug)]
pub struct Surface<'a> {
    /// Where it is drawn.
    pub canvas: &'a Canvas,
    /// The page's colours and fonts.
    pub palette: &'a Palette,
    /// Device pixels per CSS pixel.
    pub ratio: f64,
}

/// Fits a canvas' pixels to its place on the page. Gives its size in CSS pixels, how many device pixels
/// each has (between 1 and 3), and whether the canvas was emptied because that changed.
pub fn fit(canvas: &HtmlCanvasElement, ratio: f64) -> (Size, f64, bool) {
    let ratio = if ratio.is_finite() {
        ratio.clamp(1.0, 3.0)
    } else {
        1.0
    };
    let size = Size {
        width: f64::from(canvas.client_width().max(1)),
        height: f64::from(canvas.client_height().max(1)),
    };
    let wanted = (pixels(size.width * ratio), pixels(size.height * ratio));
    let changed = (canvas.width(), canvas.height()) != wanted;
    if changed {
        canvas.set_width(wanted.0);
        canvas.set_height(wanted.1);
    }
    (size, ratio, changed)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a canvas is at least 1 and at most some thousand pixels large"
)]
const fn pixels(length: f64) -> u32 {
    length.round().clamp(1.0, 16_384.0) as u32
}

impl Surface<'_> {
    /// Empties the canvas and makes its unit one CSS pixel.
    ///
    /// # Errors
    /// The browser's, for numbers that are not finite; nothing is drawn then.
    pub fn begin(&self, size: Size) -> Result<(), JsValue> {
        self.canvas
            .set_transform(self.ratio, 0.0, 0.0, self.ratio, 0.0, 0.0)?;
        self.canvas.clear_rect(0.0, 0.0, size.width, size.height);
        self.canvas.set_global_alpha(1.0);
        self.canvas.set_line_cap("round");
        self.canvas.set_line_join("round");
        Ok(())
    }

    /// Fills with a colour from now on, of which so much is seen, from 0 to 1.
    pub fn fill(&self, ink: Ink, part: f64) {
        self.canvas.set_fill_style_str(self.palette.colour(ink));
        self.canvas.set_global_alpha(part);
    }

    /// Draws lines with a colour and a width from now on, of which so much is seen, from 0 to 1.
    pub fn stroke(&self, ink: Ink, width: f64, part: f64) {
        self.canvas.set_stroke_style_str(self.palette.colour(ink));
        self.canvas.set_line_width(width);
        self.canvas.set_global_alpha(part);
    }

    /// Draws lines in dashes from now on: pixels of line and of gap; whole lines without any.
    ///
    /// # Errors
    /// The browser's; lines stay as they were then.
    pub fn dash(&self, pattern: &[f64]) -> Result<(), JsValue> {
        let dashes: js_sys::Array = pattern
            .iter()
            .map(|length| JsValue::from_f64(*length))
            .collect();
        self.canvas.set_line_dash(&dashes)
    }

    /// A line between two points, added to the path.
    pub fn segment(&self, from: Point, to: Point) {
        self.canvas.move_to(from.x, from.y);
        self.canvas.line_to(to.x, to.y);
    }

    /// Points with lines between them, added to the path.
    pub fn polyline(&self, points: &[Point]) {
        for (number, point) in points.iter().enumerate() {
            if number == 0 {
                self.canvas.move_to(point.x, point.y);
            } else {
                self.canvas.line_to(point.x, point.y);
            }
        }
    }

    /// A rectangle, added to the path.
    pub fn rect(&self, rect: Rect) {
        self.canvas.rect(rect.x, rect.y, rect.width, rect.height);
    }

    /// A text, half-way up from its place, in the font that is set.
    ///
    /// # Errors
    /// The browser's, for numbers that are not finite.
    pub fn text(&self, label: &Label, side: Side) -> Result<(), JsValue> {
        self.canvas.set_text_align(match side {
            Side::Left => "left",
            Side::Middle => "center",
            Side::Right => "right",
        });
        self.canvas.set_text_baseline("middle");
        self.canvas.fill_text(&label.text, label.at.x, label.at.y)
    }

    /// A mark of a radius, in a colour: full, or hollow with its ground behind it.
    ///
    /// # Errors
    /// The browser's, for numbers that are not finite.
    pub fn mark(
        &self,
        mark: Mark,
        at: Point,
        radius: f64,
        ink: Ink,
        hollow: bool,
    ) -> Result<(), JsValue> {
        self.canvas.begin_path();
        self.trace(mark, at, radius)?;
        if hollow || mark == Mark::Ring {
            self.fill(Ink::Panel, 1.0);
            self.canvas.fill();
            self.stroke(ink, 1.8, 1.0);
            self.canvas.stroke();
        } else {
            self.fill(ink, 1.0);
            self.canvas.fill();
        }
        Ok(())
    }

    fn trace(&self, mark: Mark, Point { x, y }: Point, radius: f64) -> Result<(), JsValue> {
        let canvas = self.canvas;
        match mark {
            Mark::Disc => canvas.arc(x, y, radius, 0.0, TAU)?,
            Mark::Ring => canvas.arc(x, y, radius * 0.85, 0.0, TAU)?,
            Mark::Triangle => {
                canvas.move_to(x, y - radius * 1.15);
                canvas.line_to(x + radius * 1.1, y + radius * 0.85);
                canvas.line_to(x - radius * 1.1, y + radius * 0.85);
                canvas.close_path();
            }
            Mark::Square => canvas.rect(
                x - radius * 0.88,
                y - radius * 0.88,
                radius * 1.76,
                radius * 1.76,
            ),
            Mark::Diamond => {
                canvas.move_to(x, y - radius * 1.2);
                canvas.line_to(x + radius * 1.2, y);
                canvas.line_to(x, y + radius * 1.2);
                canvas.line_to(x - radius * 1.2, y);
                canvas.close_path();
            }
            Mark::Bars => {
                canvas.rect(
                    x - radius * 0.9,
                    y - radius * 0.9,
                    radius * 0.65,
                    radius * 1.8,
                );
                canvas.rect(
                    x + radius * 0.25,
                    y - radius * 0.9,
                    radius * 0.65,
                    radius * 1.8,
                );
            }
        }
        Ok(())
    }

    /// The lines of columns, added to the path; with a floor, the areas between them and it.
    pub fn columns(&self, columns: &[Column], floor: Option<f64>) {
        let mut run: Option<Column> = None;
        for (number, column) in columns.iter().enumerate() {
            if column.starts || number == 0 {
                self.close(run, floor);
                self.canvas.move_to(column.x, floor.unwrap_or(column.first));
                // A point on its own is a short line, so that it shows.
                let end = if floor.is_some() {
                    column.x
                } else {
                    column.x + 1.0
                };
                self.canvas.line_to(end, column.first);
                if floor.is_none() {
                    self.canvas.move_to(column.x, column.first);
                }
            } else {
                self.canvas.line_to(column.x, column.first);
            }
            if column.top < column.bottom {
                self.canvas.line_to(column.x, column.top);
                self.canvas.line_to(column.x, column.bottom);
                self.canvas.line_to(column.x, column.last);
            }
            run = Some(*column);
        }
        self.close(run, floor);
    }

    /// Ends the area of a run at its last column.
    fn close(&self, run: Option<Column>, floor: Option<f64>) {
        if let Some((last, floor)) = run.zip(floor) {
            self.canvas.line_to(last.x, floor);
        }
    }

    /// Faint lines across a rectangle: nothing is known there.
    pub fn hatch(&self, rect: Rect) {
        self.canvas.save();
        self.canvas.begin_path();
        self.rect(rect);
        self.canvas.clip();
        self.canvas.begin_path();
        let mut along = HATCH / 2.0;
        while along < rect.width + rect.height {
            let (from, to) = (rect.x + along, rect.x + along - rect.height);
            self.segment(
                Point { x: from, y: rect.y },
                Point {
                    x: to,
                    y: rect.bottom(),
                },
            );
            along += HATCH;
        }
        self.stroke(Ink::Border, 1.0, 0.4);
        self.canvas.stroke();
        self.canvas.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{
        chart::{
            layout::Layout,
            model::{Chart, Series, Words},
            paint::{Pointed, paint},
        },
        column::Sample,
        time::Window,
        unit::Unit,
    };
    use wasm_bindgen::JsCast;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    /// The canvas' custom properties, as a page's style sheet would have them.
    const STYLE: &str = "width: 200px; height: 100px; color: #010203; --line: #004000; --cyan: #ff0000; --text: #0000ff";

    /// Whether a pixel of a column of the picture is of a colour.
    fn has(canvas: &Canvas, x: f64, is_it: impl Fn(&[u8]) -> bool) -> bool {
        let data = canvas.get_image_data(x, 0.0, 1.0, 100.0).unwrap().data();
        data.chunks(4).any(is_it)
    }

    #[wasm_bindgen_test]
    fn a_chart_is_painted_in_the_colours_of_its_page_with_its_gap() {
        let window: web_sys::Window = js_sys::global().dyn_into().unwrap();
        let document = window.document().unwrap();
        let element: HtmlCanvasElement = document
            .create_element("canvas")
            .unwrap()
            .dyn_into()
            .unwrap();
        element.set_attribute("style", STYLE).unwrap();
        document
            .document_element()
            .unwrap()
            .append_child(&element)
            .unwrap();
        let canvas: Canvas = element
            .get_context("2d")
            .unwrap()
            .unwrap()
            .dyn_into()
            .unwrap();
        let (size, ratio, changed) = fit(&element, 1.0);
        assert!(changed && !fit(&element, 1.0).2);
        let palette = Palette::read(&element).unwrap();
        assert_eq!(palette.colour(Ink::Accent), "#ff0000");
        assert_eq!(
            palette.colour(Ink::Good),
            "rgb(1, 2, 3)",
            "what is missing is the text's colour"
        );
        let points: Vec<Sample> = (0..100)
            .filter(|n| !(40..60).contains(n))
            .map(|n| (n * 1_000, 50.0))
            .collect();
        let series = [Series {
            name: "cpu",
            points: &points,
            step_ms: 1_000,
        }];
        let chart = Chart {
            unit: Unit::Percent,
            window: Window {
                from: 0,
                until: 99_000,
            },
            offset: |_| 0,
            words: &Words::ENGLISH,
            series: &series,
            forecast: &[],
            thresholds: &[],
            events: &[],
            anomalies: None,
            dry_run: &[],
        };
        let mut layout = Layout::default();
        layout.update(&chart, size, 99_000);
        let surface = Surface {
            canvas: &canvas,
            palette: &palette,
            ratio,
        };
        paint(&surface, &layout, Pointed::default());
        // Its edges are blended with the line of the grid, which has no red.
        let is_line = |pixel: &[u8]| matches!(pixel, [120..=255, 0..=60, 0..=60, 120..=255]);
        let at = |second: u64| layout.scale.x(second * 1_000).round();
        assert!(has(&canvas, at(20), is_line) && has(&canvas, at(80), is_line));
        assert!(!has(&canvas, at(50), is_line), "nothing was measured there");
        element.remove();
    }
}

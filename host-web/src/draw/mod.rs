//! Pictures of numbers: charts, the world map, the matrix of round trips, lines for table rows.
//!
//! | file or folder | what lives there |
//! |---|---|
//! | `shape` | points, rectangles, marks, and the names of colours |
//! | `unit` | what values are counted in, how they are told, and the ticks of an axis |
//! | `time` | windows of wall-clock time, local time as text, and its ticks |
//! | `column` | many points as few columns of pixels, with their spikes |
//! | `range` | which window a view shows: the last hours or a fixed one; zooming |
//! | `change` | which series moved farthest in a window |
//! | `csv` | series as comma-separated values |
//! | `twin` | the rows of the table that says what a picture says |
//! | `chart` | series over time, with all that is drawn around them |
//! | `map` | nodes and links on the world |
//! | `matrix` | who reaches whom in which time |
//! | `strip` | a line or a band for a table's row |
//! | `palette`, `surface` | the page's colours; what painters share. Only in a browser |
//!
//! Each picture is in two parts. A layout takes numbers and a size and gives shapes and texts; it knows no
//! browser, so tests run natively. A painter puts them on a canvas and decides nothing. A layout names
//! colours by their meaning ([`shape::Ink`]); which they are, the page's style sheet says. What was not
//! measured is left empty or hatched, never drawn as zero. Lengths are in CSS pixels, times in
//! milliseconds since 1970. Nothing moves by itself, so there is nothing to stop for those who want no
//! motion.

pub mod change;
pub mod chart;
pub mod column;
pub mod csv;
pub mod map;
pub mod matrix;
pub mod range;
pub mod shape;
pub mod strip;
pub mod time;
pub mod twin;
pub mod unit;

#[cfg(target_arch = "wasm32")]
pub mod palette;
#[cfg(target_arch = "wasm32")]
pub mod surface;

//! The round world on a flat picture, and what part of it is seen.
//!
//! Source: Šavrič, Jenny, Patterson, Petrovič and Hurni, "A Polynomial Equation for the Natural Earth
//! Projection", 2011. The flat world has units of its own: the equator is about 5.47 of them long, and
//! north is up.

use crate::draw::{
    map::land::Coordinates,
    shape::{Point, Size},
};
use core::f64::consts::PI;

/// The latitudes between which the world is seen before anyone zooms: nobody lives beyond.
const SEEN: (f64, f64) = (-56.0, 76.0);
/// How far one can zoom in; beyond, the coast is a few straight lines.
const ZOOM_MAX: f64 = 24.0;
/// Room around the world, in pixels.
const MARGIN: f64 = 8.0;

/// A place on the flat world, in its units, from where the equator meets Greenwich.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flat {
    /// To the east.
    pub x: f64,
    /// To the north.
    pub y: f64,
}

/// A longitude and a latitude on the flat world.
#[must_use]
pub fn project((longitude, latitude): Coordinates) -> Flat {
    let turn = latitude.clamp(-90.0, 90.0).to_radians();
    let a = turn * turn;
    let x = 0.8707 + a * (-0.131_979 + a * (-0.013_791 + a * a * a * (0.003_971 - 0.001_529 * a)));
    Flat {
        x: longitude.to_radians() * x,
        y: height(turn),
    }
}

/// How far north of the equator a latitude is, given in radians.
fn height(turn: f64) -> f64 {
    let a = turn * turn;
    turn * (1.007_226 + a * (0.015_085 + a * a * (-0.044_475 + a * (0.028_874 - 0.005_916 * a))))
}

/// The longitude and the latitude of a place on the flat world; `None` beyond its edge.
#[must_use]
pub fn unproject(flat: Flat) -> Option<Coordinates> {
    if flat.y.abs() > height(PI / 2.0) + 1e-9 {
        return None;
    }
    // Halving the latitudes that are left: 48 times is far below a metre, and never fails.
    let (mut south, mut north) = (-PI / 2.0, PI / 2.0);
    for _ in 0..48 {
        let middle = f64::midpoint(south, north);
        if height(middle) < flat.y {
            south = middle;
        } else {
            north = middle;
        }
    }
    let latitude = south.to_degrees();
    let width = project((1.0, latitude)).x;
    let longitude = flat.x / width;
    (longitude.abs() <= 180.0 + 1e-9).then_some((longitude, latitude))
}

/// What part of the world is seen. The value of a map that moves: store it, and hand it to the layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// How much nearer than the whole world, from 1 to 24.
    pub zoom: f64,
    /// What is in the middle of the picture.
    pub middle: Flat,
}

impl Default for View {
    /// All of the world where people live.
    fn default() -> Self {
        let (south, north) = seen();
        Self {
            zoom: 1.0,
            middle: Flat {
                x: 0.0,
                y: f64::midpoint(south, north),
            },
        }
    }
}

/// From where to where the world is seen, to the north.
fn seen() -> (f64, f64) {
    (project((0.0, SEEN.0)).y, project((0.0, SEEN.1)).y)
}

/// Half of the equator's length.
fn half_width() -> f64 {
    project((180.0, 0.0)).x
}

impl View {
    /// Pixels per unit of the flat world in a picture of that size.
    #[must_use]
    pub fn scale(self, size: Size) -> f64 {
        let (south, north) = seen();
        let across = (size.width - 2.0 * MARGIN) / (2.0 * half_width());
        let down = (size.height - 2.0 * MARGIN) / (north - south);
        across.min(down).max(1.0) * self.zoom
    }

    /// Where a place is in the picture.
    #[must_use]
    pub fn pixel(self, size: Size, flat: Flat) -> Point {
        let scale = self.scale(size);
        Point {
            x: size.width / 2.0 + (flat.x - self.middle.x) * scale,
            y: size.height / 2.0 - (flat.y - self.middle.y) * scale,
        }
    }

    /// What place a pixel shows; it may be beyond the edge of the world.
    #[must_use]
    pub fn flat(self, size: Size, pixel: Point) -> Flat {
        let scale = self.scale(size);
        Flat {
            x: self.middle.x + (pixel.x - size.width / 2.0) / scale,
            y: self.middle.y - (pixel.y - size.height / 2.0) / scale,
        }
    }

    /// The view after the picture was dragged by so many pixels. The middle of the picture stays on the
    /// world.
    #[must_use]
    pub fn panned(self, size: Size, right: f64, down: f64) -> Self {
        let scale = self.scale(size);
        let middle = Flat {
            x: self.middle.x - right / scale,
            y: self.middle.y + down / scale,
        };
        Self { middle, ..self }.held(size)
    }

    /// The view so many times as near, around a pixel that stays where it is as far as the world allows.
    #[must_use]
    pub fn zoomed(self, size: Size, times: f64, around: Point) -> Self {
        let before = self.flat(size, around);
        let nearer = Self {
            zoom: self.zoom * if times.is_finite() { times } else { 1.0 },
            ..self
        };
        let nearer = Self {
            zoom: nearer.zoom.clamp(1.0, ZOOM_MAX),
            ..nearer
        };
        let after = nearer.flat(size, around);
        let middle = Flat {
            x: nearer.middle.x + before.x - after.x,
            y: nearer.middle.y + before.y - after.y,
        };
        Self { middle, ..nearer }.held(size)
    }

    /// Whether it is the whole world, so that there is nothing to go back to.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// Keeps the world's edge out of the middle: where all of it fits, it stays in the middle.
    fn held(self, size: Size) -> Self {
        let scale = self.scale(size);
        let (south, north) = seen();
        let hold = |at: f64, low: f64, high: f64, pixels: f64| {
            let room = (high - low) / 2.0 - pixels / scale / 2.0;
            let centre = f64::midpoint(low, high);
            at.clamp(centre - room.max(0.0), centre + room.max(0.0))
        };
        let finite = |number: f64| if number.is_finite() { number } else { 0.0 };
        let (x, y) = (finite(self.middle.x), finite(self.middle.y));
        let middle = Flat {
            x: hold(x, -half_width(), half_width(), size.width),
            y: hold(y, south, north, size.height),
        };
        Self { middle, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 900.0,
        height: 420.0,
    };

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn places_go_to_the_flat_world_and_back() {
        for latitude in (-90..=90).step_by(5).map(f64::from) {
            for longitude in (-180..=180).step_by(20).map(f64::from) {
                let (x, y) = unproject(project((longitude, latitude))).unwrap();
                assert!(
                    is_near(x, longitude) && is_near(y, latitude),
                    "{longitude} {latitude}"
                );
            }
        }
        assert_eq!(unproject(Flat { x: 2.7, y: 1.4 }), None);
        assert_eq!(unproject(Flat { x: 0.0, y: 1.5 }), None);
    }

    #[test]
    fn the_flat_world_is_that_of_the_paper() {
        // Table of the projection's outline: the pole's line is 0.53 of the equator, its height 0.52 of it.
        let equator = 2.0 * half_width();
        assert!((equator / (2.0 * PI) - 0.8707).abs() < 1e-9);
        let height = 2.0 * project((0.0, 90.0)).y;
        assert!(
            (height / equator - 0.52).abs() < 0.001,
            "{}",
            height / equator
        );
    }

    #[test]
    fn pixels_show_places_and_places_have_pixels() {
        let view = View::default().zoomed(SIZE, 3.0, Point { x: 500.0, y: 100.0 });
        let berlin = project((13.4, 52.5));
        let back = view.flat(SIZE, view.pixel(SIZE, berlin));
        assert!(is_near(back.x, berlin.x) && is_near(back.y, berlin.y));
    }

    #[test]
    fn the_whole_world_fits_into_any_picture() {
        for size in [
            SIZE,
            Size {
                width: 320.0,
                height: 600.0,
            },
            Size {
                width: 1_600.0,
                height: 300.0,
            },
        ] {
            let view = View::default();
            for place in [
                (-179.9, 0.0),
                (179.9, 0.0),
                (25.0, 71.0),
                (-70.0, -54.0),
                (174.8, -41.3),
            ] {
                let at = view.pixel(size, project(place));
                assert!(
                    at.x >= 0.0 && at.x <= size.width && at.y >= 0.0 && at.y <= size.height,
                    "{place:?} {at:?}"
                );
            }
        }
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer_and_comes_back() {
        let pointer = Point { x: 480.0, y: 130.0 };
        let before = View::default().flat(SIZE, pointer);
        let near = View::default().zoomed(SIZE, 6.0, pointer);
        let after = near.flat(SIZE, pointer);
        assert!(is_near(before.x, after.x) && is_near(before.y, after.y));
        let far = near.panned(SIZE, 9e9, -9e9).zoomed(SIZE, 1e-9, pointer);
        assert!(is_near(far.middle.x, 0.0) && is_near(far.middle.y, View::default().middle.y));
        assert!(is_near(far.zoom, 1.0));
        assert!(View::default().panned(SIZE, 40.0, 40.0).is_whole());
        let odd = near
            .zoomed(SIZE, f64::NAN, pointer)
            .panned(SIZE, f64::INFINITY, 0.0);
        assert!(odd.middle.x.is_finite() && odd.zoom.is_finite());
    }

    #[test]
    fn dragging_moves_what_is_seen_by_as_many_pixels() {
        let view = View::default().zoomed(SIZE, 8.0, Point { x: 450.0, y: 200.0 });
        let berlin = project((13.4, 30.0));
        let (before, after) = (
            view.pixel(SIZE, berlin),
            view.panned(SIZE, 25.0, -10.0).pixel(SIZE, berlin),
        );
        assert!(is_near(after.x - before.x, 25.0) && is_near(after.y - before.y, -10.0));
    }
}

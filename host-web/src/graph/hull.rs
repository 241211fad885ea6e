//! The outline around some points.
//!
//! Source: Andrew, "Another efficient algorithm for convex hulls in two dimensions", 1979.

use crate::draw::shape::Point;

/// The corners of the smallest outline without dents around all points, one after the other. Fewer than
/// three points are their own outline.
#[must_use]
pub fn around(points: &[Point]) -> Vec<Point> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let mut hull = half(sorted.iter());
    let mut back = half(sorted.iter().rev());
    // Each half ends where the other begins.
    hull.pop();
    back.pop();
    hull.append(&mut back);
    hull
}

/// The corners on one side, from one end to the other.
fn half<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<Point> {
    let mut side: Vec<Point> = Vec::new();
    for point in points {
        while let [.., before, last] = side.as_slice()
            && turn(*before, *last, *point) <= 0.0
        {
            side.pop();
        }
        side.push(*point);
    }
    side
}

/// Above 0 where the way from one point over the next to the third turns one way, below where it turns the other.
fn turn(from: Point, over: Point, to: Point) -> f64 {
    (over.x - from.x) * (to.y - from.y) - (over.y - from.y) * (to.x - from.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y }
    }

    #[test]
    fn only_the_corners_are_left() {
        let points = [
            point(0.0, 0.0),
            point(1.0, 1.0),
            point(2.0, 0.0),
            point(2.0, 2.0),
            point(0.0, 2.0),
            point(1.0, 0.0),
            point(0.5, 1.5),
        ];
        let mut hull = around(&points);
        assert_eq!(hull.len(), 4);
        hull.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        let corners = [(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), (2.0, 2.0)];
        assert_eq!(hull, corners.map(|(x, y)| point(x, y)));
    }

    #[test]
    fn few_points_and_points_on_a_line_have_an_outline_too() {
        assert_eq!(around(&[]), []);
        assert_eq!(around(&[point(1.0, 2.0); 5]), [point(1.0, 2.0)]);
        let line = [point(0.0, 0.0), point(1.0, 1.0), point(2.0, 2.0)];
        assert_eq!(around(&line), [point(0.0, 0.0), point(2.0, 2.0)]);
    }
}

//! How far a sample lies from everything seen before.
//!
//! What was seen once is no longer new: a burst that comes every other day is reported when it is
//! first seen, and not again.

use crate::detection::num;

/// Stretches of one axis that were visited; 136 bytes.
///
/// At most [`STRETCHES_MAX`], in order and apart; when one more is needed, the two with the smallest
/// gap between them become one. So wide gaps, which decide what is new, survive longest.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Cover {
    /// First and last place of each.
    stretches: [(f32, f32); STRETCHES_MAX],
    len: u8,
}

/// Half of it costs one point of benchmark score, twice as many gain nothing.
const STRETCHES_MAX: usize = 16;

/// Stretches closer than this many deviations are one. From 0.02 to 0.2 no difference.
const TOUCHING: f32 = 0.2;

impl Cover {
    pub(crate) const fn new() -> Self {
        Self {
            stretches: [(0.0, 0.0); STRETCHES_MAX],
            len: 0,
        }
    }

    fn seen(&self) -> &[(f32, f32)] {
        self.stretches
            .get(..usize::from(self.len))
            .unwrap_or(&self.stretches)
    }

    /// To the nearest visited place; 0 inside a stretch, infinite before the first visit.
    pub(crate) fn distance(&self, x: f32) -> f64 {
        let nearest =
            |least: f32, &(first, last): &(f32, f32)| least.min((first - x).max(x - last).max(0.0));
        f64::from(self.seen().iter().fold(f32::INFINITY, nearest))
    }

    /// Marks `x` as visited.
    pub(crate) fn visit(&mut self, x: f32) {
        let at = self.seen().partition_point(|stretch| stretch.1 < x);
        if self.seen().get(at).is_some_and(|stretch| stretch.0 <= x) {
            return;
        }
        // One place more than is kept: then the closest pair is joined until all is apart and fits.
        let mut wide = [(0.0, 0.0); STRETCHES_MAX + 1];
        let mut len = 0;
        let (before, after) = self.seen().split_at(at.min(self.seen().len()));
        for (slot, stretch) in wide
            .iter_mut()
            .zip(before.iter().chain(&[(x, x)]).chain(after))
        {
            *slot = *stretch;
            len = usize::saturating_add(len, 1);
        }
        while let Some((gap, left)) = narrowest(wide.get(..len).unwrap_or(&[])) {
            if gap >= TOUCHING && len <= STRETCHES_MAX {
                break;
            }
            let last = wide
                .get(left.saturating_add(1))
                .map_or(x, |stretch| stretch.1);
            if let Some(stretch) = wide.get_mut(left) {
                stretch.1 = last;
            }
            wide.copy_within(left.saturating_add(2).min(len)..len, left.saturating_add(1));
            len = usize::saturating_sub(len, 1);
        }
        for (slot, stretch) in self.stretches.iter_mut().zip(wide) {
            *slot = stretch;
        }
        self.len = u8::try_from(len).unwrap_or(0);
    }
}

/// The smallest gap, and the stretch to its left.
fn narrowest(stretches: &[(f32, f32)]) -> Option<(f32, usize)> {
    let gaps = stretches.windows(2).enumerate();
    let gaps = gaps.filter_map(|(i, pair)| match pair {
        [left, right] => Some((right.0 - left.1, i)),
        _ => None,
    });
    gaps.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// A place in four dimensions, in 64ths of a usual deviation, each within ±128 deviations.
pub(crate) type Place = [i16; 4];

const UNITS: f64 = 64.0;

/// A place from its coordinates in usual deviations; what lies further out than ±128 is put there.
pub(crate) fn place(coordinates: [f64; 4]) -> Place {
    coordinates.map(|x| num::short(x * UNITS, 8191))
}

/// Visited places, thinned out so that [`PLACES_MAX`] are enough; 776 bytes.
///
/// Each visited place lies within `radius` of a kept one. When there are too many, the radius grows
/// by a quarter and places that are now too close go, older ones first.
///
/// Source: Charikar, Chekuri, Feder, Motwani, "Incremental clustering and dynamic information
/// retrieval", STOC 1997, section 3 (doubling algorithm), with a factor of 1.25 in place of 2.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Book {
    /// By coordinate, so that many places are measured at once.
    axes: [[[i16; BLOCK]; 3]; 4],
    len: u8,
    /// Squared, in units².
    radius2: f32,
}

const BLOCK: usize = 32;

const PLACES_MAX: usize = 96;

/// After thinning out; room for some new places before the next.
const PLACES_LEFT: usize = 84;

impl Book {
    pub(crate) const fn new() -> Self {
        // 0.05 deviations, as fine as the units allow.
        Self {
            axes: [[[0; BLOCK]; 3]; 4],
            len: 0,
            radius2: 10.24,
        }
    }

    /// The squared distance to the nearest kept place, in units².
    fn nearest2(&self, place: Place) -> i32 {
        let mut least = i32::MAX;
        let mut left = usize::from(self.len);
        for block in 0..3 {
            let mut sums = [0_i32; BLOCK];
            for (axis, at) in self.axes.iter().zip(place) {
                for (sum, kept) in sums.iter_mut().zip(axis.get(block).unwrap_or(&[0; BLOCK])) {
                    // Coordinates within ±8191 cannot overflow it.
                    let apart = i32::from(kept.wrapping_sub(at));
                    *sum = sum.wrapping_add(apart.wrapping_mul(apart));
                }
            }
            least = sums
                .iter()
                .take(left)
                .fold(least, |least, &sum| least.min(sum));
            left = left.saturating_sub(BLOCK);
        }
        least
    }

    fn get(&self, index: usize) -> Place {
        let mut place = [0; 4];
        for (x, axis) in place.iter_mut().zip(&self.axes) {
            *x = axis.as_flattened().get(index).copied().unwrap_or(0);
        }
        place
    }

    fn set(&mut self, index: usize, place: Place) {
        for (axis, x) in self.axes.iter_mut().zip(place) {
            if let Some(slot) = axis.as_flattened_mut().get_mut(index) {
                *slot = x;
            }
        }
    }

    fn keep(&mut self, place: Place) {
        if usize::from(self.len) < PLACES_MAX {
            self.set(usize::from(self.len), place);
            self.len = self.len.saturating_add(1);
        }
    }

    /// To the nearest kept place, in usual deviations.
    pub(crate) fn distance(&self, place: Place) -> f64 {
        libm::sqrt(f64::from(self.nearest2(place))) / UNITS
    }

    /// Whether visiting a place at this distance would add nothing.
    pub(crate) fn covers(&self, distance: f64) -> bool {
        let units = distance * UNITS;
        units * units <= f64::from(self.radius2)
    }

    /// Marks `place` as visited.
    pub(crate) fn visit(&mut self, place: Place) {
        if f64::from(self.nearest2(place)) <= f64::from(self.radius2) {
            return;
        }
        if usize::from(self.len) >= PLACES_MAX {
            self.thin_out();
        }
        self.keep(place);
    }

    fn thin_out(&mut self) {
        while usize::from(self.len) > PLACES_LEFT {
            self.radius2 *= 1.5625;
            let mut kept = Self {
                radius2: self.radius2,
                ..Self::new()
            };
            for index in (0..usize::from(self.len).min(PLACES_MAX)).rev() {
                let place = self.get(index);
                if f64::from(kept.nearest2(place)) > f64::from(self.radius2) {
                    kept.keep(place);
                }
            }
            // Oldest first again.
            let len = usize::from(kept.len);
            for index in 0..len / 2 {
                let (old, new) = (
                    kept.get(index),
                    kept.get(len.saturating_sub(1).saturating_sub(index)),
                );
                kept.set(index, new);
                kept.set(len.saturating_sub(1).saturating_sub(index), old);
            }
            *self = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visited_place_is_not_new() {
        let mut cover = Cover::new();
        let mut book = Book::new();
        for i in 0_u16..1000 {
            let x = f64::from(i * 37 % 1000) / 10.0;
            cover.visit(num::single(x));
            book.visit(place([x, -x, 0.0, 1.0]));
        }
        let radius = libm::sqrt(f64::from(book.radius2)) / UNITS;
        for i in 0_u16..1000 {
            let x = f64::from(i) / 10.0;
            assert!(cover.distance(num::single(x)) < 1e-6, "{x}");
            assert!(
                book.distance(place([x, -x, 0.0, 1.0])) <= 3.0 * radius,
                "{x}"
            );
        }
        assert!(cover.distance(150.0) > 50.0);
        assert!(book.distance(place([150.0, 0.0, 0.0, 0.0])) > 50.0);
    }

    #[test]
    fn wide_gaps_survive_narrow_ones() {
        let mut cover = Cover::new();
        for i in 0_u16..100 {
            cover.visit(f32::from(i % 50));
            cover.visit(1000.0 + f32::from(i % 50));
        }
        assert!(cover.distance(500.0) > 400.0);
        assert!(cover.distance(25.5) < 0.6);
    }

    #[test]
    fn the_farthest_places_do_not_overflow() {
        let far = place([1e300, 1e300, 1e300, 1e300]);
        let near = place([-1e300, -1e300, -1e300, f64::NEG_INFINITY]);
        let mut book = Book::new();
        book.visit(far);
        assert!(book.distance(near) > 500.0 && book.distance(far) < 0.001);
    }
}

//! What is unusual about several series together.
//!
//! Each value may be one that was often seen, but never all of them at once: much work with few messages, say.
//! Half-space trees count how many samples of late fell into the same corner of the space of all values. A
//! sample in an empty corner is unusual.

use super::{
    detect::parts::{Judged, Report, Tail},
    num,
};
use alloc::boxed::Box;

/// Halves of a space, cut again and again, with how many samples fell into each.
const TREES: usize = 15;
/// How often a tree cuts: 64 corners.
const DEPTH: usize = 6;
/// Inner cuts and corners of a tree.
const NODES: usize = 1 << (DEPTH + 1);
/// Samples after which what was counted becomes what is known. At steps of ten seconds, 42 minutes.
const WINDOW: u16 = 250;
/// A corner with fewer known samples is not cut further: a tenth of the window.
const SPARSE: u16 = 25;
/// So many windows get no report: the first shows what moves, the second what is usual.
const LEARNING: u32 = 2;
/// What a value has to move by in the first window, in usual deviations, to be worth a cut.
const MOVES: f64 = 0.5;
/// Decades of rarity from which several series together are worth a look. It is more than one series needs,
/// which each have been asked about.
const WORTH: f64 = 0.62;

/// What a sample gets where all trees know as much as can be.
const MASS_MAX: f64 = 15.0 * 250.0;

/// Watches `N` values at once; about 12 KiB.
///
/// Source: Tan, Ting and Liu, "Fast Anomaly Detection for Streaming Data", IJCAI 2011 (half-space trees: two
/// windows, mass profiles, score = mass · 2^depth). The rarity of a score among past scores, and one report
/// per incident, are those of [`super::detect`].
#[derive(Debug)]
pub struct Forest<const N: usize> {
    trees: Box<[Tree; TREES]>,
    /// Between what each value lay in the first window: only what moves is worth a cut.
    lowest: [f64; N],
    highest: [f64; N],
    /// Whether at least two values move: one alone has a detector of its own.
    is_cut: bool,
    seen: u16,
    windows: u32,
    tail: Tail,
    report: Report,
}

/// A part of the space, by its bounds.
#[derive(Clone, Copy, Debug)]
struct Space<const N: usize> {
    lows: [f64; N],
    highs: [f64; N],
}

#[derive(Clone, Copy, Debug)]
struct Tree {
    nodes: [Corner; NODES],
}

/// A part of the space. Its halves are at twice its number, and the next; the whole is number 1.
#[derive(Clone, Copy, Debug, Default)]
struct Corner {
    /// Which value it is cut by, and where.
    by: u8,
    at: f32,
    /// Samples of the window before, and of this one.
    known: u16,
    counted: u16,
}

impl<const N: usize> Default for Forest<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Forest<N> {
    /// Knows nothing yet. Two forests are cut alike.
    #[must_use]
    pub fn new() -> Self {
        let tree = Tree {
            nodes: [Corner::default(); NODES],
        };
        Self {
            trees: Box::new([tree; TREES]),
            lowest: [f64::INFINITY; N],
            highest: [f64::NEG_INFINITY; N],
            is_cut: false,
            seen: 0,
            windows: 0,
            tail: Tail::new(),
            report: Report::new(),
        }
    }

    /// Cuts the trees, each at other places, by the values that have moved.
    fn cut(&mut self) {
        let mut moving = [0; N];
        let mut many = 0;
        for (by, (low, high)) in self.lowest.iter().zip(&self.highest).enumerate() {
            if high - low > MOVES
                && let Some(place) = moving.get_mut(many)
            {
                *place = by;
                many = many.saturating_add(1);
            }
        }
        let moving = moving.get(..many).unwrap_or_default();
        self.is_cut = many > 1;
        let mut drawn = Drawn(0x5350_4f52_454e_4554);
        for tree in self.trees.iter_mut() {
            let mut space = Space {
                lows: [0.0; N],
                highs: [1.0; N],
            };
            for (low, high) in space.lows.iter_mut().zip(&mut space.highs) {
                // The paper's work range: not all trees are cut at the same places.
                let middle = drawn.share();
                let half = 2.0 * middle.max(1.0 - middle);
                (*low, *high) = (middle - half, middle + half);
            }
            tree.cut(1, 0, &mut drawn, moving, space);
        }
    }

    /// Takes in how far each value lies from what is usual, in usual deviations; answers whether they are
    /// unusual together.
    pub fn observe(&mut self, strays: &[f64; N]) -> bool {
        if self.windows == 0 {
            let bounds = self.lowest.iter_mut().zip(&mut self.highest);
            for ((low, high), stray) in bounds.zip(strays) {
                (*low, *high) = (low.min(*stray), high.max(*stray));
            }
        }
        let place = strays.map(squeezed);
        let mass: f64 = self.trees.iter_mut().map(|tree| tree.take(&place)).sum();
        self.seen = self.seen.saturating_add(1);
        if self.seen >= WINDOW {
            self.seen = 0;
            self.windows = self.windows.saturating_add(1);
            if self.windows == 1 {
                self.cut();
            }
            self.trees.iter_mut().for_each(Tree::turn);
        }
        if self.windows < LEARNING || !self.is_cut {
            return false;
        }
        // From 0 where it is as full as can be, to 12 in corners that are empty in all trees.
        let most = MASS_MAX;
        let distance = libm::log2(most / (mass + 1.0)).max(0.0);
        let rarity = self.tail.rarity(distance);
        matches!(self.report.judge(rarity), Judged::New(score) if score >= WORTH)
    }
}

impl Tree {
    fn cut<const N: usize>(
        &mut self,
        number: usize,
        depth: usize,
        drawn: &mut Drawn,
        moving: &[usize],
        space: Space<N>,
    ) {
        let Some(by) = moving.get(drawn.below(moving.len())).copied() else {
            return;
        };
        let (Some(low), Some(high)) = (space.lows.get(by), space.highs.get(by)) else {
            return;
        };
        let at = f64::midpoint(*low, *high);
        if let Some(corner) = self.nodes.get_mut(number) {
            corner.by = u8::try_from(by).unwrap_or(0);
            corner.at = num::single(at);
        }
        if depth.saturating_add(1) >= DEPTH {
            return;
        }
        let (mut below, mut above) = (space, space);
        if let (Some(high), Some(low)) = (below.highs.get_mut(by), above.lows.get_mut(by)) {
            (*high, *low) = (at, at);
        }
        let half = number.saturating_mul(2);
        let deeper = depth.saturating_add(1);
        self.cut(half, deeper, drawn, moving, below);
        self.cut(half.saturating_add(1), deeper, drawn, moving, above);
    }

    /// Counts a sample on its way down, and answers how much is known where it came to.
    fn take<const N: usize>(&mut self, place: &[f32; N]) -> f64 {
        let (mut number, mut scale) = (1_usize, 1.0);
        let mut mass = None;
        for depth in 0..=DEPTH {
            let Some(corner) = self.nodes.get_mut(number) else {
                break;
            };
            corner.counted = corner.counted.saturating_add(1);
            if mass.is_none() && (depth == DEPTH || corner.known < SPARSE) {
                mass = Some(f64::from(corner.known) * scale);
            }
            let value = place.get(usize::from(corner.by)).copied().unwrap_or(0.0);
            let is_above = usize::from(value >= corner.at);
            number = number.saturating_mul(2).saturating_add(is_above);
            scale *= 2.0;
        }
        // The paper's score, against the window: as many as are spread evenly count as one window.
        mass.unwrap_or(0.0).min(f64::from(WINDOW))
    }

    /// What was counted is known from now on.
    fn turn(&mut self) {
        for corner in &mut self.nodes {
            corner.known = core::mem::take(&mut corner.counted);
        }
    }
}

/// From all numbers to between 0 and 1; a third of it is within one usual deviation.
fn squeezed(stray: f64) -> f32 {
    num::single(0.5 + libm::atan(stray / 1.7) / core::f64::consts::PI)
}

/// Numbers for cutting. Not for secrets.
///
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(1).max(1);
        let drawn = self.next().checked_rem(bound).unwrap_or(0);
        usize::try_from(drawn).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two values that rise and fall together, with noise.
    fn usual(step: u32) -> [f64; 3] {
        let wave = if (step / 10).is_multiple_of(2) {
            1.5
        } else {
            -1.5
        };
        let noise = |by: u32| f64::from(step.wrapping_mul(by) % 17) / 40.0;
        [wave + noise(7), wave + noise(11), noise(5)]
    }

    #[test]
    fn values_that_are_known_but_never_came_together_are_found() {
        let mut forest = Forest::<3>::new();
        let told = (0..3_000).filter(|step| forest.observe(&usual(*step)));
        assert_eq!(told.count(), 0, "nothing was unusual");
        let odd = (3_000..3_006).any(|step| {
            let [first, second, third] = usual(step);
            // The first is high while the second is low: each value was seen a thousand times.
            forest.observe(&[first.abs(), -second.abs(), third])
        });
        assert!(odd);
    }

    #[test]
    fn a_forest_is_the_same_each_time() {
        let (mut a, mut b) = (Forest::<3>::new(), Forest::<3>::new());
        for step in 0..2_000 {
            let place = if step % 700 == 699 {
                [9.0, -9.0, 3.0]
            } else {
                usual(step)
            };
            assert_eq!(a.observe(&place), b.observe(&place), "{step}");
        }
    }

    #[test]
    fn what_never_moves_is_not_unusual() {
        let mut forest = Forest::<3>::new();
        assert!((0..5_000).all(|_| !forest.observe(&[0.0; 3])));
    }
}

//! All series of a node, under their keys, bounded in bytes.
//!
//! ```
//! use sporenet_core::observe::metrics::{Detail, Store};
//!
//! let mut store = Store::default();
//! for second in 0..60 {
//!     store.record(&"load", Detail::Full, second * 1_000, 0.5);
//! }
//! let chart = store.query(&"load", 0, 59_999, 30).unwrap();
//! assert_eq!((chart.step_ms, chart.points.len()), (2_000, 30));
//! ```

use crate::observe::metrics::{
    points::{Points, Window},
    rank::Rank,
    series::{Detail, Landed, Series, assert_key_fits},
    slot::{Sample, is_holdable},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use serde::{Deserialize, Serialize};

/// How many bytes a store holds unless told otherwise: 16 MiB, enough for 179 full series, or for 1 304
/// coarse ones (130 nodes with ten each).
pub const BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// Which part of its bytes a store frees beyond what it must, so that it need not choose again at once:
/// one 64th, or twenty coarse series by default.
const SPARE_PART: u64 = 64;

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is held.
    Recorded,
    /// It is older than anything its series still holds.
    TooOld,
    /// It is no number, infinite, or beyond ±3.4·10³⁸.
    NotFinite,
}

/// Counts since the store was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Samples held, late ones included.
    pub recorded: u64,
    /// Samples that were older than the latest of their series, and held.
    pub late: u64,
    /// Samples that were dropped: older than anything their series held.
    pub too_old: u64,
    /// Samples that were refused: no number, infinite, or beyond the range of `f32`.
    pub not_finite: u64,
    /// How often the clock of a series went back.
    pub rewound: u64,
    /// Series that gave way to others.
    pub gave_way: u64,
}

/// Series under their keys; at most so many bytes in all.
///
/// A key is small and typed: at most 64 bytes (checked when compiling), without memory of its own on
/// the heap, which would not be counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>"))]
pub struct Store<K> {
    bytes_max: u64,
    /// The sum of what the series take.
    bytes: u64,
    series: BTreeMap<K, Box<Series>>,
    /// How many samples were offered to series: the clock of their ages.
    offered: u64,
    /// How many questions were asked.
    asked: u64,
    stats: Counts,
}

impl<K: Ord + Clone> Default for Store<K> {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl<K: Ord + Clone> Store<K> {
    /// An empty store of at most `bytes_max` bytes. A full series takes up to 93 360 bytes and a coarse
    /// one up to 12 864: with less than that, a series gives way to itself and starts again and again.
    #[must_use]
    pub const fn new(bytes_max: u64) -> Self {
        assert_key_fits::<K>();
        Self {
            bytes_max,
            bytes: 0,
            series: BTreeMap::new(),
            offered: 0,
            asked: 0,
            stats: Counts {
                recorded: 0,
                late: 0,
                too_old: 0,
                not_finite: 0,
                rewound: 0,
                gave_way: 0,
            },
        }
    }

    /// Adds a sample measured now. `at_ms` is on the clock of the series, whatever that counts from;
    /// `detail` matters for the first sample of a series only.
    ///
    /// A late sample lands in its slot; ten in a row that are older than the latest mean that the clock
    /// went back. Older series give way if need be.
    pub fn record(&mut self, key: &K, detail: Detail, at_ms: u64, value: f64) -> Outcome {
        self.put(key, detail, (at_ms, value), true)
    }

    /// Adds a sample of the past, learned only now, as [`record`](Self::record) does; but however many
    /// of them come, they don't mean that the clock went back.
    pub fn fill_in(&mut self, key: &K, detail: Detail, at_ms: u64, value: f64) -> Outcome {
        self.put(key, detail, (at_ms, value), false)
    }

    /// A series from `from_ms` to `to_ms` (both included) as at most `points_max` points, and notes that
    /// it was asked for; nothing if there is no such series.
    ///
    /// The step is the shortest readable one at which the window has at most so many points, in the
    /// finest ring that lost nothing of the window. The first and the last point may reach beyond the
    /// window: points stand at multiples of the step. An empty window or `points_max` of 0 has no points.
    pub fn query(
        &mut self,
        key: &K,
        from_ms: u64,
        to_ms: u64,
        points_max: usize,
    ) -> Option<Points> {
        self.asked = self.asked.saturating_add(1);
        self.series.get_mut(key)?.note_asked(self.asked);
        self.peek(key, from_ms, to_ms, points_max)
    }

    /// As [`query`](Self::query), but a series does not stay longer for it.
    #[must_use]
    pub fn peek(&self, key: &K, from_ms: u64, to_ms: u64, points_max: usize) -> Option<Points> {
        let series = self.series.get(key)?;
        if from_ms > to_ms || points_max == 0 {
            return Some(Points::default());
        }
        // The last moment of all has no slot of its own: a step past it could not be told.
        let window = Window {
            from_ms: from_ms.min(LAST_MS),
            to_ms: to_ms.min(LAST_MS),
            points_max: points_max as u64,
        };
        Some(series.points(window))
    }

    /// The newest sample of a series; does not count as asking for it.
    #[must_use]
    pub fn latest(&self, key: &K) -> Option<Sample> {
        self.series.get(key)?.latest()
    }

    /// All series, in the order of their keys.
    #[must_use = "reading changes nothing"]
    pub fn series(&self) -> impl DoubleEndedIterator<Item = (&K, &Series)> {
        self.series.iter().map(|(key, series)| (key, &**series))
    }

    /// Forgets a series; answers whether there was one.
    pub fn remove(&mut self, key: &K) -> bool {
        let gone = self.series.remove(key);
        let bytes = gone.as_ref().map_or(0, |series| series.bytes());
        self.bytes = self.bytes.saturating_sub(bytes);
        gone.is_some()
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// How many bytes the series take: never less than they really do, without what an allocator adds
    /// to each piece (about 16 bytes; a full series has 139 pieces, a coarse one 22) and the places of the
    /// map's first node that are still empty (below 1 KiB).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes they may take.
    #[must_use]
    pub const fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Counts since the store was made.
    #[must_use]
    pub const fn stats(&self) -> Counts {
        self.stats
    }

    /// Checks what must hold at any time, whatever was recorded; takes as long as reading everything.
    ///
    /// # Errors
    /// What does not hold: a bug, or a snapshot that was not written by this store.
    pub fn check(&self) -> Result<(), &'static str> {
        let all = self.series.values();
        let bytes = all
            .map(|series| series.bytes())
            .fold(0_u64, u64::saturating_add);
        if bytes != self.bytes {
            return Err("the store counts its bytes wrongly");
        }
        if self.bytes > self.bytes_max {
            return Err("the store holds more than it may");
        }
        for series in self.series.values() {
            if series.recorded() > self.offered || series.asked() > self.asked {
                return Err("a series is ahead of the store's counts");
            }
            series.check()?;
        }
        Ok(())
    }

    fn put(&mut self, key: &K, detail: Detail, sample: (u64, f64), live: bool) -> Outcome {
        let (at_ms, value) = sample;
        if !is_holdable(value) {
            self.stats.not_finite = self.stats.not_finite.saturating_add(1);
            return Outcome::NotFinite;
        }
        self.offered = self.offered.saturating_add(1);
        let landed = match self.series.get_mut(key) {
            Some(series) => {
                let before = series.bytes();
                let landed = series.record(at_ms, value, live, self.offered);
                self.bytes = self
                    .bytes
                    .saturating_sub(before)
                    .saturating_add(series.bytes());
                landed
            }
            None => self.start(key, detail, sample, live),
        };
        if self.bytes > self.bytes_max {
            self.make_room(key);
        }
        self.count(landed)
    }

    /// A new series with its first sample.
    fn start(&mut self, key: &K, detail: Detail, sample: (u64, f64), live: bool) -> Landed {
        let mut series = Box::new(Series::new(detail));
        let landed = series.record(sample.0, sample.1, live, self.offered);
        self.bytes = self.bytes.saturating_add(series.bytes());
        self.series.insert(key.clone(), series);
        landed
    }

    const fn count(&mut self, landed: Landed) -> Outcome {
        let stats = &mut self.stats;
        match landed {
            Landed::TooOld => {
                stats.too_old = stats.too_old.saturating_add(1);
                return Outcome::TooOld;
            }
            Landed::Late => stats.late = stats.late.saturating_add(1),
            Landed::Rewound => stats.rewound = stats.rewound.saturating_add(1),
            Landed::Latest => {}
        }
        stats.recorded = stats.recorded.saturating_add(1);
        Outcome::Recorded
    }

    /// Lets series give way until there is room, the one at `spared` last.
    fn make_room(&mut self, spared: &K) {
        let len = self.series.len();
        let mut order: Vec<((bool, Rank), K)> = self
            .series
            .iter()
            .map(|(key, series)| {
                (
                    (key == spared, Rank::of(series, len, self.offered)),
                    key.clone(),
                )
            })
            .collect();
        order.sort_unstable_by_key(|(rank, _)| *rank);
        let spare = self.bytes_max.checked_div(SPARE_PART).unwrap_or(0);
        let goal = self.bytes_max.saturating_sub(spare);
        for ((is_spared, _), key) in order {
            // The one just recorded goes only if it alone is too much.
            let enough = if is_spared { self.bytes_max } else { goal };
            if self.bytes <= enough {
                break;
            }
            self.remove(&key);
            self.stats.gave_way = self.stats.gave_way.saturating_add(1);
        }
    }
}

/// The last moment that can be asked for.
const LAST_MS: u64 = u64::MAX - 1;

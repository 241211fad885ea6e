//! One series: every sample goes into three rings, and the finest that knows a window answers for it.
//!
//! | what comes | what happens |
//! |---|---|
//! | a sample not older than the latest | it is the latest; the clock of the series stands at it |
//! | an older one | it lands in its slot, in each ring that reaches back so far |
//! | one that no ring reaches | it is dropped and counted |
//! | the tenth older one in a row | the clock went back: it is the latest |
//!
//! After a clock went back, what is in its future gives way before what is in its past. History that is
//! filled in (`live` is false) says nothing of the clock.

use crate::observe::metrics::{
    points::{Points, Window, merged},
    ring::{Ring, Span},
    slot::{Sample, narrowed},
};
use serde::{Deserialize, Serialize};

/// How fine a series is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Detail {
    /// The node's own: 1 s for 10 minutes, 10 s for 2 hours, 1 min for 2 days; at most 93 360 bytes.
    Full,
    /// Other nodes': 10 s for 10 minutes, 1 min for 2 hours, 10 min for 2 days; at most 12 864 bytes.
    Coarse,
}

impl Detail {
    /// The three resolutions, finest first.
    const fn spans(self) -> [Span; 3] {
        match self {
            Self::Full => [span(1_000, 600), span(10_000, 720), span(60_000, 2_880)],
            Self::Coarse => [span(10_000, 60), span(60_000, 120), span(600_000, 288)],
        }
    }
}

const fn span(step_ms: u64, slots: u64) -> Span {
    Span { step_ms, slots }
}

/// How many live samples in a row, each older than the latest, mean that the clock went back. Twice as
/// many make a series stand still longer after the clock did; half as many take samples that overtook
/// each other for it (harmless, but counted).
const BEHIND_MAX: u8 = 10;

/// What a series takes without its chunks, with its part of the store's map and a key of at most
/// `KEY_BYTES_MAX`. A constant, so that every target counts alike.
const SERIES_BYTES: u64 = 480;
/// The largest key.
const KEY_BYTES_MAX: usize = 64;
const _: () = {
    // Five of eleven places filled at least, and the links between nodes.
    let entry = (KEY_BYTES_MAX + size_of::<usize>()) * 5 / 2;
    assert!(
        (size_of::<Series>() + entry) as u64 <= SERIES_BYTES,
        "series are counted too small"
    );
};

/// Fails to compile for a key that is larger than what is counted for it.
pub(super) const fn assert_key_fits<K>() {
    const {
        assert!(
            size_of::<K>() <= KEY_BYTES_MAX,
            "a key takes at most 64 bytes"
        );
    }
}

/// What became of a sample in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landed {
    /// It is the latest.
    Latest,
    /// It is the latest, and the clock went back.
    Rewound,
    /// It was late, and has its slot.
    Late,
    /// No ring reaches back so far.
    TooOld,
}

/// One series: its latest sample, and its past at three resolutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    detail: Detail,
    latest: Option<Sample>,
    /// How many live samples in a row were older than the latest.
    behind: u8,
    rings: [Ring; 3],
    /// When it got its last sample, as a number of the store's samples.
    recorded: u64,
    /// When it was last asked for, as a number of the store's questions; 0 is never.
    asked: u64,
}

impl Series {
    /// A series without samples.
    pub(super) fn new(detail: Detail) -> Self {
        Self {
            detail,
            latest: None,
            behind: 0,
            rings: detail.spans().map(Ring::new),
            recorded: 0,
            asked: 0,
        }
    }

    /// How fine it is kept; decided by its first sample.
    #[must_use]
    pub const fn detail(&self) -> Detail {
        self.detail
    }

    /// The newest sample: the one that a display shows as the value now.
    #[must_use]
    pub const fn latest(&self) -> Option<Sample> {
        self.latest
    }

    /// How many bytes it takes, with its part of the store's map.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rings
            .iter()
            .map(Ring::bytes)
            .fold(SERIES_BYTES, u64::saturating_add)
    }

    /// Adds a sample that can be held, the store's `recorded`th.
    pub(super) fn record(&mut self, at_ms: u64, value: f64, live: bool, recorded: u64) -> Landed {
        self.recorded = recorded;
        let newest_ms = self.latest.map_or(at_ms, |latest| latest.at_ms);
        let late = at_ms < newest_ms;
        if live {
            self.behind = if late {
                self.behind.saturating_add(1)
            } else {
                0
            };
        }
        let rewound = self.behind >= BEHIND_MAX;
        if rewound {
            self.behind = 0;
            self.rings.iter_mut().for_each(|ring| ring.rewind(at_ms));
        }
        let becomes_latest = rewound || !late;
        let now_ms = if becomes_latest { at_ms } else { newest_ms };
        if becomes_latest {
            let value = narrowed(value);
            self.latest = Some(Sample { at_ms, value });
        }
        let mut held = false;
        for ring in &mut self.rings {
            held |= ring.put(at_ms, value, now_ms);
        }
        match (held, becomes_latest, rewound) {
            (_, true, true) => Landed::Rewound,
            (_, true, false) => Landed::Latest,
            (true, false, _) => Landed::Late,
            (false, false, _) => Landed::TooOld,
        }
    }

    /// The window as points, from the finest ring that lost nothing of it; where none is left, from the
    /// one that reaches back farthest.
    pub(super) fn points(&self, window: Window) -> Points {
        let step_of = |ring: &Ring| window.step_ms(ring.span().step_ms);
        let knows = |ring: &&Ring| ring.complete_from_ms() <= window.start_ms(step_of(ring));
        let finest = self.rings.iter().find(knows);
        let farthest = || self.rings.iter().min_by_key(|ring| ring.complete_from_ms());
        let Some(ring) = finest.or_else(farthest) else {
            return Points::default();
        };
        let step_ms = step_of(ring);
        merged(
            step_ms,
            ring.slots(window.start_ms(step_ms), window.end_ms(step_ms)),
        )
    }

    /// Notes that it was asked for, with the store's `asked`th question.
    pub(super) const fn note_asked(&mut self, asked: u64) {
        self.asked = asked;
    }

    /// When it got its last sample, as a number of the store's samples.
    pub(super) const fn recorded(&self) -> u64 {
        self.recorded
    }

    /// When it was last asked for, as a number of the store's questions; 0 is never.
    pub(super) const fn asked(&self) -> u64 {
        self.asked
    }

    /// Checks what must hold in any series.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.rings.each_ref().map(Ring::span) != self.detail.spans() {
            return Err("the rings of a series are not those of its detail");
        }
        if self.latest.is_some_and(|latest| !latest.value.is_finite()) {
            return Err("the latest value of a series is not finite");
        }
        if self.behind >= BEHIND_MAX {
            return Err("a series waits longer than it may for a clock that went back");
        }
        self.rings.iter().try_for_each(Ring::check)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    /// A series with one sample a step of `step_ms`, up to and without `end_ms`.
    fn filled(detail: Detail, step_ms: u64, end_ms: u64) -> Series {
        let mut series = Series::new(detail);
        for at_ms in (0..end_ms).step_by(usize::try_from(step_ms).unwrap()) {
            series.record(at_ms, 1.0, true, 1);
        }
        series
    }

    fn step(series: &Series, from_ms: u64, to_ms: u64, points_max: u64) -> (u64, usize) {
        let found = series.points(Window {
            from_ms,
            to_ms,
            points_max,
        });
        (found.step_ms, found.points.len())
    }

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn the_finest_ring_that_knows_the_window_answers() {
        let now = 60 * HOUR_MS;
        let series = filled(Detail::Full, 1_000, now);
        assert_eq!(step(&series, now - 600_000, now - 1, 600), (1_000, 600));
        assert_eq!(step(&series, now - 600_000, now - 1, 100), (10_000, 60));
        assert_eq!(
            step(&series, now - 2 * HOUR_MS, now - 1, 1_000),
            (10_000, 720)
        );
        assert_eq!(
            step(&series, now - 48 * HOUR_MS, now - 1, 5_000),
            (60_000, 2_880)
        );
        assert_eq!(
            step(&series, now - 48 * HOUR_MS, now - 1, 100),
            (1_800_000, 96)
        );
        assert_eq!(step(&series, now - HOUR_MS, now - 1, 1), (HOUR_MS, 1));
    }

    #[test]
    fn a_window_older_than_anything_held_gets_what_is_left() {
        let now = 100 * HOUR_MS;
        let series = filled(Detail::Coarse, 10_000, now);
        let (step_ms, points) = step(&series, 0, now - 1, 1_000);
        assert_eq!(step_ms, 600_000);
        assert!((288..320).contains(&points));
    }

    #[test]
    fn a_short_gap_of_samples_is_a_gap_of_points() {
        let mut series = filled(Detail::Full, 1_000, 10_000);
        series.record(20_000, 1.0, true, 1);
        assert_eq!(step(&series, 0, 20_000, 600), (1_000, 11));
        assert_eq!(step(&series, 10_000, 19_999, 600), (1_000, 0));
    }

    #[test]
    fn the_tenth_older_sample_in_a_row_means_that_the_clock_went_back() {
        let mut series = filled(Detail::Full, 1_000, 72 * HOUR_MS);
        for second in 1..10 {
            assert_eq!(series.record(second * 1_000, 2.0, true, 1), Landed::TooOld);
        }
        assert_eq!(series.record(10_000, 2.0, true, 1), Landed::Rewound);
        assert_eq!(series.record(11_000, 2.0, true, 1), Landed::Latest);
        assert_eq!(step(&series, 10_000, 11_000, 100), (1_000, 2));
        assert_eq!(series.check(), Ok(()));
    }

    #[test]
    fn history_that_is_filled_in_does_not_move_the_clock() {
        let mut series = filled(Detail::Coarse, 10_000, HOUR_MS);
        let latest = series.latest();
        for at_ms in (0..HOUR_MS - 600_000).step_by(10_000) {
            series.record(at_ms, 2.0, false, 1);
        }
        assert_eq!(series.latest(), latest);
        assert_eq!(
            step(&series, HOUR_MS - 600_000, HOUR_MS - 1, 100),
            (10_000, 60)
        );
    }

    #[test]
    fn a_sleep_of_a_week_forgets_nothing_by_itself() {
        let mut series = filled(Detail::Coarse, 10_000, HOUR_MS);
        series.record(168 * HOUR_MS, 1.0, true, 1);
        assert_eq!(step(&series, 0, HOUR_MS - 1, 100), (60_000, 60));
        assert_eq!(
            series.latest().map(|latest| latest.at_ms),
            Some(168 * HOUR_MS)
        );
    }
}

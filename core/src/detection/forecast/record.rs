//! Past forecasts against what came.

/// How good past forecasts were.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scored {
    /// Mean absolute error, in the series' unit, at least 0.
    pub mae: f64,
    /// How often what came lay in the interval.
    pub hits: u32,
    /// How often it did not.
    pub misses: u32,
}

/// For four distances, one forecast on its way and the score of those before.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Record {
    tracks: [Track; 4],
}

/// Forecasts over one distance.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Track {
    waiting: Option<Waiting>,
    scored: Scored,
    /// The mean absolute error of late, in the series' unit.
    recent: f64,
}

/// A forecast on its way.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Waiting {
    due_ms: u64,
    expected: f64,
    within: f64,
}

/// In steps. A geometric ladder: errors in between are interpolated, beyond they grow in proportion.
pub(super) const DISTANCES: [f64; 4] = [1.0, 4.0, 16.0, 64.0];

/// The interval's half width in mean absolute errors: 2.06 hold 90 % of normal errors.
const WIDTH: f64 = 2.06;

/// Forecasts that the recent error remembers.
const MEMORY: f64 = 30.0;

impl Record {
    pub(super) const fn new() -> Self {
        let scored = Scored {
            mae: 0.0,
            hits: 0,
            misses: 0,
        };
        Self {
            tracks: [Track {
                waiting: None,
                scored,
                recent: 0.0,
            }; 4],
        }
    }

    /// The score over each of [`DISTANCES`].
    pub(super) fn scored(&self) -> [Scored; 4] {
        self.tracks.map(|track| track.scored)
    }

    /// Scores the forecasts that are due.
    pub(super) fn score(&mut self, at_ms: u64, value: f64) {
        for track in &mut self.tracks {
            let due = track.waiting.take_if(|waiting| waiting.due_ms <= at_ms);
            let Some(waiting) = due else { continue };
            let error = (value - waiting.expected).abs();
            let scored = &mut track.scored;
            let hit = error <= waiting.within;
            scored.hits = scored.hits.saturating_add(u32::from(hit));
            scored.misses = scored.misses.saturating_add(u32::from(!hit));
            let number = f64::from(scored.hits) + f64::from(scored.misses);
            scored.mae += (error - scored.mae) / number;
            track.recent += (error - track.recent) / number.min(MEMORY);
        }
    }

    /// Puts forecasts on their way where none is. `ahead` answers for a number of steps with the moment
    /// and what is expected then.
    pub(super) fn send(&mut self, ahead: impl Fn(f64) -> (u64, f64)) {
        let widths = DISTANCES.map(|steps| self.within(steps));
        for ((track, steps), within) in self.tracks.iter_mut().zip(DISTANCES).zip(widths) {
            if track.waiting.is_none() {
                let (due_ms, expected) = ahead(steps);
                track.waiting = Some(Waiting {
                    due_ms,
                    expected,
                    within,
                });
            }
        }
    }

    /// Half the width of the interval `steps` ahead, at least 0.
    pub(super) fn within(&self, steps: f64) -> f64 {
        let (mut near, mut near_error) = (0.0, 0.0);
        for (track, distance) in self.tracks.iter().zip(DISTANCES) {
            if track.scored.hits == 0 && track.scored.misses == 0 {
                break;
            }
            // Errors do not shrink with distance; where they seem to, it is chance.
            let error = track.recent.max(near_error);
            if steps <= distance {
                let share = if near > 0.0 {
                    (steps - near) / (distance - near)
                } else {
                    1.0
                };
                return WIDTH * (near_error + (error - near_error) * share);
            }
            (near, near_error) = (distance, error);
        }
        if near > 0.0 {
            WIDTH * near_error * (steps / near)
        } else {
            0.0
        }
    }
}

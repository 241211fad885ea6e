//! A level and how far values usually stray from it.

/// Exponentially weighted mean, and mean absolute deviation from it.
///
/// The first samples weigh equally; from `memory` samples on, older ones fade. A stray value moves
/// both by at most what a value [`CLIP`] deviations away would, so that a spike does not hide the next.
///
/// Source: Gelper, Fried, Croux, "Robust forecasting with exponential and Holt-Winters smoothing",
/// Journal of Forecasting, 2010 (cleaning by clipped one-step errors), without its two thresholds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Scale {
    mean: f64,
    deviation: f64,
    samples: u32,
}

/// In mean absolute deviations. Half of it mistakes a busy hour for noise; twice as much lets one
/// spike triple the spread.
const CLIP: f64 = 5.0;

/// From this many samples on, strays are clipped: before, the spread itself is a guess.
const CLIP_FROM: u32 = 20;

impl Scale {
    pub(crate) const fn new() -> Self {
        Self {
            mean: 0.0,
            deviation: 0.0,
            samples: 0,
        }
    }

    pub(crate) const fn samples(&self) -> u32 {
        self.samples
    }

    pub(crate) const fn mean(&self) -> f64 {
        self.mean
    }

    pub(crate) const fn deviation(&self) -> f64 {
        self.deviation
    }

    /// How many deviations `x` lies from the mean; a deviation counts as at least `floor`, which is
    /// above 0.
    pub(crate) fn strayed(&self, x: f64, floor: f64) -> f64 {
        if self.samples == 0 {
            return 0.0;
        }
        (x - self.mean) / self.deviation.max(floor)
    }

    /// Takes `x` in, remembering about `memory` samples (at least 1).
    pub(crate) fn learn(&mut self, x: f64, memory: f64) {
        self.samples = self.samples.saturating_add(1);
        if self.samples == 1 {
            self.mean = x;
            return;
        }
        let gain = 1.0 / f64::from(self.samples).min(memory);
        let mut error = x - self.mean;
        if self.samples > CLIP_FROM && self.deviation > 0.0 {
            let most = CLIP * self.deviation;
            error = error.clamp(-most, most);
        }
        self.mean += gain * error;
        self.deviation += gain * (error.abs() - self.deviation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spike_hardly_moves_the_level() {
        let mut scale = Scale::new();
        for i in 0..200 {
            scale.learn(f64::from(i % 2), 100.0);
        }
        scale.learn(1e9, 100.0);
        assert!((scale.mean() - 0.5).abs() < 0.1, "{scale:?}");
        assert!(scale.deviation() < 0.6, "{scale:?}");
    }
}

//! How far a series departs from what is usual at its hour, against how far it ever did.
//!
//! This is what notices the working day on which nobody works: every value is known, every step is
//! known, but for hours all values lie where at this hour none ever lay.

use super::season::Usual;
use crate::detection::num;

/// The departure of late and the largest before; 24 bytes.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Departure {
    /// Mean of the last samples, each in what is usual deviation at its own hour.
    mean: f64,
    /// The largest departure that is known, fading.
    most: f64,
    samples: u32,
}

/// Samples that are averaged. 6 to 24 alike.
const SAMPLES: f64 = 12.0;

/// Added to the usual deviation of an hour, in deviations of the series: an hour that never varied is
/// not infinitely sure. 0.1 to 0.3 alike.
const LEAST: f64 = 0.2;

/// Days until an hour is known well enough.
const DAYS: u8 = 3;

/// Samples until the largest departure so far says something.
const LEARNING: u32 = 200;

/// Samples in which the largest departure fades to 1/e.
const FADES_IN: f64 = 4000.0;

/// Decades of rarity for twice the largest departure. At 0.5 the benchmark's score is 1 lower, at 2 it
/// is 2 lower.
const DECADES_PER_OCTAVE: f64 = 1.0;

impl Departure {
    pub(crate) const fn new() -> Self {
        Self {
            mean: 0.0,
            most: 0.0,
            samples: 0,
        }
    }

    /// How rare the departure at `x` (in deviations) is, in decades, at least 0.
    pub(crate) fn rarity(&mut self, x: f64, usual: &Usual) -> f64 {
        if usual.days < DAYS {
            return 0.0;
        }
        self.mean += ((x - usual.value) / (usual.stray + LEAST) - self.mean) / SAMPLES;
        let (now, most) = (self.mean.abs(), self.most);
        self.most -= most / FADES_IN;
        self.samples = self.samples.saturating_add(1);
        if self.samples > LEARNING && most > 0.0 && now > most {
            DECADES_PER_OCTAVE * libm::log2(now / most)
        } else {
            0.0
        }
    }

    /// The departure of late, for [`Self::learn`].
    pub(crate) fn now(&self) -> f32 {
        num::single(self.mean.abs())
    }

    /// From now on `departure` is known.
    pub(crate) fn learn(&mut self, departure: f32) {
        self.most = self.most.max(f64::from(departure));
    }
}

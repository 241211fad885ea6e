//! How rare a distance is among all distances so far.

use crate::detection::num;

/// Counts of past distances, four bins an octave from 1/32 to 128; 100 bytes.
///
/// Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015, section
/// III (anomaly likelihood: the tail probability of an error among past errors); counts take the place
/// of their normal distribution because distances have heavy tails.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tail {
    bins: [[u16; 16]; 3],
    samples: u16,
}

const BINS: u32 = 48;

/// At this many samples every count is halved: the older half then weighs half. Far more than any
/// benchmark series has; it only keeps the counts in 16 bits.
const SAMPLES_MAX: u16 = 60_000;

/// Fewer samples say nothing about rarity.
const SAMPLES_MIN: u16 = 20;

/// Decades of rarity that each doubling beyond the largest distance adds: the tail is taken for a
/// power law with exponent 1, the heaviest with hardly a mean. At 3 or 6 the first minutes' rough
/// estimates drown what comes later (benchmark score −1 and −6).
const DECADES_PER_OCTAVE: f64 = core::f64::consts::LOG10_2;

impl Tail {
    pub(crate) const fn new() -> Self {
        Self {
            bins: [[0; 16]; 3],
            samples: 0,
        }
    }

    /// −log₁₀ of the share of past distances that reach `distance` (at least 0), and takes it in.
    pub(crate) fn rarity(&mut self, distance: f64) -> f64 {
        let place = place(distance);
        let bin = num::index(place, BINS - 1);
        // What all others reach as well is not rare; most distances are this small.
        let mut rarity = 0.0;
        if self.samples >= SAMPLES_MIN && place > 0.0 {
            rarity = self.rarity_at(place, bin);
        }
        if self.samples >= SAMPLES_MAX {
            self.samples = 0;
            for count in self.bins.as_flattened_mut() {
                *count /= 2;
                self.samples = self.samples.saturating_add(*count);
            }
        }
        if let Some(count) = self.bins.as_flattened_mut().get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.samples = self.samples.saturating_add(1);
        rarity
    }

    fn rarity_at(&self, place: f64, bin: usize) -> f64 {
        let all = f64::from(self.samples) + 1.0;
        let counts = self.bins.as_flattened();
        let above: u32 = counts
            .iter()
            .skip(bin.saturating_add(1))
            .map(|&c| u32::from(c))
            .sum();
        let here = counts.get(bin).copied().unwrap_or(0);
        // A bin's distances are taken as spread evenly over it.
        let above = f64::from(above) + f64::from(here) * (1.0 - (place - libm::floor(place)));
        if above >= 1.0 {
            return core::f64::consts::LOG10_2 * libm::log2(all / above);
        }
        // Beyond where the largest past distance is expected.
        let top = counts.iter().rposition(|&c| c > 0).unwrap_or(0);
        let count = counts.get(top).copied().unwrap_or(1).max(1);
        let top = f64::from(u32::try_from(top).unwrap_or(BINS));
        let largest = top + 1.0 - 1.0 / f64::from(count);
        let octaves = (place - largest).max(0.0) / 4.0;
        core::f64::consts::LOG10_2 * libm::log2(all) + DECADES_PER_OCTAVE * octaves
    }
}

/// Where `distance` lies on the axis of bins, below `BINS`.
fn place(distance: f64) -> f64 {
    const SMALLEST: f64 = 1.0 / 32.0;
    if distance > SMALLEST {
        ((libm::log2(distance) + 5.0) * 4.0).min(f64::from(BINS) - 0.001)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_distance_is_never_less_rare() {
        let mut tail = Tail::new();
        for i in 0..1000 {
            tail.rarity(f64::from(i % 100) / 10.0);
        }
        let mut last = 0.0;
        for i in 0..2000 {
            let rarity = tail.clone().rarity(f64::from(i) / 10.0);
            assert!(rarity >= last - 1e-9, "{i}: {rarity} < {last}");
            last = rarity;
        }
        assert!(
            last > 3.0,
            "twenty times the largest is rarer than one in a thousand: {last}"
        );
    }

    #[test]
    fn counts_stay_in_bounds_for_ever() {
        let mut tail = Tail::new();
        for _ in 0..200_000 {
            tail.rarity(1.0);
        }
        assert!(tail.samples <= SAMPLES_MAX);
        assert!(tail.rarity(1.0) < 0.31);
    }
}

//! Between a series' unit and its usual deviations.

/// Deviations from a level: linear up to about [`LINEAR`], logarithmic beyond, so that one outlier
/// outweighs a mean only so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    level: f64,
    unit: f64,
}

/// In deviations. 3 to 6 alike, 2 costs two points of benchmark score.
pub(crate) const LINEAR: f64 = 4.0;

impl Lens {
    /// `unit` is one deviation in the series' unit, above 0.
    pub(crate) const fn new(level: f64, unit: f64) -> Self {
        Self { level, unit }
    }

    /// From the series' unit to deviations.
    pub(crate) fn inward(self, value: f64) -> f64 {
        compress((value - self.level) / self.unit, LINEAR)
    }

    /// From deviations to the series' unit.
    pub(crate) fn outward(self, x: f64) -> f64 {
        self.level + self.unit * LINEAR * libm::sinh(x / LINEAR)
    }

    /// How wide, in the series' unit, `deviations` are around `x`.
    pub(crate) fn width(self, x: f64, deviations: f64) -> f64 {
        self.unit * deviations * libm::cosh(x / LINEAR)
    }
}

/// Linear up to about `linear` deviations, logarithmic beyond; odd, so the sign stays.
pub(crate) fn compress(deviations: f64, linear: f64) -> f64 {
    libm::asinh(deviations / linear) * linear
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let lens = Lens::new(20.0, 0.5);
        for value in [-1e9, 3.0, 20.0, 21.0, 1e12] {
            let back = lens.outward(lens.inward(value));
            assert!(
                (back - value).abs() <= 1e-9 * value.abs(),
                "{value}: {back}"
            );
        }
    }
}

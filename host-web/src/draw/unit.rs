//! What values are counted in, how they are told, and the ticks of an axis.

use crate::draw::shape::{as_count, as_float};

/// What a series' values are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Hundredths.
    Percent,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Things per second.
    PerSecond,
    /// Things.
    Count,
}

/// A number that values are divided by before they are told, and what stands behind them.
type Step = (f64, &'static str);

impl Unit {
    /// The unit that a series calls so; what is not known is a count.
    #[must_use]
    pub fn called(name: &str) -> Self {
        match name {
            "ms" => Self::Millis,
            "%" => Self::Percent,
            "B" | "bytes" => Self::Bytes,
            "B/s" => Self::BytesPerSecond,
            "1/s" => Self::PerSecond,
            _ => Self::Count,
        }
    }

    /// The larger and smaller units that it is told in, the smallest first.
    const fn steps(self) -> &'static [Step] {
        match self {
            Self::Millis => &[(0.001, "µs"), (1.0, "ms"), (1e3, "s"), (6e4, "min")],
            Self::Percent => &[(1.0, "%")],
            Self::Bytes => &[
                (1.0, "B"),
                (1e3, "kB"),
                (1e6, "MB"),
                (1e9, "GB"),
                (1e12, "TB"),
            ],
            Self::BytesPerSecond => &[(1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s")],
            Self::PerSecond => &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")],
            Self::Count => &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")],
        }
    }

    /// The largest unit of which a value has at least one.
    fn step_for(self, value: f64) -> Step {
        let size = value.abs();
        let fits = self
            .steps()
            .iter()
            .rev()
            .find(|(factor, _)| size >= *factor);
        match fits {
            Some(step) => *step,
            // Zero has no size of its own.
            None if size == 0.0 => self
                .steps()
                .iter()
                .find(|(f, _)| *f >= 1.0)
                .copied()
                .unwrap_or((1.0, "")),
            None => self.steps().first().copied().unwrap_or((1.0, "")),
        }
    }

    /// A value with its unit, with three digits that count: `12.5 ms`, `1.25 MB/s`. What is no number is
    /// unknown.
    #[must_use]
    pub fn tell(self, value: f64) -> String {
        if !value.is_finite() {
            return crate::draw::twin::UNKNOWN.into();
        }
        let (factor, suffix) = self.step_for(value);
        let shown = value / factor;
        let digits = match shown.abs() {
            size if size >= 100.0 || shown.fract() == 0.0 => 0,
            size if size >= 10.0 => 1,
            _ => 2,
        };
        joined(&format!("{shown:.digits$}"), suffix)
    }
}

/// A number and its unit, with a space that does not break the line.
fn joined(number: &str, suffix: &str) -> String {
    match suffix {
        "" => number.into(),
        "k" | "M" | "G" | "k/s" | "M/s" => format!("{number}{suffix}"),
        _ => format!("{number}\u{a0}{suffix}"),
    }
}

/// A value of an axis that has a line and a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// What it says, with its unit.
    pub text: String,
}

/// An upright axis: from where to where, and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The value at the bottom.
    pub low: f64,
    /// The value at the top; larger than `low`.
    pub high: f64,
    /// The ticks, the lowest first; both ends have one.
    pub ticks: Vec<Tick>,
}

impl Default for Axis {
    fn default() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
            ticks: Vec::new(),
        }
    }
}

impl Axis {
    /// An axis that holds all values from `low` to `high`, with at most so many steps between ticks (at
    /// least one). It begins at zero where no value is negative, so that heights can be compared. Ends
    /// that are no numbers are taken for zero.
    #[must_use]
    pub fn new(unit: Unit, low: f64, high: f64, steps_max: usize) -> Self {
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let low = finite(low).min(0.0);
        let high = finite(high).max(0.0);
        let high = if high > low { high } else { low + least(unit) };
        let steps_max = steps_max.clamp(1, 20);
        let step = nice_above((high - low) / as_float(steps_max));
        let first = (low / step).floor();
        let count = as_count((high / step - 1e-9).ceil() - first).clamp(1, 40);
        let (factor, suffix) = unit.step_for((first + as_float(count)) * step);
        let digits = digits_of(step / factor);
        let ticks = (0..=count).map(|number| {
            let value = (first + as_float(number)) * step;
            let text = format!("{:.digits$}", value / factor);
            Tick {
                value,
                text: joined(&text, suffix),
            }
        });
        Self {
            low: first * step,
            high: (first + as_float(count)) * step,
            ticks: ticks.collect(),
        }
    }

    /// Where a value is between the bottom, 0, and the top, 1; beyond where it is beyond.
    #[must_use]
    pub fn part(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// How far an axis goes where all is zero.
const fn least(unit: Unit) -> f64 {
    match unit {
        Unit::Percent => 100.0,
        Unit::Bytes | Unit::BytesPerSecond => 1_000.0,
        Unit::Millis | Unit::PerSecond | Unit::Count => 1.0,
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below a number above 0.
fn nice_above(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let times = number / power;
    let nice = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|nice| times <= nice + 1e-9);
    nice.unwrap_or(10.0) * power
}

/// How many digits a step needs behind the point.
fn digits_of(step: f64) -> usize {
    as_count((-step.log10()).ceil().clamp(0.0, 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_and_share_one_unit() {
        let axis = Axis::new(Unit::BytesPerSecond, 10_000.0, 1_700_000.0, 4);
        assert_eq!(
            texts(&axis),
            [
                "0.0\u{a0}MB/s",
                "0.5\u{a0}MB/s",
                "1.0\u{a0}MB/s",
                "1.5\u{a0}MB/s",
                "2.0\u{a0}MB/s"
            ]
        );
        assert!(axis.high >= 1_700_000.0);
        assert_eq!(
            texts(&Axis::new(Unit::Percent, 3.0, 93.0, 5)),
            [
                "0\u{a0}%",
                "20\u{a0}%",
                "40\u{a0}%",
                "60\u{a0}%",
                "80\u{a0}%",
                "100\u{a0}%"
            ]
        );
        assert_eq!(
            texts(&Axis::new(Unit::Millis, 0.0, 0.4, 2)),
            ["0\u{a0}µs", "200\u{a0}µs", "400\u{a0}µs"]
        );
        assert_eq!(
            texts(&Axis::new(Unit::Count, 0.0, 3_000.0, 3)),
            ["0k", "1k", "2k", "3k"]
        );
    }

    #[test]
    fn an_axis_holds_all_values_whatever_they_are() {
        for (low, high) in [
            (0.0, 0.0),
            (-3.0, 7.0),
            (-5.0, -1.0),
            (1e-7, 2e-7),
            (0.0, 1e15),
            (f64::NAN, f64::INFINITY),
        ] {
            for steps in [0, 1, 3, 100] {
                let axis = Axis::new(Unit::Millis, low, high, steps);
                assert!(axis.low < axis.high, "{low} to {high}");
                let top = axis.high * (1.0 + 1e-9) + 1e-12;
                assert!(low.is_nan() || axis.low <= low, "{axis:?}");
                assert!(high.is_infinite() || high <= top, "{axis:?}");
                assert!(axis.ticks.len() >= 2 && axis.ticks.len() <= 41);
            }
        }
    }

    #[test]
    fn values_are_told_with_three_digits_and_the_unknown_as_unknown() {
        let told = [
            (Unit::Millis, 12.54),
            (Unit::Millis, 0.25),
            (Unit::Millis, 2_500.0),
            (Unit::BytesPerSecond, 1_254_000.0),
            (Unit::Percent, 99.0),
            (Unit::Count, 0.0),
            (Unit::Count, 12_345.0),
            (Unit::Millis, f64::NAN),
        ]
        .map(|(unit, value)| unit.tell(value));
        assert_eq!(
            told,
            [
                "12.5\u{a0}ms",
                "250\u{a0}µs",
                "2.50\u{a0}s",
                "1.25\u{a0}MB/s",
                "99\u{a0}%",
                "0",
                "12.3k",
                "unknown"
            ]
        );
    }
}

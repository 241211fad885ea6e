//! Conversions between floats and integers, each with its bounds.

/// The largest magnitude that enters any model; larger values count as this. Its square and a
/// million of its sums stay finite.
pub(crate) const MAGNITUDE_MAX: f64 = 1e100;

/// `value` within ±[`MAGNITUDE_MAX`], or nothing for infinities and what is not a number.
pub(crate) fn admissible(value: f64) -> Option<f64> {
    value
        .is_finite()
        .then(|| value.clamp(-MAGNITUDE_MAX, MAGNITUDE_MAX))
}

/// The whole part of `x`, at least 0, at most `max`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped; what is not a number becomes 0"
)]
pub(crate) fn index(x: f64, max: u32) -> usize {
    x.clamp(0.0, f64::from(max)) as usize
}

/// `x` rounded towards zero to an `i16`, at most ±`max`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped; what is not a number becomes 0"
)]
pub(crate) fn short(x: f64, max: i16) -> i16 {
    x.clamp(-f64::from(max), f64::from(max)) as i16
}

/// `x` with the precision that is kept between samples, within ±3e38.
#[expect(
    clippy::cast_possible_truncation,
    reason = "24 bits are enough for a learnt mean"
)]
pub(crate) fn single(x: f64) -> f32 {
    x.clamp(-3e38, 3e38) as f32
}

/// A span of milliseconds as a float; exact below 285,000 years.
#[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
pub(crate) fn float(ms: u64) -> f64 {
    ms as f64
}

/// Milliseconds, rounded down, at least 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts saturate; negative becomes 0"
)]
pub(crate) fn millis(ms: f64) -> u64 {
    ms as u64
}

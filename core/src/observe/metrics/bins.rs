//! The bins of a sketch: which bin a value is in, and the middle of a bin.
//!
//! A bin spans the numbers between two bounds whose ratio is 2^(1/35) ≈ 1.0200. Bounds are a table of 35
//! mantissas; the binary exponent comes from the bits of the `f64`. So the bin of a value is found by
//! comparing integers, and is the same on every target: no logarithm is taken.
//!
//! Source: Masson, Rim, Lee, "`DDSketch`", VLDB 2019, section 2.1 (bins, their middle); the mapping by
//! exponent and mantissa after its implementations, with a table in place of a polynomial.

/// How many bins between a power of two and the next: the fewest with an error below 1 %.
const BINS_PER_OCTAVE: i32 = 35;
/// A bin's middle over its lower bound: 2γ / (γ + 1) with γ = 2^(1/35).
const MIDDLE: f64 = 1.009_901_778_953_003;
/// The lower bounds of the bins of one octave: the 52 bits of mantissa of 2^(i/35).
const BOUNDS: [u64; 35] = [
    0x0_0000_0000_0000,
    0x0_51ed_3525_4d7b,
    0x0_a57d_e9c1_6bc7,
    0x0_faba_81d4_e5df,
    0x1_51ab_8c56_eea2,
    0x1_aa59_c411_5e7d,
    0x2_04ce_1081_1781,
    0x2_6111_86ba_e675,
    0x2_bf2d_6a54_f7da,
    0x3_1f2b_2e54_f85d,
    0x3_8114_7622_f886,
    0x3_e4f3_1681_2c30,
    0x4_4ad1_1688_9e7b,
    0x4_b2b8_b0aa_f3c7,
    0x5_1cb4_53b9_536c,
    0x5_88ce_a3f0_93be,
    0x5_f712_7c0a_c32a,
    0x6_678a_ee56_29f8,
    0x6_da43_45d1_e0ad,
    0x7_4f47_0750_17a0,
    0x7_c6a1_f29e_2ce6,
    0x8_4060_03b2_ae5c,
    0x8_bc8d_73e1_6610,
    0x9_3b36_bb15_8fff,
    0x9_bc68_9112_58c0,
    0xa_402f_eeb9_c533,
    0xa_c69a_0f5a_241c,
    0xb_4fb4_7202_2b1a,
    0xb_db8c_dadb_e120,
    0xc_6a31_548e_794d,
    0xc_fbb0_31a7_41a5,
    0xd_9018_0e09_c9e4,
    0xe_2777_d067_6770,
    0xe_c1de_abbe_3c14,
    0xf_5f5c_20df_e5f2,
];
/// The bits of an `f64` below its exponent, and what is added to its exponent.
const MANTISSA_BITS: u32 = 52;
const EXPONENT_BIAS: i32 = 1_023;

/// The bins of the smallest normal `f64` and of the largest.
pub(super) const FIRST_BIN: i32 = -1_022 * BINS_PER_OCTAVE;
pub(super) const LAST_BIN: i32 = 1_024 * BINS_PER_OCTAVE - 1;

/// The number of a value's bin; nothing for zero and for what is too small for a normal `f64`.
pub(super) fn bin_of(value: f64) -> Option<i32> {
    let bits = value.to_bits();
    let biased = i32::try_from(bits.wrapping_shr(MANTISSA_BITS) & 0x7FF).ok()?;
    if biased == 0 {
        return None;
    }
    let mantissa = bits & 0x000F_FFFF_FFFF_FFFF;
    // The first bound is 0, so at least one is not above.
    let above = BOUNDS.partition_point(|bound| *bound <= mantissa);
    let within = i32::try_from(above).ok()?.saturating_sub(1);
    let octave = biased.saturating_sub(EXPONENT_BIAS);
    Some(
        octave
            .saturating_mul(BINS_PER_OCTAVE)
            .saturating_add(within),
    )
}

/// The middle of a bin: no value of the bin is farther from it than 0.99 %.
pub(super) fn middle_of(bin: i32) -> f64 {
    lower_bound(bin) * MIDDLE
}

/// The smallest value of a bin.
fn lower_bound(bin: i32) -> f64 {
    let octave = bin.div_euclid(BINS_PER_OCTAVE);
    let within = usize::try_from(bin.rem_euclid(BINS_PER_OCTAVE)).unwrap_or(0);
    let biased = octave.saturating_add(EXPONENT_BIAS).clamp(1, 2_046);
    let exponent = u64::from(biased.unsigned_abs()).wrapping_shl(MANTISSA_BITS);
    f64::from_bits(exponent | BOUNDS.get(within).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    #[test]
    fn the_table_is_the_powers_of_the_35th_root_of_two() {
        // Thirty-five bounds multiplied by themselves are powers of two.
        for (power, bound) in (0..35).zip(0..35) {
            let mut product = 1.0;
            for _ in 0..35 {
                product *= lower_bound(bound);
            }
            let exact = f64::from_bits((1_023 + power) << 52);
            assert!((product / exact - 1.0).abs() < 1e-13, "bound {bound}");
        }
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_bound_begins_its_bin() {
        for bin in (FIRST_BIN..=LAST_BIN).step_by(17) {
            let bound = lower_bound(bin);
            assert_eq!(bin_of(bound), Some(bin));
            if bin > FIRST_BIN {
                assert_eq!(bin_of(f64::from_bits(bound.to_bits() - 1)), Some(bin - 1));
            }
            assert!((lower_bound(bin) * MIDDLE).is_finite());
        }
        assert_eq!(
            (bin_of(f64::MAX), bin_of(f64::MIN_POSITIVE)),
            (Some(LAST_BIN), Some(FIRST_BIN))
        );
        assert_eq!((bin_of(0.0), bin_of(1e-310)), (None, None));
    }
}

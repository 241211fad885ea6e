//! Randomness from one seed, forked per machine.

use core::time::Duration;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};

/// A deterministic generator, only for jitter and choice; key material and nonces come from the
/// host's entropy through a generator of their own.
///
/// [`Rng::fork`] derives an independent generator by label, so that a draw added in one machine does
/// not shift another's. Draws are ChaCha12 with our own reduction, so a dependency update never
/// changes a replayed trace.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: [u8; 32],
    stream: ChaCha12Rng,
}

impl Rng {
    /// A generator from 32 bytes of seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self {
            seed,
            stream: ChaCha12Rng::from_seed(seed),
        }
    }

    /// A generator from a number, for tests and simulations.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self::from_seed(*blake3::hash(&seed.to_le_bytes()).as_bytes())
    }

    /// An independent generator for `label`, the same for the same seed and label however many draws
    /// this one has made.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("sporenet 2026 rng fork");
        hasher.update(&self.seed);
        hasher.update(label.as_bytes());
        Self::from_seed(*hasher.finalize().as_bytes())
    }

    /// A uniform number of 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill_bytes(bytes);
    }

    /// 32 fresh bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniform number below `bound`; 0 if `bound` is 0.
    ///
    /// Source: Lemire, "Fast Random Integer Generation in an Interval", 2019, without the rejection
    /// step; the bias is below 2⁻³² for the bounds used here (under 2³²).
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()).wrapping_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A uniform index below `len`; 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or(0)
    }

    /// A uniform span below `bound`, in microseconds (full jitter).
    pub fn span_below(&mut self, bound: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)))
    }

    /// `span` give or take `permille` thousandths, uniform.
    pub fn jitter(&mut self, span: Duration, permille: u32) -> Duration {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let reach = micros.saturating_mul(u64::from(permille)) / 1_000;
        let draw = self.below(reach.saturating_mul(2).saturating_add(1));
        Duration::from_micros(micros.saturating_sub(reach).saturating_add(draw))
    }

    /// True with the given chance in thousandths.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last.saturating_add(1));
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_does_not_depend_on_earlier_draws() {
        let mut one = Rng::from_number(7);
        let fresh = one.fork("swim").next_u64();
        one.next_u64();
        assert_eq!(one.fork("swim").next_u64(), fresh);
        assert_ne!(one.fork("links").next_u64(), fresh);
    }

    #[test]
    fn draws_are_pinned() {
        let mut rng = Rng::from_number(1);
        assert_eq!([rng.below(100), rng.below(100), rng.below(100)], PINNED);
        assert_eq!(rng.below(0), 0);
    }

    const PINNED: [u64; 3] = [4, 69, 6];
}

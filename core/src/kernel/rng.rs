//! Randomness from one seed, forked per machine.

use core::time::Duration;
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// A deterministic generator, only for jitter and choice; key material and nonces come from the
/// host's entropy through a generator of their own.
///
/// [`Rng::fork`] derives an independent generator by label, so that a draw added in one machine does
/// not shift another's. Draws are ChaCha12 with our own reduction, so a dependency update never
/// changes a replayed trace.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator from 32 bytes of seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A generator from a number, for tests and simulations.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        // Hashed, so that neighbouring numbers give streams that have nothing in common.
        Self::from_seed(*blake3::hash(&seed.to_le_bytes()).as_bytes())
    }

    /// An independent generator for `label`, the same for the same seed and label however many draws
    /// this one has made.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("sporenet 2026 rng fork");
        // The seed, not the position: draws made so far must not change what forks get.
        hasher.update(&self.0.get_seed());
        hasher.update(label.as_bytes());
        Self::from_seed(*hasher.finalize().as_bytes())
    }

    /// A uniform number of 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `bytes`. Words of four bytes are drawn; what is left of the last one is not used again.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
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
        // Both ends count, so that `span` itself is the middle.
        let draw = self.below(reach.saturating_mul(2).saturating_add(1));
        Duration::from_micros(micros.saturating_sub(reach).saturating_add(draw))
    }

    /// True with the given chance in thousandths.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }

    /// From `least` to `most`, every power of two as likely as the others: for settings that are drawn.
    #[cfg(any(test, feature = "sim"))]
    pub fn number(&mut self, least: u64, most: u64) -> u64 {
        let doublings = most.checked_div(least.max(1)).unwrap_or(0).max(1).ilog2();
        let doubled = self.below(u64::from(doublings).saturating_add(1));
        let low = least << doubled;
        low.saturating_add(self.below(low.max(1))).min(most)
    }

    /// The same in milliseconds.
    #[cfg(any(test, feature = "sim"))]
    pub fn span(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.number(least, most))
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // The place itself counts too: without it not every order could come out.
            let other = self.index(last.saturating_add(1));
            items.swap(last, other);
        }
    }
}

/// Words of four bytes in a block of the stream.
const BLOCK_WORDS: u64 = 16;

/// A recording keeps the seed and the position: how many bytes of the block in use are drawn, and the
/// number of the block that comes next. A block is in use until a word of the next one is drawn.
impl serde::Serialize for Rng {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = u64::try_from(self.0.get_word_pos()).unwrap_or(u64::MAX);
        let next_block = u32::try_from(words.div_ceil(BLOCK_WORDS)).unwrap_or(u32::MAX);
        // On a border, and before the first draw, the block in use counts as used up.
        let used = match words % BLOCK_WORDS {
            0 => BLOCK_WORDS,
            used => used,
        };
        (self.0.get_seed(), used.saturating_mul(4), next_block).serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Rng {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seed, used, next_block) = <([u8; 32], u64, u32)>::deserialize(deserializer)?;
        let left = BLOCK_WORDS.saturating_sub(used / 4);
        let words = u64::from(next_block).saturating_mul(BLOCK_WORDS);
        let mut rng = Self::from_seed(seed);
        rng.0.set_word_pos(words.saturating_sub(left).into());
        Ok(rng)
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

    /// "TC1" with twelve rounds: key and nonce of zeros.
    ///
    /// Source: Strombergson, "Test Vectors for the Stream Cipher ChaCha", 2013, section 2.
    #[test]
    fn the_stream_is_chacha12s() {
        let mut rng = Rng::from_seed([0; 32]);
        let mut drawn = [0; 8];
        rng.fill(&mut drawn);
        assert_eq!(drawn, [0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0x55, 0xf9, 0x53]);
    }

    #[test]
    fn a_number_lies_across_two_blocks_and_odd_fills_use_whole_words() {
        let mut whole = [0; 80];
        Rng::from_number(2).fill(&mut whole);
        let mut rng = Rng::from_number(2);
        let mut odd = [0; 57];
        rng.fill(&mut odd);
        assert_eq!(odd, whole[..57]);
        assert_eq!(rng.next_u64().to_le_bytes(), whole[60..68]);
        assert_eq!(rng.clone().bytes32()[..12], whole[68..]);
    }

    /// Recordings hold the position in this form.
    #[test]
    fn a_generator_that_was_kept_goes_on_where_it_was() {
        // After so many bytes: bytes used of the block, and the next block.
        let cases: [(usize, usize, u32); 6] = [
            (0, 64, 0),
            (4, 4, 1),
            (60, 60, 1),
            (64, 64, 1),
            (68, 4, 2),
            (320, 64, 5),
        ];
        for (bytes, used, next_block) in cases {
            let mut rng = Rng::from_number(3);
            rng.fill(&mut alloc::vec![0; bytes]);
            let kept = postcard::to_allocvec(&rng).unwrap();
            let seed = *blake3::hash(&3_u64.to_le_bytes()).as_bytes();
            let expected = postcard::to_allocvec(&(seed, used, next_block));
            assert_eq!(kept, expected.unwrap(), "{bytes} bytes");
            let mut again: Rng = postcard::from_bytes(&kept).unwrap();
            assert_eq!(again.next_u64(), rng.next_u64(), "{bytes} bytes");
        }
    }
}

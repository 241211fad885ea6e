//! Signatures that held before: in a simulation every node checks what every other has checked.
//!
//! While a simulated world runs ([`Simulating`]), a signature that held once is not checked again,
//! whichever node asks: only its hash is compared. Every hundredth is checked all the same, and one
//! that then does not hold is counted in [`mismatches`]. Outside a simulated world every signature is
//! checked.
//!
//! The table is a fixed number of words without locks: an entry that another replaces costs a check.
//! It holds 63 bits of a hash whose other bits choose the word, so that two of 10^9 distinct
//! signatures pass for one another with a chance below 2^-20; nobody in a simulation looks for such
//! a pair.

use crate::kernel::{
    crypto::{BadSignature, Hash},
    id::NodeId,
};
use core::sync::atomic::{AtomicU64, Ordering};

/// Two to this many words: half a megabyte. Fewer are overwritten before the last node of a mesh of
/// 10,000 asks.
const WORDS_BITS: u32 = 16;

/// One of so many known signatures is checked for real.
const SAMPLE: u64 = 100;

/// What is known.
struct Memo {
    held: [AtomicU64; 1 << WORDS_BITS],
    /// How many worlds run.
    simulations: AtomicU64,
    known: AtomicU64,
    mismatches: AtomicU64,
}

static MEMO: Memo = Memo::new();

/// As long as one of these lives, signatures that held before need no check.
#[derive(Debug)]
pub(crate) struct Simulating(());

impl Simulating {
    /// A simulated world begins to run.
    pub(crate) fn begin() -> Self {
        // `Relaxed` throughout: each word stands for itself, and nothing else is read because of
        // it.
        MEMO.simulations.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Simulating {
    fn drop(&mut self) {
        MEMO.simulations.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many signatures were known and did not hold when they were checked for real. Always 0, unless
/// the table is broken.
pub(crate) fn mismatches() -> u64 {
    MEMO.mismatches.load(Ordering::Relaxed)
}

/// Checks a signature with `check`, unless it held before and it is not its turn.
pub(super) fn verify(
    form: &[u8; 32],
    signer: NodeId,
    signature: &[u8; 64],
    check: impl FnOnce() -> Result<(), BadSignature>,
) -> Result<(), BadSignature> {
    MEMO.verify(form, signer, signature, check)
}

impl Memo {
    const fn new() -> Self {
        Self {
            held: [const { AtomicU64::new(0) }; 1 << WORDS_BITS],
            simulations: AtomicU64::new(0),
            known: AtomicU64::new(0),
            mismatches: AtomicU64::new(0),
        }
    }

    fn verify(
        &self,
        form: &[u8; 32],
        signer: NodeId,
        signature: &[u8; 64],
        check: impl FnOnce() -> Result<(), BadSignature>,
    ) -> Result<(), BadSignature> {
        if self.simulations.load(Ordering::Relaxed) == 0 {
            return check();
        }
        let parts: [&[u8]; 3] = [form, signer.as_bytes(), signature];
        let hash = Hash::of("sporenet 2026 known signature", &parts);
        let [.., high, low] = *hash.as_bytes();
        // Zero stands for an empty word.
        let tag = hash.prefix() | 1;
        let word = usize::from(u16::from_be_bytes([high, low]));
        // Never `None`: sixteen bits choose among 2^16 words.
        let Some(word) = self.held.get(word) else {
            return check();
        };
        let is_known = word.load(Ordering::Relaxed) == tag;
        // The test of this table: an entry that is wrong is found out sooner or later.
        let is_sampled = is_known
            && self
                .known
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(SAMPLE);
        if is_known && !is_sampled {
            return Ok(());
        }
        let outcome = check();
        // Failures are not kept: a bad signature is checked, and refused, every time.
        if outcome.is_ok() {
            word.store(tag, Ordering::Relaxed);
        } else if is_known {
            self.mismatches.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks `rounds` times about one signature; answers how often it was really checked.
    fn checks(memo: &Memo, rounds: u32, holds: bool) -> u32 {
        let mut checked = 0_u32;
        let signer = NodeId::from_bytes([5; 32]);
        for _ in 0..rounds {
            let _ = memo.verify(&[1; 32], signer, &[2; 64], || {
                checked = checked.saturating_add(1);
                holds.then_some(()).ok_or(BadSignature { signer })
            });
        }
        checked
    }

    #[test]
    fn outside_a_simulation_every_signature_is_checked() {
        static MEMO: Memo = Memo::new();
        assert_eq!(checks(&MEMO, 10, true), 10);
    }

    #[test]
    fn within_a_simulation_every_hundredth_known_signature_is_checked() {
        static MEMO: Memo = Memo::new();
        MEMO.simulations.store(1, Ordering::Relaxed);
        assert_eq!(checks(&MEMO, 1_001, true), 11);
    }

    #[test]
    fn within_a_simulation_a_bad_signature_is_checked_each_time() {
        static MEMO: Memo = Memo::new();
        MEMO.simulations.store(1, Ordering::Relaxed);
        assert_eq!(checks(&MEMO, 10, false), 10);
        assert_eq!(MEMO.mismatches.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_known_signature_that_does_not_hold_is_counted() {
        static MEMO: Memo = Memo::new();
        MEMO.simulations.store(1, Ordering::Relaxed);
        checks(&MEMO, 1, true);
        checks(&MEMO, 200, false);
        assert_eq!(MEMO.mismatches.load(Ordering::Relaxed), 2);
    }
}

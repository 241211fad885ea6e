//! Where signatures are left while a node is recorded, and taken from when it is replayed.

use super::Signature;
use alloc::{boxed::Box, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The most signatures between two drains. A node makes a handful for one input; doubling it doubles
/// the 256 KiB that a recorded node pays.
pub const SIGNATURES_MAX: u32 = 4_096;

/// Words of 32 bits in a signature: bare metal has no wider atomic ones.
const WORDS: usize = 16;

/// A bounded strip of signatures, shared by the clones of a key pair.
///
/// The clones of one node's key pair sign on one thread, one after the other; a tape needs no order
/// among threads.
pub struct Tape {
    signatures: Box<[[AtomicU32; WORDS]]>,
    left: AtomicU32,
    taken: AtomicU32,
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(SIGNATURES_MAX)
    }

    /// A tape that is always empty.
    pub(super) fn blank() -> Self {
        Self::with_room(0)
    }

    fn with_room(signatures: u32) -> Self {
        Self {
            signatures: (0..signatures).map(|_| Default::default()).collect(),
            left: AtomicU32::new(0),
            taken: AtomicU32::new(0),
        }
    }

    pub(super) fn leave(&self, signature: &Signature) {
        let left = self.left.load(Relaxed);
        // Counted even without room, so that `drain` sees that some are missing.
        self.left.store(left.saturating_add(1), Relaxed);
        let place = usize::try_from(left)
            .ok()
            .and_then(|at| self.signatures.get(at));
        // In words: clones share the strip, so each cell has to be atomic.
        let (bytes, _) = signature.0.as_chunks::<4>();
        for (word, bytes) in place.into_iter().flatten().zip(bytes) {
            word.store(u32::from_le_bytes(*bytes), Relaxed);
        }
    }

    /// The next signature; zeros when there is none, which [`Tape::is_used_up`] tells.
    pub(super) fn take(&self) -> Signature {
        let taken = self.taken.load(Relaxed);
        // Counted beyond the end too: a replay that signs more often than the original is told.
        self.taken.store(taken.saturating_add(1), Relaxed);
        let place = usize::try_from(taken)
            .ok()
            .filter(|_| taken < self.left.load(Relaxed))
            .and_then(|at| self.signatures.get(at));
        place.map_or(Signature([0; 64]), read)
    }

    /// Takes everything off; `None` if more was left than there is room for.
    #[must_use]
    pub fn drain(&self) -> Option<Vec<Signature>> {
        // `get` answers `None` where more were counted than there is room for.
        let left = usize::try_from(self.left.swap(0, Relaxed)).ok()?;
        Some(self.signatures.get(..left)?.iter().map(read).collect())
    }

    /// Puts these on, in place of what is there; what is too much is left out.
    pub fn load(&self, signatures: &[Signature]) {
        // Both counters: a replay starts to count anew with each input.
        self.left.store(0, Relaxed);
        self.taken.store(0, Relaxed);
        for signature in signatures {
            self.leave(signature);
        }
    }

    /// How many have been taken since they were put on.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.taken.load(Relaxed)
    }

    /// Whether exactly what was put on has been taken.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.taken.load(Relaxed) == self.left.load(Relaxed)
    }
}

impl Default for Tape {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} signatures)", self.left.load(Relaxed))
    }
}

fn read(words: &[AtomicU32; WORDS]) -> Signature {
    let mut bytes = [0; 64];
    let (places, _) = bytes.as_chunks_mut::<4>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.load(Relaxed).to_le_bytes();
    }
    Signature(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(number: u8) -> Signature {
        Signature([number; 64])
    }

    #[test]
    fn what_is_left_is_taken_in_order() {
        let tape = Tape::new();
        tape.leave(&signature(1));
        tape.leave(&signature(2));
        let left = tape.drain().unwrap();
        assert_eq!(left, [signature(1), signature(2)]);
        assert_eq!(tape.drain().unwrap(), []);
        tape.load(&left);
        assert!(!tape.is_used_up());
        assert_eq!([tape.take(), tape.take()], [signature(1), signature(2)]);
        assert!(tape.is_used_up());
        assert_eq!(tape.take(), signature(0));
        assert!(!tape.is_used_up());
    }

    #[test]
    fn more_than_there_is_room_for_is_noticed() {
        let tape = Tape::new();
        (0..=SIGNATURES_MAX).for_each(|_| tape.leave(&signature(1)));
        assert_eq!(tape.drain(), None);
        assert_eq!(tape.drain(), Some(Vec::new()));
    }
}

//! A snapshot and what the node got after it.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Hash,
        time::{Time, WallTime},
    },
    node::recording::digest::Digest,
};
use alloc::vec::Vec;

/// Entries are put away in pieces of this size, which copies share. Doubling it doubles what saving
/// copies; halving it doubles the list of pieces.
const PIECE_BYTES: usize = 128 << 10;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The node's time at the snapshot.
    pub(super) from: Time,
    /// The time of the last entry.
    pub(super) to: Time,
    /// The wall clock at the snapshot.
    pub(super) wall: WallTime,
    /// How many inputs follow the snapshot.
    pub(super) inputs: u64,
    /// The hash of the snapshot.
    pub(super) hash: Hash,
}

/// A segment; cheap to clone but for less than one piece.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) head: Head,
    pub(super) snapshot: Bytes,
    pieces: Vec<Bytes>,
    tail: Vec<u8>,
    entries_bytes: u64,
    /// What the node said since the snapshot.
    pub(super) said: Digest,
}

impl Segment {
    pub(super) fn new(head: Head, snapshot: Bytes) -> Self {
        Self {
            head,
            snapshot,
            pieces: Vec::new(),
            tail: Vec::with_capacity(PIECE_BYTES),
            entries_bytes: 0,
            said: Digest::default(),
        }
    }

    pub(super) fn append(&mut self, entry: &[u8]) {
        self.entries_bytes = self.entries_bytes.saturating_add(size(entry.len()));
        self.tail.extend_from_slice(entry);
        // A full piece is shared from here on and never changes.
        if self.tail.len() >= PIECE_BYTES {
            self.pieces.push(self.tail.as_slice().into());
            self.tail.clear();
        }
    }

    /// Frees what only a growing segment needs.
    pub(super) fn close(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(self.tail.as_slice().into());
        }
        self.tail = Vec::new();
    }

    pub(super) fn snapshot_bytes(&self) -> u64 {
        size(self.snapshot.len())
    }

    pub(super) const fn entries_bytes(&self) -> u64 {
        self.entries_bytes
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries_bytes.saturating_add(self.snapshot_bytes())
    }

    /// The entries, in pieces that need not end where an entry ends.
    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.iter().map(|piece| &**piece);
        pieces.chain(core::iter::once(self.tail.as_slice()))
    }
}

pub(super) fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

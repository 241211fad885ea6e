//! What a node signs of itself and of its paths.

use super::Sample;
use crate::kernel::{
    crypto::SignedBody,
    id::{Incarnation, NodeId},
    time::WallTime,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The most paths in a report: twice the neighbours of a relay on four rings.
pub const PATHS_MAX: usize = 16;

/// The first eight bytes of an identity: enough to find a member by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag([u8; 8]);

impl Tag {
    /// That of a node.
    #[must_use]
    pub const fn of(id: NodeId) -> Self {
        Self(id.prefix().to_be_bytes())
    }
}

/// A path to a linked peer, as the pings over it show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Where to.
    pub peer: Tag,
    /// The smoothed round-trip time, in microseconds.
    pub rtt_us: u32,
    /// The shortest since the link came up, in microseconds.
    pub min_us: u32,
    /// How far single round trips are from the smoothed one, smoothed as well, in microseconds.
    pub jitter_us: u32,
    /// Pings of the last minute without an answer before the next one, in thousandths.
    pub loss_permille: u16,
}

/// A node's word about how it is; the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Raised with every report of its process.
    pub sequence: u64,
    /// When, by its own clock.
    pub at: WallTime,
    /// What it measured last.
    pub sample: Sample,
    /// Its paths, at most [`PATHS_MAX`].
    pub paths: Vec<Path>,
}

impl Report {
    /// What decides which of two is newer.
    pub(super) const fn age_key(&self) -> (Incarnation, u64) {
        (self.incarnation, self.sequence)
    }
}

impl SignedBody for Report {
    const DOMAIN: &'static str = "sporenet 2026 vitals report";

    fn signer(&self) -> NodeId {
        self.node
    }
}

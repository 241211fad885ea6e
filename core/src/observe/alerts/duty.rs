//! Who does what all could do: the highest random weight among those that are there.
//!
//! Nodes that see the same members come to the same answer without a word. Where they differ, two may do
//! the same: records then merge, and a lease keeps a message from going out twice.
//!
//! Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions
//! on Networking, 1998: highest random weight.

use super::record::Id;
use crate::kernel::id::NodeId;

/// The weight of a node for a subject.
pub(super) const fn weight(subject: u64, node: &NodeId) -> u64 {
    // SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): every bit in changes half of those out.
    let mixed = subject ^ node.prefix().rotate_left(17);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How many relays come before this one in judging how a node is. Nobody judges itself.
pub(super) fn rank_as_judge(
    subject: &NodeId,
    me: &NodeId,
    present: impl Iterator<Item = NodeId>,
) -> u32 {
    let own = (weight(subject.prefix(), me), *me);
    let others = present.filter(|node| node != subject);
    let before = others.filter(|node| (weight(subject.prefix(), node), *node) > own);
    u32::try_from(before.count()).unwrap_or(u32::MAX)
}

/// How many of the candidates come before a node, for an incident.
pub(super) fn rank_of(
    incident: Id,
    node: &NodeId,
    candidates: impl Iterator<Item = NodeId>,
) -> u64 {
    let subject = incident.number();
    let own = (weight(subject, node), *node);
    let before = candidates.filter(|other| (weight(subject, other), *other) > own);
    u64::try_from(before.count()).unwrap_or(u64::MAX)
}

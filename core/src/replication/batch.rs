//! Batches: signed, hash-chained groups of writes by one author on one shard.
//!
//! Each names its author's previous batch in the shard by hash, so that an author's log is one
//! chain, and a fork of it shows as two batches with one sequence. It also names the author's
//! previous batch of the same namespace, so that who holds only some namespaces can still see a
//! gap.
//!
//! A chain that forked is of no more use to its author, who goes on in its next writer epoch: with
//! a new chain, in which it issues again what stands beyond the fork, with the stamps that it had.
//!
//! Source: Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022, section 3 (hash graphs, why
//! version vectors alone diverge); Almeida and Shapiro, "The Blocklace", 2024, section 4 (a fork's
//! harm is finite).

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Signed, SignedBody},
        id::NodeId,
        text::{Key, Namespace},
    },
    replication::{clock::Hlc, crdt::register::SEEN_MAX, typed::base_of},
};
use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The most writes in a batch.
pub const OPS_MAX: usize = 64;
/// The most bytes of a batch, signed form: one value of the largest size, and room beside it.
pub const BATCH_BYTES_MAX: usize = 384 * 1024;
/// The most bytes of a value.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
/// How many shards the key space is cut into.
pub const SHARDS: u16 = 64;
/// The most epochs of a node in a shard that are not closed. Each costs an honest node one disk that went
/// back in time; a lying one can start no more chains than that.
pub const EPOCHS_MAX: u32 = 64;
/// Epochs are numbered below this: one a minute for four thousand years.
pub const EPOCH_LIMIT: u32 = 1 << 31;

/// Whose chain: a node, and the how many-th chain of its own in the shard. A node whose chain has
/// forked, or lost a part that nobody has, goes on in its next writer epoch. People never see
/// epochs: what was written is the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Writer {
    /// The node.
    pub node: NodeId,
    /// Which of its epochs in the shard, from 0, below [`EPOCHS_MAX`].
    pub epoch: u32,
}

impl Writer {
    /// Before every other one.
    pub const MIN: Self = Self::first(NodeId::from_bytes([0; 32]));

    /// A node in its first epoch.
    #[must_use]
    pub const fn first(node: NodeId) -> Self {
        Self { node, epoch: 0 }
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// The key, in the batch's namespace.
    pub key: Key,
    /// When, by the author's clock; rises within a batch.
    pub stamp: Hlc,
    /// The value; `None` deletes.
    pub value: Option<Bytes>,
    /// What the writer had seen of this key, of others; at most 16, all before `stamp`.
    pub seen: Vec<(NodeId, Hlc)>,
}

/// A group of writes that become visible together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The shard that all its keys belong to.
    pub shard: u16,
    /// Who wrote and signed it.
    pub author: NodeId,
    /// In which of its epochs.
    pub epoch: u32,
    /// Its place in the chain of that epoch in this shard, from 1.
    pub sequence: u64,
    /// The hash of the one before; [`Hash::ZERO`] for the first.
    pub previous: Hash,
    /// The namespace of all its keys.
    pub namespace: Namespace,
    /// The sequence of the chain's previous batch of this namespace; 0 if there is none.
    pub namespace_previous: u64,
    /// Set if its writes were in a batch of the author's before, which stands beyond a fork of its
    /// chain or a gap in it: the hash of the batch in which they were first.
    pub reissue: Option<Hash>,
    /// The writes, at least one, at most [`OPS_MAX`].
    pub ops: Vec<Op>,
    /// The author's epochs in this shard below this one are closed: what of them counts stands in this chain
    /// before this batch, and the rest was overwritten. 0 if none is.
    #[serde(skip_serializing_if = "is_none", deserialize_with = "or_none")]
    pub closed: u32,
}

/// A batch that closes nothing has the bytes that batches had before there was this field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_none(closed: &u32) -> bool {
    *closed == 0
}

/// Such a batch ends before it.
fn or_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    Ok(u32::deserialize(from).unwrap_or(0))
}

impl SignedBody for Batch {
    const DOMAIN: &'static str = "sporenet 2026 batch signature";

    fn signer(&self) -> NodeId {
        self.author
    }
}

/// What is wrong with a batch on its face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// No writes, or too many.
    Ops,
    /// Larger than a batch or a value may be.
    Size,
    /// A shard that does not exist, or not the one of its keys.
    Shard,
    /// Sequences, epochs or hashes that no chain has.
    Chain,
    /// Stamps that do not rise, or that were seen before they were.
    Stamps,
}

impl fmt::Display for BatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ops => "a batch has 1 to 64 writes",
            Self::Size => "a batch or one of its values is too large",
            Self::Shard => "a key does not belong to the batch's shard",
            Self::Chain => "its place in the chain can't be",
            Self::Stamps => "its stamps do not rise",
        })
    }
}

impl core::error::Error for BatchFault {}

impl Batch {
    /// Checks everything that can be checked without a signature or any state.
    ///
    /// # Errors
    /// The first [`BatchFault`] found.
    pub fn check(&self, signed_bytes: usize) -> Result<(), BatchFault> {
        if self.ops.is_empty() || self.ops.len() > OPS_MAX {
            return Err(BatchFault::Ops);
        }
        let value_bytes = |op: &Op| op.value.as_ref().map_or(0, |value| value.len());
        if signed_bytes > BATCH_BYTES_MAX
            || self.ops.iter().any(|op| value_bytes(op) > VALUE_BYTES_MAX)
        {
            return Err(BatchFault::Size);
        }
        // The writes of a key stand in chains of its shard only: who has compared that shard has
        // compared the key.
        if self
            .ops
            .iter()
            .any(|op| shard_of(&self.namespace, &op.key) != self.shard)
        {
            return Err(BatchFault::Shard);
        }
        // Sequences begin at 1 and only the first batch has no predecessor. The bound on epochs
        // keeps a liar from starting chains without end.
        if self.sequence == 0
            || self.epoch >= EPOCH_LIMIT
            || self.closed > self.epoch
            || self.namespace_previous >= self.sequence
            || (self.sequence == 1) != (self.previous == Hash::ZERO)
        {
            return Err(BatchFault::Chain);
        }
        // Stamps rise strictly within a batch, and nothing was seen at or after its own write. The
        // register relies on the latter: a write that claims to have seen the future could remove a
        // later winner (Kulkarni 2014: a cause has a lesser stamp than its effect).
        let mut last = Hlc::ZERO;
        for op in &self.ops {
            let seen_before = op.seen.iter().all(|(_, stamp)| *stamp < op.stamp);
            if op.stamp <= last || !seen_before || op.seen.len() > SEEN_MAX {
                return Err(BatchFault::Stamps);
            }
            last = op.stamp;
        }
        Ok(())
    }

    /// Whose chain it belongs to.
    #[must_use]
    pub const fn writer(&self) -> Writer {
        Writer {
            node: self.author,
            epoch: self.epoch,
        }
    }

    /// Its newest stamp.
    #[must_use]
    pub fn newest(&self) -> Hlc {
        // Stamps rise within a batch (`check`), so the last one is the newest.
        self.ops.last().map_or(Hlc::ZERO, |op| op.stamp)
    }
}

/// The shard that a key belongs to. All parts of a typed key are in the shard of that key.
#[must_use]
pub fn shard_of(namespace: &Namespace, key: &Key) -> u16 {
    // Neither text has a zero byte in it, so the pair is unambiguous.
    let hash = Hash::of(
        "sporenet 2026 shard",
        &[namespace.as_bytes(), &[0], base_of(key).as_bytes()],
    );
    let [.., low] = hash.prefix().to_le_bytes();
    // `SHARDS` is a power of two, so the mask is a fair draw. It can't be changed later: every node
    // has to find a key in the same shard.
    u16::from(low) & SHARDS.saturating_sub(1)
}

/// The hash by which the next batch names this one: over the signed bytes.
#[must_use]
pub fn hash_of(batch: &Signed<Batch>) -> Hash {
    Hash::of("sporenet 2026 batch", &[batch.bytes()])
}

/// What a batch's writes are known by however often they are issued again: half of the hash of the
/// batch in which they were first, enough to tell it from any other that someone could make.
pub(in crate::replication) fn root_of(batch: &Signed<Batch>) -> Root {
    half(batch.claims().reissue.unwrap_or_else(|| hash_of(batch)))
}

/// See [`root_of`].
pub(in crate::replication) type Root = u128;

/// What a write takes in a batch at most: its key and value, its stamp, and 16 entries of what was seen.
// 800 bytes are 16 entries of what was seen (32 bytes of identity and a stamp each) and the rest.
pub(in crate::replication) const fn op_bytes(key_and_value: usize) -> usize {
    key_and_value.saturating_add(800)
}

/// The first half of a hash.
pub(in crate::replication) fn half(hash: Hash) -> u128 {
    // 128 bits of a hash: nobody can make another batch with the same half (about 2^128 tries). A
    // liar may make two such batches of its own (about 2^64 tries), which spoils its own chain
    // only.
    let (halves, _) = hash.as_bytes().as_chunks::<16>();
    u128::from_be_bytes(halves.first().copied().unwrap_or([0; 16]))
}

/// What the journal keeps for replication: one of these per record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A batch that was accepted.
    Batch(Box<Signed<Batch>>),
    /// Two batches of one author with one sequence: the proof of a fork.
    Fork(Box<(Signed<Batch>, Signed<Batch>)>),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    fn batch() -> Batch {
        let namespace = Namespace::new("n").unwrap();
        let key = Key::new("k").unwrap();
        let op = |millis| Op {
            key: key.clone(),
            stamp: Hlc { millis, counter: 0 },
            value: None,
            seen: Vec::new(),
        };
        Batch {
            shard: shard_of(&namespace, &key),
            author: NodeId::from_bytes([1; 32]),
            epoch: 0,
            sequence: 1,
            previous: Hash::ZERO,
            namespace,
            namespace_previous: 0,
            reissue: None,
            ops: alloc::vec![op(5), op(6)],
            closed: 0,
        }
    }

    #[test]
    fn what_no_honest_author_signs_is_refused_on_its_face() {
        let good = batch();
        assert_eq!(good.check(100), Ok(()));
        assert_eq!(good.check(BATCH_BYTES_MAX + 1), Err(BatchFault::Size));
        let broken = |change: fn(&mut Batch)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.check(100)
        };
        assert_eq!(broken(|b| b.ops.clear()), Err(BatchFault::Ops));
        assert_eq!(
            broken(|b| b.ops.resize(65, b.ops[0].clone())),
            Err(BatchFault::Ops)
        );
        assert_eq!(broken(|b| b.shard ^= 1), Err(BatchFault::Shard));
        assert_eq!(broken(|b| b.shard = u16::MAX), Err(BatchFault::Shard));
        assert_eq!(broken(|b| b.sequence = 0), Err(BatchFault::Chain));
        assert_eq!(broken(|b| b.sequence = u64::MAX), Err(BatchFault::Chain));
        assert_eq!(broken(|b| b.namespace_previous = 1), Err(BatchFault::Chain));
        assert_eq!(broken(|b| b.epoch = EPOCH_LIMIT), Err(BatchFault::Chain));
        assert_eq!(broken(|b| b.epoch = u32::MAX), Err(BatchFault::Chain));
        assert_eq!(broken(|b| b.epoch = EPOCH_LIMIT - 1), Ok(()));
        assert_eq!(broken(|b| b.closed = 1), Err(BatchFault::Chain));
        assert_eq!(broken(|b| (b.epoch, b.closed) = (3, 3)), Ok(()));
        assert_eq!(broken(|b| b.ops.reverse()), Err(BatchFault::Stamps));
        assert_eq!(
            broken(|b| b.ops[0].seen.push((b.author, Hlc::MAX))),
            Err(BatchFault::Stamps)
        );
        assert_eq!(
            broken(|b| {
                let large = alloc::vec![0; VALUE_BYTES_MAX + 1];
                b.ops[0].value = Some(Bytes::from(large));
            }),
            Err(BatchFault::Size)
        );
    }
}

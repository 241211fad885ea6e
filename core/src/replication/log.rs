//! The log: every author's chain per shard, what of it is held, and where the journal keeps it.
//!
//! The frontier is, per shard, the end of every contiguous chain as (sequence, hash). A relay holds
//! chains; a tab holds its own chains whole, and of others only streams: the part of a chain that
//! belongs to one namespace, linked by `namespace_previous`.
//!
//! Source: Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022, section 3.2 (heads as hashes).

use crate::{
    kernel::{
        crypto::{Hash, Signed},
        id::NodeId,
        ordered::Map,
        text::Namespace,
    },
    replication::batch::{Batch, SHARDS, hash_of},
};
use alloc::{boxed::Box, vec::Vec};
use core::ops::Bound;
use serde::{Deserialize, Serialize};

/// A chain: an author's batches in a shard.
pub(in crate::replication) type ChainId = (u16, NodeId);

/// How far a chain is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose chain.
    pub author: NodeId,
    /// The last batch held; 0 if none is.
    pub sequence: u64,
    /// Its hash; [`Hash::ZERO`] if none is held or the chain is forked.
    pub hash: Hash,
    /// From which sequence on the author has contradicted itself; 0 if it has not.
    pub forked_at: u64,
}

/// What must come in order: a chain, or the part of it in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::replication) struct Lane {
    pub(in crate::replication) shard: u16,
    pub(in crate::replication) author: NodeId,
    /// Set where only the namespace is held.
    pub(in crate::replication) namespace: Option<Namespace>,
}

/// Where a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) struct End {
    pub(in crate::replication) sequence: u64,
    pub(in crate::replication) hash: Hash,
}

impl End {
    pub(in crate::replication) const NONE: Self = Self {
        sequence: 0,
        hash: Hash::ZERO,
    };

    /// Whether `batch` is the one that comes next.
    pub(in crate::replication) fn precedes(&self, lane: &Lane, batch: &Batch) -> bool {
        if lane.namespace.is_some() {
            batch.namespace_previous == self.sequence && batch.sequence > self.sequence
        } else {
            Some(batch.sequence) == self.sequence.checked_add(1) && batch.previous == self.hash
        }
    }
}

/// Proof that an author signed two batches with one sequence.
pub(in crate::replication) type Proof = Box<(Signed<Batch>, Signed<Batch>)>;

#[derive(Clone, Debug)]
struct Fork {
    at: u64,
    proof: Option<Proof>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::replication) struct Slot {
    /// Where the journal keeps it.
    pub(in crate::replication) journal: u64,
    /// Half of its hash: enough to tell it from any other batch that someone could make.
    hash_half: u128,
    pub(in crate::replication) bytes: u32,
}

#[derive(Clone, Debug, Default)]
struct Chain {
    /// Contiguous from sequence 1.
    slots: Vec<Slot>,
    head: Option<Hash>,
    fork: Option<Fork>,
}

impl Chain {
    fn length(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(u64::MAX)
    }

    fn end(&self) -> End {
        End {
            sequence: self.length(),
            hash: self.head.unwrap_or(Hash::ZERO),
        }
    }

    /// The last batch that counts: before the fork, if there is one.
    fn head(&self, author: NodeId) -> Head {
        let forked_at = self.fork.as_ref().map_or(0, |fork| fork.at);
        let end = self.end();
        if forked_at == 0 {
            return Head {
                author,
                sequence: end.sequence,
                hash: end.hash,
                forked_at,
            };
        }
        Head {
            author,
            sequence: end.sequence.min(forked_at.saturating_sub(1)),
            hash: Hash::ZERO,
            forked_at,
        }
    }
}

#[derive(Clone, Debug)]
struct Stream {
    end: End,
    /// The sequences in order, where whole chains are held.
    sequences: Vec<u64>,
}

/// The log of all shards.
#[derive(Clone, Debug)]
pub(in crate::replication) struct Log {
    chains: Map<ChainId, Chain>,
    streams: Map<(Namespace, u16, NodeId), Stream>,
    digests: Vec<Option<u64>>,
    batches: u64,
    recent: Map<u64, Signed<Batch>>,
    recent_bytes: usize,
    recent_bytes_max: usize,
    proofs: usize,
}

/// The most forks whose proof is kept; of later ones only the fork point is.
const PROOFS_MAX: usize = 64;

impl Log {
    pub(in crate::replication) fn new(recent_bytes_max: usize) -> Self {
        Self {
            chains: Map::new(),
            streams: Map::new(),
            digests: alloc::vec![None; usize::from(SHARDS)],
            batches: 0,
            recent: Map::new(),
            recent_bytes: 0,
            recent_bytes_max,
            proofs: 0,
        }
    }

    /// Where a lane ends.
    pub(in crate::replication) fn end(&self, lane: &Lane) -> End {
        match &lane.namespace {
            None => self
                .chains
                .get(&(lane.shard, lane.author))
                .map_or(End::NONE, Chain::end),
            Some(namespace) => self.stream_end(namespace, lane.shard, lane.author),
        }
    }

    /// Where an author's batches of one namespace end.
    pub(in crate::replication) fn stream_end(
        &self,
        namespace: &Namespace,
        shard: u16,
        author: NodeId,
    ) -> End {
        self.streams
            .get(&(namespace.clone(), shard, author))
            .map_or(End::NONE, |stream| stream.end)
    }

    /// Appends the next batch of its lane, which the caller has checked to be next.
    pub(in crate::replication) fn append(
        &mut self,
        lane: &Lane,
        journal: u64,
        signed: &Signed<Batch>,
    ) {
        let batch = signed.claims();
        let hash = hash_of(signed);
        let whole = lane.namespace.is_none();
        if whole {
            let chain = self.chains.entry((batch.shard, batch.author)).or_default();
            chain.slots.push(Slot {
                journal,
                hash_half: half(hash),
                bytes: u32::try_from(signed.bytes().len()).unwrap_or(u32::MAX),
            });
            chain.head = Some(hash);
            self.touch(batch.shard);
        }
        let end = End {
            sequence: batch.sequence,
            hash,
        };
        let stream = self
            .streams
            .entry((batch.namespace.clone(), batch.shard, batch.author))
            .or_insert(Stream {
                end,
                sequences: Vec::new(),
            });
        stream.end = end;
        if whole {
            stream.sequences.push(batch.sequence);
        }
        self.batches = self.batches.saturating_add(1);
    }

    /// Keeps a batch at hand, so that serving it needs no journal.
    pub(in crate::replication) fn remember(&mut self, journal: u64, signed: Signed<Batch>) {
        let bytes = cost_in_memory(&signed);
        if bytes > self.recent_bytes_max {
            return;
        }
        if let Some(old) = self.recent.insert(journal, signed) {
            self.recent_bytes = self.recent_bytes.saturating_sub(cost_in_memory(&old));
        }
        self.recent_bytes = self.recent_bytes.saturating_add(bytes);
        while self.recent_bytes > self.recent_bytes_max {
            let Some((_, old)) = self.recent.pop_first() else {
                break;
            };
            self.recent_bytes = self.recent_bytes.saturating_sub(cost_in_memory(&old));
        }
    }

    /// A batch by its place in the journal, if it is at hand.
    pub(in crate::replication) fn recent(&self, journal: u64) -> Option<&Signed<Batch>> {
        self.recent.get(&journal)
    }

    /// Where a batch of a whole chain is kept.
    pub(in crate::replication) fn slot(&self, chain: ChainId, sequence: u64) -> Option<Slot> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.chains.get(&chain)?.slots.get(index).copied()
    }

    /// Whether a lane holds this very batch; `None` if it can't tell.
    pub(in crate::replication) fn holds(
        &self,
        lane: &Lane,
        sequence: u64,
        hash: Hash,
    ) -> Option<bool> {
        if lane.namespace.is_none() {
            let slot = self.slot((lane.shard, lane.author), sequence)?;
            return Some(slot.hash_half == half(hash));
        }
        let end = self.end(lane);
        (end.sequence == sequence).then_some(end.hash == hash)
    }

    /// From which sequence on a chain is set aside.
    pub(in crate::replication) fn forked_at(&self, chain: ChainId) -> Option<u64> {
        self.chains.get(&chain)?.fork.as_ref().map(|fork| fork.at)
    }

    /// The proof of a fork, if it was kept.
    pub(in crate::replication) fn proof(&self, chain: ChainId) -> Option<&Proof> {
        self.chains.get(&chain)?.fork.as_ref()?.proof.as_ref()
    }

    /// Sets a chain aside from `at` on; answers whether it was whole until now. An earlier fork
    /// point replaces a later one, so that all nodes end at the same.
    pub(in crate::replication) fn fork(&mut self, chain: ChainId, at: u64, proof: Proof) -> bool {
        let entry = self.chains.entry(chain).or_default();
        let first = entry.fork.is_none();
        if entry.fork.as_ref().is_some_and(|fork| fork.at <= at) {
            return false;
        }
        let had_proof = entry.fork.as_ref().is_some_and(|fork| fork.proof.is_some());
        let keep = had_proof || self.proofs < PROOFS_MAX;
        if keep && !had_proof {
            self.proofs = self.proofs.saturating_add(1);
        }
        entry.fork = Some(Fork {
            at,
            proof: keep.then_some(proof),
        });
        self.touch(chain.0);
        first
    }

    /// The heads of a shard, authors after `after`, in order.
    pub(in crate::replication) fn heads(
        &self,
        shard: u16,
        after: Option<NodeId>,
    ) -> impl Iterator<Item = Head> {
        let from = match after {
            Some(author) => Bound::Excluded((shard, author)),
            None => Bound::Included((shard, NodeId::from_bytes([0; 32]))),
        };
        self.chains
            .range((from, Bound::Unbounded))
            .take_while(move |((in_shard, _), _)| *in_shard == shard)
            .map(|((_, author), chain)| chain.head(*author))
    }

    /// The head of one chain.
    pub(in crate::replication) fn head(&self, (shard, author): ChainId) -> Head {
        let none = Chain::default();
        let chain = self.chains.get(&(shard, author)).unwrap_or(&none);
        chain.head(author)
    }

    /// One number per shard that differs when the frontiers do.
    pub(in crate::replication) fn digest(&mut self, shard: u16) -> u64 {
        let cached = self.digests.get(usize::from(shard)).copied().flatten();
        if let Some(digest) = cached {
            return digest;
        }
        let digest = self.shard_hash(shard).prefix();
        if let Some(place) = self.digests.get_mut(usize::from(shard)) {
            *place = Some(digest);
        }
        digest
    }

    /// A hash over every head of a shard.
    pub(in crate::replication) fn shard_hash(&self, shard: u16) -> Hash {
        let parts = self.heads(shard, None).map(|head| {
            Hash::of(
                "sporenet 2026 head",
                &[
                    head.author.as_bytes(),
                    &head.sequence.to_le_bytes(),
                    head.hash.as_bytes(),
                    &head.forked_at.to_le_bytes(),
                ],
            )
        });
        fold(parts)
    }

    /// The streams of a namespace as (shard, author, end).
    pub(in crate::replication) fn streams<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> impl Iterator<Item = (u16, NodeId, End)> + 'a {
        let first = (namespace.clone(), 0, NodeId::from_bytes([0; 32]));
        self.streams
            .range(first..)
            .take_while(move |((of, _, _), _)| of == namespace)
            .map(|((_, shard, author), stream)| (*shard, *author, stream.end))
    }

    /// The sequences of a stream after `after`, as far as whole chains are held.
    pub(in crate::replication) fn stream_after(
        &self,
        namespace: &Namespace,
        (shard, author): ChainId,
        after: u64,
    ) -> &[u64] {
        let Some(stream) = self.streams.get(&(namespace.clone(), shard, author)) else {
            return &[];
        };
        let from = stream.sequences.partition_point(|held| *held <= after);
        stream.sequences.get(from..).unwrap_or(&[])
    }

    /// One number that differs when what two nodes hold of a namespace does.
    pub(in crate::replication) fn stream_digest(&self, namespace: &Namespace) -> u64 {
        let parts = self.streams(namespace).map(|(shard, author, end)| {
            Hash::of(
                "sporenet 2026 stream",
                &[
                    &shard.to_le_bytes(),
                    author.as_bytes(),
                    &end.sequence.to_le_bytes(),
                    end.hash.as_bytes(),
                ],
            )
        });
        fold(parts).prefix()
    }

    pub(in crate::replication) const fn batches(&self) -> u64 {
        self.batches
    }

    pub(in crate::replication) fn chains(&self) -> usize {
        self.chains.len().max(self.streams.len())
    }

    pub(in crate::replication) fn knows(&self, lane: &Lane) -> bool {
        match &lane.namespace {
            None => self.chains.contains_key(&(lane.shard, lane.author)),
            Some(_) => self.end(lane) != End::NONE,
        }
    }

    fn touch(&mut self, shard: u16) {
        if let Some(digest) = self.digests.get_mut(usize::from(shard)) {
            *digest = None;
        }
    }
}

/// Chains hashes of parts that come in a fixed order.
fn fold(parts: impl Iterator<Item = Hash>) -> Hash {
    parts.fold(Hash::ZERO, |sum, part| {
        Hash::of("sporenet 2026 fold", &[sum.as_bytes(), part.as_bytes()])
    })
}

fn half(hash: Hash) -> u128 {
    let (halves, _) = hash.as_bytes().as_chunks::<16>();
    u128::from_be_bytes(halves.first().copied().unwrap_or([0; 16]))
}

/// The bytes and what they decode to, about.
pub(in crate::replication) fn cost_in_memory(signed: &Signed<Batch>) -> usize {
    signed.bytes().len().saturating_mul(2).saturating_add(256)
}

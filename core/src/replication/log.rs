//! The log: every author's chain per shard, what of it is held, and where the journal keeps it.
//!
//! The frontier is, per shard, the end of every contiguous chain as (sequence, hash). A relay holds
//! chains; a tab holds its own chains whole, and of others only streams: the part of a chain that
//! belongs to one namespace, linked by `namespace_previous`.
//!
//! Source: Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022, section 3.2 (heads as hashes).

mod check;
mod closed;
mod fork;

use crate::{
    kernel::{
        crypto::{Hash, Signed},
        id::NodeId,
        planted::{self, Planted},
        text::Namespace,
    },
    replication::{
        batch::{Batch, Root, SHARDS, Writer, half, hash_of},
        side_branches::{Owner, Place, SideBranches, owner_of},
        under_replicated::UnderReplicated,
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::ops::Bound;
use serde::{Deserialize, Serialize};

/// A chain: a writer's batches in a shard.
pub(in crate::replication) type ChainId = (u16, Writer);

/// How far a chain is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose chain.
    pub writer: Writer,
    /// The last batch held, before the fork if there is one; 0 if none is.
    pub sequence: u64,
    /// Its hash; [`Hash::ZERO`] if none is held. Of a forked chain the first half of it, then
    /// zeros.
    pub hash: Hash,
    /// From which sequence on the author has contradicted itself; 0 if it has not.
    pub forked_at: u64,
}

/// What must come in order: a chain, or the part of it in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::replication) struct Lane {
    pub(in crate::replication) shard: u16,
    pub(in crate::replication) writer: Writer,
    /// Set where only the namespace is held.
    pub(in crate::replication) namespace: Option<Namespace>,
}

/// Where a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        let follows = Some(batch.sequence) == self.sequence.checked_add(1);
        if lane.namespace.is_some() {
            // Of two neighbours in the chain the first is here, so the hash can be checked. Of
            // others it can't: the batches between are of namespaces that are not held here.
            let is_right = !follows || batch.previous == self.hash;
            batch.namespace_previous == self.sequence && batch.sequence > self.sequence && is_right
        } else {
            let skips = planted::is(Planted::FrontierGap) && batch.sequence > self.sequence;
            let unchecked = planted::is(Planted::ChainUnchecked) || skips;
            (follows || skips) && (batch.previous == self.hash || unchecked)
        }
    }
}

/// Proof that an author signed two batches with one sequence.
pub(in crate::replication) type Proof = Box<(Signed<Batch>, Signed<Batch>)>;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fork {
    at: u64,
    /// `None` if proofs take too much memory already.
    proof: Option<Proof>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::replication) struct Slot {
    /// Where the journal keeps it.
    pub(in crate::replication) journal: u64,
    /// Half of its hash: enough to tell it from any other batch that someone could make.
    hash_half: u128,
    pub(in crate::replication) bytes: u32,
}

impl Slot {
    /// What is known of its hash: the first half.
    fn known_hash(&self) -> Hash {
        let mut bytes = [0; 32];
        let (first, _) = bytes.split_at_mut(16);
        first.copy_from_slice(&self.hash_half.to_be_bytes());
        Hash::from_bytes(bytes)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Chain {
    /// Contiguous from sequence 1.
    slots: Vec<Slot>,
    head: Option<Hash>,
    fork: Option<Fork>,
    /// Of the batches that issue others again: what they issue.
    roots: Vec<(u64, Root)>,
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
    fn head(&self, writer: Writer) -> Head {
        let forked_at = self.fork.as_ref().map_or(0, |fork| fork.at);
        let end = self.end();
        // Without a fork the whole hash of the end is known.
        if forked_at == 0 {
            return Head {
                writer,
                sequence: end.sequence,
                hash: end.hash,
                forked_at,
            };
        }
        // What is beyond the fork does not count: nodes hold different branches there and would
        // differ for ever.
        let sequence = end.sequence.min(forked_at.saturating_sub(1));
        Head {
            writer,
            sequence,
            hash: self.slot(sequence).map_or(Hash::ZERO, Slot::known_hash),
            forked_at,
        }
    }

    fn slot(&self, sequence: u64) -> Option<&Slot> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.slots.get(index)
    }

    /// What the batches' writes are known by, from `first` on.
    fn roots_from(&self, first: u64) -> Vec<(u64, Root)> {
        // `roots` rises by sequence, as batches are appended in order, so one pass over both
        // suffices.
        let mut again = self.roots.iter().filter(|(of, _)| *of >= first).peekable();
        let mut roots = Vec::new();
        for (sequence, slot) in (1..).zip(&self.slots) {
            if sequence < first {
                continue;
            }
            let root = again.next_if(|(of, _)| *of == sequence);
            roots.push((sequence, root.map_or(slot.hash_half, |(_, root)| *root)));
        }
        roots
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stream {
    end: End,
    /// The sequences in order, where whole chains are held.
    sequences: Vec<u64>,
    /// Where the journal keeps the last ones, where they are not.
    tail: VecDeque<TailSlot>,
    /// How many batches it has and their bytes, where whole chains are not held.
    partial: (u64, u64),
}

impl Stream {
    /// The last batch before `at`; 0 if there is none, or none of the last 256 is where only the
    /// namespace is held.
    fn last_before(&self, at: u64) -> u64 {
        if self.end.sequence < at {
            return self.end.sequence;
        }
        // One of these two is empty: a chain is held whole or by namespace, never both.
        let whole = self.sequences.partition_point(|held| *held < at);
        let whole = self.sequences.get(..whole).and_then(<[u64]>::last).copied();
        let mut tail = self.tail.iter().rev().map(|(sequence, _, _)| *sequence);
        let tail = tail.find(|sequence| *sequence < at);
        whole.or(tail).unwrap_or_default()
    }
}

/// A batch of a stream: sequence, place in the journal, bytes.
pub(in crate::replication) type TailSlot = (u64, u64, u32);

/// The most batches of a stream that a tab could give back to its author. An author's store loses a
/// few seconds; six kibibytes of memory at most for each stream serve for minutes.
const TAIL_MAX: usize = 256;

/// The log of all shards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::replication) struct Log {
    chains: BTreeMap<ChainId, Chain>,
    streams: BTreeMap<(Namespace, u16, Writer), Stream>,
    branches: SideBranches,
    /// By shard; `None` where something changed since it was taken.
    digests: Vec<Option<u64>>,
    batches: u64,
    /// How many streams belong to a chain that is not held whole.
    partial_streams: usize,
    /// By place in the journal.
    recent: BTreeMap<u64, Signed<Batch>>,
    recent_bytes: usize,
    recent_bytes_max: usize,
    under_replicated: UnderReplicated,
    proof_bytes: usize,
    /// The bytes of the batches in the chains of an author in a shard that are not closed.
    held_bytes: BTreeMap<Owner, u64>,
    /// Below which epoch the chains of an author in a shard are closed and gone.
    closed: BTreeMap<Owner, u32>,
    /// The same of their parts in a namespace, where whole chains are not held.
    closed_in: BTreeMap<(Namespace, Owner), u32>,
    /// The bytes of all batches that are held and not closed.
    bytes: u64,
}

impl Log {
    pub(in crate::replication) fn new(
        recent_bytes_max: usize,
        under_replicated_bytes_max: usize,
    ) -> Self {
        Self {
            chains: BTreeMap::new(),
            streams: BTreeMap::new(),
            branches: SideBranches::default(),
            digests: alloc::vec![None; usize::from(SHARDS)],
            batches: 0,
            partial_streams: 0,
            recent: BTreeMap::new(),
            recent_bytes: 0,
            recent_bytes_max,
            under_replicated: UnderReplicated::new(under_replicated_bytes_max),
            proof_bytes: 0,
            held_bytes: BTreeMap::new(),
            closed: BTreeMap::new(),
            closed_in: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Where a lane ends.
    pub(in crate::replication) fn end(&self, lane: &Lane) -> End {
        match &lane.namespace {
            None => self
                .chains
                .get(&(lane.shard, lane.writer))
                .map_or(End::NONE, Chain::end),
            Some(namespace) => self.stream_end(namespace, lane.shard, lane.writer),
        }
    }

    /// Where a writer's batches of one namespace end.
    pub(in crate::replication) fn stream_end(
        &self,
        namespace: &Namespace,
        shard: u16,
        writer: Writer,
    ) -> End {
        self.streams
            .get(&(namespace.clone(), shard, writer))
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
        let id = (batch.shard, batch.writer());
        let more = u64::try_from(signed.bytes().len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(more);
        if whole {
            let held = self.held_bytes.entry(owner_of(id)).or_default();
            *held = held.saturating_add(more);
            let chain = self.chains.entry(id).or_default();
            chain.slots.push(Slot {
                journal,
                hash_half: half(hash),
                bytes: u32::try_from(signed.bytes().len()).unwrap_or(u32::MAX),
            });
            chain.head = Some(hash);
            if let Some(root) = batch.reissue.map(half) {
                chain.roots.push((batch.sequence, root));
            }
        }
        // A batch may be appended beyond a fork: it was with the journal when the proof came, or is
        // replayed.
        let is_beyond = self.forked_at(id).is_some_and(|at| at <= batch.sequence);
        match batch.reissue.map(half) {
            // A stream (in a tab) has no side branches in the log: relays hold the whole chain and
            // tell of them.
            root if is_beyond && whole => {
                let root = root.unwrap_or_else(|| half(hash));
                self.branches.hold(id, batch.sequence, root);
            }
            Some(root) if !is_beyond => {
                let at = (batch.epoch, batch.sequence);
                self.branches.reissue(owner_of(id), root, at);
            }
            // It may have been kept as a side branch while its predecessors were missing. Now the
            // log has it.
            Some(_) | None => self.branches.forget(owner_of(id), half(hash)),
        }
        self.touch(batch.shard);
        let end = End {
            sequence: batch.sequence,
            hash,
        };
        let partial_streams = &mut self.partial_streams;
        let stream = self
            .streams
            .entry((batch.namespace.clone(), batch.shard, batch.writer()))
            .or_insert_with(|| {
                *partial_streams = partial_streams.saturating_add(usize::from(!whole));
                Stream {
                    end,
                    sequences: Vec::new(),
                    tail: VecDeque::new(),
                    partial: (0, 0),
                }
            });
        stream.end = end;
        if whole {
            stream.sequences.push(batch.sequence);
        } else {
            let bytes = u32::try_from(signed.bytes().len()).unwrap_or(u32::MAX);
            let (batches, sum) = stream.partial;
            stream.partial = (batches.saturating_add(1), sum.saturating_add(more));
            stream.tail.push_back((batch.sequence, journal, bytes));
            if stream.tail.len() > TAIL_MAX {
                stream.tail.pop_front();
            }
        }
        self.batches = self.batches.saturating_add(1);
        // The chain, or its part in the namespace, is whole up to here: all that it issued again is held.
        if batch.closed > 0 && !is_beyond {
            match &lane.namespace {
                None => self.close(owner_of(id), batch.closed),
                Some(namespace) => self.close_in(namespace, owner_of(id), batch.closed),
            }
        }
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
        // The lowest place in the journal is the oldest: peers that lag a little ask for the
        // newest.
        while self.recent_bytes > self.recent_bytes_max {
            let Some((_, old)) = self.recent.pop_first() else {
                break;
            };
            self.recent_bytes = self.recent_bytes.saturating_sub(cost_in_memory(&old));
        }
    }

    /// A batch by its place in the journal, if it is at hand.
    pub(in crate::replication) fn recent(&self, journal: u64) -> Option<&Signed<Batch>> {
        let recent = self.recent.get(&journal);
        recent.or_else(|| self.under_replicated.get(journal))
    }

    /// Own batches that few others have.
    pub(in crate::replication) const fn under_replicated(&self) -> &UnderReplicated {
        &self.under_replicated
    }

    /// The same, to be changed.
    pub(in crate::replication) const fn under_replicated_mut(&mut self) -> &mut UnderReplicated {
        &mut self.under_replicated
    }

    /// Where a batch of a whole chain is kept.
    pub(in crate::replication) fn slot(&self, chain: ChainId, sequence: u64) -> Option<Slot> {
        self.chains.get(&chain)?.slot(sequence).copied()
    }

    /// Whether a lane holds this very batch; `None` if it can't tell.
    pub(in crate::replication) fn holds(
        &self,
        lane: &Lane,
        sequence: u64,
        hash: Hash,
    ) -> Option<bool> {
        if lane.namespace.is_none() {
            let slot = self.slot((lane.shard, lane.writer), sequence)?;
            return Some(slot.hash_half == half(hash));
        }
        let end = self.end(lane);
        (end.sequence == sequence).then_some(end.hash == hash)
    }

    /// The side branches.
    pub(in crate::replication) const fn branches(&self) -> &SideBranches {
        &self.branches
    }

    /// The same, to be changed; the shard's digest is taken anew.
    pub(in crate::replication) fn branches_mut(&mut self, shard: u16) -> &mut SideBranches {
        self.touch(shard);
        &mut self.branches
    }

    /// The side branches in a namespace, by author and shard.
    pub(in crate::replication) fn branches_in_namespace(
        &self,
        namespace: &Namespace,
    ) -> Vec<(Owner, Vec<Root>)> {
        let mut found: Vec<(Owner, Vec<Root>)> = Vec::new();
        for (owner, root, place) in self.branches.places() {
            let is_in = match place {
                Place::Pooled(signed) => signed.claims().namespace == *namespace,
                Place::Held {
                    chain, sequence, ..
                } => {
                    // The stream of the namespace names the batch if, and only if, the batch is of
                    // that namespace.
                    let after = sequence.saturating_sub(1);
                    let next = self.stream_after(namespace, *chain, after).first();
                    next == Some(sequence)
                }
            };
            // Places come sorted by owner, so it is enough to compare with the last group.
            match found.last_mut().filter(|(of, _)| *of == owner) {
                Some((_, roots)) if is_in => roots.push(root),
                None if is_in => found.push((owner, alloc::vec![root])),
                Some(_) | None => {}
            }
        }
        found
    }

    /// The chains of a node in a shard, one per writer epoch that is known.
    pub(in crate::replication) fn epochs(
        &self,
        shard: u16,
        node: NodeId,
    ) -> impl DoubleEndedIterator<Item = Head> {
        let last = Writer {
            node,
            epoch: u32::MAX,
        };
        self.chains
            .range((shard, Writer::first(node))..=(shard, last))
            .map(|((_, writer), chain)| chain.head(*writer))
    }

    /// The heads of a shard, writers after `after`, in order.
    pub(in crate::replication) fn heads(
        &self,
        shard: u16,
        after: Option<Writer>,
    ) -> impl Iterator<Item = Head> {
        let from = match after {
            Some(writer) => Bound::Excluded((shard, writer)),
            None => Bound::Included((shard, Writer::MIN)),
        };
        self.chains
            .range((from, Bound::Unbounded))
            .take_while(move |((in_shard, _), _)| *in_shard == shard)
            .map(|((_, writer), chain)| chain.head(*writer))
    }

    /// The head of one chain.
    pub(in crate::replication) fn head(&self, (shard, writer): ChainId) -> Head {
        let none = Chain::default();
        let chain = self.chains.get(&(shard, writer)).unwrap_or(&none);
        chain.head(writer)
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

    /// A hash over every head of a shard, and its side branches.
    pub(in crate::replication) fn shard_hash(&self, shard: u16) -> Hash {
        let parts = self.heads(shard, None).map(|head| {
            Hash::of(
                "sporenet 2026 head",
                &[
                    head.writer.node.as_bytes(),
                    &head.writer.epoch.to_le_bytes(),
                    &head.sequence.to_le_bytes(),
                    head.hash.as_bytes(),
                    &head.forked_at.to_le_bytes(),
                ],
            )
        });
        let heads = fold(parts);
        // Side branches count too: two relays that differ in them alone have to compare as well.
        let branches = self.branches.digest(shard);
        Hash::of(
            "sporenet 2026 shard frontier",
            &[heads.as_bytes(), branches.as_bytes()],
        )
    }

    /// The streams of a namespace as (shard, writer, end).
    pub(in crate::replication) fn streams<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> impl Iterator<Item = (u16, Writer, End)> + 'a {
        let first = (namespace.clone(), 0, Writer::MIN);
        self.streams
            .range(first..)
            .take_while(move |((of, _, _), _)| of == namespace)
            .map(|((_, shard, writer), stream)| (*shard, *writer, stream.end))
    }

    /// The sequences of a stream after `after`, as far as whole chains are held.
    pub(in crate::replication) fn stream_after(
        &self,
        namespace: &Namespace,
        (shard, writer): ChainId,
        after: u64,
    ) -> &[u64] {
        let Some(stream) = self.streams.get(&(namespace.clone(), shard, writer)) else {
            return &[];
        };
        let from = stream.sequences.partition_point(|held| *held <= after);
        stream.sequences.get(from..).unwrap_or(&[])
    }

    /// The last batches of a stream from `first` on, where only the namespace is held.
    pub(in crate::replication) fn stream_tail(
        &self,
        namespace: &Namespace,
        (shard, writer): ChainId,
        first: u64,
    ) -> impl Iterator<Item = TailSlot> {
        let stream = self.streams.get(&(namespace.clone(), shard, writer));
        let tail = stream.into_iter().flat_map(|stream| &stream.tail).copied();
        tail.filter(move |(sequence, _, _)| *sequence >= first)
    }

    /// One number that differs when what two nodes hold of a namespace does. Of forked chains what
    /// is before the fork counts: what is beyond is issued again.
    pub(in crate::replication) fn stream_digest(&self, namespace: &Namespace) -> u64 {
        let first = (namespace.clone(), 0, Writer::MIN);
        let streams = self
            .streams
            .range(first..)
            .take_while(|((of, _, _), _)| of == namespace);
        let parts = streams.filter_map(|((_, shard, writer), stream)| {
            let end = match self.forked_at((*shard, *writer)) {
                None => stream.end,
                // All nodes hold the same there, so the number is enough.
                Some(at) => End {
                    sequence: stream.last_before(at),
                    hash: Hash::ZERO,
                },
            };
            let part = || {
                Hash::of(
                    "sporenet 2026 stream",
                    &[
                        &shard.to_le_bytes(),
                        writer.node.as_bytes(),
                        &writer.epoch.to_le_bytes(),
                        &end.sequence.to_le_bytes(),
                        end.hash.as_bytes(),
                    ],
                )
            };
            // A stream that ends before its fork with nothing is left out: the other side may not
            // know of it.
            (end.sequence > 0).then(part)
        });
        fold(parts).prefix()
    }

    pub(in crate::replication) const fn batches(&self) -> u64 {
        self.batches
    }

    /// How many chains are held; where only namespaces are, each namespace's part counts.
    pub(in crate::replication) fn chains(&self) -> usize {
        self.chains.len().saturating_add(self.partial_streams)
    }

    pub(in crate::replication) fn knows(&self, lane: &Lane) -> bool {
        match &lane.namespace {
            None => self.chains.contains_key(&(lane.shard, lane.writer)),
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

/// The bytes and what they decode to, about.
pub(in crate::replication) fn cost_in_memory(signed: &Signed<Batch>) -> usize {
    signed.bytes().len().saturating_mul(2).saturating_add(256)
}

/// A whole chain as what must come in order.
pub(in crate::replication) const fn chain_lane((shard, writer): ChainId) -> Lane {
    Lane {
        shard,
        writer,
        namespace: None,
    }
}

/// The chain that a batch belongs to, and its place there.
pub(in crate::replication) const fn chain_of(batch: &Batch) -> (ChainId, u64) {
    ((batch.shard, batch.writer()), batch.sequence)
}

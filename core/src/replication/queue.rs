//! Writes on their way to the journal: those that wait for their turn, and batches handed over.
//!
//! Group commit: while a batch of a shard is with the journal, further writes to the shard gather
//! and go out as the next one. Source: Gawlick and Kinkade, "Varieties of Concurrency Control in
//! IMS/VS Fast Path", 1985 (group commit).

mod check;

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Hash, Verified},
        id::{NodeId, RequestId},
        planted::{self, Planted},
        text::{Key, Namespace},
    },
    replication::{
        batch::{BATCH_BYTES_MAX, Batch, OPS_MAX, VALUE_BYTES_MAX, op_bytes},
        log::{End, Lane},
        typed::{Change, ITEMS_MAX, SEPARATOR},
        write::{AckLevel, WriteRefusal},
    },
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

/// A write that waits for its turn.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Waiting {
    pub(in crate::replication) request: RequestId,
    pub(in crate::replication) key: Key,
    pub(in crate::replication) what: What,
    pub(in crate::replication) level: AckLevel,
}

/// What a write does to its key.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum What {
    /// A register gets a value; `None` deletes whatever the key holds.
    Value(Option<Bytes>),
    /// A typed value changes.
    Change(Change),
}

impl Waiting {
    /// Its share of a batch, at most. What deletes a typed key may have more: it takes what is free.
    pub(in crate::replication) fn bytes(&self) -> usize {
        let sizes: &mut dyn Iterator<Item = usize> = match &self.what {
            What::Value(value) => &mut [size(value.as_ref())].into_iter(),
            What::Change(change) => &mut change.sizes(),
        };
        sizes.fold(0, |sum, more| {
            sum.saturating_add(op_bytes(self.key.len().saturating_add(more)))
        })
    }

    /// Whether it can be written at all, whatever is there.
    pub(in crate::replication) fn check(&self) -> Result<(), WriteRefusal> {
        let wide = |max: usize| u32::try_from(max).unwrap_or(u32::MAX);
        if self.key.contains(SEPARATOR) {
            return Err(WriteRefusal::KeyReserved);
        }
        let is_large = |value: &Bytes| value.len() > VALUE_BYTES_MAX;
        let has_large = match &self.what {
            What::Value(value) => value.as_ref().is_some_and(is_large),
            What::Change(Change::Multi(value)) => is_large(value),
            What::Change(Change::Put(fields)) => {
                let mut values = fields.iter().filter_map(|(_, value)| value.as_ref());
                values.any(is_large)
            }
            What::Change(
                Change::Add(_) | Change::Flag(_) | Change::Insert(_) | Change::Remove(_),
            ) => false,
        };
        if has_large {
            let max = wide(VALUE_BYTES_MAX);
            return Err(WriteRefusal::ValueTooLarge { max });
        }
        let is_batch = self.ops() <= ITEMS_MAX && self.bytes() <= WRITES_BYTES_MAX;
        match &self.what {
            What::Change(_) if !is_batch => Err(WriteRefusal::TooMany {
                max: wide(ITEMS_MAX),
            }),
            What::Change(_) | What::Value(_) => Ok(()),
        }
    }

    /// How many writes of a batch it needs, at most; see [`Waiting::bytes`].
    pub(in crate::replication) fn ops(&self) -> usize {
        match &self.what {
            What::Value(_) => 1,
            What::Change(change) => change.sizes().count(),
        }
    }
}

/// What the writes of one batch may take: 4 KiB stay free for the batch's own fields.
pub(in crate::replication) const WRITES_BYTES_MAX: usize = BATCH_BYTES_MAX - 4_096;

fn size(value: Option<&Bytes>) -> usize {
    value.map_or(0, |value| value.len())
}

/// Writes that wait, per shard and namespace; namespaces take turns.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct WriteQueue {
    shards: BTreeMap<u16, ShardQueue>,
    count: usize,
    bytes: u64,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct ShardQueue {
    /// The namespaces that have writes waiting, each once, in the order of their turns.
    turns: VecDeque<Namespace>,
    writes: BTreeMap<Namespace, VecDeque<Waiting>>,
}

impl WriteQueue {
    pub(in crate::replication) const fn len(&self) -> usize {
        self.count
    }

    pub(in crate::replication) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(in crate::replication) fn has(&self, shard: u16) -> bool {
        self.shards.contains_key(&shard)
    }

    pub(in crate::replication) fn push(
        &mut self,
        shard: u16,
        namespace: Namespace,
        waiting: Waiting,
    ) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(wide(waiting.bytes()));
        let queue = self.shards.entry(shard).or_default();
        if let Some(writes) = queue.writes.get_mut(&namespace) {
            writes.push_back(waiting);
        } else {
            // A namespace is in `turns` once, however many writes it has: one busy namespace can't
            // starve others.
            queue.turns.push_back(namespace.clone());
            queue.writes.insert(namespace, VecDeque::from([waiting]));
        }
    }

    /// The writes of the next batch of a shard: of one namespace, oldest first, as many as fit.
    pub(in crate::replication) fn take(&mut self, shard: u16) -> Option<(Namespace, Vec<Waiting>)> {
        let queue = self.shards.get_mut(&shard)?;
        let namespace = queue.turns.pop_front()?;
        let mut writes = queue.writes.remove(&namespace)?;
        let mut taken = Vec::new();
        let (mut bytes, mut ops) = (0_usize, 0_usize);
        while let Some(next) = writes.front() {
            bytes = bytes.saturating_add(next.bytes());
            ops = ops.saturating_add(next.ops());
            // The first write is always taken: its size was checked when it was accepted.
            let fits = bytes <= WRITES_BYTES_MAX && ops <= OPS_MAX;
            if !fits && !taken.is_empty() {
                break;
            }
            taken.extend(writes.pop_front());
        }
        if writes.is_empty() {
            if queue.writes.is_empty() {
                self.shards.remove(&shard);
            }
        } else {
            // The rest goes to the end of the line: the other namespaces come first.
            queue.turns.push_back(namespace.clone());
            queue.writes.insert(namespace.clone(), writes);
        }
        // The same `bytes` were added by `push`, so the sum is exact.
        let freed: usize = taken.iter().map(Waiting::bytes).sum();
        self.bytes = self.bytes.saturating_sub(wide(freed));
        self.count = self.count.saturating_sub(taken.len());
        Some((namespace, taken))
    }

    /// What was taken and found no room in the batch comes first in the next one of its namespace.
    pub(in crate::replication) fn put_back(
        &mut self,
        shard: u16,
        namespace: &Namespace,
        writes: Vec<Waiting>,
    ) {
        if writes.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(writes.len());
        let bytes: usize = writes.iter().map(Waiting::bytes).sum();
        self.bytes = self.bytes.saturating_add(wide(bytes));
        let queue = self.shards.entry(shard).or_default();
        if !queue.writes.contains_key(namespace) {
            queue.turns.push_back(namespace.clone());
        }
        let waiting = queue.writes.entry(namespace.clone()).or_default();
        for write in writes.into_iter().rev() {
            waiting.push_front(write);
        }
    }
}

/// Who waits for a batch here.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Asked {
    pub(in crate::replication) request: RequestId,
    pub(in crate::replication) level: AckLevel,
    /// Its last write in the batch, counted from 0.
    pub(in crate::replication) op: usize,
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum Source {
    /// It was written here.
    Own,
    /// A peer pushed it as it was written.
    Pushed(NodeId),
    /// A peer gave it when we caught up.
    Caught(NodeId),
}

/// A batch that is with the journal.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Staged {
    pub(in crate::replication) token: u64,
    pub(in crate::replication) batch: Verified<Batch>,
    pub(in crate::replication) hash: Hash,
    pub(in crate::replication) source: Source,
    /// Its place in the journal, once it is durable.
    pub(in crate::replication) journal: Option<u64>,
    /// Peers that gave it to us again meanwhile, and want to know when it is durable.
    pub(in crate::replication) also_from: Vec<NodeId>,
    /// Whom others have told.
    pub(in crate::replication) told: Vec<u64>,
    /// Who waits for it here.
    pub(in crate::replication) writers: Vec<Asked>,
}

/// Batches that are with the journal, per lane in order.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Staging {
    lanes: BTreeMap<Lane, VecDeque<Staged>>,
    /// The lane of each batch that is not durable yet.
    tokens: BTreeMap<u64, Lane>,
    bytes: u64,
}

impl Staging {
    pub(in crate::replication) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a lane ends, if all that is with the journal becomes durable.
    pub(in crate::replication) fn end(&self, lane: &Lane) -> Option<End> {
        let last = self.lanes.get(lane)?.back()?;
        Some(End {
            sequence: last.batch.sequence,
            hash: last.hash,
        })
    }

    /// Whether a batch of some lane from `first` to `last` is with the journal.
    pub(in crate::replication) fn has_any(&self, first: &Lane, last: &Lane) -> bool {
        self.lanes.range(first..=last).next().is_some()
    }

    /// Where a namespace's part of a chain ends, as [`Staging::end`].
    pub(in crate::replication) fn stream_end(
        &self,
        lane: &Lane,
        namespace: &Namespace,
    ) -> Option<u64> {
        let lane = self.lanes.get(lane)?;
        // Other namespaces of the chain may stand behind it, so it is looked for from the end.
        let of_namespace = |staged: &&Staged| staged.batch.namespace == *namespace;
        let last = lane.iter().rev().find(of_namespace)?;
        Some(last.batch.sequence)
    }

    /// Where a namespace's parts of chains end, as far as they are with the journal.
    pub(in crate::replication) fn streams<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> impl Iterator<Item = (&'a Lane, End)> {
        self.lanes.iter().flat_map(move |(lane, queue)| {
            let of_namespace = |staged: &&Staged| staged.batch.namespace == *namespace;
            let last = queue.iter().rev().find(of_namespace);
            let end = |staged: &Staged| End {
                sequence: staged.batch.sequence,
                hash: staged.hash,
            };
            last.map(|staged| (lane, end(staged)))
        })
    }

    /// Whether a part of a namespace that a peer gave on request is still with the journal.
    pub(in crate::replication) fn is_catching_up(&self, namespace: &Namespace) -> bool {
        self.lanes.values().flatten().any(|staged| {
            staged.batch.namespace == *namespace && matches!(staged.source, Source::Caught(_))
        })
    }

    pub(in crate::replication) fn find_mut(
        &mut self,
        lane: &Lane,
        sequence: u64,
    ) -> Option<&mut Staged> {
        let lane = self.lanes.get_mut(lane)?;
        lane.iter_mut().find(|s| s.batch.sequence == sequence)
    }

    pub(in crate::replication) fn push(&mut self, lane: Lane, staged: Staged) {
        self.bytes = self.bytes.saturating_add(wide(staged.batch.bytes().len()));
        self.tokens.insert(staged.token, lane.clone());
        self.lanes.entry(lane).or_default().push_back(staged);
    }

    /// A batch became durable: answers those that can be applied now, in order.
    pub(in crate::replication) fn durable(
        &mut self,
        token: u64,
        journal: u64,
    ) -> Option<(Lane, Vec<Staged>)> {
        let lane = self.tokens.remove(&token)?;
        let queue = self.lanes.get_mut(&lane)?;
        if let Some(staged) = queue.iter_mut().find(|staged| staged.token == token) {
            staged.journal = Some(journal);
        }
        // The journal may finish out of order, but a chain is applied in order only: a batch that
        // is durable before its predecessor waits at its place.
        let mut ready = Vec::new();
        while queue.front().is_some_and(|first| first.journal.is_some()) {
            ready.extend(queue.pop_front());
        }
        if queue.is_empty() {
            self.lanes.remove(&lane);
        }
        self.free(&ready);
        Some((lane, ready))
    }

    /// A batch could not be made durable: it and what builds on it are given up.
    pub(in crate::replication) fn failed(&mut self, token: u64) -> Vec<Staged> {
        let Some(lane) = self.tokens.remove(&token) else {
            return Vec::new();
        };
        let Some(queue) = self.lanes.get_mut(&lane) else {
            return Vec::new();
        };
        // Those behind it name it as their predecessor. Some of them may be durable already; the
        // replay skips such records, and comparison fetches the batches again.
        let at = queue.iter().position(|staged| staged.token == token);
        let lost: Vec<_> = queue.drain(at.unwrap_or(queue.len())..).collect();
        if queue.is_empty() {
            self.lanes.remove(&lane);
        }
        for staged in &lost {
            // A late answer about one of them finds no token and is ignored.
            self.tokens.remove(&staged.token);
        }
        self.free(&lost);
        lost
    }

    fn free(&mut self, gone: &[Staged]) {
        let kept = |_: &&Staged| !planted::is(Planted::StagedBytesLeak);
        for staged in gone.iter().filter(kept) {
            let bytes = wide(staged.batch.bytes().len());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    fn waiting(request: u64, bytes: usize) -> Waiting {
        Waiting {
            request: RequestId(request),
            key: Key::new("k").unwrap(),
            what: What::Value(Some(Bytes::from(alloc::vec![0; bytes]))),
            level: AckLevel::Local,
        }
    }

    #[test]
    fn a_batch_takes_what_fits_and_namespaces_take_turns() {
        let mut queue = WriteQueue::default();
        let [a, b] = ["a", "b"].map(|name| Namespace::new(name).unwrap());
        for request in 0..70 {
            queue.push(3, a.clone(), waiting(request, 1));
        }
        queue.push(3, b.clone(), waiting(70, 200_000));
        queue.push(3, b.clone(), waiting(71, 200_000));
        let mut batches = Vec::new();
        while let Some((namespace, writes)) = queue.take(3) {
            batches.push((namespace.as_str().chars().next().unwrap(), writes.len()));
        }
        assert_eq!(batches, [('a', 64), ('b', 1), ('a', 6), ('b', 1)]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
        assert!(queue.take(9).is_none());
    }
}

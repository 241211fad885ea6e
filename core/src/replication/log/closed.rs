//! What the log takes, where the journal keeps it, and forgetting chains that their author has closed.

use super::{ChainId, Lane, Log, cost_in_memory, fork::size_of};
use crate::{
    kernel::{id::NodeId, text::Namespace},
    replication::{
        batch::{Batch, Writer},
        side_branches::{Owner, owner_of},
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

impl Log {
    /// The bytes of the batches of an author in a shard, of all its chains there that are not closed.
    pub(in crate::replication) fn held_bytes(&self, owner: Owner) -> u64 {
        self.held_bytes.get(&owner).copied().unwrap_or(0)
    }

    /// The bytes of all batches that are held and not closed.
    pub(in crate::replication) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many batches of whole chains a shard has.
    pub(in crate::replication) fn batches_in(&self, shard: u16) -> u64 {
        let heads = self.heads(shard, None);
        heads.fold(0, |sum, head| sum.saturating_add(head.sequence))
    }

    /// How many batches of parts of chains a tab holds in a shard, and their bytes.
    pub(in crate::replication) fn partial_in(&self, shard: u16) -> (u64, u64) {
        let streams = self.streams.iter();
        let in_shard = streams.filter(|((_, of, _), _)| *of == shard);
        in_shard.fold((0, 0), |(batches, bytes), (_, stream)| {
            let (more, size) = stream.partial;
            (batches.saturating_add(more), bytes.saturating_add(size))
        })
    }

    /// The bytes of the batches of whole chains in a shard.
    pub(in crate::replication) fn held_in(&self, shard: u16) -> u64 {
        let node = |byte| NodeId::from_bytes([byte; 32]);
        let held = self
            .held_bytes
            .range((shard, node(0))..=(shard, node(0xff)));
        held.fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// The bytes that the chains of each author take, of all shards, and how many batches these are.
    pub(in crate::replication) fn held_by(&self) -> BTreeMap<NodeId, (u64, u64)> {
        let mut held: BTreeMap<NodeId, (u64, u64)> = BTreeMap::new();
        for ((_, node), bytes) in &self.held_bytes {
            let of = held.entry(*node).or_default();
            of.0 = of.0.saturating_add(*bytes);
        }
        for ((_, writer), chain) in &self.chains {
            let of = held.entry(writer.node).or_default();
            of.1 = of.1.saturating_add(chain.length());
        }
        for ((_, _, writer), stream) in &self.streams {
            let (batches, bytes) = stream.partial;
            let of = held.entry(writer.node).or_default();
            of.0 = of.0.saturating_add(bytes);
            of.1 = of.1.saturating_add(batches);
        }
        held
    }

    /// Where the journal keeps the batches of whole chains, in its order, and their bytes.
    pub(in crate::replication) fn places(&self) -> Vec<(u64, u32)> {
        let slots = self.chains.values().flat_map(|chain| &chain.slots);
        let mut places: Vec<_> = slots.map(|slot| (slot.journal, slot.bytes)).collect();
        places.sort_unstable();
        places
    }

    /// Whether the record of a batch at a place in the journal is still needed.
    pub(in crate::replication) fn needs(&self, lane: &Lane, batch: &Batch, place: u64) -> bool {
        match &lane.namespace {
            None => {
                let slot = self.slot((lane.shard, lane.writer), batch.sequence);
                slot.is_some_and(|slot| slot.journal == place)
            }
            Some(namespace) => {
                let key = (namespace.clone(), lane.shard, lane.writer);
                self.streams.contains_key(&key)
            }
        }
    }

    /// A batch has a copy at another place in the journal: from where, to where.
    pub(in crate::replication) fn relocate(
        &mut self,
        lane: &Lane,
        sequence: u64,
        (from, to): (u64, u64),
    ) {
        let index = sequence
            .checked_sub(1)
            .and_then(|index| usize::try_from(index).ok());
        let place = match &lane.namespace {
            None => {
                let chain = self.chains.get_mut(&(lane.shard, lane.writer));
                let slot = chain
                    .zip(index)
                    .and_then(|(chain, index)| chain.slots.get_mut(index));
                slot.map(|slot| &mut slot.journal)
            }
            Some(namespace) => {
                let key = (namespace.clone(), lane.shard, lane.writer);
                let tail = self.streams.get_mut(&key).map(|stream| &mut stream.tail);
                let mut slots = tail.into_iter().flatten();
                let slot = slots.find(|(of, _, _)| *of == sequence);
                slot.map(|(_, place, _)| place)
            }
        };
        let Some(place) = place.filter(|place| **place == from) else {
            return;
        };
        *place = to;
        if let Some(signed) = self.recent.remove(&from) {
            self.recent_bytes = self.recent_bytes.saturating_sub(cost_in_memory(&signed));
            self.remember(to, signed);
        }
        if let Some(signed) = self.under_replicated.get(from).cloned() {
            self.under_replicated.keep(to, signed);
            self.under_replicated.forget(from);
        }
    }

    /// Below which epoch the chains of an author in a shard are closed.
    pub(in crate::replication) fn closed_below(&self, owner: Owner) -> u32 {
        self.closed.get(&owner).copied().unwrap_or(0)
    }

    /// Whether a chain is closed: what counts of it stands in a later one.
    pub(in crate::replication) fn is_closed(&self, chain: ChainId) -> bool {
        let closed = self.closed.get(&owner_of(chain));
        closed.is_some_and(|below| chain.1.epoch < *below)
    }

    /// Whether a chain is closed, or its part in a namespace where only that is held.
    pub(in crate::replication) fn is_closed_lane(&self, lane: &Lane) -> bool {
        let Some(namespace) = &lane.namespace else {
            return self.is_closed((lane.shard, lane.writer));
        };
        let owner = (lane.shard, lane.writer.node);
        let closed = self.closed_in.get(&(namespace.clone(), owner));
        closed.is_some_and(|below| lane.writer.epoch < *below)
    }

    /// Forgets the parts in a namespace of chains that their author has closed.
    pub(super) fn close_in(&mut self, namespace: &Namespace, (shard, node): Owner, below: u32) {
        let known = self.closed_in.entry((namespace.clone(), (shard, node)));
        let known = known.or_insert(0);
        if below <= *known {
            return;
        }
        *known = below;
        let first = (namespace.clone(), shard, Writer::first(node));
        let end = (namespace.clone(), shard, Writer { node, epoch: below });
        let gone: Vec<_> = self
            .streams
            .range(first..end)
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            let Some(stream) = self.streams.remove(&id) else {
                continue;
            };
            let (batches, bytes) = stream.partial;
            self.batches = self.batches.saturating_sub(batches);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.partial_streams = self.partial_streams.saturating_sub(1);
        }
        self.touch(shard);
    }

    /// Forgets the chains of an author in a shard that it has closed.
    pub(super) fn close(&mut self, owner: Owner, below: u32) {
        let known = self.closed.entry(owner).or_insert(0);
        if below <= *known {
            return;
        }
        *known = below;
        let (shard, node) = owner;
        let end = Writer { node, epoch: below };
        let gone = self
            .chains
            .range((shard, Writer::first(node))..(shard, end));
        let gone: Vec<ChainId> = gone.map(|(id, _)| *id).collect();
        for id in gone {
            let Some(chain) = self.chains.remove(&id) else {
                continue;
            };
            self.batches = self.batches.saturating_sub(chain.length());
            let bytes = chain.slots.iter().map(|slot| u64::from(slot.bytes));
            let bytes = bytes.fold(0, u64::saturating_add);
            if let Some(held) = self.held_bytes.get_mut(&owner) {
                *held = held.saturating_sub(bytes);
                self.bytes = self.bytes.saturating_sub(bytes);
            }
            let fork = chain.fork.as_ref();
            let proof = fork.and_then(|fork| fork.proof.as_ref());
            self.proof_bytes = self.proof_bytes.saturating_sub(proof.map_or(0, size_of));
            self.under_replicated.release(id, u64::MAX);
        }
        self.streams.retain(|(_, in_shard, writer), stream| {
            let stays = *in_shard != shard || writer.node != node || writer.epoch >= below;
            // Where only the namespace is held, its later part may not be here yet.
            stays || stream.sequences.is_empty()
        });
        self.branches.close(owner, below);
        self.touch(shard);
    }
}

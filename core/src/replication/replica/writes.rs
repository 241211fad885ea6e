//! Writes of this node: whether they are taken, acknowledged here or once a relay holds them.

use crate::{
    kernel::id::{NodeId, RequestId},
    replication::{
        batch::{SHARDS, Writer},
        log::{ChainId, Head, chain_of},
        message::Message,
        queue::{Asked, Staged},
        replica::{
            context::{Context, Timer},
            database::Database,
            naming::HEADS_MAX,
        },
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Writes {
    /// Why writes are refused; none: they are taken.
    blocks: BTreeSet<WriteBlock>,
    /// Who waits for a relay (request and revision), by our chain and batch.
    awaiting: BTreeMap<(ChainId, u64), Vec<(RequestId, u64)>>,
    awaiting_writes: usize,
    /// How far each linked relay holds our chains.
    confirmed: BTreeMap<NodeId, BTreeMap<ChainId, u64>>,
}

impl Writes {
    pub(in crate::replication) fn on_peer_up(&mut self, peer: NodeId) {
        self.confirmed.insert(peer, BTreeMap::new());
    }

    pub(in crate::replication) fn on_peer_down(&mut self, peer: NodeId) {
        self.confirmed.remove(&peer);
    }

    pub(in crate::replication) fn block(&mut self, block: WriteBlock) {
        self.blocks.insert(block);
    }

    pub(in crate::replication) fn unblock(&mut self, block: WriteBlock) {
        self.blocks.remove(&block);
    }

    /// Why writes are refused; none: they are taken.
    pub(in crate::replication) fn blocks(&self) -> impl ExactSizeIterator<Item = WriteBlock> {
        self.blocks.iter().copied()
    }

    /// How many writes wait for a relay.
    pub(in crate::replication) const fn awaiting_writes(&self) -> usize {
        self.awaiting_writes
    }

    /// The batches that writes wait for, and how many writes in all.
    pub(in crate::replication) fn awaited(&self) -> (impl Iterator<Item = (ChainId, u64)>, usize) {
        let waiting = self.awaiting.values().map(Vec::len).sum();
        (self.awaiting.keys().copied(), waiting)
    }

    /// How far each linked relay holds our chains.
    pub(in crate::replication) fn confirmed(&self) -> impl Iterator<Item = (NodeId, ChainId, u64)> {
        self.confirmed.iter().flat_map(|(id, chains)| {
            let chains = chains.iter();
            chains.map(|(chain, up_to)| (*id, *chain, *up_to))
        })
    }

    /// Whether writes wait for a relay that stand in chains of this node in a shard before an epoch.
    pub(in crate::replication) fn awaits_before(&self, (shard, end): ChainId) -> bool {
        let first = ((shard, Writer::first(end.node)), 0);
        self.awaiting
            .range(first..((shard, end), 0))
            .next()
            .is_some()
    }

    /// Forgets who holds chains that are closed.
    pub(in crate::replication) fn forget_closed(&mut self, db: &Database) {
        for held in self.confirmed.values_mut() {
            held.retain(|chain, _| !db.log.is_closed(*chain));
        }
    }

    /// Tells who wrote it here that it is durable, or waits for a relay to say the same.
    pub(in crate::replication) fn acknowledge(
        &mut self,
        cx: &mut Context,
        staged: &Staged,
        revisions: &[u64],
    ) {
        let (chain, sequence) = chain_of(&staged.batch);
        let place = (chain, sequence);
        for Asked { request, level, op } in staged.writers.iter().copied() {
            // The revisions have the order of the writes in the batch, one for each.
            let revision = revisions.get(op).copied().unwrap_or_default();
            match level {
                AckLevel::Local => cx.written(request, revision),
                AckLevel::Relay => {
                    let waiting = self.awaiting.entry(place).or_default();
                    waiting.push((request, revision));
                    self.awaiting_writes = self.awaiting_writes.saturating_add(1);
                    let until = cx.now + cx.config.ack_patience;
                    // Set once for the batch; all its writers lose patience together.
                    cx.deadlines.set(Timer::Patience(chain, sequence), until);
                }
            }
        }
    }

    /// A relay holds our chain durably up to a batch.
    pub(in crate::replication) fn replicated(
        &mut self,
        cx: &mut Context,
        chain: ChainId,
        up_to: u64,
    ) {
        // Everything up to `up_to`, as a chain is held without gaps.
        while let Some((place, _)) = self.awaiting.range((chain, 0)..=(chain, up_to)).next() {
            let place = *place;
            cx.deadlines.clear(&Timer::Patience(place.0, place.1));
            for (request, revision) in self.take_awaiting(place) {
                cx.written(request, revision);
            }
        }
    }

    fn take_awaiting(&mut self, place: (ChainId, u64)) -> Vec<(RequestId, u64)> {
        let writers = self.awaiting.remove(&place).unwrap_or_default();
        self.awaiting_writes = self.awaiting_writes.saturating_sub(writers.len());
        writers
    }

    pub(in crate::replication) fn give_up_waiting(
        &mut self,
        cx: &mut Context,
        chain: ChainId,
        sequence: u64,
    ) {
        // The write is durable and may still be replicated: the refusal says that it is not undone.
        for (request, _) in self.take_awaiting((chain, sequence)) {
            cx.refuse(request, WriteRefusal::NotReplicated);
        }
    }

    /// A relay holds our chain durably up to a batch.
    pub(in crate::replication) fn confirmed_by(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        from: NodeId,
        chain: ChainId,
        up_to: u64,
    ) {
        // Sequence 0 says that nothing is held.
        if up_to == 0 || db.log.is_closed(chain) {
            return;
        }
        // Confirmations only rise: messages may overtake each other.
        if let Some(held) = self.confirmed.get_mut(&from) {
            let known = held.entry(chain).or_insert(0);
            *known = (*known).max(up_to);
        }
        self.release_replicated(db, chain);
        self.replicated(cx, chain, up_to);
    }

    /// A peer's frontier is ours: it has our own chains whole.
    pub(in crate::replication) fn share_all(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        with: NodeId,
        shard: u16,
    ) {
        let own: Vec<Head> = db.log.epochs(shard, cx.me).collect();
        for head in own {
            self.confirmed_by(cx, db, with, (shard, head.writer), head.sequence);
        }
    }

    /// What two linked relays have confirmed of a chain of our own need not stay in memory.
    fn release_replicated(&mut self, db: &mut Database, chain: ChainId) {
        // The second highest number: that much is held by two relays at least.
        let (mut most, mut second) = (0, 0);
        for held in self.confirmed.values() {
            let held = held.get(&chain).copied().unwrap_or(0);
            // In this order: the old greatest moves to the second place.
            second = second.max(held.min(most));
            most = most.max(held);
        }
        if second > 0 {
            db.log.under_replicated_mut().release(chain, second);
        }
    }

    /// Tells a home how far our own chains go: all of them, or those it has not confirmed.
    pub(in crate::replication) fn send_mine(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
        all: bool,
    ) {
        let Some(held) = self.confirmed.get(&home) else {
            return;
        };
        let mut heads: Vec<(u16, Head)> = Vec::new();
        for shard in 0..SHARDS {
            // Also shards without a chain are named after a start: this node may have lost its
            // store, and the home then tells how far its chains went.
            if all && db.log.epochs(shard, cx.me).next().is_none() {
                heads.push((shard, db.log.head((shard, Writer::first(cx.me)))));
            }
            let epochs = db.log.epochs(shard, cx.me).filter(|head| {
                let confirmed = held.get(&(shard, head.writer)).copied();
                // Of a forked one, it may have a branch that is not here.
                all || head.forked_at != 0 || head.sequence > confirmed.unwrap_or(0)
            });
            heads.extend(epochs.map(|head| (shard, head)));
        }
        for page in heads.chunks(HEADS_MAX) {
            let heads = page.to_vec();
            cx.outbox.send(home, Message::Mine { heads });
        }
    }
}

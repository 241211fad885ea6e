//! Writes of this node: sealed into batches, acknowledged here or once a relay holds them, refused.

use crate::{
    kernel::{
        crypto::Verified,
        id::{NodeId, RequestId},
        planted::{self, Planted},
        text::Namespace,
        time::{WallTime, millis},
    },
    replication::{
        batch::{Batch, Op, SHARDS, Writer},
        crdt::register::Register,
        log::{ChainId, Head, chain_lane, chain_of},
        message::Message,
        queue::{Source, Staged, Waiting},
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

    /// Tells who wrote it here that it is durable, or waits for a relay to say the same.
    pub(in crate::replication) fn acknowledge(
        &mut self,
        cx: &mut Context,
        staged: &Staged,
        revisions: &[u64],
    ) {
        let (chain, sequence) = chain_of(&staged.batch);
        let place = (chain, sequence);
        // The revisions have the order of the writes in the batch, one for each.
        for ((request, level), revision) in staged.writers.iter().zip(revisions) {
            match level {
                AckLevel::Local => cx.written(*request, *revision),
                AckLevel::Relay => {
                    let waiting = self.awaiting.entry(place).or_default();
                    waiting.push((*request, *revision));
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
        if up_to == 0 {
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

/// Gives writes their stamps; refuses those that would lose to a write that is stamped too far ahead.
fn stamp_writes(
    cx: &mut Context,
    db: &mut Database,
    namespace: &Namespace,
    writes: Vec<Waiting>,
) -> (Vec<(RequestId, AckLevel)>, Vec<Op>) {
    let ahead_max = millis(cx.config.ahead_max);
    let mut writers = Vec::new();
    let mut ops = Vec::new();
    for write in writes {
        let register = db.cells.register(namespace, &write.key);
        let last = register.and_then(Register::winner).map(|last| last.stamp);
        if let Some(last) = last {
            if db.clock.ran_ahead(cx.now, last, ahead_max) {
                let ahead_ms = db.clock.ahead(cx.now, last).unwrap_or(0);
                let until = WallTime::from_millis(last.millis.saturating_sub(ahead_max));
                cx.refuse(write.request, WriteRefusal::KeyAhead { ahead_ms, until });
                continue;
            }
            // The clock may have left it behind while it was further ahead.
            db.clock.observe(last);
        }
        // What was seen of the key, so that this write overwrites just that and leaves concurrent
        // writes as conflicts (Preguiça 2010).
        let seen = register.map(|register| register.seen_by(cx.me));
        writers.push((write.request, write.level));
        ops.push(Op {
            key: write.key,
            // Given when the batch is sealed, not when the write was queued: stamps have to rise
            // along the chain.
            stamp: db.clock.tick(cx.now),
            value: write.value,
            seen: seen.unwrap_or_default(),
        });
    }
    (writers, ops)
}

/// Seals the oldest queued writes of a shard into one batch.
pub(in crate::replication) fn seal_writes(
    cx: &mut Context,
    db: &mut Database,
    shard: u16,
    writer: Writer,
) {
    let lane = chain_lane((shard, writer));
    let (namespace, mut writers, ops) = loop {
        let Some((namespace, writes)) = db.queue.take(shard) else {
            return;
        };
        let (writers, ops) = stamp_writes(cx, db, &namespace, writes);
        if !ops.is_empty() {
            break (namespace, writers, ops);
        }
    };
    // The log, not what is with the journal: of our own chain nothing is (`seal_next`).
    let end = db.log.end(&lane);
    let previous = db.log.stream_end(&namespace, shard, writer).sequence;
    let batch = Batch {
        shard,
        author: cx.me,
        epoch: writer.epoch,
        sequence: end.sequence.saturating_add(1),
        previous: end.hash,
        namespace,
        namespace_previous: previous,
        reissue: None,
        ops,
    };
    // A planted bug: acknowledged before it is durable.
    if planted::is(Planted::AckBeforePersisted) {
        for (request, _) in core::mem::take(&mut writers) {
            cx.written(request, db.cells.revision());
        }
    }
    let batch = Verified::seal(batch, &cx.keypair, cx.network);
    db.stage(cx, lane, batch, Source::Own, Vec::new(), writers);
}

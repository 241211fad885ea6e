//! What is held here, and what is on its way into the journal: the log, the cells that it adds up
//! to, the clock, writes that wait, batches with the journal. No peers.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Signed, Verified},
        id::NodeId,
        planted::{self, Planted},
        text::{Key, Namespace},
        time::{Time, millis},
    },
    replication::{
        batch::{Batch, EPOCHS_MAX, Op, Record, Writer, hash_of},
        cells::Cells,
        clock::Clock,
        config::Config,
        log::{ChainId, End, Lane, Log, chain_lane},
        queue::{Asked, Source, Staged, Staging, Waiting, What, WriteQueue},
        replica::{
            context::{Context, Timer, size},
            contract::Event,
            opened::Opened,
        },
        typed::{Kind, Place, counter_part},
        write::{WriteBlock, WriteRefusal},
    },
};
use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::time::Duration;

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Database {
    pub(in crate::replication) clock: Clock,
    pub(in crate::replication) log: Log,
    pub(in crate::replication) cells: Cells,
    pub(in crate::replication) queue: WriteQueue,
    pub(in crate::replication) staging: Staging,
    /// The part that this node writes of counters in this run.
    pub(in crate::replication) counter_part: String,
    /// The namespaces that this tab holds.
    pub(in crate::replication) opened: Opened,
    /// Chains that are not asked for again before a time.
    held_off: BTreeMap<ChainId, Time>,
    /// Nothing of others is fetched before: memory was full.
    full_until: Time,
}

/// For how long a full node does not try to take more.
const FULL_PAUSE: Duration = Duration::from_secs(10);
/// The most chains that are held off; beyond it the first goes, which costs a fetch.
pub(in crate::replication) const HELD_OFF_MAX: usize = 4_096;

impl Database {
    /// `run` is drawn anew in each run.
    pub(in crate::replication) fn new(config: &Config, me: NodeId, run: u64) -> Self {
        Self {
            counter_part: counter_part(me, run),
            clock: Clock::new(),
            log: Log::new(
                size(config.recent_bytes_max),
                size(config.under_replicated_bytes_max),
            ),
            cells: Cells::new(config.cells_bytes_max, size(config.changes_max), me),
            queue: WriteQueue::default(),
            staging: Staging::default(),
            opened: Opened::default(),
            held_off: BTreeMap::new(),
            full_until: Time::ZERO,
        }
    }

    /// Whether memory was not full lately.
    pub(in crate::replication) fn takes_more(&self, cx: &Context) -> bool {
        cx.now >= self.full_until
    }

    pub(in crate::replication) fn held_off(&self) -> usize {
        self.held_off.len()
    }

    /// Where a lane ends once the journal has everything it was handed.
    pub(in crate::replication) fn staged_end(&self, lane: &Lane) -> End {
        // New batches build on what is with the journal, or each would have to wait for the disk.
        self.staging.end(lane).unwrap_or_else(|| self.log.end(lane))
    }

    /// The next batch of a chain of this node, from the log: of our own chains nothing is with the journal when
    /// one is sealed (`seal_next`).
    pub(in crate::replication) fn next_batch(
        &self,
        shard: u16,
        writer: Writer,
        namespace: Namespace,
        ops: Vec<Op>,
    ) -> Batch {
        let end = self.log.end(&chain_lane((shard, writer)));
        let stream = self.log.stream_end(&namespace, shard, writer);
        Batch {
            shard,
            author: writer.node,
            epoch: writer.epoch,
            sequence: end.sequence.saturating_add(1),
            previous: end.hash,
            namespace,
            namespace_previous: stream.sequence,
            reissue: None,
            ops,
            closed: self.log.closed_below((shard, writer.node)),
        }
    }

    /// Whether a batch of ours in a shard is with the journal.
    pub(in crate::replication) fn has_staged(&self, cx: &Context, shard: u16) -> bool {
        // Lanes are ordered by shard, node and epoch, so all chains of this node in a shard lie in
        // one range.
        let first = chain_lane((shard, Writer::first(cx.me)));
        let last = chain_lane((
            shard,
            Writer {
                node: cx.me,
                epoch: u32::MAX,
            },
        ));
        self.staging.has_any(&first, &last)
    }

    pub(in crate::replication) fn has_room_for_writes(&self, batch: &Batch) -> bool {
        let growth = batch.ops.iter().fold(0_u64, |sum, op| {
            let cost = self
                .cells
                .cost(&batch.namespace, &op.key, op.value.as_ref());
            sum.saturating_add(cost)
        });
        let pending = self.staging.bytes().saturating_add(self.queue.bytes());
        // Deletions alone never lack room: a full node can be emptied by others too.
        growth == 0 || self.cells.has_room(growth.saturating_add(pending))
    }

    /// Whether a key holds what a write is for, or nothing.
    pub(in crate::replication) fn check_kind(
        &self,
        namespace: &Namespace,
        key: &Key,
        what: &What,
    ) -> Result<(), WriteRefusal> {
        let wanted = match what {
            // Whatever it is, it is deleted.
            What::Value(None) => return Ok(()),
            What::Value(Some(_)) => Kind::Register,
            What::Change(change) => change.kind(),
        };
        let mut kinds = self.cells.kinds(namespace, key);
        match self.cells.kinds(namespace, key).next() {
            Some(kind) if kinds.all(|kind| kind != wanted) => Err(WriteRefusal::OtherKind { kind }),
            Some(_) | None => Ok(()),
        }
    }

    /// About how much memory a write takes.
    pub(in crate::replication) fn cost(
        &self,
        namespace: &Namespace,
        write: &Waiting,
    ) -> Result<u64, WriteRefusal> {
        let cost = |stored: &Key, value: Option<&Bytes>| self.cells.cost(namespace, stored, value);
        match &write.what {
            // What is there is deleted.
            What::Value(None) if self.cells.is_typed(namespace, &write.key) => Ok(0),
            What::Value(value) => Ok(cost(&write.key, value.as_ref())),
            What::Change(change) => {
                let writes = change.writes(&write.key, &self.counter_part)?;
                let costs = writes.iter().map(|(key, value)| match value {
                    // What is not there is not written.
                    None => 0,
                    Some(value) => cost(key, Some(value)),
                });
                Ok(costs.fold(0, u64::saturating_add))
            }
        }
    }

    pub(in crate::replication) fn has_room_for_chain(&self, cx: &Context, chain: ChainId) -> bool {
        // A chain that is known already takes no new room.
        let lane = chain_lane(chain);
        self.log.knows(&lane)
            || (self.log.chains() < size(cx.config.chains_max) && self.has_room_for_epoch(chain))
    }

    /// Whether an author may have another chain in a shard that is not closed.
    fn has_room_for_epoch(&self, (shard, writer): ChainId) -> bool {
        let open = self.log.epochs(shard, writer.node).count();
        u32::try_from(open).is_ok_and(|open| open < EPOCHS_MAX)
    }

    pub(in crate::replication) fn is_full(
        &mut self,
        cx: &mut Context,
        lane: &Lane,
        batch: &Batch,
        bytes: u64,
    ) -> bool {
        let staged = self.staging.bytes().saturating_add(bytes);
        // The journal is slow: that passes in a moment and needs no pause.
        if staged > cx.config.staged_bytes_max {
            cx.stats.full_batches = cx.stats.full_batches.saturating_add(1);
            return true;
        }
        let fits = self.has_room_for_writes(batch)
            && self.log.batches() < cx.config.batches_max
            && (self.log.knows(lane) || self.has_room_for_chain(cx, (lane.shard, lane.writer)));
        if fits {
            return false;
        }
        cx.stats.full_batches = cx.stats.full_batches.saturating_add(1);
        // One event and one pause for all that is refused meanwhile.
        if cx.now >= self.full_until {
            self.full_until = cx.now + FULL_PAUSE;
            cx.deadlines.set(Timer::Full, self.full_until);
            let bytes = self.cells.bytes();
            cx.outbox.event(Event::Full { bytes });
        }
        true
    }

    /// Whether the stamps of a batch are too far ahead of the clock here, or that is not known.
    pub(in crate::replication) fn is_too_far_ahead(&self, cx: &Context, batch: &Batch) -> bool {
        let ahead_max = millis(cx.config.ahead_max);
        let ahead = self.clock.ahead(cx.now, batch.newest());
        // An unknown clock lets nothing in: a stamp that is far ahead could not be told from a good
        // one.
        ahead.is_none_or(|ahead| ahead > ahead_max && !planted::is(Planted::FarFuture))
    }

    /// Does not ask for a chain for a while; answers whether it was asked for until now.
    pub(in crate::replication) fn hold_off(
        &mut self,
        cx: &mut Context,
        chain: ChainId,
        span: Duration,
    ) -> bool {
        let until = cx.now + span;
        // The first goes, not the oldest: a chain that is asked for too early is held off again.
        let before = self.held_off.insert(chain, until);
        if self.held_off.len() > HELD_OFF_MAX {
            self.held_off.pop_first();
        }
        before.is_none_or(|before| before <= cx.now)
    }

    /// Every chain may be asked for again.
    pub(in crate::replication) fn end_holds(&mut self) {
        self.held_off.clear();
    }

    pub(in crate::replication) fn is_held_off(&self, cx: &Context, chain: ChainId) -> bool {
        let until = self.held_off.get(&chain).copied();
        until.unwrap_or(Time::ZERO) > cx.now
    }

    /// Hands a batch to the journal.
    pub(in crate::replication) fn stage(
        &mut self,
        cx: &mut Context,
        lane: Lane,
        batch: Verified<Batch>,
        source: Source,
        told: Vec<u64>,
        writers: Vec<Asked>,
    ) {
        // The token ties the journal's answer to the batch.
        let token = cx.next_token();
        let signed = batch.to_signed();
        let hash = hash_of(&signed);
        self.staging.push(
            lane,
            Staged {
                token,
                batch,
                hash,
                source,
                journal: None,
                also_from: Vec::new(),
                told,
                writers,
            },
        );
        cx.persist(token, &Record::Batch(Box::new(signed)));
    }

    /// Makes the writes of a batch visible; answers the revision of each, or the last one if
    /// nothing that can be seen changed.
    pub(in crate::replication) fn show(
        &mut self,
        cx: &mut Context,
        batch: &Batch,
        is_caught: bool,
    ) -> Vec<u64> {
        let twice = is_caught && planted::is(Planted::ChangeTwice);
        let mut changes = Vec::new();
        // By typed key: the last write of the batch that changed it.
        let mut last_of: BTreeMap<Key, usize> = BTreeMap::new();
        for (at, op) in batch.ops.iter().cloned().enumerate() {
            // Kulkarni 2014, figure 5, receive event: what is written here later gets a later
            // stamp.
            self.clock.observe(op.stamp);
            let is_told = op.value.is_some() || !planted::is(Planted::ChangeMissed);
            let is_part = Place::of(&op.key) != Place::Plain;
            let place = (&batch.namespace, batch.shard);
            let changed = self.cells.apply(place, batch.author, op);
            if let Some(key) = changed.as_ref().filter(|_| is_part) {
                last_of.insert(key.clone(), at);
            }
            changes.push((changed, is_told));
        }
        let mut revisions = Vec::new();
        for (at, (changed, is_told)) in changes.into_iter().enumerate() {
            // Of a typed key one change is told, however many of its parts changed.
            let changed = changed.filter(|key| last_of.get(key).is_none_or(|last| *last == at));
            // A write that changed nothing is acknowledged too: it is durable, and was overwritten
            // at once.
            let Some(key) = changed else {
                revisions.push(self.cells.revision());
                continue;
            };
            let revision = self.cells.note_change(&batch.namespace, key.clone());
            revisions.push(revision);
            let times = usize::from(is_told).saturating_add(usize::from(is_told && twice));
            for _ in 0..times {
                let key = key.clone();
                cx.outbox.event(Event::Changed {
                    revision,
                    namespace: batch.namespace.clone(),
                    key,
                });
            }
        }
        revisions
    }

    /// Keeps a durable batch in memory for those that will ask for it.
    pub(in crate::replication) fn keep_at_hand(
        &mut self,
        cx: &Context,
        journal: u64,
        signed: Signed<Batch>,
    ) {
        // What others wrote can be had from its author; what was written here may be nowhere else
        // yet.
        if signed.claims().author == cx.me {
            self.log
                .under_replicated_mut()
                .keep(journal, signed.clone());
        }
        self.log.remember(journal, signed);
    }

    /// All writer epochs are used up: refuses every queued write of a shard.
    pub(in crate::replication) fn refuse_waiting(&mut self, cx: &mut Context, shard: u16) {
        while let Some((_, writes)) = self.queue.take(shard) {
            for write in writes {
                cx.refuse(write.request, WriteBlock::EpochsUsedUp.into());
            }
        }
    }
}

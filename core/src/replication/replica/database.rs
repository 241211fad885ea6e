//! What is held here, and what is on its way into the journal: the log, the cells that it adds up
//! to, the clock, writes that wait, batches with the journal. No peers.

use crate::{
    kernel::{
        crypto::{Signed, Verified},
        id::RequestId,
        planted::{self, Planted},
        time::{Time, millis},
    },
    replication::{
        batch::{Batch, Record, Writer, hash_of},
        cells::Cells,
        clock::Clock,
        config::Config,
        log::{ChainId, End, Lane, Log, chain_lane},
        queue::{Source, Staged, Staging, WriteQueue},
        replica::{
            context::{Context, Timer, size},
            contract::Event,
            opened::Opened,
        },
        write::{AckLevel, WriteBlock},
    },
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Database {
    pub(in crate::replication) clock: Clock,
    pub(in crate::replication) log: Log,
    pub(in crate::replication) cells: Cells,
    pub(in crate::replication) queue: WriteQueue,
    pub(in crate::replication) staging: Staging,
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
    pub(in crate::replication) fn new(config: &Config) -> Self {
        Self {
            clock: Clock::new(),
            log: Log::new(
                size(config.recent_bytes_max),
                size(config.under_replicated_bytes_max),
            ),
            cells: Cells::new(config.cells_bytes_max, size(config.changes_max)),
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

    pub(in crate::replication) fn has_room_for_chain(&self, cx: &Context, chain: ChainId) -> bool {
        // A chain that is known already takes no new room.
        let lane = chain_lane(chain);
        self.log.knows(&lane) || self.log.chains() < size(cx.config.chains_max)
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
            && (self.log.knows(lane) || self.log.chains() < size(cx.config.chains_max));
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
        writers: Vec<(RequestId, AckLevel)>,
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
        let mut revisions = Vec::new();
        let twice = is_caught && planted::is(Planted::ChangeTwice);
        for op in batch.ops.iter().cloned() {
            // Kulkarni 2014, figure 5, receive event: what is written here later gets a later
            // stamp.
            self.clock.observe(op.stamp);
            let key = op.key.clone();
            let untold = op.value.is_none() && planted::is(Planted::ChangeMissed);
            let changed = self.cells.apply(&batch.namespace, batch.author, op);
            // A write that changed nothing is acknowledged too: it is durable, and was overwritten
            // at once.
            revisions.push(changed.unwrap_or_else(|| self.cells.revision()));
            let told = changed.filter(|_| !untold);
            for revision in told.into_iter().chain(told.filter(|_| twice)) {
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

//! From a write to a visible value: waiting, sealed, durable, applied, acknowledged.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Signed, Verified},
        id::{RequestId, Role},
        persist::{PersistFailed, Persisted},
        planted::{self, Planted},
        text::{Key, Namespace},
    },
    replication::{
        batch::{Batch, Op, VALUE_BYTES_MAX, Writer, shard_of},
        intake::chain_of,
        lives::Unwritable,
        log::{ChainId, Lane},
        queue::{Source, Staged, Waiting},
        replica::{Event, Replica, Timer, size},
        sync::chain_lane,
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::vec::Vec;

impl Replica {
    pub(in crate::replication) fn on_write(
        &mut self,
        request: RequestId,
        namespace: Namespace,
        key: Key,
        value: Option<Bytes>,
        level: AckLevel,
    ) {
        let shard = shard_of(&namespace, &key);
        if let Err(refusal) = self.may_write(shard, &namespace, &key, value.as_ref()) {
            self.refuse(request, refusal);
            return;
        }
        if self.role == Role::Tab && !self.open(namespace.clone()) {
            self.refuse(request, WriteBlock::NamespacesFull.into());
            return;
        }
        let waiting = Waiting {
            request,
            key,
            value,
            level,
        };
        self.queue.push(shard, namespace, waiting);
        self.seal_next(shard);
    }

    fn may_write(
        &self,
        shard: u16,
        namespace: &Namespace,
        key: &Key,
        value: Option<&Bytes>,
    ) -> Result<(), WriteRefusal> {
        if !self.blocks.is_empty() && !planted::is(Planted::ReadOnlyWrites) {
            let blocks = self.blocks.iter().copied().collect();
            return Err(WriteRefusal::NotWritable { blocks });
        }
        if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            let max = u32::try_from(VALUE_BYTES_MAX).unwrap_or(u32::MAX);
            return Err(WriteRefusal::ValueTooLarge { max });
        }
        let soon = self.now + self.config.ack_patience;
        match self.writer_now(shard) {
            Ok(_) => {}
            Err(Unwritable::Until(at)) if at <= soon => {}
            Err(unwritable) => return Err(unwritable.block().into()),
        }
        let waiting = self.queue.len().saturating_add(self.awaiting_writes);
        if waiting >= size(self.config.waiting_max)
            || self.queue.bytes() >= self.config.waiting_bytes_max
        {
            return Err(WriteRefusal::Busy);
        }
        let cost = self.cells.cost(namespace, key, value);
        let pending = self.queue.bytes().saturating_add(self.staging.bytes());
        let fits = cost == 0 || self.cells.has_room(cost.saturating_add(pending));
        if !fits || self.log.batches() >= self.config.batches_max {
            return Err(WriteRefusal::Full);
        }
        Ok(())
    }

    fn refuse(&mut self, request: RequestId, refusal: WriteRefusal) {
        self.stats.writes_refused = self.stats.writes_refused.saturating_add(1);
        self.outbox.event(Event::Replied {
            request,
            result: Err(refusal),
        });
    }

    /// Whether a batch of ours in a shard is with the journal.
    pub(in crate::replication) fn has_staged(&self, shard: u16) -> bool {
        let first = chain_lane((shard, Writer::first(self.me)));
        let last = chain_lane((
            shard,
            Writer {
                node: self.me,
                life: u32::MAX,
            },
        ));
        self.staging.has_any(&first, &last)
    }

    /// Seals what waits for a shard, unless a batch of ours in it is with the journal.
    pub(in crate::replication) fn seal_next(&mut self, shard: u16) {
        if self.has_staged(shard) {
            return;
        }
        let writer = match self.writer_now(shard) {
            Ok(writer) => writer,
            Err(Unwritable::Until(at)) => {
                self.deadlines.set_earlier(Timer::Life(shard), at);
                return;
            }
            Err(Unwritable::Gap) => return,
            Err(Unwritable::UsedUp) => {
                self.refuse_waiting(shard);
                return;
            }
        };
        let writes_first = self.writes_first(shard) && self.queue.has(shard);
        if writes_first || !self.seal_reissue(shard, writer) {
            self.seal_writes(shard, writer);
        }
    }

    fn seal_writes(&mut self, shard: u16, writer: Writer) {
        let lane = chain_lane((shard, writer));
        let Some((namespace, writes)) = self.queue.take(shard) else {
            return;
        };
        let end = self.log.end(&lane);
        let mut writers = Vec::new();
        let mut ops = Vec::new();
        for write in writes {
            let register = self.cells.register(&namespace, &write.key);
            let seen = register.map(|register| register.seen_by(self.me));
            writers.push((write.request, write.level));
            ops.push(Op {
                key: write.key,
                stamp: self.clock.tick(self.now),
                value: write.value,
                seen: seen.unwrap_or_default(),
            });
        }
        let previous = self.log.stream_end(&namespace, shard, writer).sequence;
        let batch = Batch {
            shard,
            author: self.me,
            life: writer.life,
            sequence: end.sequence.saturating_add(1),
            previous: end.hash,
            namespace,
            namespace_previous: previous,
            reissue: None,
            ops,
        };
        if planted::is(Planted::AckBeforePersisted) {
            for (request, _) in core::mem::take(&mut writers) {
                self.written(request, self.cells.revision());
            }
        }
        let batch = Verified::seal(batch, &self.keypair, self.network);
        self.stage(lane, batch, Source::Own, Vec::new(), writers);
    }

    /// There is no chain that what waits could go to, and never will be.
    fn refuse_waiting(&mut self, shard: u16) {
        while let Some((_, writes)) = self.queue.take(shard) {
            for write in writes {
                self.refuse(write.request, Unwritable::UsedUp.block().into());
            }
        }
    }

    pub(in crate::replication) fn on_persisted(&mut self, persisted: Persisted) {
        let Persisted { token, sequence } = persisted;
        let durable = sequence.and_then(|journal| self.staging.durable(token, journal));
        let Some((lane, ready)) = durable else {
            return;
        };
        let mut caught = None;
        for staged in ready {
            if let Source::Caught(from) = staged.source {
                caught = Some(from);
            }
            self.apply(&lane, &staged);
        }
        if lane.writer.node == self.me {
            let end = self.log.end(&lane).sequence;
            let chain = (lane.shard, lane.writer);
            if self.own_gaps.get(&chain).is_some_and(|to| *to <= end) {
                self.own_gaps.remove(&chain);
            }
            self.seal_next(lane.shard);
        }
        if let Some(from) = caught {
            self.summarize_to_others(from);
            self.schedule_fetches();
        }
    }

    /// A durable batch becomes visible, acknowledged and known to others.
    fn apply(&mut self, lane: &Lane, staged: &Staged) {
        let signed = staged.batch.to_signed();
        let journal = staged.journal.unwrap_or(0);
        self.log.append(lane, journal, &signed);
        let batch = signed.claims();
        if batch.author == self.me && batch.reissue.is_some() && staged.source == Source::Own {
            self.stats.reissued_batches = self.stats.reissued_batches.saturating_add(1);
        }
        let revisions = self.show(batch, matches!(staged.source, Source::Caught(_)));
        self.acknowledge(staged, &revisions);
        self.announce(staged, &signed);
        // A tab serves nobody but its own chain to its homes.
        if self.role == Role::Relay || lane.writer.node == self.me {
            self.keep_at_hand(journal, signed);
        }
    }

    /// Makes the writes of a batch visible; answers the revision of each, or the last one if nothing that
    /// can be seen changed.
    pub(in crate::replication) fn show(&mut self, batch: &Batch, is_caught: bool) -> Vec<u64> {
        let mut revisions = Vec::new();
        let twice = is_caught && planted::is(Planted::ChangeTwice);
        for op in batch.ops.iter().cloned() {
            self.clock.observe(op.stamp);
            let key = op.key.clone();
            let untold = op.value.is_none() && planted::is(Planted::ChangeMissed);
            let changed = self.cells.apply(&batch.namespace, batch.author, op);
            revisions.push(changed.unwrap_or_else(|| self.cells.revision()));
            let told = changed.filter(|_| !untold);
            for revision in told.into_iter().chain(told.filter(|_| twice)) {
                let key = key.clone();
                self.outbox.event(Event::Changed {
                    revision,
                    namespace: batch.namespace.clone(),
                    key,
                });
            }
        }
        revisions
    }

    /// Keeps a durable batch in memory for those that will ask for it.
    pub(in crate::replication) fn keep_at_hand(&mut self, journal: u64, signed: Signed<Batch>) {
        if signed.claims().author == self.me {
            self.log.unshared_mut().keep(journal, signed.clone());
        }
        self.log.remember(journal, signed);
    }

    /// Tells who wrote it here that it is durable, or waits for a relay to say the same.
    fn acknowledge(&mut self, staged: &Staged, revisions: &[u64]) {
        let (chain, sequence) = chain_of(&staged.batch);
        let place = (chain, sequence);
        for ((request, level), revision) in staged.writers.iter().zip(revisions) {
            match level {
                AckLevel::Local => self.written(*request, *revision),
                AckLevel::Relay => {
                    let waiting = self.awaiting.entry(place).or_default();
                    waiting.push((*request, *revision));
                    self.awaiting_writes = self.awaiting_writes.saturating_add(1);
                    let until = self.now + self.config.ack_patience;
                    self.deadlines.set(Timer::Patience(chain, sequence), until);
                }
            }
        }
    }

    fn written(&mut self, request: RequestId, revision: u64) {
        self.stats.writes = self.stats.writes.saturating_add(1);
        self.outbox.event(Event::Replied {
            request,
            result: Ok(revision),
        });
    }

    /// A relay holds our chain durably up to a batch.
    pub(in crate::replication) fn replicated(&mut self, chain: ChainId, up_to: u64) {
        while let Some((place, _)) = self.awaiting.range((chain, 0)..=(chain, up_to)).next() {
            let place = *place;
            self.deadlines.clear(&Timer::Patience(place.0, place.1));
            for (request, revision) in self.take_awaiting(place) {
                self.written(request, revision);
            }
        }
    }

    fn take_awaiting(&mut self, place: (ChainId, u64)) -> Vec<(RequestId, u64)> {
        let writers = self.awaiting.remove(&place).unwrap_or_default();
        self.awaiting_writes = self.awaiting_writes.saturating_sub(writers.len());
        writers
    }

    pub(in crate::replication) fn give_up_waiting(&mut self, chain: ChainId, sequence: u64) {
        for (request, _) in self.take_awaiting((chain, sequence)) {
            self.refuse(request, WriteRefusal::NotReplicated);
        }
    }

    pub(in crate::replication) fn on_persist_failed(&mut self, failed: PersistFailed) {
        let PersistFailed { token, full } = failed;
        let lost = self.staging.failed(token);
        self.stats.appends_failed = self.stats.appends_failed.saturating_add(1);
        for staged in lost {
            for (request, _) in staged.writers {
                let refusal = if full {
                    WriteRefusal::Full
                } else {
                    WriteBlock::NotStored.into()
                };
                self.refuse(request, refusal);
            }
            if staged.batch.reissue.is_some() && staged.source == Source::Own {
                self.pause_reissue();
            }
            if staged.source == Source::Own {
                self.seal_next(staged.batch.shard);
            }
        }
        self.schedule_fetches();
    }
}

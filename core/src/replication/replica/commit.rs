//! From a write to a visible value: waiting, sealed, durable, applied, acknowledged, passed on.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Signed,
        id::{RequestId, Role},
        persist::{PersistFailed, Persisted},
        planted::{self, Planted},
        text::{Key, Namespace},
    },
    replication::{
        batch::{Batch, shard_of},
        log::{Lane, chain_of},
        message::Message,
        queue::{Asked, Source, Staged, Waiting, What},
        replica::{
            context::{Timer, size},
            forks::epochs::Unwritable,
            machine::Replica,
            sealing::seal_writes,
            trim::record_bytes,
        },
        typed::Change,
        write::{AckLevel, WriteBlock, WriteRefusal},
    },
};
use alloc::{boxed::Box, vec::Vec};

impl Replica {
    pub(in crate::replication) fn on_write(
        &mut self,
        request: RequestId,
        namespace: Namespace,
        key: Key,
        value: Option<Bytes>,
        level: AckLevel,
    ) {
        let what = What::Value(value);
        let waiting = Waiting {
            request,
            key,
            what,
            level,
        };
        self.queue_write(namespace, waiting);
    }

    pub(in crate::replication) fn on_change(
        &mut self,
        request: RequestId,
        namespace: Namespace,
        key: Key,
        change: Change,
        level: AckLevel,
    ) {
        let what = What::Change(change);
        let waiting = Waiting {
            request,
            key,
            what,
            level,
        };
        self.queue_write(namespace, waiting);
    }

    fn queue_write(&mut self, namespace: Namespace, waiting: Waiting) {
        let (request, shard) = (waiting.request, shard_of(&namespace, &waiting.key));
        if let Err(refusal) = self.may_write(shard, &namespace, &waiting) {
            self.cx.refuse(request, refusal);
            return;
        }
        // A tab that writes to a namespace also has to read it: a write names what was seen of the
        // key.
        if self.cx.role == Role::Tab
            && !self
                .subscriptions
                .open(&mut self.cx, &mut self.db, &namespace)
        {
            self.cx.refuse(request, WriteBlock::NamespacesFull.into());
            return;
        }
        self.db.queue.push(shard, namespace, waiting);
        self.seal_next(shard);
    }

    fn may_write(
        &self,
        shard: u16,
        namespace: &Namespace,
        waiting: &Waiting,
    ) -> Result<(), WriteRefusal> {
        // All reasons are told at once, so that a person need not mend them one by one.
        let blocks: Vec<WriteBlock> = self.writes.blocks().collect();
        if !blocks.is_empty() && !planted::is(Planted::ReadOnlyWrites) {
            return Err(WriteRefusal::NotWritable { blocks });
        }
        waiting.check()?;
        // A pause that ends before a writer loses patience is not told: the write just waits. A
        // longer one is refused at once, so that the queue does not fill with what can't go out.
        let soon = self.cx.now + self.cx.config.ack_patience;
        match self.forks.epochs.writer_now(&self.cx, &self.db, shard) {
            Ok(_) => {}
            Err(Unwritable::Until(at)) if at <= soon => {}
            Err(unwritable) => return Err(unwritable.block().into()),
        }
        // Writes at level `relay` count until they are confirmed: they hold memory as long as that.
        let waiting_writes = self
            .db
            .queue
            .len()
            .saturating_add(self.writes.awaiting_writes());
        if waiting_writes >= size(self.cx.config.waiting_max)
            || self.db.queue.bytes() >= self.cx.config.waiting_bytes_max
        {
            return Err(WriteRefusal::Busy);
        }
        let cost = self.db.cost(namespace, waiting)?;
        // What waits and what is with the journal will need room in the cells too.
        let pending = self
            .db
            .queue
            .bytes()
            .saturating_add(self.db.staging.bytes());
        // A deletion of a key that is there costs nothing: a full node can be emptied.
        let fits = cost == 0 || self.db.cells.has_room(cost.saturating_add(pending));
        if !fits || self.db.log.batches() >= self.cx.config.batches_max {
            return Err(WriteRefusal::Full);
        }
        Ok(())
    }

    /// Seals what waits for a shard, unless a batch of ours in it is with the journal.
    pub(in crate::replication) fn seal_next(&mut self, shard: u16) {
        // One at a time for each shard: the next batch names the hash of this one, and if the
        // journal fails it, nothing that builds on it is lost. Further writes gather meanwhile
        // (group commit).
        if self.db.has_staged(&self.cx, shard) {
            return;
        }
        let writer = match self.forks.epochs.writer_now(&self.cx, &self.db, shard) {
            Ok(writer) => writer,
            Err(Unwritable::Until(at)) => {
                // Writes wait in the queue; `Timer::Epoch` comes back here.
                self.cx.deadlines.set_earlier(Timer::Epoch(shard), at);
                return;
            }
            // Writes wait until the gap is filled (`on_persisted`) or its patience ends
            // (`Timer::Epoch`).
            Err(Unwritable::Gap) => return,
            Err(Unwritable::UsedUp) => {
                self.db.refuse_waiting(&mut self.cx, shard);
                return;
            }
        };
        // Turns: a long queue of either kind must not starve the other.
        let writes_first = self.forks.reissue.writes_first(shard) && self.db.queue.has(shard);
        if writes_first || !self.seal_reissue(shard, writer) {
            let closed = self.closed_by_next(shard, writer);
            seal_writes(&mut self.cx, &mut self.db, shard, writer, closed);
        }
    }

    pub(in crate::replication) fn on_persisted(&mut self, persisted: Persisted) {
        let Persisted { token, sequence } = persisted;
        if self.on_copy_persisted(token, sequence) {
            return;
        }
        // No sequence: it was no append. No batch: it was the proof of a fork, or the batch was
        // given up meanwhile.
        let durable = sequence.and_then(|journal| self.db.staging.durable(token, journal));
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
        if self.db.staging.bytes() == 0 {
            self.pushes.send_all_acks(&mut self.cx);
        }
        // Our own chain, whoever gave the batch: a gap may be filled now, and a batch no longer
        // stands in the way of the next.
        if lane.writer.node == self.cx.me {
            let end = self.db.log.end(&lane).sequence;
            let chain = (lane.shard, lane.writer);
            self.forks.epochs.fill_gap(chain, end);
            self.look_at_overwritten(lane.shard);
        }
        self.look_at_journal();
        if lane.writer.node == self.cx.me {
            self.seal_next(lane.shard);
        }
        // Others may lack what was caught up on, and there is room for the next fetch.
        if let Some(from) = caught {
            self.cx.summarize_to_others(from);
            self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
        }
    }

    /// A durable batch becomes visible, acknowledged and known to others.
    fn apply(&mut self, lane: &Lane, staged: &Staged) {
        // The batch is durable: now, and not before, it may become visible, acknowledged and known
        // to others (invariant of this room).
        let signed = staged.batch.to_signed();
        // `Staging::durable` gives only batches that have a place.
        let journal = staged.journal.unwrap_or(0);
        let batch = signed.claims();
        let owner = (batch.shard, batch.author);
        let closed = self.db.log.closed_below(owner);
        let is_closed = self.db.log.is_closed_lane(lane);
        if !is_closed {
            self.db.log.append(lane, journal, &signed);
        }
        self.trim.add(record_bytes(&signed));
        if batch.author == self.cx.me {
            self.forks.epochs.note_own(batch);
            // What it wrote after its store went back may stand in closed chains only.
            let is_news = staged.source != Source::Own && self.db.log.closed_below(owner) > closed;
            if is_closed || is_news {
                self.compaction.owe(&mut self.cx, batch.shard);
            }
        }
        if batch.author == self.cx.me && batch.reissue.is_some() && staged.source == Source::Own {
            self.cx.stats.reissued_batches = self.cx.stats.reissued_batches.saturating_add(1);
        }
        let revisions = self.db.show(
            &mut self.cx,
            batch,
            matches!(staged.source, Source::Caught(_)),
        );
        self.writes.acknowledge(&mut self.cx, staged, &revisions);
        self.announce(staged, &signed);
        // A tab serves only its own chain, to its homes.
        if !is_closed && (self.cx.role == Role::Relay || lane.writer.node == self.cx.me) {
            self.db.keep_at_hand(&self.cx, journal, signed);
        }
    }

    /// Passes on a batch that has just become durable, and confirms it to who gave it.
    fn announce(&mut self, staged: &Staged, signed: &Signed<Batch>) {
        let (chain, sequence) = chain_of(signed.claims());
        let giver = match staged.source {
            Source::Own => None,
            Source::Pushed(from) => Some(from),
            // Who gives its own chain may have writers that wait for us.
            Source::Caught(from) => (from == chain.1.node).then_some(from),
        };
        for peer in giver.iter().chain(&staged.also_from) {
            self.pushes.ack(&mut self.cx, *peer, chain, sequence);
        }
        let passes_on = match self.cx.role {
            // What was caught up on is old: other relays learn of it by comparison, not by a push
            // each.
            Role::Relay => !matches!(staged.source, Source::Caught(_)),
            Role::Tab => staged.source == Source::Own,
        };
        if passes_on {
            self.pushes
                .push_to_relays(&mut self.cx, staged, signed, giver);
        }
        if self.cx.role == Role::Relay {
            self.push_to_subscribers(signed);
        }
    }

    fn push_to_subscribers(&mut self, signed: &Signed<Batch>) {
        let batch = signed.claims();
        for to in self.subscriptions.live_tabs(&self.cx, &batch.namespace) {
            // An author has its own batch, and gets what it lost by comparison of its own chains.
            if to == batch.author {
                continue;
            }
            if self.pushes.book_in_flight(&mut self.cx, to, signed) {
                let batch = Box::new(signed.clone());
                let told = Vec::new();
                self.cx.outbox.send(to, Message::Push { batch, told });
            } else {
                // The tab is too slow: it asks again once it has room. Nothing is kept for it here.
                self.subscriptions.lag(to, &batch.namespace);
            }
        }
    }

    pub(in crate::replication) fn on_persist_failed(&mut self, failed: PersistFailed) {
        let PersistFailed { token, full } = failed;
        if self.on_copy_failed(token) {
            return;
        }
        // The batch and those of its chain that build on it: their hashes would lead to nothing.
        let lost = self.db.staging.failed(token);
        self.cx.stats.appends_failed = self.cx.stats.appends_failed.saturating_add(1);
        for staged in lost {
            for Asked { request, .. } in staged.writers {
                let refusal = if full {
                    WriteRefusal::Full
                } else {
                    WriteBlock::NotStored.into()
                };
                self.cx.refuse(request, refusal);
            }
            if staged.batch.reissue.is_some() && staged.source == Source::Own {
                // A batch that is issued again is tried again after a pause. Nobody waits for it.
                self.forks.reissue.pause(&mut self.cx);
            }
            if staged.batch.author == self.cx.me {
                // Writes waited for it, whoever gave it.
                self.seal_next(staged.batch.shard);
            }
        }
        // There is room in the staging area again.
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }
}

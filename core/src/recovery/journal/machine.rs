//! The journal itself: what waits, what is with the store, and how each ends.

use crate::{
    kernel::{
        bytes::Bytes,
        deadlines::Deadlines,
        id::Ticket,
        machine::{Input, Machine, Output},
        outbox::Outbox,
        persist::{Persist, PersistFailed, PersistOp, Persisted},
        planted::{self, Planted},
        store::{StoreBatch, StoreOp},
        time::Time,
    },
    recovery::{
        entry,
        journal::{Command, Config, Event, Stats},
        record::{self, Origin},
        replay::{self, Replay, ReplayError, Tail},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};
use core::convert::Infallible;

/// A key that is only ever written and removed in one batch, to see whether there is space again.
pub const PROBE_KEY: &str = "journal/probe";

/// Where the journal begins, once its front was dropped: a sequence, little endian.
pub const FRONT_KEY: &str = "journal/front";

/// What each queued operation is counted beyond its key and body: bookkeeping in memory and store.
const OP_OVERHEAD: u64 = 64;

/// The size of the probe: one page of the usual stores, so that success means usable space.
const PROBE_BYTES: usize = 4_096;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// See whether a full store has space again.
    Probe,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Pending {
    origin: Origin,
    persist: Persist,
}

impl Pending {
    pub(super) fn cost(&self) -> u64 {
        let bytes = match &self.persist.op {
            PersistOp::Append(body) => body.len(),
            PersistOp::Put { key, value } => key
                .len()
                .saturating_add(value.len())
                .saturating_add(entry::OVERHEAD),
            PersistOp::Delete { key } => key.len(),
            PersistOp::DropBefore(_) => FRONT_KEY.len(),
        };
        u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_add(OP_OVERHEAD)
    }
}

/// What the store said of a batch. If it failed, nothing of it was kept; `full`: for lack of space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Outcome {
    Waiting,
    Stored,
    Failed { full: bool },
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Batch {
    pub(super) ticket: Ticket,
    /// What it holds, each append with its place in the journal.
    pub(super) entries: Vec<(Pending, Option<u64>)>,
    /// Where the journal stood before it, to go back to when it fails.
    tail_before: Tail,
    outcome: Outcome,
    /// A batch before it failed, so its sequences are wrong.
    pub(super) doomed: bool,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct LoadWaiting {
    origin: Origin,
    token: u64,
    wanted: BTreeSet<u64>,
}

/// The journal of one node. See the module's page.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Journal {
    pub(super) config: Config,
    pub(super) tail: Tail,
    pub(super) now: Time,
    pub(super) next_ticket: Ticket,
    /// To be written again before anything new; at most the batches in flight.
    pub(super) redo: VecDeque<Pending>,
    /// Accepted and not yet in a batch.
    pub(super) queue: VecDeque<Pending>,
    /// What `queue` costs; `redo` is not counted.
    pub(super) queue_bytes: u64,
    /// With the store, oldest first.
    pub(super) in_flight: VecDeque<Batch>,
    pub(super) loads: BTreeMap<Ticket, LoadWaiting>,
    pub(super) full_since: Option<Time>,
    pub(super) broken: bool,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Infallible, Event>,
    pub(super) stats: Stats,
}

impl Journal {
    /// A journal that goes on at `tail` (of [`Journal::replay`], or [`Tail::START`]). A torn tail
    /// is cut off in the store at once.
    #[must_use]
    pub fn new(config: Config, tail: Tail) -> Self {
        let mut journal = Self {
            config,
            tail,
            now: Time::ZERO,
            next_ticket: Ticket(1),
            redo: VecDeque::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            in_flight: VecDeque::new(),
            loads: BTreeMap::new(),
            full_since: None,
            broken: false,
            deadlines: Deadlines::new(),
            outbox: Outbox::new(0),
            stats: Stats::default(),
        };
        // The cut of a torn tail must not wait for the first write: until it is done, a crash would
        // find the tail again.
        journal.start_batches();
        journal
    }

    /// Reads the stored journal at start; `front` is what stands under [`FRONT_KEY`], or 1. See
    /// [`replay::replay`].
    ///
    /// # Errors
    /// [`ReplayError`] where the node must not start on it.
    pub fn replay(stored: &[(u64, Bytes)], front: u64) -> Result<Replay, ReplayError> {
        replay::replay(stored, front)
    }

    /// Since when the store is out of space.
    #[must_use]
    pub const fn full_since(&self) -> Option<Time> {
        self.full_since
    }

    /// Whether the store broke.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether nothing waits to become durable: a stopping node may go.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.queue.is_empty() && self.redo.is_empty()
    }

    /// Bytes that wait for a batch.
    #[must_use]
    pub const fn queued_bytes(&self) -> u64 {
        self.queue_bytes
    }

    /// The place of the next record.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.tail.next
    }

    /// Counters since the start.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn on_persist(&mut self, pending: Pending) {
        let cost = pending.cost();
        let bytes = self.queue_bytes.saturating_add(cost);
        // Refused at the door, so that what was accepted waits for the store only.
        if self.broken || bytes > self.config.queue_bytes_max {
            self.stats.refused = self.stats.refused.saturating_add(1);
            // `full` unless the store broke: the owner may try again once there is room.
            self.fail(&pending, !self.broken);
            return;
        }
        self.queue_bytes = bytes;
        self.queue.push_back(pending);
        self.start_batches();
    }

    fn on_outcome(&mut self, ticket: Ticket, outcome: Outcome) {
        let waiting = self
            .in_flight
            .iter_mut()
            .find(|batch| batch.ticket == ticket && batch.outcome == Outcome::Waiting);
        match waiting {
            Some(batch) => batch.outcome = outcome,
            // A second answer, or one that comes after a breakdown: it is counted and changes
            // nothing.
            None => self.stats.strays = self.stats.strays.saturating_add(1),
        }
        self.settle();
        self.start_batches();
    }

    /// Finishes batches from the oldest on, as far as their outcome is known.
    fn settle(&mut self) {
        while let Some(batch) = self.in_flight.pop_front() {
            match batch.outcome {
                // Answers may come in any order, but owners are told in the order of their
                // requests: who depends on an earlier record must not hear first. DeWitt 1984,
                // section 5.2: a later group commits only after those that it depends on.
                Outcome::Waiting => {
                    self.in_flight.push_front(batch);
                    return;
                }
                // The store kept it, but with sequences that go on from a batch that failed: it is
                // cut off and written again.
                Outcome::Stored if batch.doomed => self.redo_batch(batch),
                // Group commit (DeWitt 1984, section 5.2): one flush makes all of the batch
                // durable.
                Outcome::Stored => self.finish_batch(batch),
                Outcome::Failed { full } if is_forgiven(full) => self.finish_batch(batch),
                // No space is no doubt about the disk: nothing of the batch was kept, so going on
                // is safe.
                Outcome::Failed { full: true } => self.give_back_batch(batch),
                // Rebello ATC'20, section 5: after a failed flush the kernel may have dropped what
                // it could not write and report the next flush as a success. Trying again proves
                // nothing, so the journal stops.
                Outcome::Failed { full: false } => self.break_down(Some(batch)),
            }
        }
    }

    fn finish_batch(&mut self, batch: Batch) {
        self.stats.batches = self.stats.batches.saturating_add(1);
        for (pending, sequence) in batch.entries {
            self.stats.durable = self.stats.durable.saturating_add(1);
            let persisted = Persisted {
                token: pending.persist.token,
                sequence,
            };
            let origin = pending.origin;
            self.outbox.event(Event::Persisted { origin, persisted });
        }
        // A batch went through, be it the probe or a usual one: there is space again.
        if self.full_since.take().is_some() {
            self.deadlines.clear(&Timer::Probe);
            self.outbox.event(Event::Recovered);
        }
    }

    fn redo_batch(&mut self, batch: Batch) {
        self.stats.rewritten = self.stats.rewritten.saturating_add(1);
        // What the store kept of it stands where the next record goes.
        self.tail.truncate = true;
        // In the old order, before all that waits: no owner sees its requests swapped.
        self.redo
            .extend(batch.entries.into_iter().map(|(pending, _)| pending));
    }

    fn give_back_batch(&mut self, batch: Batch) {
        // A doomed batch has moved nothing: the tail was set back when the first one failed.
        if !batch.doomed {
            if !planted::is(Planted::SequenceSkipped) {
                self.tail = batch.tail_before;
            }
            // Those behind it continue its chain and its sequences, which are given anew.
            for later in &mut self.in_flight {
                later.doomed = true;
            }
        }
        // They are failed, not kept: the owner knows best whether to try again, and memory stays
        // bounded.
        for (pending, _) in &batch.entries {
            self.fail(pending, true);
        }
        // The event tells of the change only; `finish_batch` tells of the end.
        if self.full_since.is_none() {
            self.full_since = Some(self.now);
            self.outbox.event(Event::Full { since: self.now });
        }
        self.deadlines
            .set(Timer::Probe, self.now + self.config.full_retry);
    }

    fn break_down(&mut self, batch: Option<Batch>) {
        self.broken = true;
        self.deadlines.clear(&Timer::Probe);
        // All that was accepted gets its answer: what is with the store, what is to be written
        // again, what waits.
        let in_flight = core::mem::take(&mut self.in_flight);
        // Some of these may be on disk all the same. They are reported as not kept; the replay at
        // the next start finds what is there.
        let written = batch
            .into_iter()
            .chain(in_flight)
            .flat_map(|batch| batch.entries)
            .map(|(pending, _)| pending);
        let waiting = core::mem::take(&mut self.redo)
            .into_iter()
            .chain(core::mem::take(&mut self.queue));
        for pending in written.chain(waiting) {
            self.fail(&pending, false);
        }
        // `redo` has no bytes in this sum: they were taken off when its batches were started.
        self.queue_bytes = 0;
        self.outbox.event(Event::Broken);
    }

    fn fail(&mut self, pending: &Pending, full: bool) {
        self.stats.failed = self.stats.failed.saturating_add(1);
        let token = pending.persist.token;
        self.outbox.event(Event::PersistFailed {
            origin: pending.origin,
            failed: PersistFailed { token, full },
        });
    }

    /// Hands batches to the store while there is something to write and room in flight.
    fn start_batches(&mut self) {
        loop {
            // Nothing may follow a batch whose sequences are wrong, or a cut that may not happen.
            let unsure = self
                .in_flight
                .iter()
                .any(|batch| batch.doomed || batch.tail_before.truncate);
            let room = self.in_flight.len() < usize::from(self.config.in_flight_max);
            // A tail to cut off is no reason to hammer a full store: the probe carries it.
            let cut = self.tail.truncate && self.full_since.is_none();
            let wanted = cut || !self.redo.is_empty() || !self.queue.is_empty();
            if self.broken || unsure || !room || !wanted {
                return;
            }
            self.start_batch(Vec::new());
        }
    }

    /// One batch: the cut, `ops`, then as much of what waits as fits.
    fn start_batch(&mut self, mut ops: Vec<StoreOp>) {
        // Kept, to go back to if the store fails the batch.
        let tail_before = self.tail;
        // The cut comes first in the batch: it must not remove what the batch appends.
        if self.tail.truncate {
            ops.insert(
                0,
                StoreOp::Truncate {
                    from: self.tail.next,
                },
            );
            // The cut is part of this batch now. If it fails, `tail_before` brings it back.
            self.tail.truncate = false;
        }
        let mut entries = Vec::new();
        let mut bytes = 0_u64;
        // What the caller gives beforehand (the probe) is not counted: the first one of the queue
        // goes in all the same.
        while let Some(pending) = self.next_pending(bytes, entries.len()) {
            bytes = bytes.saturating_add(pending.cost());
            let sequence = self.write_op(&pending, &mut ops);
            entries.push((pending, sequence));
        }
        let ticket = self.take_ticket();
        self.in_flight.push_back(Batch {
            ticket,
            entries,
            tail_before,
            outcome: Outcome::Waiting,
            doomed: false,
        });
        self.outbox.event(Event::Store(StoreBatch { ticket, ops }));
    }

    /// The next waiting operation, if it fits into a batch of that many bytes and operations.
    fn next_pending(&mut self, bytes: u64, ops: usize) -> Option<Pending> {
        // Before anything new, so that the order of requests stays.
        let again = !self.redo.is_empty();
        let first = if again {
            self.redo.front()
        } else {
            self.queue.front()
        }?;
        let cost = first.cost();
        let fits = bytes.saturating_add(cost) <= self.config.batch_bytes_max
            && u32::try_from(ops).is_ok_and(|ops| ops < self.config.batch_ops_max);
        // A single operation may be larger than a batch: it goes alone, or it would wait for ever.
        if !fits && ops > 0 {
            return None;
        }
        if again {
            return self.redo.pop_front();
        }
        // Only of the queue: what is written again was taken off before.
        self.queue_bytes = self.queue_bytes.saturating_sub(cost);
        self.queue.pop_front()
    }

    fn write_op(&mut self, pending: &Pending, ops: &mut Vec<StoreOp>) -> Option<u64> {
        let (op, sequence) = match &pending.persist.op {
            PersistOp::Append(body) => {
                let sequence = self.tail.next;
                let (record, chain) =
                    record::encode(sequence, pending.origin, self.tail.chain, body);
                // 2⁶⁴ records are out of reach: a stored gap that large does not replay.
                self.tail.next = sequence.saturating_add(1);
                self.tail.chain = chain;
                (StoreOp::Append { sequence, record }, Some(sequence))
            }
            PersistOp::Put { key, value } => {
                let (key, value) = (key.clone(), entry::seal(key, value));
                (StoreOp::Put { key, value }, None)
            }
            PersistOp::Delete { key } => (StoreOp::Delete { key: key.clone() }, None),
            PersistOp::DropBefore(before) => {
                // At least the last record stays: the next one carries its link.
                let before = (*before).min(self.tail.next.saturating_sub(1));
                let (key, value) = (String::from(FRONT_KEY), before.to_le_bytes());
                let value = entry::seal(&key, &value);
                ops.push(StoreOp::Put { key, value });
                (StoreOp::DropBefore { before }, None)
            }
        };
        ops.push(op);
        sequence
    }

    fn take_ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.next();
        ticket
    }

    fn on_load(&mut self, origin: Origin, token: u64, sequences: &[u64]) {
        let fits = |count: usize, max: u32| u32::try_from(count).is_ok_and(|count| count <= max);
        // Refused, not queued: the owner has its own patience and asks again.
        let room = fits(self.loads.len().saturating_add(1), self.config.loads_max);
        if !room || !fits(sequences.len(), self.config.load_records_max) {
            self.stats.loads_refused = self.stats.loads_refused.saturating_add(1);
            self.outbox.event(Event::LoadRefused { origin, token });
            return;
        }
        // Sorted and each once, as the store expects them.
        let wanted: BTreeSet<u64> = sequences.iter().copied().collect();
        let sequences = wanted.iter().copied().collect();
        let ticket = self.take_ticket();
        self.loads.insert(
            ticket,
            LoadWaiting {
                origin,
                token,
                wanted,
            },
        );
        self.outbox.event(Event::Load { ticket, sequences });
    }

    fn on_loaded(&mut self, ticket: Ticket, stored: Vec<(u64, Bytes)>) {
        let Some(load) = self.loads.remove(&ticket) else {
            self.stats.strays = self.stats.strays.saturating_add(1);
            return;
        };
        let mut found = BTreeMap::new();
        for (sequence, bytes) in stored {
            // A store that gives what was not asked for has mixed something up; it is not passed
            // on.
            if !load.wanted.contains(&sequence) {
                self.stats.strays = self.stats.strays.saturating_add(1);
            } else if let Ok(record) = record::decode(sequence, None, &bytes) {
                // `None`: the record before it is not at hand, so the chain can't be checked. The
                // checksum covers the sequence, so a record of another place is noticed.
                found.insert(sequence, record.body);
            }
        }
        // Damaged and missing are one to the owner: both have to come from elsewhere.
        let damaged: Vec<u64> = load
            .wanted
            .into_iter()
            .filter(|sequence| !found.contains_key(sequence))
            .collect();
        let count = u64::try_from(damaged.len()).unwrap_or(u64::MAX);
        self.stats.damaged = self.stats.damaged.saturating_add(count);
        self.outbox.event(Event::Loaded {
            origin: load.origin,
            token: load.token,
            records: found.into_iter().collect(),
            damaged,
        });
    }

    /// Looks whether a full store has space again, unless something is on its way anyway.
    fn on_probe(&mut self) {
        if self.broken || self.full_since.is_none() {
            return;
        }
        // Something with the store will tell by itself whether there is space.
        if self.in_flight.is_empty() {
            let key = String::from(PROBE_KEY);
            let value = Bytes::from(alloc::vec![0; PROBE_BYTES]);
            // Written and removed in one batch: the probe leaves nothing, also after a crash.
            self.start_batch(alloc::vec![
                StoreOp::Put {
                    key: key.clone(),
                    value
                },
                StoreOp::Delete { key },
            ]);
        }
        // Again and again until a batch goes through; `finish_batch` ends it.
        self.deadlines
            .set(Timer::Probe, self.now + self.config.full_retry);
    }
}

/// A planted bug: a failed batch counts as written.
fn is_forgiven(full: bool) -> bool {
    planted::is(if full {
        Planted::FullIsPersisted
    } else {
        Planted::FailedIsPersisted
    })
}

impl Machine for Journal {
    type Message = Infallible;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Infallible, Command>) {
        // The owner's clock is monotonic; should it not be, deadlines still must not move back.
        self.now = self.now.max(now);
        let command = match input {
            Input::Message { message, .. } => match message {},
            Input::Command(command) => command,
        };
        match command {
            Command::Persist { origin, persist } => self.on_persist(Pending { origin, persist }),
            Command::Stored(ticket) => self.on_outcome(ticket, Outcome::Stored),
            Command::Failed { ticket, full } => self.on_outcome(ticket, Outcome::Failed { full }),
            Command::Lost if !self.broken => self.break_down(None),
            // What was to be answered was answered when it broke.
            Command::Lost => {}
            Command::Load {
                origin,
                token,
                sequences,
            } => self.on_load(origin, token, &sequences),
            Command::Loaded { ticket, records } => self.on_loaded(ticket, records),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::Probe => self.on_probe(),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Event>> {
        self.outbox.pop()
    }
}

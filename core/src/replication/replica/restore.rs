//! The replay of the journal at start.

use crate::{
    kernel::{
        crypto::{Signed, decode_exactly},
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Record, hash_of},
        clock::Hlc,
        log::chain_of,
        replica::{
            context::size, forks::keep::keep_proof, machine::Replica, opened::Used,
            trim::record_bytes,
        },
    },
};
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

/// Why a journal record can't be used. The rest of the journal can; what is missing comes from
/// peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// It is not a record of this version.
    Undecodable,
    /// Its signature does not hold (only checked if `verify_on_restore` is set).
    BadSignature,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undecodable => "the journal record can't be decoded",
            Self::BadSignature => "the journal record's signature does not hold",
        })
    }
}

impl core::error::Error for RestoreError {}

/// The stamps of this node's writes in chains that it has not closed, by shard; only of shards of whose closed
/// chains the journal has something.
struct OpenStamps(BTreeMap<u16, BTreeSet<Hlc>>);

impl OpenStamps {
    fn of(me: NodeId, records: &[(u64, Signed<Batch>)]) -> Self {
        let own = || {
            let batches = records.iter().map(|(_, signed)| signed.claims());
            batches.filter(move |batch| batch.author == me)
        };
        let mut closed: BTreeMap<u16, u32> = BTreeMap::new();
        for batch in own() {
            let below = closed.entry(batch.shard).or_default();
            *below = (*below).max(batch.closed);
        }
        let is_closed = |batch: &Batch| {
            let below = closed.get(&batch.shard);
            below.is_some_and(|below| batch.epoch < *below)
        };
        let mut open: BTreeMap<u16, BTreeSet<Hlc>> = BTreeMap::new();
        for batch in own().filter(|batch| is_closed(batch)) {
            open.entry(batch.shard).or_default();
        }
        for batch in own().filter(|batch| !is_closed(batch)) {
            if let Some(stamps) = open.get_mut(&batch.shard) {
                stamps.extend(batch.ops.iter().map(|op| op.stamp));
            }
        }
        Self(open)
    }
}

impl Replica {
    /// Takes one record of the journal, in journal order, before the first input.
    ///
    /// # Errors
    /// [`RestoreError`] when the record is unusable; nothing changed then.
    pub fn restore(&mut self, journal_sequence: u64, body: &[u8]) -> Result<(), RestoreError> {
        self.trim.note_record(journal_sequence);
        let record = decode_exactly(body).map_err(|_| RestoreError::Undecodable)?;
        match record {
            Record::Batch(mut signed) => {
                self.recheck(&mut signed)?;
                self.restoring.push((journal_sequence, *signed));
                Ok(())
            }
            Record::Fork(proof) => {
                // The journal's checksums find rot. A signature is needed only against who could
                // write to the disk.
                let (mut first, mut second) = (proof.0.clone(), proof.1.clone());
                self.recheck(&mut first)?;
                self.recheck(&mut second)?;
                let (chain, sequence) = chain_of(first.claims());
                // The fork may precede its batches in the journal: `append` then puts these among
                // the side branches.
                self.db.log.fork(chain, sequence, proof.clone());
                keep_proof(&mut self.cx, &mut self.db, &proof);
                Ok(())
            }
        }
    }

    fn restore_batch(&mut self, journal_sequence: u64, signed: Signed<Batch>) {
        self.trim.add(record_bytes(&signed));
        let lane = self.cx.lane_of(signed.claims());
        // The log here has nothing staged, so its own end counts.
        let end = self.db.log.end(&lane);
        let (chain, sequence) = chain_of(signed.claims());
        // A record before it was damaged or skipped, or it was journaled twice. Others' batches are
        // fetched again; our own may be nowhere else.
        if !end.precedes(&lane, signed.claims()) {
            self.cx.stats.restore_skipped = self.cx.stats.restore_skipped.saturating_add(1);
            let is_held = self.db.log.holds(&lane, sequence, hash_of(&signed)) == Some(true);
            if lane.writer.node == self.cx.me && !is_held {
                self.forks.reissue.find_orphan(journal_sequence, &signed);
                // The chain was longer once. If this node went on from the shorter end, it would
                // sign a second batch with a sequence that is in use: a fork.
                if sequence > end.sequence {
                    self.forks.epochs.note_gap(chain, sequence);
                }
            }
            return;
        }
        // No batch is confirmed or pushed again here: peers compare once they are linked.
        self.db.log.append(&lane, journal_sequence, &signed);
        let batch = signed.claims();
        if batch.author == self.cx.me {
            self.forks.epochs.note_own(batch);
        }
        // The clock must go on after every stamp that it gave before the crash.
        for op in batch.ops.iter().cloned() {
            if !planted::is(Planted::ClockNotRestored) {
                self.db.clock.observe(op.stamp);
            }
            let place = (&batch.namespace, batch.shard);
            self.db.cells.apply(place, batch.author, op);
        }
        self.db.keep_at_hand(&self.cx, journal_sequence, signed);
    }

    /// In a tab: the namespaces that it holds. In the order of the journal, so those that changed last stay.
    fn open_restored(&mut self) {
        let max = size(self.cx.config.namespaces_max);
        for (_, signed) in &self.restoring {
            let namespace = &signed.claims().namespace;
            if let Used::Opened(Some(evicted)) = self.db.opened.use_one(namespace, max) {
                self.db.opened.remove(&evicted);
            }
        }
    }

    /// Ends the replay: revisions start at 1 from here. A tab follows what it held again.
    pub fn finish_restore(&mut self) {
        if self.cx.role == Role::Tab {
            self.open_restored();
        }
        let mut records = core::mem::take(&mut self.restoring);
        // Of two copies the later one: the front, with the earlier one, may be about to go.
        records.sort_by_key(|(journal, signed)| {
            let (chain, sequence) = chain_of(signed.claims());
            (chain, sequence, core::cmp::Reverse(*journal))
        });
        let open = OpenStamps::of(self.cx.me, &records);
        for (journal, signed) in records {
            self.restore_batch(journal, signed);
        }
        self.owe_what_is_closed(&open);
        self.forks.reissue.forget_closed(&self.db);
        self.forks.epochs.forget_closed(&self.db);
        // Gaps first: a chain may have become whole by a later copy of its batches.
        self.forks.epochs.fill_gaps(&self.db);
        // Before the first input, so no watcher has seen a revision of the replay.
        self.db
            .cells
            .restart_revisions(size(self.cx.config.changes_max));
        self.restore_epochs();
    }

    /// Versions of this node that stand in chains that it has closed, and in no other: its store went back, it
    /// wrote, and learnt then that it had gone on in another chain before.
    fn owe_what_is_closed(&mut self, open: &OpenStamps) {
        for (shard, stamps) in &open.0 {
            let mut after = None;
            loop {
                let part = self.db.cells.own_after(*shard, after.as_ref());
                if part.ops.iter().any(|op| !stamps.contains(&op.stamp)) {
                    self.compaction.owe(&mut self.cx, *shard);
                    break;
                }
                if part.is_last || part.last.is_none() {
                    break;
                }
                after = part.last;
            }
        }
    }

    fn recheck(&self, signed: &mut Signed<Batch>) -> Result<(), RestoreError> {
        if !self.cx.config.verify_on_restore {
            return Ok(());
        }
        // A checked signature is remembered in the batch.
        signed
            .precheck(self.cx.network)
            .map_err(|_| RestoreError::BadSignature)
    }
}

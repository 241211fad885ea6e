//! The replay of the journal at start.

use crate::{
    kernel::{
        crypto::{Signed, decode_exactly},
        id::Role,
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Record, hash_of},
        log::chain_of,
        replica::{context::size, forks::keep::keep_proof, machine::Replica, opened::Used},
    },
};
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

impl Replica {
    /// Takes one record of the journal, in journal order, before the first input.
    ///
    /// # Errors
    /// [`RestoreError`] when the record is unusable; nothing changed then.
    pub fn restore(&mut self, journal_sequence: u64, body: &[u8]) -> Result<(), RestoreError> {
        let record = decode_exactly(body).map_err(|_| RestoreError::Undecodable)?;
        match record {
            Record::Batch(signed) => self.restore_batch(journal_sequence, *signed),
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

    fn restore_batch(
        &mut self,
        journal_sequence: u64,
        mut signed: Signed<Batch>,
    ) -> Result<(), RestoreError> {
        self.recheck(&mut signed)?;
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
            return Ok(());
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
            self.db.cells.apply(&batch.namespace, batch.author, op);
        }
        if self.cx.role == Role::Tab {
            // In the order of the journal, so those that changed last stay.
            let max = size(self.cx.config.namespaces_max);
            if let Used::Opened(Some(evicted)) = self.db.opened.use_one(&batch.namespace, max) {
                self.db.opened.remove(&evicted);
            }
        }
        self.db.keep_at_hand(&self.cx, journal_sequence, signed);
        Ok(())
    }

    /// Ends the replay: revisions start at 1 from here. A tab follows what it held again.
    pub fn finish_restore(&mut self) {
        // Gaps first: a chain may have become whole by a later copy of its batches.
        self.forks.epochs.fill_gaps(&self.db);
        // Before the first input, so no watcher has seen a revision of the replay.
        self.db
            .cells
            .restart_revisions(size(self.cx.config.changes_max));
        self.restore_epochs();
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

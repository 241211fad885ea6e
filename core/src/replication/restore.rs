//! The replay of the journal at start.

use crate::{
    kernel::{
        crypto::{Signed, decode_exactly},
        id::Role,
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Record, hash_of},
        intake::chain_of,
        replica::{Replica, size},
        sync::chain_lane,
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
                let (mut first, mut second) = (proof.0.clone(), proof.1.clone());
                self.recheck(&mut first)?;
                self.recheck(&mut second)?;
                let (chain, sequence) = chain_of(first.claims());
                self.log.fork(chain, sequence, proof.clone());
                self.pool_proof(&proof);
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
        let lane = self.lane_of(signed.claims());
        let end = self.log.end(&lane);
        let (chain, sequence) = chain_of(signed.claims());
        if !end.precedes(&lane, signed.claims()) {
            self.stats.restore_skipped = self.stats.restore_skipped.saturating_add(1);
            let is_held = self.log.holds(&lane, sequence, hash_of(&signed)) == Some(true);
            if lane.writer.node == self.me && !is_held {
                self.find_orphan(journal_sequence, &signed);
                if sequence > end.sequence {
                    let gap = self.own_gaps.entry(chain).or_insert(sequence);
                    *gap = (*gap).max(sequence);
                }
            }
            return Ok(());
        }
        self.log.append(&lane, journal_sequence, &signed);
        let batch = signed.claims();
        for op in batch.ops.iter().cloned() {
            if !planted::is(Planted::ClockNotRestored) {
                self.clock.observe(op.stamp);
            }
            self.cells.apply(&batch.namespace, batch.author, op);
        }
        if self.role == Role::Tab {
            self.opened.insert(batch.namespace.clone());
            if self.opened.len() > size(self.config.namespaces_max) {
                self.opened.remove(&batch.namespace);
            }
        }
        self.keep_at_hand(journal_sequence, signed);
        Ok(())
    }

    /// Ends the replay: revisions start at 1 from here. A tab follows what it held again.
    pub fn finish_restore(&mut self) {
        let log = &self.log;
        self.own_gaps
            .retain(|chain, to| log.end(&chain_lane(*chain)).sequence < *to);
        self.cells.restart_revisions(size(self.config.changes_max));
        self.restore_lives();
    }

    fn recheck(&self, signed: &mut Signed<Batch>) -> Result<(), RestoreError> {
        if !self.config.verify_on_restore {
            return Ok(());
        }
        signed
            .precheck(self.network)
            .map_err(|_| RestoreError::BadSignature)
    }
}

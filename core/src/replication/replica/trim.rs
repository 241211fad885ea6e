//! The front of the journal is dropped once most of the journal is of no use: what is still needed of it is copied
//! behind its end first.
//!
//! | step | what |
//! |---|---|
//! | begin | the journal holds twice what the chains need, and `overwritten_bytes_max` more |
//! | the same for less | somebody asked for it: an eighth of what is needed is enough |
//! | copy | the batches before the cut that are needed, in the order of the journal, a window at a time, and proofs of forks |
//! | drop | once all copies are durable, a few records at a time: the disk has others to serve |
//!
//! A crash between the steps leaves copies, of which the replay takes one. Records of one chain may stand in any
//! order afterwards: the replay sorts them.
//!
//! Not here: the format of the journal and its front (`recovery`), giving room back to the disk (the hosts).

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Signed, decode_exactly},
        id::Role,
        persist::{Persist, PersistOp},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Record, SHARDS},
        log::Lane,
        replica::{context::Timer, contract::Event, machine::Replica},
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

/// The most batches, and the most bytes of them, that are copied at a time.
const COPIES_MAX: usize = 64;
const COPIED_BYTES_MAX: u64 = 1 << 20;
/// Between two windows: others need the journal too.
const STEP: Duration = Duration::from_millis(50);
/// About how many bytes of records are dropped at a time, and the least and most records: what a disk frees within
/// some milliseconds.
const DROPPED_BYTES: u64 = 4 << 20;
const DROPPED_MIN: u64 = 16;
const DROPPED_MAX: u64 = 4_096;
/// How much must be of no use, where somebody asked: more than this part of what is needed, and of
/// `overwritten_bytes_max`.
const WANTED_SHARE: u64 = 8;
/// How long the journal may take to be read before it is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Trim {
    /// The bytes of all records that are in the journal, about.
    bytes: u64,
    /// No record before this one is in the journal.
    front: u64,
    moving: Option<Moving>,
    /// Somebody wants the room back.
    is_wanted: bool,
}

/// A batch of which a copy is with the journal: its place, lane and sequence.
type Copied = (u64, Lane, u64);

/// A front that is being copied.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Moving {
    /// The first record that stays.
    cut: u64,
    /// The bytes of the records before it, about.
    bytes: u64,
    /// What is to be copied if it is still needed, in the order of the journal: its place and bytes.
    todo: VecDeque<(u64, u32)>,
    /// The journal is being read for these.
    loading: Option<u64>,
    /// Copies with the journal: of which place, lane and sequence; `None` for proofs, which are found by
    /// their chains.
    copies: BTreeMap<u64, Option<Copied>>,
    /// A part of the front is being dropped: by which ask, and what is the first record that stays then.
    dropping: Option<(u64, u64)>,
}

impl Trim {
    /// A record is in the journal.
    pub(in crate::replication) const fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Somebody wants the room back once nothing is written anew.
    pub(in crate::replication) const fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Whether the front is being moved.
    pub(in crate::replication) const fn is_running(&self) -> bool {
        self.moving.is_some()
    }

    /// The bytes of all records that are in the journal, about.
    pub(in crate::replication) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether so much of the journal is of no use that its front should go.
    const fn is_due(&self, needed: u64, slack: u64) -> bool {
        let most = if self.is_wanted {
            needed
                .saturating_add(needed / WANTED_SHARE)
                .saturating_add(slack / WANTED_SHARE)
        } else {
            needed.saturating_mul(2).saturating_add(slack)
        };
        self.bytes > most
    }

    /// A record was found in the journal at the start, in the order of the journal.
    pub(in crate::replication) const fn note_record(&mut self, place: u64) {
        if self.front == 0 {
            self.front = place;
        }
    }

    /// How many bytes a record has, on the average.
    fn each(&self, cut: u64) -> u32 {
        let records = cut.saturating_sub(self.front).max(1);
        let each = self.bytes.checked_div(records).unwrap_or(0);
        u32::try_from(each).unwrap_or(u32::MAX)
    }

    /// How many records go at a time.
    fn drop_step(&self, cut: u64) -> u64 {
        let each = u64::from(self.each(cut)).max(1);
        let step = DROPPED_BYTES.checked_div(each).unwrap_or(0);
        step.clamp(DROPPED_MIN, DROPPED_MAX)
    }
}

impl Replica {
    /// Whether it is time to drop the front of the journal; begins with it if so.
    pub(in crate::replication) fn look_at_journal(&mut self) {
        if self.trim.is_running() {
            return;
        }
        let slack = self.cx.config.overwritten_bytes_max;
        let is_due = self.trim.is_due(self.db.log.bytes(), slack);
        self.trim.is_wanted &= self.compaction.to_do() > 0;
        // What no chain has is in the journal only, at its old place.
        if !is_due || (0..SHARDS).any(|shard| self.forks.reissue.has_orphans(shard)) {
            return;
        }
        let cut = self.db.log.journal_last().saturating_add(1);
        let todo: VecDeque<_> = match self.cx.role {
            Role::Relay => self.db.log.places().into(),
            // Of streams, which chains of others are in a tab, only the last places are known: all is read.
            Role::Tab => {
                let first = self.trim.front.max(1);
                let each = self.trim.each(cut);
                (first..cut).map(|place| (place, each)).collect()
            }
        };
        let todo = if planted::is(Planted::FrontNotCopied) {
            VecDeque::new()
        } else {
            todo
        };
        self.trim.moving = Some(Moving {
            cut,
            bytes: self.trim.bytes,
            todo,
            loading: None,
            copies: BTreeMap::new(),
            dropping: None,
        });
        for proof in self.db.log.proofs() {
            let token = self.cx.next_token();
            self.cx.persist(token, &Record::Fork(proof));
            self.note_copy(token, None);
        }
        self.cx.deadlines.set(Timer::Trim, self.cx.now + STEP);
    }

    fn note_copy(&mut self, token: u64, of: Option<Copied>) {
        if let Some(moving) = &mut self.trim.moving {
            moving.copies.insert(token, of);
        }
    }

    /// Copies the next window, or drops the front once all is copied.
    pub(in crate::replication) fn on_trim_due(&mut self) {
        let Some(moving) = &mut self.trim.moving else {
            return;
        };
        if !moving.copies.is_empty() || moving.dropping.is_some() {
            self.cx.deadlines.set(Timer::Trim, self.cx.now + STEP);
            return;
        }
        if moving.todo.is_empty() {
            let cut = moving.cut;
            self.drop_some(cut);
            return;
        }
        let mut sequences = Vec::new();
        let mut bytes = 0_u64;
        while let Some((place, size)) = moving.todo.front() {
            bytes = bytes.saturating_add(u64::from(*size));
            let fits = sequences.len() < COPIES_MAX && bytes <= COPIED_BYTES_MAX;
            if !fits && !sequences.is_empty() {
                break;
            }
            sequences.push(*place);
            moving.todo.pop_front();
        }
        let token = self.cx.next_token();
        moving.loading = Some(token);
        self.cx.outbox.event(Event::Load { token, sequences });
        self.cx.deadlines.set(Timer::Trim, self.cx.now + PATIENCE);
    }

    /// Drops the next records of the front.
    fn drop_some(&mut self, cut: u64) {
        let token = self.cx.next_token();
        let before = self.trim.front.saturating_add(self.trim.drop_step(cut));
        let before = before.min(cut);
        if let Some(moving) = &mut self.trim.moving {
            moving.dropping = Some((token, before));
        }
        let op = PersistOp::DropBefore(before);
        self.cx.outbox.event(Event::Persist(Persist { token, op }));
        self.cx.deadlines.set(Timer::Trim, self.cx.now + PATIENCE);
    }

    /// The journal was read; answers whether that was asked for here.
    pub(in crate::replication) fn on_copies_loaded(
        &mut self,
        token: u64,
        records: &[(u64, Bytes)],
    ) -> bool {
        let Some(moving) = &mut self.trim.moving else {
            return false;
        };
        if moving.loading != Some(token) {
            return false;
        }
        moving.loading = None;
        for (place, body) in records {
            let Ok(Record::Batch(signed)) = decode_exactly::<Record>(body) else {
                continue;
            };
            self.copy(*place, signed);
        }
        self.cx.deadlines.set(Timer::Trim, self.cx.now + STEP);
        true
    }

    fn copy(&mut self, place: u64, signed: Box<Signed<Batch>>) {
        let lane = self.cx.lane_of(signed.claims());
        let sequence = signed.claims().sequence;
        // Its chain may have been closed meanwhile.
        if !self.db.log.needs(&lane, signed.claims(), place) {
            return;
        }
        let token = self.cx.next_token();
        self.cx.persist(token, &Record::Batch(signed));
        self.note_copy(token, Some((place, lane, sequence)));
    }

    /// Something of this is durable; answers whether it was asked for here.
    pub(in crate::replication) fn on_copy_persisted(
        &mut self,
        token: u64,
        journal: Option<u64>,
    ) -> bool {
        let Some(moving) = &mut self.trim.moving else {
            return false;
        };
        if let Some((_, before)) = moving.dropping.filter(|(own, _)| *own == token) {
            moving.dropping = None;
            self.trim.front = before;
            if before < moving.cut {
                self.cx.deadlines.set(Timer::Trim, self.cx.now + STEP);
                return true;
            }
            // The copies are what is needed. What else came behind the cut meanwhile is still there too.
            let fresh = self.trim.bytes.saturating_sub(moving.bytes);
            self.trim.bytes = self.db.log.bytes().saturating_add(fresh);
            self.trim.moving = None;
            self.cx.stats.trims = self.cx.stats.trims.saturating_add(1);
            self.cx.deadlines.clear(&Timer::Trim);
            self.look_at_journal();
            return true;
        }
        let Some(copied) = moving.copies.remove(&token) else {
            return false;
        };
        if let Some(((place, lane, sequence), journal)) = copied.zip(journal) {
            self.db.log.relocate(&lane, sequence, (place, journal));
        }
        true
    }

    /// Something of this was not kept: the front stays, and all begins anew some time. Answers whether it was
    /// asked for here.
    pub(in crate::replication) fn on_copy_failed(&mut self, token: u64) -> bool {
        let Some(moving) = &self.trim.moving else {
            return false;
        };
        let is_own = moving.dropping.is_some_and(|(own, _)| own == token)
            || moving.copies.contains_key(&token);
        if is_own {
            self.trim.moving = None;
            self.cx.deadlines.clear(&Timer::Trim);
        }
        is_own
    }
}

/// What a record takes in the journal, about.
pub(in crate::replication) fn record_bytes(signed: &Signed<Batch>) -> u64 {
    u64::try_from(signed.bytes().len()).unwrap_or(u64::MAX)
}

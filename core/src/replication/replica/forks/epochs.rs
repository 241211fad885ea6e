//! In which epoch this node writes in a shard: a writer epoch is the n-th chain of a node there.
//!
//! | its last chain there | what happens |
//! |---|---|
//! | whole | writes go there |
//! | forked | after a pause writes go to the next epoch; until then they wait |
//! | has a gap | refused; if no peer fills the gap in time, as above |
//! | ran ahead: its last stamps are held back by peers | after a pause writes go to the next epoch |
//! | forked, and the last epoch allowed | refused |
//! | ran ahead, and the last epoch allowed | writes go there, and are held back |
//! | mostly overwritten | writes go to the next epoch at once (`compaction`) |
//!
//! The pause lets a node that was restored from an old image hear of its later epochs first. It
//! would otherwise begin an epoch that exists already, and so fork that one too. Each epoch doubles
//! the pause, so that two processes with one identity do not use all epochs up at once.

use crate::{
    kernel::time::{Time, millis},
    replication::{
        batch::{Batch, EPOCH_LIMIT, EPOCHS_MAX, Writer},
        clock::Hlc,
        log::{ChainId, chain_lane},
        replica::{
            context::{Context, Timer},
            database::Database,
        },
        write::WriteBlock,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// Why there is no chain to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Unwritable {
    /// The next epoch begins then.
    Until(Time),
    /// A part of the chain is missing, and peers have not been asked for long enough.
    Gap,
    /// All epochs are used up.
    UsedUp,
}

impl Unwritable {
    /// What a writer is told.
    pub(in crate::replication) const fn block(self) -> WriteBlock {
        match self {
            Self::Until(_) => WriteBlock::LogForked,
            Self::Gap => WriteBlock::LogDamaged,
            Self::UsedUp => WriteBlock::EpochsUsedUp,
        }
    }
}

/// The pause before the second epoch; see the module. Shorter than a round of comparison it uses up
/// epochs, longer it keeps writers waiting.
pub(in crate::replication) const PAUSE: Duration = Duration::from_secs(1);
/// How often the pause doubles at most: 17 minutes.
const DOUBLINGS_MAX: u32 = 10;

/// When an epoch may begin.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Begin {
    at: Time,
    /// It is put off while a part of the own log is being fetched, but not beyond this.
    latest: Time,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Epochs {
    /// Our own batches that the journal once had beyond a damaged record, by chain: before they are
    /// back, nothing may be written there, or the chain would fork.
    gaps: BTreeMap<ChainId, u64>,
    /// By shard: when our next epoch may begin, if the chain there is of no more use.
    begins: BTreeMap<u16, Begin>,
    /// By shard: our last chain there and its newest stamp.
    newest: BTreeMap<u16, (Writer, Hlc)>,
    /// By shard: our last chain there, which was mostly overwritten and is being left.
    left: BTreeMap<u16, Writer>,
    /// By shard: our last chain there that ran ahead of the time, and its newest stamp.
    ahead: BTreeMap<u16, (Writer, Hlc)>,
}

impl Epochs {
    /// The chain that writes to a shard go to.
    pub(in crate::replication) fn writer_now(
        &self,
        cx: &Context,
        db: &Database,
        shard: u16,
    ) -> Result<Writer, Unwritable> {
        // The last epoch known here: earlier ones have ended, whether they forked or not.
        let last = db.log.epochs(shard, cx.me).next_back();
        let writer = last.map_or_else(|| Writer::first(cx.me), |head| head.writer);
        let is_forked = last.is_some_and(|head| head.forked_at != 0);
        let is_ahead = self.ahead.get(&shard).is_some_and(|(of, _)| *of == writer);
        let is_whole = !is_forked && !is_ahead && !self.gaps.contains_key(&(shard, writer));
        let is_left = self.left.get(&shard) == Some(&writer);
        let may_begin = may_begin(db, shard, writer);
        if is_whole && !(is_left && may_begin) {
            return Ok(writer);
        }
        // The bound is checked below.
        let next = Writer {
            epoch: writer.epoch.saturating_add(1),
            ..writer
        };
        if is_whole {
            return Ok(next);
        }
        match self.begins.get(&shard) {
            // First: the next epoch would be one that every node refuses on sight.
            _ if !may_begin => Err(Unwritable::UsedUp),
            Some(begin) if cx.now >= begin.at => Ok(next),
            Some(begin) => Err(Unwritable::Until(begin.at)),
            // No pause was begun: the chain has a gap, and nobody was linked since the start who
            // could fill it.
            None => Err(Unwritable::Gap),
        }
    }

    /// Our last chain in a shard is written to no more: what is left of it goes to the next one.
    pub(in crate::replication) fn leave(&mut self, shard: u16, writer: Writer) {
        self.left.insert(shard, writer);
    }

    /// A chain of our own has forked.
    pub(in crate::replication) fn on_own_fork(
        &mut self,
        cx: &mut Context,
        db: &Database,
        (shard, writer): ChainId,
    ) {
        let last = db.log.epochs(shard, cx.me).next_back();
        // Writes go to a later epoch already. What has to be issued again of this one needs no long
        // pause.
        if last.is_some_and(|head| head.writer > writer) {
            cx.deadlines
                .set_earlier(Timer::Epoch(shard), cx.now + PAUSE);
            return;
        }
        // 1 s for the second epoch, 2 s for the third, up to 17 minutes.
        let pause = PAUSE.saturating_mul(1 << writer.epoch.min(DOUBLINGS_MAX));
        self.begin_within(cx, shard, pause);
    }

    /// A batch of our own is in the log.
    pub(in crate::replication) fn note_own(&mut self, batch: &Batch) {
        // What is issued again keeps its stamps. A chain is not ended for it: the next one would have
        // to issue it as well.
        if batch.reissue.is_some() {
            return;
        }
        let new = (batch.writer(), batch.newest());
        let newest = self.newest.entry(batch.shard).or_insert(new);
        *newest = (*newest).max(new);
    }

    /// Ends our chains that ran ahead of the time.
    pub(in crate::replication) fn leave_ahead_behind(&mut self, cx: &mut Context, db: &Database) {
        let ahead_max = millis(cx.config.ahead_max);
        let ran_ahead = |stamp: Hlc| db.clock.ran_ahead(cx.now, stamp, ahead_max);
        let ended: Vec<_> = self
            .newest
            .iter()
            .filter(|(_, (_, stamp))| ran_ahead(*stamp))
            .map(|(shard, newest)| (*shard, *newest))
            .collect();
        for (shard, (writer, stamp)) in ended {
            // A last epoch is not ended: what is held back for a while is better than refused for good.
            if !may_begin(db, shard, writer) || self.writer_now(cx, db, shard) != Ok(writer) {
                continue;
            }
            self.ahead.insert(shard, (writer, stamp));
            self.begin_within(cx, shard, PAUSE);
        }
    }

    /// The newest stamp of our chains that ran ahead.
    pub(in crate::replication) fn left_behind(&self) -> Option<Hlc> {
        self.ahead.values().map(|(_, stamp)| *stamp).max()
    }

    fn begin_within(&mut self, cx: &mut Context, shard: u16, span: Duration) {
        let at = cx.now + span;
        // `latest` bounds how long a peer that only claims to have a part can put the epoch off.
        let latest = at + cx.config.epoch_patience;
        self.begins.insert(shard, Begin { at, latest });
        cx.deadlines.set(Timer::Epoch(shard), at);
    }

    /// The first link since the start: peers are asked for our gaps now, for so long.
    pub(in crate::replication) fn ask_for_gaps(&mut self, cx: &mut Context, db: &Database) {
        let shards: Vec<u16> = self.gaps.keys().map(|(shard, _)| *shard).collect();
        for shard in shards {
            // A fork may have begun a pause already; it stays as it is.
            if self.writer_now(cx, db, shard) == Err(Unwritable::Gap) {
                self.begin_within(cx, shard, cx.config.epoch_patience);
            }
        }
    }

    /// Our chain was longer than it is: up to this batch at least.
    pub(in crate::replication) fn note_gap(&mut self, chain: ChainId, sequence: u64) {
        // The greatest sequence counts: all before it has to be there.
        let gap = self.gaps.entry(chain).or_insert(sequence);
        *gap = (*gap).max(sequence);
    }

    /// Our chain reaches up to `end` again.
    pub(in crate::replication) fn fill_gap(&mut self, chain: ChainId, end: u64) {
        if self.gaps.get(&chain).is_some_and(|to| *to <= end) {
            self.gaps.remove(&chain);
        }
    }

    /// After the replay: forgets the gaps that are none.
    pub(in crate::replication) fn fill_gaps(&mut self, db: &Database) {
        let is_open =
            |chain: &ChainId, to: &mut u64| db.log.end(&chain_lane(*chain)).sequence < *to;
        self.gaps.retain(is_open);
    }

    /// Forgets what is of closed chains.
    pub(in crate::replication) fn forget_closed(&mut self, db: &Database) {
        self.gaps.retain(|chain, _| !db.log.is_closed(*chain));
    }

    /// Wakes when the next epoch of a shard may begin, if that is still to come.
    pub(in crate::replication) fn wait_for(&self, cx: &mut Context, shard: u16) {
        // Without this, an early wake-up for side branches would leave the epoch without a timer.
        let begin = self.begins.get(&shard).filter(|begin| begin.at > cx.now);
        if let Some(begin) = begin {
            cx.deadlines.set_earlier(Timer::Epoch(shard), begin.at);
        }
    }

    /// Puts an epoch off while a part of our own chain is coming, but not for ever; answers whether
    /// it did.
    pub(in crate::replication) fn put_off(&mut self, cx: &mut Context, shard: u16) -> bool {
        let Some(begin) = self.begins.get_mut(&shard) else {
            return false;
        };
        if cx.now >= begin.latest {
            return false;
        }
        // A second more: about a round of fetching, which goes on as long as something comes.
        begin.at = begin.at.max(cx.now + PAUSE);
        cx.deadlines.set(Timer::Epoch(shard), begin.at);
        true
    }
}

/// Whether another epoch may follow this node's last one in a shard.
fn may_begin(db: &Database, shard: u16, writer: Writer) -> bool {
    let open = db.log.epochs(shard, writer.node).count();
    let has_room = u32::try_from(open).is_ok_and(|open| open < EPOCHS_MAX);
    has_room && writer.epoch.saturating_add(1) < EPOCH_LIMIT
}

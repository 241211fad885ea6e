//! Chains of which most was overwritten are left behind: their author writes what is left of them anew, and says
//! in a batch that the epochs before are closed. Whoever holds that batch forgets the old chains.
//!
//! | what | when |
//! |---|---|
//! | a node leaves its chain in a shard | more than half of its batches there, and more than `overwritten_bytes_max`, was overwritten |
//! | the same for less | somebody asked for it: an eighth of what is left is enough |
//! | its versions are written again, with the stamps that they had | one batch after the other, after fresh writes |
//! | the last of these batches closes the epochs before | or the next write, if nothing was left |
//!
//! A node whose store went back may learn from a peer, or from its journal, that it has closed chains. What it wrote
//! there since then stands in no other chain: so it writes that shard anew once more, whatever was overwritten.
//!
//! Who has the versions already is changed by nothing of this; who has been away fetches the new chain only.
//! Signatures stay those of the authors. A chain that forked, or has a gap, is mended first (`forks`).
//!
//! A tab does the same with its own chains, which it holds whole. Of others it holds parts, by namespace; each later
//! batch says again what is closed, so a part is forgotten with the next batch in its namespace.
//!
//! Not here: the room in the journal (`trim`).

use crate::{
    kernel::{
        crypto::Verified,
        planted::{self, Planted},
        text::{Key, Namespace},
    },
    replication::{
        batch::{Batch, Op, SHARDS, Writer},
        cells::OwnPart,
        log::chain_lane,
        queue::Source,
        replica::{
            context::{Context, Timer},
            database::Database,
            machine::Replica,
        },
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// Between two steps: others need the journal too.
const STEP: Duration = Duration::from_millis(20);
/// How much must have been overwritten, where somebody asked: more than this part of what is left, and of
/// `overwritten_bytes_max`.
const WANTED_SHARE: u64 = 8;
/// After something was in the way.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes of one namespace that are to be written again.
type Part = (Namespace, Vec<Op>);

/// A shard that is being written anew.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Running {
    shard: u16,
    /// The epochs before this one are to be closed.
    below: u32,
    /// The last key that was looked at.
    after: Option<(Namespace, Key)>,
    is_at_end: bool,
    /// Found and not written yet, in order; the last one closes.
    parts: Vec<Part>,
    /// The batch that closes is with the journal.
    is_closing: bool,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Compaction {
    running: Option<Running>,
    /// By shard: the epochs before this one are closed by the next write.
    closing: BTreeMap<u16, u32>,
    /// Shards that somebody wants to be looked at.
    wanted: BTreeSet<u16>,
    /// Shards with versions of this node that may stand in closed chains only: they have to be written anew.
    owed: BTreeSet<u16>,
}

impl Compaction {
    /// Whether a shard is being written anew.
    pub(in crate::replication) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// How many shards are being written anew, or are still to be looked at.
    pub(in crate::replication) fn to_do(&self) -> usize {
        self.wanted
            .len()
            .saturating_add(self.owed.len())
            .saturating_add(usize::from(self.is_running()))
    }

    /// Versions of this node in a shard may stand in closed chains only.
    pub(in crate::replication) fn owe(&mut self, cx: &mut Context, shard: u16) {
        self.owed.insert(shard);
        cx.deadlines.set_earlier(Timer::Compact, cx.now + STEP);
    }

    /// A batch of this node is in the log: what it closed is done.
    fn note_closed(&mut self, cx: &mut Context, db: &Database, shard: u16) {
        let closed = db.log.closed_below((shard, cx.me));
        if self
            .closing
            .get(&shard)
            .is_some_and(|below| *below <= closed)
        {
            self.closing.remove(&shard);
        }
        let is_done = |running: &Running| running.shard == shard && running.below <= closed;
        if self.running.as_ref().is_some_and(is_done) {
            self.running = None;
            self.owed.remove(&shard);
            cx.stats.compactions = cx.stats.compactions.saturating_add(1);
        }
    }
}

impl Replica {
    /// Below which epoch the next write of this node in a shard closes its chains.
    pub(in crate::replication) fn closed_by_next(&self, shard: u16, writer: Writer) -> u32 {
        let closed = self.db.log.closed_below((shard, self.cx.me));
        let next = self.compaction.closing.get(&shard).copied();
        // Who waits for a relay to hold a batch of an old chain is answered first.
        let ready = next.filter(|below| {
            let end = Writer {
                epoch: *below,
                ..writer
            };
            *below <= writer.epoch && !self.writes.awaits_before((shard, end))
        });
        closed.max(ready.unwrap_or(0))
    }

    /// A batch of this node became durable in a shard.
    pub(in crate::replication) fn look_at_overwritten(&mut self, shard: u16) {
        self.compaction.note_closed(&mut self.cx, &self.db, shard);
        self.writes.forget_closed(&self.db);
        if !self.compaction.is_running() && self.compaction.to_do() > 0 {
            let at = self.cx.now + STEP;
            self.cx.deadlines.set_earlier(Timer::Compact, at);
            return;
        }
        let least = self.cx.config.overwritten_bytes_max;
        if !self.compaction.is_running() && self.is_mostly_overwritten(shard, least) {
            self.begin_compaction(shard);
        }
    }

    /// Whether more than half of this node's batches in a shard, and more than so many bytes, was overwritten.
    fn is_mostly_overwritten(&self, shard: u16, least: u64) -> bool {
        let own = self.db.cells.own_bytes(shard);
        let overwritten = self.overwritten_bytes(shard);
        overwritten > least && overwritten > own
    }

    /// About how many bytes of this node's batches in a shard were overwritten.
    pub(in crate::replication) fn overwritten_bytes(&self, shard: u16) -> u64 {
        let held = self.db.log.held_bytes((shard, self.cx.me));
        held.saturating_sub(self.db.cells.own_bytes(shard))
    }

    /// Somebody wants the room back now.
    pub(in crate::replication) fn on_compact(&mut self) {
        let least = self.cx.config.overwritten_bytes_max;
        let is_worth_it = |shard: &u16| {
            let most = least.max(self.db.cells.own_bytes(*shard)) / WANTED_SHARE;
            self.overwritten_bytes(*shard) > most
        };
        let wanted: Vec<u16> = (0..SHARDS).filter(is_worth_it).collect();
        self.compaction.wanted.extend(wanted);
        self.trim.want();
        self.cx.deadlines.set(Timer::Compact, self.cx.now + STEP);
    }

    /// Begins with the next shard that somebody wants to be looked at; with none left, the journal is.
    fn begin_wanted(&mut self) {
        for shard in self.compaction.owed.clone() {
            if !self.compaction.is_running() {
                self.begin_compaction(shard);
            }
        }
        while !self.compaction.is_running() {
            let Some(shard) = self.compaction.wanted.pop_first() else {
                break;
            };
            self.begin_compaction(shard);
        }
        if self.compaction.is_running() {
            return;
        }
        self.look_at_journal();
        // Something is mended first.
        self.look_again_at_owed();
    }

    fn begin_compaction(&mut self, shard: u16) {
        let owner = (shard, self.cx.me);
        let last = self.db.log.epochs(shard, self.cx.me).next_back();
        let Some(writer) = last.map(|head| head.writer) else {
            return;
        };
        // What stands beyond forks and gaps is issued again first: its batches are still needed.
        let is_mending = self.db.log.branches().next(owner, 0).is_some()
            || self.forks.reissue.has_orphans(shard);
        // It waits for the next write already, unless something has to be written again.
        let is_closing = self.compaction.closing.contains_key(&shard);
        let is_owed = self.compaction.owed.contains(&shard);
        let may_begin = match self.forks.epochs.writer_now(&self.cx, &self.db, shard) {
            Ok(now) if now == writer => is_owed || !is_closing,
            // It was left already.
            Ok(_) => is_owed,
            Err(_) => false,
        };
        if is_mending || !may_begin {
            return;
        }
        self.forks.epochs.leave(shard, writer);
        // All epochs are in use: nothing can be left.
        if self.forks.epochs.writer_now(&self.cx, &self.db, shard) == Ok(writer) {
            return;
        }
        if planted::is(Planted::ClosedTooEarly) {
            let below = writer.epoch.saturating_add(1);
            self.compaction.closing.insert(shard, below);
            return;
        }
        self.compaction.closing.remove(&shard);
        self.compaction.running = Some(Running {
            shard,
            below: writer.epoch.saturating_add(1),
            after: None,
            is_at_end: false,
            parts: Vec::new(),
            is_closing: false,
        });
        self.cx.deadlines.set(Timer::Compact, self.cx.now + STEP);
    }

    /// The next step of writing a shard anew.
    pub(in crate::replication) fn on_compact_due(&mut self) {
        let Some(running) = &self.compaction.running else {
            self.begin_wanted();
            return;
        };
        let (shard, below) = (running.shard, running.below);
        if self.is_blocked() {
            self.cx.deadlines.set(Timer::Compact, self.cx.now + PAUSE);
            return;
        }
        let writer = match self.forks.epochs.writer_now(&self.cx, &self.db, shard) {
            Ok(writer) if writer.epoch >= below => writer,
            // It forked meanwhile: that is mended first, and this begins anew some time.
            Ok(_) | Err(_) => {
                self.compaction.running = None;
                self.look_again_at_owed();
                return;
            }
        };
        // Fresh writes first; and one batch of ours in a shard at a time.
        let is_busy = self.db.has_staged(&self.cx, shard) || self.db.queue.has(shard);
        let wait = if is_busy {
            STEP
        } else {
            self.compact_step(shard, writer)
        };
        if self.compaction.is_running() {
            self.cx.deadlines.set(Timer::Compact, self.cx.now + wait);
        } else {
            self.look_again_at_owed();
        }
    }

    fn look_again_at_owed(&mut self) {
        if !self.compaction.owed.is_empty() {
            self.cx.deadlines.set(Timer::Compact, self.cx.now + PAUSE);
        }
    }

    fn compact_step(&mut self, shard: u16, writer: Writer) -> Duration {
        let Some(running) = &mut self.compaction.running else {
            return STEP;
        };
        if running.is_closing {
            // It was not kept: nothing is closed, and all begins anew some time.
            self.compaction.running = None;
            return STEP;
        }
        if !running.is_at_end && running.parts.len() < 2 {
            let found = self.db.cells.own_after(shard, running.after.as_ref());
            running.take(found);
            return STEP;
        }
        let (below, is_last) = (running.below, running.parts.len() < 2);
        if running.parts.is_empty() {
            // Nothing is left of what was written here: the next write says so.
            self.compaction.closing.insert(shard, below);
            self.compaction.running = None;
            self.compaction.owed.remove(&shard);
            return STEP;
        }
        // Who waits for a relay to hold a batch of an old chain is answered first, or gives up within seconds.
        let end = Writer {
            epoch: below,
            ..writer
        };
        if is_last && self.writes.awaits_before((shard, end)) {
            return STEP;
        }
        let (namespace, ops) = running.parts.remove(0);
        running.is_closing = is_last;
        let closed = if is_last {
            below
        } else {
            self.db.log.closed_below((shard, self.cx.me))
        };
        self.seal_rest(shard, writer, (namespace, ops), closed)
    }

    /// Seals a part of what is left; answers how long to wait then.
    fn seal_rest(
        &mut self,
        shard: u16,
        writer: Writer,
        (namespace, ops): Part,
        closed: u32,
    ) -> Duration {
        let lane = chain_lane((shard, writer));
        let batch = Batch {
            closed,
            ..self.db.next_batch(shard, writer, namespace, ops)
        };
        let batch = Verified::seal(batch, &self.cx.keypair, self.cx.network);
        let bytes = u64::try_from(batch.bytes().len()).unwrap_or(u64::MAX);
        if self.db.is_full(&mut self.cx, &lane, &batch, bytes) {
            // Nothing is lost: the old chain stays as it is.
            self.compaction.running = None;
            return PAUSE;
        }
        let (told, writers) = (Vec::new(), Vec::new());
        self.db
            .stage(&mut self.cx, lane, batch, Source::Own, told, writers);
        STEP
    }
}

impl Running {
    /// Takes what was found: parts whose stamps rise, as batches want it.
    fn take(&mut self, found: OwnPart) {
        self.is_at_end = found.is_last;
        self.after = found.last.or_else(|| self.after.take());
        let Some(namespace) = found.namespace else {
            return;
        };
        let mut ops = found.ops;
        ops.sort_by_key(|op| op.stamp);
        // Two with one stamp come only of a store that went back in time: they go into batches of their own.
        let mut part: Vec<Op> = Vec::new();
        for op in ops {
            if part.last().is_some_and(|last| last.stamp >= op.stamp) {
                self.parts
                    .push((namespace.clone(), core::mem::take(&mut part)));
            }
            part.push(op);
        }
        if !part.is_empty() {
            self.parts.push((namespace, part));
        }
    }
}

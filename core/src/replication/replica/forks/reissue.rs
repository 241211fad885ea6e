//! Issuing again what stands beyond forks of our own chains, or beyond gaps in them.
//!
//! Each such batch is issued once more, as one batch with the same writes, stamps and what they had
//! seen: who has them already changes nothing, who has not gets them. It names the batch that it
//! issues again, so that nothing is issued twice, also after a restart.
//!
//! Source: ADR 0012 (an honest author issues its own branch again, so that no user's write is
//! lost).

use crate::{
    kernel::{
        crypto::{Hash, Signed, Verified},
        time::Time,
    },
    replication::{
        batch::{Batch, Root, SHARDS, Writer, half, hash_of},
        log::{ChainId, chain_lane},
        queue::Source,
        replica::{
            answers::{Piece, piece_at},
            context::{Context, Timer},
            database::Database,
        },
        side_branches::Place,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// How long nothing is issued again after the journal or memory failed to take or give something.
const PAUSE: Duration = Duration::from_secs(10);

/// A batch of our own in the journal that does not follow the one before it.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Orphan {
    chain: ChainId,
    sequence: u64,
    hash: Hash,
    journal: u64,
}

/// Whose turn it is in a shard.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Turn {
    /// After which batch issuing again goes on.
    cursor: Option<Root>,
    /// The journal is being read for the next one.
    is_loading: bool,
    /// It is the turn of fresh writes.
    is_writes_turn: bool,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Reissue {
    /// Found at the replay only: at most one per record of the journal.
    orphans: Vec<(Root, Orphan)>,
    paused_until: Time,
    turns: BTreeMap<u16, Turn>,
}

impl Reissue {
    /// In the replay: notes a batch of our own that does not follow the one before it.
    pub(in crate::replication) fn find_orphan(&mut self, journal: u64, signed: &Signed<Batch>) {
        let batch = signed.claims();
        let hash = hash_of(signed);
        let orphan = Orphan {
            chain: (batch.shard, batch.writer()),
            sequence: batch.sequence,
            hash,
            journal,
        };
        // An orphan may itself have issued another batch again: the root stays that of the first
        // one.
        let root = half(batch.reissue.unwrap_or(hash));
        self.orphans.push((root, orphan));
    }

    pub(in crate::replication) fn shards_to_reissue(
        &self,
        cx: &Context,
        db: &Database,
    ) -> Vec<u16> {
        let mut shards = Vec::new();
        for shard in 0..SHARDS {
            let is_orphan = |(_, orphan): &(Root, Orphan)| orphan.chain.0 == shard;
            if db.log.branches().next((shard, cx.me), 0).is_some()
                || self.orphans.iter().any(is_orphan)
            {
                shards.push(shard);
            }
        }
        shards
    }

    /// Whether fresh writes come before the next batch that is issued again: they take turns.
    pub(in crate::replication) fn writes_first(&mut self, shard: u16) -> bool {
        let turn = self.turns.get_mut(&shard);
        // The turn of writes is over once it was asked for, also if none wait.
        turn.is_some_and(|turn| core::mem::take(&mut turn.is_writes_turn))
    }

    /// The next batch to issue again: after the one that had its turn last, and from the first one
    /// again at the end.
    pub(in crate::replication) fn next_to_reissue(
        &mut self,
        cx: &mut Context,
        db: &Database,
        shard: u16,
    ) -> Option<(Root, Piece)> {
        // Orphans first: nobody else may have them.
        if let Some(next) = self.next_orphan(cx, db, shard) {
            return Some(next);
        }
        let owner = (shard, cx.me);
        let after = self.turns.get(&shard).and_then(|turn| turn.cursor);
        // Strictly after the last one; beyond the greatest root it begins anew below.
        let from = after.map_or(0, |root| root.saturating_add(1));
        let branches = db.log.branches();
        let next = branches.next(owner, from);
        // Round and round: one that can't be read now must not hold up those after it.
        let root = next.or_else(|| branches.next(owner, 0))?;
        let piece = match branches.get(owner, root)? {
            Place::Pooled(signed) => Piece::Ready(signed.clone()),
            Place::Held {
                chain, sequence, ..
            } => piece_at(db, db.log.slot(*chain, *sequence)?.journal),
        };
        Some((root, piece))
    }

    /// Whether there is something of this node in a shard that no chain has.
    pub(in crate::replication) fn has_orphans(&self, shard: u16) -> bool {
        let mut orphans = self.orphans.iter();
        orphans.any(|(_, orphan)| orphan.chain.0 == shard)
    }

    /// Forgets what is of closed chains.
    pub(in crate::replication) fn forget_closed(&mut self, db: &Database) {
        self.orphans
            .retain(|(_, orphan)| !db.log.is_closed(orphan.chain));
    }

    /// An orphan that no chain has and that was not issued again; forgets those that need not be.
    fn next_orphan(
        &mut self,
        cx: &mut Context,
        db: &Database,
        shard: u16,
    ) -> Option<(Root, Piece)> {
        let owner = (shard, cx.me);
        let log = &db.log;
        // What came back by a peer or was issued again is no orphan any more.
        self.orphans.retain(|(root, orphan)| {
            let lane = chain_lane(orphan.chain);
            let is_back = log.holds(&lane, orphan.sequence, orphan.hash) == Some(true);
            let is_again = log.branches().is_reissued((orphan.chain.0, owner.1), *root);
            !is_back && !is_again
        });
        let is_here = |(_, orphan): &&(Root, Orphan)| orphan.chain.0 == shard;
        let (root, orphan) = self.orphans.iter().find(is_here)?;
        Some((*root, piece_at(db, orphan.journal)))
    }

    /// Seals a batch with the writes of `old` and hands it to the journal; answers whether it did.
    pub(in crate::replication) fn seal_again(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        shard: u16,
        writer: Writer,
        old: &Signed<Batch>,
    ) -> bool {
        let lane = chain_lane((shard, writer));
        let bytes = u64::try_from(old.bytes().len()).unwrap_or(u64::MAX);
        let first = old.claims();
        // A record of another author or shard must never be signed as ours.
        let fits = first.author == cx.me && first.shard == shard;
        if !fits || db.is_full(cx, &lane, first, bytes) {
            self.pause(cx);
            return false;
        }
        let batch = Batch {
            // The first batch in any case, also when this one was issued again itself: so all
            // epochs use one name, and nothing is issued twice.
            reissue: Some(first.reissue.unwrap_or_else(|| hash_of(old))),
            // The same stamps and what was seen: registers that have the writes do not change (ADR
            // 0012).
            ..db.next_batch(shard, writer, first.namespace.clone(), first.ops.clone())
        };
        let batch = Verified::seal(batch, &cx.keypair, cx.network);
        // Fresh writes have the next turn.
        self.turns.entry(shard).or_default().is_writes_turn = true;
        // No writers: these writes were acknowledged when they were first made durable, or never.
        db.stage(cx, lane, batch, Source::Own, Vec::new(), Vec::new());
        true
    }

    pub(in crate::replication) fn pause(&mut self, cx: &mut Context) {
        // For all shards: the journal and memory are shared.
        self.paused_until = cx.now + PAUSE;
        cx.deadlines.set(Timer::Reissue, self.paused_until);
    }

    /// Whether something may be issued again in a shard now.
    pub(in crate::replication) fn is_ready(&self, cx: &Context, shard: u16) -> bool {
        let is_loading = self.turns.get(&shard).is_some_and(|turn| turn.is_loading);
        cx.now >= self.paused_until && !is_loading
    }

    /// One is issued again now, or read from the journal for that.
    pub(in crate::replication) fn begin(&mut self, shard: u16, root: Root, is_loading: bool) {
        let turn = self.turns.entry(shard).or_default();
        turn.cursor = Some(root);
        turn.is_loading = is_loading;
    }

    /// The journal was read.
    pub(in crate::replication) fn end_load(&mut self, shard: u16) {
        if let Some(turn) = self.turns.get_mut(&shard) {
            turn.is_loading = false;
        }
    }

    /// The journal could not be asked: it is tried again later.
    pub(in crate::replication) fn on_busy(&mut self, cx: &mut Context, shard: u16) {
        self.end_load(shard);
        self.pause(cx);
    }

    /// The journal could not give it: a peer may have it; else it is tried again later.
    pub(in crate::replication) fn on_unreadable(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        shard: u16,
        root: Root,
    ) {
        // `lacks` is true now, so a peer that names it is asked for it.
        db.log.branches_mut(shard).doubt((shard, cx.me), root);
        // A record that can't be read stays so: the orphan is given up in this run.
        self.orphans.retain(|(of, _)| *of != root);
        self.pause(cx);
    }

    /// How many shards it had something to do in.
    pub(in crate::replication) fn shards(&self) -> usize {
        self.turns.len()
    }
}

//! Issuing again what stands beyond forks of our own chains, or beyond gaps in them.
//!
//! Each such batch is issued once more, as one batch with the same writes, stamps and what they had
//! seen: who has them already changes nothing, who has not gets them. It names the batch that it
//! issues again, so that nothing is issued twice, also after a restart.
//!
//! Source: docs/design.md, the log and its forks (an honest author issues its own branch again, so that
//! no user's write is lost).

use crate::{
    kernel::{
        crypto::{Hash, Signed, Verified},
        time::Time,
    },
    replication::{
        aside::Place,
        batch::{Batch, Root, SHARDS, Writer, half, hash_of},
        log::ChainId,
        queue::Source,
        replica::{Replica, Timer},
        serve::{Answer, Piece},
        sync::chain_lane,
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// How long nothing is issued again after the journal or memory failed to take or give something.
const PAUSE: Duration = Duration::from_secs(10);

/// A batch of our own in the journal that does not follow the one before it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Orphan {
    chain: ChainId,
    sequence: u64,
    hash: Hash,
    journal: u64,
}

/// What is going on.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Reissue {
    /// Found at the replay only: at most one per record of the journal.
    orphans: Vec<(Root, Orphan)>,
    paused_until: Time,
}

impl Replica {
    /// In the replay: a batch of our own does not fit.
    pub(in crate::replication) fn find_orphan(&mut self, journal: u64, signed: &Signed<Batch>) {
        let batch = signed.claims();
        let hash = hash_of(signed);
        let orphan = Orphan {
            chain: (batch.shard, batch.writer()),
            sequence: batch.sequence,
            hash,
            journal,
        };
        let root = half(batch.reissue.unwrap_or(hash));
        self.reissue.orphans.push((root, orphan));
    }

    pub(in crate::replication) fn shards_to_reissue(&self) -> Vec<u16> {
        let mut shards = Vec::new();
        for shard in 0..SHARDS {
            let is_orphan = |(_, orphan): &(Root, Orphan)| orphan.chain.0 == shard;
            if self.log.aside().next((shard, self.me), 0).is_some()
                || self.reissue.orphans.iter().any(is_orphan)
            {
                shards.push(shard);
            }
        }
        shards
    }

    /// Whether fresh writes come before the next batch that is issued again: they take turns.
    pub(in crate::replication) fn writes_first(&mut self, shard: u16) -> bool {
        let own = self.own_shards.get_mut(&shard);
        own.is_some_and(|own| core::mem::take(&mut own.is_writes_turn))
    }

    /// Issues the next one again; answers whether one is with the journal now.
    pub(in crate::replication) fn seal_reissue(&mut self, shard: u16, writer: Writer) -> bool {
        if self.frozen.is_some()
            || self.now < self.reissue.paused_until
            || self.own(shard).is_loading
        {
            return false;
        }
        let Some((root, place)) = self.next_to_reissue(shard) else {
            return false;
        };
        let is_loading = matches!(place, Piece::Stored(_));
        if let Some(own) = self.own_mut(shard) {
            own.cursor = Some(root);
            own.is_loading = is_loading;
        }
        match place {
            Piece::Ready(signed) => self.seal_again(shard, writer, &signed),
            Piece::Stored(journal) => {
                let pieces = alloc::vec![Piece::Stored(journal)];
                self.answer(self.me, Answer::Reissue { shard, root }, pieces);
                false
            }
        }
    }

    /// The first one after the last, round and round.
    fn next_to_reissue(&mut self, shard: u16) -> Option<(Root, Piece)> {
        if let Some(next) = self.next_orphan(shard) {
            return Some(next);
        }
        let owner = (shard, self.me);
        let after = self.own(shard).cursor;
        let from = after.map_or(0, |root| root.saturating_add(1));
        let aside = self.log.aside();
        let next = aside.next(owner, from);
        let root = next.or_else(|| aside.next(owner, 0))?;
        let piece = match aside.get(owner, root)? {
            Place::Pooled(signed) => Piece::Ready(signed.clone()),
            Place::Held {
                chain, sequence, ..
            } => self.piece_at(self.log.slot(*chain, *sequence)?.journal),
        };
        Some((root, piece))
    }

    fn piece_at(&self, journal: u64) -> Piece {
        match self.log.recent(journal) {
            Some(signed) => Piece::Ready(Box::new(signed.clone())),
            None => Piece::Stored(journal),
        }
    }

    /// An orphan that no chain has and that was not issued again; forgets those that need not be.
    fn next_orphan(&mut self, shard: u16) -> Option<(Root, Piece)> {
        let owner = (shard, self.me);
        let log = &self.log;
        self.reissue.orphans.retain(|(root, orphan)| {
            let lane = chain_lane(orphan.chain);
            let is_back = log.holds(&lane, orphan.sequence, orphan.hash) == Some(true);
            let is_again = log.aside().is_reissued((orphan.chain.0, owner.1), *root);
            !is_back && !is_again
        });
        let is_here = |(_, orphan): &&(Root, Orphan)| orphan.chain.0 == shard;
        let (root, orphan) = self.reissue.orphans.iter().find(is_here)?;
        Some((*root, self.piece_at(orphan.journal)))
    }

    pub(in crate::replication) fn on_reissue_loaded(
        &mut self,
        shard: u16,
        root: Root,
        signed: Option<Signed<Batch>>,
    ) {
        if let Some(own) = self.own_shards.get_mut(&shard) {
            own.is_loading = false;
        }
        let Some(signed) = signed else {
            // A peer may have it; else it is tried again later.
            self.log.aside_mut(shard).doubt((shard, self.me), root);
            self.reissue.orphans.retain(|(of, _)| *of != root);
            self.pause_reissue();
            return;
        };
        let owner = (shard, self.me);
        if self.has_staged(shard) || self.log.aside().is_reissued(owner, root) {
            return;
        }
        if let Ok(writer) = self.writer_now(shard) {
            self.seal_again(shard, writer, &signed);
        }
    }

    fn seal_again(&mut self, shard: u16, writer: Writer, old: &Signed<Batch>) -> bool {
        let lane = chain_lane((shard, writer));
        let bytes = u64::try_from(old.bytes().len()).unwrap_or(u64::MAX);
        let first = old.claims();
        let fits = first.author == self.me && first.shard == shard;
        if !fits || self.is_full(&lane, first, bytes) {
            self.pause_reissue();
            return false;
        }
        let end = self.log.end(&lane);
        let stream = self.log.stream_end(&first.namespace, shard, writer);
        let batch = Batch {
            shard,
            author: self.me,
            life: writer.life,
            sequence: end.sequence.saturating_add(1),
            previous: end.hash,
            namespace: first.namespace.clone(),
            namespace_previous: stream.sequence,
            reissue: Some(first.reissue.unwrap_or_else(|| hash_of(old))),
            ops: first.ops.clone(),
        };
        let batch = Verified::seal(batch, &self.keypair, self.network);
        if let Some(own) = self.own_mut(shard) {
            own.is_writes_turn = true;
        }
        self.stage(lane, batch, Source::Own, Vec::new(), Vec::new());
        true
    }

    pub(in crate::replication) fn pause_reissue(&mut self) {
        self.reissue.paused_until = self.now + PAUSE;
        self.deadlines
            .set(Timer::Reissue, self.reissue.paused_until);
    }

    /// Goes on wherever there is something to issue again.
    pub(in crate::replication) fn go_on_reissuing(&mut self) {
        for shard in self.shards_to_reissue() {
            self.seal_next(shard);
        }
    }
}

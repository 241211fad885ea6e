//! In which life this node writes in a shard.
//!
//! | its last chain there | what happens |
//! |---|---|
//! | whole | writes go there |
//! | forked | after a pause writes go to the next life; until then they wait |
//! | has a gap | refused; if no peer fills the gap in time, as above |
//! | forked, and the last life allowed | refused |
//!
//! The pause lets a node that was restored from an old image hear of its later lives first: one that
//! it does not know of it would write anew, and so fork it too. Each life doubles the pause, so
//! that two processes with one identity do not use all of them up in no time.

use crate::{
    kernel::time::Time,
    replication::{
        batch::{LIVES_MAX, Root, SHARDS, Writer},
        log::ChainId,
        replica::{Replica, Timer},
        write::WriteBlock,
    },
};
use alloc::vec::Vec;
use core::time::Duration;

/// Why there is no chain to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Unwritable {
    /// The next life begins then.
    Until(Time),
    /// A part of the chain is missing, and peers have not been asked for long enough.
    Gap,
    /// All lives are used up.
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

/// The pause before the second life; see the module. Shorter than a round of comparison it uses up
/// lives, longer it keeps writers waiting.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the pause doubles at most: 17 minutes.
const DOUBLINGS_MAX: u32 = 10;

/// When a life may begin.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Begin {
    at: Time,
    /// It is put off while a part of the own log is being fetched, but not beyond this.
    latest: Time,
}

/// What is going on with our own chains in a shard.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct OwnShard {
    /// When our next life may begin, if the one there is of no more use.
    begin: Option<Begin>,
    /// After which batch issuing again goes on.
    pub(in crate::replication) cursor: Option<Root>,
    /// The journal is being read for the next one.
    pub(in crate::replication) is_loading: bool,
    /// It is the turn of fresh writes.
    pub(in crate::replication) is_writes_turn: bool,
}

impl Replica {
    /// The chain that writes to a shard go to.
    pub(in crate::replication) fn writer_now(&self, shard: u16) -> Result<Writer, Unwritable> {
        let last = self.log.lives(shard, self.me).next_back();
        let writer = last.map_or_else(|| Writer::first(self.me), |head| head.writer);
        let is_forked = last.is_some_and(|head| head.forked_at != 0);
        let is_whole = !is_forked && !self.own_gaps.contains_key(&(shard, writer));
        if is_whole {
            return Ok(writer);
        }
        let next = Writer {
            life: writer.life.saturating_add(1),
            ..writer
        };
        match self.own(shard).begin {
            _ if next.life >= LIVES_MAX => Err(Unwritable::UsedUp),
            Some(begin) if self.now >= begin.at => Ok(next),
            Some(begin) => Err(Unwritable::Until(begin.at)),
            None => Err(Unwritable::Gap),
        }
    }

    /// A chain of our own has forked.
    pub(in crate::replication) fn on_own_fork(&mut self, (shard, writer): ChainId) {
        let last = self.log.lives(shard, self.me).next_back();
        if last.is_some_and(|head| head.writer > writer) {
            self.deadlines
                .set_earlier(Timer::Life(shard), self.now + PAUSE);
            return;
        }
        let pause = PAUSE.saturating_mul(1 << writer.life.min(DOUBLINGS_MAX));
        self.begin_within(shard, pause);
    }

    fn begin_within(&mut self, shard: u16, span: Duration) {
        let at = self.now + span;
        let latest = at + self.config.life_patience;
        if let Some(own) = self.own_mut(shard) {
            own.begin = Some(Begin { at, latest });
        }
        self.deadlines.set(Timer::Life(shard), at);
    }

    /// The first link since the start: peers are asked for our gaps now, for so long.
    pub(in crate::replication) fn ask_for_gaps(&mut self) {
        let shards: Vec<u16> = self.own_gaps.keys().map(|(shard, _)| *shard).collect();
        for shard in shards {
            if self.writer_now(shard) == Err(Unwritable::Gap) {
                self.begin_within(shard, self.config.life_patience);
            }
        }
    }

    /// After the replay: what the last run left to do.
    pub(in crate::replication) fn restore_lives(&mut self) {
        for shard in 0..SHARDS {
            let last = self.log.lives(shard, self.me).next_back();
            if let Some(head) = last.filter(|head| head.forked_at != 0) {
                self.on_own_fork((shard, head.writer));
            }
        }
        for shard in self.shards_to_reissue() {
            self.deadlines
                .set_earlier(Timer::Life(shard), self.now + PAUSE);
        }
    }

    pub(in crate::replication) fn on_life_due(&mut self, shard: u16) {
        let own = (shard, Writer::first(self.me));
        let last = Writer {
            node: self.me,
            life: u32::MAX,
        };
        let is_coming = self
            .peers
            .values()
            .any(|peer| peer.has.range(own..=(shard, last)).next().is_some());
        let now = self.now;
        if let Some(own) = self.own_shards.get_mut(&shard)
            && let Some(begin) = &mut own.begin
            && is_coming
            && now < begin.latest
        {
            begin.at = now + PAUSE;
            self.deadlines.set(Timer::Life(shard), begin.at);
            return;
        }
        self.seal_next(shard);
    }

    pub(in crate::replication) fn own(&self, shard: u16) -> OwnShard {
        self.own_shards.get(&shard).copied().unwrap_or_default()
    }

    pub(in crate::replication) fn own_mut(&mut self, shard: u16) -> Option<&mut OwnShard> {
        (shard < SHARDS).then(|| self.own_shards.entry(shard).or_default())
    }
}

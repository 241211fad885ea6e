//! What must hold in the queues at any time.

use super::{Staging, Waiting, WriteQueue, wide};
use crate::kernel::bounded::first_broken;

impl WriteQueue {
    pub(in crate::replication) fn check(&self) -> Result<(), &'static str> {
        let queues = || self.shards.values().flat_map(|shard| shard.writes.values());
        let count: usize = queues().map(alloc::collections::VecDeque::len).sum();
        let bytes: usize = queues().flatten().map(Waiting::bytes).sum();
        let turns = |shard: &super::ShardQueue| shard.turns.len() == shard.writes.len();
        first_broken(&[
            (count == self.count, "waiting writes are counted wrongly"),
            (
                wide(bytes) == self.bytes,
                "bytes of waiting writes are counted wrongly",
            ),
            (
                self.shards.values().all(turns),
                "a namespace that waits has no turn",
            ),
        ])
    }
}

impl Staging {
    pub(in crate::replication) fn check(&self) -> Result<(), &'static str> {
        let staged = || self.lanes.values().flatten();
        let bytes: u64 = staged()
            .map(|staged| wide(staged.batch.bytes().len()))
            .sum();
        // A batch has a token until it is durable; afterwards it can still wait for those before
        // it.
        let open = staged().filter(|staged| staged.journal.is_none()).count();
        let blocked = |lane: &alloc::collections::VecDeque<super::Staged>| {
            lane.front().is_some_and(|first| first.journal.is_none())
        };
        first_broken(&[
            (
                bytes == self.bytes,
                "bytes with the journal are counted wrongly",
            ),
            (
                open == self.tokens.len(),
                "a batch is not with the journal any more, or not yet",
            ),
            (
                self.lanes.values().all(blocked),
                "a durable batch is not applied",
            ),
        ])
    }
}

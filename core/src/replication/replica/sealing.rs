//! Sealing: what waits for a shard becomes a batch, with stamps, with what was seen, and with the parts of typed
//! values that change.
//!
//! | what waits | its writes in the batch |
//! |---|---|
//! | a value | one, to the key |
//! | a deletion | one; of a typed key, one to each part that is there |
//! | a change | one to each part that it names; none to take away what is not there |
//!
//! All this is decided here and not when it was asked for: what was queued before is there by now. Only what
//! stands in the same batch is not. A part has one write in a batch, which the next change of it alters. What
//! does something else to a key than the batch did before, waits for the next one.

use crate::{
    kernel::{
        crypto::Verified,
        planted::{self, Planted},
        text::{Key, Namespace},
        time::{WallTime, millis},
    },
    replication::{
        batch::{Batch, OPS_MAX, Op, Writer, op_bytes},
        crdt::register::Register,
        log::chain_lane,
        queue::{Asked, Source, WRITES_BYTES_MAX, Waiting, What},
        replica::{context::Context, database::Database},
        typed::{Change, DELETED_PARTS_MAX, Kind, Totals},
        write::WriteRefusal,
    },
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

/// Seals the oldest queued writes of a shard into one batch.
pub(in crate::replication) fn seal_writes(
    cx: &mut Context,
    db: &mut Database,
    shard: u16,
    writer: Writer,
    closed: u32,
) {
    let lane = chain_lane((shard, writer));
    let (namespace, Draft { ops, mut asked, .. }) = loop {
        let Some((namespace, writes)) = db.queue.take(shard) else {
            return;
        };
        let draft = draft(cx, db, shard, &namespace, writes);
        if !draft.ops.is_empty() {
            break (namespace, draft);
        }
    };
    let batch = Batch {
        closed,
        ..db.next_batch(shard, writer, namespace, ops)
    };
    // A planted bug: acknowledged before it is durable.
    if planted::is(Planted::AckBeforePersisted) {
        for Asked { request, .. } in core::mem::take(&mut asked) {
            cx.written(request, db.cells.revision());
        }
    }
    let batch = Verified::seal(batch, &cx.keypair, cx.network);
    db.stage(cx, lane, batch, Source::Own, Vec::new(), asked);
}

/// A batch in the making.
#[derive(Default)]
struct Draft {
    ops: Vec<Op>,
    asked: Vec<Asked>,
    /// About how many bytes the writes take.
    bytes: usize,
    /// The write of each part.
    parts: BTreeMap<Key, usize>,
    /// What was done to each key of a user.
    done: BTreeMap<Key, Act>,
}

/// What is done to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    /// A register is written or deleted.
    Register,
    /// A typed value changes.
    Typed(Kind),
    /// A typed value is deleted.
    Deletion,
}

/// What became of what waits.
enum Drafted {
    /// Its last write in the batch.
    Whole(usize),
    /// There is nothing to do.
    Nothing,
    /// It waits for the next batch, or its rest does.
    Later,
}

fn draft(
    cx: &mut Context,
    db: &mut Database,
    shard: u16,
    namespace: &Namespace,
    writes: Vec<Waiting>,
) -> Draft {
    let mut draft = Draft::default();
    let mut writes = VecDeque::from(writes);
    while let Some(write) = writes.pop_front() {
        let drafted = draft.take((&mut *cx, &mut *db), namespace, &write);
        let Waiting { request, level, .. } = write;
        match drafted {
            Ok(Drafted::Whole(op)) => draft.asked.push(Asked { request, level, op }),
            // It is as was asked for, and has been since before: there is nothing to wait for.
            Ok(Drafted::Nothing) => cx.written(request, db.cells.revision()),
            Ok(Drafted::Later) => {
                writes.push_front(write);
                break;
            }
            Err(refusal) => cx.refuse(request, refusal),
        }
    }
    db.queue.put_back(shard, namespace, writes.into());
    draft
}

impl Draft {
    /// Takes what waits into the batch.
    fn take(
        &mut self,
        (cx, db): (&mut Context, &mut Database),
        namespace: &Namespace,
        write: &Waiting,
    ) -> Result<Drafted, WriteRefusal> {
        let key = &write.key;
        // Something before it took more room than was thought: it deleted a typed key.
        if !self.ops.is_empty() && !self.has_room(write.ops(), write.bytes()) {
            return Ok(Drafted::Later);
        }
        let is_typed = db.cells.is_typed(namespace, key);
        let act = match &write.what {
            What::Value(None) if is_typed => Act::Deletion,
            What::Value(_) => Act::Register,
            What::Change(change) => Act::Typed(change.kind()),
        };
        if self.done.get(key).is_some_and(|done| *done != act) {
            return Ok(Drafted::Later);
        }
        db.check_kind(namespace, key, &write.what)?;
        let drafted = match &write.what {
            What::Value(None) if is_typed => self.delete((cx, db), namespace, key)?,
            What::Value(value) => {
                check_ahead(cx, db, namespace, key)?;
                Drafted::Whole(self.push(cx, db, namespace, key.clone(), value.clone()))
            }
            What::Change(change) => self.change((cx, db), namespace, key, change)?,
        };
        match drafted {
            Drafted::Whole(_) | Drafted::Later => drop(self.done.insert(key.clone(), act)),
            Drafted::Nothing => {}
        }
        Ok(drafted)
    }

    fn change(
        &mut self,
        (cx, db): (&mut Context, &mut Database),
        namespace: &Namespace,
        key: &Key,
        change: &Change,
    ) -> Result<Drafted, WriteRefusal> {
        let mut writes = change.writes(key, &db.counter_part)?;
        for (stored, _) in &writes {
            check_ahead(cx, db, namespace, stored)?;
        }
        if let (Change::Add(more), [(stored, value)]) = (change, writes.as_mut_slice()) {
            let is_there = db
                .cells
                .kinds(namespace, key)
                .any(|kind| kind == Kind::Counter);
            if *more == 0 && (is_there || self.parts.contains_key(stored)) {
                return Ok(Drafted::Nothing);
            }
            let totals = self.totals(db, namespace, stored);
            *value = Some(totals.plus(*more).to_bytes());
        }
        let mut last = Drafted::Nothing;
        for (stored, value) in writes {
            let at = match self.parts.get(&stored).copied() {
                Some(at) => {
                    let more = value.as_ref().map_or(0, |value| value.len());
                    self.bytes = self.bytes.saturating_add(more);
                    if let Some(op) = self.ops.get_mut(at) {
                        op.value = value;
                    }
                    at
                }
                // Nothing is there that could be taken away.
                None if value.is_none() && !db.cells.is_part_live(namespace, &stored) => continue,
                None => {
                    let at = self.push(cx, db, namespace, stored.clone(), value);
                    self.parts.insert(stored, at);
                    at
                }
            };
            last = Drafted::Whole(match last {
                Drafted::Whole(other) => other.max(at),
                Drafted::Nothing | Drafted::Later => at,
            });
        }
        Ok(last)
    }

    /// What this node has added in its part of a counter, the earlier writes of this batch included.
    fn totals(&self, db: &Database, namespace: &Namespace, stored: &Key) -> Totals {
        let drafted = self.parts.get(stored).and_then(|at| self.ops.get(*at));
        // A planted bug: of two that are queued together, the first is lost.
        let drafted = drafted.filter(|_| !planted::is(Planted::AddLost));
        let drafted = drafted.and_then(|op| Totals::of(op.value.as_ref()?));
        drafted.unwrap_or_else(|| db.cells.own_totals(namespace, stored))
    }

    /// Deletes what is at a typed key, as much of it as finds room.
    fn delete(
        &mut self,
        (cx, db): (&mut Context, &mut Database),
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Drafted, WriteRefusal> {
        let too_many = WriteRefusal::TooMany {
            max: u32::try_from(DELETED_PARTS_MAX).unwrap_or(u32::MAX),
        };
        let parts = db.cells.live_parts(namespace, key, DELETED_PARTS_MAX);
        let mut stored = parts.ok_or(too_many)?;
        let register = db.cells.register(namespace, key);
        stored.extend(register.filter(|it| it.is_live()).map(|_| key.clone()));
        for stored in &stored {
            check_ahead(cx, db, namespace, stored)?;
        }
        let mut last = None;
        for stored in stored {
            // The rest waits for the next batch, and so does all that came after it.
            if !self.has_room(1, op_bytes(stored.len())) {
                return Ok(Drafted::Later);
            }
            last = Some(self.push(cx, db, namespace, stored, None));
        }
        Ok(last.map_or(Drafted::Nothing, Drafted::Whole))
    }

    fn has_room(&self, ops: usize, bytes: usize) -> bool {
        self.ops.len().saturating_add(ops) <= OPS_MAX
            && self.bytes.saturating_add(bytes) <= WRITES_BYTES_MAX
    }

    /// Adds a write with its stamp; answers which one it is.
    fn push(
        &mut self,
        cx: &Context,
        db: &mut Database,
        namespace: &Namespace,
        key: Key,
        value: Option<crate::kernel::bytes::Bytes>,
    ) -> usize {
        let register = db.cells.register(namespace, &key);
        if let Some(last) = register.and_then(Register::winner) {
            // The clock may have left it behind while it was further ahead.
            db.clock.observe(last.stamp);
        }
        let bytes = value.as_ref().map_or(0, |value| value.len());
        self.bytes = self
            .bytes
            .saturating_add(op_bytes(key.len().saturating_add(bytes)));
        // What was seen of the key, so that this write overwrites just that and leaves concurrent
        // writes as conflicts (Preguiça 2010).
        let seen = register.map(|register| register.seen_by(cx.me));
        self.ops.push(Op {
            key,
            // Given when the batch is sealed, not when the write was queued: stamps have to rise
            // along the chain.
            stamp: db.clock.tick(cx.now),
            value,
            seen: seen.unwrap_or_default(),
        });
        self.ops.len().saturating_sub(1)
    }
}

/// Refuses a write that would lose to one that is stamped too far ahead.
fn check_ahead(
    cx: &Context,
    db: &Database,
    namespace: &Namespace,
    key: &Key,
) -> Result<(), WriteRefusal> {
    let ahead_max = millis(cx.config.ahead_max);
    let register = db.cells.register(namespace, key);
    let Some(last) = register.and_then(Register::winner).map(|last| last.stamp) else {
        return Ok(());
    };
    if !db.clock.ran_ahead(cx.now, last, ahead_max) {
        return Ok(());
    }
    let ahead_ms = db.clock.ahead(cx.now, last).unwrap_or(0);
    let until = WallTime::from_millis(last.millis.saturating_sub(ahead_max));
    Err(WriteRefusal::KeyAhead { ahead_ms, until })
}

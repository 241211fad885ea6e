//! Bringing keys to what is wanted, many at once: all of them are with the core together, which makes few
//! batches of them (group commit). Those of one key go one after another, in their order.

use crate::{
    driver::{BULK_REQUESTS_MAX, Handle},
    http::{problem::Problem, within_patience},
    values::kept::{self, Current, Kept},
};
use axum::http::StatusCode;
use futures_util::{StreamExt, stream};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        text::{Key, Namespace},
    },
    node::contract::{Refusal, Reply, Request},
    replication::{
        typed::{Change, DELETED_PARTS_MAX, ITEMS_MAX},
        write::{AckLevel, WriteRefusal},
    },
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long a write may take until it is acknowledged; the core gives up earlier.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How many keys are changed at once, where that takes more than one write.
const KEYS_MAX: usize = 512;
/// How many plain writes go to the core together, and how many times that at once: all that may wait there.
const PLAIN_MAX: (usize, usize) = (256, BULK_REQUESTS_MAX / 256);
/// How many requests of one key are with the core at once.
const REQUESTS_MAX: usize = 8;
/// How often a write that finds the node busy is tried again, and the first pause before that.
const TRIES: (u32, Duration) = (8, Duration::from_millis(20));
/// About how many bytes the fields of one request have: a batch has room for one largest value and a
/// little beside it.
const FIELDS_BYTES_MAX: usize = 128 << 10;

/// What is to be at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// That, and what is in a set or map besides stays.
    Held(Kept),
    /// That and nothing else, whatever is there.
    Exactly(Kept),
    /// Nothing.
    Gone,
    /// What a change makes of it.
    Changed(Vec<Change>),
}

/// An acknowledged write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The revision that made it visible here.
    pub(crate) revision: u64,
    /// What is wrong with this node's clock.
    pub(crate) warning: Option<String>,
}

/// A key and what is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// The key.
    pub(crate) key: Key,
    /// What.
    pub(crate) wanted: Wanted,
}

/// Writes many; answers what came of each, in their order.
pub(crate) async fn all(
    core: &Handle,
    wishes: Vec<Wish>,
    level: AckLevel,
) -> Vec<Result<Written, Problem>> {
    let mut by_key: BTreeMap<(Namespace, Key), Vec<(usize, Wanted)>> = BTreeMap::new();
    let many = wishes.len();
    for (index, wish) in wishes.into_iter().enumerate() {
        let place = by_key.entry((wish.namespace, wish.key)).or_default();
        place.push((index, wish.wanted));
    }
    let mut outcomes: Vec<_> = (0..many).map(|_| Err(Problem::busy())).collect();
    let mut take = |done: Vec<(usize, Result<Written, Problem>)>| {
        for (index, outcome) in done {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
    };
    let at = |(namespace, key)| Place {
        core: core.clone(),
        namespace,
        key,
        level,
    };
    let (mut plain, mut others) = (Vec::new(), Vec::new());
    for (place, wanted) in by_key {
        match wanted.as_slice() {
            [(index, Wanted::Held(Kept::Register(bytes)))] => {
                plain.push((*index, at(place), bytes.clone()));
            }
            _ => others.push((at(place), wanted)),
        }
    }
    let mut chunks = Vec::new();
    while !plain.is_empty() {
        let rest = plain.split_off(plain.len().min(PLAIN_MAX.0));
        chunks.push(writes(core, std::mem::replace(&mut plain, rest)));
    }
    let mut chunks = stream::iter(chunks).buffer_unordered(PLAIN_MAX.1);
    while let Some(done) = chunks.next().await {
        take(done);
    }
    drop(chunks);
    let keys = others.into_iter().map(|(at, wanted)| async move {
        let mut outcomes = Vec::with_capacity(wanted.len());
        for (index, wanted) in wanted {
            outcomes.push((index, at.write(wanted).await));
        }
        outcomes
    });
    let mut keys = stream::iter(keys).buffer_unordered(KEYS_MAX);
    while let Some(done) = keys.next().await {
        take(done);
    }
    drop(keys);
    outcomes
}

/// Plain writes to different keys, which go to the core in one word.
async fn writes(
    core: &Handle,
    writes: Vec<(usize, Place, Bytes)>,
) -> Vec<(usize, Result<Written, Problem>)> {
    let requests = writes.iter().map(|(_, at, value)| Request::Write {
        namespace: at.namespace.clone(),
        key: at.key.clone(),
        value: Some(value.clone()),
        level: at.level,
    });
    let requests: Vec<Request> = requests.collect();
    let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
    let room = core.bulk.acquire_many(count).await;
    let until = Instant::now() + WRITE_PATIENCE;
    let answers = core.requests(requests).await.unwrap_or_default();
    let mut answers = answers.into_iter();
    let mut done = Vec::with_capacity(writes.len());
    let mut again = Vec::new();
    for (index, at, value) in writes {
        let outcome = match answers.next() {
            Some(answer) => match timeout_at(until, answer).await {
                Ok(Ok(reply)) => of_reply(reply),
                // Dropped: too many wait.
                Ok(Err(_)) => Err(Refused::Busy),
                Err(_) => Err(Refused::Otherwise(not_acknowledged())),
            },
            None => Err(Refused::Otherwise(Problem::stopping())),
        };
        match outcome {
            Ok(written) => done.push((index, Ok(written))),
            Err(Refused::Otherwise(problem)) => done.push((index, Err(problem))),
            Err(Refused::Busy) => again.push((index, at, value)),
        }
    }
    drop(room);
    for (index, at, value) in again {
        done.push((index, at.put(Some(value)).await));
    }
    done
}

/// Writes one.
///
/// # Errors
/// When the node refuses, is busy or stops. Of what takes several requests, some may be done.
pub(crate) async fn one(core: &Handle, wish: Wish, level: AckLevel) -> Result<Written, Problem> {
    let at = Place {
        core: core.clone(),
        namespace: wish.namespace,
        key: wish.key,
        level,
    };
    at.write(wish.wanted).await
}

/// A key, and how it is written.
#[derive(Clone, Debug)]
struct Place {
    core: Handle,
    namespace: Namespace,
    key: Key,
    level: AckLevel,
}

impl Place {
    async fn write(&self, wanted: Wanted) -> Result<Written, Problem> {
        match wanted {
            Wanted::Gone => match self.current().await? {
                Some(current) => self.clear(&current).await,
                None => self.put(None).await,
            },
            Wanted::Changed(changes) => self.changes(changes).await,
            Wanted::Held(kept) => self.hold(kept).await,
            Wanted::Exactly(kept) => self.become_exactly(kept).await,
        }
    }

    async fn current(&self) -> Result<Option<Current>, Problem> {
        kept::read(&self.core, &self.namespace, &self.key).await
    }

    async fn hold(&self, kept: Kept) -> Result<Written, Problem> {
        match kept {
            Kept::Register(bytes) => self.put(Some(bytes)).await,
            Kept::Multi(bytes) => self.changes(vec![Change::Multi(bytes)]).await,
            Kept::Flag(on) => self.changes(vec![Change::Flag(on)]).await,
            Kept::Set(elements) => self.changes(inserts(elements)).await,
            Kept::Map(fields) => {
                let fields = fields
                    .into_iter()
                    .map(|(field, value)| (field, Some(value)));
                self.changes(puts(fields)).await
            }
            Kept::Counter(number) => {
                // Added, not set: what others add meanwhile counts too.
                let current = self.current().await?.map(|current| current.kept);
                let current = match current {
                    Some(Kept::Counter(current)) => Some(current),
                    // Of another kind: the core refuses.
                    Some(_) | None => None,
                };
                self.changes(adds(current, number)).await
            }
        }
    }

    async fn become_exactly(&self, kept: Kept) -> Result<Written, Problem> {
        let Some(current) = self.current().await? else {
            return self.hold(kept).await;
        };
        if current.kept.kind() != kept.kind() || !current.also.is_empty() {
            self.clear(&current).await?;
            return self.hold(kept).await;
        }
        match (kept, current.kept) {
            (Kept::Set(wanted), Kept::Set(there)) => {
                let mut changes = removes(there.difference(&wanted).cloned());
                changes.extend(inserts(wanted.difference(&there).cloned()));
                self.changes(changes).await
            }
            (Kept::Map(wanted), Kept::Map(there)) => {
                let gone = there.keys().filter(|field| !wanted.contains_key(*field));
                let gone = gone.map(|field| (field.clone(), None)).collect::<Vec<_>>();
                let new = wanted
                    .into_iter()
                    .filter(|(field, value)| there.get(field) != Some(value))
                    .map(|(field, value)| (field, Some(value)));
                self.changes(puts(gone.into_iter().chain(new))).await
            }
            (kept, _) => self.hold(kept).await,
        }
    }

    /// Deletes what is at the key: a large set or map is emptied first.
    async fn clear(&self, current: &Current) -> Result<Written, Problem> {
        match &current.kept {
            Kept::Set(elements) if elements.len() > DELETED_PARTS_MAX => {
                let elements = elements.iter().skip(DELETED_PARTS_MAX / 2);
                self.changes(removes(elements.cloned())).await?;
            }
            Kept::Map(fields) if fields.len() > DELETED_PARTS_MAX => {
                let fields = fields.keys().skip(DELETED_PARTS_MAX / 2);
                let gone = fields.map(|field| (field.clone(), None));
                self.changes(puts(gone)).await?;
            }
            Kept::Register(_)
            | Kept::Multi(_)
            | Kept::Counter(_)
            | Kept::Set(_)
            | Kept::Map(_)
            | Kept::Flag(_) => {}
        }
        self.put(None).await
    }

    async fn put(&self, value: Option<Bytes>) -> Result<Written, Problem> {
        let (namespace, key) = (self.namespace.clone(), self.key.clone());
        let level = self.level;
        self.done(Request::Write {
            namespace,
            key,
            value,
            level,
        })
        .await
    }

    /// Makes changes of one key; they change different parts, so their order does not matter.
    async fn changes(&self, changes: Vec<Change>) -> Result<Written, Problem> {
        let requests = changes.into_iter().map(|change| {
            self.done(Request::Change {
                namespace: self.namespace.clone(),
                key: self.key.clone(),
                change,
                level: self.level,
            })
        });
        let mut last = Written::default();
        let mut outcomes = stream::iter(requests).buffered(REQUESTS_MAX);
        let mut refused = None;
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(written) if written.revision >= last.revision => last = written,
                Ok(_) => {}
                // The rest is on its way already.
                Err(problem) => refused = Some(problem),
            }
        }
        if let Some(problem) = refused {
            return Err(problem);
        }
        if last.revision == 0 {
            // Nothing was to be done.
            last.revision = within_patience(self.core.ask(|node, _| node.revision())).await?;
        }
        Ok(last)
    }

    /// Makes a request; tries again while the node is busy.
    async fn done(&self, request: Request) -> Result<Written, Problem> {
        let _room = self.core.bulk.acquire().await;
        let mut pause = TRIES.1;
        for _ in 1..TRIES.0 {
            match answer(&self.core, request.clone()).await {
                Err(Refused::Busy) => tokio::time::sleep(pause).await,
                Err(Refused::Otherwise(problem)) => return Err(problem),
                Ok(written) => return Ok(written),
            }
            pause = pause.saturating_mul(2);
        }
        answer(&self.core, request)
            .await
            .map_err(|refused| match refused {
                Refused::Busy => Refusal::Write(WriteRefusal::Busy).into(),
                Refused::Otherwise(problem) => problem,
            })
    }
}

/// A request that was not done.
enum Refused {
    /// Too much waits; a moment later there may be room.
    Busy,
    /// For another reason.
    Otherwise(Problem),
}

async fn answer(core: &Handle, request: Request) -> Result<Written, Refused> {
    let reply = tokio::time::timeout(WRITE_PATIENCE, core.request(request))
        .await
        .map_err(|_| Refused::Otherwise(not_acknowledged()))?
        .map_err(|_| Refused::Otherwise(Problem::stopping()))?;
    of_reply(reply)
}

fn of_reply(reply: Reply) -> Result<Written, Refused> {
    match reply {
        Reply::Written { revision, warning } => Ok(Written { revision, warning }),
        Reply::Refused(Refusal::Write(WriteRefusal::Busy)) => Err(Refused::Busy),
        Reply::Refused(refusal) => Err(Refused::Otherwise(refusal.into())),
        Reply::Invited { .. }
        | Reply::Reach(_)
        | Reply::Forgotten
        | Reply::Compacting
        | Reply::Verified(_) => Err(Refused::Busy),
    }
}

/// What a write that took too long is answered with.
pub(crate) fn not_acknowledged() -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "not_acknowledged",
        "The write was not acknowledged in time; it may still become durable.",
    )
}

/// Elements into a set, in as many changes as it takes.
pub(crate) fn inserts(elements: impl IntoIterator<Item = Key>) -> Vec<Change> {
    let elements: Vec<Key> = elements.into_iter().collect();
    let chunks = elements.chunks(ITEMS_MAX);
    chunks.map(|chunk| Change::Insert(chunk.to_vec())).collect()
}

/// Elements out of a set.
pub(crate) fn removes(elements: impl IntoIterator<Item = Key>) -> Vec<Change> {
    let elements: Vec<Key> = elements.into_iter().collect();
    let chunks = elements.chunks(ITEMS_MAX);
    chunks.map(|chunk| Change::Remove(chunk.to_vec())).collect()
}

/// Fields of a map, in as many changes as their number and their bytes take.
pub(crate) fn puts(fields: impl IntoIterator<Item = (Key, Option<Bytes>)>) -> Vec<Change> {
    let mut parts: Vec<Vec<(Key, Option<Bytes>)>> = Vec::new();
    let mut bytes = 0_usize;
    for (field, value) in fields {
        let size = value.as_ref().map_or(0, |value| value.len());
        bytes = bytes.saturating_add(size);
        match parts.last_mut() {
            Some(part) if part.len() < ITEMS_MAX && bytes <= FIELDS_BYTES_MAX => {
                part.push((field, value));
            }
            Some(_) | None => {
                parts.push(vec![(field, value)]);
                bytes = size;
            }
        }
    }
    parts.into_iter().map(Change::Put).collect()
}

/// What brings a counter to a number; nothing if it stands there. A difference can be twice as large as
/// what is added at once.
fn adds(current: Option<i64>, number: i64) -> Vec<Change> {
    let Some(current) = current else {
        return vec![Change::Add(number)];
    };
    match number.checked_sub(current) {
        Some(0) => Vec::new(),
        Some(difference) => vec![Change::Add(difference)],
        // They have different signs, so each half fits.
        None => vec![Change::Add(current.saturating_neg()), Change::Add(number)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new(&format!("{number:03}")).unwrap()
    }

    #[test]
    fn a_change_has_no_more_than_a_batch_takes() {
        let inserted = inserts((0..=ITEMS_MAX).map(key));
        let all = (0..=ITEMS_MAX).map(key).collect::<Vec<_>>();
        let (first, second) = all.split_at(ITEMS_MAX);
        let expected = [first, second].map(|part| Change::Insert(part.to_vec()));
        assert_eq!(inserted, expected);
        let large = Bytes::from(vec![0; FIELDS_BYTES_MAX]);
        let fields = (0..3).map(|number| (key(number), Some(large.clone())));
        assert_eq!(puts(fields).len(), 3);
        assert_eq!(puts((0..3).map(|number| (key(number), None))).len(), 1);
    }

    #[test]
    fn a_counter_is_brought_to_a_number_by_the_difference() {
        let sum = |changes: &[Change]| {
            changes.iter().fold(0_i128, |sum, change| {
                let Change::Add(more) = change else {
                    panic!("{change:?}");
                };
                sum + i128::from(*more)
            })
        };
        for (current, number) in [(5, 7), (i64::MAX, -9), (-9, i64::MAX), (-3, -3)] {
            let difference = i128::from(number) - i128::from(current);
            assert_eq!(sum(&adds(Some(current), number)), difference);
        }
        assert!(adds(Some(4), 4).is_empty());
        // A counter that is not there comes into being, though nothing is added.
        assert_eq!(adds(None, 0), [Change::Add(0)]);
    }
}

//! The key space in memory: namespaces, keys, registers; listing, and the changes for who watches.
//!
//! Source: docs/design.md, cells; bounded in bytes, refuses when full.

mod check;
mod group;
mod page;
mod read;
mod roots;

use group::{Group, Share};
pub use page::{Page, PageMax};

pub(in crate::replication) use roots::{At, Scan};

use crate::{
    kernel::{
        bounded::RingLog,
        bytes::Bytes,
        crypto::Hash,
        id::NodeId,
        text::{Key, Namespace},
        time::WallTime,
    },
    replication::{
        batch::{BATCH_BYTES_MAX, OPS_MAX, Op, SHARDS, op_bytes, shard_of},
        clock::Hlc,
        crdt::register::{Effect, Register, Version},
        typed::{Content, Kind, Place, base_of},
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A value with what a person may want to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// The value; `None` if it was deleted.
    pub value: Option<Bytes>,
    /// Who wrote it.
    pub author: NodeId,
    /// When, by its writer's clock.
    pub stamp: Hlc,
    /// Concurrent writes that lost, newest first, at most 16.
    pub conflicts: Vec<Version>,
    /// Conflicts beyond those that were dropped.
    pub conflicts_dropped: u32,
    /// What the key holds: of a typed value everything, as `value` is only its text.
    pub content: Content,
    /// What else it holds, if several kinds were begun at once.
    pub also: Vec<Kind>,
}

impl EntryView {
    /// When it was written, by its writer's wall clock or a faster one it had heard of.
    #[must_use]
    pub const fn written_at(&self) -> WallTime {
        self.stamp.wall()
    }
}

/// One visible change.
pub(in crate::replication) type Change = (u64, Namespace, Key);

/// All cells.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Cells {
    namespaces: BTreeMap<Namespace, BTreeMap<Key, Register>>,
    /// About how much memory the cells take.
    bytes: u64,
    bytes_max: u64,
    me: NodeId,
    /// By shard: about how many bytes of batches this node's own versions take.
    own_bytes: Vec<u64>,
    /// What the parts of typed keys add up to.
    groups: BTreeMap<Namespace, BTreeMap<Key, Group>>,
    /// Keys with a value that was not deleted; a typed key counts once, its parts do not.
    live: u64,
    /// Live keys by namespace; none at zero.
    live_in: BTreeMap<Namespace, u64>,
    conflicts: u64,
    conflicts_dropped: u64,
    /// The number of the last visible change in this run.
    revision: u64,
    /// The last changes, for watchers that come back after a short absence.
    changes: RingLog<Change>,
}

/// A key in memory beside its text and its versions: the map's share, the register.
const CELL_BYTES: u64 = 128;

impl Cells {
    pub(in crate::replication) fn new(bytes_max: u64, changes_max: usize, me: NodeId) -> Self {
        Self {
            me,
            own_bytes: alloc::vec![0; usize::from(SHARDS)],
            namespaces: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            groups: BTreeMap::new(),
            live: 0,
            live_in: BTreeMap::new(),
            conflicts: 0,
            conflicts_dropped: 0,
            revision: 0,
            changes: RingLog::new(changes_max),
        }
    }

    /// Whether writes of about `more` bytes still fit.
    pub(in crate::replication) const fn has_room(&self, more: u64) -> bool {
        self.bytes.saturating_add(more) <= self.bytes_max
    }

    /// About how much memory a write takes; nothing for the deletion of a key that is there, so
    /// that a full node can be emptied.
    pub(in crate::replication) fn cost(
        &self,
        namespace: &str,
        key: &Key,
        value: Option<&Bytes>,
    ) -> u64 {
        // The cost of an overwrite is counted as if the old value stayed. That errs on the safe
        // side: the old value may indeed stay, as a conflict.
        let known = self.register(namespace, key).is_some();
        match value {
            None if known => 0,
            None => self.new_bytes(namespace, key),
            Some(value) => {
                let value = u64::try_from(value.len()).unwrap_or(u64::MAX);
                self.new_bytes(namespace, key).saturating_add(value)
            }
        }
    }

    fn new_bytes(&self, namespace: &str, key: &Key) -> u64 {
        let base = base_of(key);
        let is_grouped = base.len() == key.len() || self.group(namespace, base).is_some();
        let group = if is_grouped { 0 } else { group::bytes(base) };
        cell_bytes(key).saturating_add(group)
    }

    /// Takes one write of a batch; answers the key of which something visible changed.
    pub(in crate::replication) fn apply(
        &mut self,
        (namespace, shard): (&Namespace, u16),
        author: NodeId,
        op: Op,
    ) -> Option<Key> {
        // `entry` would clone the namespace for each write, also when it is there already.
        if !self.namespaces.contains_key(namespace) {
            self.namespaces.insert(namespace.clone(), BTreeMap::new());
        }
        let was_typed = self.is_typed(namespace, base_of(&op.key));
        let cells = self.namespaces.get_mut(namespace)?;
        let Op {
            key,
            stamp,
            value,
            seen,
        } = op;
        let version = Version {
            // The author here is the node, whatever its writer epoch: versions know no epochs (ADR
            // 0012).
            author,
            stamp,
            value,
        };
        // The sums follow from what the register measures before and after, because one write may
        // add a version, remove several and move others to the context.
        let me = self.me;
        let (before, effect, after) = match cells.get_mut(&key) {
            Some(register) => {
                let before = Measure::of(&key, register, me);
                let effect = register.put(version, &seen);
                (before, effect, Measure::of(&key, register, me))
            }
            None => {
                let mut register = Register::default();
                let effect = register.put(version, &seen);
                let after = Measure::of(&key, &register, me);
                cells.insert(key.clone(), register);
                (Measure::default(), effect, after)
            }
        };
        self.account(before, after);
        if let Some(own) = self.own_bytes.get_mut(usize::from(shard)) {
            *own = own.saturating_sub(before.own).saturating_add(after.own);
        }
        self.regroup(namespace, &key, before.share, after.share);
        let name = base_of(&key);
        let (was_live, is_live) = if name.len() == key.len() {
            (was_typed || before.is_live, was_typed || after.is_live)
        } else {
            let register = self.register(namespace, name);
            let beside = register.is_some_and(Register::is_live);
            let is_typed = self.is_typed(namespace, name);
            (was_typed || beside, is_typed || beside)
        };
        self.account_live(namespace, was_live, is_live);
        match effect {
            Effect::Nothing => None,
            // Also when only the conflicts changed: watchers show these too.
            Effect::Conflicts | Effect::Value if name.len() == key.len() => Some(key),
            Effect::Conflicts | Effect::Value => Key::new(name).ok(),
        }
    }

    /// Something visible changed at a key: answers its revision.
    pub(in crate::replication) fn note_change(&mut self, namespace: &Namespace, key: Key) -> u64 {
        self.revision = self.revision.saturating_add(1);
        self.changes.push((self.revision, namespace.clone(), key));
        self.revision
    }

    fn account(&mut self, before: Measure, after: Measure) {
        // It saturates, but can't for a right count: `old` is a part of `sum`. `check` compares the
        // sums with the cells.
        let moved = |sum: u64, old: u64, new: u64| sum.saturating_sub(old).saturating_add(new);
        self.bytes = moved(self.bytes, before.bytes, after.bytes);
        self.conflicts = moved(self.conflicts, before.conflicts, after.conflicts);
        self.conflicts_dropped = moved(self.conflicts_dropped, before.dropped, after.dropped);
    }

    fn account_live(&mut self, namespace: &Namespace, before: bool, after: bool) {
        if before == after {
            return;
        }
        let moved = |sum: u64| match after {
            true => sum.saturating_add(1),
            false => sum.saturating_sub(1),
        };
        self.live = moved(self.live);
        let known = self.live_in.get(namespace).copied().unwrap_or_default();
        match moved(known) {
            0 => drop(self.live_in.remove(namespace)),
            live => drop(self.live_in.insert(namespace.clone(), live)),
        }
    }

    /// About how many bytes of batches this node's own versions in a shard take.
    pub(in crate::replication) fn own_bytes(&self, shard: u16) -> u64 {
        let own = self.own_bytes.get(usize::from(shard));
        own.copied().unwrap_or(0)
    }

    /// This node's own versions in a shard as the writes that they were, of one namespace, after a key; looks at
    /// some keys only. What superseded others stays said, so that nothing comes back by it.
    pub(in crate::replication) fn own_after(&self, shard: u16, after: Option<&At>) -> OwnPart {
        let mut part = OwnPart {
            namespace: None,
            ops: Vec::new(),
            last: None,
            is_last: false,
        };
        let (mut looked, mut bytes) = (0_usize, 0_usize);
        for (namespace, key, register) in self.stored_after(None, after) {
            let is_other = part.namespace.as_ref().is_some_and(|of| of != namespace);
            if looked >= LOOKED_MAX || is_other {
                return part;
            }
            let own = register
                .versions()
                .filter(|version| version.author == self.me);
            let own = own.filter(|_| shard_of(namespace, key) == shard);
            for version in own {
                let size = op_bytes(key.len().saturating_add(value_bytes(version)));
                let fits = bytes.saturating_add(size) <= PART_BYTES_MAX;
                let is_full = !fits || part.ops.len() >= OPS_MAX;
                if is_full && !part.ops.is_empty() {
                    return part;
                }
                bytes = bytes.saturating_add(size);
                part.namespace = Some(namespace.clone());
                part.ops.push(Op {
                    key: key.clone(),
                    stamp: version.stamp,
                    value: version.value.clone(),
                    seen: register.superseded_before(version),
                });
            }
            looked = looked.saturating_add(1);
            part.last = Some((namespace.clone(), key.clone()));
        }
        part.is_last = true;
        part
    }

    /// Forgets the changes of the replay, so that a run's revisions start at 1.
    pub(in crate::replication) fn restart_revisions(&mut self, changes_max: usize) {
        self.revision = 0;
        self.changes = RingLog::new(changes_max);
    }

    /// The register of a key.
    pub(in crate::replication) fn register(&self, namespace: &str, key: &str) -> Option<&Register> {
        self.namespaces.get(namespace)?.get(key)
    }

    /// Namespaces with their numbers of live keys, those that have any.
    pub(in crate::replication) fn namespaces(&self) -> Vec<(Namespace, u64)> {
        self.live_in
            .iter()
            .map(|(namespace, live)| (namespace.clone(), *live))
            .collect()
    }

    pub(in crate::replication) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(in crate::replication) fn changes_since(&self, revision: u64) -> Option<Vec<Change>> {
        // A revision above ours is of an earlier run. `dropped` counts the changes that the ring
        // has lost, which is also the revision of the last one lost: who has seen that one lacks
        // nothing.
        if revision > self.revision || revision < self.changes.dropped() {
            return None;
        }
        let missed = self.revision.saturating_sub(revision);
        let missed = usize::try_from(missed).unwrap_or(usize::MAX);
        let mut changes: Vec<_> = self.changes.iter().rev().take(missed).cloned().collect();
        changes.reverse();
        Some(changes)
    }

    /// A hash over every key's winner, the same for the same data however it came here.
    pub(in crate::replication) fn state_hash(&self) -> Hash {
        // Only winners count: conflicts may differ between nodes whose bounded contexts forgot
        // different entries. Maps are walked in key order, so the hash is the same everywhere.
        let mut state = Hash::ZERO;
        for (namespace, cells) in &self.namespaces {
            for (key, register) in cells {
                // Once written, a register keeps its greatest write, so this skips nothing.
                state = hash_of_winner(state, namespace, key, register).unwrap_or(state);
            }
        }
        state
    }

    pub(in crate::replication) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(in crate::replication) const fn live(&self) -> u64 {
        self.live
    }

    pub(in crate::replication) const fn conflicts(&self) -> u64 {
        self.conflicts
    }

    pub(in crate::replication) const fn conflicts_dropped(&self) -> u64 {
        self.conflicts_dropped
    }
}

/// What was hashed before, and a key with its winner.
fn hash_of_winner(
    before: Hash,
    namespace: &Namespace,
    key: &Key,
    register: &Register,
) -> Option<Hash> {
    let winner = register.winner()?;
    let value = match &winner.value {
        Some(value) => Hash::of("sporenet 2026 state value", &[value]),
        None => Hash::ZERO,
    };
    let state = Hash::of(
        "sporenet 2026 state",
        &[
            before.as_bytes(),
            namespace.as_bytes(),
            &[0],
            key.as_bytes(),
            &[0],
            &winner.stamp.millis.to_le_bytes(),
            &winner.stamp.counter.to_le_bytes(),
            winner.author.as_bytes(),
            value.as_bytes(),
        ],
    );
    Some(state)
}

/// A part of this node's own versions.
pub(in crate::replication) struct OwnPart {
    /// Of which namespace; `None` if none was found.
    pub(in crate::replication) namespace: Option<Namespace>,
    /// In no order of stamps.
    pub(in crate::replication) ops: Vec<Op>,
    /// The last key that was looked at.
    pub(in crate::replication) last: Option<At>,
    /// Whether no key follows.
    pub(in crate::replication) is_last: bool,
}

/// The most keys that are looked at for one part.
const LOOKED_MAX: usize = 2_000;
/// The most bytes of a part: with what a batch needs beside it, it fits.
const PART_BYTES_MAX: usize = BATCH_BYTES_MAX - 8_192;

/// What a cell adds to the sums.
#[derive(Clone, Copy, Default)]
struct Measure {
    own: u64,
    bytes: u64,
    /// It is a key of a user, and has a value.
    is_live: bool,
    conflicts: u64,
    dropped: u64,
    share: Share,
}

impl Measure {
    fn of(key: &Key, register: &Register, me: NodeId) -> Self {
        let own = register.versions().filter(|version| version.author == me);
        let own = own.map(|version| {
            let bytes = value_bytes(version).saturating_add(key.len());
            u64::try_from(bytes)
                .unwrap_or(u64::MAX)
                .saturating_add(OP_BYTES)
        });
        let lost = register.conflicts().len();
        let place = Place::of(key);
        let (lost, dropped) = match place {
            Place::Plain | Place::Part(_, Kind::Map, _) => (lost, register.dropped()),
            // Of what stands side by side nothing lost, except for what was dropped.
            Place::Part(_, Kind::Multi, _) => (0, register.dropped()),
            Place::Part(_, Kind::Register | Kind::Counter | Kind::Set | Kind::Flag, _)
            | Place::Unknown(_) => (0, 0),
        };
        Self {
            own: own.fold(0, u64::saturating_add),
            bytes: cell_bytes(key).saturating_add(register.bytes()),
            is_live: place == Place::Plain && register.is_live(),
            conflicts: u64::try_from(lost).unwrap_or(u64::MAX),
            dropped: u64::from(dropped),
            share: Share::of(key, register),
        }
    }
}

/// What a write takes in a batch beside its key and its value, and its share of the batch.
const OP_BYTES: u64 = 160;

fn value_bytes(version: &Version) -> usize {
    version.value.as_ref().map_or(0, |value| value.len())
}

fn cell_bytes(key: &Key) -> u64 {
    let author = match Place::of(key) {
        Place::Part(_, Kind::Counter, _) => group::AUTHOR_BYTES,
        Place::Part(..) | Place::Plain | Place::Unknown(_) => 0,
    };
    CELL_BYTES
        .saturating_add(author)
        .saturating_add(u64::try_from(key.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    fn op(key: &str, millis: u64, value: Option<&str>) -> Op {
        Op {
            key: Key::new(key).unwrap(),
            stamp: Hlc { millis, counter: 0 },
            value: value.map(|value| Bytes::from(value.as_bytes())),
            seen: Vec::new(),
        }
    }

    fn space() -> Namespace {
        Namespace::new("n").unwrap()
    }

    /// Applies a write; answers its revision if something changed.
    fn put(cells: &mut Cells, op: Op) -> Option<u64> {
        let key = cells.apply((&space(), 0), AUTHOR, op)?;
        Some(cells.note_change(&space(), key))
    }

    const AUTHOR: NodeId = NodeId::from_bytes([1; 32]);

    #[test]
    fn a_list_has_live_keys_of_the_prefix_in_order_from_the_cursor() {
        let mut cells = Cells::new(u64::MAX, 10, AUTHOR);
        for (at, key) in ["a", "b/1", "b/2", "b/3", "c"].into_iter().enumerate() {
            cells.apply((&space(), 0), AUTHOR, op(key, at as u64 + 1, Some("v")));
        }
        cells.apply((&space(), 0), AUTHOR, op("b/2", 9, None));
        let keys = |prefix: &str, after: Option<&str>, limit| -> Vec<Key> {
            let rows = cells.list("n", prefix, after, limit);
            rows.into_iter().map(|(key, _)| key).collect()
        };
        let all = |names: &[&str]| -> Vec<Key> {
            names.iter().map(|name| Key::new(name).unwrap()).collect()
        };
        assert_eq!(keys("", None, 9), all(&["a", "b/1", "b/3", "c"]));
        assert_eq!(keys("b/", None, 9), all(&["b/1", "b/3"]));
        assert_eq!(keys("b/", Some("b/1"), 9), all(&["b/3"]));
        assert_eq!(keys("b/", Some("a"), 1), all(&["b/1"]));
        assert_eq!(keys("", Some("c"), 9), all(&[]));
        assert_eq!(cells.list("other", "", None, 9), Vec::new());
        assert_eq!(cells.live(), 4);
    }

    #[test]
    fn changes_are_gap_free_or_said_to_have_a_gap() {
        let mut cells = Cells::new(u64::MAX, 3, AUTHOR);
        for at in 1..=5 {
            assert_eq!(put(&mut cells, op("k", at, None)), Some(at));
        }
        assert_eq!(put(&mut cells, op("k", 5, None)), None);
        assert_eq!(cells.changes_since(1), None, "dropped");
        assert_eq!(cells.changes_since(6), None, "of another run");
        let revisions = |since| -> Option<Vec<u64>> {
            Some(cells.changes_since(since)?.iter().map(|c| c.0).collect())
        };
        assert_eq!(revisions(2), Some(alloc::vec![3, 4, 5]));
        assert_eq!(revisions(5), Some(Vec::new()));
    }

    #[test]
    fn deleting_a_known_key_costs_no_room() {
        let mut cells = Cells::new(1_000, 10, AUTHOR);
        let large = Bytes::from(alloc::vec![0; 700]);
        let key = Key::new("k").unwrap();
        assert!(cells.has_room(cells.cost("n", &key, Some(&large))));
        let put = Op {
            value: Some(large.clone()),
            ..op("k", 1, None)
        };
        cells.apply((&space(), 0), AUTHOR, put);
        assert!(!cells.has_room(cells.cost("n", &key, Some(&large))));
        assert!(cells.has_room(cells.cost("n", &key, None)));
        cells.apply((&space(), 0), AUTHOR, op("k", 2, None));
        assert!(cells.bytes() < 300);
    }

    proptest! {
        /// The reference: a map from key to its greatest (stamp, value).
        #[test]
        fn cells_answer_like_a_map_of_latest_values(
            writes in prop::collection::vec(("[ab]{1,3}", 1..50_u64, prop::option::of("[xyz]")), 0..60)
        ) {
            let mut cells = Cells::new(u64::MAX, 100, AUTHOR);
            let mut reference: BTreeMap<Key, (Hlc, Option<Bytes>)> = BTreeMap::new();
            for (key, millis, value) in &writes {
                let op = op(key, *millis, value.as_deref());
                let latest = reference.entry(op.key.clone()).or_insert((Hlc::ZERO, None));
                *latest = latest.clone().max((op.stamp, op.value.clone()));
                cells.apply((&space(), 0), AUTHOR, op);
            }
            for prefix in ["", "a", "ab", "b"] {
                let expected: Vec<_> = reference.iter()
                    .filter(|(key, (_, value))| key.starts_with(prefix) && value.is_some())
                    .map(|(key, (_, value))| (key.clone(), value.clone())).collect();
                let got: Vec<_> = cells.list("n", prefix, None, usize::MAX).into_iter()
                    .map(|(key, view)| (key, view.value)).collect();
                prop_assert_eq!(got, expected);
            }
            let live = reference.values().filter(|(_, value)| value.is_some()).count();
            prop_assert_eq!(cells.live(), live as u64);
        }
    }
}

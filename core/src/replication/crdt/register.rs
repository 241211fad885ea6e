//! A register: the last writer wins, and what it did not know of is kept as a conflict.
//!
//! Every write carries what its writer had seen of the key (a version vector). A version that a
//! later writer had seen is gone; versions that did not know of each other stay side by side. The
//! one with the greatest (stamp, author) is the value, the others are its conflict record. So a
//! sequence of overwrites never shows as a conflict, in whatever order it arrives.
//!
//! Source: Preguiça, Baquero, Almeida, Fonte, Gonçalves, "Dotted Version Vectors: Logical Clocks
//! for Optimistic Replication", 2010, sections 4 and 5; Shapiro et al., "A comprehensive study of
//! Convergent and Commutative Replicated Data Types", 2011, section 3.2.1 (LWW register).
//!
//! Two different values with one author and stamp (twins) come only of an author whose store went
//! back in time, or who lies. They are ordered by the value itself, so that all agree; the greater
//! two are kept, the lesser of them as a conflict.
//!
//! A writer's later write supersedes its earlier ones, so its own entry is left out of what it has
//! seen. [`Batch::check`](crate::replication::batch::Batch::check) keeps out writes that claim to
//! have seen a stamp not before their own; with that, the winner is the greatest write there ever
//! was, whatever was forgotten by the bounds below.

mod check;

use crate::{
    kernel::{
        bytes::Bytes,
        id::NodeId,
        planted::{self, Planted},
    },
    replication::clock::Hlc,
};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The most conflicts kept for a key; beyond it the oldest goes and is counted. People look at a
/// handful; doubling it doubles what a storm of concurrent writes can cost in memory.
pub const CONFLICTS_MAX: usize = 16;
/// The most entries of what a write has seen; beyond it the oldest are left out.
pub const SEEN_MAX: usize = 16;
/// The most entries of superseded writes remembered for a key; beyond it the oldest go. What is
/// forgotten can, if it arrives again late, show as a conflict; it can never win.
pub const CONTEXT_MAX: usize = 32;

/// One write as the register keeps it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Version {
    /// Who wrote it.
    pub author: NodeId,
    /// When, by its author's clock.
    pub stamp: Hlc,
    /// What; `None` if it deleted the key.
    pub value: Option<Bytes>,
}

/// What a write changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that can be seen.
    Nothing,
    /// Only the conflict record.
    Conflicts,
    /// The value.
    Value,
}

/// A register. Empty until the first write.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Register {
    /// Newest first; the first is the value, the rest are its conflicts. At most one per author, or
    /// two twins.
    versions: Vec<Version>,
    /// The latest superseded stamp of each author without a version here, newest first.
    context: Vec<(NodeId, Hlc)>,
    /// Conflicts dropped because there were too many.
    dropped: u32,
}

impl Register {
    /// The value with its writer; `None` before the first write.
    #[must_use]
    pub fn winner(&self) -> Option<&Version> {
        self.versions.first()
    }

    /// Whether there is a value that was not deleted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.winner().is_some_and(|version| version.value.is_some())
    }

    /// The value and what lost to it.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// What was superseded of others, and is older than a version of this key: as if its writer had seen it. It
    /// removes nothing that is not gone.
    #[must_use]
    pub fn superseded_before(&self, version: &Version) -> Vec<(NodeId, Hlc)> {
        let others = self.context.iter().copied();
        let older = others.filter(|(who, at)| *who != version.author && *at < version.stamp);
        older.take(SEEN_MAX).collect()
    }

    /// Concurrent writes that lost, newest first, at most [`CONFLICTS_MAX`].
    pub fn conflicts(&self) -> impl ExactSizeIterator<Item = &Version> {
        self.versions.iter().skip(1)
    }

    /// Conflicts that were dropped because there were too many.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// What `writer` has to say it has seen when it writes now: of others the versions that are here, and
    /// the newest that were superseded, at most [`SEEN_MAX`].
    #[must_use]
    pub fn seen_by(&self, writer: NodeId) -> Vec<(NodeId, Hlc)> {
        // What was superseded was seen too: without the context, a reader's overwrite would leave
        // out the writes that its own value had replaced, and these would come back as conflicts
        // where they arrive late.
        // Versions come first, or one that is removed could stay behind many newer entries. Both are
        // sorted.
        let dots = self.versions.iter().map(|v| (v.author, v.stamp));
        let all = dots.chain(self.context.iter().copied());
        let of_others = all.filter(|(author, _)| *author != writer);
        of_others.take(SEEN_MAX).collect()
    }

    /// Takes a write and what its writer had seen; in any order, any number of times.
    pub fn put(&mut self, version: Version, seen: &[(NodeId, Hlc)]) -> Effect {
        // Dots tell versions apart except twins, which share one; the winner's value is compared
        // for them.
        let before = self.dots();
        let value_before = self.winner().map(|winner| winner.value.clone());
        for (author, stamp) in seen {
            self.supersede(*author, *stamp);
        }
        self.insert(version);
        // What the writer had seen is gone by now, so it can't crowd out a conflict that is still
        // one.
        self.enforce_bounds();
        let value_changed = self.winner().map(|winner| winner.value.clone()) != value_before;
        let after = self.dots();
        if after == before && !value_changed {
            Effect::Nothing
        } else if after.first() == before.first() && !value_changed {
            // The same winner, but other versions beside it.
            Effect::Conflicts
        } else {
            Effect::Value
        }
    }

    /// Takes everything that another register holds of the same key.
    pub fn merge(&mut self, other: &Self) {
        // An author is in the context or has a version, never both, so the order of the two loops
        // does not matter.
        for (author, stamp) in &other.context {
            self.supersede(*author, *stamp);
        }
        for version in &other.versions {
            self.insert(version.clone());
        }
        self.enforce_bounds();
    }

    /// Its size in memory, about, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let values = self.versions.iter().fold(0_u64, |sum, version| {
            let value = version.value.as_ref().map_or(0, |value| value.len());
            sum.saturating_add(VERSION_BYTES)
                .saturating_add(u64::try_from(value).unwrap_or(u64::MAX))
        });
        let context = u64::try_from(self.context.len()).unwrap_or(u64::MAX);
        values.saturating_add(context.saturating_mul(CONTEXT_BYTES))
    }

    fn dots(&self) -> Vec<(NodeId, Hlc)> {
        self.versions.iter().map(|v| (v.author, v.stamp)).collect()
    }

    /// Everything that `author` wrote up to `stamp` has been overwritten.
    fn supersede(&mut self, author: NodeId, stamp: Hlc) {
        let held = self.versions.iter().find(|v| v.author == author);
        // A later write of the same author than the one that was overwritten: it is concurrent and
        // stays.
        if held.is_some_and(|v| v.stamp > stamp) {
            return;
        }
        // Twins have one stamp and go together: who has seen one of them has overwritten both (ADR
        // 0012).
        self.versions.retain(|v| v.author != author);
        match self.context.iter_mut().find(|(who, _)| *who == author) {
            Some((_, latest)) => *latest = (*latest).max(stamp),
            None => self.context.push((author, stamp)),
        }
    }

    fn insert(&mut self, version: Version) {
        let deletes = version.value.is_none() && !self.versions.is_empty();
        if deletes && planted::is(Planted::TombstoneLoses) {
            return;
        }
        let author = version.author;
        // A write that arrives after one that had seen it (or after a later one of its author that
        // was overwritten) must not come back as a conflict. This makes `put` indifferent to order.
        let superseded = self
            .context
            .iter()
            .any(|(who, stamp)| *who == author && *stamp >= version.stamp);
        if superseded {
            return;
        }
        // Within one author writes are totally ordered, so only the latest can be current.
        let held = self.versions.iter().find(|v| v.author == author);
        if held.is_some_and(|v| v.stamp > version.stamp) {
            return;
        }
        // Removes the author's earlier writes and the same write when it comes again; a twin stays.
        self.versions.retain(|v| {
            v.author != author || (v.stamp == version.stamp && v.value != version.value)
        });
        self.versions.push(version);
        // A version that is held is later than what the context says of its author (checked above),
        // so the entry has nothing more to tell: per author there is a version or an entry, never
        // both.
        self.context.retain(|(who, _)| *who != author);
        if planted::is(Planted::LastArrivalWins) {
            self.versions.rotate_right(1);
        } else {
            self.versions.sort_by(newest_first);
        }
        if planted::is(Planted::ConflictDropped) {
            self.versions.truncate(1);
        }
        // Versions are sorted by value within one stamp, so every node keeps the same two twins.
        let mut twins = 0_usize;
        self.versions.retain(|v| {
            twins = twins.saturating_add(usize::from(v.author == author));
            v.author != author || twins <= TWINS_MAX
        });
    }

    fn enforce_bounds(&mut self) {
        while self.versions.len() > CONFLICTS_MAX.saturating_add(1) {
            // All nodes sort the same, so all drop the same. It goes into the context, so that it
            // does not come back when it arrives again.
            if let Some(oldest) = self.versions.pop() {
                self.dropped = self.dropped.saturating_add(1);
                self.supersede(oldest.author, oldest.stamp);
            }
        }
        // The oldest entries go: they are the least likely to meet a late duplicate. `CONTEXT_MAX`
        // says what a forgotten entry can do.
        sort_newest_first(&mut self.context);
        self.context.truncate(CONTEXT_MAX);
    }
}

/// The most values kept of one author and stamp: an honest author's store goes back in time once
/// between two writes.
const TWINS_MAX: usize = 2;

fn newest_first(a: &Version, b: &Version) -> Ordering {
    // The author breaks ties of stamps, the value those of twins: a total order, the same on all
    // nodes.
    (b.stamp, b.author, &b.value).cmp(&(a.stamp, a.author, &a.value))
}

/// A version in memory without its value: identity, stamp, pointer, allocator's share.
const VERSION_BYTES: u64 = 96;
/// An entry of the context in memory.
const CONTEXT_BYTES: u64 = 48;

fn sort_newest_first(dots: &mut [(NodeId, Hlc)]) {
    dots.sort_by(|(a, at), (b, bt)| (bt, b).cmp(&(at, a)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    type Write = (Version, Vec<(NodeId, Hlc)>);

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    fn stamp(millis: u64) -> Hlc {
        Hlc { millis, counter: 0 }
    }

    fn version(author: u8, millis: u64, value: &str) -> Version {
        Version {
            author: node(author),
            stamp: stamp(millis),
            value: Some(Bytes::from(value.as_bytes())),
        }
    }

    fn conflicts(register: &Register) -> Vec<(NodeId, Hlc)> {
        register.conflicts().map(|v| (v.author, v.stamp)).collect()
    }

    fn applied(writes: &[Write]) -> Register {
        let mut register = Register::default();
        for (version, seen) in writes {
            register.put(version.clone(), seen);
        }
        register
    }

    #[test]
    fn concurrent_writes_leave_the_loser_in_the_conflict_record() {
        let one = (version(1, 10, "a"), Vec::new());
        let two = (version(2, 11, "b"), Vec::new());
        for order in [[one.clone(), two.clone()], [two, one]] {
            let register = applied(&order);
            assert_eq!(register.winner(), Some(&version(2, 11, "b")));
            assert_eq!(conflicts(&register), [(node(1), stamp(10))]);
        }
    }

    #[test]
    fn sequential_overwrites_never_show_as_a_conflict_in_any_order() {
        let mut writer = Register::default();
        let mut writes = Vec::new();
        for step in 0..4_u8 {
            let author = step % 3;
            let seen = writer.seen_by(node(author));
            let next = version(author, u64::from(step) + 10, "x");
            writer.put(next.clone(), &seen);
            writes.push((next, seen));
        }
        for order in permutations(&writes) {
            let register = applied(&order);
            assert_eq!(register.winner(), writer.winner());
            assert_eq!(conflicts(&register), []);
        }
    }

    #[test]
    fn a_write_that_saw_both_sides_resolves_the_conflict() {
        let mut register = applied(&[
            (version(1, 10, "a"), Vec::new()),
            (version(2, 11, "b"), Vec::new()),
        ]);
        let seen = register.seen_by(node(3));
        assert_eq!(register.put(version(3, 12, "c"), &seen), Effect::Value);
        assert_eq!(conflicts(&register), []);
        assert_eq!(
            register.put(version(1, 10, "a"), &[]),
            Effect::Nothing,
            "what was resolved does not come back"
        );
    }

    #[test]
    fn of_twins_all_take_the_same_and_keep_the_other_as_a_conflict() {
        let [one, two] = ["left", "right"].map(|value| (version(1, 10, value), Vec::new()));
        let registers =
            [[one.clone(), two.clone()], [two.clone(), one.clone()]].map(|o| applied(&o));
        for register in &registers {
            assert_eq!(register.winner(), registers[0].winner());
            assert_eq!(conflicts(register), [(node(1), stamp(10))]);
            let values = |v: &Version| v.value.clone();
            let mut both: Vec<_> = register.versions.iter().map(values).collect();
            both.sort();
            assert_eq!(both, [one.0.value.clone(), two.0.value.clone()]);
        }
        let mut after = registers[0].clone();
        assert_eq!(after.put(version(1, 11, "later"), &[]), Effect::Value);
        assert_eq!(conflicts(&after), []);
        assert_eq!(after.put(one.0, &[]), Effect::Nothing);
    }

    #[test]
    fn conflicts_beyond_the_bound_drop_the_oldest_and_count() {
        let writes: Vec<Write> = (0..40)
            .map(|author| (version(author, u64::from(author) + 1, "x"), Vec::new()))
            .collect();
        let register = applied(&writes);
        assert_eq!(register.conflicts().len(), CONFLICTS_MAX);
        assert_eq!(register.dropped(), 40 - 17);
        assert_eq!(register.winner(), Some(&version(39, 40, "x")));
    }

    fn permutations(writes: &[Write]) -> Vec<Vec<Write>> {
        if writes.is_empty() {
            return alloc::vec![Vec::new()];
        }
        let mut all = Vec::new();
        for (at, first) in writes.iter().enumerate() {
            let mut rest = writes.to_vec();
            rest.remove(at);
            for mut tail in permutations(&rest) {
                tail.insert(0, first.clone());
                all.push(tail);
            }
        }
        all
    }

    /// Writes by three nodes that write, and hear of each other's state, in an arbitrary order: a
    /// history that honest nodes can have.
    fn honest_history() -> impl Strategy<Value = Vec<Write>> {
        prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), 1..24).prop_map(|steps| {
            let mut nodes = [
                Register::default(),
                Register::default(),
                Register::default(),
            ];
            let mut clocks = [0_u64; 3];
            let mut writes = Vec::new();
            for (who, other, writing) in steps {
                if writing {
                    clocks[who] += 1;
                    let author = u8::try_from(who).unwrap();
                    let next = version(author, clocks[who], "v");
                    let seen = nodes[who].seen_by(node(author));
                    nodes[who].put(next.clone(), &seen);
                    writes.push((next, seen));
                } else {
                    let heard = nodes[other].clone();
                    nodes[who].merge(&heard);
                    clocks[who] = clocks[who].max(clocks[other]);
                }
            }
            writes
        })
    }

    fn arbitrary_writes() -> impl Strategy<Value = Vec<Write>> {
        let seen = prop::collection::vec((0..6_u8, 1..30_u64), 0..4);
        let write =
            (0..6_u8, 1..40_u64, any::<u8>(), seen).prop_map(|(author, at, value, seen)| {
                let version = Version {
                    author: node(author),
                    stamp: stamp(at),
                    value: (value > 32).then(|| Bytes::from([value].as_slice())),
                };
                let seen = seen.into_iter().filter(|(_, s)| *s < at);
                (version, seen.map(|(a, s)| (node(a), stamp(s))).collect())
            });
        prop::collection::vec(write, 0..30)
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_winner_and_conflicts(
            (writes, shuffled) in prop_oneof![honest_history(), arbitrary_writes()]
                .prop_flat_map(|writes| (Just(writes.clone()), Just(writes).prop_shuffle()))
        ) {
            let (one, two) = (applied(&writes), applied(&shuffled));
            prop_assert_eq!(one.winner(), two.winner());
            prop_assert_eq!(conflicts(&one), conflicts(&two));
            let greatest = writes.iter().map(|(v, _)| (v.stamp, v.author)).max();
            prop_assert_eq!(one.winner().map(|v| (v.stamp, v.author)), greatest);
        }

        #[test]
        fn merge_is_associative_commutative_and_idempotent(
            a in arbitrary_writes(), b in arbitrary_writes(), c in arbitrary_writes()
        ) {
            let (a, b, c) = (applied(&a), applied(&b), applied(&c));
            let merged = |x: &Register, y: &Register| { let mut m = x.clone(); m.merge(y); m };
            let left = merged(&merged(&a, &b), &c);
            let right = merged(&a, &merged(&b, &c));
            let swapped = merged(&merged(&c, &b), &a);
            for other in [&right, &swapped, &merged(&left, &left)] {
                prop_assert_eq!(left.winner(), other.winner());
                prop_assert_eq!(conflicts(&left), conflicts(other));
            }
        }

        #[test]
        fn duplicates_change_nothing(writes in arbitrary_writes()) {
            let mut register = applied(&writes);
            let before = (register.winner().cloned(), conflicts(&register));
            for (version, seen) in &writes {
                prop_assert_eq!(register.put(version.clone(), seen), Effect::Nothing);
            }
            prop_assert_eq!((register.winner().cloned(), conflicts(&register)), before);
        }
    }
}

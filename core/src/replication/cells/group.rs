//! What the parts of a typed key add up to, kept with every write: no question has to walk over them.

use super::Cells;
use crate::{
    kernel::{
        id::NodeId,
        text::{Key, Namespace},
    },
    replication::{
        clock::Hlc,
        crdt::register::{Register, Version},
        typed::{Kind, Place, Totals, is_counter_part_of},
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

/// The parts of one key. It stays once there was one, as registers do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Group {
    /// How many are live, by kind, in the order of [`Kind::TYPED`].
    live: [u64; 5],
    /// Who added to the counter, and how much.
    pub(super) authors: BTreeMap<NodeId, Added>,
    /// What all of them added.
    pub(super) sum: i128,
    /// How many parts of the counter can rise no more.
    pub(super) full: u64,
    /// The newest write to any part.
    pub(super) newest: Option<(Hlc, NodeId)>,
}

/// What one author added to a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Added {
    /// In how many live parts: one a run.
    parts: u64,
    /// In all.
    pub(super) sum: i128,
    /// When it did last.
    pub(super) newest: Hlc,
}

/// What one part adds to its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) is_live: bool,
    counted: Option<Counted>,
    newest: Option<(Hlc, NodeId)>,
}

/// What an author says of itself in a part of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    author: NodeId,
    stamp: Hlc,
    totals: Totals,
}

/// What a group takes in memory beside its key.
const GROUP_BYTES: u64 = 160;
/// What an author of a counter takes in memory, counted with each of its parts.
pub(super) const AUTHOR_BYTES: u64 = 96;

pub(super) fn bytes(base: &str) -> u64 {
    let base = u64::try_from(base.len()).unwrap_or(u64::MAX);
    GROUP_BYTES.saturating_add(base)
}

/// What an author says of itself in its part of a counter. What others say of it there does not count.
fn counted(part: &str, register: &Register) -> Option<Counted> {
    let mut own =
        live_versions(register).filter(|version| is_counter_part_of(version.author, part));
    own.find_map(|version| {
        Some(Counted {
            author: version.author,
            stamp: version.stamp,
            totals: Totals::of(version.value.as_ref()?)?,
        })
    })
}

/// What a flag's version says; `None` if it is deleted, or no flag.
fn said(version: &Version) -> Option<bool> {
    match version.value.as_deref()? {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// Whether a flag is on; `None` if there is none.
pub(super) fn is_on(register: &Register) -> Option<bool> {
    register.versions().filter_map(said).max()
}

/// The versions of a part that were not deleted, newest first.
pub(super) fn live_versions(register: &Register) -> impl Iterator<Item = &Version> {
    register
        .versions()
        .filter(|version| version.value.is_some())
}

impl Share {
    pub(super) fn of(stored: &Key, register: &Register) -> Self {
        let Place::Part(_, kind, part) = Place::of(stored) else {
            return Self::default();
        };
        let newest = register
            .winner()
            .map(|winner| (winner.stamp, winner.author));
        let counted = match kind {
            Kind::Counter => counted(part, register),
            Kind::Register | Kind::Multi | Kind::Set | Kind::Map | Kind::Flag => None,
        };
        let is_live = match kind {
            Kind::Counter => counted.is_some(),
            Kind::Multi | Kind::Set => live_versions(register).next().is_some(),
            Kind::Register | Kind::Map => register.is_live(),
            Kind::Flag => is_on(register).is_some(),
        };
        Self {
            is_live,
            counted,
            newest,
        }
    }
}

impl Group {
    pub(super) fn live(&self, kind: Kind) -> u64 {
        let counts = Kind::TYPED.iter().zip(&self.live);
        let mut of_kind = counts.filter(|(of, _)| **of == kind);
        of_kind.next().map_or(0, |(_, live)| *live)
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.iter().any(|live| *live > 0)
    }

    /// A part adds something else now.
    pub(super) fn moved(&mut self, kind: Kind, before: Share, after: Share) {
        let mut counts = Kind::TYPED.iter().zip(&mut self.live);
        if let Some((_, live)) = counts.find(|(of, _)| **of == kind) {
            *live = live
                .saturating_sub(u64::from(before.is_live))
                .saturating_add(u64::from(after.is_live));
        }
        if let Some(counted) = before.counted {
            self.uncount(counted);
        }
        if let Some(counted) = after.counted {
            self.count(counted);
        }
        // The winner of a register never gets older.
        self.newest = self.newest.max(after.newest);
        self.forget_gone(before);
    }

    // Sums are exact: no group has so many parts that their totals, below 2^64 each, fill 127 bits.

    fn count(
        &mut self,
        Counted {
            author,
            stamp,
            totals,
        }: Counted,
    ) {
        self.sum = self.sum.saturating_add(totals.net());
        self.full = self.full.saturating_add(u64::from(totals.is_full()));
        let added = self.authors.entry(author).or_default();
        added.parts = added.parts.saturating_add(1);
        added.sum = added.sum.saturating_add(totals.net());
        added.newest = added.newest.max(stamp);
    }

    fn uncount(&mut self, Counted { author, totals, .. }: Counted) {
        self.sum = self.sum.saturating_sub(totals.net());
        self.full = self.full.saturating_sub(u64::from(totals.is_full()));
        if let Some(added) = self.authors.get_mut(&author) {
            added.parts = added.parts.saturating_sub(1);
            added.sum = added.sum.saturating_sub(totals.net());
        }
    }

    /// Whether it is the same, whenever its parts were written.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let sums = |group: &Self| {
            let authors = group.authors.iter();
            let authors = authors.map(|(author, added)| (*author, added.parts, added.sum));
            authors.collect::<Vec<_>>()
        };
        (self.live, self.sum, self.full) == (other.live, other.sum, other.full)
            && sums(self) == sums(other)
    }

    /// Forgets who has added nothing that is still there.
    fn forget_gone(&mut self, part: Share) {
        let Some(Counted { author, .. }) = part.counted else {
            return;
        };
        if self
            .authors
            .get(&author)
            .is_some_and(|added| added.parts == 0)
        {
            self.authors.remove(&author);
        }
    }
}

impl Cells {
    pub(super) fn group(&self, namespace: &str, base: &str) -> Option<&Group> {
        self.groups.get(namespace)?.get(base)
    }

    /// Whether there is anything at a key.
    pub(super) fn is_live(&self, namespace: &str, base: &str) -> bool {
        // A part of an unknown kind can't be asked for, and is not there for anyone.
        let register = self.register(namespace, base);
        let is_plain = Place::of(base) == Place::Plain;
        (is_plain && register.is_some_and(Register::is_live)) || self.is_typed(namespace, base)
    }

    /// What is at a key, in the order in which one is shown.
    pub(in crate::replication) fn kinds<'a>(
        &'a self,
        namespace: &str,
        base: &str,
    ) -> impl Iterator<Item = Kind> + use<'a> {
        let register = self.register(namespace, base);
        let is_register = register.is_some_and(Register::is_live);
        let group = self.group(namespace, base);
        Kind::ALL.into_iter().filter(move |kind| match kind {
            Kind::Register => is_register,
            Kind::Multi | Kind::Counter | Kind::Set | Kind::Map | Kind::Flag => {
                group.is_some_and(|group| group.live(*kind) > 0)
            }
        })
    }

    /// Whether parts of a key are there.
    pub(in crate::replication) fn is_typed(&self, namespace: &str, base: &str) -> bool {
        self.group(namespace, base).is_some_and(Group::is_live)
    }

    /// Whether there is anything at a part.
    pub(in crate::replication) fn is_part_live(&self, namespace: &str, stored: &Key) -> bool {
        let register = self.register(namespace, stored);
        register.is_some_and(|register| Share::of(stored, register).is_live)
    }

    /// What this node has added in a part of a counter that is its own.
    pub(in crate::replication) fn own_totals(&self, namespace: &str, stored: &Key) -> Totals {
        let share = self
            .register(namespace, stored)
            .map(|it| Share::of(stored, it));
        let counted = share.and_then(|share| share.counted);
        counted.map_or_else(Totals::default, |counted| counted.totals)
    }

    /// A part of a key may add something else now.
    pub(super) fn regroup(
        &mut self,
        namespace: &Namespace,
        stored: &Key,
        before: Share,
        after: Share,
    ) {
        let Place::Part(base, kind, _) = Place::of(stored) else {
            return;
        };
        if !self.groups.contains_key(namespace) {
            self.groups.insert(namespace.clone(), Default::default());
        }
        let Some(groups) = self.groups.get_mut(namespace) else {
            return;
        };
        if let Some(group) = groups.get_mut(base) {
            group.moved(kind, before, after);
        } else if let Ok(key) = Key::new(base) {
            let mut group = Group::default();
            group.moved(kind, before, after);
            groups.insert(key, group);
            self.bytes = self.bytes.saturating_add(bytes(base));
        }
    }
}

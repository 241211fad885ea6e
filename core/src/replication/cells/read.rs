//! Reading keys: registers, and typed values with what is read of them at once.

use super::{
    Cells, EntryView,
    group::{Group, Share, is_on, live_versions},
    page::LOOKED_AT_MAX,
};
use crate::{
    kernel::{bytes::Bytes, text::Key},
    replication::{
        crdt::register::Register,
        typed::{
            Content, FieldView, Kind, PartsPage, Place, READ_BYTES_MAX, READ_ITEMS_MAX, SEPARATOR,
            half_of, last_with_half, part_key,
        },
    },
};
use alloc::{format, vec::Vec};
use core::ops::Bound;

/// The most bytes of a page of parts. A first one that is larger makes a page of its own.
const PARTS_BYTES_MAX: usize = 256 * 1024;

/// How much of a typed value is read.
#[derive(Clone, Copy)]
struct ReadMax {
    items: usize,
    bytes: usize,
}

impl Cells {
    /// What is at a key, also if it was deleted; `None` if it was never written.
    pub(in crate::replication) fn entry(&self, namespace: &str, key: &str) -> Option<EntryView> {
        self.read(namespace, key, READ_BYTES_MAX)
    }

    /// As [`Cells::entry`]; of a typed value about so many bytes.
    pub(super) fn read(&self, namespace: &str, key: &str, bytes_max: usize) -> Option<EntryView> {
        if Place::of(key) != Place::Plain {
            return None;
        }
        let mut kinds = self.kinds(namespace, key);
        let view = match kinds.next() {
            None => self.read_deleted(namespace, key)?,
            Some(Kind::Register) => self.register(namespace, key).and_then(EntryView::of)?,
            Some(kind @ (Kind::Multi | Kind::Counter | Kind::Set | Kind::Map | Kind::Flag)) => {
                let group = self.group(namespace, key)?;
                let max = ReadMax {
                    items: READ_ITEMS_MAX,
                    bytes: bytes_max.min(READ_BYTES_MAX),
                };
                let content = self.content(namespace, key, kind, max)?;
                EntryView::of_group(group, content)?
            }
        };
        Some(EntryView {
            also: kinds.collect(),
            ..view
        })
    }

    /// What is at a key that was deleted, whatever it held.
    fn read_deleted(&self, namespace: &str, key: &str) -> Option<EntryView> {
        let register = self.register(namespace, key).and_then(EntryView::of);
        let parts = self.group(namespace, key);
        let parts = parts.and_then(|group| EntryView::of_group(group, Content::Register));
        register
            .into_iter()
            .chain(parts)
            .max_by_key(|view| (view.stamp, view.author))
    }

    fn content(&self, namespace: &str, base: &str, kind: Kind, max: ReadMax) -> Option<Content> {
        let group = self.group(namespace, base)?;
        let total = group.live(kind);
        let single = || {
            let key = part_key(base, kind, "").ok()?;
            self.register(namespace, &key)
        };
        Some(match kind {
            Kind::Register => Content::Register,
            Kind::Multi => Content::Multi {
                values: live_versions(single()?).cloned().collect(),
            },
            Kind::Counter => {
                let value = i64::try_from(group.sum);
                let end = if group.sum < 0 { i64::MIN } else { i64::MAX };
                Content::Counter {
                    saturated: value.is_err() || group.full > 0,
                    value: value.unwrap_or(end),
                    writers: u64::try_from(group.authors.len()).unwrap_or(u64::MAX),
                }
            }
            Kind::Set => {
                let (parts, _) = self.parts_after(namespace, base, kind, None, max);
                Content::Set {
                    elements: parts.into_iter().map(|(element, _)| element).collect(),
                    total,
                }
            }
            Kind::Map => Content::Map {
                fields: self.parts_after(namespace, base, kind, None, max).0,
                total,
            },
            Kind::Flag => Content::Flag {
                on: is_on(single()?)?,
            },
        })
    }

    /// A page of the parts of what is at a key.
    pub(in crate::replication) fn parts(
        &self,
        namespace: &str,
        key: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Option<PartsPage> {
        let named = |kind: &Kind| match kind {
            Kind::Counter | Kind::Set | Kind::Map => true,
            Kind::Register | Kind::Multi | Kind::Flag => false,
        };
        let kind = self.kinds(namespace, key).find(named)?;
        let max = ReadMax {
            items: limit.clamp(1, READ_ITEMS_MAX),
            bytes: PARTS_BYTES_MAX,
        };
        let (parts, next) = match kind {
            Kind::Counter => self.group(namespace, key)?.authors_after(after, max.items),
            Kind::Set | Kind::Map | Kind::Register | Kind::Multi | Kind::Flag => {
                self.parts_after(namespace, key, kind, after, max)
            }
        };
        Some(PartsPage { kind, parts, next })
    }

    /// Live parts of a kind in order, and where the next page begins.
    fn parts_after(
        &self,
        namespace: &str,
        base: &str,
        kind: Kind,
        after: Option<&str>,
        max: ReadMax,
    ) -> (Vec<(Key, FieldView)>, Option<Key>) {
        let (mut parts, mut bytes, mut last) = (Vec::new(), 0_usize, None);
        let stored = self.stored_parts(namespace, base, kind, after);
        for (looked, (name, register)) in stored.enumerate() {
            let field = field(kind, register);
            let more = field
                .as_ref()
                .map_or(0, |field| name.len().saturating_add(field.value.len()));
            let with_it = bytes.saturating_add(more);
            let is_full = parts.len() >= max.items || (with_it > max.bytes && !parts.is_empty());
            if looked >= LOOKED_AT_MAX || is_full {
                return (parts, last.and_then(|name: &str| Key::new(name).ok()));
            }
            bytes = with_it;
            last = Some(name);
            let part = field.and_then(|field| Some((Key::new(name).ok()?, field)));
            parts.extend(part);
        }
        (parts, None)
    }

    /// The parts of a kind by name, deleted ones too.
    fn stored_parts<'a>(
        &'a self,
        namespace: &str,
        base: &str,
        kind: Kind,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, &'a Register)> + use<'a> {
        let first = part_key(base, kind, "").ok();
        let last = after.and_then(|part| part_key(base, kind, part).ok());
        let cells = self.namespaces.get(namespace);
        let from = match (last, &first) {
            (Some(last), _) => Bound::Excluded(last),
            (None, Some(first)) => Bound::Included(first.clone()),
            (None, None) => Bound::Unbounded,
        };
        let cells = cells.filter(|_| first.is_some()).into_iter();
        cells
            .flat_map(move |cells| cells.range((from.clone(), Bound::Unbounded)))
            .map_while(move |(stored, register)| {
                let name = stored.strip_prefix(first.as_deref()?)?;
                Some((name, register))
            })
            // Not a part: it has no name.
            .filter(|(name, _)| !name.is_empty())
    }

    /// The stored keys of all live parts of a key, of all kinds; `None` if there are more than `max`.
    pub(in crate::replication) fn live_parts(
        &self,
        namespace: &str,
        base: &str,
        max: usize,
    ) -> Option<Vec<Key>> {
        let Some(group) = self.group(namespace, base) else {
            return Some(Vec::new());
        };
        let live = Kind::TYPED.iter().map(|kind| group.live(*kind));
        let live = live.fold(0, u64::saturating_add);
        if usize::try_from(live).is_ok_and(|live| live > max) {
            return None;
        }
        let first = format!("{base}{SEPARATOR}");
        let cells = self.namespaces.get(namespace)?;
        let stored = cells.range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded));
        let stored = stored.take_while(|(stored, _)| stored.starts_with(&first));
        let live = stored.filter(|(stored, register)| Share::of(stored, register).is_live);
        Some(live.map(|(stored, _)| stored.clone()).collect())
    }
}

/// What is shown of an element or a field; `None` if it is not live.
fn field(kind: Kind, register: &Register) -> Option<FieldView> {
    let (version, value, conflicts) = match kind {
        Kind::Set => (live_versions(register).next()?, Bytes::default(), 0),
        Kind::Map => {
            let winner = register.winner()?;
            (winner, winner.value.clone()?, register.conflicts().len())
        }
        Kind::Register | Kind::Multi | Kind::Counter | Kind::Flag => return None,
    };
    Some(FieldView {
        value,
        author: version.author,
        stamp: version.stamp,
        conflicts: u64::try_from(conflicts).unwrap_or(u64::MAX),
    })
}

impl Group {
    /// Authors of a counter in order, after one, with what each added; and where the next page begins.
    fn authors_after(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> (Vec<(Key, FieldView)>, Option<Key>) {
        let from = match after.and_then(last_with_half) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Unbounded,
        };
        let mut authors = self.authors.range((from, Bound::Unbounded));
        let shown = authors.by_ref().take(limit);
        let parts: Vec<_> = shown
            .filter_map(|(author, added)| {
                let field = FieldView {
                    value: Bytes::from(format!("{}", added.sum).as_bytes()),
                    author: *author,
                    stamp: added.newest,
                    conflicts: 0,
                };
                Some((Key::new(&half_of(*author)).ok()?, field))
            })
            .collect();
        let more = authors.next().and_then(|_| parts.last());
        let next = more.map(|(last, _)| last.clone());
        (parts, next)
    }
}

impl EntryView {
    pub(super) fn of(register: &Register) -> Option<Self> {
        let winner = register.winner()?;
        Some(Self {
            value: winner.value.clone(),
            author: winner.author,
            stamp: winner.stamp,
            conflicts: register.conflicts().cloned().collect(),
            conflicts_dropped: register.dropped(),
            content: Content::Register,
            also: Vec::new(),
        })
    }

    fn of_group(group: &Group, content: Content) -> Option<Self> {
        let (stamp, author) = group.newest?;
        Some(Self {
            value: content.text(),
            author,
            stamp,
            conflicts: Vec::new(),
            conflicts_dropped: 0,
            content,
            also: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;
    use crate::{
        kernel::{id::NodeId, text::Namespace},
        replication::{batch::Op, clock::Hlc},
    };

    const ME: NodeId = NodeId::from_bytes([1; 32]);

    #[test]
    fn very_many_removed_elements_are_passed_in_several_steps() {
        let mut cells = Cells::new(u64::MAX, 10, ME);
        let (removed, left) = (LOOKED_AT_MAX * 2 + 5, 300);
        for number in 0..removed + left {
            let op = Op {
                key: part_key("k", Kind::Set, &format!("{number:06}")).unwrap(),
                stamp: Hlc {
                    millis: 1 + number as u64,
                    counter: 0,
                },
                value: (number >= removed).then(Bytes::default),
                seen: Vec::new(),
            };
            cells.apply((&Namespace::new("n").unwrap(), 0), ME, op);
        }
        // Reading the key looks at some only; it says how many there are.
        let content = cells.entry("n", "k").unwrap().content;
        let (elements, total) = (Vec::new(), left as u64);
        assert_eq!(content, Content::Set { elements, total });
        let (mut found, mut after, mut pages) = (0, None, 0);
        loop {
            let page = cells.parts("n", "k", after.as_deref(), 200).unwrap();
            (found, after, pages) = (found + page.parts.len(), page.next, pages + 1);
            if after.is_none() {
                break;
            }
        }
        assert_eq!((found, pages), (left, 4));
        assert_eq!(cells.live_parts("n", "k", left - 1), None);
        assert_eq!(cells.live_parts("n", "k", left).unwrap().len(), left);
        // The list passes over all of them at once.
        assert_eq!(cells.list("n", "", None, 10).len(), 1);
    }
}

//! Pages of a list: bounded in entries, in bytes, and in how many keys are looked at, so that no question
//! takes long or brings much, however large the values are.

use super::{Cells, EntryView};
use crate::{
    kernel::{bytes::Bytes, text::Key},
    replication::crdt::register::Register,
};
use alloc::vec::Vec;
use core::ops::Bound;

/// What a page may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageMax {
    /// The most entries; 0 counts as 1.
    pub entries: usize,
    /// The most bytes of keys, values and conflicts together. A first entry that is larger makes a page
    /// of its own.
    pub bytes: usize,
    /// What a value counts at most, in bytes: who shows only the beginning of each needs no small pages.
    pub value_bytes: usize,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Live keys in order with what is at them. May be empty though more follow.
    pub entries: Vec<(Key, EntryView)>,
    /// Where the next page begins: after this key. `None` on the last page.
    pub next: Option<Key>,
}

/// The most keys that are looked at for one page, deleted ones included. A namespace can hold very many of
/// these, and the node does nothing else meanwhile.
const LOOKED_AT_MAX: usize = 10_000;

impl Cells {
    /// Keys from `prefix`, after `after`, in key order, deleted ones too.
    pub(super) fn from<'a>(
        &'a self,
        namespace: &str,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Register)> + use<'a> {
        // A cursor before the prefix is no cursor: the list begins at the prefix.
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let cells = self.namespaces.get(namespace).into_iter();
        cells
            .flat_map(move |cells| cells.range::<str, _>((from, Bound::Unbounded)))
            // Keys with one prefix are neighbours in the map, so the scan ends at the first other one.
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// A page of live keys.
    pub(in crate::replication) fn page(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        max: PageMax,
    ) -> Page {
        let mut page = Page::default();
        let (mut bytes, mut last): (usize, Option<&Key>) = (0, None);
        for (at, (key, register)) in self.from(namespace, prefix, after).enumerate() {
            let entry = EntryView::of(register).filter(|entry| entry.value.is_some());
            let more = entry.as_ref().map_or(0, |entry| measure(key, entry, max));
            let with_it = bytes.saturating_add(more);
            let is_full = page.entries.len() >= max.entries.max(1)
                || (with_it > max.bytes && !page.entries.is_empty());
            if at >= LOOKED_AT_MAX || is_full {
                page.next = last.cloned();
                break;
            }
            bytes = with_it;
            last = Some(key);
            page.entries.extend(entry.map(|entry| (key.clone(), entry)));
        }
        page
    }
}

/// What an entry adds to a page, in bytes.
fn measure(key: &Key, entry: &EntryView, max: PageMax) -> usize {
    let of = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| value.len());
    let conflicts = entry.conflicts.iter().map(|version| of(&version.value));
    conflicts
        .chain([of(&entry.value)])
        .map(|value| value.min(max.value_bytes))
        .fold(key.len(), usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::{id::NodeId, text::Namespace},
        replication::{batch::Op, clock::Hlc},
    };
    use alloc::{format, string::String, vec};

    /// `(key, bytes of its value)`; `None` is a deletion.
    fn holding(keys: &[(&str, Option<usize>)]) -> Cells {
        let mut cells = Cells::new(u64::MAX, 10);
        for (millis, (key, bytes)) in (1..).zip(keys) {
            let op = Op {
                key: Key::new(key).unwrap(),
                stamp: Hlc { millis, counter: 0 },
                value: bytes.map(|bytes| Bytes::from(vec![b'v'; bytes])),
                seen: Vec::new(),
            };
            let space = Namespace::new("n").unwrap();
            cells.apply(&space, NodeId::from_bytes([1; 32]), op);
        }
        cells
    }

    const WHOLE: PageMax = PageMax {
        entries: 100,
        bytes: 1_000,
        value_bytes: usize::MAX,
    };

    /// The keys of all pages, a text each.
    fn pages(cells: &Cells, prefix: &str, max: PageMax) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = cells.page("n", prefix, after.as_deref(), max);
            let keys: Vec<&str> = page.entries.iter().map(|(key, _)| &**key).collect();
            all.push(keys.join(" "));
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    #[test]
    fn a_page_ends_before_its_bytes_are_too_many() {
        let cells = holding(&[
            ("a", Some(400)),
            ("b", Some(400)),
            ("c", Some(400)),
            ("d", Some(100)),
        ]);
        assert_eq!(pages(&cells, "", WHOLE), ["a b", "c d"]);
    }

    #[test]
    fn an_entry_larger_than_a_page_is_a_page() {
        let cells = holding(&[("a", Some(1)), ("b", Some(5_000)), ("c", Some(1))]);
        assert_eq!(pages(&cells, "", WHOLE), ["a", "b", "c"]);
    }

    #[test]
    fn a_page_has_no_more_entries_than_wanted_and_the_last_says_so() {
        let cells = holding(&[("a", Some(1)), ("b", Some(1)), ("c", None), ("d", Some(1))]);
        let two = PageMax {
            entries: 2,
            ..WHOLE
        };
        assert_eq!(pages(&cells, "", two), ["a b", "d"]);
        let none = PageMax {
            entries: 0,
            ..WHOLE
        };
        assert_eq!(pages(&cells, "", none), ["a", "b", "d"]);
        assert_eq!(pages(&cells, "e", WHOLE), [""]);
    }

    #[test]
    fn values_that_are_not_shown_whole_make_no_small_pages() {
        let cells = holding(&[("a", Some(900)), ("b", Some(900)), ("c", Some(900))]);
        let beginnings = PageMax {
            value_bytes: 10,
            ..WHOLE
        };
        assert_eq!(pages(&cells, "", beginnings), ["a b c"]);
    }

    #[test]
    fn very_many_deleted_keys_are_passed_in_several_steps() {
        let names: Vec<String> = (0..LOOKED_AT_MAX * 2)
            .map(|number| format!("k{number:06}"))
            .collect();
        let mut keys: Vec<(&str, Option<usize>)> =
            names.iter().map(|name| (name.as_str(), None)).collect();
        keys.push(("z", Some(1)));
        assert_eq!(pages(&holding(&keys), "", WHOLE), ["", "", "z"]);
    }
}

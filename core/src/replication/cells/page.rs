//! Pages of a list: bounded in entries, in bytes, and in how many keys are looked at, so that no question
//! takes long or brings much, however large the values are.

use super::{Cells, EntryView};
use crate::{
    kernel::{bytes::Bytes, text::Key},
    replication::typed::{Content, FieldView, SEPARATOR},
};
use alloc::{format, vec::Vec};
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

/// The most keys or parts that are looked at for one page, deleted ones included. A namespace can hold very many of
/// these, and the node does nothing else meanwhile.
pub(super) const LOOKED_AT_MAX: usize = 10_000;

impl Cells {
    /// Places from `prefix`, after `after`, in order: keys, deleted ones too, each once whatever it holds;
    /// and places where parts were passed over.
    fn places<'a>(
        &'a self,
        namespace: &str,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        // A cursor before the prefix is no cursor: the list begins at the prefix.
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let cells = self.namespaces.get(namespace);
        let groups = self.groups.get(namespace);
        let mut stored = cells.map(|cells| cells.range::<str, _>((from, Bound::Unbounded)));
        let mut bases = groups.map(|groups| groups.range::<str, _>((from, Bound::Unbounded)));
        let mut next_stored = move || {
            let (key, _) = stored.as_mut()?.next()?;
            let Some((base, _)) = key.split_once(SEPARATOR) else {
                return Some(key.as_str());
            };
            // Parts of one key are neighbours. They are passed over in one step, so that a key with a
            // million parts costs as much as any other.
            let beyond = format!("{base}{BEYOND_PARTS}");
            stored = cells
                .map(|cells| cells.range::<str, _>((Bound::Included(&*beyond), Bound::Unbounded)));
            key.get(..base.len().saturating_add(SEPARATOR.len()))
        };
        let mut next_base = move || Some(bases.as_mut()?.next()?.0.as_str());
        let (mut one, mut other) = (next_stored(), next_base());
        let places = core::iter::from_fn(move || {
            let next = match (one, other) {
                (Some(one), Some(other)) => one.min(other),
                (one, other) => one.or(other)?,
            };
            if one == Some(next) {
                one = next_stored();
            }
            if other == Some(next) {
                other = next_base();
            }
            Some(next)
        });
        // Keys with one prefix are neighbours, so the scan ends at the first other one.
        places.take_while(move |place| place.starts_with(prefix))
    }

    /// Live keys from `prefix`, after `after`, in key order.
    pub(in crate::replication) fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(Key, EntryView)> {
        self.places(namespace, prefix, after)
            // Deleted keys stay in the map, as tombstones: without them a late older write would
            // bring the key back to life.
            .filter_map(|key| self.live_at(namespace, key, usize::MAX))
            .take(limit)
            .collect()
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
        let (mut bytes, mut last) = (0_usize, None);
        let bytes_max = max.bytes.min(max.value_bytes);
        for (at, place) in self.places(namespace, prefix, after).enumerate() {
            let entry = self.live_at(namespace, place, bytes_max);
            let more = entry
                .as_ref()
                .map_or(0, |(key, entry)| measure(key, entry, max));
            let with_it = bytes.saturating_add(more);
            let is_full = page.entries.len() >= max.entries.max(1)
                || (with_it > max.bytes && !page.entries.is_empty());
            if at >= LOOKED_AT_MAX || is_full {
                page.next = last.and_then(|last: &str| Key::new(last).ok());
                break;
            }
            bytes = with_it;
            last = Some(place);
            page.entries.extend(entry);
        }
        page
    }

    fn live_at(&self, namespace: &str, key: &str, bytes_max: usize) -> Option<(Key, EntryView)> {
        if !self.is_live(namespace, key) {
            return None;
        }
        let entry = self.read(namespace, key, bytes_max)?;
        Some((Key::new(key).ok()?, entry))
    }
}

/// What follows a key and all its parts: the character after the [`SEPARATOR`]'s last one.
const BEYOND_PARTS: &str = " \u{2420}";

/// What an entry adds to a page, in bytes.
fn measure(key: &Key, entry: &EntryView, max: PageMax) -> usize {
    let of = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| value.len());
    let conflicts = entry.conflicts.iter().map(|version| of(&version.value));
    conflicts
        .chain([of(&entry.value)])
        .map(|value| value.min(max.value_bytes))
        .chain([measure_content(&entry.content, max)])
        .fold(key.len(), usize::saturating_add)
}

/// What the parts of a typed value add.
fn measure_content(content: &Content, max: PageMax) -> usize {
    let sum = |sizes: &mut dyn Iterator<Item = usize>| sizes.fold(0, usize::saturating_add);
    match content {
        Content::Register | Content::Counter { .. } | Content::Flag { .. } => 0,
        Content::Multi { values } => {
            let values = values.iter().filter_map(|version| version.value.as_ref());
            sum(&mut values.map(|value| value.len().min(max.value_bytes)))
        }
        Content::Set { elements, .. } => sum(&mut elements.iter().map(|element| element.len())),
        Content::Map { fields, .. } => {
            let size = |(name, field): &(Key, FieldView)| {
                name.len()
                    .saturating_add(field.value.len())
                    .saturating_add(FIELD_BYTES)
            };
            sum(&mut fields.iter().map(size))
        }
    }
}

/// What a field of a map takes beside its name and its value.
const FIELD_BYTES: usize = 64;

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
        let mut cells = Cells::new(u64::MAX, 10, NodeId::from_bytes([1; 32]));
        for (millis, (key, bytes)) in (1..).zip(keys) {
            let op = Op {
                key: Key::new(key).unwrap(),
                stamp: Hlc { millis, counter: 0 },
                value: bytes.map(|bytes| Bytes::from(vec![b'v'; bytes])),
                seen: Vec::new(),
            };
            let space = Namespace::new("n").unwrap();
            cells.apply((&space, 0), NodeId::from_bytes([1; 32]), op);
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

    #[test]
    fn what_nobody_writes_is_kept_and_not_shown() {
        let odd = [
            " \u{241f}sx",
            "k \u{241f}",
            "k \u{241f}s",
            "k \u{241f}zx",
            "z \u{241f}fx",
        ];
        let keys: Vec<(&str, Option<usize>)> = odd.iter().map(|key| (*key, Some(1))).collect();
        let cells = holding(&keys);
        cells.check(Hlc::MAX).unwrap();
        assert_eq!(pages(&cells, "", WHOLE), [""]);
        assert_eq!((cells.namespaces(), cells.live()), (vec![], 0));
        for key in odd.iter().chain(&["k"]) {
            assert_eq!(cells.entry("n", key), None);
            assert!(cells.list("n", key, None, 9).is_empty());
        }
    }

    #[test]
    fn very_many_parts_of_unknown_kinds_are_passed_in_several_steps() {
        let names: Vec<String> = (0..LOOKED_AT_MAX + 5)
            .map(|number| format!("k{number:06} \u{241f}zx"))
            .collect();
        let mut keys: Vec<(&str, Option<usize>)> =
            names.iter().map(|name| (name.as_str(), Some(1))).collect();
        keys.push(("z", Some(1)));
        assert_eq!(pages(&holding(&keys), "", WHOLE), ["", "z"]);
    }
}

//! What a map and a set promise, against the standard tree.

use super::{Map, Set, map::CHUNK_MAX, sort_by};
use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Bound;
use proptest::prelude::*;

/// One thing done to both maps.
#[derive(Clone, Debug)]
enum Act {
    Insert(u16, u8),
    Remove(u16),
    Count(u16),
    PopFirst,
    PopLast,
    RetainBelow(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let key = 0_u16..400;
    let act = prop_oneof![
        12 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Act::Insert(key, value)),
        3 => key.clone().prop_map(Act::Remove),
        2 => key.clone().prop_map(Act::Count),
        1 => Just(Act::PopFirst),
        1 => Just(Act::PopLast),
        1 => (200_u16..400).prop_map(Act::RetainBelow),
    ];
    prop::collection::vec(act, 0..800)
}

fn is_sound(map: &Map<u16, u8>) -> bool {
    let lists = map.chunks.iter();
    let sizes = lists
        .clone()
        .all(|list| (1..=CHUNK_MAX).contains(&list.len()));
    sizes && lists.map(Vec::len).sum::<usize>() == map.len()
}

proptest! {
    #[test]
    fn a_map_does_what_the_standard_tree_does(acts in acts(), low in 0_u16..400, high in 0_u16..400) {
        let (mut ours, mut theirs) = (Map::new(), BTreeMap::new());
        for act in acts {
            match act {
                Act::Insert(key, value) => {
                    prop_assert_eq!(ours.insert(key, value), theirs.insert(key, value));
                }
                Act::Remove(key) => prop_assert_eq!(ours.remove(&key), theirs.remove(&key)),
                Act::Count(key) => {
                    let (a, b) = (ours.entry(key).or_insert(0), theirs.entry(key).or_insert(0));
                    *a = a.wrapping_add(1);
                    *b = b.wrapping_add(1);
                    prop_assert_eq!(a, b);
                }
                Act::PopFirst => prop_assert_eq!(ours.pop_first(), theirs.pop_first()),
                Act::PopLast => prop_assert_eq!(ours.pop_last(), theirs.pop_last()),
                Act::RetainBelow(key) => {
                    ours.retain(|k, _| *k < key);
                    theirs.retain(|k, _| *k < key);
                }
            }
            prop_assert!(is_sound(&ours));
        }
        prop_assert!(ours.iter().eq(theirs.iter()));
        prop_assert!(ours.iter().rev().eq(theirs.iter().rev()));
        for key in [low, high] {
            prop_assert_eq!(ours.get(&key), theirs.get(&key));
        }
        let (low, high) = (low.min(high), low.max(high));
        prop_assert!(ours.range(low..high).eq(theirs.range(low..high)));
        prop_assert!(ours.range(low..=high).rev().eq(theirs.range(low..=high).rev()));
        let open = (Bound::Excluded(low), Bound::Unbounded);
        prop_assert!(ours.range(open).eq(theirs.range(open)));
        prop_assert!(ours.range(..high).rev().eq(theirs.range(..high).rev()));
    }
}

#[test]
fn equal_maps_are_equal_however_they_came_about() {
    let up: Map<u32, ()> = (0..300).map(|key| (key, ())).collect();
    let down: Map<u32, ()> = (0..300).rev().map(|key| (key, ())).collect();
    assert_ne!(up.chunks.len(), down.chunks.len());
    assert_eq!(up, down);
}

proptest! {
    #[test]
    fn sorting_is_sorting(mut items in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut sorted = items.clone();
        sorted.sort_unstable();
        sort_by(&mut items, Ord::cmp);
        prop_assert_eq!(items, sorted);
    }
}

#[test]
fn keys_in_order_fill_their_lists() {
    let map: Map<u32, ()> = (0..1_000).map(|key| (key, ())).collect();
    assert_eq!(map.chunks.len(), 1_000_usize.div_ceil(CHUNK_MAX));
}

#[test]
fn bounds_that_exclude_each_other_hold_nothing() {
    let map: Map<u32, ()> = (0..200).map(|key| (key, ())).collect();
    assert_eq!(
        map.range((Bound::Excluded(70), Bound::Excluded(71)))
            .count(),
        0
    );
    assert_eq!(
        map.range((Bound::Included(90), Bound::Excluded(10)))
            .count(),
        0
    );
    assert_eq!(
        map.range((Bound::Included(90), Bound::Excluded(10)))
            .rev()
            .count(),
        0
    );
}

#[test]
fn a_range_is_walked_from_both_ends_and_meets_in_the_middle() {
    let map: Map<u32, u32> = (0..300).map(|key| (key, key)).collect();
    let mut range = map.range(100..200);
    let mut seen = Vec::new();
    while let Some((key, _)) = range.next() {
        seen.push(*key);
        seen.extend(range.next_back().map(|(key, _)| *key));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(100..200));
}

#[test]
fn a_set_keeps_order_and_tells_what_is_new() {
    let mut set = Set::from([3, 1, 2]);
    assert!(!set.insert(2) && set.insert(7));
    assert_eq!(set.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 7]);
    let other = Set::from([1, 7]);
    assert!(set.difference(&other).eq(&[2, 3]));
    assert!(other.is_subset(&set) && !set.is_subset(&other));
    assert_eq!(set.first(), Some(&1));
    assert_eq!(set.pop_last(), Some(7));
}

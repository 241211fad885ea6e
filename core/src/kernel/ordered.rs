//! Maps and sets in key order, in little code.
//!
//! The standard tree is compiled once for every pair of types, nine kilobytes each, and the core has
//! sixty; a browser has to fetch them all (docs/adr/0010). These keep their entries in a list of short
//! sorted lists: an insertion moves at most 64 entries and the list of lists, which
//! for the largest maps that the core's bounds allow (10^5 keys) is as quick as the tree.
//!
//! They iterate in key order, like the tree; there is no hash and no randomness.
//!
//! | file | what lives there |
//! |---|---|
//! | `map` | keys with values |
//! | `set` | keys alone |
//! | `shards` | a map whose copies share what they have in common (tests, feature `sim`) |

#[cfg(feature = "recording")]
mod frozen;
mod map;
mod set;
#[cfg(any(test, feature = "sim"))]
mod shards;
#[cfg(test)]
mod tests;

use core::cmp::Ordering;

#[cfg(any(test, feature = "sim"))]
pub use self::shards::{Sharded, Shards};
pub use self::{
    map::{Entry, Iter, Map, Range},
    set::{Set, SetIter},
};

/// A map of what all nodes of a mesh know alike. Where a process may simulate thousands of them, its
/// copies share memory; elsewhere there is one copy, and sharing would only cost.
#[cfg(any(test, feature = "sim"))]
pub type Table<K, V> = Shards<K, V>;
/// A map of what all nodes of a mesh know alike: plain, where a process is one node.
#[cfg(not(any(test, feature = "sim")))]
pub type Table<K, V> = Map<K, V>;

/// Sorts in place; equal items may change places. A heap sort: the standard ones are compiled once per
/// type too, four kilobytes each, and what the core sorts is short.
///
/// Source: Williams, "Algorithm 232: Heapsort", 1964.
pub fn sort_by<T>(items: &mut [T], mut order: impl FnMut(&T, &T) -> Ordering) {
    let mut end = items.len();
    for root in (0..end / 2).rev() {
        sift_down(items, root, end, &mut order);
    }
    while let Some(last) = end.checked_sub(1).filter(|last| *last > 0) {
        items.swap(0, last);
        end = last;
        sift_down(items, 0, end, &mut order);
    }
}

/// Lets the item at `root` sink to its place in the heap of the first `end` items.
fn sift_down<T>(
    items: &mut [T],
    mut root: usize,
    end: usize,
    order: &mut impl FnMut(&T, &T) -> Ordering,
) {
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let mut is_less = |a: usize, b: usize| match (items.get(a), items.get(b)) {
            (Some(a), Some(b)) => order(a, b).is_lt(),
            (_, _) => false,
        };
        if left >= end {
            return;
        }
        let child = if right < end && is_less(left, right) {
            right
        } else {
            left
        };
        if !is_less(root, child) {
            return;
        }
        items.swap(root, child);
        root = child;
    }
}

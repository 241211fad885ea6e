//! What two replicas compare to prove that they hold the same: a number for each shard, and for each key.
//!
//! A key's number is a hash over its winner: conflicts may differ between nodes whose bounded contexts forgot
//! different entries. A shard's number is the sum of those of its keys, so that they can be taken in any order.

use super::{Cells, hash_of_winner};
use crate::{
    kernel::{
        crypto::Hash,
        text::{Key, Namespace},
    },
    replication::{
        batch::{SHARDS, half, shard_of},
        crdt::register::Register,
    },
};
use alloc::vec::Vec;
use core::ops::Bound;

/// The most keys of a step, and about the most bytes of values: what takes some milliseconds.
const KEYS_MAX: usize = 2_000;
const BYTES_MAX: u64 = 1 << 20;

/// A place among all keys.
pub(in crate::replication) type At = (Namespace, Key);

/// How far the numbers of the shards have been taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Scan {
    /// Only keys of this namespace.
    namespace: Option<Namespace>,
    after: Option<At>,
    /// By shard.
    pub(in crate::replication) roots: Vec<u128>,
    /// How many keys were taken, deleted ones included.
    pub(in crate::replication) keys: u64,
}

impl Scan {
    pub(in crate::replication) fn new(namespace: Option<Namespace>) -> Self {
        Self {
            namespace,
            after: None,
            roots: alloc::vec![0; usize::from(SHARDS)],
            keys: 0,
        }
    }
}

/// Keys with their numbers, in order.
pub(in crate::replication) struct Numbers {
    pub(in crate::replication) keys: Vec<(Namespace, Key, u128)>,
    /// Where the next ones begin; `None` if there are none.
    pub(in crate::replication) next: Option<At>,
}

impl Cells {
    /// Takes some more keys into the numbers of the shards; answers whether that was all.
    pub(in crate::replication) fn scan(&self, scan: &mut Scan) -> bool {
        let (mut taken, mut bytes) = (0_usize, 0_u64);
        let mut last = None;
        let after = scan.after.take();
        let only = scan.namespace.clone();
        let from = self.stored_after(only.as_ref(), after.as_ref());
        for (namespace, key, register) in from {
            if taken >= KEYS_MAX || bytes > BYTES_MAX {
                scan.after = last;
                return false;
            }
            taken = taken.saturating_add(1);
            bytes = bytes.saturating_add(register.bytes());
            last = Some((namespace.clone(), key.clone()));
            let root = scan.roots.get_mut(usize::from(shard_of(namespace, key)));
            if let Some((root, number)) = root.zip(number(namespace, key, register)) {
                *root = root.wrapping_add(number);
                scan.keys = scan.keys.saturating_add(1);
            }
        }
        true
    }

    /// Keys of a shard with their numbers, after a place, at most `max`; looks at some keys only, so there may be
    /// none though more follow.
    pub(in crate::replication) fn numbers(
        &self,
        shard: u16,
        namespace: Option<&Namespace>,
        after: Option<&At>,
        max: usize,
    ) -> Numbers {
        let mut numbers = Numbers {
            keys: Vec::new(),
            next: None,
        };
        let (mut looked, mut bytes) = (0_usize, 0_u64);
        let mut last = None;
        for (space, key, register) in self.stored_after(namespace, after) {
            if looked >= KEYS_MAX || numbers.keys.len() >= max || bytes > BYTES_MAX {
                numbers.next = last;
                break;
            }
            looked = looked.saturating_add(1);
            last = Some((space.clone(), key.clone()));
            if shard_of(space, key) == shard {
                bytes = bytes.saturating_add(register.bytes());
                let number = number(space, key, register);
                numbers
                    .keys
                    .extend(number.map(|number| (space.clone(), key.clone(), number)));
            }
        }
        numbers
    }

    /// All that is stored, of a namespace or of all, after a place, in order.
    pub(super) fn stored_after<'a>(
        &'a self,
        namespace: Option<&'a Namespace>,
        after: Option<&'a At>,
    ) -> impl Iterator<Item = (&'a Namespace, &'a Key, &'a Register)> {
        let first = after.map(|(of, _)| of).or(namespace);
        let from = first.map_or(Bound::Unbounded, Bound::Included);
        let spaces = self
            .namespaces
            .range::<Namespace, _>((from, Bound::Unbounded));
        let spaces = spaces.take_while(move |(of, _)| namespace.is_none_or(|only| only == *of));
        spaces.flat_map(move |(of, cells)| {
            let begin = match after.filter(|(in_space, _)| in_space == of) {
                Some((_, key)) => Bound::Excluded(key),
                None => Bound::Unbounded,
            };
            let cells = cells.range::<Key, _>((begin, Bound::Unbounded));
            cells.map(move |(key, register)| (of, key, register))
        })
    }
}

fn number(namespace: &Namespace, key: &Key, register: &Register) -> Option<u128> {
    Some(half(hash_of_winner(Hash::ZERO, namespace, key, register)?))
}

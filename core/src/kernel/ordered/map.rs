//! A map as a list of short sorted lists.

use alloc::vec::{self, Vec};
use core::{
    borrow::Borrow,
    fmt,
    iter::{self, FusedIterator},
    ops::{Bound, RangeBounds},
    slice,
};

/// The most entries in one list. Doubling it doubles what an insertion moves; halving it doubles the
/// list of lists.
pub(super) const CHUNK_MAX: usize = 64;

/// A map in key order.
#[derive(Clone)]
pub struct Map<K, V> {
    /// Each non-empty and sorted, all keys of one before those of the next.
    pub(super) chunks: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Where an entry is, or where it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    chunk: usize,
    index: usize,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// How the entries are spread over the lists is nobody's business.
impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V> Map<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }

    /// How many keys it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// The entries in key order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.chunks.iter().flatten())
    }

    /// The entries in key order, to change their values.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        let entries = self.chunks.iter_mut().flatten();
        entries.map(|(key, value)| (&*key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values in key order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The values in key order, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// The keys in order, out of the map.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> {
        self.into_iter().map(|(key, _)| key)
    }

    /// The values in key order, out of the map.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// The first entry.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last entry.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Takes the first entry out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.take(Place { chunk: 0, index: 0 })
    }

    /// Takes the last entry out.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        let chunk = self.chunks.len().checked_sub(1)?;
        let index = self.chunks.last()?.len().checked_sub(1)?;
        self.take(Place { chunk, index })
    }

    /// Keeps the entries that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for chunk in &mut self.chunks {
            chunk.retain_mut(|(key, value)| keep(key, value));
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
        self.len = self.chunks.iter().map(Vec::len).sum();
    }

    fn at(&self, place: Place) -> Option<&(K, V)> {
        self.chunks.get(place.chunk)?.get(place.index)
    }

    fn at_mut(&mut self, place: Place) -> Option<&mut (K, V)> {
        self.chunks.get_mut(place.chunk)?.get_mut(place.index)
    }

    fn take(&mut self, place: Place) -> Option<(K, V)> {
        let chunk = self.chunks.get_mut(place.chunk)?;
        if place.index >= chunk.len() {
            return None;
        }
        let entry = chunk.remove(place.index);
        if chunk.is_empty() {
            self.chunks.remove(place.chunk);
        }
        self.len = self.len.saturating_sub(1);
        Some(entry)
    }

    /// Puts an entry where [`Map::find`] says that it goes; answers where it came to be.
    fn put(&mut self, place: Place, entry: (K, V)) -> Place {
        self.len = self.len.saturating_add(1);
        let Some(chunk) = self.chunks.get_mut(place.chunk) else {
            self.chunks.push(Vec::from([entry]));
            return Place {
                chunk: self.chunks.len().saturating_sub(1),
                index: 0,
            };
        };
        chunk.insert(place.index.min(chunk.len()), entry);
        if chunk.len() <= CHUNK_MAX {
            return place;
        }
        // Keys that come in order, such as sequences, leave full lists behind.
        let last = place.chunk.saturating_add(1) >= self.chunks.len();
        self.split(place, last)
    }

    fn split(&mut self, place: Place, at_end: bool) -> Place {
        let Some(chunk) = self.chunks.get_mut(place.chunk) else {
            return place;
        };
        let keep = if at_end && place.index == CHUNK_MAX {
            CHUNK_MAX
        } else {
            CHUNK_MAX / 2
        };
        let tail = chunk.split_off(keep);
        let next = place.chunk.saturating_add(1);
        self.chunks.insert(next, tail);
        match place.index.checked_sub(keep) {
            Some(index) => Place { chunk: next, index },
            None => place,
        }
    }

    fn start(&self) -> Place {
        Place { chunk: 0, index: 0 }
    }

    fn end(&self) -> Place {
        Place {
            chunk: self.chunks.len(),
            index: 0,
        }
    }
}

impl<K: Ord, V> Map<K, V> {
    /// Where a key is, or where it would go.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let starts_later =
            |chunk: &Vec<(K, V)>| chunk.first().is_some_and(|(k, _)| k.borrow() > key);
        // Most maps are one list, and looking at its start would be one more miss of the cache.
        let chunk = match self.chunks.len() {
            0 | 1 => 0,
            _ => self.chunks.partition_point(|chunk| !starts_later(chunk)),
        };
        let chunk = chunk.saturating_sub(1);
        let entries = self.chunks.get(chunk).map_or([].as_slice(), Vec::as_slice);
        match entries.binary_search_by(|(known, _)| known.borrow().cmp(key)) {
            Ok(index) => Ok(Place { chunk, index }),
            Err(index) => Err(Place { chunk, index }),
        }
    }

    /// Sets the value of a key; answers the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => {
                let entry = self.at_mut(place)?;
                Some(core::mem::replace(&mut entry.1, value))
            }
            Err(place) => {
                self.put(place, (key, value));
                None
            }
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The entry of a key.
    #[must_use]
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.at(self.find(key).ok()?)?;
        Some((key, value))
    }

    /// The value of a key, to change.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.at_mut(place).map(|(_, value)| value)
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Takes a key out; answers its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Takes a key out; answers its entry.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.take(place)
    }

    /// The place of a key, to fill it if it is empty.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { map: self, key }
    }

    /// The entries after a key, in order.
    pub fn after(&self, key: &K) -> Range<'_, K, V> {
        self.range((Bound::Excluded(key), Bound::Unbounded))
    }

    /// The last entry before a key.
    #[must_use]
    pub fn before(&self, key: &K) -> Option<(&K, &V)> {
        self.range((Bound::Unbounded, Bound::Excluded(key)))
            .next_back()
    }

    /// The entries whose keys lie within bounds, in key order. Bounds that exclude each other hold
    /// nothing.
    pub fn range<Q, R>(&self, bounds: R) -> Range<'_, K, V>
    where
        Q: Ord + ?Sized,
        K: Borrow<Q>,
        R: RangeBounds<Q>,
    {
        let before = |found: Result<Place, Place>| found.unwrap_or_else(|place| place);
        let after = |found: Result<Place, Place>| match found {
            Ok(place) => Place {
                index: place.index.saturating_add(1),
                ..place
            },
            Err(place) => place,
        };
        let from = match bounds.start_bound() {
            Bound::Included(key) => before(self.find(key)),
            Bound::Excluded(key) => after(self.find(key)),
            Bound::Unbounded => self.start(),
        };
        let to = match bounds.end_bound() {
            Bound::Included(key) => after(self.find(key)),
            Bound::Excluded(key) => before(self.find(key)),
            Bound::Unbounded => self.end(),
        };
        Range {
            chunks: &self.chunks,
            from,
            to,
        }
    }
}

/// A key's place in a map.
#[derive(Debug)]
pub struct Entry<'a, K, V> {
    map: &'a mut Map<K, V>,
    key: K,
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// The value there, or else `value`, to change.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value there, or else the default, to change.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// The value there, or else what `make` makes, to change.
    ///
    /// # Panics
    /// Never: the place was just found or filled.
    #[expect(
        clippy::expect_used,
        reason = "the borrow checker wants a value, and there is one by construction"
    )]
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let place = match self.map.find(&self.key) {
            Ok(place) => place,
            Err(place) => self.map.put(place, (self.key, make())),
        };
        let entry = self.map.at_mut(place);
        &mut entry.expect("an entry is where it was put").1
    }
}

/// The entries of a map in key order.
#[derive(Debug)]
pub struct Iter<'a, K, V>(iter::Flatten<slice::Iter<'a, Vec<(K, V)>>>);

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> FusedIterator for Iter<'_, K, V> {}

/// The entries of a part of a map in key order.
#[derive(Debug)]
pub struct Range<'a, K, V> {
    chunks: &'a [Vec<(K, V)>],
    from: Place,
    /// Behind the last.
    to: Place,
}

impl<K, V> Clone for Range<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks,
            from: self.from,
            to: self.to,
        }
    }
}

impl<K, V> Range<'_, K, V> {
    fn is_over(&self) -> bool {
        (self.from.chunk, self.from.index) >= (self.to.chunk, self.to.index)
    }
}

impl<'a, K, V> Iterator for Range<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over() {
            let chunk = self.chunks.get(self.from.chunk)?;
            if let Some((key, value)) = chunk.get(self.from.index) {
                self.from.index = self.from.index.saturating_add(1);
                return Some((key, value));
            }
            self.from = Place {
                chunk: self.from.chunk.saturating_add(1),
                index: 0,
            };
        }
        None
    }
}

impl<K, V> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        while !self.is_over() {
            match self.to.index.checked_sub(1) {
                Some(index) => {
                    self.to.index = index;
                    let (key, value) = self.chunks.get(self.to.chunk)?.get(index)?;
                    return (!self.is_before_start()).then_some((key, value));
                }
                None => {
                    let chunk = self.to.chunk.checked_sub(1)?;
                    let index = self.chunks.get(chunk).map_or(0, Vec::len);
                    self.to = Place { chunk, index };
                }
            }
        }
        None
    }
}

impl<K, V> Range<'_, K, V> {
    fn is_before_start(&self) -> bool {
        (self.to.chunk, self.to.index) < (self.from.chunk, self.from.index)
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = iter::Flatten<vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

type Halves<'a, K, V> = fn(&'a mut (K, V)) -> (&'a K, &'a mut V);

impl<'a, K, V> IntoIterator for &'a mut Map<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = iter::Map<iter::Flatten<slice::IterMut<'a, Vec<(K, V)>>>, Halves<'a, K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        let halves: Halves<'a, K, V> = |(key, value)| (&*key, value);
        self.chunks.iter_mut().flatten().map(halves)
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

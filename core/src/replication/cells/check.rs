//! What must hold in the cells at any time.

use super::{
    Cells, Measure,
    group::{self, Group, Share},
};
use crate::{
    kernel::{
        bounded::first_broken,
        text::{Key, Namespace},
    },
    replication::{clock::Hlc, typed::Place},
};
use alloc::collections::BTreeMap;

impl Cells {
    /// `latest` is what the clock has given or seen.
    pub(in crate::replication) fn check(&self, latest: Hlc) -> Result<(), &'static str> {
        let mut sum = Measure::default();
        for (key, register) in self.namespaces.values().flat_map(|cells| cells.iter()) {
            register.check(latest)?;
            let one = Measure::of(key, register, self.me);
            sum.own = sum.own.saturating_add(one.own);
            sum.bytes = sum.bytes.saturating_add(one.bytes);
            sum.conflicts = sum.conflicts.saturating_add(one.conflicts);
            sum.dropped = sum.dropped.saturating_add(one.dropped);
        }
        let live: u64 = self.live_in.values().sum();
        let counted = self.count_live();
        let (groups, group_bytes) = self.regrouped();
        sum.bytes = sum.bytes.saturating_add(group_bytes);
        let are_right = self.groups.len() == groups.len()
            && self
                .groups
                .iter()
                .zip(&groups)
                .all(|((space, known), (of, sums))| {
                    let same = |((one, a), (other, b)): ((&Key, &Group), (&Key, &Group))| {
                        one == other && a.is_like(b)
                    };
                    space == of && known.len() == sums.len() && known.iter().zip(sums).all(same)
                });
        let own: u64 = self.own_bytes.iter().sum();
        first_broken(&[
            (
                sum.bytes == self.bytes,
                "bytes of cells are counted wrongly",
            ),
            (
                own == sum.own,
                "this node's own versions are counted wrongly",
            ),
            (
                counted == self.live && live == self.live,
                "live keys are counted wrongly",
            ),
            (are_right, "parts of typed keys are counted wrongly"),
            (
                sum.conflicts == self.conflicts,
                "conflicts are counted wrongly",
            ),
            (
                sum.dropped == self.conflicts_dropped,
                "dropped conflicts are counted wrongly",
            ),
        ])
    }

    /// Keys with a value, counted anew.
    fn count_live(&self) -> u64 {
        let mut live = 0_u64;
        for (namespace, cells) in &self.namespaces {
            let is_live = |key: &&Key| self.is_live(namespace, key);
            let plain = cells.keys().filter(|key| Place::of(key) == Place::Plain);
            let typed = self.groups.get(namespace).into_iter().flatten();
            // One that is both counts once.
            let typed = typed
                .map(|(base, _)| base)
                .filter(|base| !cells.contains_key(*base));
            let count = plain.chain(typed).filter(is_live).count();
            live = live.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        live
    }

    /// The groups and their bytes, counted anew.
    fn regrouped(&self) -> (BTreeMap<Namespace, BTreeMap<Key, Group>>, u64) {
        let mut groups: BTreeMap<Namespace, BTreeMap<Key, Group>> = BTreeMap::new();
        let mut bytes = 0_u64;
        for (namespace, cells) in &self.namespaces {
            for (stored, register) in cells {
                let Place::Part(base, kind, _) = Place::of(stored) else {
                    continue;
                };
                let Ok(key) = Key::new(base) else {
                    continue;
                };
                let of_namespace = groups.entry(namespace.clone()).or_default();
                if !of_namespace.contains_key(base) {
                    bytes = bytes.saturating_add(group::bytes(base));
                }
                let group = of_namespace.entry(key).or_default();
                group.moved(kind, Share::default(), Share::of(stored, register));
            }
        }
        (groups, bytes)
    }
}

//! The namespaces that a tab follows: a bounded set, of which the least recently used goes first.
//!
//! A namespace that somebody watches or waits for is *held* and stays. Beyond the maximum the one
//! that was used longest ago, and that nobody holds, makes room; when all are held, the new one is
//! refused.

use crate::kernel::text::Namespace;
use alloc::collections::BTreeMap;

/// How one of them is used.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Use {
    /// When it was used last, as a count of uses.
    at: u64,
    /// How many watch it or wait for it.
    holders: u32,
    /// Whether a home has given all of it since it was opened in this run.
    is_complete: bool,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Opened {
    uses: BTreeMap<Namespace, Use>,
    count: u64,
}

/// What using a namespace did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Used {
    /// It was open.
    Open,
    /// It is open now; another one has to be closed for it, if there was no room.
    Opened(Option<Namespace>),
    /// There is no room, and all that are open are held.
    Refused,
}

impl Opened {
    pub(in crate::replication) fn contains(&self, namespace: &Namespace) -> bool {
        self.uses.contains_key(namespace)
    }

    pub(in crate::replication) fn len(&self) -> usize {
        self.uses.len()
    }

    /// In order of their names.
    pub(in crate::replication) fn iter(&self) -> impl Iterator<Item = &Namespace> {
        self.uses.keys()
    }

    /// Notes that a namespace is used; opens it if there is room or can be made.
    pub(in crate::replication) fn use_one(&mut self, namespace: &Namespace, max: usize) -> Used {
        self.count = self.count.saturating_add(1);
        let at = self.count;
        if let Some(known) = self.uses.get_mut(namespace) {
            known.at = at;
            return Used::Open;
        }
        let mut evicted = None;
        if self.uses.len() >= max {
            let idle = self.uses.iter().filter(|(_, used)| used.holders == 0);
            evicted = idle
                .min_by_key(|(_, used)| used.at)
                .map(|(namespace, _)| namespace.clone());
            if evicted.is_none() {
                return Used::Refused;
            }
        }
        let used = Use {
            at,
            ..Use::default()
        };
        self.uses.insert(namespace.clone(), used);
        Used::Opened(evicted)
    }

    pub(in crate::replication) fn remove(&mut self, namespace: &Namespace) -> bool {
        self.uses.remove(namespace).is_some()
    }

    /// One more watches it or waits for it.
    pub(in crate::replication) fn hold(&mut self, namespace: &Namespace) {
        if let Some(used) = self.uses.get_mut(namespace) {
            used.holders = used.holders.saturating_add(1);
        }
    }

    /// One fewer does.
    pub(in crate::replication) fn release(&mut self, namespace: &Namespace) {
        if let Some(used) = self.uses.get_mut(namespace) {
            used.holders = used.holders.saturating_sub(1);
        }
    }

    pub(in crate::replication) fn is_held(&self, namespace: &Namespace) -> bool {
        self.uses
            .get(namespace)
            .is_some_and(|used| used.holders > 0)
    }

    /// A home has given all of it.
    pub(in crate::replication) fn complete(&mut self, namespace: &Namespace) {
        if let Some(used) = self.uses.get_mut(namespace) {
            used.is_complete = true;
        }
    }

    pub(in crate::replication) fn is_complete(&self, namespace: &Namespace) -> bool {
        self.uses
            .get(namespace)
            .is_some_and(|used| used.is_complete)
    }
}

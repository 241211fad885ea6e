//! What changed since a savepoint, and going back to it by writing what was there.

use crate::{
    driver::Handle,
    http::{problem::Problem, within_patience},
    values::{
        kept::{self, Kept},
        savepoint::{self, AT_ONCE, Savepoint, Savepoints, Was},
        walk::Walk,
        write::{self, Wanted, Wish},
    },
};
use sporenet_core::{
    kernel::text::{Key, Namespace},
    replication::write::AckLevel,
};
use std::collections::{BTreeSet, VecDeque};
use tokio::sync::mpsc;

/// A key that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// The key.
    pub(crate) key: Key,
    /// What was there.
    pub(crate) was: Option<Kept>,
    /// What is there.
    pub(crate) is: Option<Kept>,
}

/// A way through all differences: first what was there, then what is new.
#[derive(Debug)]
pub(crate) struct Comparison {
    core: Handle,
    was: mpsc::Receiver<Result<Vec<Was>, Problem>>,
    /// The keys that were there.
    known: BTreeSet<(Namespace, Key)>,
    /// Where new keys are looked for still; `None` before it is known.
    namespaces: Option<VecDeque<Namespace>>,
    walk: Option<(Namespace, Walk)>,
    savepoint: Savepoint,
}

impl Comparison {
    /// Of a savepoint with what is there now.
    pub(crate) fn new(core: Handle, savepoints: &Savepoints, savepoint: Savepoint) -> Self {
        Self {
            core,
            was: savepoints.read(&savepoint),
            known: BTreeSet::new(),
            namespaces: None,
            walk: None,
            savepoint,
        }
    }

    /// The next differences, maybe none; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged, or the node is busy or stops.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Difference>>, Problem> {
        match self.was.recv().await {
            Some(keys) => self.changed(keys?).await.map(Some),
            None => self.new_ones().await,
        }
    }

    async fn changed(&mut self, keys: Vec<Was>) -> Result<Vec<Difference>, Problem> {
        let places: Vec<(Namespace, Key)> = keys.iter().map(|(place, _)| place.clone()).collect();
        self.known.extend(places.iter().cloned());
        let asked = self.core.ask(move |node, _| {
            let places = places.iter();
            places
                .map(|(namespace, key)| node.entry(namespace, key))
                .collect::<Vec<_>>()
        });
        let entries = within_patience(asked).await?;
        let mut differences = Vec::new();
        for (((namespace, key), was), entry) in keys.into_iter().zip(entries) {
            let is = match entry {
                Some(entry) => kept::whole(&self.core, &namespace, entry).await?,
                None => None,
            };
            let is = is.map(|current| current.kept);
            if is.as_ref() != Some(&was) {
                let was = Some(was);
                differences.push(Difference {
                    namespace,
                    key,
                    was,
                    is,
                });
            }
        }
        Ok(differences)
    }

    async fn new_ones(&mut self) -> Result<Option<Vec<Difference>>, Problem> {
        if self.namespaces.is_none() {
            let all = savepoint::namespaces(&self.core, &self.savepoint).await?;
            self.namespaces = Some(all.into());
        }
        let (mut differences, mut size) = (Vec::new(), 0_usize);
        while differences.len() < AT_ONCE.0 && size < AT_ONCE.1 {
            if self.walk.is_none() {
                let next = self.namespaces.as_mut().and_then(VecDeque::pop_front);
                let Some(namespace) = next else { break };
                let walk = Walk::new(self.core.clone(), namespace.clone(), String::new());
                self.walk = Some((namespace, walk));
            }
            let Some((namespace, walk)) = &mut self.walk else {
                break;
            };
            match walk.next().await? {
                Some((key, current)) => {
                    let place = (namespace.clone(), key);
                    if !self.known.contains(&place) {
                        size = size.saturating_add(current.kept.bytes());
                        let (namespace, key) = place;
                        let is = Some(current.kept);
                        differences.push(Difference {
                            namespace,
                            key,
                            was: None,
                            is,
                        });
                    }
                }
                None => self.walk = None,
            }
        }
        Ok(if differences.is_empty() {
            None
        } else {
            Some(differences)
        })
    }
}

/// A key that could not be brought back.
#[derive(Clone, Debug)]
pub(crate) struct NotBack {
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// The key.
    pub(crate) key: Key,
    /// Why not.
    pub(crate) problem: Problem,
}

/// Writes what was; answers how many keys are as they were again, and which are not.
pub(crate) async fn bring_back(core: &Handle, differences: Vec<Difference>) -> (u64, Vec<NotBack>) {
    let places: Vec<(Namespace, Key)> = differences
        .iter()
        .map(|one| (one.namespace.clone(), one.key.clone()))
        .collect();
    let wishes = differences.into_iter().map(|one| Wish {
        namespace: one.namespace,
        key: one.key,
        wanted: one.was.map_or(Wanted::Gone, Wanted::Exactly),
    });
    let outcomes = write::all(core, wishes.collect(), AckLevel::Local).await;
    let (mut written, mut refused) = (0_u64, Vec::new());
    for ((namespace, key), outcome) in places.into_iter().zip(outcomes) {
        match outcome {
            Ok(_) => written = written.saturating_add(1),
            Err(problem) => refused.push(NotBack {
                namespace,
                key,
                problem,
            }),
        }
    }
    (written, refused)
}

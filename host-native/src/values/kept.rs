//! What is at a key, apart from who wrote it and when.

use crate::{
    driver::Handle,
    http::{problem::Problem, within_patience},
};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        text::{Key, Namespace},
    },
    node::snapshot::{Content, Entry, Kind},
    replication::typed::READ_ITEMS_MAX,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A plain value.
    Register(Bytes),
    /// Of values side by side, the one that is shown first.
    Multi(Bytes),
    /// A number that many add to.
    Counter(i64),
    /// Elements, at least one.
    Set(BTreeSet<Key>),
    /// Fields with their values, at least one.
    Map(BTreeMap<Key, Bytes>),
    /// A switch.
    Flag(bool),
}

impl Kept {
    /// Its kind.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Register(_) => Kind::Register,
            Self::Multi(_) => Kind::Multi,
            Self::Counter(_) => Kind::Counter,
            Self::Set(_) => Kind::Set,
            Self::Map(_) => Kind::Map,
            Self::Flag(_) => Kind::Flag,
        }
    }

    /// Adds the elements or fields of another set or map; another kind takes its place.
    pub(crate) fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Set(elements), Self::Set(more)) => elements.extend(more),
            (Self::Map(fields), Self::Map(more)) => fields.extend(more),
            (kept, other) => *kept = other,
        }
    }

    /// About how many bytes it has.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Register(bytes) | Self::Multi(bytes) => bytes.len(),
            Self::Counter(_) | Self::Flag(_) => 8,
            Self::Set(elements) => elements.iter().map(|element| element.len()).sum(),
            Self::Map(fields) => fields
                .iter()
                .map(|(field, value)| field.len().saturating_add(value.len()))
                .sum(),
        }
    }
}

/// What a node has at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    /// What is shown of it, whole.
    pub(crate) kept: Kept,
    /// What else is there, where several kinds were begun at once.
    pub(crate) also: Vec<Kind>,
}

/// Reads what is at a key.
///
/// # Errors
/// When the node is busy or stops.
pub(crate) async fn read(
    core: &Handle,
    namespace: &Namespace,
    key: &Key,
) -> Result<Option<Current>, Problem> {
    let asked = (namespace.clone(), key.clone());
    let question = core.ask(move |node, _| node.entry(&asked.0, &asked.1));
    match within_patience(question).await? {
        Some(entry) => whole(core, namespace, entry).await,
        None => Ok(None),
    }
}

/// All of what an entry shows the beginning of; `None` if it was deleted.
///
/// # Errors
/// When the node is busy or stops.
pub(crate) async fn whole(
    core: &Handle,
    namespace: &Namespace,
    entry: Entry,
) -> Result<Option<Current>, Problem> {
    let (Some(value), also) = (entry.value, entry.also) else {
        return Ok(None);
    };
    let kept = match entry.content {
        Content::Register => Kept::Register(value),
        Content::Multi { .. } => Kept::Multi(value),
        Content::Counter { value, .. } => Kept::Counter(value),
        Content::Flag { on } => Kept::Flag(on),
        Content::Set { elements, total } => {
            let shown = (elements.len(), elements.last().cloned());
            let rest = rest(core, namespace, &entry.key, shown, total).await?;
            let rest = rest.into_iter().map(|(element, _)| element);
            Kept::Set(elements.into_iter().chain(rest).collect())
        }
        Content::Map { fields, total } => {
            let last = fields.last().map(|(field, _)| field.clone());
            let shown = (fields.len(), last);
            let rest = rest(core, namespace, &entry.key, shown, total).await?;
            let fields = fields.into_iter().map(|(field, view)| (field, view.value));
            Kept::Map(fields.chain(rest).collect())
        }
    };
    Ok(Some(Current { kept, also }))
}

/// The parts of a key behind those that are shown: how many these are, and the last of them.
async fn rest(
    core: &Handle,
    namespace: &Namespace,
    key: &Key,
    (shown, last): (usize, Option<Key>),
    total: u64,
) -> Result<Vec<(Key, Bytes)>, Problem> {
    let mut all = Vec::new();
    let mut after = last;
    let mut is_more = u64::try_from(shown).is_ok_and(|shown| shown < total);
    while is_more {
        let asked = (namespace.clone(), key.clone(), after.take());
        let question = core.ask(move |node, _| {
            let (namespace, key, after) = &asked;
            node.parts(namespace, key, after.as_deref(), READ_ITEMS_MAX)
        });
        // It may have been deleted meanwhile.
        let Some(page) = within_patience(question).await? else {
            break;
        };
        let parts = page.parts.into_iter();
        all.extend(parts.map(|(part, view)| (part, view.value)));
        is_more = page.next.is_some();
        after = page.next;
    }
    Ok(all)
}

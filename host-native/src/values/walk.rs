//! A way through a namespace in key order: everything that is there, whole. It is no snapshot: each key is
//! as it was when the way came by.

use crate::{
    driver::Handle,
    http::{problem::Problem, within_patience},
    values::kept::{self, Current},
};
use sporenet_core::{
    kernel::text::{Key, Namespace},
    node::snapshot::Entry,
    replication::cells::PageMax,
};
use std::collections::VecDeque;

/// Entries that are asked for at once.
const ENTRIES_MAX: usize = 1_000;
/// Bytes of values that are asked for at once; at least one entry comes.
const BYTES_MAX: usize = 1 << 20;

/// A way through a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    core: Handle,
    namespace: Namespace,
    prefix: String,
    entries: VecDeque<Entry>,
    /// Where the next page begins; `None` on the last one.
    after: Option<After>,
}

#[derive(Clone, Debug)]
enum After {
    Nothing,
    Key(Key),
}

impl Walk {
    /// Begins before the first key that begins with `prefix`.
    pub(crate) fn new(core: Handle, namespace: Namespace, prefix: String) -> Self {
        Self {
            core,
            namespace,
            prefix,
            entries: VecDeque::new(),
            after: Some(After::Nothing),
        }
    }

    /// The next key with what is there; `None` at the end.
    ///
    /// # Errors
    /// When the node is busy or stops.
    pub(crate) async fn next(&mut self) -> Result<Option<(Key, Current)>, Problem> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                let key = entry.key.clone();
                let found = kept::whole(&self.core, &self.namespace, entry).await?;
                // It may have been deleted meanwhile.
                if let Some(current) = found {
                    return Ok(Some((key, current)));
                }
            } else if let Some(after) = self.after.take() {
                self.turn(after).await?;
            } else {
                return Ok(None);
            }
        }
    }

    async fn turn(&mut self, after: After) -> Result<(), Problem> {
        let (namespace, prefix) = (self.namespace.clone(), self.prefix.clone());
        let max = PageMax {
            entries: ENTRIES_MAX,
            bytes: BYTES_MAX,
            value_bytes: usize::MAX,
        };
        let asked = self.core.ask(move |node, _| {
            let after = match &after {
                After::Nothing => None,
                After::Key(key) => Some(key.as_str()),
            };
            node.page(&namespace, &prefix, after, max)
        });
        let page = within_patience(asked).await?;
        self.entries = page.entries.into();
        self.after = page.next.map(After::Key);
        Ok(())
    }
}

//! Forks: chains whose author signed two batches with one sequence. A first reader may skip this
//! folder.
//!
//! | file | what it does |
//! |---|---|
//! | `epochs` | in which writer epoch this node writes in a shard |
//! | `reissue` | issues side branches of this node again |
//! | `branches` | which side branches peers have and we lack |
//! | `tab_copies` | what tabs hold of others' chains and their homes do not |
//! | `keep` | side branches in memory, and visible |
//! | `flow` | proofs of forks, and what follows from them in the other parts |

pub(in crate::replication) mod branches;
pub(in crate::replication) mod epochs;
mod flow;
pub(in crate::replication) mod keep;
mod reissue;
pub(in crate::replication) mod tab_copies;

use branches::Branches;
use epochs::Epochs;
use reissue::Reissue;

/// The most proofs of forks that a run writes to the journal; later ones are found again.
const RECORDS_MAX: u32 = 256;

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Forks {
    pub(in crate::replication) epochs: Epochs,
    pub(in crate::replication) reissue: Reissue,
    pub(in crate::replication) branches: Branches,
    records: u32,
}

impl Forks {
    /// Counts a proof; answers whether it may be written to the journal.
    fn may_record(&mut self) -> bool {
        self.records = self.records.saturating_add(1);
        self.records <= RECORDS_MAX
    }
}

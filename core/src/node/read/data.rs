//! What the data takes on this node, and what holds it.

use crate::{
    kernel::time::Time, membership::member::MemberState, node::machine::Node,
    replication::replica::ShardFootprint,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// What the data takes. Bytes are about right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataView {
    /// Keys with a value, those of the mesh's own settings and alerts included.
    pub keys: u64,
    /// What keys and values take in memory.
    pub memory_bytes: u64,
    /// The most that they may take; further writes are refused.
    pub memory_bytes_max: u64,
    /// Signed batches that are held, to give them to others.
    pub batches: u64,
    /// Their bytes.
    pub held_bytes: u64,
    /// The bytes of all records of the journal, those that are of no use included.
    pub journal_bytes: u64,
    /// What the store takes on the disk, where the host says it.
    pub disk_bytes: Option<u64>,
    /// How many shards are being written anew, or wait for it.
    pub to_compact: u64,
    /// Whether room in the journal is being given back, by the node or its host.
    pub is_trimming: bool,
    /// How often this node has written a shard anew since its start.
    pub compactions: u64,
    /// How often room in the journal was given back since then.
    pub trims: u64,
    /// The shards that hold something, in order.
    pub shards: Vec<ShardFootprint>,
    /// Whose batches take the room, most first. Only their author can leave them behind.
    pub ledger: Vec<AuthorView>,
}

/// What the batches of one author take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorView {
    /// Who.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is believed to be; `None` if it is not in the member list any more.
    pub state: Option<MemberState>,
    /// For how long it has been in this state.
    pub since_ms: Option<u64>,
    /// How many of its batches are held.
    pub batches: u64,
    /// Their bytes.
    pub held_bytes: u64,
}

impl Node {
    /// What the data takes here, and whose batches take the room.
    #[must_use]
    pub fn data(&self, now: Time) -> DataView {
        let footprint = self.replica.footprint();
        let stats = self.replica.stats();
        let members = self.members(now.max(self.now));
        let mut ledger: Vec<AuthorView> = footprint
            .authors
            .into_iter()
            .filter(|(_, (held_bytes, _))| *held_bytes > 0)
            .map(|(node, (held_bytes, batches))| {
                let id = node.to_string();
                let member = members.iter().find(|member| member.id == id);
                AuthorView {
                    name: self.display_name(node),
                    state: member.map(|member| member.state),
                    since_ms: member.map(|member| member.since_ms),
                    id,
                    batches,
                    held_bytes,
                }
            })
            .collect();
        ledger.sort_by_key(|author| core::cmp::Reverse(author.held_bytes));
        DataView {
            keys: footprint.keys,
            memory_bytes: footprint.cells_bytes,
            memory_bytes_max: footprint.cells_bytes_max,
            batches: footprint.batches,
            held_bytes: footprint.held_bytes,
            journal_bytes: footprint.journal_bytes,
            disk_bytes: None,
            to_compact: u64::try_from(footprint.to_compact).unwrap_or(u64::MAX),
            is_trimming: footprint.is_trimming,
            compactions: stats.compactions,
            trims: stats.trims,
            shards: footprint.shards,
            ledger,
        }
    }
}

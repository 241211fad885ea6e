//! What a replica counts.

use serde::{Deserialize, Serialize};

/// Counters since the start, and a few levels. Bytes are those of signed batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Batches pushed to peers as they were written.
    pub pushed_batches: u64,
    /// Their bytes.
    pub pushed_bytes: u64,
    /// Batches given to peers that lacked them.
    pub served_batches: u64,
    /// Their bytes.
    pub served_bytes: u64,
    /// Batches received as they were written.
    pub received_batches: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Batches fetched because they were missing.
    pub fetched_batches: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
    /// Received batches that were known already.
    pub duplicate_batches: u64,
    /// Received batches whose predecessor was missing.
    pub early_batches: u64,
    /// Received batches with a wrong signature.
    pub bad_signatures: u64,
    /// Received batches that no honest author signs, or that do not fit their author's chain.
    pub malformed_batches: u64,
    /// Received batches that are stamped too far ahead.
    pub ahead_batches: u64,
    /// Received batches left for later because memory, log or journal queue is full.
    pub full_batches: u64,
    /// Received batches of a chain that is set aside.
    pub forked_batches: u64,
    /// Received batches of a namespace that is not open, or that nobody asked for.
    pub unwanted_batches: u64,
    /// Batches not looked at because their sender sent too many wrong ones.
    pub muted_batches: u64,
    /// Messages of nodes without a link.
    pub from_strangers: u64,
    /// Peers beyond the maximum.
    pub peers_refused: u64,
    /// Requests of peers that were refused or cut because of a bound.
    pub requests_refused: u64,
    /// Offences reported.
    pub offences: u64,
    /// Forked chains found.
    pub equivocations: u64,
    /// Own batches issued again in a later life.
    pub reissued_batches: u64,
    /// Batches beyond forks that were taken from peers.
    pub aside_batches: u64,
    /// Batches beyond forks that were left with peers because too many are in memory.
    pub aside_refused: u64,
    /// Pushes left out because the peer is slow.
    pub pushes_skipped: u64,
    /// Pushes that were not confirmed in time.
    pub pushes_unconfirmed: u64,
    /// Fetches that were not answered in time.
    pub fetches_unanswered: u64,
    /// Writes acknowledged.
    pub writes: u64,
    /// Writes refused.
    pub writes_refused: u64,
    /// Appends that the journal did not keep.
    pub appends_failed: u64,
    /// Journal records that were missing or damaged when they were to be served.
    pub records_missing: u64,
    /// Journal records that did not fit the log when it was replayed.
    pub restore_skipped: u64,
    /// Messages dropped because too many were undelivered.
    pub sends_dropped: u64,
    /// Level: batches beyond forks that were not issued again yet.
    pub aside: u64,
    /// Level: conflict records held.
    pub conflicts: u64,
    /// Level: conflict records dropped because a key had too many.
    pub conflicts_dropped: u64,
    /// Level: bytes of cells in memory, about.
    pub cells_bytes: u64,
    /// Level: writes waiting for their turn.
    pub writes_waiting: u64,
}

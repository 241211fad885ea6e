//! What a replica counts.

use crate::kernel::metrics::Metrics;
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
    /// Received batches beyond the fork of their chain.
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
    /// Namespaces that a tab closed to make room for others.
    pub namespaces_closed: u64,
    /// Offences reported.
    pub offences: u64,
    /// Forked chains found.
    pub equivocations: u64,
    /// Own batches issued again in a later writer epoch.
    pub reissued_batches: u64,
    /// Batches beyond forks that were taken from peers.
    pub side_branch_batches: u64,
    /// Batches beyond forks that were left with peers because too many are in memory.
    pub side_branches_refused: u64,
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
    /// Shards that this node has written anew, because most of its batches there was overwritten.
    pub compactions: u64,
    /// Times that the front of the journal was dropped.
    pub trims: u64,
    /// Times that all that is held was compared with another relay.
    pub comparisons: u64,
    /// Keys that differed then.
    pub keys_differing: u64,
    /// Messages dropped because too many were undelivered.
    pub sends_dropped: u64,
    /// Level: batches beyond forks that were not issued again yet.
    pub side_branches: u64,
    /// Level: conflict records held.
    pub conflicts: u64,
    /// Level: conflict records dropped because a key had too many.
    pub conflicts_dropped: u64,
    /// Level: bytes of cells in memory, about.
    pub cells_bytes: u64,
    /// Level: writes waiting for their turn.
    pub writes_waiting: u64,
}

impl Stats {
    /// Tells all of them.
    pub(in crate::replication) fn tell(&self, to: &mut Metrics) {
        self.tell_exchanged(to);
        self.tell_not_taken(to);
        self.tell_forks(to);
        self.tell_bounds(to);
        self.tell_own(to);
        self.tell_levels(to);
    }

    /// Batches that went to and came from peers.
    fn tell_exchanged(&self, to: &mut Metrics) {
        to.counter(
            "sporenet_pushed_batches",
            "Fresh batches sent to peers.",
            self.pushed_batches,
        );
        to.counter(
            "sporenet_pushed_bytes",
            "Bytes of fresh batches sent to peers.",
            self.pushed_bytes,
        );
        to.counter(
            "sporenet_served_batches",
            "Batches sent to peers that caught up.",
            self.served_batches,
        );
        to.counter(
            "sporenet_served_bytes",
            "Bytes of batches sent to peers that caught up.",
            self.served_bytes,
        );
        to.counter(
            "sporenet_received_batches",
            "Fresh batches received.",
            self.received_batches,
        );
        to.counter(
            "sporenet_received_bytes",
            "Bytes of fresh batches received.",
            self.received_bytes,
        );
        to.counter(
            "sporenet_fetched_batches",
            "Batches received while catching up.",
            self.fetched_batches,
        );
        to.counter(
            "sporenet_fetched_bytes",
            "Bytes of batches received while catching up.",
            self.fetched_bytes,
        );
        to.counter(
            "sporenet_duplicate_batches",
            "Batches received more than once.",
            self.duplicate_batches,
        );
        to.counter(
            "sporenet_early_batches",
            "Batches received before the one that they follow.",
            self.early_batches,
        );
    }

    /// Batches that were not taken.
    fn tell_not_taken(&self, to: &mut Metrics) {
        to.counter(
            "sporenet_bad_signatures",
            "Batches received with a wrong signature.",
            self.bad_signatures,
        );
        to.counter(
            "sporenet_malformed_batches",
            "Batches received that no honest author signs.",
            self.malformed_batches,
        );
        to.counter(
            "sporenet_batches_ahead_of_clock",
            "Batches received with stamps too far ahead of the clock.",
            self.ahead_batches,
        );
        to.counter(
            "sporenet_batches_left_for_room",
            "Batches left for later because memory, log or journal queue was full.",
            self.full_batches,
        );
        to.counter(
            "sporenet_forked_batches",
            "Batches received beyond the fork of their chain.",
            self.forked_batches,
        );
        to.counter(
            "sporenet_unwanted_batches",
            "Batches received that nobody asked for.",
            self.unwanted_batches,
        );
        to.counter(
            "sporenet_muted_batches",
            "Batches not looked at because their sender sent too many wrong ones.",
            self.muted_batches,
        );
    }

    /// Forks and what followed from them.
    fn tell_forks(&self, to: &mut Metrics) {
        to.counter(
            "sporenet_equivocations",
            "Authors found to have signed two different batches as one.",
            self.equivocations,
        );
        to.counter(
            "sporenet_reissued_batches",
            "Own batches issued again in a later writer epoch.",
            self.reissued_batches,
        );
        to.counter(
            "sporenet_side_branch_batches",
            "Batches of side branches taken from peers.",
            self.side_branch_batches,
        );
        to.counter(
            "sporenet_side_branch_batches_refused",
            "Batches of side branches left with peers for lack of room.",
            self.side_branches_refused,
        );
        to.counter(
            "sporenet_replication_offences",
            "Faults of peers that the data showed.",
            self.offences,
        );
    }

    /// What was refused, left out or given up.
    fn tell_bounds(&self, to: &mut Metrics) {
        to.counter(
            "sporenet_replication_messages_from_strangers",
            "Data messages of nodes without a link.",
            self.from_strangers,
        );
        to.counter(
            "sporenet_replication_peers_refused",
            "Peers not replicated with because there are too many.",
            self.peers_refused,
        );
        to.counter(
            "sporenet_replication_requests_refused",
            "Data requests of peers that were refused or cut.",
            self.requests_refused,
        );
        to.counter(
            "sporenet_namespaces_closed",
            "Namespaces that this tab closed to make room for others.",
            self.namespaces_closed,
        );
        to.counter(
            "sporenet_pushes_skipped",
            "Pushes left out because the peer is slow.",
            self.pushes_skipped,
        );
        to.counter(
            "sporenet_pushes_unconfirmed",
            "Pushes that were not confirmed in time.",
            self.pushes_unconfirmed,
        );
        to.counter(
            "sporenet_fetches_unanswered",
            "Fetches that were not answered in time.",
            self.fetches_unanswered,
        );
        to.counter(
            "sporenet_replication_sends_dropped",
            "Data messages dropped because too many were undelivered.",
            self.sends_dropped,
        );
        to.gauge(
            "sporenet_conflicts_dropped",
            "Conflict records dropped because a key had too many.",
            self.conflicts_dropped,
        );
    }

    /// Writes of this node and its journal.
    fn tell_own(&self, to: &mut Metrics) {
        to.counter(
            "sporenet_writes",
            "Writes accepted from this node's users.",
            self.writes,
        );
        to.counter(
            "sporenet_writes_refused",
            "Writes refused.",
            self.writes_refused,
        );
        to.counter(
            "sporenet_replication_appends_failed",
            "Records of data that the journal did not keep.",
            self.appends_failed,
        );
        to.counter(
            "sporenet_replication_records_missing",
            "Journal records that were missing when they were to be served.",
            self.records_missing,
        );
        to.counter(
            "sporenet_replication_records_skipped",
            "Journal records that did not fit the log at the start.",
            self.restore_skipped,
        );
        to.counter(
            "sporenet_compactions",
            "Shards that this node wrote anew because most of its batches there was overwritten.",
            self.compactions,
        );
        to.counter(
            "sporenet_journal_trims",
            "Times that the front of the journal was dropped.",
            self.trims,
        );
        to.counter(
            "sporenet_comparisons",
            "Times that what is held was compared with another relay.",
            self.comparisons,
        );
        to.counter(
            "sporenet_keys_differing",
            "Keys that another relay held differently.",
            self.keys_differing,
        );
    }

    /// Values that fall again.
    fn tell_levels(&self, to: &mut Metrics) {
        to.gauge(
            "sporenet_side_branches",
            "Batches of side branches that were not issued again yet.",
            self.side_branches,
        );
        to.gauge(
            "sporenet_conflicts",
            "Conflict records held.",
            self.conflicts,
        );
        to.gauge(
            "sporenet_cells_bytes",
            "Bytes of values in memory, about.",
            self.cells_bytes,
        );
        to.gauge(
            "sporenet_writes_waiting",
            "Writes that wait for their turn.",
            self.writes_waiting,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_counter_is_told_under_a_name_of_its_own() {
        let mut metrics = Metrics::new();
        Stats::default().tell(&mut metrics);
        let metrics = metrics.into_vec();
        let names: BTreeSet<&str> = metrics.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), metrics.len());
        // One number each, and nothing else.
        let fields = size_of::<Stats>() / size_of::<u64>();
        assert_eq!(metrics.len(), fields);
    }
}

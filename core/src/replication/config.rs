//! The settings of a replica.

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::{
    kernel::{component::Settings, id::Role},
    replication::{batch::BATCH_BYTES_MAX, clock::AHEAD_MAX},
};
use core::time::Duration;

/// How a [`Replica`](crate::replication::replica::Replica) behaves.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// The most bytes that cells may take in memory, about; beyond it writes are refused with
    /// `Full` and remote batches are left for later. Default 512 MiB on a relay, 64 MiB in a tab;
    /// from 1 MiB. Too small refuses writes, too large is the host's memory.
    pub cells_bytes_max: u64,
    /// The most batches in the log; about 64 bytes of memory each. Default 8 million; beyond it as
    /// with `cells_bytes_max`.
    pub batches_max: u64,
    /// The most chains (writer and shard; in a tab also the parts of them in one namespace) in the
    /// log. Default 262 144, 4 096 writers in every shard; beyond it batches of new writers are
    /// refused. A node has one writer in a shard for each of its epochs there, at most 64.
    pub chains_max: u32,
    /// The most writes that wait for the journal or for a relay's confirmation. Default 16 384;
    /// beyond it `Busy`.
    pub waiting_max: u32,
    /// The most bytes of values that wait for the journal. Default 64 MiB; at least one batch.
    pub waiting_bytes_max: u64,
    /// The most bytes of batches handed to the journal and not yet durable. Default 16 MiB;
    /// received batches beyond it are dropped and fetched later. At least two batches.
    pub staged_bytes_max: u64,
    /// The most bytes of recent batches kept at hand for peers that lag a little. Default 8 MiB; 0
    /// reads everything from the journal.
    pub recent_bytes_max: u32,
    /// The most bytes of own batches kept at hand until two relays have confirmed them: a record of
    /// the journal that rots earlier is not lost for all. Default 4 MiB, some minutes of a busy
    /// writer on its own; beyond it the journal alone has the oldest, 0 trusts the journal.
    pub under_replicated_bytes_max: u32,
    /// How many changes can be asked for again by who watches. Default 65 536; too small makes
    /// watchers list again after a short absence.
    pub changes_max: u32,
    /// How far ahead of the wall clock a stamp may be. Default 60 s. Below the honest clocks'
    /// drift, honest writes wait; far above, a wrong clock wins every race for that long.
    pub ahead_max: Duration,
    /// How often frontiers are compared with each linked relay, give or take a tenth. Default 30 s;
    /// from 1 s. Repairs what a lost message left out; the cost is half a kibibyte each time.
    pub summary_interval: Duration,
    /// How long a fetch or a subscription may stay unanswered before it is tried elsewhere. Default
    /// 10 s; longer than a slow link takes for 256 KiB.
    pub fetch_patience: Duration,
    /// How long a push may stay unconfirmed before the peer is left to comparison. Default 5 s.
    pub push_patience: Duration,
    /// How long a write waits for a relay's confirmation. Default 5 s.
    pub ack_patience: Duration,
    /// The most bytes of batches pushed to a peer and not confirmed. Default 1 MiB, half of what a
    /// link queues in that class; a slower peer is left to comparison, which costs no memory here.
    pub in_flight_bytes_max: u32,
    /// The most pushes to a peer that are not confirmed. Default 1 024; as above.
    pub in_flight_max: u32,
    /// The most bytes of one answer to a fetch or subscription. Default 256 KiB; larger delays what
    /// is behind it, smaller costs round trips.
    pub window_bytes: u32,
    /// The most fetches in progress. Default 8, at most one per shard and half of them at one peer.
    pub fetches_max: u32,
    /// The most answers that wait for the journal to be read, all peers together. Default 32;
    /// beyond it the answer is empty and the peer asks again later.
    pub loads_max: u32,
    /// The most peers. Default 1 024; further ones are not synchronised with, and counted.
    pub peers_max: u32,
    /// The most namespaces that a tab opens, and that a relay serves to one tab. Default 64.
    pub namespaces_max: u32,
    /// The most undelivered messages. Default 16 384; beyond it messages are dropped, counted and
    /// repaired by comparison.
    pub outbox_max: u32,
    /// How long a shard takes no writes for a part of this node's own log that is damaged, from the
    /// first link on; then the node goes on in its next writer epoch there. Default 60 s; longer
    /// than a peer takes to give the part. Too short uses up epochs.
    pub epoch_patience: Duration,
    /// The most bytes of other branches of forked chains that are kept in memory until their author
    /// has issued them again; an eighth of it for one author, all of it for this node's own.
    /// Default 16 MiB on a relay, 4 MiB in a tab; at least eight batches. Beyond it they stay with
    /// the peers that have them.
    pub side_branch_bytes_max: u64,
    /// How many bytes of this node's own batches in a shard may have been overwritten before it writes what is
    /// left of them anew, and the rest is forgotten everywhere; always once it is more than half. Default
    /// 1 MiB; from 64 bytes. Smaller writes more often, larger keeps more of what nobody can read any more.
    pub overwritten_bytes_max: u64,
    /// How often a relay compares what it holds with a linked relay, one after the other. Default 1 h; from 1 min.
    /// Shorter finds what differs sooner, and costs both a look at all keys each time.
    pub verify_interval: Duration,
    /// Whether signatures are checked again when the journal is replayed. Default false: the
    /// journal's checksums are trusted, and 34 µs a batch are saved.
    pub verify_on_restore: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self::of(Role::Relay)
    }
}

impl Config {
    /// The defaults for a role.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        let (cells_mib, aside_mib) = match role {
            Role::Relay => (512, 16),
            Role::Tab => (64, 4),
        };
        Self {
            cells_bytes_max: cells_mib << 20,
            batches_max: 8_000_000,
            chains_max: 262_144,
            waiting_max: 16_384,
            waiting_bytes_max: 64 << 20,
            staged_bytes_max: 16 << 20,
            recent_bytes_max: 8 << 20,
            under_replicated_bytes_max: 4 << 20,
            changes_max: 65_536,
            ahead_max: AHEAD_MAX,
            summary_interval: Duration::from_secs(30),
            fetch_patience: Duration::from_secs(10),
            push_patience: Duration::from_secs(5),
            ack_patience: Duration::from_secs(5),
            in_flight_bytes_max: 1 << 20,
            in_flight_max: 1_024,
            window_bytes: 256 << 10,
            fetches_max: 8,
            loads_max: 32,
            peers_max: 1_024,
            namespaces_max: 64,
            outbox_max: 16_384,
            epoch_patience: Duration::from_secs(60),
            side_branch_bytes_max: aside_mib << 20,
            overwritten_bytes_max: 1 << 20,
            verify_interval: Duration::from_secs(3_600),
            verify_on_restore: false,
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        NAME
    }

    fn validate(&self) -> Result<(), &'static str> {
        // The largest batch must always fit, or it could never be taken however often it is
        // fetched.
        let batch = u64::try_from(BATCH_BYTES_MAX).unwrap_or(u64::MAX);
        let rules = [
            ("cells_bytes_max", self.cells_bytes_max >= 1 << 20),
            ("batches_max", self.batches_max > 0),
            ("chains_max", self.chains_max > 0),
            ("waiting_max", self.waiting_max > 0),
            ("waiting_bytes_max", self.waiting_bytes_max >= batch),
            (
                // A fetch starts while less than half is in use (`schedule_fetches`): the other
                // half has room for the largest batch.
                "staged_bytes_max",
                self.staged_bytes_max >= batch.saturating_mul(2),
            ),
            ("changes_max", self.changes_max > 0),
            ("ahead_max", self.ahead_max >= Duration::from_secs(1)),
            (
                "summary_interval",
                self.summary_interval >= Duration::from_secs(1),
            ),
            (
                "fetch_patience",
                self.fetch_patience >= Duration::from_millis(100),
            ),
            (
                "push_patience",
                self.push_patience >= Duration::from_millis(100),
            ),
            (
                "ack_patience",
                self.ack_patience >= Duration::from_millis(100),
            ),
            (
                "in_flight_bytes_max",
                u64::from(self.in_flight_bytes_max) >= batch,
            ),
            ("in_flight_max", self.in_flight_max > 0),
            ("window_bytes", self.window_bytes >= 1_024),
            ("fetches_max", self.fetches_max > 0),
            ("loads_max", self.loads_max > 0),
            ("peers_max", self.peers_max > 0),
            ("namespaces_max", self.namespaces_max > 0),
            ("outbox_max", self.outbox_max >= 1_024),
            (
                "epoch_patience",
                self.epoch_patience >= Duration::from_secs(1),
            ),
            (
                // One author's share is an eighth of it. It is counted in memory, about twice the
                // bytes: with the smallest setting it holds batches of half the largest size.
                "side_branch_bytes_max",
                self.side_branch_bytes_max >= batch.saturating_mul(8),
            ),
            (
                "verify_interval",
                self.verify_interval >= Duration::from_secs(60),
            ),
            ("overwritten_bytes_max", self.overwritten_bytes_max >= 64),
        ];
        match rules.iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(field),
            None => Ok(()),
        }
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        // Not drawn: `ahead_max`, which has to be the same on all nodes, and bounds that no run
        // comes near: `cells_bytes_max`, `batches_max`, `chains_max`, `under_replicated_bytes_max`,
        // `peers_max`, `namespaces_max`, `verify_interval`.
        let batch = u64::try_from(BATCH_BYTES_MAX).unwrap_or(u64::MAX);
        self.summary_interval = rng.span(1_000, 60_000);
        self.fetch_patience = rng.span(500, 20_000);
        self.push_patience = rng.span(200, 20_000);
        self.ack_patience = rng.span(500, 20_000);
        self.in_flight_bytes_max = narrow(rng.number(batch, batch.saturating_mul(4)));
        self.in_flight_max = narrow(rng.number(1, 1_024));
        self.window_bytes = narrow(rng.number(1_024, 256 << 10));
        self.fetches_max = narrow(rng.number(1, 64));
        self.loads_max = narrow(rng.number(1, 100));
        self.recent_bytes_max = narrow(rng.number(1, 8 << 20));
        self.waiting_max = narrow(rng.number(64, 16_384));
        self.waiting_bytes_max = rng.number(batch, batch.saturating_mul(100));
        self.staged_bytes_max = rng.number(batch.saturating_mul(2), batch.saturating_mul(50));
        self.changes_max = narrow(rng.number(16, 65_536));
        self.outbox_max = narrow(rng.number(1_024, 16_384));
        self.epoch_patience = rng.span(1_000, 60_000);
        self.side_branch_bytes_max = rng.number(batch.saturating_mul(8), batch.saturating_mul(80));
        self.overwritten_bytes_max = rng.number(64, 16 << 10);
        self.verify_on_restore = rng.chance(500);
    }
}

/// What the machine and its settings are called.
pub(in crate::replication) const NAME: &str = "replica";

/// A drawn number for a setting of 32 bits.
#[cfg(any(test, feature = "sim"))]
fn narrow(drawn: u64) -> u32 {
    u32::try_from(drawn).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_wrong_field_is_named() {
        assert_eq!(Config::of(Role::Relay).validate(), Ok(()));
        assert_eq!(Config::of(Role::Tab).validate(), Ok(()));
        let wrong = Config {
            window_bytes: 0,
            ..Config::default()
        };
        assert_eq!(wrong.validate(), Err("window_bytes"));
    }
}

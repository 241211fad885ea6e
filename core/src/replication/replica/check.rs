//! What must hold in the replica at any time; simulators and tests ask.

use crate::{
    kernel::{
        bounded::{Gauge, first_broken},
        component::{Component, Settings},
        id::{NodeId, Role},
        metrics::Metrics,
    },
    replication::{
        batch::{SHARDS, Writer},
        config::NAME,
        log::{ChainId, chain_lane},
        replica::{
            anti_entropy::WANTED_MAX,
            context::{Timer, size},
            database::HELD_OFF_MAX,
            forks::{branches::LACKING_MAX, epochs::Unwritable, tab_copies::COPIES_MAX},
            machine::Replica,
        },
        write::WriteBlock,
    },
};

impl Component for Replica {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self) -> Result<(), &'static str> {
        self.db.log.check()?;
        self.db.cells.check(self.db.clock.greatest())?;
        self.db.queue.check()?;
        self.db.staging.check()?;
        self.check_waiting()?;
        self.check_epochs()?;
        let mut peers = self.cx.linked.iter();
        peers.try_for_each(|(id, role)| self.check_peer(*id, *role))?;
        self.check_counts()
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let config = &self.cx.config;
        tell(
            "peers of replication",
            self.cx.linked.len(),
            size(config.peers_max),
        );
        tell("chains", self.db.log.chains(), size(config.chains_max));
        tell(
            "writes that wait",
            self.db.queue.len(),
            size(config.waiting_max),
        );
        tell(
            "writes that wait for a relay",
            self.writes.awaiting_writes(),
            size(config.waiting_max),
        );
        tell(
            "fetches",
            self.anti_entropy.fetches().len(),
            size(config.fetches_max),
        );
        tell(
            "answers being read",
            self.answers.tokens().len(),
            size(config.loads_max),
        );
        tell(
            "opened namespaces",
            self.db.opened.len(),
            size(config.namespaces_max),
        );
        tell("chains held off", self.db.held_off(), HELD_OFF_MAX);
        tell(
            "messages of replication",
            self.cx.outbox.len(),
            size(config.outbox_max),
        );
        let own_shards = self.forks.reissue.shards();
        tell("own shards", own_shards, usize::from(SHARDS));
        let wide = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        tell(
            "bytes staged",
            wide(self.db.staging.bytes()),
            wide(config.staged_bytes_max),
        );
        tell(
            "bytes of cells",
            wide(self.db.cells.bytes()),
            wide(config.cells_bytes_max),
        );
        let (branches, branches_max) = (
            self.db.log.branches().pooled_bytes(),
            config.side_branch_bytes_max,
        );
        tell("bytes of side branches", wide(branches), wide(branches_max));
        self.gauge_peers(tell);
    }

    fn metrics(&self, to: &mut Metrics) {
        let (keys, batches) = self.counts();
        to.gauge("sporenet_keys", "Keys with a value.", keys);
        to.gauge("sporenet_batches", "Batches in the log.", batches);
        self.stats().tell(to);
    }

    fn settings(&self) -> &dyn Settings {
        &self.cx.config
    }
}

impl Replica {
    /// Whether all is visible that is held, side branches too: nothing waits for room or for the
    /// clock.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        self.db.log.branches().unread().is_empty()
    }

    fn check_waiting(&self) -> Result<(), &'static str> {
        let at = |timer: Timer| self.cx.deadlines.at(&timer);
        let (mut awaited, waiting) = self.writes.awaited();
        let patient = |(chain, sequence)| at(Timer::Patience(chain, sequence)).is_some();
        let mut fetches = self.anti_entropy.fetches();
        let asked = |(shard, _)| at(Timer::Fetch(shard)).is_some();
        let linked = self
            .anti_entropy
            .fetches()
            .all(|(_, peer)| self.cx.is_linked(peer));
        let read = |token| at(Timer::Load(token)).is_some();
        first_broken(&[
            (
                waiting == self.writes.awaiting_writes(),
                "writes that wait for a relay are counted wrongly",
            ),
            (awaited.all(patient), "a write waits for a relay for ever"),
            (fetches.all(asked), "a fetch has no end"),
            (linked, "something is fetched from who is not linked"),
            (
                self.answers.tokens().all(read),
                "an answer waits for the journal for ever",
            ),
        ])
    }

    fn check_epochs(&self) -> Result<(), &'static str> {
        let writer = |shard| self.forks.epochs.writer_now(&self.cx, &self.db, shard);
        // A writer epoch that is still to come needs a timer: else queued writes would wait for
        // ever.
        let begins = |shard: u16| match writer(shard) {
            Err(Unwritable::Until(at)) => {
                let timer = self.cx.deadlines.at(&Timer::Epoch(shard));
                timer.is_some_and(|timer| timer <= at)
            }
            // A gap ends by peers' batches or by the timer that the first link sets; used-up epochs
            // end never.
            Ok(_) | Err(Unwritable::Gap | Unwritable::UsedUp) => true,
        };
        let all_begin = (0..SHARDS).all(begins);
        first_broken(&[(all_begin, "a writer epoch of this node never begins")])
    }

    fn check_peer(&self, id: NodeId, role: Role) -> Result<(), &'static str> {
        // `end` is used, not `head`: what was confirmed before a fork became known may be beyond
        // it.
        let held = |(_, chain, up_to): (NodeId, ChainId, u64)| {
            up_to <= self.db.log.end(&chain_lane(chain)).sequence
        };
        let mut confirmed = self.writes.confirmed().filter(|(of, _, _)| *of == id);
        first_broken(&[
            (id != self.cx.me, "it replicates with itself"),
            (confirmed.all(held), "a peer confirmed more than there is"),
            (
                self.cx.role == Role::Relay || role == Role::Relay,
                "a tab replicates with a tab",
            ),
        ])
    }

    fn check_counts(&self) -> Result<(), &'static str> {
        let counted = |(id, fetches, _): (NodeId, u32, usize)| {
            let of_peer = self.anti_entropy.fetches().filter(|(_, of)| *of == id);
            of_peer.count() == size(fetches) && self.cx.is_linked(id)
        };
        // A peer that never confirms must be given up at some time: its room in flight would stay
        // taken.
        let waits = |(id, count, _, _): (NodeId, usize, u64, bool)| {
            count == 0 || self.cx.deadlines.at(&Timer::Push(id)).is_some()
        };
        first_broken(&[
            (
                self.pushes.in_flight().all(|(_, _, _, is_right)| is_right),
                "bytes in flight are counted wrongly",
            ),
            (
                self.anti_entropy.wanted().all(counted),
                "fetches from a peer are counted wrongly",
            ),
            (
                self.pushes.in_flight().all(waits),
                "pushes are never given up",
            ),
        ])
    }

    /// The bytes of own batches that few others have, about.
    #[must_use]
    pub const fn under_replicated_bytes(&self) -> usize {
        self.db.log.under_replicated().bytes()
    }

    /// Why writes are refused; none: they are taken.
    pub fn blocks(&self) -> impl Iterator<Item = WriteBlock> {
        self.writes.blocks()
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.writes.blocks().len() > 0
    }

    /// The peers that it replicates with.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.cx.linked.keys().copied()
    }

    /// Up to which batch of which chain of this node a relay has confirmed to hold it.
    pub fn confirmed(&self) -> impl Iterator<Item = (NodeId, u16, Writer, u64)> {
        let confirmed = self.writes.confirmed();
        confirmed.map(|(id, (shard, writer), up_to)| (id, shard, writer, up_to))
    }

    /// How many batches of a chain are held, those beyond a fork included.
    #[must_use]
    pub fn held(&self, shard: u16, writer: Writer) -> u64 {
        self.db.log.end(&chain_lane((shard, writer))).sequence
    }

    /// The last place in the journal that the log points to.
    #[must_use]
    pub fn journal_last(&self) -> u64 {
        self.db.log.journal_last()
    }

    /// Whether a node's writes of a key are there, or known to be overwritten.
    #[must_use]
    pub fn accounts_for(&self, namespace: &str, key: &str, author: NodeId) -> bool {
        let register = self.db.cells.register(namespace, key);
        register.is_some_and(|register| register.accounts_for(author))
    }

    /// The latest stamp of this node's chains that were left behind, in milliseconds of the wall clock.
    #[must_use]
    pub fn left_behind_millis(&self) -> Option<u64> {
        self.forks.epochs.left_behind().map(|stamp| stamp.millis)
    }

    /// The latest stamp given or seen, in milliseconds of the wall clock.
    #[must_use]
    pub const fn latest_millis(&self) -> u64 {
        self.db.clock.latest().millis
    }

    fn gauge_peers(&self, tell: Gauge<'_>) {
        let config = &self.cx.config;
        let wide = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        for (_, count, bytes, _) in self.pushes.in_flight() {
            tell("pushes in flight", count, size(config.in_flight_max));
            let bytes_max = u64::from(config.in_flight_bytes_max);
            tell("bytes in flight", wide(bytes), wide(bytes_max));
        }
        for (_, fetches, wanted) in self.anti_entropy.wanted() {
            tell("chains wanted", wanted, WANTED_MAX);
            tell(
                "fetches from a peer",
                size(fetches),
                size(config.fetches_max),
            );
        }
        for (lacking, copies) in self.forks.branches.counts() {
            tell("side branches lacking", lacking, LACKING_MAX);
            tell("chains of a tab", copies, COPIES_MAX);
        }
        for count in self.subscriptions.counts() {
            tell("subscriptions", count, size(config.namespaces_max));
        }
    }
}

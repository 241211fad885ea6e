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
        lives::Unwritable,
        peer::{AHEAD_MAX, LACKING_MAX, Peer, WANTED_MAX},
        replica::{Replica, Timer, size},
        sync::chain_lane,
        write::WriteBlock,
    },
};

impl Component for Replica {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self) -> Result<(), &'static str> {
        self.log.check()?;
        self.cells.check(self.clock.latest())?;
        self.queue.check()?;
        self.staging.check()?;
        self.check_waiting()?;
        self.check_lives()?;
        let mut peers = self.peers.iter();
        peers.try_for_each(|(id, peer)| self.check_peer(*id, peer))
    }

    fn gauges(&self, tell: Gauge<'_>) {
        let config = &self.config;
        tell(
            "peers of replication",
            self.peers.len(),
            size(config.peers_max),
        );
        tell("chains", self.log.chains(), size(config.chains_max));
        tell(
            "writes that wait",
            self.queue.len(),
            size(config.waiting_max),
        );
        tell(
            "writes that wait for a relay",
            self.awaiting_writes,
            size(config.waiting_max),
        );
        tell("fetches", self.fetches.len(), size(config.fetches_max));
        tell(
            "answers being read",
            self.loads.len(),
            size(config.loads_max),
        );
        tell(
            "opened namespaces",
            self.opened.len(),
            size(config.namespaces_max),
        );
        tell(
            "chains held off",
            self.held_off.len(),
            super::intake::HELD_OFF_MAX,
        );
        tell(
            "messages of replication",
            self.outbox.len(),
            size(config.outbox_max),
        );
        tell("own shards", self.own_shards.len(), usize::from(SHARDS));
        let wide = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        tell(
            "bytes staged",
            wide(self.staging.bytes()),
            wide(config.staged_bytes_max),
        );
        tell(
            "bytes of cells",
            wide(self.cells.bytes()),
            wide(config.cells_bytes_max),
        );
        let (aside, aside_max) = (self.log.aside().pooled_bytes(), config.aside_bytes_max);
        tell("bytes set aside", wide(aside), wide(aside_max));
        self.gauge_peers(tell);
    }

    fn metrics(&self, to: &mut Metrics) {
        let (keys, batches) = self.counts();
        to.gauge("sporenet_keys", "Keys with a value.", keys);
        to.gauge("sporenet_batches", "Batches in the log.", batches);
        self.stats().tell(to);
    }

    fn settings(&self) -> &dyn Settings {
        &self.config
    }
}

impl Replica {
    /// Whether all is visible that is held or set aside: nothing waits for room or for the clock.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        self.log.aside().unread().is_empty()
    }

    fn check_waiting(&self) -> Result<(), &'static str> {
        let waiting: usize = self.awaiting.values().map(alloc::vec::Vec::len).sum();
        let patient = |(chain, sequence): &(_, u64)| {
            let timer = Timer::Patience(*chain, *sequence);
            self.deadlines.at(&timer).is_some()
        };
        let asked = |shard: &u16| self.deadlines.at(&Timer::Fetch(*shard)).is_some();
        let read = |token: &u64| self.deadlines.at(&Timer::Load(*token)).is_some();
        let linked = self
            .fetches
            .values()
            .all(|f| self.peers.contains_key(&f.peer));
        first_broken(&[
            (
                waiting == self.awaiting_writes,
                "writes that wait for a relay are counted wrongly",
            ),
            (
                self.awaiting.keys().all(patient),
                "a write waits for a relay for ever",
            ),
            (self.fetches.keys().all(asked), "a fetch has no end"),
            (linked, "something is fetched from who is not linked"),
            (
                self.loads.keys().all(read),
                "an answer waits for the journal for ever",
            ),
        ])
    }

    fn check_lives(&self) -> Result<(), &'static str> {
        let begins = |shard: u16| match self.writer_now(shard) {
            Err(Unwritable::Until(at)) => {
                let timer = self.deadlines.at(&Timer::Life(shard));
                timer.is_some_and(|timer| timer <= at)
            }
            Ok(_) | Err(Unwritable::Gap | Unwritable::UsedUp) => true,
        };
        let all_begin = (0..SHARDS).all(begins);
        first_broken(&[(all_begin, "a life of this node never begins")])
    }

    fn check_peer(&self, id: NodeId, peer: &Peer) -> Result<(), &'static str> {
        let bytes: u64 = peer.in_flight.values().map(|bytes| u64::from(*bytes)).sum();
        let fetches = self
            .fetches
            .values()
            .filter(|fetch| fetch.peer == id)
            .count();
        let held = |(chain, up_to): (&(u16, Writer), &u64)| {
            *up_to <= self.log.end(&chain_lane(*chain)).sequence
        };
        let waits = peer.in_flight.is_empty() || self.deadlines.at(&Timer::Push(id)).is_some();
        first_broken(&[
            (id != self.me, "it replicates with itself"),
            (
                bytes == peer.in_flight_bytes,
                "bytes in flight are counted wrongly",
            ),
            (
                fetches == size(peer.fetches),
                "fetches from a peer are counted wrongly",
            ),
            (
                peer.mine.iter().all(held),
                "a peer confirmed more than there is",
            ),
            (waits, "pushes are never given up"),
            (
                self.role == Role::Relay || peer.role == Role::Relay,
                "a tab replicates with a tab",
            ),
        ])
    }

    /// The bytes of own batches that few others have, about.
    #[must_use]
    pub const fn unshared_bytes(&self) -> usize {
        self.log.unshared().bytes()
    }

    /// Why writes are refused; none: they are taken.
    pub fn blocks(&self) -> impl Iterator<Item = WriteBlock> {
        self.blocks.iter().copied()
    }

    /// Whether writes are refused.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// The peers that it replicates with.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// Up to which batch of which chain of this node a relay has confirmed to hold it.
    pub fn confirmed(&self) -> impl Iterator<Item = (NodeId, u16, Writer, u64)> {
        self.peers.iter().flat_map(|(id, peer)| {
            let chains = peer.mine.iter();
            chains.map(|((shard, writer), up_to)| (*id, *shard, *writer, *up_to))
        })
    }

    /// How many batches of a chain are held, those beyond a fork included.
    #[must_use]
    pub fn held(&self, shard: u16, writer: Writer) -> u64 {
        self.log.end(&chain_lane((shard, writer))).sequence
    }

    /// The last place in the journal that the log points to.
    #[must_use]
    pub fn journal_last(&self) -> u64 {
        self.log.journal_last()
    }

    /// Whether a node's writes of a key are there, or known to be overwritten.
    #[must_use]
    pub fn accounts_for(&self, namespace: &str, key: &str, author: NodeId) -> bool {
        let register = self.cells.register(namespace, key);
        register.is_some_and(|register| register.accounts_for(author))
    }

    /// The latest stamp given or seen, in milliseconds of the wall clock.
    #[must_use]
    pub const fn latest_millis(&self) -> u64 {
        self.clock.latest().millis
    }

    fn gauge_peers(&self, tell: Gauge<'_>) {
        let config = &self.config;
        let wide = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        for peer in self.peers.values() {
            tell(
                "pushes in flight",
                peer.in_flight.len(),
                size(config.in_flight_max),
            );
            let bytes_max = u64::from(config.in_flight_bytes_max);
            tell(
                "bytes in flight",
                wide(peer.in_flight_bytes),
                wide(bytes_max),
            );
            tell("chains wanted", peer.has.len(), WANTED_MAX);
            tell("branches lacking", peer.lacking.len(), LACKING_MAX);
            tell("chains of a tab", peer.ahead.len(), AHEAD_MAX);
            tell(
                "subscriptions",
                peer.subscriptions.len(),
                size(config.namespaces_max),
            );
            tell(
                "fetches from a peer",
                size(peer.fetches),
                size(config.fetches_max),
            );
        }
    }
}

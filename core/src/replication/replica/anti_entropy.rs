//! Anti-entropy: what peers have and we lack, and fetching it.
//!
//! One digest per shard says which shards differ; of those the heads are exchanged, and each side
//! fetches what it lacks, a window at a time, at most one fetch per shard, several shards in
//! parallel. A fetch that brings nothing is not repeated before the next comparison.
//!
//! Source: Demers et al., 1987, section 1.3 (checksums first, then what differs).

use crate::{
    kernel::{
        id::{NodeId, Role},
        planted::{self, Planted},
        time::Time,
    },
    replication::{
        batch::Writer,
        log::{ChainId, Head, chain_lane},
        message::Message,
        replica::{
            context::{Context, REPAIR_SOON, Timer},
            contract::Event,
            database::Database,
            writes::Writes,
        },
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// A fetch in progress.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Fetch {
    peer: NodeId,
    request: u64,
    pub(in crate::replication) wants: Vec<(Writer, u64)>,
}

/// The most chains that one fetch asks for.
pub(in crate::replication) const WANTS_MAX: usize = 64;
/// How often a peer's comparisons are answered at most.
const SUMMARY_PAUSE: Duration = Duration::from_millis(100);
/// The most chains that are noted as wanted of a peer; the rest waits for the next comparison.
pub(in crate::replication) const WANTED_MAX: usize = 65_536;

/// What a peer has of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Wanted {
    pub(in crate::replication) up_to: u64,
    /// The batch that contradicts ours or proves a fork, if that is what is wanted.
    pub(in crate::replication) proof: Option<u64>,
}

/// A catching-up with one peer.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct CatchUp {
    since: Time,
    batches: u64,
    bytes: u64,
}

/// What was compared with a linked peer, and what it is asked for.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Compared {
    /// What it has and we lack. At most [`WANTED_MAX`] chains.
    has: BTreeMap<ChainId, Wanted>,
    /// Fetches in progress.
    fetches: u32,
    /// Fetches in a row that brought nothing.
    stalls: u32,
    /// The catching-up that is going on.
    catch_up: Option<CatchUp>,
    /// When a summary of it may be answered again.
    summary_ready_at: Time,
}

impl Compared {
    /// Notes that it has a chain up to a batch; answers whether there was room.
    fn note(&mut self, chain: ChainId, wanted: Wanted) -> bool {
        if let Some(known) = self.has.get_mut(&chain) {
            known.up_to = known.up_to.max(wanted.up_to);
            // The earliest contradiction is wanted: it is closest to where the branches part.
            known.proof = match (known.proof, wanted.proof) {
                (Some(known), Some(wanted)) => Some(known.min(wanted)),
                (known, wanted) => known.or(wanted),
            };
            return true;
        }
        // The bound keeps a liar with many chains from filling memory.
        if self.has.len() >= WANTED_MAX {
            return false;
        }
        self.has.insert(chain, wanted);
        true
    }

    /// The shards of which it has something that we lack, from `from` on.
    fn next_shard(&self, from: u16) -> Option<u16> {
        let first = (from, Writer::MIN);
        self.has.range(first..).next().map(|((shard, _), _)| *shard)
    }
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct AntiEntropy {
    peers: BTreeMap<NodeId, Compared>,
    /// At most one fetch per shard.
    fetches: BTreeMap<u16, Fetch>,
}

impl AntiEntropy {
    pub(in crate::replication) fn on_peer_up(&mut self, peer: NodeId) {
        self.peers.insert(peer, Compared::default());
    }

    pub(in crate::replication) fn on_peer_down(&mut self, cx: &mut Context, peer: NodeId) {
        // What is asked of it is free for another peer at once; its answer would find no fetch.
        self.peers.remove(&peer);
        self.fetches.retain(|shard, fetch| {
            let keep = fetch.peer != peer;
            if !keep {
                cx.deadlines.clear(&Timer::Fetch(*shard));
            }
            keep
        });
    }

    /// Whether a peer's summary is answered now: not more often than every 100 ms.
    pub(in crate::replication) fn answers_summary(&mut self, cx: &Context, from: NodeId) -> bool {
        let Some(peer) = self.peers.get_mut(&from) else {
            return false;
        };
        let is_ready = cx.now >= peer.summary_ready_at;
        if is_ready {
            peer.summary_ready_at = cx.now + SUMMARY_PAUSE;
        }
        is_ready
    }

    /// Notes what a peer has of a chain and we lack.
    pub(in crate::replication) fn consider(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        writes: &mut Writes,
        from: NodeId,
        shard: u16,
        head: &Head,
    ) {
        let chain = (shard, head.writer);
        // A tab holds of others' chains only streams, and these come by subscription.
        if cx.role == Role::Tab && head.writer.node != cx.me {
            return;
        }
        // The author has left it behind; what counts of it comes with a later chain.
        if db.log.is_closed(chain) {
            return;
        }
        let lane = chain_lane(chain);
        // The fork point of a chain only moves towards its start, so one that is later than ours,
        // or the same, says nothing new.
        let forked_at = db.log.forked_at(chain).unwrap_or(u64::MAX);
        if head.forked_at != 0 && head.forked_at < forked_at {
            let proof = Some(head.forked_at);
            let up_to = head.sequence;
            self.want(cx, from, chain, Wanted { up_to, proof });
        }
        // Kleppmann and Howard 2020, section 4: heads are hashes, so equal numbers with different
        // hashes show a fork. Version vectors would not.
        let held = db.log.holds(&lane, head.sequence, head.hash);
        if held == Some(false) {
            let proof = Some(head.sequence);
            let up_to = head.sequence;
            self.want(cx, from, chain, Wanted { up_to, proof });
        }
        // It names this very batch, so it says that it has it, and all before it.
        if head.writer.node == cx.me && held == Some(true) {
            writes.confirmed_by(cx, db, from, chain, head.sequence);
        }
        // What a peer has beyond the fork known here are side branches. They come by name, not by
        // sequence.
        let up_to = head.sequence.min(forked_at.saturating_sub(1));
        // What is with the journal already need not be fetched again.
        if up_to > db.staged_end(&lane).sequence {
            let proof = None;
            self.want(cx, from, chain, Wanted { up_to, proof });
        }
    }

    /// Notes that a peer has what we lack of a chain.
    pub(in crate::replication) fn want(
        &mut self,
        cx: &mut Context,
        from: NodeId,
        chain: ChainId,
        wanted: Wanted,
    ) {
        if let Some(peer) = self.peers.get_mut(&from)
            && !peer.note(chain, wanted)
        {
            cx.stats.requests_refused = cx.stats.requests_refused.saturating_add(1);
        }
    }

    /// Starts fetches as long as there is something to fetch and room for it.
    pub(in crate::replication) fn schedule_fetches(&mut self, cx: &mut Context, db: &Database) {
        let max = usize::try_from(cx.config.fetches_max).unwrap_or(usize::MAX);
        // Half: fetches come in windows, and what was asked for needs room when it arrives.
        let roomy = db.staging.bytes() < cx.config.staged_bytes_max / 2;
        if self.fetches.len() < max && roomy && db.takes_more(cx) {
            let mut order: Vec<NodeId> = self
                .peers
                .iter()
                .filter(|(_, peer)| !peer.has.is_empty())
                .map(|(id, _)| *id)
                .collect();
            if order.len() > 1 {
                // A drawn order, so that of several peers that have the same each gives a part.
                let turn = cx.rng.index(order.len());
                order.rotate_left(turn);
                let outside = planted::outside(Planted::OutsideCounter);
                let turn = outside.checked_rem(order.len()).unwrap_or(0);
                order.rotate_left(turn);
            }
            for peer in order {
                self.fetch_from(cx, db, peer, max);
            }
        }
        self.finish_catch_ups(cx);
    }

    fn fetch_from(&mut self, cx: &mut Context, db: &Database, id: NodeId, max: usize) {
        // Half of all fetches at one peer at most: a slow or lying one can't hold them all.
        let share = cx.config.fetches_max.div_ceil(2);
        let mut from = 0;
        loop {
            let Some(peer) = self.peers.get(&id) else {
                return;
            };
            if peer.fetches >= share || self.fetches.len() >= max {
                return;
            }
            let Some(shard) = peer.next_shard(from) else {
                return;
            };
            from = shard.saturating_add(1);
            if !self.fetches.contains_key(&shard) {
                self.start_fetch(cx, db, id, shard);
            }
        }
    }

    fn start_fetch(&mut self, cx: &mut Context, db: &Database, id: NodeId, shard: u16) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let mut wants = Vec::new();
        let mut moot = Vec::new();
        // An earlier want of this peer may be met by now, by pushes or by another peer: it is moot.
        let first = (shard, Writer::MIN);
        for (chain, wanted) in peer.has.range(first..) {
            if chain.0 != shard || wants.len() >= WANTS_MAX {
                break;
            }
            let end = db.staged_end(&chain_lane(*chain)).sequence;
            // A proof is asked for by its own sequence, whether or not a batch of that number is
            // held.
            if let Some(proof) = wanted.proof {
                wants.push((chain.1, proof));
            } else if wanted.up_to > end && !db.is_held_off(cx, *chain) {
                wants.push((chain.1, end.saturating_add(1)));
            } else {
                // Also what is held off: the next comparison names it again.
                moot.push(*chain);
            }
        }
        let request = cx.next_token();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        for chain in moot {
            peer.has.remove(&chain);
        }
        if wants.is_empty() {
            return;
        }
        peer.fetches = peer.fetches.saturating_add(1);
        peer.catch_up.get_or_insert(CatchUp {
            since: cx.now,
            batches: 0,
            bytes: 0,
        });
        cx.outbox.send(
            // The request ties the answer to this question: a late answer to an earlier one is not
            // counted here.
            id,
            Message::Fetch {
                request,
                shard,
                wants: wants.clone(),
            },
        );
        let until = cx.now + cx.config.fetch_patience;
        cx.deadlines.set(Timer::Fetch(shard), until);
        self.fetches.insert(
            shard,
            Fetch {
                peer: id,
                request,
                wants,
            },
        );
    }

    /// Forgets what a peer did not give although it was asked, and compares again, ever later.
    pub(in crate::replication) fn settle_wants(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        shard: u16,
        wants: &[(Writer, u64)],
    ) {
        let mut progress = false;
        for (writer, first) in wants {
            let chain = (shard, *writer);
            let end = db.staged_end(&chain_lane(chain)).sequence;
            let Some(peer) = self.peers.get_mut(&from) else {
                return;
            };
            let proof = peer.has.get(&chain).and_then(|wanted| wanted.proof);
            // Batches that are with the journal count as come.
            let came = end >= *first && proof.is_none();
            // An earlier contradiction that is looked for since then is still wanted.
            let goes_on = proof.is_some_and(|proof| proof != *first);
            progress |= came || goes_on;
            // What did not come is forgotten. Otherwise a peer that names what it does not have
            // would be asked for it without a pause.
            if !came && !goes_on {
                peer.has.remove(&chain);
            }
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if progress {
            peer.stalls = 0;
            return;
        }
        peer.stalls = peer.stalls.saturating_add(1);
        // From 1 s to 32 s: a peer that gives nothing is compared with ever more rarely.
        let doublings = peer.stalls.min(6);
        let span = Duration::from_millis(500_u64 << doublings);
        cx.summarize_within(from, span);
    }

    fn end_fetch(&mut self, cx: &mut Context, shard: u16) -> Option<Fetch> {
        let fetch = self.fetches.remove(&shard)?;
        cx.deadlines.clear(&Timer::Fetch(shard));
        if let Some(peer) = self.peers.get_mut(&fetch.peer) {
            peer.fetches = peer.fetches.saturating_sub(1);
        }
        Some(fetch)
    }

    fn finish_catch_ups(&mut self, cx: &mut Context) {
        let mut done = Vec::new();
        // Only once nothing is fetched and nothing is wanted any more.
        for (id, peer) in &mut self.peers {
            if peer.fetches > 0 || !peer.has.is_empty() {
                continue;
            }
            done.extend(peer.catch_up.take().map(|catch_up| (*id, catch_up)));
        }
        for (peer, catch_up) in done {
            self.finish_catch_up(cx, peer, catch_up);
        }
    }

    fn finish_catch_up(&mut self, cx: &mut Context, peer: NodeId, catch_up: CatchUp) {
        if catch_up.batches == 0 {
            return;
        }
        let took = cx.now.since(catch_up.since);
        cx.outbox.event(Event::CaughtUp {
            peer,
            batches: catch_up.batches,
            bytes: catch_up.bytes,
            took,
        });
        // A comparison after the catching-up finds what was left out for the bounds of the last
        // one.
        if cx.role == Role::Relay && cx.role_of(peer) == Some(Role::Relay) {
            cx.summarize_within(peer, REPAIR_SOON);
        }
    }

    /// The answer to a fetch: which shard it was about, and what was asked for.
    pub(in crate::replication) fn end_answered(
        &mut self,
        cx: &mut Context,
        from: NodeId,
        request: u64,
    ) -> Option<(u16, Fetch)> {
        // The number alone could be guessed by another peer; who answers has to be who was asked.
        let asked = |fetch: &Fetch| fetch.request == request && fetch.peer == from;
        let shard = self.fetches.iter().find(|(_, fetch)| asked(fetch))?.0;
        let shard = *shard;
        Some((shard, self.end_fetch(cx, shard)?))
    }

    /// A batch that was fetched is with the journal.
    pub(in crate::replication) fn count_caught(&mut self, from: NodeId, bytes: u64) {
        let peer = self.peers.get_mut(&from);
        if let Some(catch_up) = peer.and_then(|peer| peer.catch_up.as_mut()) {
            catch_up.batches = catch_up.batches.saturating_add(1);
            catch_up.bytes = catch_up.bytes.saturating_add(bytes);
        }
    }

    /// A fetch stays unanswered: what was to be had there is forgotten until the next comparison.
    pub(in crate::replication) fn on_fetch_stalled(
        &mut self,
        cx: &mut Context,
        db: &Database,
        shard: u16,
    ) {
        let Some(fetch) = self.end_fetch(cx, shard) else {
            return;
        };
        cx.stats.fetches_unanswered = cx.stats.fetches_unanswered.saturating_add(1);
        if let Some(peer) = self.peers.get_mut(&fetch.peer) {
            // All chains of the shard are forgotten, so another peer that has them gets the turn.
            peer.has.retain(|(of, _), _| *of != shard);
            cx.summarize_within(fetch.peer, Duration::from_secs(1));
        }
        self.schedule_fetches(cx, db);
    }

    /// Whether a peer has something of a node's chains in a shard that we lack.
    pub(in crate::replication) fn has_wanted_of(&self, shard: u16, node: NodeId) -> bool {
        let first = (shard, Writer::first(node));
        let last = Writer {
            node,
            epoch: u32::MAX,
        };
        let mut peers = self.peers.values();
        peers.any(|peer| peer.has.range(first..=(shard, last)).next().is_some())
    }

    /// The fetches in progress: shard and peer.
    pub(in crate::replication) fn fetches(&self) -> impl ExactSizeIterator<Item = (u16, NodeId)> {
        self.fetches
            .iter()
            .map(|(shard, fetch)| (*shard, fetch.peer))
    }

    /// Of each peer: how many fetches are counted, and how many chains are wanted.
    pub(in crate::replication) fn wanted(&self) -> impl Iterator<Item = (NodeId, u32, usize)> {
        let peers = self.peers.iter();
        peers.map(|(id, peer)| (*id, peer.fetches, peer.has.len()))
    }
}

//! Comparing frontiers with peers, and fetching what is missing.
//!
//! One digest per shard says which shards differ; of those the heads are exchanged, and each side
//! fetches what it lacks, a window at a time, at most one fetch per shard, several shards in
//! parallel. A fetch that brings nothing is not repeated before the next comparison.
//!
//! Source: Demers et al., 1987, section 1.3 (checksums first, then what differs).

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, LIVES_MAX, SHARDS, Writer, half},
        intake::Taken,
        log::{ChainId, Head, Lane},
        message::{Dot, Message},
        peer::{CatchUp, Wanted},
        push::REPAIR_SOON,
        queue::Source,
        replica::{Event, Offence, Replica, Timer, bytes_of},
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// A fetch in progress.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Fetch {
    pub(in crate::replication) peer: NodeId,
    request: u64,
    wants: Vec<(Writer, u64)>,
}

/// The most heads in a message.
pub(in crate::replication) const HEADS_MAX: usize = 1_024;
/// The most chains that one fetch asks for.
pub(in crate::replication) const WANTS_MAX: usize = 64;
/// The most batches that an answer may hold: a window of the smallest ones.
pub(in crate::replication) const ANSWER_MAX: usize = 2_048;
/// After how many heads the rest of a comparison waits for the next: about a third of what a link
/// queues in that class. Catching up is followed by a comparison at once.
const HEADS_PER_SUMMARY_MAX: usize = 4_096;
/// How often a peer's comparisons are answered at most.
const SUMMARY_PAUSE: Duration = Duration::from_millis(100);

impl Replica {
    /// Compares with a peer no later than about `span` from now.
    pub(in crate::replication) fn summarize_within(&mut self, peer: NodeId, span: Duration) {
        let at = self.now + self.rng.jitter(span, 100);
        self.deadlines.set_earlier(Timer::Summary(peer), at);
    }

    fn summarize_after_interval(&mut self, peer: NodeId) {
        let at = self.now + self.rng.jitter(self.config.summary_interval, 100);
        self.deadlines.set(Timer::Summary(peer), at);
    }

    pub(in crate::replication) fn on_summary_due(&mut self, peer: NodeId) {
        if self.role == Role::Tab {
            self.refresh(peer);
            return;
        }
        let mut digests = Vec::new();
        for shard in 0..SHARDS {
            digests.extend_from_slice(&self.log.digest(shard).to_le_bytes());
        }
        let digests = digests.into();
        self.outbox.send(peer, Message::Summary { digests });
        self.summarize_after_interval(peer);
    }

    pub(in crate::replication) fn on_summary(&mut self, from: NodeId, digests: &[u8]) {
        let (theirs, rest) = digests.as_chunks::<8>();
        if theirs.len() != usize::from(SHARDS) || !rest.is_empty() {
            self.offend(from, Offence::Malformed);
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if self.role == Role::Tab || peer.role == Role::Tab || self.now < peer.summary_ready_at {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
            return;
        }
        peer.summary_ready_at = self.now + SUMMARY_PAUSE;
        let mut sent = 0_usize;
        for (shard, theirs) in (0..SHARDS).zip(theirs) {
            let differs = self.log.digest(shard) != u64::from_le_bytes(*theirs);
            if !differs && self.log.unshared().bytes() > 0 {
                self.share_all(from, shard);
            }
            let seen = differs && !planted::is(Planted::NeverCompares);
            if seen && sent < HEADS_PER_SUMMARY_MAX {
                sent = sent.saturating_add(self.send_heads(from, shard));
                sent = sent.saturating_add(self.send_asides(from, shard));
            }
        }
        self.summarize_after_interval(from);
    }

    /// A peer's frontier is ours: it has our own chains whole.
    fn share_all(&mut self, with: NodeId, shard: u16) {
        let own: Vec<Head> = self.log.lives(shard, self.me).collect();
        for head in own {
            self.confirmed_by(with, (shard, head.writer), head.sequence);
        }
    }

    /// All heads of a shard, in pages; answers how many.
    fn send_heads(&mut self, to: NodeId, shard: u16) -> usize {
        let mut after = None;
        let mut sent = 0_usize;
        loop {
            let heads: Vec<Head> = self.log.heads(shard, after).take(HEADS_MAX).collect();
            let last = heads.len() < HEADS_MAX;
            sent = sent.saturating_add(heads.len());
            let next = heads.last().map(|head| head.writer);
            self.outbox.send(
                to,
                Message::Heads {
                    shard,
                    after,
                    heads,
                    last,
                    answer: true,
                },
            );
            if last {
                return sent;
            }
            after = next;
        }
    }

    pub(in crate::replication) fn on_heads(
        &mut self,
        from: NodeId,
        shard: u16,
        after: Option<Writer>,
        heads: &[Head],
        last: bool,
        answer: bool,
    ) {
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        let wrong = |head: &Head| head.writer.life >= LIVES_MAX;
        if heads.len() > HEADS_MAX
            || heads.iter().any(wrong)
            || shard >= SHARDS
            || peer.role == Role::Tab
        {
            self.offend(from, Offence::Malformed);
            return;
        }
        for head in heads {
            self.consider(from, shard, head);
        }
        if answer && self.role == Role::Relay {
            self.send_lacking(from, shard, after, heads, last);
            if last {
                self.send_asides(from, shard);
            }
        }
        self.schedule_fetches();
    }

    /// Notes what a peer has of a chain and we lack.
    pub(in crate::replication) fn consider(&mut self, from: NodeId, shard: u16, head: &Head) {
        let chain = (shard, head.writer);
        if self.role == Role::Tab && head.writer.node != self.me {
            return;
        }
        let lane = chain_lane(chain);
        let forked_at = self.log.forked_at(chain).unwrap_or(u64::MAX);
        if head.forked_at != 0 && head.forked_at < forked_at {
            let proof = Some(head.forked_at);
            let up_to = head.sequence;
            self.want(from, chain, Wanted { up_to, proof });
        }
        let held = self.log.holds(&lane, head.sequence, head.hash);
        if held == Some(false) {
            let proof = Some(head.sequence);
            let up_to = head.sequence;
            self.want(from, chain, Wanted { up_to, proof });
        }
        if head.writer.node == self.me && held == Some(true) {
            self.confirmed_by(from, chain, head.sequence);
        }
        let up_to = head.sequence.min(forked_at.saturating_sub(1));
        if up_to > self.staged_end(&lane).sequence {
            let proof = None;
            self.want(from, chain, Wanted { up_to, proof });
        }
    }

    pub(in crate::replication) fn want(&mut self, from: NodeId, chain: ChainId, wanted: Wanted) {
        if let Some(peer) = self.peers.get_mut(&from)
            && !peer.note(chain, wanted)
        {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
        }
    }

    /// Tells a peer which of its chains end before ours, so that it can fetch the rest.
    fn send_lacking(
        &mut self,
        to: NodeId,
        shard: u16,
        after: Option<Writer>,
        heads: &[Head],
        last: bool,
    ) {
        let theirs: BTreeMap<Writer, &Head> = heads.iter().map(|h| (h.writer, h)).collect();
        let end = heads.last().map(|head| head.writer);
        let lacking: Vec<Head> = self
            .log
            .heads(shard, after)
            .take_while(|ours| last || Some(ours.writer) <= end)
            .filter(|ours| theirs.get(&ours.writer).is_none_or(|t| lacks(t, ours)))
            .collect();
        for page in lacking.chunks(HEADS_MAX) {
            self.outbox.send(
                to,
                Message::Heads {
                    shard,
                    after: None,
                    heads: page.to_vec(),
                    last: true,
                    answer: false,
                },
            );
        }
    }

    /// A tab says how far its own chains go.
    pub(in crate::replication) fn on_mine(&mut self, from: NodeId, heads: &[(u16, Head)]) {
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        let wrong = |(shard, head): &(u16, Head)| {
            *shard >= SHARDS || head.writer.node != from || head.writer.life >= LIVES_MAX
        };
        if peer.role != Role::Tab
            || heads.len() > HEADS_MAX
            || heads.iter().any(wrong)
            || self.role == Role::Tab
        {
            self.offend(from, Offence::Malformed);
            return;
        }
        let mut dots = Vec::new();
        for (shard, head) in heads {
            self.consider(from, *shard, head);
            let lane = chain_lane((*shard, head.writer));
            if self.log.holds(&lane, head.sequence, head.hash) == Some(true) {
                dots.push(Dot {
                    shard: *shard,
                    writer: head.writer,
                    sequence: head.sequence,
                });
            }
        }
        if !dots.is_empty() {
            self.outbox.send(from, Message::Stored { dots });
        }
        let mut last = None;
        for (shard, _) in heads {
            if last.replace(*shard) != Some(*shard) {
                self.send_its_own(from, *shard, heads);
            }
        }
        self.schedule_fetches();
    }

    /// Tells a tab which of its own chains end here elsewhere than there.
    fn send_its_own(&mut self, tab: NodeId, shard: u16, heads: &[(u16, Head)]) {
        let told = |ours: &Head| {
            let same = |(of, theirs): &&(u16, Head)| *of == shard && theirs.writer == ours.writer;
            let theirs = heads.iter().find(same).map(|(_, head)| head);
            theirs.is_none_or(|theirs| lacks(theirs, ours) || ours.sequence < theirs.sequence)
        };
        let heads: Vec<Head> = self.log.lives(shard, tab).filter(told).collect();
        if !heads.is_empty() {
            self.outbox.send(
                tab,
                Message::Heads {
                    shard,
                    after: None,
                    heads,
                    last: true,
                    answer: false,
                },
            );
        }
        self.send_aside(tab, (shard, tab));
    }

    /// Starts fetches as long as there is something to fetch and room for it.
    pub(in crate::replication) fn schedule_fetches(&mut self) {
        let max = usize::try_from(self.config.fetches_max).unwrap_or(usize::MAX);
        let roomy = self.staging.bytes() < self.config.staged_bytes_max / 2;
        if self.fetches.len() < max && roomy && self.now >= self.full_until {
            let mut order: Vec<NodeId> = self
                .peers
                .iter()
                .filter(|(_, peer)| !peer.has.is_empty())
                .map(|(id, _)| *id)
                .collect();
            if order.len() > 1 {
                let turn = self.rng.index(order.len());
                order.rotate_left(turn);
                let outside = planted::outside(Planted::OutsideCounter);
                let turn = outside.checked_rem(order.len()).unwrap_or(0);
                order.rotate_left(turn);
            }
            for peer in order {
                self.fetch_from(peer, max);
            }
        }
        self.finish_catch_ups();
    }

    fn fetch_from(&mut self, id: NodeId, max: usize) {
        let share = self.config.fetches_max.div_ceil(2);
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
                self.start_fetch(id, shard);
            }
        }
    }

    fn start_fetch(&mut self, id: NodeId, shard: u16) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let mut wants = Vec::new();
        let mut moot = Vec::new();
        let first = (shard, Writer::MIN);
        for (chain, wanted) in peer.has.range(first..) {
            if chain.0 != shard || wants.len() >= WANTS_MAX {
                break;
            }
            let end = self.staged_end(&chain_lane(*chain)).sequence;
            if let Some(proof) = wanted.proof {
                wants.push((chain.1, proof));
            } else if wanted.up_to > end && !self.is_held_off(*chain) {
                wants.push((chain.1, end.saturating_add(1)));
            } else {
                moot.push(*chain);
            }
        }
        let request = self.next_token();
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
            since: self.now,
            batches: 0,
            bytes: 0,
        });
        self.outbox.send(
            id,
            Message::Fetch {
                request,
                shard,
                wants: wants.clone(),
            },
        );
        let until = self.now + self.config.fetch_patience;
        self.deadlines.set(Timer::Fetch(shard), until);
        self.fetches.insert(
            shard,
            Fetch {
                peer: id,
                request,
                wants,
            },
        );
    }

    pub(in crate::replication) fn on_batches(
        &mut self,
        from: NodeId,
        request: u64,
        batches: Vec<Signed<Batch>>,
    ) {
        let asked = |fetch: &Fetch| fetch.request == request && fetch.peer == from;
        let found = self.fetches.iter().find(|(_, fetch)| asked(fetch));
        let Some(shard) = found.map(|(shard, _)| *shard) else {
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(many);
            return;
        };
        let Some(fetch) = self.end_fetch(shard) else {
            return;
        };
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let bytes = bytes_of(&signed);
            self.stats.fetched_batches = self.stats.fetched_batches.saturating_add(1);
            self.stats.fetched_bytes = self.stats.fetched_bytes.saturating_add(bytes);
            let source = Source::Caught(from);
            let taken = self.take(from, signed, source, Vec::new());
            let peer = self.peers.get_mut(&from);
            let catch_up = peer.and_then(|peer| peer.catch_up.as_mut());
            if let (Taken::Staged, Some(catch_up)) = (taken, catch_up) {
                catch_up.batches = catch_up.batches.saturating_add(1);
                catch_up.bytes = catch_up.bytes.saturating_add(bytes);
            }
        }
        self.settle_wants(from, shard, &fetch.wants);
        self.schedule_fetches();
    }

    /// Forgets what a peer did not give although it was asked, and compares again, ever later.
    fn settle_wants(&mut self, from: NodeId, shard: u16, wants: &[(Writer, u64)]) {
        let mut progress = false;
        for (writer, first) in wants {
            let chain = (shard, *writer);
            let end = self.staged_end(&chain_lane(chain)).sequence;
            let Some(peer) = self.peers.get_mut(&from) else {
                return;
            };
            let proof = peer.has.get(&chain).and_then(|wanted| wanted.proof);
            let came = end >= *first && proof.is_none();
            // An earlier contradiction that is looked for since then is still wanted.
            let goes_on = proof.is_some_and(|proof| proof != *first);
            progress |= came || goes_on;
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
        let doublings = peer.stalls.min(6);
        let span = Duration::from_millis(500_u64 << doublings);
        self.summarize_within(from, span);
    }

    pub(in crate::replication) fn on_fetch_stalled(&mut self, shard: u16) {
        let Some(fetch) = self.end_fetch(shard) else {
            return;
        };
        self.stats.fetches_unanswered = self.stats.fetches_unanswered.saturating_add(1);
        if let Some(peer) = self.peers.get_mut(&fetch.peer) {
            peer.has.retain(|(of, _), _| *of != shard);
            self.summarize_within(fetch.peer, Duration::from_secs(1));
        }
        self.schedule_fetches();
    }

    fn end_fetch(&mut self, shard: u16) -> Option<Fetch> {
        let fetch = self.fetches.remove(&shard)?;
        self.deadlines.clear(&Timer::Fetch(shard));
        if let Some(peer) = self.peers.get_mut(&fetch.peer) {
            peer.fetches = peer.fetches.saturating_sub(1);
        }
        Some(fetch)
    }

    fn finish_catch_ups(&mut self) {
        let mut done = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.fetches > 0 || !peer.has.is_empty() {
                continue;
            }
            done.extend(peer.catch_up.take().map(|catch_up| (*id, catch_up)));
        }
        for (peer, catch_up) in done {
            self.finish_catch_up(peer, catch_up);
        }
    }

    fn finish_catch_up(&mut self, peer: NodeId, catch_up: CatchUp) {
        if catch_up.batches == 0 {
            return;
        }
        let took = self.now.since(catch_up.since);
        self.outbox.event(Event::CaughtUp {
            peer,
            batches: catch_up.batches,
            bytes: catch_up.bytes,
            took,
        });
        if self.role == Role::Relay && self.peers.get(&peer).is_some_and(|p| p.role == Role::Relay)
        {
            self.summarize_within(peer, REPAIR_SOON);
        }
    }
}

/// Whether who has `theirs` could learn something from who has `ours`.
fn lacks(theirs: &Head, ours: &Head) -> bool {
    let fork = ours.forked_at != 0 && (theirs.forked_at == 0 || theirs.forked_at > ours.forked_at);
    let contradicts = theirs.sequence == ours.sequence && half(theirs.hash) != half(ours.hash);
    fork || contradicts || theirs.sequence < ours.sequence
}

pub(in crate::replication) const fn chain_lane((shard, writer): ChainId) -> Lane {
    Lane {
        shard,
        writer,
        namespace: None,
    }
}

//! What a tab holds of others' chains and its home does not.
//!
//! A relay whose store went back in time may have shown its writes to nobody but a tab. So when a tab
//! says how far it holds a namespace, its home looks whether it holds the same, and if that is not so after a
//! while, asks for the tab's last batches: the chain goes on with them, or they prove a fork, or
//! they are set aside until their author issues them again. They count by their signatures only.
//!
//! Source: docs/design.md, anti-entropy (a tab's copies are a bonus).

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        time::Time,
    },
    replication::{
        aside::owner_of,
        batch::{Batch, SHARDS, Writer},
        intake::{Taken, chain_of},
        log::{ChainId, Head},
        message::Message,
        peer::{AHEAD_MAX, Ahead},
        queue::Source,
        replica::{Offence, Replica, Timer},
        serve::{Answer, Piece},
        sync::{ANSWER_MAX, chain_lane},
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// How long a home waits whether what a tab holds comes from relays: they usually have it.
const PAUSE: Duration = Duration::from_secs(10);
/// What could not be stored is asked for again ever more slowly: after ten seconds, and in the end
/// every eleven minutes.
const ASKS_SLOWER: u32 = 6;

impl Replica {
    /// On a relay: a tab says how far it holds a namespace.
    pub(in crate::replication) fn note_ahead(&mut self, tab: NodeId, heads: &[(u16, Head)]) {
        for (shard, head) in heads {
            let chain = (*shard, head.writer);
            let is_known = self.log.holds(&chain_lane(chain), head.sequence, head.hash);
            let forked_at = self.log.forked_at(chain).unwrap_or(u64::MAX);
            if head.sequence >= forked_at && head.forked_at == 0 {
                self.send_proof(tab, chain);
            }
            let Some(peer) = self.peers.get_mut(&tab) else {
                return;
            };
            let is_own = head.writer.node == tab;
            if is_known == Some(true) || is_own {
                continue;
            }
            let is_full = peer.ahead.len() >= AHEAD_MAX;
            let ahead = Ahead {
                chain,
                head: *head,
                due: self.now + PAUSE,
                asks: 0,
            };
            match peer.ahead.iter_mut().find(|noted| noted.chain == chain) {
                Some(noted) if noted.head.sequence >= head.sequence => continue,
                Some(noted) => *noted = ahead,
                None if is_full => continue,
                None => peer.ahead.push(ahead),
            }
            self.deadlines.set_earlier(Timer::Ahead(tab), ahead.due);
        }
    }

    /// Asks a tab for the next chain that it holds otherwise.
    pub(in crate::replication) fn on_ahead_due(&mut self, tab: NodeId) {
        let Some(peer) = self.peers.get_mut(&tab) else {
            return;
        };
        peer.ahead_asked = None;
        if !peer.asked.is_empty() {
            // One question at a time: both have the same kind of answer.
            self.deadlines.set(Timer::Ahead(tab), self.now + PAUSE);
            return;
        }
        let log = &self.log;
        peer.ahead.retain(|noted| {
            let (lane, head) = (chain_lane(noted.chain), noted.head);
            log.holds(&lane, head.sequence, head.hash) != Some(true)
        });
        let Some(next) = peer.ahead.iter_mut().min_by_key(|noted| noted.due) else {
            return;
        };
        if next.due > self.now {
            if next.due < Time::MAX {
                self.deadlines.set(Timer::Ahead(tab), next.due);
            }
            return;
        }
        next.due = self.now + PAUSE * (1 << next.asks.min(ASKS_SLOWER));
        next.asks = next.asks.saturating_add(1);
        let chain = next.chain;
        peer.ahead_asked = Some(chain);
        self.ask_ahead(tab, chain, 1);
    }

    /// A tab has given all that it has of a chain: what of it is beyond a fork is set aside, there is no
    /// more to ask for. Otherwise the store may still refuse it, and it is asked for again.
    fn on_ahead_given(&mut self, tab: NodeId, chain: ChainId) {
        let forked_at = self.log.forked_at(chain).unwrap_or(u64::MAX);
        let peer = self.peers.get_mut(&tab);
        let mut noted = peer.into_iter().flat_map(|peer| &mut peer.ahead);
        let given = noted.find(|noted| noted.chain == chain && noted.head.sequence >= forked_at);
        if let Some(given) = given {
            given.due = Time::MAX;
        }
        self.on_ahead_due(tab);
    }

    fn ask_ahead(&mut self, tab: NodeId, (shard, writer): ChainId, first: u64) {
        self.outbox.send(
            tab,
            Message::FetchAhead {
                shard,
                writer,
                first,
            },
        );
        let until = self.now + self.config.fetch_patience;
        self.deadlines.set(Timer::Ahead(tab), until);
    }

    /// In a tab: a home asks for what is held of another's chain.
    pub(in crate::replication) fn on_fetch_ahead(
        &mut self,
        from: NodeId,
        shard: u16,
        writer: Writer,
        first: u64,
    ) {
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        if shard >= SHARDS || peer.role == Role::Tab {
            self.offend(from, Offence::Malformed);
            return;
        }
        if self.role == Role::Relay || writer.node == self.me {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
            return;
        }
        let mut tail = Vec::new();
        for namespace in &self.opened {
            tail.extend(self.log.stream_tail(namespace, (shard, writer), first));
        }
        tail.sort_by(|a, b| a.0.cmp(&b.0));
        let mut plan = self.plan();
        for (_, journal, bytes) in tail {
            let piece = match self.log.recent(journal) {
                Some(signed) => Piece::Ready(Box::new(signed.clone())),
                None => Piece::Stored(journal),
            };
            if !self.add_piece(&mut plan, piece, u64::from(bytes)) {
                break;
            }
        }
        self.answer(from, Answer::Aside, plan.pieces);
    }

    /// On a relay: a tab gives what it was asked for.
    pub(in crate::replication) fn on_ahead_batches(
        &mut self,
        tab: NodeId,
        batches: Vec<Signed<Batch>>,
    ) {
        let asked = self.peers.get(&tab).and_then(|peer| peer.ahead_asked);
        let Some(asked) = asked.filter(|_| self.role == Role::Relay) else {
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(many);
            return;
        };
        let mut last = 0;
        let mut grown = false;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let (chain, sequence) = chain_of(signed.claims());
            if chain != asked || sequence <= last {
                self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(1);
                continue;
            }
            last = sequence;
            grown |= self.take_ahead(tab, signed);
        }
        if grown {
            self.tell_of_grown(tab, owner_of(asked));
        }
        match last.checked_add(1).filter(|_| last > 0) {
            Some(first) => self.ask_ahead(tab, asked, first),
            None => self.on_ahead_given(tab, asked),
        }
    }

    /// Takes a batch of another's chain from a tab; answers whether more is set aside now.
    fn take_ahead(&mut self, tab: NodeId, signed: Signed<Batch>) -> bool {
        if self.refuse_at_a_glance(tab, &signed, true).is_some() {
            return false;
        }
        let copy = signed.clone();
        match self.take_sound(tab, signed, Source::Caught(tab), Vec::new()) {
            Taken::Staged => false,
            // Its sequence may be known with another batch.
            Taken::Known | Taken::Early | Taken::Refused => self.keep_aside(tab, copy),
        }
    }

    /// A chain is set aside from earlier on: tabs that hold it otherwise are asked once more.
    pub(in crate::replication) fn ask_tabs_again(&mut self, chain: ChainId) {
        let at = self.now + PAUSE;
        for (tab, peer) in &mut self.peers {
            for noted in &mut peer.ahead {
                if noted.chain == chain {
                    (noted.due, noted.asks) = (at, 0);
                    self.deadlines.set_earlier(Timer::Ahead(*tab), at);
                }
            }
        }
    }
}

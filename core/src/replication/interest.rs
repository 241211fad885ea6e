//! Namespaces that tabs follow: what a tab asks of its home relays, and how they serve it.
//!
//! A tab says how far it holds a namespace; the relay sends the rest a page at a time and then pushes
//! what is new. The relay keeps no position: each page is asked for with the tab's own heads, so a
//! lost message costs one repetition. A tab notices a gap by `namespace_previous`, and compares digests
//! now and then.

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        text::Namespace,
    },
    replication::{
        batch::{Batch, LIVES_MAX, SHARDS, Writer},
        intake::Taken,
        log::{ChainId, End, Head},
        message::Message,
        peer::Subscription,
        queue::Source,
        replica::{Offence, Replica, Timer, bytes_of, size},
        serve::Answer,
        sync::{ANSWER_MAX, HEADS_MAX},
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// The most heads that a subscription names; of further ones the relay sends what is known already.
const SUBSCRIBE_HEADS_MAX: usize = 4_096;
/// How long a tab waits before it asks again for what it could not take.
const ASK_AGAIN: Duration = Duration::from_secs(5);

impl Replica {
    /// In a tab: follows a namespace; answers whether it is open now.
    pub(in crate::replication) fn open(&mut self, namespace: Namespace) -> bool {
        if self.opened.contains(&namespace) {
            return true;
        }
        if self.opened.len() >= size(self.config.namespaces_max) {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
            return false;
        }
        self.opened.insert(namespace.clone());
        self.subscribe_first(&namespace);
        true
    }

    pub(in crate::replication) fn close(&mut self, namespace: &Namespace) {
        if !self.opened.remove(namespace) {
            return;
        }
        let homes: Vec<NodeId> = self.peers.keys().copied().collect();
        for home in homes {
            if let Some(peer) = self.peers.get_mut(&home) {
                peer.subscriptions.remove(namespace);
            }
            let namespace = namespace.clone();
            self.outbox.send(home, Message::Unsubscribe { namespace });
        }
    }

    /// The first home gives the pages; the others only what comes after.
    fn subscribe_first(&mut self, namespace: &Namespace) {
        let paging = |state: &Subscription| *state == Subscription::Paging;
        let busy = self
            .peers
            .values()
            .any(|peer| peer.subscriptions.get(namespace).is_some_and(paging));
        let unasked = self
            .peers
            .iter()
            .find(|(_, peer)| !peer.subscriptions.contains_key(namespace))
            .map(|(id, _)| *id);
        if let (false, Some(home)) = (busy, unasked) {
            self.subscribe(home, namespace);
        }
    }

    pub(in crate::replication) fn subscribe_all(&mut self, home: NodeId) {
        if self.role == Role::Tab && self.peers.contains_key(&home) {
            for namespace in self.opened.clone() {
                self.subscribe_first(&namespace);
            }
        }
    }

    /// A home is gone: what it was giving is asked of another.
    pub(in crate::replication) fn subscribe_elsewhere(&mut self) {
        if self.role == Role::Tab {
            for namespace in self.opened.clone() {
                self.subscribe_first(&namespace);
            }
        }
    }

    /// Asks a home for a namespace, beyond what is held or with the journal.
    fn subscribe(&mut self, home: NodeId, namespace: &Namespace) {
        let mut ends: BTreeMap<ChainId, End> = BTreeMap::new();
        for (shard, writer, end) in self.log.streams(namespace).take(SUBSCRIBE_HEADS_MAX) {
            ends.insert((shard, writer), end);
        }
        for (lane, end) in self.staging.streams(namespace) {
            let held = ends.entry((lane.shard, lane.writer)).or_insert(end);
            if held.sequence < end.sequence {
                *held = end;
            }
        }
        let head = |(shard, writer): ChainId, end: End| Head {
            writer,
            sequence: end.sequence,
            hash: end.hash,
            forked_at: self.log.forked_at((shard, writer)).unwrap_or(0),
        };
        let heads = ends
            .into_iter()
            .take(SUBSCRIBE_HEADS_MAX)
            .map(|(chain, end)| (chain.0, head(chain, end)))
            .collect();
        self.send_subscribe(home, namespace, Some(heads));
        if let Some(peer) = self.peers.get_mut(&home) {
            peer.subscriptions
                .insert(namespace.clone(), Subscription::Paging);
        }
        let until = self.now + self.config.fetch_patience;
        self.deadlines.set_earlier(Timer::Subscribe(home), until);
    }

    fn send_subscribe(
        &mut self,
        home: NodeId,
        namespace: &Namespace,
        heads: Option<Vec<(u16, Head)>>,
    ) {
        self.outbox.send(
            home,
            Message::Subscribe {
                namespace: namespace.clone(),
                digest: self.log.stream_digest(namespace),
                heads,
            },
        );
    }

    /// What a home did not finish is asked for again, there and at another.
    pub(in crate::replication) fn on_subscribe_due(&mut self, home: NodeId) {
        let Some(peer) = self.peers.get(&home) else {
            return;
        };
        let open: Vec<Namespace> = peer
            .subscriptions
            .iter()
            .filter(|(_, state)| **state != Subscription::Live)
            .map(|(namespace, _)| namespace.clone())
            .collect();
        for namespace in open {
            self.subscribe(home, &namespace);
            let unasked = self
                .peers
                .iter()
                .find(|(_, peer)| !peer.subscriptions.contains_key(&namespace))
                .map(|(id, _)| *id);
            if let Some(other) = unasked {
                self.subscribe(other, &namespace);
            }
        }
    }

    pub(in crate::replication) fn set_refresh(&mut self, home: NodeId) {
        let at = self.now + self.rng.jitter(self.config.summary_interval, 100);
        self.deadlines.set(Timer::Summary(home), at);
    }

    /// In a tab, now and then: are our writes there, do we hold what the home holds?
    pub(in crate::replication) fn refresh(&mut self, home: NodeId) {
        self.send_mine(home, false);
        let Some(peer) = self.peers.get(&home) else {
            return;
        };
        let live: Vec<Namespace> = peer
            .subscriptions
            .iter()
            .filter(|(_, state)| **state == Subscription::Live)
            .map(|(namespace, _)| namespace.clone())
            .collect();
        for namespace in live {
            self.send_subscribe(home, &namespace, None);
        }
        self.subscribe_all(home);
        for namespace in self.opened.clone() {
            self.send_asides_in(home, &namespace);
        }
        self.set_refresh(home);
    }

    /// Tells a home how far our own chains go: all of them, or those it has not confirmed.
    pub(in crate::replication) fn send_mine(&mut self, home: NodeId, all: bool) {
        let Some(peer) = self.peers.get(&home) else {
            return;
        };
        let mut heads: Vec<(u16, Head)> = Vec::new();
        for shard in 0..SHARDS {
            if all && self.log.lives(shard, self.me).next().is_none() {
                heads.push((shard, self.log.head((shard, Writer::first(self.me)))));
            }
            let lives = self.log.lives(shard, self.me).filter(|head| {
                let confirmed = peer.mine.get(&(shard, head.writer)).copied();
                // Of a forked one, it may have a branch that is not here.
                all || head.forked_at != 0 || head.sequence > confirmed.unwrap_or(0)
            });
            heads.extend(lives.map(|head| (shard, head)));
        }
        for page in heads.chunks(HEADS_MAX) {
            let heads = page.to_vec();
            self.outbox.send(home, Message::Mine { heads });
        }
    }

    /// A push came whose predecessor is missing.
    pub(in crate::replication) fn on_gap(&mut self, home: NodeId, namespace: &Namespace) {
        let state = self
            .peers
            .get(&home)
            .and_then(|peer| peer.subscriptions.get(namespace).copied());
        if state == Some(Subscription::Live) && self.opened.contains(namespace) {
            self.subscribe(home, namespace);
        }
    }

    pub(in crate::replication) fn on_page(
        &mut self,
        from: NodeId,
        namespace: Namespace,
        batches: Vec<Signed<Batch>>,
        live: bool,
    ) {
        let asked = self
            .peers
            .get(&from)
            .is_some_and(|peer| peer.subscriptions.contains_key(&namespace));
        if self.role == Role::Relay || !asked {
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(many);
            return;
        }
        let notice = batches.is_empty() && !live;
        let mut progress = false;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            if signed.claims().namespace != namespace {
                self.offend(from, Offence::Malformed);
                continue;
            }
            let bytes = bytes_of(&signed);
            self.stats.fetched_batches = self.stats.fetched_batches.saturating_add(1);
            self.stats.fetched_bytes = self.stats.fetched_bytes.saturating_add(bytes);
            let taken = self.take(from, signed, Source::Caught(from), Vec::new());
            progress |= taken == Taken::Staged;
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if live {
            peer.subscriptions
                .insert(namespace.clone(), Subscription::Live);
            let open = |state: &Subscription| *state != Subscription::Live;
            if !peer.subscriptions.values().any(open) {
                self.deadlines.clear(&Timer::Subscribe(from));
            }
            self.subscribe_first(&namespace);
            return;
        }
        let before = peer
            .subscriptions
            .insert(namespace.clone(), Subscription::Paging);
        if progress || (notice && before == Some(Subscription::Live)) {
            // What is answered needs no second asking.
            self.deadlines.clear(&Timer::Subscribe(from));
            self.subscribe(from, &namespace);
        } else {
            // Nothing of it could be taken: asking at once would bring the same.
            let at = self.now + ASK_AGAIN;
            self.deadlines.set_earlier(Timer::Subscribe(from), at);
        }
    }

    /// On a relay: a tab asks for a namespace.
    pub(in crate::replication) fn on_subscribe(
        &mut self,
        from: NodeId,
        namespace: Namespace,
        digest: u64,
        heads: Option<Vec<(u16, Head)>>,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let known = peer.subscriptions.contains_key(&namespace);
        let room = known || peer.subscriptions.len() < size(self.config.namespaces_max);
        if self.role == Role::Tab || peer.role == Role::Relay || !room {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
            return;
        }
        if !known {
            peer.subscriptions
                .insert(namespace.clone(), Subscription::Paging);
        }
        // Not with each page.
        if !known || heads.is_none() {
            self.send_asides_in(from, &namespace);
        }
        let Some(heads) = heads else {
            let live = self.log.stream_digest(&namespace) == digest;
            self.answer(from, Answer::Page { namespace, live }, Vec::new());
            return;
        };
        let wrong = |(shard, head): &(u16, Head)| *shard >= SHARDS || head.writer.life >= LIVES_MAX;
        if heads.len() > SUBSCRIBE_HEADS_MAX || heads.iter().any(wrong) {
            self.offend(from, Offence::Malformed);
            return;
        }
        self.note_ahead(from, &heads);
        self.send_page(from, namespace, &heads);
    }

    fn send_page(&mut self, to: NodeId, namespace: Namespace, heads: &[(u16, Head)]) {
        let held: BTreeMap<ChainId, u64> = heads
            .iter()
            .map(|(shard, head)| ((*shard, head.writer), head.sequence))
            .collect();
        let mut plan = self.plan();
        let mut complete = true;
        for (shard, writer, _) in self.log.streams(&namespace) {
            let chain = (shard, writer);
            let after = held.get(&chain).copied().unwrap_or(0);
            let forked_at = self.log.forked_at(chain).unwrap_or(u64::MAX);
            for sequence in self.log.stream_after(&namespace, chain, after) {
                if *sequence >= forked_at {
                    break;
                }
                if !self.add_to_plan(&mut plan, chain, *sequence) {
                    complete = false;
                    break;
                }
            }
            if !complete {
                break;
            }
        }
        let answer = Answer::Page {
            namespace,
            live: complete,
        };
        self.answer(to, answer, plan.pieces);
    }

    pub(in crate::replication) fn on_unsubscribe(&mut self, from: NodeId, namespace: &Namespace) {
        if let Some(peer) = self.peers.get_mut(&from)
            && self.role == Role::Relay
        {
            peer.subscriptions.remove(namespace);
        }
    }

    /// On a relay: tells a tab to ask again for what it was not pushed.
    pub(in crate::replication) fn tell_lagging(&mut self, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        let mut lagging = Vec::new();
        for (namespace, state) in &mut peer.subscriptions {
            if *state == Subscription::Lagging {
                *state = Subscription::Paging;
                lagging.push(namespace.clone());
            }
        }
        for namespace in lagging {
            self.outbox.send(
                to,
                Message::Page {
                    namespace,
                    batches: Vec::new(),
                    live: false,
                },
            );
        }
    }
}

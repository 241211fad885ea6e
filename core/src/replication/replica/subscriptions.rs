//! Namespaces that tabs follow: what a tab asks of its home relays, and how they serve it.
//!
//! A tab says how far it holds a namespace; the relay sends the rest a page at a time and then
//! pushes what is new. The relay keeps no position: each page is asked for with the tab's own
//! heads, so a lost message costs one repetition. A tab notices a gap by `namespace_previous`, and
//! compares digests now and then.

use crate::{
    kernel::{
        id::{NodeId, Role},
        text::Namespace,
    },
    replication::{
        log::{ChainId, End, Head},
        message::Message,
        replica::{
            context::{Context, Timer, size},
            database::Database,
            opened::Used,
        },
    },
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// The most heads that a subscription names; of further ones the relay sends what is known already.
pub(in crate::replication) const SUBSCRIBE_HEADS_MAX: usize = 4_096;
/// How long a tab waits before it asks again for what it could not take.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How a namespace stands between a tab and one of its homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum Subscription {
    /// The next page is on its way, or has to be asked for.
    Paging,
    /// Everything up to now was sent; new batches are pushed.
    Live,
    /// On a relay: a push was left out; the tab has to ask again.
    Lagging,
    /// In a tab: the home serves as many namespaces to this tab as it may.
    Refused,
}

/// How much a tab knows of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// It is not open.
    Closed,
    /// It is open, and no linked relay was asked for it yet: what is held may be old or a part.
    Offline,
    /// A relay was asked, and has not given all of it yet.
    Fetching,
    /// No linked relay serves it: each serves as many namespaces to this tab as it may.
    Refused,
    /// A relay has given all of it: what is not here does not exist, as far as that relay knew.
    Complete,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Subscriptions {
    /// On a relay the namespaces that it serves to each tab, in a tab those asked of each relay.
    peers: BTreeMap<NodeId, BTreeMap<Namespace, Subscription>>,
}

impl Subscriptions {
    pub(in crate::replication) fn on_peer_up(&mut self, peer: NodeId) {
        self.peers.insert(peer, BTreeMap::new());
    }

    pub(in crate::replication) fn on_peer_down(&mut self, peer: NodeId) {
        self.peers.remove(&peer);
    }

    /// In a tab: follows a namespace; answers whether it is open now. The one that was used longest
    /// ago, and that nobody holds, is closed to make room.
    pub(in crate::replication) fn open(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        namespace: &Namespace,
    ) -> bool {
        match db.opened.use_one(namespace, size(cx.config.namespaces_max)) {
            Used::Open => true,
            Used::Opened(evicted) => {
                if let Some(evicted) = evicted {
                    cx.stats.namespaces_closed = cx.stats.namespaces_closed.saturating_add(1);
                    self.stop_following(cx, db, &evicted);
                }
                self.subscribe_first(cx, db, namespace);
                true
            }
            Used::Refused => {
                cx.stats.requests_refused = cx.stats.requests_refused.saturating_add(1);
                false
            }
        }
    }

    /// Closes a namespace that nobody holds.
    pub(in crate::replication) fn close(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        namespace: &Namespace,
    ) {
        // Whoever watches it would hear nothing more, and not know it.
        if !db.opened.is_held(namespace) {
            self.stop_following(cx, db, namespace);
        }
    }

    fn stop_following(&mut self, cx: &mut Context, db: &mut Database, namespace: &Namespace) {
        if !db.opened.remove(namespace) {
            return;
        }
        let homes: Vec<NodeId> = self.peers.keys().copied().collect();
        for home in homes {
            if let Some(peer) = self.peers.get_mut(&home) {
                peer.remove(namespace);
                // There is room for one that the home refused.
                if peer.values().any(|state| *state == Subscription::Refused) {
                    cx.deadlines.set_earlier(Timer::Subscribe(home), cx.now);
                }
            }
            let namespace = namespace.clone();
            cx.outbox.send(home, Message::Unsubscribe { namespace });
        }
    }

    /// In a tab: a home has no room to serve a namespace. It is asked again after a while, and
    /// another one at once.
    pub(in crate::replication) fn on_refused(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        namespace: &Namespace,
    ) {
        let state = self
            .peers
            .get_mut(&from)
            .and_then(|peer| peer.get_mut(namespace));
        if let Some(state) = state
            && cx.role == Role::Tab
        {
            *state = Subscription::Refused;
            self.subscribe_first(cx, db, namespace);
        }
    }

    /// In a tab: how much of a namespace is known.
    pub(in crate::replication) fn following(
        &self,
        db: &Database,
        namespace: &Namespace,
    ) -> Following {
        if !db.opened.contains(namespace) {
            return Following::Closed;
        }
        if db.opened.is_complete(namespace) {
            // What the last page brought is shown once the journal has it.
            return if db.staging.is_catching_up(namespace) {
                Following::Fetching
            } else {
                Following::Complete
            };
        }
        let mut states = self.peers.values().filter_map(|peer| peer.get(namespace));
        match states.next() {
            None => Following::Offline,
            Some(Subscription::Refused) if states.all(|state| *state == Subscription::Refused) => {
                Following::Refused
            }
            Some(_) => Following::Fetching,
        }
    }

    /// The first home gives the pages; the others only what comes after.
    fn subscribe_first(&mut self, cx: &mut Context, db: &Database, namespace: &Namespace) {
        // One home at a time gives pages: otherwise each would send the whole namespace.
        let paging = |state: &Subscription| *state == Subscription::Paging;
        let busy = self
            .peers
            .values()
            .any(|peer| peer.get(namespace).is_some_and(paging));
        let unasked = self
            .peers
            .iter()
            .find(|(_, peer)| !peer.contains_key(namespace))
            .map(|(id, _)| *id);
        // The next home is asked once this one is live (`on_last_page`): then it has only news to
        // give.
        if let (false, Some(home)) = (busy, unasked) {
            self.subscribe(cx, db, home, namespace);
        }
    }

    pub(in crate::replication) fn subscribe_all(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
    ) {
        if cx.role == Role::Tab && self.peers.contains_key(&home) {
            for namespace in db.opened.iter() {
                self.subscribe_first(cx, db, namespace);
            }
        }
    }

    /// A home is gone: what it was giving is asked of another.
    pub(in crate::replication) fn subscribe_elsewhere(&mut self, cx: &mut Context, db: &Database) {
        if cx.role == Role::Tab {
            for namespace in db.opened.iter() {
                self.subscribe_first(cx, db, namespace);
            }
        }
    }

    /// Asks a home for a namespace, beyond what is held or with the journal.
    pub(in crate::replication) fn subscribe(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
        namespace: &Namespace,
    ) {
        let mut ends: BTreeMap<ChainId, End> = BTreeMap::new();
        for (shard, writer, end) in db.log.streams(namespace).take(SUBSCRIBE_HEADS_MAX) {
            ends.insert((shard, writer), end);
        }
        // What is with the journal counts as held: it would be sent again otherwise.
        for (lane, end) in db.staging.streams(namespace) {
            let held = ends.entry((lane.shard, lane.writer)).or_insert(end);
            if held.sequence < end.sequence {
                *held = end;
            }
        }
        let head = |(shard, writer): ChainId, end: End| Head {
            writer,
            sequence: end.sequence,
            hash: end.hash,
            forked_at: db.log.forked_at((shard, writer)).unwrap_or(0),
        };
        // Cut again: the streams with the journal may have added some.
        let heads = ends
            .into_iter()
            .take(SUBSCRIBE_HEADS_MAX)
            .map(|(chain, end)| (chain.0, head(chain, end)))
            .collect();
        self.send_subscribe(cx, db, home, namespace, Some(heads));
        if let Some(peer) = self.peers.get_mut(&home) {
            peer.insert(namespace.clone(), Subscription::Paging);
        }
        // Asked again if no page comes in time; a page clears it.
        let until = cx.now + cx.config.fetch_patience;
        cx.deadlines.set_earlier(Timer::Subscribe(home), until);
    }

    fn send_subscribe(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
        namespace: &Namespace,
        heads: Option<Vec<(u16, Head)>>,
    ) {
        cx.outbox.send(
            home,
            Message::Subscribe {
                namespace: namespace.clone(),
                digest: db.log.stream_digest(namespace),
                heads,
            },
        );
    }

    /// What a home did not finish is asked for again, there and at another.
    pub(in crate::replication) fn on_subscribe_due(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
    ) {
        let Some(peer) = self.peers.get(&home) else {
            return;
        };
        let open: Vec<Namespace> = peer
            .iter()
            .filter(|(_, state)| **state != Subscription::Live)
            .map(|(namespace, _)| namespace.clone())
            .collect();
        // The home may be slow or lie, so another one is asked beside it.
        for namespace in open {
            self.subscribe(cx, db, home, &namespace);
            let unasked = self
                .peers
                .iter()
                .find(|(_, peer)| !peer.contains_key(&namespace))
                .map(|(id, _)| *id);
            if let Some(other) = unasked {
                self.subscribe(cx, db, other, &namespace);
            }
        }
    }

    /// A push came whose predecessor is missing.
    pub(in crate::replication) fn on_gap(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
        namespace: &Namespace,
    ) {
        let state = self
            .peers
            .get(&home)
            .and_then(|peer| peer.get(namespace).copied());
        // In `Paging` the missing batches are on their way anyway.
        if state == Some(Subscription::Live) && db.opened.contains(namespace) {
            self.subscribe(cx, db, home, namespace);
        }
    }

    pub(in crate::replication) fn on_unsubscribe(
        &mut self,
        cx: &Context,
        from: NodeId,
        namespace: &Namespace,
    ) {
        // In a tab the table says what was asked of homes; no peer may change that.
        if let Some(peer) = self.peers.get_mut(&from)
            && cx.role == Role::Relay
        {
            peer.remove(namespace);
        }
    }

    /// On a relay: tells a tab to ask again for what it was not pushed.
    pub(in crate::replication) fn tell_lagging(&mut self, cx: &mut Context, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        let mut lagging = Vec::new();
        for (namespace, state) in peer {
            if *state == Subscription::Lagging {
                *state = Subscription::Paging;
                // Paging: the tab is told once, by an empty page, and asks with its own heads.
                lagging.push(namespace.clone());
            }
        }
        for namespace in lagging {
            cx.outbox.send(
                to,
                Message::Page {
                    namespace,
                    batches: Vec::new(),
                    live: false,
                },
            );
        }
    }

    /// Compares with a home those namespaces of which everything was sent, and asks for the others.
    pub(in crate::replication) fn refresh(
        &mut self,
        cx: &mut Context,
        db: &Database,
        home: NodeId,
    ) {
        let Some(peer) = self.peers.get(&home) else {
            return;
        };
        let live: Vec<Namespace> = peer
            .iter()
            // Where something is still open, digests differ anyway.
            .filter(|(_, state)| **state == Subscription::Live)
            .map(|(namespace, _)| namespace.clone())
            .collect();
        for namespace in live {
            self.send_subscribe(cx, db, home, &namespace, None);
        }
        self.subscribe_all(cx, db, home);
    }

    /// Whether a namespace was asked of a peer, or is served to it.
    pub(in crate::replication) fn is_asked(&self, peer: NodeId, namespace: &Namespace) -> bool {
        let peer = self.peers.get(&peer);
        peer.is_some_and(|peer| peer.contains_key(namespace))
    }

    /// In a tab: a home gave the last page of a namespace.
    pub(in crate::replication) fn on_last_page(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        from: NodeId,
        namespace: Namespace,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        db.opened.complete(&namespace);
        // The relay pushes what is new from here on.
        peer.insert(namespace.clone(), Subscription::Live);
        let open = |state: &Subscription| *state != Subscription::Live;
        // The timer is for all namespaces of this home, so it stays while one of them is open.
        if !peer.values().any(open) {
            cx.deadlines.clear(&Timer::Subscribe(from));
        }
        self.subscribe_first(cx, db, &namespace);
    }

    /// In a tab: more pages follow. `progress`: something of this one could be taken; `notice`: it
    /// was empty.
    pub(in crate::replication) fn on_page(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        namespace: Namespace,
        (progress, notice): (bool, bool),
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let before = peer.insert(namespace.clone(), Subscription::Paging);
        // An empty page that is not live tells of a missed push or a different digest: asked at
        // once, but only once, so that a home can't keep the tab asking.
        if progress || (notice && before == Some(Subscription::Live)) {
            // What is answered needs no second asking.
            cx.deadlines.clear(&Timer::Subscribe(from));
            self.subscribe(cx, db, from, &namespace);
        } else {
            // Nothing of it could be taken: asking at once would bring the same.
            let at = cx.now + ASK_AGAIN;
            cx.deadlines.set_earlier(Timer::Subscribe(from), at);
        }
    }

    /// On a relay: serves a namespace to a tab from now on; answers whether there is room.
    pub(in crate::replication) fn admit(
        &mut self,
        cx: &Context,
        tab: NodeId,
        namespace: &Namespace,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&tab) else {
            return false;
        };
        let known = peer.contains_key(namespace);
        // Counted by name, so a tab that asks for the same again takes no more room.
        let room = known || peer.len() < size(cx.config.namespaces_max);
        if room && !known {
            peer.insert(namespace.clone(), Subscription::Paging);
        }
        room
    }

    /// On a relay: a page is on its way; answers whether the tab still wants it.
    pub(in crate::replication) fn on_page_sent(
        &mut self,
        tab: NodeId,
        namespace: &Namespace,
        live: bool,
    ) -> bool {
        let peer = self.peers.get_mut(&tab);
        let Some(state) = peer.and_then(|peer| peer.get_mut(namespace)) else {
            return false;
        };
        *state = if live {
            Subscription::Live
        } else {
            Subscription::Paging
        };
        true
    }

    /// The tabs that are pushed what is new in a namespace.
    pub(in crate::replication) fn live_tabs(
        &self,
        cx: &Context,
        namespace: &Namespace,
    ) -> Vec<NodeId> {
        let is_live = |peer: &BTreeMap<_, _>| peer.get(namespace) == Some(&Subscription::Live);
        let peers = self.peers.iter();
        peers
            // A relay's table may hold other relays (`on_peer_up`): pushes go to tabs only.
            .filter(|(id, peer)| cx.role_of(**id) == Some(Role::Tab) && is_live(peer))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A push was left out.
    pub(in crate::replication) fn lag(&mut self, tab: NodeId, namespace: &Namespace) {
        if let Some(peer) = self.peers.get_mut(&tab) {
            peer.insert(namespace.clone(), Subscription::Lagging);
        }
    }

    /// A tab confirms no pushes any more.
    pub(in crate::replication) fn lag_all(&mut self, tab: NodeId) {
        for state in self
            .peers
            .get_mut(&tab)
            .into_iter()
            .flat_map(BTreeMap::values_mut)
        {
            *state = Subscription::Lagging;
        }
    }

    /// How many namespaces stand between us and each peer.
    pub(in crate::replication) fn counts(&self) -> impl Iterator<Item = usize> {
        self.peers.values().map(BTreeMap::len)
    }
}

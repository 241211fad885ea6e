//! What a tab holds of others' chains and its home does not.
//!
//! A relay whose store went back in time may have shown its writes to nobody but a tab. So when a
//! tab says how far it holds a namespace, its home looks whether it holds the same, and if that is
//! not so after a while, asks for the tab's last batches: the chain goes on with them, or they
//! prove a fork, or they are side branches until their author issues them again. They count by
//! their signatures only.
//!
//! Source: ADR 0012 (a tab's copies are a bonus).

use crate::{
    kernel::{id::NodeId, time::Time},
    replication::{
        log::{ChainId, Head, chain_lane},
        replica::{
            context::{Context, Timer},
            database::Database,
            forks::branches::{Branches, TabCopy},
            naming::send_proof,
        },
    },
};
use core::time::Duration;

/// The most chains of others that a tab is asked for on one link.
pub(in crate::replication) const COPIES_MAX: usize = 256;
/// How long a home waits whether what a tab holds comes from relays: they usually have it.
const PAUSE: Duration = Duration::from_secs(10);
/// What could not be stored is asked for again ever more slowly: after ten seconds, and in the end
/// every eleven minutes.
const ASKS_SLOWER: u32 = 6;

impl Branches {
    /// On a relay: a tab says how far it holds a namespace.
    pub(in crate::replication) fn note_tab_copies(
        &mut self,
        cx: &mut Context,
        db: &Database,
        tab: NodeId,
        heads: &[(u16, Head)],
    ) {
        for (shard, head) in heads {
            let chain = (*shard, head.writer);
            // Unknown (`None`): the relay's chain ends before the tab's. False: it has another
            // batch there.
            let is_known = db.log.holds(&chain_lane(chain), head.sequence, head.hash);
            let forked_at = db.log.forked_at(chain).unwrap_or(u64::MAX);
            // The tab stands beyond the fork and does not know of it.
            if head.sequence >= forked_at && head.forked_at == 0 {
                send_proof(cx, db, tab, chain);
            }
            let Some(peer) = self.peers.get_mut(&tab) else {
                return;
            };
            // A tab's own chains are compared by `Mine`.
            let is_own = head.writer.node == tab;
            if is_known == Some(true) || is_own {
                continue;
            }
            // The bound keeps a tab with many chains from filling memory; the rest has its turn
            // later.
            let is_full = peer.copies.len() >= COPIES_MAX;
            let copy = TabCopy {
                chain,
                head: *head,
                due: cx.now + PAUSE,
                asks: 0,
                given: 0,
            };
            match peer.copies.iter_mut().find(|noted| noted.chain == chain) {
                // The tab says the same with each page; the pause must not start anew each time.
                Some(noted) if noted.head.sequence >= head.sequence => continue,
                Some(noted) => *noted = copy,
                None if is_full => continue,
                None => peer.copies.push(copy),
            }
            cx.deadlines.set_earlier(Timer::TabCopy(tab), copy.due);
        }
    }

    /// Asks a tab for the next chain of which it holds something else than is here.
    pub(in crate::replication) fn on_tab_copy_due(
        &mut self,
        cx: &mut Context,
        db: &Database,
        tab: NodeId,
    ) {
        let Some(peer) = self.peers.get_mut(&tab) else {
            return;
        };
        peer.copy_asked = None;
        if !peer.asked.is_empty() {
            // One question at a time: both have the same kind of answer.
            cx.deadlines.set(Timer::TabCopy(tab), cx.now + PAUSE);
            return;
        }
        let log = &db.log;
        // What relays have brought meanwhile need not be asked for.
        peer.copies.retain(|noted| {
            let (lane, head) = (chain_lane(noted.chain), noted.head);
            log.holds(&lane, head.sequence, head.hash) != Some(true)
        });
        let Some(next) = peer.copies.iter_mut().min_by_key(|noted| noted.due) else {
            return;
        };
        if next.due > cx.now {
            // `Time::MAX`: all was given, nothing is left to wait for.
            if next.due < Time::MAX {
                cx.deadlines.set(Timer::TabCopy(tab), next.due);
            }
            return;
        }
        // 10 s, 20 s, up to 640 s.
        next.due = cx.now + PAUSE * (1 << next.asks.min(ASKS_SLOWER));
        next.asks = next.asks.saturating_add(1);
        let chain = next.chain;
        peer.copy_asked = Some(chain);
        // From the first one: the tab gives what it has of the last 256 batches of each namespace.
        cx.fetch_tab_copy(tab, chain, 1);
    }

    /// A tab has given a chain up to a batch; the rest is still to come.
    pub(in crate::replication) fn on_tab_copy_part(
        &mut self,
        tab: NodeId,
        chain: ChainId,
        up_to: u64,
    ) {
        let peer = self.peers.get_mut(&tab);
        let mut noted = peer.into_iter().flat_map(|peer| &mut peer.copies);
        if let Some(part) = noted.find(|noted| noted.chain == chain) {
            // Parts come in order, but a late one of an earlier question must not set it back.
            part.given = part.given.max(up_to);
        }
    }

    /// A tab gives no more of a chain. If that was all that it said it has, and it goes beyond the
    /// fork, there is no more to ask for. Otherwise it is asked for again: its journal may have
    /// been busy, or the store here refused something.
    pub(in crate::replication) fn on_tab_copy_given(
        &mut self,
        cx: &mut Context,
        db: &Database,
        tab: NodeId,
        chain: ChainId,
    ) {
        let forked_at = db.log.forked_at(chain).unwrap_or(u64::MAX);
        let peer = self.peers.get_mut(&tab);
        let mut noted = peer.into_iter().flat_map(|peer| &mut peer.copies);
        // Only beyond a fork: before it, the chain itself takes the batches, and `retain` drops the
        // note.
        let is_all = |noted: &&mut TabCopy| {
            let end = noted.head.sequence;
            noted.chain == chain && end >= forked_at && noted.given >= end
        };
        if let Some(given) = noted.find(is_all) {
            given.due = Time::MAX;
        }
        self.on_tab_copy_due(cx, db, tab);
    }

    /// A chain forked earlier than was known: tabs that hold it otherwise are asked once more.
    pub(in crate::replication) fn ask_tabs_again(&mut self, cx: &mut Context, chain: ChainId) {
        let at = cx.now + PAUSE;
        for (tab, peer) in &mut self.peers {
            for noted in &mut peer.copies {
                if noted.chain == chain {
                    // From the beginning: more of the tab's batches are side branches now.
                    (noted.due, noted.asks, noted.given) = (at, 0, 0);
                    cx.deadlines.set_earlier(Timer::TabCopy(*tab), at);
                }
            }
        }
    }

    /// Which chain a tab is asked for now.
    pub(in crate::replication) fn copy_asked(&self, tab: NodeId) -> Option<ChainId> {
        self.peers.get(&tab)?.copy_asked
    }
}

//! Fresh batches to linked peers, and the confirmations that come back.
//!
//! Direct mail beside anti-entropy: a push may be lost or left out; the comparison of frontiers
//! repairs it. Source: Demers et al., 1987, section 1.2.

use crate::{
    kernel::{crypto::Signed, id::NodeId, time::Time},
    replication::{
        batch::Batch,
        log::{ChainId, chain_of},
        message::{Dot, Message},
        queue::Staged,
        replica::context::{Context, Timer, bytes_of, size},
    },
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// The longest that confirmations are held back after one was sent, to go together.
const ACK_PAUSE: Duration = Duration::from_millis(2);
/// The most names of who was told that a push carries.
const TOLD_MAX: usize = 64;
/// The most places that one confirmation names.
pub(in crate::replication) const DOTS_MAX: usize = 1_024;

/// What is on its way to and from a peer.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Mail {
    /// Pushes that it has not confirmed, with their bytes.
    in_flight: BTreeMap<Dot, u32>,
    in_flight_bytes: u64,
    /// Whether a push was left out because it is slow.
    lossy: bool,
    /// Confirmations that are held back for a moment to go together.
    acks: BTreeMap<ChainId, u64>,
    /// Until when they are held back.
    acks_ready_at: Time,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Pushes {
    peers: BTreeMap<NodeId, Mail>,
}

impl Pushes {
    pub(in crate::replication) fn on_peer_up(&mut self, peer: NodeId) {
        self.peers.insert(peer, Mail::default());
    }

    pub(in crate::replication) fn on_peer_down(&mut self, peer: NodeId) {
        self.peers.remove(&peer);
    }

    pub(in crate::replication) fn push_to_relays(
        &mut self,
        cx: &mut Context,
        staged: &Staged,
        signed: &Signed<Batch>,
        giver: Option<NodeId>,
    ) {
        let author = signed.claims().author;
        // Demers 1987, section 1.2: direct mail goes to all, here without those that have the batch
        // already as far as is known.
        let knows = |peer: &NodeId| {
            *peer == author
                || Some(*peer) == giver
                || staged.also_from.contains(peer)
                || staged.told.contains(&peer.prefix())
        };
        let mut targets = cx.relays();
        targets.retain(|id| !knows(id) && self.book_in_flight(cx, *id, signed));
        // The receivers tell nobody who is named here, so a batch crosses most links once. A name
        // that is cut off or wrong costs a duplicate or a comparison, no data.
        let mut told = staged.told.clone();
        told.push(cx.me.prefix());
        told.extend(giver.iter().chain(&targets).map(NodeId::prefix));
        told.truncate(TOLD_MAX);
        for to in targets {
            let (batch, told) = (Box::new(signed.clone()), told.clone());
            cx.outbox.send(to, Message::Push { batch, told });
        }
    }

    /// Takes room for a push to a peer; a peer without room is left to comparison.
    pub(in crate::replication) fn book_in_flight(
        &mut self,
        cx: &mut Context,
        to: NodeId,
        signed: &Signed<Batch>,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&to) else {
            return false;
        };
        let bytes = bytes_of(signed);
        let full = peer.in_flight.len() >= size(cx.config.in_flight_max)
            || peer.in_flight_bytes.saturating_add(bytes)
                > u64::from(cx.config.in_flight_bytes_max);
        // Nothing is queued for a slow peer: memory stays bounded, and `repair` makes up for it.
        if full {
            peer.lossy = true;
            cx.stats.pushes_skipped = cx.stats.pushes_skipped.saturating_add(1);
            return false;
        }
        // The patience starts with the first push in flight; each confirmation starts it anew
        // (`settle`).
        if peer.in_flight.is_empty() {
            let until = cx.now + cx.config.push_patience;
            cx.deadlines.set(Timer::Push(to), until);
        }
        let ((shard, writer), sequence) = chain_of(signed.claims());
        let dot = Dot {
            shard,
            writer,
            sequence,
        };
        let narrow = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The same batch may be pushed again after a repair: it is counted once.
        if peer.in_flight.insert(dot, narrow).is_none() {
            peer.in_flight_bytes = peer.in_flight_bytes.saturating_add(u64::from(narrow));
        }
        cx.stats.pushed_batches = cx.stats.pushed_batches.saturating_add(1);
        cx.stats.pushed_bytes = cx.stats.pushed_bytes.saturating_add(bytes);
        true
    }

    /// Tells a peer that a chain is durable here up to a batch, soon and together with others.
    pub(in crate::replication) fn ack(
        &mut self,
        cx: &mut Context,
        to: NodeId,
        chain: ChainId,
        sequence: u64,
    ) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        // Chains are contiguous, so the highest sequence confirms all before it.
        let known = peer.acks.entry(chain).or_insert(sequence);
        *known = (*known).max(sequence);
        // The first goes out at once; a burst is gathered, until the journal has nothing more
        // (`send_all_acks`).
        if cx.now >= peer.acks_ready_at || peer.acks.len() >= DOTS_MAX {
            self.send_acks(cx, to);
        } else {
            let at = peer.acks_ready_at;
            cx.deadlines.set_earlier(Timer::Ack(to), at);
        }
    }

    /// Nothing is with the journal any more: what was held back goes out, since nothing could go
    /// with it. As Nagle's rule (RFC 896), with the journal in the place of the network: a single
    /// write waits for nothing.
    pub(in crate::replication) fn send_all_acks(&mut self, cx: &mut Context) {
        let waiting = self.peers.iter().filter(|(_, mail)| !mail.acks.is_empty());
        let waiting: Vec<NodeId> = waiting.map(|(peer, _)| *peer).collect();
        for peer in waiting {
            self.send_acks(cx, peer);
        }
    }

    pub(in crate::replication) fn send_acks(&mut self, cx: &mut Context, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        cx.deadlines.clear(&Timer::Ack(to));
        let acks = core::mem::take(&mut peer.acks);
        if acks.is_empty() {
            return;
        }
        peer.acks_ready_at = cx.now + ACK_PAUSE;
        let dots = acks
            .into_iter()
            .map(|((shard, writer), sequence)| Dot {
                shard,
                writer,
                sequence,
            })
            .collect();
        cx.outbox.send(to, Message::Stored { dots });
    }

    /// A peer confirmed a chain up to a batch.
    pub(in crate::replication) fn on_confirmed(&mut self, from: NodeId, dot: Dot) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        // The order of dots puts the sequence last, so the range holds one chain up to it.
        let first = Dot { sequence: 0, ..dot };
        while let Some((held, bytes)) = peer.in_flight.range(first..=dot).next() {
            let (held, bytes) = (*held, *bytes);
            peer.in_flight.remove(&held);
            peer.in_flight_bytes = peer.in_flight_bytes.saturating_sub(u64::from(bytes));
        }
    }

    /// After confirmations: waits for the rest; answers whether what was left out can be repaired
    /// now.
    pub(in crate::replication) fn settle(&mut self, cx: &mut Context, from: NodeId) -> bool {
        let Some(peer) = self.peers.get_mut(&from) else {
            return false;
        };
        let left = peer.in_flight.len();
        // Half: a repair while much is still in flight would leave out pushes again at once.
        let drained = left <= size(cx.config.in_flight_max) / 2;
        if left == 0 {
            cx.deadlines.clear(&Timer::Push(from));
        } else {
            // The peer is alive, as it has just confirmed: the rest gets the full patience again.
            let until = cx.now + cx.config.push_patience;
            cx.deadlines.set(Timer::Push(from), until);
        }
        peer.lossy && drained
    }

    /// A peer confirms nothing any more: what is on its way is left to comparison.
    pub(in crate::replication) fn give_up(&mut self, cx: &mut Context, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        // Counted, not sent again: the peer may have them, and comparison finds out.
        let lost = u64::try_from(peer.in_flight.len()).unwrap_or(u64::MAX);
        cx.stats.pushes_unconfirmed = cx.stats.pushes_unconfirmed.saturating_add(lost);
        peer.in_flight.clear();
        peer.in_flight_bytes = 0;
    }

    /// What was left out is being repaired.
    pub(in crate::replication) fn on_repair(&mut self, peer: NodeId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.lossy = false;
        }
    }

    /// Of each peer: how many pushes are in flight, their bytes, and whether these are counted
    /// rightly.
    pub(in crate::replication) fn in_flight(
        &self,
    ) -> impl Iterator<Item = (NodeId, usize, u64, bool)> {
        self.peers.iter().map(|(id, peer)| {
            let bytes: u64 = peer.in_flight.values().map(|bytes| u64::from(*bytes)).sum();
            let is_right = bytes == peer.in_flight_bytes;
            (*id, peer.in_flight.len(), peer.in_flight_bytes, is_right)
        })
    }
}

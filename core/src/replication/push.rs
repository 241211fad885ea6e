//! Fresh batches to linked peers, and the confirmations that come back.
//!
//! Direct mail beside anti-entropy: a push may be lost or left out; the comparison of frontiers
//! repairs it. Source: Demers et al., 1987, section 1.2.

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
    },
    replication::{
        batch::Batch,
        intake::chain_of,
        log::ChainId,
        message::{Dot, Message},
        peer::Subscription,
        queue::{Source, Staged},
        replica::{Replica, Timer, bytes_of, size},
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// How long confirmations are held back after one was sent, to go together.
const ACK_PAUSE: Duration = Duration::from_millis(2);
/// How soon frontiers are compared after something was left out.
pub(in crate::replication) const REPAIR_SOON: Duration = Duration::from_millis(250);
/// The most names of who was told that a push carries.
const TOLD_MAX: usize = 64;
/// The most places that one confirmation names.
const DOTS_MAX: usize = 1_024;

impl Replica {
    /// Passes on a batch that has just become durable, and confirms it to who gave it.
    pub(in crate::replication) fn announce(&mut self, staged: &Staged, signed: &Signed<Batch>) {
        let (chain, sequence) = chain_of(signed.claims());
        let giver = match staged.source {
            Source::Own => None,
            Source::Pushed(from) => Some(from),
            // Who gives its own chain may have writers that wait for us.
            Source::Caught(from) => (from == chain.1.node).then_some(from),
        };
        for peer in giver.iter().chain(&staged.also_from) {
            self.ack(*peer, chain, sequence);
        }
        let passes_on = match self.role {
            Role::Relay => !matches!(staged.source, Source::Caught(_)),
            Role::Tab => staged.source == Source::Own,
        };
        if passes_on {
            self.push_to_relays(staged, signed, giver);
        }
        if self.role == Role::Relay {
            self.push_to_subscribers(signed);
        }
    }

    fn push_to_relays(&mut self, staged: &Staged, signed: &Signed<Batch>, giver: Option<NodeId>) {
        let author = signed.claims().author;
        let knows = |peer: &NodeId| {
            *peer == author
                || Some(*peer) == giver
                || staged.also_from.contains(peer)
                || staged.told.contains(&peer.prefix())
        };
        let targets: Vec<NodeId> = self
            .peers
            .iter()
            .filter(|(id, peer)| peer.role == Role::Relay && !knows(id))
            .map(|(id, _)| *id)
            .collect();
        let targets: Vec<NodeId> = targets
            .into_iter()
            .filter(|id| self.book_in_flight(*id, signed))
            .collect();
        let mut told = staged.told.clone();
        told.push(self.me.prefix());
        told.extend(giver.iter().chain(&targets).map(NodeId::prefix));
        told.truncate(TOLD_MAX);
        for to in targets {
            let (batch, told) = (Box::new(signed.clone()), told.clone());
            self.outbox.send(to, Message::Push { batch, told });
        }
    }

    fn push_to_subscribers(&mut self, signed: &Signed<Batch>) {
        let batch = signed.claims();
        let mut live = Vec::new();
        for (id, peer) in &self.peers {
            let state = peer.subscriptions.get(&batch.namespace);
            let is_live = state == Some(&Subscription::Live);
            if peer.role == Role::Tab && is_live && *id != batch.author {
                live.push(*id);
            }
        }
        for to in live {
            if self.book_in_flight(to, signed) {
                let batch = Box::new(signed.clone());
                let told = Vec::new();
                self.outbox.send(to, Message::Push { batch, told });
            } else if let Some(peer) = self.peers.get_mut(&to) {
                peer.subscriptions
                    .insert(batch.namespace.clone(), Subscription::Lagging);
            }
        }
    }

    /// Takes room for a push to a peer; a peer without room is left to comparison.
    fn book_in_flight(&mut self, to: NodeId, signed: &Signed<Batch>) -> bool {
        let Some(peer) = self.peers.get_mut(&to) else {
            return false;
        };
        let bytes = bytes_of(signed);
        let full = peer.in_flight.len() >= size(self.config.in_flight_max)
            || peer.in_flight_bytes.saturating_add(bytes)
                > u64::from(self.config.in_flight_bytes_max);
        if full {
            peer.lossy = true;
            self.stats.pushes_skipped = self.stats.pushes_skipped.saturating_add(1);
            return false;
        }
        if peer.in_flight.is_empty() {
            let until = self.now + self.config.push_patience;
            self.deadlines.set(Timer::Push(to), until);
        }
        let ((shard, writer), sequence) = chain_of(signed.claims());
        let dot = Dot {
            shard,
            writer,
            sequence,
        };
        let narrow = u32::try_from(bytes).unwrap_or(u32::MAX);
        if peer.in_flight.insert(dot, narrow).is_none() {
            peer.in_flight_bytes = peer.in_flight_bytes.saturating_add(u64::from(narrow));
        }
        self.stats.pushed_batches = self.stats.pushed_batches.saturating_add(1);
        self.stats.pushed_bytes = self.stats.pushed_bytes.saturating_add(bytes);
        true
    }

    /// Tells a peer that a chain is durable here up to a batch, soon and together with others.
    pub(in crate::replication) fn ack(&mut self, to: NodeId, chain: ChainId, sequence: u64) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        let known = peer.acks.entry(chain).or_insert(sequence);
        *known = (*known).max(sequence);
        if self.now >= peer.acks_ready_at || peer.acks.len() >= DOTS_MAX {
            self.send_acks(to);
        } else {
            let at = peer.acks_ready_at;
            self.deadlines.set_earlier(Timer::Ack(to), at);
        }
    }

    pub(in crate::replication) fn send_acks(&mut self, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        self.deadlines.clear(&Timer::Ack(to));
        let acks = core::mem::take(&mut peer.acks);
        if acks.is_empty() {
            return;
        }
        peer.acks_ready_at = self.now + ACK_PAUSE;
        let dots = acks
            .into_iter()
            .map(|((shard, writer), sequence)| Dot {
                shard,
                writer,
                sequence,
            })
            .collect();
        self.outbox.send(to, Message::Stored { dots });
    }

    pub(in crate::replication) fn on_stored(&mut self, from: NodeId, dots: &[Dot]) {
        for dot in dots.iter().take(DOTS_MAX) {
            let Some(peer) = self.peers.get_mut(&from) else {
                return;
            };
            peer.confirmed(*dot);
            if dot.writer.node == self.me && peer.role == Role::Relay {
                let chain = (dot.shard, dot.writer);
                let up_to = dot.sequence.min(self.log.head(chain).sequence);
                self.confirmed_by(from, chain, up_to);
            }
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let left = peer.in_flight.len();
        let drained = left <= size(self.config.in_flight_max) / 2;
        let repair = peer.lossy && drained;
        if left == 0 {
            self.deadlines.clear(&Timer::Push(from));
        } else {
            let until = self.now + self.config.push_patience;
            self.deadlines.set(Timer::Push(from), until);
        }
        if repair {
            self.repair(from);
        }
    }

    /// A relay holds our chain durably up to a batch.
    pub(in crate::replication) fn confirmed_by(
        &mut self,
        from: NodeId,
        chain: ChainId,
        up_to: u64,
    ) {
        if up_to == 0 {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            let known = peer.mine.entry(chain).or_insert(0);
            *known = (*known).max(up_to);
        }
        self.release_shared(chain);
        self.replicated(chain, up_to);
    }

    /// What two linked relays have confirmed of a chain of our own need not stay in memory.
    fn release_shared(&mut self, chain: ChainId) {
        let (mut most, mut second) = (0, 0);
        for peer in self.peers.values() {
            let held = peer.mine.get(&chain).copied().unwrap_or(0);
            second = second.max(held.min(most));
            most = most.max(held);
        }
        if second > 0 {
            self.log.unshared_mut().release(chain, second);
        }
    }

    pub(in crate::replication) fn on_push_stalled(&mut self, to: NodeId) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        let lost = u64::try_from(peer.in_flight.len()).unwrap_or(u64::MAX);
        self.stats.pushes_unconfirmed = self.stats.pushes_unconfirmed.saturating_add(lost);
        peer.in_flight.clear();
        peer.in_flight_bytes = 0;
        if peer.role == Role::Tab {
            for state in peer.subscriptions.values_mut() {
                *state = Subscription::Lagging;
            }
        }
        self.repair(to);
    }

    /// Makes up for pushes that a peer did not get.
    fn repair(&mut self, peer: NodeId) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.lossy = false;
        match (self.role, state.role) {
            (Role::Relay, Role::Relay) => self.summarize_within(peer, REPAIR_SOON),
            (Role::Relay, Role::Tab) => self.tell_lagging(peer),
            (Role::Tab, Role::Relay | Role::Tab) => self.send_mine(peer, false),
        }
    }

    /// After catching up, others may lack what is new here.
    pub(in crate::replication) fn summarize_to_others(&mut self, except: NodeId) {
        let others: Vec<NodeId> = self
            .peers
            .iter()
            .filter(|(id, peer)| peer.role == Role::Relay && **id != except)
            .map(|(id, _)| *id)
            .collect();
        if self.role == Role::Relay {
            for peer in others {
                self.summarize_within(peer, REPAIR_SOON);
            }
        }
    }
}

//! Branches beyond forks on their way to their author.
//!
//! When frontiers differ, each relay also names what it has set aside ([`Message::SetAside`]); who
//! lacks some of it asks, and keeps it in memory. So it travels over several links, to the author at last.
//! A tab is told what of its own is set aside, and what of the namespaces that it follows; it tells the
//! same: its homes may have ended since, and what they had in memory is gone.
//!
//! What is set aside is read like everything else: its author may be gone before it issues it again.
//!
//! Source: Demers et al., 1987, section 1.3 (comparison).

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        planted::{self, Planted},
        text::Namespace,
    },
    replication::{
        aside::{Owner, Place},
        batch::{Batch, Root, SHARDS, root_of},
        intake::chain_of,
        log::Proof,
        message::Message,
        peer::LACKING_MAX,
        replica::{Offence, Replica, Timer, bytes_of},
        serve::{Answer, Piece},
        sync::{ANSWER_MAX, WANTS_MAX, chain_lane},
    },
};
use alloc::vec::Vec;

/// The most batches that one message names.
const ROOTS_MAX: usize = 1_024;
/// The most authors of whom a comparison names batches, per shard; they take turns.
const OWNERS_MAX: usize = 16;

impl Replica {
    /// Keeps both batches of a proof for their author, and for readers once the clock is read again.
    pub(in crate::replication) fn pool_proof(&mut self, proof: &Proof) {
        for signed in [&proof.0, &proof.1] {
            self.pool(signed.clone());
        }
    }

    fn pool(&mut self, signed: Signed<Batch>) -> bool {
        let batch = signed.claims();
        let owner = (batch.shard, batch.author);
        let is_own = batch.author == self.me;
        if self.role == Role::Tab && !is_own && !self.opened.contains(&batch.namespace) {
            return false;
        }
        let max = self.config.aside_bytes_max;
        let is_new = self.log.aside().lacks(owner, root_of(&signed));
        let pooled = self.log.aside_mut(owner.0).pool(signed, max, is_own);
        if is_new && !pooled {
            self.stats.aside_refused = self.stats.aside_refused.saturating_add(1);
        }
        pooled
    }

    /// Makes visible what was set aside and is not yet.
    pub(in crate::replication) fn show_asides(&mut self) {
        for (owner, root) in self.log.aside().unread() {
            self.show_aside(owner, root);
        }
    }

    /// Makes visible what was set aside, unless there is no room, or its stamps are too far ahead: then it
    /// is tried again with the next reading of the clock.
    fn show_aside(&mut self, owner: Owner, root: Root) {
        let Some(Place::Pooled(signed)) = self.log.aside().get(owner, root) else {
            return;
        };
        if self.is_ahead(signed.claims()) || !self.has_room_for_writes(signed.claims()) {
            return;
        }
        if !planted::is(Planted::BranchUnread) {
            let signed = signed.clone();
            self.show(signed.claims(), true);
        }
        self.log.aside_mut(owner.0).mark_read(owner, root);
    }

    /// Names what is set aside in a shard; answers how much.
    pub(in crate::replication) fn send_asides(&mut self, to: NodeId, shard: u16) -> usize {
        let owners = self.log.aside().owners(shard);
        let turn = if owners.len() > OWNERS_MAX {
            self.rng.index(owners.len())
        } else {
            0
        };
        let mut named = 0_usize;
        for owner in owners
            .iter()
            .cycle()
            .skip(turn)
            .take(owners.len().min(OWNERS_MAX))
        {
            named = named.saturating_add(self.send_aside(to, *owner));
        }
        named
    }

    /// Names what of a namespace is set aside; who comes first is drawn, should it be too much.
    pub(in crate::replication) fn send_asides_in(&mut self, to: NodeId, namespace: &Namespace) {
        let mut owners = self.log.asides_in(namespace);
        if owners.len() > 1 {
            let turn = self.rng.index(owners.len());
            owners.rotate_left(turn);
        }
        let mut room = ROOTS_MAX;
        for (owner, mut roots) in owners {
            roots.truncate(room);
            room = room.saturating_sub(roots.len());
            self.send_roots(to, owner, roots);
        }
    }

    /// Names what of an author is set aside in a shard.
    pub(in crate::replication) fn send_aside(&mut self, to: NodeId, owner: Owner) -> usize {
        let roots = self.log.aside().roots(owner, ROOTS_MAX);
        let count = roots.len();
        self.send_roots(to, owner, roots);
        count
    }

    fn send_roots(&mut self, to: NodeId, (shard, author): Owner, roots: Vec<Root>) {
        if !roots.is_empty() {
            self.outbox.send(
                to,
                Message::SetAside {
                    shard,
                    author,
                    roots,
                },
            );
        }
    }

    pub(in crate::replication) fn on_set_aside(
        &mut self,
        from: NodeId,
        shard: u16,
        author: NodeId,
        roots: &[Root],
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if shard >= SHARDS || roots.len() > ROOTS_MAX {
            self.offend(from, Offence::Malformed);
            return;
        }
        let owner = (shard, author);
        for root in roots {
            let key = (owner, *root);
            let is_new = self.log.aside().lacks(owner, *root) && !peer.lacking.contains(&key);
            if is_new && peer.lacking.len() < LACKING_MAX {
                peer.lacking.push(key);
            }
        }
        self.fetch_aside(from);
    }

    /// Asks a peer for some of what it has set aside, unless it was asked already.
    fn fetch_aside(&mut self, from: NodeId) {
        let aside = self.log.aside();
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if !peer.asked.is_empty() || peer.ahead_asked.is_some() {
            return;
        }
        peer.lacking
            .retain(|(owner, root)| aside.lacks(*owner, *root));
        let Some((owner, _)) = peer.lacking.first().copied() else {
            return;
        };
        let mut roots = Vec::new();
        for (of, root) in &peer.lacking {
            if *of == owner && roots.len() < WANTS_MAX {
                roots.push(*root);
                peer.asked.push((owner, *root));
            }
        }
        let (shard, author) = owner;
        self.outbox.send(
            from,
            Message::FetchAside {
                shard,
                author,
                roots,
            },
        );
        let until = self.now + self.config.fetch_patience;
        self.deadlines.set(Timer::Aside(from), until);
    }

    pub(in crate::replication) fn on_fetch_aside(
        &mut self,
        from: NodeId,
        shard: u16,
        author: NodeId,
        roots: &[Root],
    ) {
        if roots.len() > WANTS_MAX || shard >= SHARDS {
            self.offend(from, Offence::Malformed);
            return;
        }
        let mut chains = Vec::new();
        let mut plan = self.plan();
        for root in roots {
            let fits = match self.log.aside().get((shard, author), *root) {
                Some(Place::Held {
                    chain, sequence, ..
                }) => self.add_to_plan(&mut plan, *chain, *sequence),
                Some(Place::Pooled(signed)) => {
                    let (chain, _) = chain_of(signed.claims());
                    if !chains.contains(&chain) {
                        chains.push(chain);
                    }
                    let piece = Piece::Ready(signed.clone());
                    self.add_piece(&mut plan, piece, bytes_of(signed))
                }
                None => true,
            };
            if !fits {
                break;
            }
        }
        if self.role == Role::Tab {
            // It may be the last that knows of the fork.
            for chain in chains {
                self.send_proof(from, chain);
            }
        }
        self.answer(from, Answer::Aside, plan.pieces);
    }

    pub(in crate::replication) fn on_aside_batches(
        &mut self,
        from: NodeId,
        batches: Vec<Signed<Batch>>,
    ) {
        if self
            .peers
            .get(&from)
            .is_some_and(|peer| peer.role == Role::Tab && peer.asked.is_empty())
        {
            self.on_ahead_batches(from, batches);
            return;
        }
        let mut grown = None;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let owner = (signed.claims().shard, signed.claims().author);
            if self.take_aside(from, owner, signed) {
                // One question is about one author.
                grown = Some(owner);
            }
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        peer.asked.clear();
        self.deadlines.clear(&Timer::Aside(from));
        let Some(owner) = grown else {
            // What it gave is of no use: the next comparison tells whether there is more.
            peer.lacking.clear();
            return;
        };
        self.fetch_aside(from);
        self.tell_of_grown(from, owner);
    }

    /// More is set aside than before.
    pub(in crate::replication) fn tell_of_grown(&mut self, from: NodeId, owner: Owner) {
        self.summarize_to_others(from);
        let (shard, author) = owner;
        if author == self.me {
            self.ask_for_gaps();
            self.seal_next(shard);
        } else if self.role == Role::Relay && self.peers.contains_key(&author) {
            self.send_aside(author, owner);
        }
    }

    /// Takes a batch beyond a fork that we asked for.
    fn take_aside(&mut self, from: NodeId, owner: Owner, signed: Signed<Batch>) -> bool {
        let key = (owner, root_of(&signed));
        let asked = self.peers.get(&from);
        if !asked.is_some_and(|peer| peer.asked.contains(&key)) {
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(1);
            return false;
        }
        let glance = self.refuse_at_a_glance(from, &signed, true);
        glance.is_none() && self.keep_aside(from, signed)
    }

    /// Keeps a batch that its chain can't take: beyond a fork, or beyond its end.
    pub(in crate::replication) fn keep_aside(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
    ) -> bool {
        let (chain, sequence) = chain_of(signed.claims());
        let lane = chain_lane(chain);
        let is_forked = self.log.forked_at(chain).is_some_and(|at| sequence >= at);
        let is_beyond = sequence > self.staged_end(&lane).sequence;
        let owner = (chain.0, chain.1.node);
        let root = root_of(&signed);
        let is_new = self.log.aside().lacks(owner, root);
        if !is_new || (!is_forked && !is_beyond) {
            return false;
        }
        let Some(batch) = self.verify(from, signed) else {
            return false;
        };
        let taken = self.pool(batch.to_signed());
        if taken {
            self.show_aside(owner, root);
            self.stats.aside_batches = self.stats.aside_batches.saturating_add(1);
            if chain.1.node == self.me && !is_forked {
                // Our log was longer than it is.
                let gap = self.own_gaps.entry(chain).or_insert(sequence);
                *gap = (*gap).max(sequence);
            }
        }
        taken
    }

    /// A peer does not give what it has set aside.
    pub(in crate::replication) fn on_aside_stalled(&mut self, from: NodeId) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.asked.clear();
            peer.lacking.clear();
        }
    }
}

//! Forks: two batches of one writer with one sequence. The proof, where the branches part, who is told.
//!
//! The first contradiction that is met may be far behind the point where the branches part. Who holds
//! two batches that name different predecessors asks for what is before, until the predecessors are the
//! same: so all nodes set the chain aside from one sequence on.
//!
//! Source: Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022, section 3 (equal heads, equal
//! histories).

use crate::{
    kernel::{
        crypto::{Signed, encode},
        id::{NodeId, Role},
        persist::Persist,
        planted::{self, Planted},
    },
    replication::{
        batch::{BATCH_BYTES_MAX, Batch, Record, hash_of},
        intake::chain_of,
        log::{ChainId, Proof},
        message::Message,
        peer::Wanted,
        push::REPAIR_SOON,
        replica::{Event, Offence, Replica},
        serve::{Answer, Piece},
    },
};
use alloc::{boxed::Box, vec::Vec};

/// The most proofs of forks that a run writes to the journal; later ones are found again.
const FORK_RECORDS_MAX: u32 = 256;
/// How far back it is looked at once for where the branches part: a few dozen batches usually fit an
/// answer. Smaller costs round trips, larger bytes.
const LOOK_BACK: u64 = 64;

impl Replica {
    /// Gets our batch of the same sequence, to prove the fork.
    pub(in crate::replication) fn find_first(
        &mut self,
        from: NodeId,
        chain: ChainId,
        sequence: u64,
        second: Signed<Batch>,
    ) {
        let known = self.log.forked_at(chain).is_some_and(|at| at <= sequence);
        let Some(slot) = self.log.slot(chain, sequence).filter(|_| !known) else {
            return;
        };
        let piece = match self.log.recent(slot.journal) {
            Some(first) => Piece::Ready(Box::new(first.clone())),
            None => Piece::Stored(slot.journal),
        };
        let second = Box::new(second);
        self.answer(from, Answer::Proof { second }, alloc::vec![piece]);
    }

    pub(in crate::replication) fn on_evidence(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) {
        let sound = |signed: &Signed<Batch>| signed.claims().check(signed.bytes().len()).is_ok();
        if !sound(&first) || !sound(&second) {
            self.offend(from, Offence::Malformed);
            return;
        }
        if let Some(proof) = self.check_proof(from, first, second) {
            self.take_proof(from, proof, Some(from));
        }
    }

    /// Sets a chain aside if two batches prove a fork. Who gave the second lacks the first.
    pub(in crate::replication) fn prove_fork(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) {
        if let Some(proof) = self.check_proof(from, first, second) {
            self.take_proof(from, proof, None);
        }
    }

    fn check_proof(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) -> Option<Proof> {
        let (chain, sequence) = chain_of(first.claims());
        let known = self.log.forked_at(chain).is_some_and(|at| at <= sequence);
        let room = self.has_room_for_chain(chain);
        let ignored = planted::is(Planted::EquivocationIgnored);
        if known || !room || ignored || chain_of(second.claims()) != (chain, sequence) {
            return None;
        }
        if hash_of(&first) == hash_of(&second) {
            return None;
        }
        let first = self.verify(from, first)?.to_signed();
        let second = self.verify(from, second)?.to_signed();
        Some(Box::new((first, second)))
    }

    fn take_proof(&mut self, from: NodeId, proof: Proof, knows: Option<NodeId>) {
        let (chain, sequence) = chain_of(proof.0.claims());
        let newly = self.log.fork(chain, sequence, proof.clone());
        self.pool_proof(&proof);
        self.show_asides();
        self.fork_records = self.fork_records.saturating_add(1);
        if self.fork_records <= FORK_RECORDS_MAX {
            let token = self.next_token();
            let body = encode(&Record::Fork(proof.clone())).into();
            self.outbox
                .event(Event::Persist(Persist::append(token, body)));
        }
        let (shard, writer) = chain;
        if newly {
            self.stats.equivocations = self.stats.equivocations.saturating_add(1);
            self.outbox.event(Event::Equivocation {
                author: writer.node,
                shard,
                sequence,
            });
        }
        self.spread_evidence(knows, &proof);
        self.ask_tabs_again(chain);
        if proof.0.claims().previous != proof.1.claims().previous {
            self.look_back(from, chain, sequence);
        }
        if writer.node == self.me {
            self.on_own_fork(chain);
        } else if self.role == Role::Relay && self.peers.contains_key(&writer.node) {
            self.send_aside(writer.node, (shard, writer.node));
        }
    }

    /// The branches part earlier than here.
    fn look_back(&mut self, from: NodeId, chain: ChainId, sequence: u64) {
        if self.role == Role::Tab && chain.1.node != self.me {
            return;
        }
        let first = sequence.saturating_sub(LOOK_BACK).max(1);
        let wanted = Wanted {
            up_to: first,
            proof: Some(first),
        };
        self.want(from, chain, wanted);
        self.schedule_fetches();
    }

    pub(in crate::replication) fn send_proof(&mut self, to: NodeId, chain: ChainId) {
        if let Some(proof) = self.log.proof(chain) {
            let proof = proof.clone();
            self.send_evidence(to, &proof);
        }
    }

    fn spread_evidence(&mut self, knows: Option<NodeId>, proof: &Proof) {
        if self.role == Role::Tab {
            return;
        }
        let targets: Vec<(NodeId, Role)> = self
            .peers
            .iter()
            .filter(|(id, _)| Some(**id) != knows)
            .map(|(id, peer)| (*id, peer.role))
            .collect();
        for (to, role) in targets {
            self.send_evidence(to, proof);
            if role == Role::Relay {
                self.summarize_within(to, REPAIR_SOON);
            }
        }
    }

    /// Shows a peer the proof of a fork: in one message, or as two pushes if it is too large.
    fn send_evidence(&mut self, to: NodeId, proof: &Proof) {
        let (first, second) = (Box::new(proof.0.clone()), Box::new(proof.1.clone()));
        let bytes = first.bytes().len().saturating_add(second.bytes().len());
        if bytes <= BATCH_BYTES_MAX {
            self.outbox.send(to, Message::Evidence { first, second });
            return;
        }
        for batch in [first, second] {
            let told = Vec::new();
            self.outbox.send(to, Message::Push { batch, told });
        }
    }
}

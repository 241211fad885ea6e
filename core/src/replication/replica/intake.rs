//! Batches that come in: through the gate, then handed to the journal; or what else has to happen.

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, hash_of},
        log::{End, Lane, chain_of},
        queue::Source,
        replica::{anti_entropy::Wanted, context::bytes_of, gate::Taken, machine::Replica},
    },
};
use alloc::vec::Vec;

/// The most peers that are told when a batch they gave again is durable; others find out by
/// comparison.
const OTHERS_MAX: usize = 64;

impl Replica {
    pub(in crate::replication) fn on_push(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
        mut told: Vec<u64>,
    ) {
        // Who sends too many names would have the list carried on by everyone.
        told.truncate(OTHERS_MAX);
        self.cx.stats.received_batches = self.cx.stats.received_batches.saturating_add(1);
        self.cx.stats.received_bytes = self
            .cx
            .stats
            .received_bytes
            .saturating_add(bytes_of(&signed));
        let (chain, sequence) = chain_of(signed.claims());
        let namespace = signed.claims().namespace.clone();
        // Only a missing predecessor needs more: what is before it is fetched.
        if self.take(from, signed, Source::Pushed(from), told) != Taken::Early {
            return;
        }
        match self.cx.role {
            Role::Relay => self.anti_entropy.want(
                &mut self.cx,
                from,
                chain,
                Wanted {
                    up_to: sequence,
                    proof: None,
                },
            ),
            // Its own chains a tab holds whole, so it fetches them like a relay.
            Role::Tab if chain.1.node == self.cx.me => self.anti_entropy.want(
                &mut self.cx,
                from,
                chain,
                Wanted {
                    up_to: sequence,
                    proof: None,
                },
            ),
            Role::Tab => self
                .subscriptions
                .on_gap(&mut self.cx, &self.db, from, &namespace),
        }
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }

    /// Takes a batch, from whatever message.
    pub(in crate::replication) fn take(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
        source: Source,
        told: Vec<u64>,
    ) -> Taken {
        if let Some(refused) =
            self.gate
                .refuse_at_a_glance(&mut self.cx, &self.db, from, &signed, false)
        {
            return refused;
        }
        self.take_sound(from, signed, source, told)
    }

    /// Takes a batch that is sound on its face.
    pub(in crate::replication) fn take_sound(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
        source: Source,
        told: Vec<u64>,
    ) -> Taken {
        // The cheapest checks come first; the signature is checked only for a batch that would be
        // taken.
        let lane = self.cx.lane_of(signed.claims());
        let end = self.db.staged_end(&lane);
        let (chain, sequence) = chain_of(signed.claims());
        if self.db.log.is_closed_lane(&lane) {
            // What counts of it stands in a later chain. Its author has to find out by comparison: to it, a
            // confirmation would say that this very batch is kept.
            if from != chain.1.node {
                self.pushes.ack(&mut self.cx, from, chain, sequence);
            }
            self.cx.stats.duplicate_batches = self.cx.stats.duplicate_batches.saturating_add(1);
            return Taken::Known;
        }
        // Before the check of the fork: the same sequence with another hash may move the fork to
        // the front.
        if sequence <= end.sequence {
            return self.take_again(from, &lane, signed);
        }
        if self
            .db
            .log
            .forked_at(chain)
            .is_some_and(|at| sequence >= at)
        {
            self.cx.stats.forked_batches = self.cx.stats.forked_batches.saturating_add(1);
            return Taken::Refused;
        }
        // A gap or another predecessor. Chains are held without gaps, so it is not kept: it comes
        // again.
        if !end.precedes(&lane, signed.claims()) {
            return self.take_early(from, &lane, end, signed);
        }
        if self
            .db
            .is_full(&mut self.cx, &lane, signed.claims(), bytes_of(&signed))
        {
            return Taken::Refused;
        }
        let Some(batch) = self.gate.verify(&mut self.cx, from, signed) else {
            return Taken::Refused;
        };
        if let Some(refused) =
            self.gate
                .refuse_its_author(&mut self.cx, &mut self.db, &lane, &batch)
        {
            return refused;
        }
        if planted::is(Planted::ConfirmedBeforePersisted) {
            self.pushes.ack(&mut self.cx, from, chain, sequence);
        }
        self.db
            .stage(&mut self.cx, lane, batch, source, told, Vec::new());
        Taken::Staged
    }

    /// A batch with a sequence that is held: the same again, or proof of a fork.
    fn take_again(&mut self, from: NodeId, lane: &Lane, signed: Signed<Batch>) -> Taken {
        let hash = hash_of(&signed);
        let (chain, sequence) = chain_of(signed.claims());
        // The batch is with the journal. It may not be confirmed before it is durable; `announce`
        // does so.
        if let Some(staged) = self.db.staging.find_mut(lane, sequence) {
            if staged.hash == hash {
                let told = staged.also_from.contains(&from);
                if !told && staged.also_from.len() < OTHERS_MAX {
                    staged.also_from.push(from);
                }
            } else {
                // A contradiction of a batch that is not durable yet: both are at hand, so this
                // proves the fork.
                let first = staged.batch.to_signed();
                self.prove_fork(from, first, signed);
            }
        } else if self.db.log.holds(lane, sequence, hash) == Some(false) {
            self.find_first(from, chain, sequence, signed);
        } else {
            // It is held, or (in a tab) older than what can be compared: durable here in both
            // cases, so the peer is told, which frees its room in flight.
            self.pushes.ack(&mut self.cx, from, chain, sequence);
        }
        self.cx.stats.duplicate_batches = self.cx.stats.duplicate_batches.saturating_add(1);
        Taken::Known
    }

    /// A batch whose predecessor we lack, or that names another one than ours.
    fn take_early(&mut self, from: NodeId, lane: &Lane, end: End, signed: Signed<Batch>) -> Taken {
        self.cx.stats.early_batches = self.cx.stats.early_batches.saturating_add(1);
        let (chain, sequence) = chain_of(signed.claims());
        // An empty chain has no predecessor to ask for: the batch would be the first and name none.
        let follows = sequence == end.sequence.saturating_add(1);
        if follows && lane.namespace.is_none() && end.sequence > 0 {
            // It names another predecessor than ours: the peer has to show that one.
            let proof = Some(end.sequence);
            let up_to = end.sequence;
            self.anti_entropy
                .want(&mut self.cx, from, chain, Wanted { up_to, proof });
        }
        Taken::Early
    }
}

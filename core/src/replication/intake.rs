//! Batches that come in: checked from the cheapest to the dearest, then handed to the journal.

use crate::{
    kernel::{
        crypto::{Signed, Verified, encode},
        id::{NodeId, RequestId, Role},
        persist::Persist,
        planted::{self, Planted},
        time::Time,
    },
    replication::{
        batch::{Batch, Record, hash_of},
        log::{ChainId, End, Lane},
        peer::Wanted,
        queue::{Source, Staged},
        replica::{Event, Offence, Replica, Timer, bytes_of, size},
        sync::chain_lane,
        write::AckLevel,
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Taken {
    /// It is with the journal now.
    Staged,
    /// It was here already.
    Known,
    /// Something before it is missing.
    Early,
    /// It is not wanted, now or ever.
    Refused,
}

/// How many wrong signatures a peer may send before it is not listened to for a while.
const BAD_SIGNATURES_MAX: u32 = 8;
/// For how long; an honest relay checks before it forwards, so this never hits one.
const MUTE: Duration = Duration::from_secs(60);
/// For how long a full node does not try to take more.
const FULL_PAUSE: Duration = Duration::from_secs(10);
/// The most chains that are held off; beyond it the first goes, which costs a fetch.
pub(in crate::replication) const HELD_OFF_MAX: usize = 4_096;

impl Replica {
    /// Where a lane ends once the journal has everything it was handed.
    pub(in crate::replication) fn staged_end(&self, lane: &Lane) -> End {
        self.staging.end(lane).unwrap_or_else(|| self.log.end(lane))
    }

    pub(in crate::replication) fn on_push(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
        mut told: Vec<u64>,
    ) {
        told.truncate(OTHERS_MAX);
        self.stats.received_batches = self.stats.received_batches.saturating_add(1);
        self.stats.received_bytes = self.stats.received_bytes.saturating_add(bytes_of(&signed));
        let (chain, sequence) = chain_of(signed.claims());
        let namespace = signed.claims().namespace.clone();
        if self.take(from, signed, Source::Pushed(from), told) != Taken::Early {
            return;
        }
        match self.role {
            Role::Relay => self.want(
                from,
                chain,
                Wanted {
                    up_to: sequence,
                    proof: None,
                },
            ),
            Role::Tab if chain.1.node == self.me => self.want(
                from,
                chain,
                Wanted {
                    up_to: sequence,
                    proof: None,
                },
            ),
            Role::Tab => self.on_gap(from, &namespace),
        }
        self.schedule_fetches();
    }

    /// Takes a batch, from whatever message.
    pub(in crate::replication) fn take(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
        source: Source,
        told: Vec<u64>,
    ) -> Taken {
        if let Some(refused) = self.refuse_at_a_glance(from, &signed, false) {
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
        let lane = self.lane_of(signed.claims());
        let end = self.staged_end(&lane);
        let (chain, sequence) = chain_of(signed.claims());
        if sequence <= end.sequence {
            return self.take_again(from, &lane, signed);
        }
        if self.log.forked_at(chain).is_some_and(|at| sequence >= at) {
            self.stats.forked_batches = self.stats.forked_batches.saturating_add(1);
            return Taken::Refused;
        }
        if !end.precedes(&lane, signed.claims()) {
            return self.take_early(from, &lane, end, signed);
        }
        if self.is_full(&lane, signed.claims(), bytes_of(&signed)) {
            return Taken::Refused;
        }
        let Some(batch) = self.verify(from, signed) else {
            return Taken::Refused;
        };
        if let Some(refused) = self.refuse_its_author(&lane, &batch) {
            return refused;
        }
        if planted::is(Planted::ConfirmedBeforePersisted) {
            self.ack(from, chain, sequence);
        }
        self.stage(lane, batch, source, told, Vec::new());
        Taken::Staged
    }

    /// What needs neither state of the log nor a signature. A tab may give what others wrote only if
    /// `is_asked`.
    pub(in crate::replication) fn refuse_at_a_glance(
        &mut self,
        from: NodeId,
        signed: &Signed<Batch>,
        is_asked: bool,
    ) -> Option<Taken> {
        let peer = self.peers.get(&from)?;
        if self.now < peer.muted_until {
            self.stats.muted_batches = self.stats.muted_batches.saturating_add(1);
            return Some(Taken::Refused);
        }
        let role = peer.role;
        let batch = signed.claims();
        if batch.check(signed.bytes().len()).is_err() {
            self.stats.malformed_batches = self.stats.malformed_batches.saturating_add(1);
            self.offend(from, Offence::Malformed);
            return Some(Taken::Refused);
        }
        if role == Role::Tab && batch.author != from && !is_asked {
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(1);
            self.offend(from, Offence::NotItsOwn);
            return Some(Taken::Refused);
        }
        let open = self.opened.contains(&batch.namespace) || batch.author == self.me;
        if self.role == Role::Tab && !open {
            self.stats.unwanted_batches = self.stats.unwanted_batches.saturating_add(1);
            return Some(Taken::Refused);
        }
        None
    }

    /// A batch with a sequence that is held: the same again, or proof of a fork.
    fn take_again(&mut self, from: NodeId, lane: &Lane, signed: Signed<Batch>) -> Taken {
        let hash = hash_of(&signed);
        let (chain, sequence) = chain_of(signed.claims());
        if let Some(staged) = self.staging.find_mut(lane, sequence) {
            if staged.hash == hash {
                let told = staged.also_from.contains(&from);
                if !told && staged.also_from.len() < OTHERS_MAX {
                    staged.also_from.push(from);
                }
            } else {
                let first = staged.batch.to_signed();
                self.prove_fork(from, first, signed);
            }
        } else if self.log.holds(lane, sequence, hash) == Some(false) {
            self.find_first(from, chain, sequence, signed);
        } else {
            self.ack(from, chain, sequence);
        }
        self.stats.duplicate_batches = self.stats.duplicate_batches.saturating_add(1);
        Taken::Known
    }

    /// A batch whose predecessor we lack, or that names another one than ours.
    fn take_early(&mut self, from: NodeId, lane: &Lane, end: End, signed: Signed<Batch>) -> Taken {
        self.stats.early_batches = self.stats.early_batches.saturating_add(1);
        let (chain, sequence) = chain_of(signed.claims());
        let follows = sequence == end.sequence.saturating_add(1);
        if follows && lane.namespace.is_none() && end.sequence > 0 {
            // It names another predecessor: who has it has to show that one.
            let proof = Some(end.sequence);
            let up_to = end.sequence;
            self.want(from, chain, Wanted { up_to, proof });
        }
        Taken::Early
    }

    pub(in crate::replication) fn is_full(
        &mut self,
        lane: &Lane,
        batch: &Batch,
        bytes: u64,
    ) -> bool {
        let staged = self.staging.bytes().saturating_add(bytes);
        if staged > self.config.staged_bytes_max {
            self.stats.full_batches = self.stats.full_batches.saturating_add(1);
            return true;
        }
        let fits = self.has_room_for_writes(batch)
            && self.log.batches() < self.config.batches_max
            && (self.log.knows(lane) || self.log.chains() < size(self.config.chains_max));
        if fits {
            return false;
        }
        self.stats.full_batches = self.stats.full_batches.saturating_add(1);
        if self.now >= self.full_until {
            self.full_until = self.now + FULL_PAUSE;
            self.deadlines.set(Timer::Full, self.full_until);
            let bytes = self.cells.bytes();
            self.outbox.event(Event::Full { bytes });
        }
        true
    }

    pub(in crate::replication) fn has_room_for_writes(&self, batch: &Batch) -> bool {
        let growth = batch.ops.iter().fold(0_u64, |sum, op| {
            let cost = self
                .cells
                .cost(&batch.namespace, &op.key, op.value.as_ref());
            sum.saturating_add(cost)
        });
        let pending = self.staging.bytes().saturating_add(self.queue.bytes());
        growth == 0 || self.cells.has_room(growth.saturating_add(pending))
    }

    /// Whether the stamps of a batch are too far ahead of the clock here, or that is not known.
    pub(in crate::replication) fn is_ahead(&self, batch: &Batch) -> bool {
        let ahead_max = crate::kernel::time::millis(self.config.ahead_max);
        let ahead = self.clock.ahead(self.now, batch.newest());
        ahead.is_none_or(|ahead| ahead > ahead_max && !planted::is(Planted::FarFuture))
    }

    pub(in crate::replication) fn has_room_for_chain(&self, chain: ChainId) -> bool {
        let lane = chain_lane(chain);
        self.log.knows(&lane) || self.log.chains() < size(self.config.chains_max)
    }

    pub(in crate::replication) fn verify(
        &mut self,
        from: NodeId,
        signed: Signed<Batch>,
    ) -> Option<Verified<Batch>> {
        if let Ok(batch) = signed.verify(self.network) {
            return Some(batch);
        }
        self.stats.bad_signatures = self.stats.bad_signatures.saturating_add(1);
        self.offend(from, Offence::BadSignature);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.bad_signatures = peer.bad_signatures.saturating_add(1);
            if peer.bad_signatures >= BAD_SIGNATURES_MAX {
                peer.bad_signatures = 0;
                peer.muted_until = self.now + MUTE;
            }
        }
        None
    }

    /// What its author, who is proven now, did wrong.
    fn refuse_its_author(&mut self, lane: &Lane, batch: &Verified<Batch>) -> Option<Taken> {
        let (chain, _) = chain_of(batch);
        let ahead_max = crate::kernel::time::millis(self.config.ahead_max);
        match self.clock.ahead(self.now, batch.newest()) {
            Some(ahead) if ahead <= ahead_max || planted::is(Planted::FarFuture) => {}
            // While the clock is unknown nothing can be let in; the owner sets it at start.
            None => {
                self.hold_off(chain, Duration::from_secs(1));
                self.stats.ahead_batches = self.stats.ahead_batches.saturating_add(1);
                return Some(Taken::Refused);
            }
            Some(ahead_ms) => {
                let wait = Duration::from_millis(ahead_ms.saturating_sub(ahead_max));
                let bounded = wait.clamp(Duration::from_secs(1), Duration::from_secs(600));
                self.stats.ahead_batches = self.stats.ahead_batches.saturating_add(1);
                if self.hold_off(chain, bounded) {
                    self.offend(batch.author, Offence::ClockAhead { ahead_ms });
                }
                return Some(Taken::Refused);
            }
        }
        let stream = self.staging.stream_end(lane, &batch.namespace);
        let stream = stream.unwrap_or_else(|| {
            self.log
                .stream_end(&batch.namespace, batch.shard, batch.writer())
                .sequence
        });
        if stream != batch.namespace_previous {
            self.stats.malformed_batches = self.stats.malformed_batches.saturating_add(1);
            if self.hold_off(chain, Duration::from_secs(600)) {
                self.offend(batch.author, Offence::BrokenChain);
            }
            return Some(Taken::Refused);
        }
        None
    }

    /// Does not ask for a chain for a while; answers whether it was asked for until now.
    fn hold_off(&mut self, chain: ChainId, span: Duration) -> bool {
        let until = self.now + span;
        let before = self.held_off.insert(chain, until);
        if self.held_off.len() > HELD_OFF_MAX {
            self.held_off.pop_first();
        }
        before.is_none_or(|before| before <= self.now)
    }

    pub(in crate::replication) fn is_held_off(&self, chain: ChainId) -> bool {
        let until = self.held_off.get(&chain).copied();
        until.unwrap_or(Time::ZERO) > self.now
    }

    /// Hands a batch to the journal.
    pub(in crate::replication) fn stage(
        &mut self,
        lane: Lane,
        batch: Verified<Batch>,
        source: Source,
        told: Vec<u64>,
        writers: Vec<(RequestId, AckLevel)>,
    ) {
        let token = self.next_token();
        let signed = batch.to_signed();
        let hash = hash_of(&signed);
        self.staging.push(
            lane,
            Staged {
                token,
                batch,
                hash,
                source,
                journal: None,
                also_from: Vec::new(),
                told,
                writers,
            },
        );
        let body = encode(&Record::Batch(Box::new(signed))).into();
        self.outbox
            .event(Event::Persist(Persist::append(token, body)));
    }
}

/// The most peers that are told when a batch they gave again is durable; others find out by
/// comparison.
const OTHERS_MAX: usize = 64;

pub(in crate::replication) const fn chain_of(batch: &Batch) -> (ChainId, u64) {
    ((batch.shard, batch.writer()), batch.sequence)
}

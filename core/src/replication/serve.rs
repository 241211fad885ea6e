//! Answers to peers that lack something: from memory, or from the journal.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Signed, decode_exactly},
        id::{NodeId, Role},
        planted::{self, Planted},
        text::Namespace,
    },
    replication::{
        batch::{Batch, Record, Root, SHARDS, Writer},
        log::ChainId,
        message::Message,
        peer::Subscription,
        replica::{Event, Offence, Replica, Timer, bytes_of, size},
        sync::{ANSWER_MAX, WANTS_MAX},
    },
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// A part of an answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) enum Piece {
    Ready(Box<Signed<Batch>>),
    /// In the journal, at this sequence.
    Stored(u64),
}

/// What an answer is for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) enum Answer {
    /// A fetch.
    Batches { request: u64 },
    /// A subscription.
    Page { namespace: Namespace, live: bool },
    /// Batches beyond forks.
    Aside,
    /// Our own question: the batch that contradicts `second`.
    Proof { second: Box<Signed<Batch>> },
    /// Our own question: the batch to issue again in a shard.
    Reissue { shard: u16, root: Root },
}

/// An answer that waits for the journal.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Load {
    to: NodeId,
    answer: Answer,
    pieces: Vec<Piece>,
}

/// An answer as it is being put together.
pub(in crate::replication) struct Plan {
    pub(in crate::replication) pieces: Vec<Piece>,
    bytes_left: u64,
    full: bool,
}

/// How long the journal may take to be read before the answer is given up.
const LOAD_PATIENCE: Duration = Duration::from_secs(30);

impl Replica {
    pub(in crate::replication) fn plan(&self) -> Plan {
        Plan {
            pieces: Vec::new(),
            bytes_left: u64::from(self.config.window_bytes),
            full: false,
        }
    }

    /// Adds a batch to an answer if it fits; the first always does.
    pub(in crate::replication) fn add_to_plan(
        &self,
        plan: &mut Plan,
        chain: ChainId,
        sequence: u64,
    ) -> bool {
        let Some(slot) = self.log.slot(chain, sequence) else {
            return false;
        };
        let piece = match self.log.recent(slot.journal) {
            Some(signed) => Piece::Ready(Box::new(signed.clone())),
            None => Piece::Stored(slot.journal),
        };
        self.add_piece(plan, piece, u64::from(slot.bytes))
    }

    /// The same for a batch wherever it is.
    pub(in crate::replication) fn add_piece(
        &self,
        plan: &mut Plan,
        piece: Piece,
        bytes: u64,
    ) -> bool {
        let fits = plan.pieces.is_empty() || bytes <= plan.bytes_left;
        if plan.full || !fits || plan.pieces.len() >= ANSWER_MAX {
            plan.full = true;
            return false;
        }
        plan.bytes_left = plan.bytes_left.saturating_sub(bytes);
        plan.pieces.push(piece);
        true
    }

    pub(in crate::replication) fn on_fetch(
        &mut self,
        from: NodeId,
        request: u64,
        shard: u16,
        wants: &[(Writer, u64)],
    ) {
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        if wants.len() > WANTS_MAX || shard >= SHARDS {
            self.offend(from, Offence::Malformed);
            return;
        }
        // A tab gets of chains only its own, and gives only its own.
        let only = match (self.role, peer.role) {
            (Role::Relay, Role::Relay) => None,
            (Role::Relay, Role::Tab) => Some(from),
            (Role::Tab, Role::Relay | Role::Tab) => Some(self.me),
        };
        let mut plan = self.plan();
        for (writer, first) in wants {
            if only.is_some_and(|only| only != writer.node) {
                self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
                continue;
            }
            let chain = (shard, *writer);
            let forked_at = self.log.forked_at(chain);
            if forked_at.is_some_and(|at| *first >= at) {
                self.send_proof(from, chain);
                continue;
            }
            let up_to = self.log.head(chain).sequence;
            let mut sequence = (*first).max(1);
            while sequence <= up_to && self.add_to_plan(&mut plan, chain, sequence) {
                sequence = sequence.saturating_add(1);
            }
        }
        self.answer(from, Answer::Batches { request }, plan.pieces);
    }

    /// Gives an answer, after reading from the journal what is not at hand.
    pub(in crate::replication) fn answer(
        &mut self,
        to: NodeId,
        answer: Answer,
        pieces: Vec<Piece>,
    ) {
        let sequences: Vec<u64> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Ready(_) => None,
                Piece::Stored(sequence) => Some(*sequence),
            })
            .collect();
        if sequences.is_empty() {
            self.finish_answer(to, answer, pieces, &BTreeMap::new());
            return;
        }
        let of_peer = self.loads.values().filter(|load| load.to == to).count();
        let max = size(self.config.loads_max);
        if self.loads.len() >= max || of_peer >= max.div_ceil(4) {
            self.stats.requests_refused = self.stats.requests_refused.saturating_add(1);
            // An empty answer says: not now.
            self.finish_answer(to, answer, Vec::new(), &BTreeMap::new());
            return;
        }
        let token = self.next_token();
        self.deadlines
            .set(Timer::Load(token), self.now + LOAD_PATIENCE);
        // While the journal is read, more may be written: the tab has to ask again.
        let answer = match answer {
            Answer::Page { namespace, .. } => Answer::Page {
                namespace,
                live: false,
            },
            Answer::Batches { .. }
            | Answer::Aside
            | Answer::Proof { .. }
            | Answer::Reissue { .. } => answer,
        };
        self.loads.insert(token, Load { to, answer, pieces });
        self.outbox.event(Event::Load { token, sequences });
    }

    pub(in crate::replication) fn on_loaded(&mut self, token: u64, records: Vec<(u64, Bytes)>) {
        let kept = planted::is(Planted::LoadLeak);
        let load = match self.loads.get(&token) {
            Some(load) if kept => Some(load.clone()),
            Some(_) | None => self.loads.remove(&token),
        };
        let Some(load) = load else {
            return;
        };
        self.deadlines.clear(&Timer::Load(token));
        let mut loaded = BTreeMap::new();
        for (sequence, body) in records {
            if let Ok(Record::Batch(signed)) = decode_exactly::<Record>(&body) {
                loaded.insert(sequence, *signed);
            }
        }
        self.finish_answer(load.to, load.answer, load.pieces, &loaded);
    }

    pub(in crate::replication) fn give_up_load(&mut self, token: u64) {
        if let Some(load) = self.loads.remove(&token)
            && let Answer::Reissue { shard, root } = load.answer
        {
            self.on_reissue_loaded(shard, root, None);
        }
    }

    fn finish_answer(
        &mut self,
        to: NodeId,
        answer: Answer,
        pieces: Vec<Piece>,
        loaded: &BTreeMap<u64, Signed<Batch>>,
    ) {
        let mut batches = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Ready(signed) => batches.push(*signed),
                Piece::Stored(sequence) => match loaded.get(&sequence) {
                    Some(signed) => batches.push(signed.clone()),
                    None => {
                        self.stats.records_missing = self.stats.records_missing.saturating_add(1);
                    }
                },
            }
        }
        match answer {
            Answer::Proof { second } => {
                if let Some(first) = batches.into_iter().next() {
                    self.prove_fork(to, first, *second);
                }
            }
            Answer::Reissue { shard, root } => {
                self.on_reissue_loaded(shard, root, batches.into_iter().next());
            }
            Answer::Batches { .. } | Answer::Page { .. } | Answer::Aside => {
                self.send_answer(to, answer, batches);
            }
        }
    }

    fn send_answer(&mut self, to: NodeId, answer: Answer, batches: Vec<Signed<Batch>>) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        for signed in &batches {
            self.stats.served_batches = self.stats.served_batches.saturating_add(1);
            self.stats.served_bytes = self.stats.served_bytes.saturating_add(bytes_of(signed));
        }
        match answer {
            Answer::Batches { request } => {
                self.outbox.send(to, Message::Batches { request, batches });
            }
            Answer::Page { namespace, live } => {
                let state = if live {
                    Subscription::Live
                } else {
                    Subscription::Paging
                };
                if let Some(subscription) = peer.subscriptions.get_mut(&namespace) {
                    *subscription = state;
                    self.outbox.send(
                        to,
                        Message::Page {
                            namespace,
                            batches,
                            live,
                        },
                    );
                }
            }
            Answer::Aside => self.outbox.send(to, Message::AsideBatches { batches }),
            Answer::Proof { .. } | Answer::Reissue { .. } => {}
        }
    }
}

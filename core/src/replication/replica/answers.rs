//! Answers to peers that lack something: from memory, or from the journal.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Signed, decode_exactly},
        id::NodeId,
        planted::{self, Planted},
        text::Namespace,
    },
    replication::{
        batch::{Batch, Record, Root},
        log::ChainId,
        replica::{
            context::{Context, Timer, size},
            contract::Event,
            database::Database,
        },
    },
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// A part of an answer.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum Piece {
    Ready(Box<Signed<Batch>>),
    /// In the journal, at this sequence.
    Stored(u64),
}

/// What an answer is for.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) enum Answer {
    /// A fetch.
    Fetched { request: u64 },
    /// A subscription.
    Page { namespace: Namespace, live: bool },
    /// Side branches, or what a tab holds.
    Branches,
    /// Our own question: the batch that contradicts `second`.
    Proof { second: Box<Signed<Batch>> },
    /// Our own question: the batch to issue again in a shard.
    Reissue { shard: u16, root: Root },
}

/// An answer that waits for the journal.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Load {
    pub(in crate::replication) to: NodeId,
    pub(in crate::replication) answer: Answer,
    pieces: Vec<Piece>,
}

/// An answer whose batches are all at hand, or that can't be given now.
pub(in crate::replication) struct Ready {
    pub(in crate::replication) to: NodeId,
    pub(in crate::replication) answer: Answer,
    pub(in crate::replication) batches: Vec<Signed<Batch>>,
    /// Too many answers wait for the journal: nothing was read.
    pub(in crate::replication) is_busy: bool,
}

/// An answer as it is being put together.
pub(in crate::replication) struct Plan {
    pub(in crate::replication) pieces: Vec<Piece>,
    bytes_left: u64,
    full: bool,
}

/// The most batches that an answer may hold: a window of the smallest ones.
pub(in crate::replication) const ANSWER_MAX: usize = 2_048;
/// How long the journal may take to be read before the answer is given up.
const LOAD_PATIENCE: Duration = Duration::from_secs(30);

impl Plan {
    /// Nothing yet, of at most a window.
    pub(in crate::replication) fn new(cx: &Context) -> Self {
        Self {
            pieces: Vec::new(),
            bytes_left: u64::from(cx.config.window_bytes),
            full: false,
        }
    }

    /// Adds a batch of a chain if it fits; the first always does.
    pub(in crate::replication) fn add_held(
        &mut self,
        db: &Database,
        chain: ChainId,
        sequence: u64,
    ) -> bool {
        let slot = db.log.slot(chain, sequence);
        slot.is_some_and(|slot| self.add(piece_at(db, slot.journal), u64::from(slot.bytes)))
    }

    /// The same for a batch wherever it is.
    pub(in crate::replication) fn add(&mut self, piece: Piece, bytes: u64) -> bool {
        // The first always fits: a window may be set smaller than a batch, and the peer has to get
        // on.
        let fits = self.pieces.is_empty() || bytes <= self.bytes_left;
        if self.full || !fits || self.pieces.len() >= ANSWER_MAX {
            // Once one does not fit, no later one may: the answer would have a gap in a chain.
            self.full = true;
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.pieces.push(piece);
        true
    }
}

/// A batch by its place in the journal: at hand, or to be read.
pub(in crate::replication) fn piece_at(db: &Database, journal: u64) -> Piece {
    match db.log.recent(journal) {
        // The clone shares the bytes of the batch.
        Some(signed) => Piece::Ready(Box::new(signed.clone())),
        None => Piece::Stored(journal),
    }
}

/// The answers that wait for the journal.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Answers {
    loads: BTreeMap<u64, Load>,
}

impl Answers {
    /// Begins an answer; gives it back if nothing of it has to be read.
    pub(in crate::replication) fn begin(
        &mut self,
        cx: &mut Context,
        to: NodeId,
        answer: Answer,
        pieces: Vec<Piece>,
    ) -> Option<Ready> {
        let sequences: Vec<u64> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Ready(_) => None,
                Piece::Stored(sequence) => Some(*sequence),
            })
            .collect();
        let load = Load { to, answer, pieces };
        if sequences.is_empty() {
            return Some(finish(cx, load, &BTreeMap::new()));
        }
        // A quarter for each peer at most, so that one that asks much can't keep the others out.
        // This node's own questions count as those of a peer.
        let of_peer = self.loads.values().filter(|load| load.to == to).count();
        let max = size(cx.config.loads_max);
        if self.loads.len() >= max || of_peer >= max.div_ceil(4) {
            cx.stats.requests_refused = cx.stats.requests_refused.saturating_add(1);
            // An empty answer says: not now.
            let (answer, batches) = (load.answer, Vec::new());
            return Some(Ready {
                to,
                answer,
                batches,
                is_busy: true,
            });
        }
        let token = cx.next_token();
        cx.deadlines.set(Timer::Load(token), cx.now + LOAD_PATIENCE);
        // While the journal is read, more may be written: the tab has to ask again.
        let answer = match load.answer {
            Answer::Page { namespace, .. } => Answer::Page {
                namespace,
                live: false,
            },
            Answer::Fetched { .. }
            | Answer::Branches
            | Answer::Proof { .. }
            | Answer::Reissue { .. } => load.answer,
        };
        self.loads.insert(token, Load { answer, ..load });
        cx.outbox.event(Event::Load { token, sequences });
        None
    }

    /// The journal was read.
    pub(in crate::replication) fn on_loaded(
        &mut self,
        cx: &mut Context,
        token: u64,
        records: Vec<(u64, Bytes)>,
    ) -> Option<Ready> {
        let kept = planted::is(Planted::LoadLeak);
        let load = match self.loads.get(&token) {
            Some(load) if kept => load.clone(),
            Some(_) | None => self.loads.remove(&token)?,
        };
        cx.deadlines.clear(&Timer::Load(token));
        // A record that is no batch is left out like a missing one: the rest can still be given.
        let mut loaded = BTreeMap::new();
        for (sequence, body) in records {
            if let Ok(Record::Batch(signed)) = decode_exactly::<Record>(&body) {
                loaded.insert(sequence, *signed);
            }
        }
        Some(finish(cx, load, &loaded))
    }

    /// The journal takes too long.
    pub(in crate::replication) fn give_up(&mut self, token: u64) -> Option<Answer> {
        self.loads.remove(&token).map(|load| load.answer)
    }

    /// The loads that are under way.
    pub(in crate::replication) fn tokens(&self) -> impl ExactSizeIterator<Item = u64> {
        self.loads.keys().copied()
    }
}

fn finish(cx: &mut Context, load: Load, loaded: &BTreeMap<u64, Signed<Batch>>) -> Ready {
    // A missing record leaves a gap in the answer. The peer takes the batches before it and finds
    // the one after it early.
    let mut batches = Vec::new();
    for piece in load.pieces {
        match piece {
            Piece::Ready(signed) => batches.push(*signed),
            Piece::Stored(sequence) => match loaded.get(&sequence) {
                Some(signed) => batches.push(signed.clone()),
                None => cx.stats.records_missing = cx.stats.records_missing.saturating_add(1),
            },
        }
    }
    Ready {
        to: load.to,
        answer: load.answer,
        batches,
        is_busy: false,
    }
}

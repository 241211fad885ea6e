//! What is said between peers about chains: comparisons, fetches, confirmations, and their answers.

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, EPOCH_LIMIT, SHARDS, Writer},
        log::{Head, chain_lane},
        message::{Dot, Message},
        queue::Source,
        replica::{
            answers::{ANSWER_MAX, Answer, Piece, Plan, Ready},
            anti_entropy::WANTS_MAX,
            context::{REPAIR_SOON, bytes_of},
            contract::Offence,
            gate::Taken,
            machine::Replica,
            naming::{
                HEADS_MAX, lacks, name_branches, name_branches_of, send_heads, send_lacking,
                send_proof,
            },
            pushes::DOTS_MAX,
        },
    },
};
use alloc::vec::Vec;

/// After how many heads the rest of a comparison waits for the next: about a third of what a link
/// queues in that class. Catching up is followed by a comparison at once.
const HEADS_PER_SUMMARY_MAX: usize = 4_096;

impl Replica {
    pub(in crate::replication) fn on_summary_due(&mut self, peer: NodeId) {
        if self.cx.role == Role::Tab {
            self.refresh(peer);
            return;
        }
        let mut digests = Vec::new();
        // Demers 1987, section 1.3: checksums are exchanged first, as databases are mostly equal.
        // Half a kibibyte for all shards.
        for shard in 0..SHARDS {
            digests.extend_from_slice(&self.db.log.digest(shard).to_le_bytes());
        }
        let digests = digests.into();
        self.cx.outbox.send(peer, Message::Summary { digests });
        self.cx.summarize_after_interval(peer);
    }

    pub(in crate::replication) fn on_summary(&mut self, from: NodeId, digests: &[u8]) {
        let (theirs, rest) = digests.as_chunks::<8>();
        if theirs.len() != usize::from(SHARDS) || !rest.is_empty() {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        let of_relays = self.cx.role == Role::Relay && self.cx.role_of(from) == Some(Role::Relay);
        // Tabs compare by namespace. A peer that sends summaries in quick succession gets no answer
        // to each: an answer can be a thousand times as large as the question.
        if !of_relays || !self.anti_entropy.answers_summary(&self.cx, from) {
            self.cx.stats.requests_refused = self.cx.stats.requests_refused.saturating_add(1);
            return;
        }
        let mut sent = 0_usize;
        for (shard, theirs) in (0..SHARDS).zip(theirs) {
            let differs = self.db.log.digest(shard) != u64::from_le_bytes(*theirs);
            // Equal digests: the peer holds all of our own chains in the shard, to the last hash.
            if !differs && self.db.log.under_replicated().bytes() > 0 {
                self.writes
                    .share_all(&mut self.cx, &mut self.db, from, shard);
            }
            let seen = differs && !planted::is(Planted::NeverCompares);
            // What is left out now still differs at the next comparison.
            if seen && sent < HEADS_PER_SUMMARY_MAX {
                sent = sent.saturating_add(send_heads(&mut self.cx, &self.db, from, shard));
                sent = sent.saturating_add(name_branches(&mut self.cx, &self.db, from, shard));
            }
        }
        // One comparison serves both sides: ours need not follow at once.
        self.cx.summarize_after_interval(from);
    }

    pub(in crate::replication) fn on_heads(
        &mut self,
        from: NodeId,
        shard: u16,
        after: Option<Writer>,
        heads: &[Head],
        last: bool,
        answer: bool,
    ) {
        let Some(role) = self.cx.role_of(from) else {
            return;
        };
        // An epoch out of range would add chains without bound.
        let wrong = |head: &Head| head.writer.epoch >= EPOCH_LIMIT;
        if heads.len() > HEADS_MAX
            || heads.iter().any(wrong)
            || shard >= SHARDS
            || role == Role::Tab
        {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        for head in heads {
            self.anti_entropy.consider(
                &mut self.cx,
                &mut self.db,
                &mut self.writes,
                from,
                shard,
                head,
            );
        }
        // An answer is not answered again, so the exchange ends (push-pull; Demers 1987, section
        // 1.3).
        if answer && self.cx.role == Role::Relay {
            send_lacking(&mut self.cx, &self.db, from, shard, after, heads, last);
            if last {
                name_branches(&mut self.cx, &self.db, from, shard);
            }
        }
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }

    /// A tab says how far its own chains go.
    pub(in crate::replication) fn on_mine(&mut self, from: NodeId, heads: &[(u16, Head)]) {
        let Some(role) = self.cx.role_of(from) else {
            return;
        };
        // A tab may speak of its own chains only.
        let wrong = |(shard, head): &(u16, Head)| {
            *shard >= SHARDS || head.writer.node != from || head.writer.epoch >= EPOCH_LIMIT
        };
        if role != Role::Tab
            || heads.len() > HEADS_MAX
            || heads.iter().any(wrong)
            || self.cx.role == Role::Tab
        {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        let mut dots = Vec::new();
        for (shard, head) in heads {
            self.anti_entropy.consider(
                &mut self.cx,
                &mut self.db,
                &mut self.writes,
                from,
                *shard,
                head,
            );
            // Only this very batch is confirmed: the tab may have a branch that is not here.
            let lane = chain_lane((*shard, head.writer));
            if self.db.log.holds(&lane, head.sequence, head.hash) == Some(true) {
                dots.push(Dot {
                    shard: *shard,
                    writer: head.writer,
                    sequence: head.sequence,
                });
            }
        }
        if !dots.is_empty() {
            self.cx.outbox.send(from, Message::Stored { dots });
        }
        let mut last = None;
        // Heads of one shard follow each other, so each shard is answered once.
        for (shard, _) in heads {
            if last.replace(*shard) != Some(*shard) {
                self.send_its_own(from, *shard, heads);
            }
        }
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }

    /// Tells a tab which of its own chains end at another batch here than there.
    fn send_its_own(&mut self, tab: NodeId, shard: u16, heads: &[(u16, Head)]) {
        let told = |ours: &Head| {
            let same = |(of, theirs): &&(u16, Head)| *of == shard && theirs.writer == ours.writer;
            let theirs = heads.iter().find(same).map(|(_, head)| head);
            // The tab is also told where less is held here: that confirms its chain up to there, or
            // shows a contradiction.
            theirs.is_none_or(|theirs| lacks(theirs, ours) || ours.sequence < theirs.sequence)
        };
        let heads: Vec<Head> = self.db.log.epochs(shard, tab).filter(told).collect();
        if !heads.is_empty() {
            self.cx.outbox.send(
                tab,
                Message::Heads {
                    shard,
                    after: None,
                    heads,
                    last: true,
                    answer: false,
                },
            );
        }
        name_branches_of(&mut self.cx, &self.db, tab, (shard, tab));
    }

    /// A peer gives what it was asked for.
    pub(in crate::replication) fn on_batches(
        &mut self,
        from: NodeId,
        request: u64,
        batches: Vec<Signed<Batch>>,
    ) {
        let answered = self.anti_entropy.end_answered(&mut self.cx, from, request);
        let Some((shard, fetch)) = answered else {
            // A late answer, or one that nobody asked for: it is not even looked at. What it held
            // is fetched again.
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.cx.stats.unwanted_batches = self.cx.stats.unwanted_batches.saturating_add(many);
            return;
        };
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let bytes = bytes_of(&signed);
            self.cx.stats.fetched_batches = self.cx.stats.fetched_batches.saturating_add(1);
            self.cx.stats.fetched_bytes = self.cx.stats.fetched_bytes.saturating_add(bytes);
            let source = Source::Caught(from);
            let taken = self.take(from, signed, source, Vec::new());
            if taken == Taken::Staged {
                self.anti_entropy.count_caught(from, bytes);
            }
        }
        // Before the next fetches start: what did not come is not asked for again at once.
        self.anti_entropy
            .settle_wants(&mut self.cx, &self.db, from, shard, &fetch.wants);
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }

    pub(in crate::replication) fn on_fetch(
        &mut self,
        from: NodeId,
        request: u64,
        shard: u16,
        wants: &[(Writer, u64)],
    ) {
        let Some(role) = self.cx.role_of(from) else {
            return;
        };
        if wants.len() > WANTS_MAX || shard >= SHARDS {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        // A tab gets of chains only its own, and gives only its own.
        let only = match (self.cx.role, role) {
            (Role::Relay, Role::Relay) => None,
            (Role::Relay, Role::Tab) => Some(from),
            (Role::Tab, Role::Relay | Role::Tab) => Some(self.cx.me),
        };
        let mut plan = Plan::new(&self.cx);
        for (writer, first) in wants {
            if only.is_some_and(|only| only != writer.node) {
                self.cx.stats.requests_refused = self.cx.stats.requests_refused.saturating_add(1);
                continue;
            }
            let chain = (shard, *writer);
            let forked_at = self.db.log.forked_at(chain);
            // Beyond a fork there is nothing to give by sequence: the peer learns of the fork
            // instead.
            if forked_at.is_some_and(|at| *first >= at) {
                send_proof(&mut self.cx, &self.db, from, chain);
                continue;
            }
            let up_to = self.db.log.head(chain).sequence;
            // Sequences begin at 1, whatever the peer says.
            let mut sequence = (*first).max(1);
            while sequence <= up_to && plan.add_held(&self.db, chain, sequence) {
                sequence = sequence.saturating_add(1);
            }
        }
        self.answer(from, Answer::Fetched { request }, plan.pieces);
    }

    pub(in crate::replication) fn on_stored(&mut self, from: NodeId, dots: &[Dot]) {
        // Each dot costs a search, so a liar's long list is cut.
        for dot in dots.iter().take(DOTS_MAX) {
            self.pushes.on_confirmed(from, *dot);
            let is_relay = self.cx.role_of(from) == Some(Role::Relay);
            if dot.writer.node == self.cx.me && is_relay {
                let chain = (dot.shard, dot.writer);
                // A peer can't confirm more than there is. Beyond a fork its number may stand for
                // another batch.
                let up_to = dot.sequence.min(self.db.log.head(chain).sequence);
                self.writes
                    .confirmed_by(&mut self.cx, &mut self.db, from, chain, up_to);
            }
        }
        if self.pushes.settle(&mut self.cx, from) {
            self.repair(from);
        }
    }

    pub(in crate::replication) fn on_push_stalled(&mut self, to: NodeId) {
        // The room in flight is free again; what was on its way may be lost, and is repaired below.
        self.pushes.give_up(&mut self.cx, to);
        if self.cx.role_of(to) == Some(Role::Tab) {
            self.subscriptions.lag_all(to);
        }
        self.repair(to);
    }

    /// Makes up for pushes that a peer did not get.
    fn repair(&mut self, peer: NodeId) {
        let Some(role) = self.cx.role_of(peer) else {
            return;
        };
        self.pushes.on_repair(peer);
        match (self.cx.role, role) {
            (Role::Relay, Role::Relay) => self.cx.summarize_within(peer, REPAIR_SOON),
            (Role::Relay, Role::Tab) => self.subscriptions.tell_lagging(&mut self.cx, peer),
            (Role::Tab, Role::Relay | Role::Tab) => {
                self.writes.send_mine(&mut self.cx, &self.db, peer, false)
            }
        }
    }

    fn send_answer(&mut self, to: NodeId, answer: Answer, batches: Vec<Signed<Batch>>) {
        // The link may have gone while the journal was read.
        if !self.cx.is_linked(to) {
            return;
        }
        for signed in &batches {
            self.cx.stats.served_batches = self.cx.stats.served_batches.saturating_add(1);
            self.cx.stats.served_bytes =
                self.cx.stats.served_bytes.saturating_add(bytes_of(signed));
        }
        match answer {
            Answer::Fetched { request } => {
                self.cx
                    .outbox
                    .send(to, Message::Batches { request, batches });
            }
            Answer::Page { namespace, live } => {
                // The tab may have unsubscribed while the journal was read.
                if self.subscriptions.on_page_sent(to, &namespace, live) {
                    self.cx.outbox.send(
                        to,
                        Message::Page {
                            namespace,
                            batches,
                            live,
                        },
                    );
                }
            }
            Answer::Branches => self.cx.outbox.send(to, Message::BranchBatches { batches }),
            // These are answers to this node itself; `finish_answer` has taken them.
            Answer::Proof { .. } | Answer::Reissue { .. } => {}
        }
    }

    /// Gives an answer, after reading from the journal what is not at hand.
    pub(in crate::replication) fn answer(
        &mut self,
        to: NodeId,
        answer: Answer,
        pieces: Vec<Piece>,
    ) {
        if let Some(ready) = self.answers.begin(&mut self.cx, to, answer, pieces) {
            self.finish_answer(ready);
        }
    }

    /// An answer is at hand: sends it, or goes on with what this node asked its own journal for.
    pub(in crate::replication) fn finish_answer(&mut self, ready: Ready) {
        let Ready {
            to,
            answer,
            batches,
            is_busy,
        } = ready;
        match answer {
            Answer::Proof { second } => {
                // None: the record is missing. The fork is proven by another contradiction or
                // another peer.
                if let Some(first) = batches.into_iter().next() {
                    self.prove_fork(to, first, *second);
                }
            }
            Answer::Reissue { shard, .. } if is_busy => {
                self.forks.reissue.on_busy(&mut self.cx, shard);
            }
            Answer::Reissue { shard, root } => {
                self.on_reissue_loaded(shard, root, batches.into_iter().next());
            }
            Answer::Fetched { .. } | Answer::Page { .. } | Answer::Branches => {
                self.send_answer(to, answer, batches);
            }
        }
    }

    /// The journal takes too long.
    pub(in crate::replication) fn give_up_load(&mut self, token: u64) {
        // A peer that asked gets no answer: its own patience usually ends earlier.
        if let Some(Answer::Reissue { shard, root }) = self.answers.give_up(token) {
            self.on_reissue_loaded(shard, root, None);
        }
    }
}
